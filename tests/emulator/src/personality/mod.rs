//! How each provider speaks: what it takes, what it answers, how its webhooks look and are signed.

mod bandwidth;
mod code;
mod gateway;
mod hook;
mod plivo;
mod read;
mod telnyx;
mod twilio;
mod vonage;
mod whatsapp;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

pub(crate) use self::{code::Refusal, read::Draft, twilio::list};
pub use self::{
    hook::{Event, Hook, Says},
    plivo::headers_of as plivo_headers,
    telnyx::pair as telnyx_pair,
    whatsapp::{TEMPLATES, Template},
};
use crate::{ACCOUNT, BANDWIDTH_ACCOUNT, Message, PLIVO_ACCOUNT, Request, TOKEN};

/// Whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Personality {
    /// Twilio's Messaging API, its list of messages and its lookups.
    Twilio,
    /// Telnyx's Messaging API and its number lookup.
    Telnyx,
    /// WhatsApp's Cloud API.
    WhatsApp,
    /// Bandwidth's Messaging API v2.
    Bandwidth,
    /// Vonage's SMS API.
    Vonage,
    /// A gateway as an operator may have one (`kind = "http"`).
    Gateway,
    /// Plivo's Message API, which is `kind = "http"` too.
    Plivo,
    /// A message centre.
    Smpp,
}
use Personality::{
    Bandwidth as B, Gateway as G, Plivo as P, Smpp, Telnyx as T, Twilio, Vonage as V, WhatsApp as W,
};

impl Personality {
    /// Those that speak HTTP.
    pub const HTTP: [Self; 7] = [Twilio, T, W, B, V, G, P];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Twilio => "twilio",
            T => "telnyx",
            W => "whatsapp-cloud",
            B => "bandwidth",
            V => "vonage",
            G => "http",
            P => "plivo",
            Smpp => "smpp",
        }
    }

    /// The word of its provider's `kind`.
    #[must_use]
    pub fn kind(self) -> &'static str {
        if self == P { "http" } else { self.name() }
    }

    /// Whom a request is for, by its path.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let path = request.path();
        let begins = |start: &str| path.starts_with(start);
        Some(if begins("/2010-04-01/") || begins("/v2/PhoneNumbers/") {
            Twilio
        } else if begins("/v2/") {
            T
        } else if begins("/api/v2/users/") {
            B
        } else if path == "/sms/json" || path == "/account/get-balance" {
            V
        } else if begins("/send/") || begins("/lines/") {
            G
        } else if begins("/v1/Account/") {
            P
        } else if path.trim_start_matches("/v23.0").starts_with(&format!("/{}", crate::PHONE_ID)) {
            W
        } else {
            return None;
        })
    }

    /// The id of the `n`th message that it took, 1 the first.
    #[must_use]
    pub fn id(self, n: usize) -> String {
        match self {
            Twilio => format!("SM{n:032x}"),
            T => format!("40385f64-5717-4562-b3fc-{n:012}"),
            W => format!("wamid.{n}"),
            B | V => format!("{}-{n}", self.name()),
            G => n.to_string(),
            P => format!("5b40a428-bfc7-4daf-9d06-{n:012}"),
            // In hexadecimal, from 1A on: not the same digits as in decimal.
            Smpp => format!("{:X}", n + 25),
        }
    }

    /// Whether the request bears the right credentials.
    pub(crate) fn knows(self, asked: &Request) -> bool {
        let basic = |name: &str| format!("Basic {}", STANDARD.encode(format!("{name}:{TOKEN}")));
        let given = asked.header("authorization");
        match self {
            Twilio => given == basic(ACCOUNT),
            T | W | G => given == format!("Bearer {TOKEN}"),
            B => given == basic("api"),
            P => given == basic(PLIVO_ACCOUNT),
            V if asked.method == "GET" => {
                asked.asks("api_key").as_deref() == Some("key")
                    && asked.asks("api_secret").as_deref() == Some(TOKEN)
            }
            V => asked.body["api_key"] == "key" && asked.body["api_secret"] == TOKEN,
            Smpp => true,
        }
    }

    /// Whether the address of a message is that of its account.
    pub(crate) fn is_ours(self, path: &str) -> bool {
        match self {
            Twilio => path.contains(ACCOUNT) || path.starts_with("/v2/PhoneNumbers/"),
            B => path.contains(BANDWIDTH_ACCOUNT),
            P => path.contains(PLIVO_ACCOUNT),
            T | W | V | G | Smpp => true,
        }
    }

    /// What it says to a message that it took.
    pub(crate) fn accepts(self, message: &Message) -> (u16, Value) {
        let Message { id, posted, .. } = message;
        match self {
            Twilio => (201, twilio::resource(message)),
            T => (200, json!({ "data": telnyx::resource(message) })),
            W => {
                let contact = json!({ "input": posted["to"], "wa_id": posted["to"] });
                let body = json!({
                    "messaging_product": "whatsapp",
                    "contacts": [contact], "messages": [{ "id": id }],
                });
                (200, body)
            }
            B => (202, bandwidth::resource(message)),
            V => (200, vonage::parts(message)),
            G => (200, gateway::resource(message)),
            P => (
                202,
                json!({ "api_id": "a", "message": "message(s) queued", "message_uuid": [id] }),
            ),
            Smpp => (0, Value::Null),
        }
    }

    /// What it says to a question; `None`: it knows no such address.
    pub(crate) fn tells(self, asked: &Request, taken: &[Message]) -> Option<(u16, Value)> {
        let path = asked.path();
        let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let id = last.trim_end_matches(".json");
        let found = || taken.iter().find(|message| message.id == id);
        Some(match self {
            Twilio if path.ends_with("/Messages.json") => (200, list(asked, taken)),
            Twilio if path.contains("/Messages/") => (200, twilio::resource(found()?)),
            Twilio if id == ACCOUNT => (200, json!({ "sid": ACCOUNT, "status": "active" })),
            T if path.starts_with("/v2/messages/") => {
                (200, json!({ "data": telnyx::resource(found()?) }))
            }
            P if path.contains("/Message/") && id != "Message" => (200, plivo::resource(found()?)),
            P if id == "Message" => (200, plivo::list(taken)),
            P if id == PLIVO_ACCOUNT => (200, json!({ "api_id": "a", "auth_id": PLIVO_ACCOUNT })),
            V => (200, json!({ "value": 10.28, "autoReload": false })),
            T | W | B | G => (200, json!({ "data": [], "id": crate::PHONE_ID })),
            Twilio | P | Smpp => return None,
        })
    }

    /// What it says where nothing is.
    pub(crate) fn has_no_such(self) -> (u16, Value) {
        let refusal = match self {
            Twilio => Refusal::of(404, 20_404, "The requested resource was not found"),
            T => Refusal::of(404, 10_005, "Resource not found"),
            W => Refusal::of(404, 100, "Unsupported request"),
            B | V | G | P | Smpp => Refusal::of(404, 0, "not found"),
        };
        (refusal.status, self.error(&refusal))
    }

    /// The text of a message as it was posted.
    #[must_use]
    pub fn text(self, body: &Value) -> String {
        self.read(body, "").text
    }
}
