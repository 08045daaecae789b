//! What providers post to us, signed as theirs is.

use base64::{Engine, engine::general_purpose::STANDARD};
use deflect_actions::provider::vonage::SignatureMethod;
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{B, Event, G, HOOK_SECRET, OURS, P, Personality, Says, T, V, W, plivo};
use crate::common::{
    PUBLIC_URL,
    emulator::{Hook, Magic},
    headers,
};

impl Personality {
    /// A webhook of these events; a provider that tells one at a time tells the first.
    pub fn hook(self, events: &[Event<'_>]) -> Hook {
        let body = match self {
            T => telnyx_event(&events[0]).to_string(),
            W => {
                let of = |of: fn(&Event<'_>) -> Option<Value>| -> Vec<Value> {
                    events.iter().filter_map(of).collect()
                };
                let value = json!({
                    "messaging_product": "whatsapp",
                    "metadata": { "phone_number_id": "106540352242922" },
                    "statuses": of(status), "messages": of(message),
                });
                let change = json!({ "field": "messages", "value": value });
                let entry = json!({ "id": "1", "changes": [change] });
                json!({ "object": "whatsapp_business_account", "entry": [entry] }).to_string()
            }
            B => Value::Array(events.iter().map(bandwidth_event).collect()).to_string(),
            V => vonage_event(&events[0]).to_string(),
            G => Value::Array(events.iter().map(gateway_event).collect()).to_string(),
            P => return plivo::hook(&events[0]),
        };
        self.signed(body.into_bytes(), events[0].at_ms)
    }

    /// Any body, signed.
    pub fn signed(self, body: Vec<u8>, at_ms: i64) -> Hook {
        let path = format!("/webhooks/{}/{}", self.kind(), self.name());
        let seconds = at_ms / 1_000;
        let headers = match self {
            T => {
                let signed = [format!("{seconds}|").as_bytes(), &body].concat();
                let signature = STANDARD.encode(pair().sign(&signed));
                headers(&[
                    ("telnyx-timestamp", &seconds.to_string()),
                    ("telnyx-signature-ed25519", &signature),
                ])
            }
            W => {
                let mut mac = Hmac::<Sha256>::new_from_slice(HOOK_SECRET.as_bytes()).unwrap();
                mac.update(&body);
                let tag = hex::encode(mac.finalize().into_bytes());
                headers(&[("X-Hub-Signature-256", &format!("sha256={tag}"))])
            }
            B => {
                let basic = STANDARD.encode(format!("hooks:{HOOK_SECRET}"));
                headers(&[("Authorization", &format!("Basic {basic}"))])
            }
            // Its signature is a parameter.
            V => headers(&[]),
            G => {
                let mut mac = Hmac::<Sha256>::new_from_slice(HOOK_SECRET.as_bytes()).unwrap();
                mac.update(format!("{seconds}.").as_bytes());
                mac.update(&body);
                let tag = STANDARD.encode(mac.finalize().into_bytes());
                headers(&[("X-Time", &seconds.to_string()), ("X-Signature", &tag)])
            }
            P => plivo::headers_of(&path, &body),
        };
        Hook { what: "", path, headers, body }
    }

    /// Whether its webhooks prove when they were posted.
    pub fn dates_webhooks(self) -> bool {
        matches!(self, T | V | G)
    }

    /// Whether its webhooks prove what they say, and not only who says it.
    pub fn signs_webhooks(self) -> bool {
        self != B
    }

    /// Whether one webhook may tell many things.
    pub fn batches(self) -> bool {
        matches!(self, W | B | G)
    }
}

/// The key that Telnyx's webhooks are signed with.
pub fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn telnyx_event(event: &Event<'_>) -> Value {
    let at = jiff::Timestamp::from_millisecond(event.at_ms).unwrap().to_string();
    let (kind, status, errors) = match event.says {
        Says::Sent => ("message.sent", "sent", json!([])),
        Says::Delivered => ("message.finalized", "delivered", json!([])),
        Says::Read => ("message.finalized", "read", json!([])),
        Says::Failed(why) => {
            let errors = json!([{ "code": T.code(why).1.to_string(), "title": "No" }]);
            ("message.finalized", "delivery_failed", errors)
        }
        Says::Text(text) => {
            return json!({ "data": {
                "event_type": "message.received", "id": "e", "occurred_at": at,
                "payload": {
                    "id": event.id, "from": { "phone_number": event.number }, "text": text,
                    "to": [{ "phone_number": OURS, "status": "webhook_delivered" }],
                },
            }});
        }
    };
    let hook = |reference| format!("{PUBLIC_URL}/webhooks/telnyx/telnyx?message={reference}");
    json!({ "data": {
        "event_type": kind, "id": "e", "occurred_at": at,
        "payload": {
            "id": event.id, "errors": errors, "parts": 2, "cost": { "amount": "0.0051", "currency": "USD" },
            "to": [{ "phone_number": event.number, "status": status, "line_type": "Wireless" }],
            "webhook_url": event.reference.map(hook),
        },
    }})
}

fn status(event: &Event<'_>) -> Option<Value> {
    let mut status = json!({
        "id": event.id, "timestamp": (event.at_ms / 1_000).to_string(),
        "recipient_id": event.number.trim_start_matches('+'),
        "biz_opaque_callback_data": event.reference,
    });
    status["status"] = match event.says {
        Says::Sent => "sent",
        Says::Delivered => "delivered",
        Says::Read => "read",
        Says::Failed(why) => {
            status["errors"] = json!([{ "code": W.code(why).1, "title": "No" }]);
            "failed"
        }
        Says::Text(_) => return None,
    }
    .into();
    Some(status)
}

fn message(event: &Event<'_>) -> Option<Value> {
    let Says::Text(text) = event.says else { return None };
    Some(json!({
        "from": event.number.trim_start_matches('+'), "id": event.id, "type": "text",
        "timestamp": (event.at_ms / 1_000).to_string(), "text": { "body": text },
    }))
}

fn bandwidth_event(event: &Event<'_>) -> Value {
    let at = jiff::Timestamp::from_millisecond(event.at_ms).unwrap().to_string();
    let mut told = json!({
        "time": at, "description": "told", "to": event.number,
        "message": { "id": event.id, "tag": event.reference, "segmentCount": 1 },
    });
    told["type"] = match event.says {
        Says::Sent => "message-sending",
        Says::Delivered => "message-delivered",
        Says::Read => "message-read",
        Says::Failed(why) => {
            told["errorCode"] = B.code(why).1.into();
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

/// With its signature.
fn vonage_event(event: &Event<'_>) -> Value {
    let mut told = json!({
        "msisdn": event.number.trim_start_matches('+'), "to": OURS.trim_start_matches('+'),
        "messageId": event.id, "timestamp": (event.at_ms / 1_000).to_string(), "nonce": "a&b=c",
    });
    match event.says {
        Says::Text(text) => told["text"] = text.into(),
        Says::Failed(why) => {
            let code = match why {
                Magic::OptedOut => "9",
                Magic::Blocked => "6",
                _ => "3",
            };
            (told["status"], told["err-code"]) = ("failed".into(), code.into());
        }
        Says::Sent | Says::Delivered | Says::Read => {
            let word = if event.says == Says::Sent { "accepted" } else { "delivered" };
            (told["status"], told["err-code"]) = (word.into(), "0".into());
        }
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
    told["sig"] = hex::encode(SignatureMethod::Sha256.tag(HOOK_SECRET, &parameters)).into();
    told
}

fn gateway_event(event: &Event<'_>) -> Value {
    let word = match event.says {
        Says::Sent => "ACCEPTD",
        Says::Delivered => "DELIVRD",
        Says::Read => "SEEN",
        Says::Failed(_) => "UNDELIV",
        Says::Text(text) => return json!({ "from": event.number, "to": OURS, "text": text }),
    };
    json!({ "id": event.id, "ref": event.reference, "dlr": word })
}
