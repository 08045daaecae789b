//! Findings as text for people.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, renderer::DecorStyle};

use super::{Finding, Severity, mask::Masked};

/// Prints a finding: code and message, `file:line:column`, the line of `source` with the place
/// underlined and its secrets masked, and how to mend it. No colours, no newline at the end.
pub fn render(finding: &Finding, source: &str) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let code = finding.code.to_string();
    // The line alone is handed over, so that a long file costs nothing.
    let start = source.floor_char_boundary(finding.span.start);
    let line_start = source[..start].rfind('\n').map_or(0, |at| at + 1);
    let line = source[line_start..].lines().next().unwrap_or("");
    let from = (start - line_start).min(line.len());
    let end = source.ceil_char_boundary(finding.span.end);
    let to = end.saturating_sub(line_start).clamp(from, line.len());
    let shown = Masked::new(line);
    let (from, to) = (shown.place(from), shown.place(to));
    let snippet = Snippet::source(shown.line.as_str())
        .line_start(finding.line)
        .path(finding.file.as_str())
        .annotation(AnnotationKind::Primary.span(from..to));
    let mut report = level.primary_title(finding.message.as_str()).id(code).element(snippet);
    if !finding.help.is_empty() {
        report = report.element(Level::HELP.message(finding.help.as_str()));
    }
    let text = Renderer::plain().decor_style(DecorStyle::Ascii).render(&[report]);
    // The renderer counts columns in what is shown; the file has what it has.
    let at = |column| format!("--> {}:{}:{column}\n", finding.file, finding.line);
    let shown_column = shown.line[..from].chars().count() + 1;
    text.replacen(&at(shown_column), &at(finding.column), 1)
}
