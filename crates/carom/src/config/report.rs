//! What a check found, in all files it looked at.

use std::{
    collections::BTreeSet,
    fmt::{self, Write as _},
    fs, io,
};

use ivr_runtime::diagnose::{self, Code, Finding, Severity, render};

/// The findings of a check, with the texts they are about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// File by file, each in the order of its text.
    pub findings: Vec<Finding>,
    /// Name and text of each file.
    sources: Vec<(String, String)>,
}

impl CheckReport {
    /// Adds a file with what was found in it.
    pub(super) fn add(&mut self, file: &str, text: &str, findings: Vec<Finding>) {
        self.findings.extend(findings);
        self.sources.push((file.to_owned(), text.to_owned()));
    }

    /// Takes what was found under a code as an error.
    pub fn raise(&mut self, code: Code) {
        for finding in self.findings.iter_mut().filter(|finding| finding.code == code) {
            finding.severity = Severity::Error;
        }
    }

    /// Mends the files where that can be done in one way only, and returns what was done.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn mend(&self) -> io::Result<Vec<String>> {
        let mut done = Vec::new();
        for (file, text) in &self.sources {
            let findings: Vec<Finding> =
                self.findings.iter().filter(|finding| finding.file == *file).cloned().collect();
            let Some((mended, fixed)) = diagnose::mended(text, &findings) else { continue };
            // What is part of the program is no file; what was changed meanwhile is left alone.
            if fs::read_to_string(file).is_ok_and(|now| now == *text) {
                fs::write(file, mended)?;
                done.extend(fixed.into_iter().map(|finding| told(text, finding)));
            }
        }
        Ok(done)
    }

    /// Whether anything found keeps the configuration from being served.
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// How many errors there are.
    pub fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// How many errors there are in some files, by their names.
    pub fn errors_in(&self, files: &BTreeSet<String>) -> usize {
        let errors = self.findings.iter().filter(|finding| finding.severity == Severity::Error);
        errors.filter(|finding| files.contains(&finding.file)).count()
    }

    /// How many warnings there are.
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    /// How many pieces of advice there are.
    pub fn notes(&self) -> usize {
        self.count(Severity::Note)
    }

    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// `flows/main.toml:12: mended "no_imput" to "no_input"`.
fn told(text: &str, finding: &Finding) -> String {
    let Finding { file, line, fix, .. } = finding;
    let new = fix.as_ref().map_or("", |fix| fix.text.trim_matches('"'));
    let old = text.get(finding.span.clone()).unwrap_or("").trim_matches('"');
    match new {
        "" => format!("{file}:{line}: took out the second `{old}`"),
        new => format!("{file}:{line}: mended `{old}` to `{new}`"),
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for finding in &self.findings {
            match self.sources.iter().find(|(file, _)| *file == finding.file) {
                Some((_, source)) => writeln!(text, "{}\n", render(finding, source))?,
                // A sound has no lines to show.
                None => {
                    writeln!(text, "error[{}]: {}", finding.code, finding.message)?;
                    writeln!(text, " --> {}\n", finding.file)?;
                }
            }
        }
        f.write_str(&text)
    }
}

impl std::error::Error for CheckReport {}
