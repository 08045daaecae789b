//! Plivo: its resource of a message, its webhooks, both of its signatures.

use deflect_actions::provider::gateway::plivo::Version;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::{Event, P, Says, hook};
use crate::{Message, OURS, PLIVO_ACCOUNT, TOKEN};

const NONCE: &str = "05429567804466091622";

/// A message as its API shows it.
pub(super) fn resource(message: &Message) -> Value {
    let amount = message.price_micros() as f64 / 1e6;
    let (state, error) = match message.says {
        None => ("queued", None),
        Some(Says::Failed(why)) => ("undelivered", Some(P.told(why).to_string())),
        Some(says) => (word(says), None),
    };
    json!({
        "api_id": "a", "message_uuid": message.id, "message_direction": "outbound",
        "message_state": state, "error_code": error, "message_type": "sms",
        "from_number": message.from, "to_number": message.to.trim_start_matches('+'),
        "units": message.segments, "total_amount": format!("{amount:.5}"), "total_rate": "0.00750",
        "resource_uri": format!("/v1/Account/{PLIVO_ACCOUNT}/Message/{}/", message.id),
    })
}

/// Its list: the newest first.
pub(super) fn list(taken: &[Message]) -> Value {
    let objects: Vec<_> = taken.iter().rev().take(20).map(resource).collect();
    let meta = json!({ "limit": 20, "offset": 0, "next": null, "previous": null });
    json!({ "api_id": "a", "meta": meta, "objects": objects })
}

fn word(says: Says<'_>) -> &'static str {
    match says {
        Says::Sent => "sent",
        Says::Delivered => "delivered",
        Says::Read => "read",
        Says::Failed(_) => "failed",
        Says::Text(_) => "received",
    }
}

/// The form of an event.
pub(super) fn form(event: &Event<'_>) -> Vec<u8> {
    let (theirs, ours) = (event.number.trim_start_matches('+'), OURS.trim_start_matches('+'));
    let code;
    let mut form = match event.says {
        Says::Text(text) => vec![("From", theirs), ("To", ours), ("Text", text)],
        says => vec![("From", ours), ("To", theirs), ("Status", word(says))],
    };
    if let Says::Failed(why) = event.says {
        code = P.told(why).to_string();
        form.push(("ErrorCode", &code));
    }
    form.extend([("MessageUUID", event.id), ("Type", "sms"), ("Units", "1")]);
    form.extend([("TotalRate", "0.00750"), ("TotalAmount", "0.00750")]);
    hook::form(&form)
}

/// The headers of a form that is posted to `url`, with both signatures.
#[must_use]
pub fn headers_of(url: &str, body: &[u8]) -> HeaderMap {
    let form = deflect_actions::provider::form(body).unwrap_or_default();
    let of = |version: Version| version.signature(TOKEN, url, &form, NONCE);
    hook::headers(&[
        ("Content-Type", "application/x-www-form-urlencoded"),
        (Version::V2.header(), &of(Version::V2)),
        (Version::V2.nonce_header(), NONCE),
        (Version::V3.header(), &of(Version::V3)),
        (Version::V3.nonce_header(), NONCE),
    ])
}
