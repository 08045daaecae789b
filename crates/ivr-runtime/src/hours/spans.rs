//! Spans of a day, as files write them.

use super::Span;

/// Why a text is not a list of spans.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanProblem {
    /// Not `HH:MM-HH:MM`.
    #[error("`{0}` is not `HH:MM-HH:MM`")]
    Form(String),
    /// The end is not after the beginning.
    #[error("`{0}` ends before it begins; write what is after midnight on the next day")]
    Backwards(String),
    /// Two spans share time.
    #[error("`{0}` and `{1}` overlap")]
    Overlap(String, String),
}

/// Reads `"08:00-12:00, 13:00-17:30"`; an empty text is a closed day.
pub fn parse_spans(text: &str) -> Result<Vec<Span>, SpanProblem> {
    let mut spans: Vec<(Span, &str)> = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        spans.push((parse_span(part)?, part));
    }
    spans.sort();
    for pair in spans.windows(2) {
        if let [(a, a_text), (b, b_text)] = pair
            && b.from_minute < a.to_minute
        {
            return Err(SpanProblem::Overlap((*a_text).to_owned(), (*b_text).to_owned()));
        }
    }
    Ok(spans.into_iter().map(|(span, _)| span).collect())
}

fn parse_span(text: &str) -> Result<Span, SpanProblem> {
    let form = || SpanProblem::Form(text.to_owned());
    let (from, to) = text.split_once('-').ok_or_else(form)?;
    let span = Span {
        from_minute: minute_of_day(from.trim()).ok_or_else(form)?,
        to_minute: minute_of_day(to.trim()).ok_or_else(form)?,
    };
    if span.from_minute >= span.to_minute {
        return Err(SpanProblem::Backwards(text.to_owned()));
    }
    Ok(span)
}

/// `HH:MM`, up to `24:00`.
pub(crate) fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse::<u16>().ok()).flatten()
    };
    let (hour, minute) = (two_digits(hour)?, two_digits(minute)?);
    let at = hour * 60 + minute;
    (minute < 60 && at <= 1_440).then_some(at)
}
