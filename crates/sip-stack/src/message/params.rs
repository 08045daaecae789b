use std::fmt;

use super::{
    Malformed,
    scan::{is_lws, is_token, pieces, quoted, trim},
};

/// Parameters of a header or URI: `;name=value` and `;name`, in their order.
///
/// Holds the text after the first semicolon; empty means none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Params<'a>(&'a str);

impl<'a> Params<'a> {
    /// Checks a header's parameters: each has a token for a name and a token, host or quoted
    /// string for a value. `text` starts after the first semicolon.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Malformed> {
        for piece in pieces(text, b';') {
            let (name, value) = split(piece);
            if !is_token(name) {
                return Err(Malformed("parameter without a name"));
            }
            match value {
                Some("") => return Err(Malformed("parameter without a value")),
                Some(value) if value.starts_with('"') => {
                    if !quoted(value)?.1.is_empty() {
                        return Err(Malformed("text after a quoted value"));
                    }
                }
                Some(value) if value.contains(is_lws) => {
                    return Err(Malformed("space in a parameter"));
                }
                Some(_) | None => {}
            }
        }
        Ok(Self(text))
    }

    /// Takes text that needs no check.
    pub(crate) fn unchecked(text: &'a str) -> Self {
        Self(text)
    }

    /// Returns the parameters in their order; names and values trimmed, quotes kept.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        pieces(self.0, b';').filter(|piece| !piece.is_empty()).map(split)
    }

    /// Returns the value of a parameter, `Some("")` when it stands without one. Names are
    /// compared without case.
    pub fn get(self, name: &str) -> Option<&'a str> {
        let found = self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.unwrap_or(""))
    }

    /// Whether a parameter is there, with a value or without.
    pub fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Returns the text, without the leading semicolon.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        trim(self.0).is_empty()
    }
}

/// Writes the parameters as they came, with their leading semicolon when there are any.
impl fmt::Display for Params<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() { Ok(()) } else { write!(f, ";{}", self.0) }
    }
}

fn split(piece: &str) -> (&str, Option<&str>) {
    match piece.bytes().position(|b| b == b'=') {
        Some(at) => (trim(&piece[..at]), Some(trim(&piece[at + 1..]))),
        None => (trim(piece), None),
    }
}
