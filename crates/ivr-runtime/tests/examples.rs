//! The two example flows, and rendered findings.

mod full;

use ivr_runtime::{
    diagnose::{Code, Severity, render},
    flow::{AnyPrompt, Shared, load},
};

const MINIMAL: &str = include_str!("fixtures/minimal.toml");

#[test]
fn lp_04_the_minimal_flow_loads_with_exactly_one_warning_that_staffing_is_ours_to_see_to() {
    let checked = load(MINIMAL, "flows/minimal.toml", &Shared::default(), &AnyPrompt);
    assert!(checked.flow.is_some());
    let codes: Vec<Code> = checked.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::W03]);
    insta::assert_snapshot!(render(&checked.findings[0], MINIMAL));
}

/// Requirements §6.3.
#[test]
fn the_full_flow_loads_with_its_configuration_and_without_a_word() {
    let checked = load(full::FLOW, "flows/full.toml", &full::shared(), &AnyPrompt);
    assert!(checked.flow.is_some() && checked.findings.is_empty(), "{:#?}", checked.findings);
}

#[test]
fn without_its_configuration_the_full_flow_is_refused_by_the_names_of_what_it_misses() {
    let checked = load(full::FLOW, "flows/full.toml", &Shared::default(), &AnyPrompt);
    assert!(checked.flow.is_none());
    let told: Vec<String> = checked
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|f| format!("{}:{}:{} {} {}", f.file, f.line, f.column, f.code, f.message))
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}
