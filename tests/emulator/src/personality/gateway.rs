//! A gateway as an operator may have one: what it refuses stands in the body, mostly under a 200; events
//! come as a list in an object, signed with body, nonce and moment.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Event, Refusal, Says, hook};
use crate::{HOOK_SECRET, Message, OURS};

const NONCE: &str = "9bz8Nh";

/// A message that it took.
pub(super) fn resource(message: &Message) -> Value {
    let id = message.id.parse::<u64>().unwrap_or_default();
    let amount = message.price_micros() as f64 / 1e6;
    json!({
        "status": 0,
        "result": { "id": id, "parts": message.segments },
        "cost": { "amount": amount, "unit": "USD" },
    })
}

pub(super) fn error(refusal: &Refusal) -> Value {
    let mut body = json!({ "error": refusal.words });
    if refusal.code != 0 {
        body["status"] = refusal.code.into();
    }
    body
}

/// Events as one webhook tells them.
pub(super) fn body(events: &[Event<'_>]) -> Value {
    json!({ "results": events.iter().map(event).collect::<Vec<_>>() })
}

fn event(event: &Event<'_>) -> Value {
    let word = match event.says {
        Says::Sent => "ACCEPTD",
        Says::Delivered => "DELIVRD",
        Says::Read => "SEEN",
        Says::Failed(_) => "UNDELIV",
        Says::Text(text) => return json!({ "from": event.number, "to": OURS, "text": text }),
    };
    json!({
        "id": event.id, "ref": event.reference, "dlr": word,
        "parts": 2, "cost": { "amount": "0.0102", "unit": "USD" },
    })
}

pub(super) fn headers(body: &[u8], seconds: i64, forged: bool) -> HeaderMap {
    let secret = if forged { "another" } else { HOOK_SECRET };
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    mac.update(format!(".{NONCE}.{seconds}").as_bytes());
    let tag = STANDARD.encode(mac.finalize().into_bytes());
    hook::headers(&[
        ("Content-Type", "application/json"),
        ("X-Time", &seconds.to_string()),
        ("X-Nonce", NONCE),
        ("X-Signature", &tag),
    ])
}
