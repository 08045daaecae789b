//! Twilio, as most tests want it: told what it does with each message, and asked what it was sent.

use std::{collections::HashMap, net::Ipv4Addr, ops::Deref, time::Duration};

use serde_json::{Value, json};

use crate::{Account, Does, Emulator, Personality, Request};

/// A form's fields.
pub type Form = HashMap<String, String>;

/// The account at Twilio, where numbers choose nothing by themselves; clones are the same.
#[derive(Clone)]
pub struct Twilio(Account);

impl Twilio {
    /// That of an emulator.
    #[must_use]
    pub fn of(emulator: &Emulator) -> Self {
        let twilio = Self(emulator.account(Personality::Twilio));
        // The tests have numbers of all kinds.
        twilio.always(Does::Accept);
        twilio
    }

    /// That of an emulator of its own, at any ports of `ip`.
    #[must_use]
    pub fn at(ip: Ipv4Addr) -> Self {
        Self::of(&Emulator::start(ip).unwrap())
    }

    /// On loopback, with what it does with the next messages, in order; and its address.
    #[must_use]
    pub fn start(does: &[Does]) -> (Self, String) {
        let twilio = Self::at(Ipv4Addr::LOCALHOST);
        twilio.then(does);
        let url = twilio.url();
        (twilio, url)
    }

    /// Its address, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        self.base.clone()
    }

    /// All that it was asked to send, whatever it did with it.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.asked().into_iter().filter(|asked| asked.method == "POST").collect()
    }

    /// The forms of those requests.
    #[must_use]
    pub fn posted(&self) -> Vec<Form> {
        let text = |value: Value| value.as_str().unwrap().to_owned();
        let form = |asked: Request| {
            let fields: HashMap<String, Value> = serde_json::from_value(asked.body).unwrap();
            fields.into_iter().map(|(name, value)| (name, text(value))).collect()
        };
        self.requests().into_iter().map(form).collect()
    }

    /// Those to `number`.
    #[must_use]
    pub fn posted_to(&self, number: &str) -> Vec<Form> {
        self.posted().into_iter().filter(|form| form["To"] == number).collect()
    }

    /// What its list of messages was asked for.
    #[must_use]
    pub fn lists(&self) -> Vec<Form> {
        let asked = self.asked().into_iter();
        let lists =
            asked.filter(|asked| asked.method == "GET" && asked.path().contains("Messages"));
        lists.map(|asked| asked.query().into_iter().collect()).collect()
    }

    /// What it took: what phones would get.
    #[must_use]
    pub fn taken(&self) -> Vec<Value> {
        let shown = |message: crate::Message| {
            json!({
                "sid": message.id, "to": message.to, "from": message.from, "body": message.text,
                "status_callback": message.callback,
            })
        };
        self.0.taken().into_iter().map(shown).collect()
    }

    /// What kind of line it says a number is from now on; `late`: it says so a second later.
    pub fn line(&self, number: &str, kind: &'static str) {
        let (kind, after) = if kind == "late" { ("landline", 1) } else { (kind, 0) };
        self.0.line(number, kind, Duration::from_secs(after));
    }
}

/// What any account does and knows.
impl Deref for Twilio {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.0
    }
}
