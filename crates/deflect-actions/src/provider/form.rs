//! `application/x-www-form-urlencoded`.

use super::hook::Malformed;

/// Fields of a form, at most.
const MAX_FIELDS: usize = 200;

/// Reads a form, or a query.
///
/// # Errors
/// When it is no such form.
pub fn form(body: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed("the form is not UTF-8"))?;
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let fields: Option<Vec<_>> = pairs
        .take(MAX_FIELDS + 1)
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decoded(name)?, decoded(value)?))
        })
        .collect();
    match fields {
        Some(fields) if fields.len() <= MAX_FIELDS => Ok(fields),
        Some(_) => Err(Malformed("the form has too many fields")),
        None => Err(Malformed("the form is not well encoded")),
    }
}

/// A field of a form.
pub(super) fn field<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    form.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_decoded_or_refused() {
        let fields = form(b"a=1+2&b=%2B%C3%A9&c&").unwrap();
        let pairs: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("a", "1 2"), ("b", "+é"), ("c", "")]);
        assert_eq!((field(&fields, "b"), field(&fields, "d")), (Some("+é"), None));
        for broken in [&b"a=%"[..], b"a=%4", b"a=%zz", b"a=%ff", b"\xff=1"] {
            assert!(form(broken).is_err(), "{broken:?}");
        }
        assert!(form("a=1&".repeat(500).as_bytes()).is_err());
    }
}
