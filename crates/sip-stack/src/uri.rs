//! SIP and other URIs (RFC 3261 §19.1).

use std::{fmt, net::IpAddr};

use crate::message::{Malformed, Params, scan};

/// A URI, as spans of the text it was read from.
///
/// `sip` and `sips` are taken apart. Of `tel` the number is the `user`. Of any other scheme all
/// is in `opaque`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uri<'a> {
    /// The scheme, as written.
    pub scheme: &'a str,
    /// The user, escapes as written; the number of a `tel` URI.
    pub user: Option<&'a str>,
    /// The password, hardly ever there.
    pub password: Option<&'a str>,
    /// Host name or address; an IPv6 address with its brackets. Empty for other schemes.
    pub host: &'a str,
    /// The port, when one is written.
    pub port: Option<u16>,
    /// The URI's own parameters.
    pub params: Params<'a>,
    /// What follows the question mark.
    pub headers: Option<&'a str>,
    /// What follows the colon of a scheme that is not taken apart.
    pub opaque: &'a str,
}

impl<'a> Uri<'a> {
    /// Reads a URI; whitespace, quotes, angle brackets and control characters are refused.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        if text.bytes().any(|b| b <= b' ' || matches!(b, b'<' | b'>' | b'"' | 0x7f)) {
            return Err(Malformed("character that no URI has"));
        }
        let (scheme, rest) = text.split_once(':').ok_or(Malformed("URI without a scheme"))?;
        let first = scheme.bytes().next().ok_or(Malformed("URI without a scheme"))?;
        let rest_ok = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        if !first.is_ascii_alphabetic() || !rest_ok || rest.is_empty() {
            return Err(Malformed("URI without a scheme"));
        }
        let blank = Self {
            scheme,
            user: None,
            password: None,
            host: "",
            port: None,
            params: Params::default(),
            headers: None,
            opaque: "",
        };
        if scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips") {
            blank.with_sip(rest)
        } else if scheme.eq_ignore_ascii_case("tel") {
            let (number, params) = rest.split_once(';').unwrap_or((rest, ""));
            Ok(Self { user: Some(number), params: Params::unchecked(params), ..blank })
        } else {
            Ok(Self { opaque: rest, ..blank })
        }
    }

    /// Whether the scheme is `sip` or `sips`.
    pub fn is_sip(&self) -> bool {
        !self.host.is_empty()
    }

    /// Whether the scheme is `sips`.
    pub fn is_sips(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("sips")
    }

    /// Returns the host as an address, when it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        host_ip(self.host)
    }

    /// Returns the user with its escapes resolved, lossily; `None` without a user.
    pub fn user_plain(&self) -> Option<String> {
        self.user.map(unescape)
    }

    fn with_sip(self, rest: &'a str) -> Result<Self, Malformed> {
        let (userinfo, rest) = match rest.split_once('@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, rest),
        };
        let (user, password) =
            match userinfo.map(|u| u.split_once(':').map_or((u, None), |(u, p)| (u, Some(p)))) {
                Some(("", _)) => return Err(Malformed("empty user")),
                Some((user, password)) => (Some(user), password),
                None => (None, None),
            };
        let (rest, headers) = match rest.split_once('?') {
            Some((rest, headers)) => (rest, Some(headers)),
            None => (rest, None),
        };
        let (host_port, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = host_port_parts(host_port)?;
        Ok(Self { user, password, host, port, params: Params::unchecked(params), headers, ..self })
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme)?;
        if let Some(user) = self.user {
            f.write_str(user)?;
            if let Some(password) = self.password {
                write!(f, ":{password}")?;
            }
            if self.is_sip() {
                f.write_str("@")?;
            }
        }
        f.write_str(self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)?;
        if let Some(headers) = self.headers {
            write!(f, "?{headers}")?;
        }
        f.write_str(self.opaque)
    }
}

/// Splits `host[:port]`, with IPv6 addresses in brackets.
pub(crate) fn host_port_parts(text: &str) -> Result<(&str, Option<u16>), Malformed> {
    let colon = match text.find(']') {
        Some(end) => (end + 1 < text.len()).then_some(end + 1),
        None => text.find(':'),
    };
    let (host, port) = match colon {
        Some(at) => {
            let port = text[at..].strip_prefix(':').ok_or(Malformed("text after an address"))?;
            (scan::trim(&text[..at]), Some(scan::number(scan::trim(port))?))
        }
        None => (text, None),
    };
    let named = || {
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
    };
    let bracketed = host.starts_with('[');
    let valid = if bracketed { host_ip(host).is_some() } else { named() };
    if valid { Ok((host, port)) } else { Err(Malformed("no host name or address")) }
}

/// Returns a host as an address; IPv6 with or without brackets.
pub(crate) fn host_ip(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

/// Resolves `%hh`; what is no escape stays.
pub fn unescape(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = |offset: usize| bytes.get(at + offset).and_then(|&b| char::from(b).to_digit(16));
        match (byte, hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sip_uri_is_taken_apart_and_written_back() {
        let text = "sip:alice;day=tue:pw@[2001:db8::1]:5070;transport=tcp;lr?Subject=x";
        let uri = Uri::parse(text).unwrap();
        assert_eq!(uri.user, Some("alice;day=tue"));
        assert_eq!(uri.password, Some("pw"));
        assert_eq!(uri.host, "[2001:db8::1]");
        assert_eq!(uri.port, Some(5070));
        assert_eq!(uri.params.get("Transport"), Some("tcp"));
        assert!(uri.params.has("lr"));
        assert_eq!(uri.headers, Some("Subject=x"));
        assert_eq!(uri.to_string(), text);
        for text in ["tel:+441632960123;phone-context=x", "sips:h", "isbn:2983792873"] {
            assert_eq!(Uri::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for text in [
            "",
            "sip:",
            "alice",
            "sip:a b@h",
            "<sip:h>",
            "sip:@h",
            "sip:a@",
            "sip:h:99999",
            "sip:[::g]",
        ] {
            assert!(Uri::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn escapes_are_resolved_only_where_they_are_whole() {
        assert_eq!(unescape("sips%3Auser%40example.com"), "sips:user@example.com");
        assert_eq!(unescape("100%"), "100%");
        assert_eq!(unescape("%zz%4"), "%zz%4");
    }
}
