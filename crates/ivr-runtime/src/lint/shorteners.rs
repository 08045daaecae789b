//! W18: an address of a public shortener. Carriers and providers filter texts that hold one
//! (Bandwidth's error 4771, Twilio's 30110), and a reader cannot see whose page it leads to.

use super::{Lint, urls};
use crate::diagnose::Code;

/// Hosts that shorten addresses for everybody.
const SHORTENERS: [&str; 18] = [
    "bit.ly",
    "buff.ly",
    "cutt.ly",
    "goo.gl",
    "is.gd",
    "lnkd.in",
    "ow.ly",
    "rb.gy",
    "rebrand.ly",
    "s.id",
    "shorturl.at",
    "short.io",
    "t.co",
    "t.ly",
    "tiny.cc",
    "tinyurl.com",
    "v.gd",
    "wp.me",
];
/// What to do instead.
pub const INSTEAD: &str = "carriers filter texts with such addresses: give the whole one, of a \
                               domain of your own";

/// The public shortener that `text` names by an address, with or without `https://`; `None`: none.
#[must_use]
pub fn shortener_in(text: &str) -> Option<&'static str> {
    let outside = |c: char| c.is_whitespace() || "<>()\"'".contains(c);
    text.split(outside).find_map(|word| {
        let rest = word.split_once("://").map_or(word, |(_, rest)| rest);
        let (host, path) = rest.split_at(urls::host(rest).len());
        let host = host.split(':').next()?.to_ascii_lowercase();
        let host = host.strip_prefix("www.").unwrap_or(&host);
        SHORTENERS.into_iter().find(|known| *known == host && path.starts_with('/'))
    })
}

pub(super) fn check(lint: &Lint<'_>) {
    let note = |kind: &str, name: &str, key: &str, host: &str| {
        let message = format!("`{name}` leads over the public shortener `{host}`");
        lint.note(Code::W18, lint.place(kind, name, key), message, INSTEAD);
    };
    for link in &lint.flow.links {
        if let Some(host) = shortener_in(&link.url) {
            note("link", &link.name, "url", host);
        }
    }
    for (kind, name, texts) in lint.messages() {
        if let Some(host) = texts.values().find_map(|text| shortener_in(text)) {
            note(kind, name, "message", host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shorteners_are_known_by_their_host_and_nothing_else() {
        for (text, expected) in [
            ("https://bit.ly/3x", Some("bit.ly")),
            ("Example: see HTTP://www.TinyURL.com/a.", Some("tinyurl.com")),
            ("Example: t.co/abc now", Some("t.co")),
            ("(https://is.gd:443/x)", Some("is.gd")),
            ("https://shop.example.com/bit.ly/3x", None),
            ("https://notbit.ly/3x", None),
            ("https://bit.ly.example.com/3x", None),
            ("Is that all? It.ly", None),
            ("", None),
        ] {
            assert_eq!(shortener_in(text), expected, "{text}");
        }
    }
}
