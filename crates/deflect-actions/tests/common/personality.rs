//! How each provider speaks: what it takes, what it answers, how its webhooks look and are signed.

use base64::{Engine, engine::general_purpose::STANDARD};
use deflect_actions::{
    provider::{
        Channel, Provider, Template,
        telnyx::{PublicKey, Telnyx},
        whatsapp::WhatsApp,
    },
    text::Sender,
};
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    PUBLIC_URL, TOKEN,
    emulator::{Asked, Hook, Magic},
    headers, sender,
};

/// Whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Personality {
    Telnyx,
    WhatsApp,
}
use Personality::{Telnyx as T, WhatsApp as W};

/// The secret that webhooks are signed with, where it is another than the token.
pub const HOOK_SECRET: &str = "hook-s3cret";
pub const VERIFY_TOKEN: &str = "verify-me";

/// What a webhook tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says<'a> {
    Sent,
    Delivered,
    Read,
    /// Not delivered, and why.
    Failed(Magic),
    /// A text to us.
    Text(&'a str),
}

/// One event, with what it is about.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    pub id: &'a str,
    pub reference: Option<&'a str>,
    pub number: &'a str,
    pub says: Says<'a>,
    /// When the event happened, and the webhook is posted, in ms.
    pub at_ms: i64,
}

impl Personality {
    pub const ALL: [Self; 2] = [T, W];

    pub fn name(self) -> &'static str {
        match self {
            T => "telnyx",
            W => "whatsapp-cloud",
        }
    }

    pub fn provider(self, base: &str) -> Provider {
        let hook = format!("{PUBLIC_URL}/webhooks/{}/{}", self.name(), self.name());
        match self {
            T => {
                let key = PublicKey::parse(&STANDARD.encode(pair().public_key())).unwrap();
                Provider::Telnyx(Telnyx::new(TOKEN, key, Some(base), Some(hook)))
            }
            W => Provider::WhatsApp(WhatsApp::new(TOKEN, HOOK_SECRET, VERIFY_TOKEN, Some(base))),
        }
    }

    /// The one sender of its provider, both named as it is.
    pub fn sender(self) -> Sender {
        let name = self.name();
        match self {
            W => Sender {
                channel: Channel::WhatsApp,
                template: Some(Template {
                    name: "chat_link_v2".to_owned(),
                    languages: [("en-GB".to_owned(), "en_GB".to_owned())].into(),
                    variables: vec!["{link_token}".to_owned()],
                }),
                ..sender(name, name, "106540352242922")
            },
            T => sender(name, name, "+447400123460"),
        }
    }

    pub fn id(self, n: usize) -> String {
        match self {
            T => format!("40385f64-5717-4562-b3fc-{n:012}"),
            W => format!("wamid.{n}"),
        }
    }

    /// Whether the request bears the right credentials.
    pub fn knows(self, asked: &Asked) -> bool {
        let authorization = asked.headers.get("authorization").map(|v| v.to_str().unwrap());
        match self {
            T | W => authorization == Some(&format!("Bearer {TOKEN}")),
        }
    }

    pub fn number(self, body: &Value) -> String {
        body["to"].as_str().unwrap_or_default().to_owned()
    }

    pub fn about_itself(self) -> Value {
        json!({ "data": [], "id": "106540352242922" })
    }

    pub fn accepts(self, n: usize, body: &Value) -> (u16, Value) {
        let id = self.id(n);
        match self {
            T => (
                200,
                json!({ "data": {
                    "id": id, "parts": 1, "cost": null, "errors": [],
                    "to": [{ "phone_number": body["to"], "status": "queued", "line_type": "Wireless" }],
                }}),
            ),
            W => (
                200,
                json!({
                    "messaging_product": "whatsapp",
                    "contacts": [{ "input": body["to"], "wa_id": body["to"] }],
                    "messages": [{ "id": id }],
                }),
            ),
        }
    }

    pub fn refuses(self, magic: Magic) -> (u16, Value) {
        let (status, code) = self.code(magic);
        let body = match self {
            T => json!({ "errors": [{ "code": code.to_string(), "title": "No", "detail": "no" }] }),
            W => json!({ "error": {
                "message": "(#1) No", "type": "OAuthException", "code": code,
                "error_data": { "messaging_product": "whatsapp", "details": "no" },
            }}),
        };
        (status, body)
    }

    fn code(self, magic: Magic) -> (u16, i64) {
        match (self, magic) {
            (T, Magic::Invalid) => (400, 10_002),
            (T, Magic::Landline) => (400, 40_001),
            (T, Magic::OptedOut) => (400, 40_300),
            (T, Magic::RateLimited) => (429, 10_011),
            (T, Magic::Config) => (400, 40_305),
            (T, Magic::Blocked) => (400, 40_002),
            (T, Magic::Funds) => (402, 20_100),
            (T, Magic::Auth) => (401, 10_009),
            (W, Magic::Invalid) => (400, 131_009),
            (W, Magic::Landline) => (400, 131_026),
            (W, Magic::OptedOut) => (400, 131_050),
            (W, Magic::RateLimited) => (400, 130_429),
            (W, Magic::Config) => (404, 132_001),
            (W, Magic::Blocked) => (400, 131_049),
            (W, Magic::Funds) => (400, 131_042),
            (W, Magic::Auth) => (401, 190),
            (T, Magic::Down) => (503, 0),
            (W, Magic::Down) => (500, 131_000),
            (_, Magic::Hangs | Magic::TakesAndResets | Magic::Garbage) => unreachable!(),
        }
    }

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
        };
        self.signed(body.into_bytes(), events[0].at_ms)
    }

    /// Any body, signed.
    pub fn signed(self, body: Vec<u8>, at_ms: i64) -> Hook {
        let (path, seconds) = (format!("/webhooks/{0}/{0}", self.name()), at_ms / 1_000);
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
        };
        Hook { what: "", path, headers, body }
    }

    /// Whether its webhooks prove when they were posted.
    pub fn dates_webhooks(self) -> bool {
        matches!(self, T)
    }

    /// Whether one webhook may tell many things.
    pub fn batches(self) -> bool {
        matches!(self, W)
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
                    "to": [{ "phone_number": "+447400123460", "status": "webhook_delivered" }],
                },
            }});
        }
    };
    let hook = |reference| format!("{PUBLIC_URL}/webhooks/telnyx/telnyx?message={reference}");
    json!({ "data": {
        "event_type": kind, "id": "e", "occurred_at": at,
        "payload": {
            "id": event.id, "errors": errors, "parts": 2, "cost": { "amount": "0.0051" },
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
