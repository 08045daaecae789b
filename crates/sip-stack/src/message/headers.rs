use std::ops::Range;

use super::{HeaderName, scan};

/// The header lines of a message, in their order and spelling.
///
/// One text buffer holds the start line's target and all lines; a line is a few spans of it.
/// Replaced text stays in the buffer until the message is dropped, which is soon.
#[derive(Debug, Default)]
pub struct Headers {
    pub(super) text: String,
    /// The Request-URI or the reason phrase.
    pub(super) target: Span,
    pub(super) lines: Vec<Spans>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Spans {
    /// `None`: not a known name, compare the spelling.
    pub(super) known: Option<HeaderName>,
    pub(super) spelling: Span,
    /// From the first byte of the name to the last of the value, folds and all.
    pub(super) raw: Span,
    /// The value: trimmed, unfolded.
    pub(super) value: Span,
}

/// One header line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The name as it is spelled.
    pub spelling: &'a str,
    /// The whole line as it is written, without its line end; folds kept.
    pub raw: &'a str,
    /// The value, trimmed and unfolded.
    pub value: &'a str,
}

impl Line<'_> {
    /// Returns the name.
    pub fn name(&self) -> HeaderName {
        HeaderName::from_token(self.spelling)
    }
}

impl Headers {
    /// Returns the value of the first line of this name, trimmed and unfolded.
    pub fn first(&self, name: HeaderName) -> Option<&str> {
        self.all(name).next()
    }

    /// Returns the value of every line of this name; a line may hold a comma-separated list.
    pub fn all(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        let lines = self.lines.iter().filter(move |line| self.is(line, &name));
        lines.map(|line| self.slice(line.value))
    }

    /// Returns every comma-separated element of every line of this name, trimmed.
    pub fn values(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        self.all(name).flat_map(scan::list)
    }

    /// Whether an option tag, method or other token stands in a list header, without case.
    pub fn lists(&self, name: HeaderName, token: &str) -> bool {
        self.values(name).any(|value| value.eq_ignore_ascii_case(token))
    }

    /// Whether there is a line of this name.
    pub fn has(&self, name: HeaderName) -> bool {
        self.lines.iter().any(|line| self.is(line, &name))
    }

    /// Returns all lines in their order.
    pub fn iter(&self) -> impl Iterator<Item = Line<'_>> {
        self.lines.iter().map(|line| Line {
            spelling: self.slice(line.spelling),
            raw: self.slice(line.raw),
            value: self.slice(line.value),
        })
    }

    /// Returns name and value of the lines whose names are known, in their order.
    pub(super) fn known(&self) -> impl Iterator<Item = (&HeaderName, &str)> {
        let known = self.lines.iter().filter_map(|line| Some((line.known.as_ref()?, line.value)));
        known.map(|(name, value)| (name, self.slice(value)))
    }

    /// Returns how many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Adds a line at the end. Line ends in `value` become spaces: a value cannot add lines.
    pub fn push(&mut self, name: HeaderName, value: impl AsRef<str>) {
        let line = self.compose(name, value.as_ref());
        self.lines.push(line);
    }

    /// Adds a line before all others, where a Via goes.
    pub fn push_front(&mut self, name: HeaderName, value: impl AsRef<str>) {
        let line = self.compose(name, value.as_ref());
        self.lines.insert(0, line);
    }

    /// Gives the first line of this name this value and removes the others; adds one at the end
    /// if there is none.
    pub fn set(&mut self, name: HeaderName, value: impl AsRef<str>) {
        let line = self.compose(name.clone(), value.as_ref());
        let Some(at) = self.position(&name) else { return self.lines.push(line) };
        self.remove(name);
        self.lines.insert(at, line);
    }

    /// Replaces the first comma-separated element of the first line of this name, as the top Via
    /// needs; the rest stays. Without such a line one is added in front.
    pub fn set_first_value(&mut self, name: HeaderName, value: impl AsRef<str>) {
        let Some(at) = self.position(&name) else { return self.push_front(name, value) };
        let old = self.slice(self.lines[at].value);
        let value = match scan::find_outside(old, b',') {
            Some(comma) => format!("{}{}", value.as_ref(), &old[comma..]),
            None => value.as_ref().to_owned(),
        };
        self.lines[at] = self.compose(name, &value);
    }

    /// Removes the first comma-separated element of the first line of this name, and the line
    /// with its last one; returns whether there was any.
    pub fn remove_first_value(&mut self, name: HeaderName) -> bool {
        let Some(at) = self.position(&name) else { return false };
        let old = self.slice(self.lines[at].value);
        match scan::find_outside(old, b',').map(|comma| scan::trim(&old[comma + 1..]).to_owned()) {
            Some(rest) => self.lines[at] = self.compose(name, &rest),
            None => drop(self.lines.remove(at)),
        }
        true
    }

    /// Removes every line of this name.
    pub fn remove(&mut self, name: HeaderName) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.retain(|line| !self.is(line, &name));
        self.lines = lines;
    }

    /// Adds every line of this name from another message, as it is written there.
    pub fn copy_from(&mut self, other: &Headers, name: HeaderName) {
        for line in other.lines.iter().filter(|line| other.is(line, &name)) {
            let shift = |span: Span, base: usize, start: usize| Span {
                start: base + span.start - start,
                end: base + span.end - start,
            };
            let raw_base = self.text.len();
            self.text.push_str(other.slice(line.raw));
            let inside = line.value.start >= line.raw.start && line.value.end <= line.raw.end;
            let value = if inside {
                shift(line.value, raw_base, line.raw.start)
            } else {
                let base = self.text.len();
                self.text.push_str(other.slice(line.value));
                shift(line.value, base, line.value.start)
            };
            self.lines.push(Spans {
                known: line.known.clone(),
                spelling: shift(line.spelling, raw_base, line.raw.start),
                raw: shift(line.raw, raw_base, line.raw.start),
                value,
            });
        }
    }

    pub(super) fn with_target(target: &str) -> Self {
        let mut headers = Self { text: String::with_capacity(512), ..Self::default() };
        headers.set_target(target);
        headers
    }

    pub(super) fn target(&self) -> &str {
        self.slice(self.target)
    }

    pub(super) fn set_target(&mut self, target: &str) {
        let start = self.text.len();
        push_clean(&mut self.text, target);
        self.target = (start..self.text.len()).into();
    }

    /// Copies the message's text and spans; private, since a start line goes with them.
    pub(super) fn duplicate(&self) -> Self {
        Self { text: self.text.clone(), target: self.target, lines: self.lines.clone() }
    }

    /// Writes all lines, the blank line and the body; Content-Length is made to match.
    pub(super) fn write(&self, out: &mut Vec<u8>, body: &[u8]) {
        let mut counted = false;
        for line in &self.lines {
            let length = line.known == Some(HeaderName::ContentLength);
            if length && std::mem::replace(&mut counted, true) {
                continue;
            }
            if length && self.slice(line.value).parse() != Ok(body.len()) {
                out.extend_from_slice(self.slice(line.spelling).as_bytes());
                out.extend_from_slice(format!(": {}", body.len()).as_bytes());
            } else {
                out.extend_from_slice(self.slice(line.raw).as_bytes());
            }
            out.extend_from_slice(b"\r\n");
        }
        if !counted {
            out.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
    }

    /// Returns the bytes that [`write`](Self::write) takes at most.
    pub(super) fn written_len(&self, body: &[u8]) -> usize {
        let lines: usize = self.lines.iter().map(|line| line.raw.end - line.raw.start + 2).sum();
        lines + body.len() + 40
    }

    fn compose(&mut self, name: HeaderName, value: &str) -> Spans {
        let start = self.text.len();
        self.text.push_str(name.as_str());
        let spelling = start..self.text.len();
        self.text.push_str(": ");
        let from = self.text.len();
        push_clean(&mut self.text, scan::trim(value));
        let end = self.text.len();
        Spans {
            known: (!matches!(name, HeaderName::Other(_))).then_some(name),
            spelling: spelling.into(),
            raw: (start..end).into(),
            value: (from..end).into(),
        }
    }

    fn is(&self, line: &Spans, name: &HeaderName) -> bool {
        match (&line.known, name) {
            (None, HeaderName::Other(name)) => self.slice(line.spelling).eq_ignore_ascii_case(name),
            (Some(known), name) => known == name,
            (None, _) => false,
        }
    }

    fn position(&self, name: &HeaderName) -> Option<usize> {
        self.lines.iter().position(|line| self.is(line, name))
    }

    /// Spans are made from this text only; a wrong one reads as nothing.
    fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or("")
    }
}

/// Two are equal when they read the same; Content-Length follows from the body.
impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        fn lines(headers: &Headers) -> impl Iterator<Item = &str> {
            let counted = |line: &&Spans| line.known != Some(HeaderName::ContentLength);
            headers.lines.iter().filter(counted).map(|line| headers.slice(line.raw))
        }
        self.target() == other.target() && lines(self).eq(lines(other))
    }
}

impl Eq for Headers {}

fn push_clean(text: &mut String, value: &str) {
    if value.contains(['\r', '\n']) {
        text.extend(value.chars().map(|c| if matches!(c, '\r' | '\n') { ' ' } else { c }));
    } else {
        text.push_str(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Headers {
        let mut headers = Headers::default();
        headers.push(HeaderName::Via, "SIP/2.0/UDP a, SIP/2.0/UDP b");
        headers.push("X-Odd".into(), "1");
        headers.push(HeaderName::Via, "SIP/2.0/UDP c");
        headers
    }

    #[test]
    fn lists_are_read_over_all_lines() {
        let headers = sample();
        let vias: Vec<_> = headers.values(HeaderName::Via).collect();
        assert_eq!(vias, ["SIP/2.0/UDP a", "SIP/2.0/UDP b", "SIP/2.0/UDP c"]);
        assert_eq!(headers.first("x-odd".into()), Some("1"));
    }

    #[test]
    fn only_the_first_element_is_replaced_or_removed() {
        let mut headers = sample();
        headers.set_first_value(HeaderName::Via, "SIP/2.0/UDP a;received=192.0.2.1");
        assert_eq!(
            headers.first(HeaderName::Via),
            Some("SIP/2.0/UDP a;received=192.0.2.1, SIP/2.0/UDP b")
        );
        for left in [2, 1, 0] {
            assert!(headers.remove_first_value(HeaderName::Via));
            assert_eq!(headers.values(HeaderName::Via).count(), left);
        }
        assert!(!headers.remove_first_value(HeaderName::Via));
    }

    #[test]
    fn set_keeps_the_place_and_leaves_one_line() {
        let mut headers = sample();
        headers.set(HeaderName::Via, "new");
        headers.set(HeaderName::To, "<sip:b@h>");
        let lines: Vec<_> = headers.iter().map(|line| line.raw.to_owned()).collect();
        assert_eq!(lines, ["Via: new", "X-Odd: 1", "To: <sip:b@h>"]);
    }

    #[test]
    fn a_value_cannot_add_a_line() {
        let mut headers = Headers::default();
        headers.push(HeaderName::Subject, "a\r\nEvil: yes");
        assert_eq!(headers.iter().next().unwrap().raw, "Subject: a  Evil: yes");
    }
}
