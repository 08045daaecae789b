//! What a test call does and what it reports.

use std::{str::FromStr, time::Duration};

use dtmf_detector::Digit;
use serde::Serialize;

/// One key of a test call: `1@2s`, `5@500ms`; a bare key is pressed 2 s after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Press {
    /// The key.
    pub digit: Digit,
    /// When, after the answer.
    pub at: Duration,
}

impl FromStr for Press {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no key press; write `1@2s` or `#@500ms`");
        let (key, at) = text.split_once('@').unwrap_or((text, "2s"));
        let mut chars = key.chars();
        let (Some(key), None) = (chars.next(), chars.next()) else { return Err(wrong()) };
        let digit = Digit::try_from(key).map_err(|_| wrong())?;
        Ok(Self { digit, at: duration(at).ok_or_else(wrong)? })
    }
}

/// Reads `2s`, `1.5s`, `500ms`.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, scale) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s')?, 1.0),
    };
    let number: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(number * scale).ok()
}

/// How keys are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum KeysBy {
    /// RFC 4733 events.
    #[default]
    Rfc4733,
    /// SIP INFO.
    Info,
}

/// A test call.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Whom to call: a SIP URI.
    pub uri: String,
    /// User part of our From.
    pub from: String,
    /// Keys in order of time.
    pub press: Vec<Press>,
    /// How keys are sent.
    pub keys_by: KeysBy,
    /// Hang up so long after the answer.
    pub hang_up_after: Duration,
    /// Give up when nobody answered by then.
    pub ring_for: Duration,
    /// Keep what is heard.
    pub record: bool,
}

/// How a test call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The far end hung up.
    FarEnd,
    /// We hung up because the time was over.
    Us,
    /// A final response that is no 2xx.
    Refused,
    /// Nobody answered in time, or nothing answers there.
    NoAnswer,
}

/// What happened on a test call.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// How it ended.
    pub ending: Ending,
    /// Final SIP status.
    pub status: Option<u16>,
    /// Time to the answer, ms.
    pub answered_after_ms: Option<u64>,
    /// From the INVITE to the end, ms.
    pub length_ms: u64,
    /// What happened, with ms since the INVITE.
    pub events: Vec<(u64, String)>,
    /// Keys the far end pressed.
    pub keys_heard: String,
    /// RTP packets received.
    pub received_packets: u64,
    /// What was heard, 16-bit linear at 8 kHz.
    #[serde(skip)]
    pub heard: Vec<i16>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presses_are_read_as_written() {
        let press = |text: &str| text.parse::<Press>().map(|p| (char::from(p.digit), p.at));
        assert_eq!(press("1@2s"), Ok(('1', Duration::from_secs(2))));
        assert_eq!(press("#@500ms"), Ok(('#', Duration::from_millis(500))));
        assert_eq!(press("0"), Ok(('0', Duration::from_secs(2))));
        for wrong in ["", "12@1s", "x@1s", "1@", "1@-1s", "1@s", "1@1h"] {
            assert!(press(wrong).is_err(), "{wrong}");
        }
    }
}
