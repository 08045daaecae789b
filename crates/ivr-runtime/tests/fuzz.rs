//! Fuzz targets of the files of a flow; plain `cargo test` replays the corpus under `__fuzz__`, which is
//! links to the bad flows of `findings.rs` and to the good ones, and some random edits of good
//! files, `cargo bolero test NAME --sanitizer NONE` searches for more. Failures print their seed.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::sync::Arc;

use ivr_runtime::{
    diagnose::{Severity, render},
    flow::{AnyPrompt, Shared, load},
    hours::{Hours, Schedule, Week, parse_holidays, parse_spans},
    sim::{Faults, run_random},
};
use jiff::{civil::Date, tz::TimeZone};

const GOOD: [&str; 2] = [
    include_str!("fixtures/minimal.toml"),
    concat!(
        include_str!("../../../config/flows/main.toml"),
        "\n[target.pbx]\nsip = \"sip:main@127.0.0.1:5080\"\n"
    ),
];
/// Of each flow that is served.
const CALLERS: u64 = 20;

#[test]
fn flow_file() {
    let shared = shared();
    bolero::check!().for_each(|bytes: &[u8]| {
        let _ = judge(&String::from_utf8_lossy(bytes), &shared);
    });
}

/// Calendars and lists of dates: whatever they hold, each day is told once, within the century.
#[test]
fn holiday_file() {
    let zone = TimeZone::get("Australia/Lord_Howe").unwrap();
    bolero::check!().for_each(|bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        match parse_holidays(&text, &zone) {
            Ok(days) if text.contains(':') => {
                let in_century = |day: &Date| (2000..2100).contains(&day.year());
                assert!(days.keys().all(in_century), "{days:?}");
            }
            Ok(_) => {}
            Err(problem) => assert!(problem.to_string().starts_with("line "), "{problem}"),
        }
    });
}

/// Good files with lines left out, said twice, cut, swapped, or of another file.
#[test]
fn flow_file_edited() {
    let shared = shared();
    for good in GOOD {
        assert!(judge(good, &shared), "an unchanged file is served");
    }
    bolero::check!().with_type::<Vec<(u16, u16, u8)>>().for_each(|edits| {
        let from = GOOD[edits.len() % GOOD.len()];
        let mut lines: Vec<String> = from.lines().map(str::to_owned).collect();
        for &(at, other, what) in edits.iter().take(4) {
            edit(&mut lines, usize::from(at), usize::from(other), what);
        }
        let _ = judge(&lines.join("\n"), &shared);
    });
}

fn edit(lines: &mut Vec<String>, at: usize, other: usize, what: u8) {
    if lines.is_empty() {
        return;
    }
    let (at, other) = (at % lines.len(), other % lines.len());
    match what % 6 {
        0 => drop(lines.remove(at)),
        1 => lines.insert(other, lines[at].clone()),
        2 => lines.swap(at, other),
        3 => {
            let cut = lines[at].char_indices().nth(other).map_or(0, |(cut, _)| cut);
            lines[at].truncate(cut);
        }
        4 => {
            // The value of another key.
            let value = lines[other].split_once('=').map(|(_, value)| value.to_owned());
            let key = lines[at].split_once('=').map(|(key, _)| key.to_owned());
            if let (Some(key), Some(value)) = (key, value) {
                lines[at] = format!("{key}={value}");
            }
        }
        _ => {
            let digit = char::from(b'0' + u8::try_from(other % 10).unwrap());
            lines[at] = lines[at].replace(|c: char| c.is_ascii_digit(), &digit.to_string());
        }
    }
}

/// Whatever is told points into the file; whatever is served traps nobody. Says whether it is
/// served.
fn judge(text: &str, shared: &Shared) -> bool {
    let checked = load(text, "flow.toml", shared, &AnyPrompt);
    for finding in &checked.findings {
        assert!(finding.line >= 1 && finding.column >= 1, "{finding:?}");
        assert!(text.get(finding.span.clone()).is_some(), "{finding:?}");
        assert!(render(finding, text).contains("flow.toml:"), "{finding:?}");
    }
    let errors = checked.findings.iter().any(|found| found.severity == Severity::Error);
    assert_eq!(checked.flow.is_none(), errors, "{:?}\n{text}", checked.findings);
    let Some(flow) = checked.flow else { return false };
    let tally = run_random(&Arc::new(flow), CALLERS, 1, Faults::ALL);
    assert!(tally.is_ok(), "{tally}\n{text}");
    true
}

fn shared() -> Shared {
    let day = parse_spans("08:00-20:00").unwrap();
    let days = std::array::from_fn(|_| day.clone());
    let week = Week { zone: "Europe/London".into(), days, holidays: Default::default() };
    let hours = vec![Hours { name: "office".into(), schedule: Schedule::Week(week) }];
    Shared { hours, fallback: Some("pbx".into()), ..Shared::default() }
}
