//! Keys in SIP INFO bodies.
//!
//! No RFC describes them; three content types are in use, each in several spellings. Flash and
//! other signals above 15 are no key.

use crate::Digit;
use crate::telephone_event::EventPayload;

/// A key that a SIP INFO request carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InfoKey {
    /// The key pressed.
    pub digit: Digit,
    /// How long it was held, in milliseconds; [`DEFAULT_DURATION_MS`] when the body does not say.
    pub duration_ms: u32,
}

/// The length of a key whose body states none, in milliseconds.
pub const DEFAULT_DURATION_MS: u32 = 160;

/// Longest duration taken from a body, in milliseconds; more is cut to it.
const MAX_DURATION_MS: u32 = 60_000;

/// The form of a body we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InfoKind {
    /// `application/dtmf-relay`: `Signal=5` and `Duration=160` lines; the common one.
    DtmfRelay,
    /// `application/dtmf`: the key alone.
    Dtmf,
}

impl InfoKind {
    /// The Content-Type that goes with the body.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::DtmfRelay => "application/dtmf-relay",
            Self::Dtmf => "application/dtmf",
        }
    }
}

/// Returns the key of an INFO body, or `None` when it carries none we know.
///
/// Understands `application/dtmf-relay` and `application/dtmf` (with `Signal=`, `Signal:`, bare
/// keys, and the numbers 10–15), `application/telephone-event` and `audio/telephone-event`
/// (text, or the four octets of RFC 4733). Parameters of the content type are ignored.
pub fn parse(content_type: &str, body: &[u8]) -> Option<InfoKey> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let is = |name: &str| essence.eq_ignore_ascii_case(name);
    if is("application/dtmf-relay") || is("application/dtmf") {
        text(body)
    } else if is("application/telephone-event") || is("audio/telephone-event") {
        text(body).or_else(|| binary(body))
    } else {
        None
    }
}

/// Returns the body of an INFO request that carries `digit`, held for `duration_ms`.
pub fn build(digit: Digit, duration_ms: u32, kind: InfoKind) -> String {
    match kind {
        InfoKind::DtmfRelay => format!("Signal={digit}\r\nDuration={duration_ms}\r\n"),
        InfoKind::Dtmf => digit.to_string(),
    }
}

fn text(body: &[u8]) -> Option<InfoKey> {
    let body = std::str::from_utf8(body).ok()?;
    let (mut digit, mut duration_ms) = (None, DEFAULT_DURATION_MS);
    for line in body.split(['\r', '\n']).map(str::trim).filter(|line| !line.is_empty()) {
        match line.split_once(['=', ':']) {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("signal") => {
                digit = digit.or(signal(value));
            }
            Some((name, value)) if name.trim().eq_ignore_ascii_case("duration") => {
                if let Ok(ms) = value.trim().parse::<u32>() {
                    duration_ms = ms.min(MAX_DURATION_MS);
                }
            }
            Some(_) => {}
            None => digit = digit.or(signal(line)),
        }
    }
    digit.map(|digit| InfoKey { digit, duration_ms })
}

/// A key by character, or by its event number (`10` is `*`, as some phones send it).
fn signal(value: &str) -> Option<Digit> {
    let value = value.trim().trim_matches('"');
    let mut chars = value.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Digit::try_from(c).ok(),
        (Some(_), Some(_)) if value.len() == 2 => value.parse().ok().and_then(Digit::from_event),
        _ => None,
    }
}

/// The payload of RFC 4733, whose clock is then that of G.711.
fn binary(body: &[u8]) -> Option<InfoKey> {
    let event = EventPayload::parse(body)?;
    let digit = Digit::from_event(event.event)?;
    let duration_ms = match u32::from(event.duration) / 8 {
        0 => DEFAULT_DURATION_MS,
        ms => ms,
    };
    Some(InfoKey { digit, duration_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(c: char, duration_ms: u32) -> Option<InfoKey> {
        Some(InfoKey { digit: Digit::try_from(c).unwrap(), duration_ms })
    }

    #[test]
    fn dtmf_relay_is_read_in_every_spelling_seen() {
        let relay = |body: &str| parse("application/dtmf-relay", body.as_bytes());
        assert_eq!(relay("Signal=5\r\nDuration=250\r\n"), key('5', 250));
        assert_eq!(relay("Signal= *\nDuration= 100"), key('*', 100)); // Cisco puts a space
        assert_eq!(relay("signal:#\r\nduration:80"), key('#', 80));
        assert_eq!(relay("Signal=10\r\n"), key('*', DEFAULT_DURATION_MS));
        assert_eq!(relay("Duration=90\r\nSignal=11\r\n\r\n"), key('#', 90));
        assert_eq!(relay("Signal=d\r\nDuration=banana\r\n"), key('D', DEFAULT_DURATION_MS));
        assert_eq!(relay("Signal=1\r\nDuration=4000000000\r\n"), key('1', MAX_DURATION_MS));
    }

    #[test]
    fn dtmf_is_the_key_alone() {
        assert_eq!(parse("application/dtmf", b"7"), key('7', DEFAULT_DURATION_MS));
        assert_eq!(parse("Application/DTMF ; charset=utf-8", b" # \r\n"), key('#', 160));
        assert_eq!(parse("application/dtmf", b"15"), key('D', 160));
    }

    #[test]
    fn telephone_event_body_is_text_or_octets() {
        assert_eq!(parse("audio/telephone-event", b"4"), key('4', 160));
        assert_eq!(parse("application/telephone-event", b"Signal=4\r\n"), key('4', 160));
        assert_eq!(parse("audio/telephone-event", &[11, 0x8a, 3, 0x20]), key('#', 100));
    }

    #[test]
    fn what_is_no_key_is_none() {
        assert_eq!(parse("application/dtmf-relay", b"Signal=16\r\n"), None); // flash
        assert_eq!(parse("application/dtmf-relay", b"Signal=\r\n"), None);
        assert_eq!(parse("application/dtmf", b""), None);
        assert_eq!(parse("application/dtmf", b"\xff\xfe"), None);
        assert_eq!(parse("audio/telephone-event", &[16, 0x80, 0, 160]), None);
        assert_eq!(parse("application/json", b"5"), None);
    }

    #[test]
    fn what_we_send_we_read() {
        for digit in Digit::all() {
            for kind in [InfoKind::DtmfRelay, InfoKind::Dtmf] {
                let body = build(digit, 160, kind);
                let read = parse(kind.content_type(), body.as_bytes());
                assert_eq!(read, Some(InfoKey { digit, duration_ms: 160 }), "{body}");
            }
        }
    }
}
