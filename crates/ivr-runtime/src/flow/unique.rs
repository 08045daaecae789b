//! E08 over all flows: a called number leads to one flow.

use super::model::Flow;
use crate::diagnose::{Code, Finding, Severity};

/// Finds called numbers, extensions, prefixes and defaults that two flows claim. Each flow comes
/// with the name of its file; the finding is about the later one, in its first line.
pub fn check_unique(flows: &[(&str, &Flow)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, (file, flow)) in flows.iter().enumerate() {
        for (other_file, other) in &flows[..at] {
            for claim in claims(flow) {
                if claims(other).any(|theirs| theirs == claim) {
                    findings.push(finding(file, other_file, &claim));
                }
            }
        }
    }
    findings
}

fn claims(flow: &Flow) -> impl Iterator<Item = String> {
    let listed = [
        ("the number", &flow.numbers),
        ("the extension", &flow.extensions),
        ("the prefix", &flow.prefixes),
    ];
    let listed = listed
        .into_iter()
        .flat_map(|(what, list)| list.iter().map(move |number| format!("{what} `{number}`")));
    let default = flow.default.then(|| "`default = true`".to_owned());
    listed.chain(default).chain([format!("the name `{}`", flow.name)])
}

fn finding(file: &str, other_file: &str, claim: &str) -> Finding {
    Finding {
        code: Code::E08,
        severity: Severity::Error,
        file: file.to_owned(),
        line: 1,
        column: 1,
        span: 0..0,
        message: format!("{claim} belongs to the flow in {other_file} already"),
        help: "leave it out of one of them".to_owned(),
        fix: None,
    }
}
