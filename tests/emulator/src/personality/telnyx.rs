//! Telnyx: its resource of a message, its events, their signature.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::header::HeaderMap;
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};

use super::{Event, Says, T, hook};
use crate::{Message, OURS};

/// The key that its webhooks are signed with.
#[must_use]
pub fn pair() -> Ed25519KeyPair {
    key(7)
}

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed of 32 octets")
}

/// A message as its API shows it.
pub(super) fn resource(message: &Message) -> Value {
    let (status, errors) = match message.says {
        None => ("queued", json!([])),
        Some(says) => word(says),
    };
    // What it cost is told by the receipt.
    let cost = message.says.map(|_| {
        let amount = message.price_micros() as f64 / 1e6;
        json!({ "amount": format!("{amount:.4}"), "currency": "USD" })
    });
    json!({
        "record_type": "message", "direction": "outbound", "type": "SMS",
        "id": message.id, "parts": message.segments, "cost": cost, "errors": errors,
        "from": { "phone_number": message.from, "carrier": "", "line_type": "" },
        "text": message.text, "webhook_url": message.callback,
        "to": [{ "phone_number": message.to, "status": status, "line_type": "Wireless", "carrier": "" }],
    })
}

fn word(says: Says<'_>) -> (&'static str, Value) {
    match says {
        Says::Sent => ("sent", json!([])),
        Says::Delivered => ("delivered", json!([])),
        Says::Read => ("read", json!([])),
        Says::Failed(why) => {
            let error = json!({ "code": T.told(why).to_string(), "title": "Not delivered" });
            ("delivery_failed", json!([error]))
        }
        Says::Text(_) => ("webhook_delivered", json!([])),
    }
}

pub(super) fn event(event: &Event<'_>, base: &str) -> Value {
    let at = hook::timestamp(event.at_ms);
    let (status, errors) = word(event.says);
    let payload = match event.says {
        Says::Text(text) => json!({
            "id": event.id, "from": { "phone_number": event.number }, "text": text,
            "to": [{ "phone_number": OURS, "status": status }],
        }),
        _ => {
            let hook = |reference| format!("{base}/webhooks/telnyx/telnyx?message={reference}");
            json!({
                "id": event.id, "errors": errors, "parts": 2, "cost": { "amount": "0.0051", "currency": "USD" },
                "to": [{ "phone_number": event.number, "status": status, "line_type": "Wireless" }],
                "webhook_url": event.reference.map(hook),
            })
        }
    };
    let kind = match event.says {
        Says::Sent => "message.sent",
        Says::Text(_) => "message.received",
        Says::Delivered | Says::Read | Says::Failed(_) => "message.finalized",
    };
    json!({ "data": { "event_type": kind, "id": "e", "occurred_at": at, "payload": payload } })
}

pub(super) fn headers(body: &[u8], seconds: i64, forged: bool) -> HeaderMap {
    let signed = [format!("{seconds}|").as_bytes(), body].concat();
    let signature = STANDARD.encode(key(if forged { 8 } else { 7 }).sign(&signed));
    hook::headers(&[
        ("Content-Type", "application/json"),
        ("telnyx-timestamp", &seconds.to_string()),
        ("telnyx-signature-ed25519", &signature),
    ])
}
