//! Lexical rules shared by the headers (RFC 3261 §25.1).

use super::Malformed;

/// Whether every byte may stand in a token, and there is one.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// Whether a byte may stand in a token.
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

/// Whitespace between the words of a header; folds count as such.
pub fn is_lws(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// Trims linear whitespace on both sides.
pub fn trim(text: &str) -> &str {
    let (bytes, solid) = (text.as_bytes(), |b: &u8| !is_lws(char::from(*b)));
    match (bytes.iter().position(solid), bytes.iter().rposition(solid)) {
        (Some(first), Some(last)) => &text[first..=last],
        (None, _) | (_, None) => "",
    }
}

/// Returns the elements of a comma-separated header value, trimmed; commas inside quoted strings
/// and angle brackets do not separate.
pub fn list(text: &str) -> impl Iterator<Item = &str> {
    pieces(text, b',').map(trim)
}

/// Splits at a separator that stands outside quoted strings and angle brackets.
pub(crate) fn pieces(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (piece, after) = match find_outside(text, separator) {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        rest = after;
        Some(piece)
    })
}

/// Returns where a byte first stands outside quoted strings and angle brackets.
pub(crate) fn find_outside(text: &str, wanted: u8) -> Option<usize> {
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if escaped {
            escaped = false;
        } else if quoted {
            match byte {
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
        } else if byte == wanted && !bracketed {
            return Some(at);
        } else {
            match byte {
                b'"' if !bracketed => quoted = true,
                b'<' => bracketed = true,
                b'>' => bracketed = false,
                _ => {}
            }
        }
    }
    None
}

/// Splits a quoted string off the front: what is between the quotes, still escaped, and the rest.
pub(crate) fn quoted(text: &str) -> Result<(&str, &str), Malformed> {
    let inner = text.strip_prefix('"').ok_or(Malformed("quote expected"))?;
    let mut escaped = false;
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Ok((&inner[..at], &inner[at + 1..])),
            _ => {}
        }
    }
    Err(Malformed("quoted string without an end"))
}

/// Returns a quoted string's text without its escapes; a text that is not quoted as it is.
pub fn unquote(text: &str) -> String {
    let Ok((inner, _)) = quoted(text) else { return text.to_owned() };
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}

/// Returns a text as a quoted string.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\r' | '\n' => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Reads a decimal number; anything but digits, or too many of them, is refused.
pub(crate) fn number<T: std::str::FromStr>(text: &str) -> Result<T, Malformed> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Malformed("number expected"));
    }
    text.parse().map_err(|_| Malformed("number out of range"))
}

/// Splits at the first linear whitespace, trimming what follows.
pub(crate) fn word(text: &str) -> (&str, &str) {
    match text.find(is_lws) {
        Some(at) => (&text[..at], trim(&text[at..])),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_brackets_do_not_separate() {
        let text = r#""a, \"b" <sip:x,y@h>;p=1 , c,"#;
        let elements: Vec<_> = list(text).collect();
        assert_eq!(elements, [r#""a, \"b" <sip:x,y@h>;p=1"#, "c", ""]);
    }

    #[test]
    fn quoting_and_unquoting_are_inverse() {
        for text in ["", "plain", r#"a "quoted" \ back"#, "ünï"] {
            assert_eq!(unquote(&quote(text)), text);
        }
    }
}
