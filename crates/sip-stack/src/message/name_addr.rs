use std::fmt;

use super::{
    HeaderName, Headers, Malformed, Params,
    scan::{self, trim},
};
use crate::uri::Uri;

/// A name and address with parameters: From, To, Contact, Route, P-Asserted-Identity, Diversion,
/// History-Info, Refer-To (RFC 3261 §20.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The display name as written, quotes and escapes kept; see [`display_plain`](Self::display_plain).
    pub display: Option<&'a str>,
    /// The address.
    pub uri: Uri<'a>,
    /// The address as written.
    pub uri_text: &'a str,
    /// The header's parameters, not the URI's.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one element. Without angle brackets parameters are the header's (§20.10).
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        let text = trim(text);
        let (display, rest) = if text.starts_with('"') {
            let (inner, rest) = scan::quoted(text)?;
            (Some(&text[..inner.len() + 2]), trim(rest))
        } else {
            match text.split_once('<') {
                Some((display, _)) => {
                    let rest = &text[display.len()..];
                    let display = trim(display);
                    // Names in other scripts are sent without quotes; separators are not names.
                    if display.contains([',', ';', '"', '@', '>']) {
                        return Err(Malformed("display name needs quotes"));
                    }
                    ((!display.is_empty()).then_some(display), rest)
                }
                None => return Self::bare(text),
            }
        };
        let (uri_text, rest) = rest
            .strip_prefix('<')
            .and_then(|rest| rest.split_once('>'))
            .ok_or(Malformed("no address in angle brackets"))?;
        let params = match trim(rest) {
            "" => Params::default(),
            rest => {
                Params::parse(rest.strip_prefix(';').ok_or(Malformed("text after an address"))?)?
            }
        };
        Ok(Self { display, uri: Uri::parse(uri_text)?, uri_text, params })
    }

    /// Returns the first element of a header.
    pub fn first(headers: &'a Headers, name: HeaderName) -> Result<Self, Malformed> {
        Self::parse(headers.values(name).next().ok_or(Malformed("no such header"))?)
    }

    /// Returns every element of a header, in order; those that are malformed are left out.
    pub fn all(headers: &'a Headers, name: HeaderName) -> impl Iterator<Item = Self> {
        headers.values(name).filter_map(|value| Self::parse(value).ok())
    }

    /// Returns the tag (§19.3).
    pub fn tag(&self) -> Option<&'a str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// Returns the display name without quotes and escapes.
    pub fn display_plain(&self) -> Option<String> {
        self.display.map(scan::unquote)
    }

    fn bare(text: &'a str) -> Result<Self, Malformed> {
        let (uri_text, params) = match text.split_once(';') {
            Some((uri, params)) => (trim(uri), Params::parse(params)?),
            None => (text, Params::default()),
        };
        let uri = Uri::parse(uri_text)?;
        if uri_text.contains([',', '?']) {
            return Err(Malformed("address needs angle brackets"));
        }
        Ok(Self { display: None, uri, uri_text, params })
    }
}

/// Writes the name-addr form, which is always right.
impl fmt::Display for NameAddr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = self.display {
            write!(f, "{display} ")?;
        }
        write!(f, "<{}>{}", self.uri_text, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_an_address_and_parameters_are_told_apart() {
        let text = r#""J \"Q\", <x>" <sip:j@h;lr?a=b>;tag=1;q=0.3"#;
        let name_addr = NameAddr::parse(text).unwrap();
        assert_eq!(name_addr.display_plain().as_deref(), Some("J \"Q\", <x>"));
        assert_eq!(name_addr.uri_text, "sip:j@h;lr?a=b");
        assert_eq!(name_addr.tag(), Some("1"));
        assert_eq!(name_addr.to_string(), text);
    }

    #[test]
    fn without_brackets_parameters_are_the_headers() {
        let name_addr = NameAddr::parse("sip:j@h;tag=1").unwrap();
        assert_eq!((name_addr.uri_text, name_addr.tag()), ("sip:j@h", Some("1")));
    }

    #[test]
    fn broken_ones_are_refused() {
        for text in [
            r#""open <sip:a@h>"#,
            "Bell, A <sip:a@h>",
            r#""W" < sip:a@h >"#,
            "sip:a@h?Route=x",
            "<sip:a@h>;;",
            "<sip:a@h",
            "<sip:a@h> x",
            "",
        ] {
            assert!(NameAddr::parse(text).is_err(), "{text}");
        }
    }
}
