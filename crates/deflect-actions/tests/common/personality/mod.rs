//! How each provider speaks: what it takes, what it answers, how its webhooks look and are signed.

mod answers;
mod hooks;
mod plivo;

use base64::{Engine, engine::general_purpose::STANDARD};
use deflect_actions::{
    provider::{
        Channel, Class, Provider, State, Template,
        bandwidth::{Account, Bandwidth},
        gateway::{Algorithm, Description, Gateway, Hooks, Signing},
        telnyx::{PublicKey, Telnyx},
        vonage::{SignatureMethod, Vonage},
        whatsapp::WhatsApp,
    },
    text::Sender,
};
use ring::signature::KeyPair;
use serde_json::{Value, json};

pub use self::hooks::pair;
use super::{
    PUBLIC_URL, TOKEN,
    emulator::{Asked, Magic},
    sender,
};

/// Whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Personality {
    Telnyx,
    WhatsApp,
    Bandwidth,
    Vonage,
    Gateway,
    /// By `kind = "http"`.
    Plivo,
}
use Personality::{
    Bandwidth as B, Gateway as G, Plivo as P, Telnyx as T, Vonage as V, WhatsApp as W,
};

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
    pub const ALL: [Self; 6] = [T, W, B, V, G, P];

    pub fn name(self) -> &'static str {
        match self {
            T => "telnyx",
            W => "whatsapp-cloud",
            B => "bandwidth",
            V => "vonage",
            G => "http",
            P => "plivo",
        }
    }

    /// The word of its provider's `kind`.
    pub fn kind(self) -> &'static str {
        if self == P { "http" } else { self.name() }
    }

    pub fn provider(self, base: &str) -> Provider {
        let hook = format!("{PUBLIC_URL}/webhooks/{}/{}", self.name(), self.name());
        match self {
            T => {
                let key = PublicKey::parse(&STANDARD.encode(pair().public_key())).unwrap();
                Provider::Telnyx(Telnyx::new(TOKEN, key, Some(base), Some(hook)))
            }
            W => Provider::WhatsApp(WhatsApp::new(TOKEN, HOOK_SECRET, VERIFY_TOKEN, Some(base))),
            B => {
                let account = Account {
                    id: "9900000".to_owned(),
                    username: "api".to_owned(),
                    password: TOKEN.to_owned(),
                    application: "app-1".to_owned(),
                    webhooks: format!("hooks:{HOOK_SECRET}"),
                };
                Provider::Bandwidth(Bandwidth::new(account, Some(base)))
            }
            V => {
                let signing = (SignatureMethod::Sha256, HOOK_SECRET);
                Provider::Vonage(Vonage::new("key", TOKEN, signing, Some(base), Some(hook)))
            }
            G => Provider::Gateway(Box::new(Gateway::new(description(base)))),
            P => Provider::Gateway(Box::new(Gateway::new(plivo::description(base)))),
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
            T | B | V | G | P => sender(name, name, OURS),
        }
    }

    pub fn id(self, n: usize) -> String {
        match self {
            T => format!("40385f64-5717-4562-b3fc-{n:012}"),
            W => format!("wamid.{n}"),
            B | V => format!("{}-{n}", self.name()),
            G => n.to_string(),
            P => format!("5b40a428-bfc7-4daf-9d06-{n:012}"),
        }
    }

    /// Whether the request bears the right credentials.
    pub fn knows(self, asked: &Asked) -> bool {
        let authorization = asked.headers.get("authorization").map(|v| v.to_str().unwrap());
        match self {
            T | W | G => authorization == Some(&format!("Bearer {TOKEN}")),
            B => {
                let basic = STANDARD.encode(format!("api:{TOKEN}"));
                authorization == Some(&format!("Basic {basic}"))
            }
            P => {
                let basic = STANDARD.encode(format!("{}:{TOKEN}", plivo::ACCOUNT));
                authorization == Some(&format!("Basic {basic}"))
            }
            V if asked.method == "GET" => {
                asked.path.ends_with(&format!("?api_key=key&api_secret={TOKEN}"))
            }
            V => asked.body["api_key"] == "key" && asked.body["api_secret"] == TOKEN,
        }
    }

    pub fn number(self, body: &Value) -> String {
        let to = match self {
            B => &body["to"][0],
            P => &body["dst"],
            T | W | V | G => &body["to"],
        };
        to.as_str().unwrap_or_default().to_owned()
    }

    /// The text of a message as it was posted.
    pub fn text(self, body: &Value) -> String {
        let text = if self == W { &body["text"]["body"] } else { &body["text"] };
        text.as_str().unwrap_or_default().to_owned()
    }

    pub fn about_itself(self) -> Value {
        json!({ "data": [], "id": "106540352242922" })
    }
}

/// Our number at those who carry SMS.
const OURS: &str = "+447400123460";

/// A gateway as an operator may describe one.
fn description(base: &str) -> Description {
    let place = |pointer: &str| Some(pointer.to_owned());
    let errors = [
        (460, Class::Invalid),
        (461, Class::NotTextable),
        (462, Class::OptedOut),
        (463, Class::Blocked),
    ];
    let states = [
        ("ACCEPTD", State::Sent),
        ("DELIVRD", State::Delivered),
        ("SEEN", State::Read),
        ("UNDELIV", State::Undelivered),
    ];
    Description {
        method: "POST".parse().unwrap(),
        url: format!("{base}/send/{{account}}"),
        headers: vec![("Authorization".to_owned(), "Bearer {secret}".to_owned())],
        body: r#"{"to":"{to}","from":"{from}","text":"{text}","ref":"{reference}"}"#.to_owned(),
        secret: TOKEN.to_owned(),
        account: "me".to_owned(),
        id_at: place("/result/id"),
        errors: errors.into(),
        hooks: Some(Hooks {
            signing: Signing {
                algorithm: Algorithm::HmacSha256,
                header: "X-Signature".to_owned(),
                timestamp_header: Some("X-Time".to_owned()),
                secret: HOOK_SECRET.to_owned(),
            },
            id_at: place("/id"),
            reference_at: place("/ref"),
            state_at: place("/dlr"),
            states: states.map(|(word, state)| (word.to_owned(), state)).into(),
            code_at: None,
            codes: [].into(),
            from_at: place("/from"),
            to_at: place("/to"),
            text_at: place("/text"),
        }),
    }
}
