//! What providers post to us, signed as theirs is.

use deflect_actions::provider::Posted;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::{
    B, G, P, Personality, Smpp, T, Twilio, V, W, bandwidth, gateway, plivo, telnyx, twilio, vonage,
    whatsapp,
};
use crate::{Magic, PUBLIC_URL};

/// What a webhook tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says<'a> {
    /// The carrier has it.
    Sent,
    /// The phone has it.
    Delivered,
    /// Somebody read it.
    Read,
    /// Not delivered, and why.
    Failed(Magic),
    /// A text to us.
    Text(&'a str),
}

/// One event, with what it is about.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// The provider's id of the message.
    pub id: &'a str,
    /// What we call it.
    pub reference: Option<&'a str>,
    /// The other's number, with `+`.
    pub number: &'a str,
    /// What happened.
    pub says: Says<'a>,
    /// When the event happened, and the webhook is posted, in ms.
    pub at_ms: i64,
}

/// A webhook that it posts.
#[derive(Debug, Clone)]
pub struct Hook {
    /// What follows the provider's name in its path: `status`, `inbound`, or nothing.
    pub what: &'static str,
    /// Path and query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Hook {
    /// As the HTTP side hands it on.
    #[must_use]
    pub fn posted(&self) -> Posted<'_> {
        Posted {
            asks: false,
            what: self.what,
            path: &self.path,
            headers: &self.headers,
            body: &self.body,
            public_url: None,
            now_ms: 0,
        }
    }
}

impl Personality {
    /// A webhook of these events to [`PUBLIC_URL`]; a provider that tells one at a time tells the
    /// first.
    #[must_use]
    pub fn hook(self, events: &[Event<'_>]) -> Hook {
        self.hook_to(&self.address(PUBLIC_URL, &events[0]), events, false)
    }

    /// Where an event goes that names no address of its own.
    pub(crate) fn address(self, base: &str, event: &Event<'_>) -> String {
        let what = self.what(event.says);
        let slash = if what.is_empty() { "" } else { "/" };
        let query = event.reference.filter(|_| matches!(self, Twilio | P));
        let query = query.map_or(String::new(), |reference| format!("?message={reference}"));
        format!("{base}/webhooks/{}/{}{slash}{what}{query}", self.kind(), self.name())
    }

    /// The same to `url`; `forged`: signed by somebody else.
    pub(crate) fn hook_to(self, url: &str, events: &[Event<'_>], forged: bool) -> Hook {
        let host = url.find("://").map_or(0, |at| at + 3);
        let path_at = url[host..].find('/').map_or(url.len(), |at| host + at);
        let (base, path) = url.split_at(path_at);
        let all = |of: fn(&Event<'_>) -> Value| {
            Value::Array(events.iter().map(of).collect()).to_string().into_bytes()
        };
        let first = &events[0];
        let body = match self {
            Twilio => twilio::form(first),
            T => telnyx::event(first, base).to_string().into_bytes(),
            W => whatsapp::body(events).to_string().into_bytes(),
            B => all(bandwidth::event),
            V => vonage::event(first, forged).to_string().into_bytes(),
            G => gateway::body(events).to_string().into_bytes(),
            P => plivo::form(first),
            Smpp => Vec::new(),
        };
        let headers = self.headers(url, &body, first.at_ms, forged);
        Hook { what: self.what(first.says), path: path.to_owned(), headers, body }
    }

    /// Any body, signed.
    #[must_use]
    pub fn signed(self, body: Vec<u8>, at_ms: i64) -> Hook {
        let event = Event { id: "", reference: None, number: "", says: Says::Delivered, at_ms };
        let url = self.address(PUBLIC_URL, &event);
        let headers = self.headers(&url, &body, at_ms, false);
        let path = url.trim_start_matches(PUBLIC_URL).to_owned();
        Hook { what: self.what(event.says), path, headers, body }
    }

    fn headers(self, url: &str, body: &[u8], at_ms: i64, forged: bool) -> HeaderMap {
        let seconds = at_ms / 1_000;
        // Those whose key is the token sign another address instead.
        let signed = if forged { format!("{url}x") } else { url.to_owned() };
        match self {
            Twilio => twilio::headers(&signed, body),
            T => telnyx::headers(body, seconds, forged),
            W => whatsapp::headers(body, forged),
            B => bandwidth::headers(forged),
            // Its signature is a parameter.
            V => headers(&[("Content-Type", "application/json")]),
            G => gateway::headers(body, seconds, forged),
            P => plivo::headers_of(&signed, body),
            Smpp => HeaderMap::new(),
        }
    }

    fn what(self, says: Says<'_>) -> &'static str {
        match (self, says) {
            (Twilio, Says::Text(_)) => "inbound",
            (Twilio, _) => "status",
            _ => "",
        }
    }

    /// Whether its webhooks prove when they were posted.
    #[must_use]
    pub fn dates_webhooks(self) -> bool {
        matches!(self, T | V | G)
    }

    /// Whether its webhooks prove what they say, and not only who says it.
    #[must_use]
    pub fn signs_webhooks(self) -> bool {
        self != B
    }

    /// Whether one webhook may tell many things.
    #[must_use]
    pub fn batches(self) -> bool {
        matches!(self, W | B | G)
    }
}

/// Headers by name and value.
pub(super) fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
    };
    pairs.iter().map(header).collect()
}

/// A form's body.
pub(super) fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    let url = reqwest::Url::parse_with_params("http://x", fields).expect("fields of text");
    url.query().unwrap_or_default().as_bytes().to_vec()
}

pub(super) fn timestamp(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms).unwrap().to_string()
}
