//! Problems, collected while a file is read, and findings, as they are told.

use std::{cell::RefCell, ops::Range};

use serde::{Deserialize, Serialize};
use toml::{Spanned, de::DeTable};

use super::{Asked, Code, Fix, Severity};

/// A place in a file, in bytes.
pub type Span = Range<usize>;

/// Something wrong, at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which rule was broken.
    pub code: Code,
    /// Where.
    pub span: Span,
    /// What and why.
    pub message: String,
    /// How to mend it; may be empty.
    pub help: String,
    /// A change that surely mends it.
    pub fix: Option<Fix>,
}

/// Collects problems while a file is read.
#[derive(Debug, Default)]
pub struct Notes {
    /// `None`: it was a consequence of another.
    problems: RefCell<Vec<Option<Problem>>>,
    asked: Option<RefCell<Vec<Asked>>>,
}

/// Something wrong, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which rule was broken.
    pub code: Code,
    /// Whether the file is served nevertheless.
    pub severity: Severity,
    /// Name of the file, as it was given.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// In bytes of the file.
    pub span: Span,
    /// What and why.
    pub message: String,
    /// How to mend it; may be empty.
    pub help: String,
    /// A change that surely mends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// The same change at other places that have the same mistake.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<Fix>,
}

impl Finding {
    /// All changes that mend it.
    pub fn fixes(&self) -> impl Iterator<Item = &Fix> {
        self.fix.iter().chain(&self.more)
    }
}

impl Notes {
    /// Notes that also write down what readers ask of tables.
    pub fn recording() -> Self {
        Self { asked: Some(RefCell::default()), ..Self::default() }
    }

    /// Whether what is asked is written down.
    pub(super) fn is_recording(&self) -> bool {
        self.asked.is_some()
    }

    pub(super) fn record(&self, asked: Asked) {
        if let Some(all) = &self.asked {
            all.borrow_mut().push(asked);
        }
    }

    /// What was asked, in order, where that was written down.
    pub fn into_asked(self) -> Vec<Asked> {
        self.asked.map(RefCell::into_inner).unwrap_or_default()
    }

    /// Notes a problem.
    pub fn note(
        &self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.note_with_fix(code, span, message, help, None);
    }

    /// Takes back what was noted as the `n`th, which comes of something else that is told.
    pub(super) fn forget(&self, n: usize) {
        if let Some(problem) = self.problems.borrow_mut().get_mut(n) {
            *problem = None;
        }
    }

    /// How many were noted.
    pub(super) fn len(&self) -> usize {
        self.problems.borrow().len()
    }

    /// Notes a problem with the change that surely mends it, where there is one.
    pub fn note_with_fix(
        &self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
        fix: Option<Fix>,
    ) {
        let (message, help) = (message.into(), help.into());
        self.problems.borrow_mut().push(Some(Problem { code, span, message, help, fix }));
    }

    /// Whether anything noted keeps the file from being served.
    pub fn has_errors(&self) -> bool {
        let problems = self.problems.borrow();
        problems.iter().flatten().any(|problem| problem.code.severity() == Severity::Error)
    }

    /// Whether one of these was noted.
    pub fn has_any(&self, codes: &[Code]) -> bool {
        self.problems.borrow().iter().flatten().any(|problem| codes.contains(&problem.code))
    }

    /// What was noted, in the order of the file.
    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self.problems.into_inner().into_iter().flatten().collect();
        problems.sort_by_key(|problem| (problem.span.start, problem.code));
        problems
    }
}

/// Reads TOML as far as it goes; what is no TOML is noted.
pub fn tree<'a>(text: &'a str, notes: &Notes) -> Spanned<DeTable<'a>> {
    let (tree, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        // What else is wrong with the form is clear from the message and its place.
        let twice = error.message().starts_with("duplicate key");
        let help = if twice { "it stands above already: leave one of them out" } else { "" };
        notes.note(Code::E00, span, format!("not TOML: {}", error.message()), help);
    }
    tree
}

/// Turns problems into findings with file, line and column.
pub fn findings(problems: Vec<Problem>, file: &str, text: &str) -> Vec<Finding> {
    let starts: Vec<usize> =
        std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let place = |problem: Problem| {
        let start = text.floor_char_boundary(problem.span.start);
        let line = starts.partition_point(|at| *at <= start).max(1);
        let column = text[starts[line - 1]..start].chars().count() + 1;
        Finding {
            code: problem.code,
            severity: problem.code.severity(),
            file: file.to_owned(),
            line,
            column,
            span: problem.span,
            message: problem.message,
            help: problem.help,
            fix: problem.fix,
            more: Vec::new(),
        }
    };
    told_once(problems.into_iter().map(place))
}

/// A name that leads nowhere is told of once, with the other lines that have it.
fn told_once(findings: impl Iterator<Item = Finding>) -> Vec<Finding> {
    let missing = |finding: &Finding| {
        let is = finding.code == Code::E01
            && finding.message.starts_with("there is no ")
            && finding.message.ends_with('`');
        is.then(|| finding.message.replace("step or target", "target"))
    };
    let mut told: Vec<(Finding, Vec<usize>)> = Vec::new();
    for finding in findings {
        let name = missing(&finding);
        let same = |(first, _): &&mut (Finding, _)| name.is_some() && missing(first) == name;
        match told.iter_mut().find(same) {
            Some((first, lines)) => {
                lines.push(finding.line);
                first.more.extend(finding.fix);
            }
            None => told.push((finding, Vec::new())),
        }
    }
    let told = told.into_iter().map(|(mut finding, mut lines)| {
        lines.dedup();
        lines.retain(|line| *line != finding.line);
        let named: Vec<String> = lines.iter().map(usize::to_string).collect();
        match &named[..] {
            [] => {}
            [line] => finding.message += &format!(", which line {line} names too"),
            [lines @ .., last] => {
                finding.message +=
                    &format!(", which lines {} and {last} name too", lines.join(", "));
            }
        }
        finding
    });
    told.collect()
}
