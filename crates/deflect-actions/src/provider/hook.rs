//! What providers post to us.

use reqwest::header::HeaderMap;

use super::Receipt;

/// Moments in a webhook may differ from our clock by this much, ms; older ones are replays.
pub(super) const REPLAY_MS: i64 = 5 * 60_000;

/// A request of a provider, as it came.
#[derive(Debug, Clone, Copy)]
pub struct Posted<'a> {
    /// It has no body and asks for something: `GET`.
    pub asks: bool,
    /// What follows the provider's name in the path: `status`, `inbound`, or nothing.
    pub what: &'a str,
    /// Path and query, as received.
    pub path: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body; nothing of it is believed before it is verified.
    pub body: &'a [u8],
    /// Our public address, without a slash at its end.
    pub public_url: Option<&'a str>,
    /// Now, milliseconds UTC.
    pub now_ms: i64,
}

impl<'a> Posted<'a> {
    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the body is a form, by its content type.
    pub(super) fn is_form(&self) -> bool {
        let kind = self.header("Content-Type").and_then(|kind| kind.split(';').next());
        kind.is_some_and(|kind| {
            kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
        })
    }

    /// The query.
    #[must_use]
    pub fn query(&self) -> &'a str {
        self.path.split_once('?').map_or("", |(_, query)| query)
    }

    /// Whether a moment, in ms, is near enough to now to be no replay.
    #[must_use]
    pub fn is_fresh(&self, at_ms: i64) -> bool {
        at_ms.abs_diff(self.now_ms) <= REPLAY_MS.unsigned_abs()
    }
}

/// What a provider told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Things that happened, in its order.
    Events(Vec<Event>),
    /// It wanted this answer, to see that it is us.
    Handshake(String),
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message moved on.
    Receipt(Receipt),
    /// Somebody texted.
    Inbound(Inbound),
}

/// A text that somebody sent to one of our senders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// The provider's id, the same however often it is told; `None`: it has none.
    pub id: Option<String>,
    /// Who.
    pub from: String,
    /// To which of our numbers.
    pub to: String,
    /// The service that the number belongs to, where a sender may be one.
    pub service: Option<String>,
    /// What.
    pub text: String,
    /// When, ms, where told.
    pub at_ms: Option<i64>,
}

/// Why a webhook is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its signature is missing, wrong or old.
    #[error("not signed by the provider")]
    Untrusted,
    /// Its name and password are missing or wrong.
    #[error("the provider's name and password are needed")]
    NoPassword,
    /// The provider has nothing to say there.
    #[error("no such webhook")]
    Nowhere,
    /// Signed, and not understood.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// A body that is not what it should be; answered with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// Reads JSON.
pub(super) fn json<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Malformed> {
    serde_json::from_slice(body).map_err(|_| Malformed("the body is not the JSON it should be"))
}
