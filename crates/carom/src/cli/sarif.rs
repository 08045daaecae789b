//! Findings as SARIF 2.1.0 (OASIS), for editors and code hosts.

use std::fmt::Write as _;

use ivr_runtime::diagnose::{Code, Finding, Severity};
use serde_json::{Value, json};

/// One run with all findings.
pub fn log(findings: &[Finding]) -> Value {
    let mut codes: Vec<Code> = findings.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let rules = codes.iter().map(|code| {
        let level = level(code.severity());
        json!({
            "id": code.to_string(),
            "shortDescription": { "text": code.what() },
            "defaultConfiguration": { "level": level },
        })
    });
    let place = |code| codes.iter().position(|known| *known == code);
    let results = findings.iter().map(|finding| result(finding, place(finding.code)));
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "carom",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

fn result(finding: &Finding, rule: Option<usize>) -> Value {
    let text = match finding.help.as_str() {
        "" => finding.message.clone(),
        help => format!("{}\n{help}", finding.message),
    };
    let artifact = json!({ "uri": uri(&finding.file) });
    let bytes = |span: &std::ops::Range<usize>| json!({ "byteOffset": span.start, "byteLength": span.len() });
    let mut region = bytes(&finding.span);
    region["startLine"] = json!(finding.line);
    region["startColumn"] = json!(finding.column);
    let mut result = json!({
        "ruleId": finding.code.to_string(),
        "ruleIndex": rule,
        "level": level(finding.severity),
        "message": { "text": text },
        "locations": [{
            "physicalLocation": { "artifactLocation": artifact, "region": region },
        }],
    });
    if finding.fix.is_some() {
        let replacements = finding.fixes().map(|fix| {
            json!({
                "deletedRegion": bytes(&fix.span),
                "insertedContent": { "text": fix.text },
            })
        });
        result["fixes"] = json!([{
            "description": { "text": finding.help },
            "artifactChanges": [{
                "artifactLocation": artifact,
                "replacements": replacements.collect::<Vec<_>>(),
            }],
        }]);
    }
    result
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// A path as a URI reference (RFC 3986 §4.2).
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b if b.is_ascii_alphanumeric() || b"-._~/".contains(&b) => uri.push(char::from(b)),
            b => {
                let _ = write!(uri, "%{b:02X}");
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_a_uri() {
        assert_eq!(uri("flows/März 1.toml"), "flows/M%C3%A4rz%201.toml");
    }
}
