//! Twilio as the emulator plays it, told what to do with each message in turn.

use std::{collections::HashMap, net::Ipv4Addr, time::Duration};

pub use provider_emulator::Does;
use provider_emulator::{Account, Emulator, Personality};
use serde_json::Value;

/// A message it was sent, whatever it did with it.
#[derive(Debug, Clone)]
pub struct Posted {
    pub form: HashMap<String, String>,
    pub authorization: String,
    pub account: String,
}

/// The provider; clones are the same.
#[derive(Clone)]
pub struct FakeTwilio(Account);

impl FakeTwilio {
    /// Starts it; returns its address.
    pub fn start(does: &[Does]) -> (Self, String) {
        let emulator = Emulator::start(Ipv4Addr::LOCALHOST).unwrap();
        let account = emulator.account(Personality::Twilio);
        account.then(does);
        account.always(Does::Accept);
        (Self(account), emulator.url())
    }

    /// All it was sent.
    pub fn posted(&self) -> Vec<Posted> {
        let posted = self.0.asked().into_iter().filter(|asked| asked.method == "POST");
        let posted = posted.map(|asked| {
            let Value::Object(fields) = &asked.body else { panic!("no form: {asked:?}") };
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            Posted {
                form: fields.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
                authorization: asked.header("authorization").to_owned(),
                account: asked.path().split('/').nth(3).unwrap().to_owned(),
            }
        });
        posted.collect()
    }

    /// The texts it took: what phones would get.
    pub fn taken(&self) -> Vec<String> {
        self.0.taken().into_iter().map(|message| message.text).collect()
    }

    /// How often its list was asked for.
    pub fn asked(&self) -> Vec<HashMap<String, String>> {
        let asked = self.0.asked().into_iter();
        let lists =
            asked.filter(|asked| asked.method == "GET" && asked.path().contains("Messages"));
        lists.map(|asked| asked.query().into_iter().collect()).collect()
    }

    /// Its list fails from now on, or no more.
    pub fn hide_list(&self, hides: bool) {
        self.0.hides_its_list(hides);
    }

    /// How risky it calls a number from now on; `None`: it does not say.
    pub fn scores(&self, number: &str, score: Option<u8>) {
        self.0.scores(number, score);
    }

    /// What kind of line it says a number is from now on; `late`: it says so a second later.
    pub fn line(&self, number: &str, kind: &'static str) {
        let (kind, after) = if kind == "late" { ("landline", 1) } else { (kind, 0) };
        self.0.line(number, kind, Duration::from_secs(after));
    }

    /// How often it was asked for either.
    pub fn looked_up(&self) -> usize {
        self.0.looked_up()
    }
}
