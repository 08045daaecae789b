//! Bandwidth: its resource of a message, its events, their password.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::{B, Event, Says, hook};
use crate::{HOOK_SECRET, Message, OURS};

/// A message as it is answered.
pub(super) fn resource(message: &Message) -> Value {
    let Message { id, posted, from, segments, text, .. } = message;
    json!({
        "id": id, "owner": from, "applicationId": posted["applicationId"],
        "time": hook::timestamp(i64::try_from(message.at_ns / 1_000_000).unwrap()),
        "segmentCount": segments, "direction": "out", "to": posted["to"], "from": from,
        "text": text, "tag": posted["tag"],
    })
}

pub(super) fn event(event: &Event<'_>) -> Value {
    let mut told = json!({
        "time": hook::timestamp(event.at_ms), "description": "told", "to": event.number,
        "message": { "id": event.id, "tag": event.reference, "segmentCount": 1 },
    });
    told["type"] = match event.says {
        Says::Sent => "message-sending",
        Says::Delivered => "message-delivered",
        Says::Read => "message-read",
        Says::Failed(why) => {
            told["errorCode"] = B.told(why).into();
            "message-failed"
        }
        Says::Text(text) => {
            told["message"] = json!({
                "id": event.id, "owner": OURS, "from": event.number, "to": [OURS], "text": text,
            });
            "message-received"
        }
    }
    .into();
    told
}

pub(super) fn headers(forged: bool) -> HeaderMap {
    let secret = if forged { "another" } else { HOOK_SECRET };
    let basic = STANDARD.encode(format!("hooks:{secret}"));
    hook::headers(&[
        ("Content-Type", "application/json"),
        ("Authorization", &format!("Basic {basic}")),
    ])
}
