//! Vonage's SMS API: an answer for each part, receipts with a signature among their fields.

use deflect_actions::provider::vonage::SignatureMethod;
use serde_json::{Value, json};

use super::{Event, Says, V};
use crate::{HOOK_SECRET, Message, OURS};

/// What it answers: one entry for each part.
pub(super) fn parts(message: &Message) -> Value {
    let to = message.to.trim_start_matches('+');
    let part = |n: usize| {
        let id = if n == 0 { message.id.clone() } else { format!("{}-{n}", message.id) };
        json!({
            "to": to, "message-id": id, "status": "0", "remaining-balance": "10.28",
            "message-price": "0.0333", "network": "23410", "client-ref": message.reference,
        })
    };
    let parts: Vec<_> = (0..message.segments).map(part).collect();
    json!({ "message-count": parts.len().to_string(), "messages": parts })
}

/// With its signature.
pub(super) fn event(event: &Event<'_>, forged: bool) -> Value {
    let mut told = json!({
        "msisdn": event.number.trim_start_matches('+'), "to": OURS.trim_start_matches('+'),
        "messageId": event.id, "timestamp": (event.at_ms / 1_000).to_string(), "nonce": "a&b=c",
    });
    match event.says {
        Says::Text(text) => told["text"] = text.into(),
        Says::Failed(why) => {
            told["status"] = "failed".into();
            told["err-code"] = V.told(why).to_string().into();
        }
        Says::Sent | Says::Delivered | Says::Read => {
            let word = if event.says == Says::Sent { "accepted" } else { "delivered" };
            (told["status"], told["err-code"]) = (word.into(), "0".into());
        }
    }
    if !matches!(event.says, Says::Text(_)) {
        // Of one part, by the network that it went to.
        told["price"] = "0.0400".into();
    }
    if let Some(reference) = event.reference {
        told["client-ref"] = reference.into();
    }
    let parameters: Vec<_> = told
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect();
    let secret = if forged { "another" } else { HOOK_SECRET };
    told["sig"] = hex::encode(SignatureMethod::Sha256.tag(secret, &parameters)).into();
    told
}
