//! A gateway as an operator may have one.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Event, Says, hook};
use crate::{HOOK_SECRET, OURS};

pub(super) fn event(event: &Event<'_>) -> Value {
    let word = match event.says {
        Says::Sent => "ACCEPTD",
        Says::Delivered => "DELIVRD",
        Says::Read => "SEEN",
        Says::Failed(_) => "UNDELIV",
        Says::Text(text) => return json!({ "from": event.number, "to": OURS, "text": text }),
    };
    json!({ "id": event.id, "ref": event.reference, "dlr": word })
}

pub(super) fn headers(body: &[u8], seconds: i64, forged: bool) -> HeaderMap {
    let secret = if forged { "another" } else { HOOK_SECRET };
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let tag = STANDARD.encode(mac.finalize().into_bytes());
    hook::headers(&[
        ("Content-Type", "application/json"),
        ("X-Time", &seconds.to_string()),
        ("X-Signature", &tag),
    ])
}
