//! Our side of each of the emulator's accounts.

use std::net::Ipv4Addr;

use base64::{Engine, engine::general_purpose::STANDARD};
use deflect_actions::{
    provider::{
        Channel, Class, Provider, State, Template,
        bandwidth::{Account, Bandwidth},
        gateway::{
            Algorithm, Answer, Currency, Description, Gateway, Hooks, Lines, Price, Signing,
            plivo::Version,
        },
        telnyx::{PublicKey, Telnyx},
        twilio::Twilio,
        vonage::{SignatureMethod, Vonage},
        whatsapp::WhatsApp,
    },
    text::{Sender, TextConfig, TextOutcome, TextService},
};
use provider_emulator::{
    ACCOUNT, BANDWIDTH_ACCOUNT, Emulator, HOOK_SECRET, Hook, OURS, PHONE_ID, PLIVO_ACCOUNT,
    Personality::{self, Bandwidth as B, Gateway as G, Plivo as P, Telnyx as T, Vonage as V},
    TOKEN, VERIFY_TOKEN,
    personality::telnyx_pair,
};
use ring::signature::KeyPair;
use serde_json::json;

use super::{Db, PUBLIC_URL, sender, wide};

/// An account of its own at an emulator of its own.
pub fn account(is: Personality) -> provider_emulator::Account {
    Emulator::start(Ipv4Addr::LOCALHOST).unwrap().account(is)
}

/// Providers and senders of these personalities, in order.
pub async fn set_up(
    db: &Db,
    personalities: &[Personality],
) -> (TextService, Vec<provider_emulator::Account>) {
    let mut config = TextConfig {
        limits: wide(),
        public_url: Some(PUBLIC_URL.to_owned()),
        ..TextConfig::default()
    };
    let mut emulators = Vec::new();
    for is in personalities {
        let emulator = account(*is);
        config.providers.insert(is.name().to_owned(), is.provider(&emulator.base));
        config.senders.push(is.sender());
        emulators.push(emulator);
    }
    (TextService::new(db.store().await, config), emulators)
}

pub fn accepted(is: Personality) -> TextOutcome {
    TextOutcome::Accepted { sender: is.name().to_owned() }
}

pub async fn hears(texts: &TextService, is: Personality, hook: &Hook) -> u16 {
    match texts.webhook(is.kind(), is.name(), hook.posted()).await {
        Ok(_) => 200,
        Err(error) => error.status(),
    }
}

impl Db {
    /// State, channel and error class of the only message.
    pub async fn message(&self) -> String {
        let sql =
            "SELECT state || ' ' || channel || ' ' || COALESCE(error_class, '-') FROM message";
        self.texts(sql).await.pop().flatten().unwrap()
    }
}

/// What we make of a personality.
pub trait Ours {
    /// Its client, with webhooks at `public`.
    fn provider_at(self, base: &str, public: &str) -> Provider;
    /// Its client.
    fn provider(self, base: &str) -> Provider
    where
        Self: Sized,
    {
        self.provider_at(base, PUBLIC_URL)
    }
    /// The one sender of its provider, both named as it is.
    fn sender(self) -> Sender;
}

impl Ours for Personality {
    fn provider_at(self, base: &str, public: &str) -> Provider {
        let hook = format!("{public}/webhooks/{}/{}", self.name(), self.name());
        match self {
            Self::Twilio => {
                let callback = Some(format!("{hook}/status"));
                Provider::Twilio(Twilio::new(ACCOUNT, TOKEN, Some(base), callback))
            }
            T => {
                let key = PublicKey::parse(&STANDARD.encode(telnyx_pair().public_key())).unwrap();
                Provider::Telnyx(Telnyx::new(TOKEN, key, Some(base), Some(hook)))
            }
            Self::WhatsApp => {
                Provider::WhatsApp(WhatsApp::new(TOKEN, HOOK_SECRET, VERIFY_TOKEN, Some(base)))
            }
            B => {
                let account = Account {
                    id: BANDWIDTH_ACCOUNT.to_owned(),
                    username: "api".to_owned(),
                    password: TOKEN.to_owned(),
                    application: "93de2206-9669-4e07-948d-329f4b722ee2".to_owned(),
                    webhooks: format!("hooks:{HOOK_SECRET}"),
                };
                Provider::Bandwidth(Bandwidth::new(account, Some(base)))
            }
            V => {
                let signing = (SignatureMethod::Sha256, HOOK_SECRET);
                Provider::Vonage(Vonage::new("key", TOKEN, signing, Some(base), Some(hook)))
            }
            G => Provider::Gateway(Box::new(Gateway::new(gateway(base)))),
            P => Provider::Gateway(Box::new(Gateway::new(plivo(base, public)))),
            Self::Smpp => panic!("a centre has no address of HTTP"),
        }
    }

    fn sender(self) -> Sender {
        let name = self.name();
        if self != Self::WhatsApp {
            return sender(name, name, OURS);
        }
        Sender {
            channel: Channel::WhatsApp,
            template: Some(Template {
                name: "chat_link_v2".to_owned(),
                languages: [("en-GB".to_owned(), "en_GB".to_owned())].into(),
                variables: vec!["{link_token}".to_owned()],
            }),
            ..sender(name, name, PHONE_ID)
        }
    }
}

fn place(pointer: &str) -> Option<String> {
    Some(pointer.to_owned())
}

/// A gateway as an operator may describe one.
fn gateway(base: &str) -> Description {
    let error_codes = [
        ("0", None),
        ("7", Some(Class::NotTextable)),
        ("8", Some(Class::OptedOut)),
        ("9", Some(Class::Blocked)),
    ];
    let price = Price {
        amount_at: place("/cost/amount"),
        currency: Some(Currency::At("/cost/unit".to_owned())),
    };
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
        answer: Answer {
            id_at: place("/result/id"),
            parts_at: place("/result/parts"),
            price: price.clone(),
            error_at: place("/status"),
            error_codes: error_codes.map(|(code, class)| (code.to_owned(), class)).into(),
        },
        errors: [(460, Class::Invalid)].into(),
        hooks: Some(Hooks {
            signing: Signing {
                algorithm: Algorithm::HmacSha256,
                header: "X-Signature".to_owned(),
                timestamp_header: Some("X-Time".to_owned()),
                nonce_header: Some("X-Nonce".to_owned()),
                signed: Some("{body}.{nonce}.{timestamp}".to_owned()),
                secret: HOOK_SECRET.to_owned(),
            },
            events_at: place("/results"),
            id_at: place("/id"),
            reference_at: place("/ref"),
            state_at: place("/dlr"),
            states: states.map(|(word, state)| (word.to_owned(), state)).into(),
            code_at: None,
            codes: [].into(),
            parts_at: place("/parts"),
            price,
            from_at: place("/from"),
            to_at: place("/to"),
            text_at: place("/text"),
        }),
        lines: Some(Lines {
            url: format!("{base}/lines/{{to_digits}}"),
            kind_at: "/number/line".to_owned(),
            kinds: [("M".to_owned(), true), ("F".to_owned(), false)].into(),
        }),
        check_url: Some(format!("{base}/send/{{account}}/balance")),
    }
}

/// Plivo, as a gateway that the configuration describes (docs/configuration.md has the same).
fn plivo(base: &str, public: &str) -> Description {
    let states = [
        ("sent", State::Sent),
        ("delivered", State::Delivered),
        ("read", State::Read),
        ("undelivered", State::Undelivered),
        ("failed", State::Failed),
        ("rejected", State::Failed),
    ];
    let codes = [
        ("30", Class::Blocked),
        ("40", Class::Config),
        ("50", Class::NotTextable),
        ("200", Class::OptedOut),
        ("900", Class::Funds),
    ];
    let body = json!({
        "src": "{from}", "dst": "{to}", "text": "{text}", "type": "sms", "method": "POST",
        "url": format!("{public}/webhooks/http/plivo?message={{reference}}"),
    });
    Description {
        method: "POST".parse().unwrap(),
        url: format!("{base}/v1/Account/{{account}}/Message/"),
        headers: vec![("Authorization".to_owned(), "Basic {basic}".to_owned())],
        body: body.to_string(),
        secret: TOKEN.to_owned(),
        account: PLIVO_ACCOUNT.to_owned(),
        answer: Answer { id_at: place("/message_uuid/0"), ..Answer::default() },
        errors: [(400, Class::Invalid)].into(),
        hooks: Some(Hooks {
            signing: Signing {
                algorithm: Algorithm::Plivo(Version::V3),
                header: Version::V3.header().to_owned(),
                timestamp_header: None,
                nonce_header: None,
                signed: None,
                secret: TOKEN.to_owned(),
            },
            events_at: None,
            id_at: place("/MessageUUID"),
            reference_at: place("/message"),
            state_at: place("/Status"),
            states: states.map(|(word, state)| (word.to_owned(), state)).into(),
            code_at: place("/ErrorCode"),
            codes: codes.map(|(code, class)| (code.to_owned(), class)).into(),
            parts_at: place("/Units"),
            price: Price {
                amount_at: place("/TotalAmount"),
                currency: Some(Currency::Is("USD".to_owned())),
            },
            from_at: place("/From"),
            to_at: place("/To"),
            text_at: place("/Text"),
        }),
        lines: None,
        check_url: Some(format!("{base}/v1/Account/{{account}}/Message/")),
    }
}
