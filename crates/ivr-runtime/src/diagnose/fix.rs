//! Changes that surely mend what was found, and nothing else of the file.

use serde::{Deserialize, Serialize};

use super::{Finding, Notes, Span, tree};

/// A change that mends a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// What goes, in bytes of the file.
    pub span: Span,
    /// What comes in its place; may be empty.
    pub text: String,
}

/// The file with every fix made, and the findings that were mended by it. `None`: there is
/// nothing to mend, or the outcome would be no TOML.
pub fn mended<'f>(text: &str, findings: &'f [Finding]) -> Option<(String, Vec<&'f Finding>)> {
    let mut fixed: Vec<(&Finding, &Fix)> = findings
        .iter()
        .flat_map(|finding| finding.fixes().map(move |fix| (finding, fix)))
        .collect();
    fixed.retain(|(_, fix)| is_clean(text, fix));
    fixed.sort_by_key(|(_, fix)| (fix.span.start, fix.span.end));
    // Of two that touch the same place the second may no longer fit.
    fixed.dedup_by(|(_, next), (_, fix)| next.span.start < fix.span.end);
    let mut mended = text.to_owned();
    for (_, fix) in fixed.iter().rev() {
        mended.replace_range(fix.span.clone(), &fix.text);
    }
    let notes = Notes::default();
    tree(&mended, &notes);
    let good = !fixed.is_empty() && !notes.has_errors();
    let mut told: Vec<&Finding> = Vec::new();
    for (finding, _) in fixed {
        // It may have several places.
        if !told.contains(&finding) {
            told.push(finding);
        }
    }
    good.then_some((mended, told))
}

/// It lies in the file and takes no comment away.
fn is_clean(text: &str, fix: &Fix) -> bool {
    text.get(fix.span.clone()).is_some_and(|gone| !gone.contains(['#', '\n']))
}
