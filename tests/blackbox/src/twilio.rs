//! A provider on loopback that speaks Twilio's REST form, and misbehaves as told.

use std::{collections::HashMap, net::Ipv4Addr};

pub use provider_emulator::{ACCOUNT, Does, TOKEN};
use provider_emulator::{Account, Emulator, Personality};
use serde_json::{Value, json};

use crate::{
    CONFIG, Place,
    web::{self, Form},
};

/// The provider; clones are the same. It serves until the test ends.
#[derive(Clone)]
pub struct Twilio(Account);

impl Twilio {
    /// Listens at an address of the place.
    #[must_use]
    pub fn start(place: &Place) -> Self {
        Self::at(place.ip(20))
    }

    /// Listens at any port of `ip`.
    #[must_use]
    pub fn at(ip: Ipv4Addr) -> Self {
        Self::of(&Emulator::start(ip).unwrap())
    }

    /// That of an emulator.
    #[must_use]
    pub fn of(emulator: &Emulator) -> Self {
        let twilio = Self(emulator.account(Personality::Twilio));
        // The tests have numbers of all kinds.
        twilio.always(Does::Accept);
        twilio
    }

    /// Its address, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.base.clone()
    }

    /// `[provider.twilio]` and `[sender.uk]` of a configuration, with the token in a file.
    #[must_use]
    pub fn config(&self, place: &Place) -> String {
        place.write("token", TOKEN);
        format!(
            "[provider.twilio]\nkind = \"twilio\"\naccount = \"{ACCOUNT}\"\n\
             secret = \"file:token\"\nurl = \"{}\"\n\n[sender.uk]\n\
             provider = \"twilio\"\nfrom = \"+447700900999\"\nregions = [\"GB\"]\n",
            self.0.base
        )
    }

    /// The usual configuration with this provider in place of the sandbox.
    #[must_use]
    pub fn engine_config(&self, place: &Place) -> String {
        let (before, http) = CONFIG.split_once("[provider.sandbox]").unwrap();
        let http = http.split_once("[http]").unwrap().1;
        let url = "public_url = \"http://{engine}:8080\"";
        format!("{before}{}\n[http]\n{url}{http}", self.config(place))
    }

    /// What it does with messages to `number` from now on.
    pub fn does(&self, number: &str, does: Does) {
        self.0.does(number, does);
    }

    /// What it does with the next message to `number`.
    pub fn once(&self, number: &str, does: Does) {
        self.0.once(number, &[does]);
    }

    /// What it does with messages to any other number from now on.
    pub fn always(&self, does: Does) {
        self.0.always(does);
    }

    /// Its list of messages fails from now on, or no more.
    pub fn hides_its_list(&self, hides: bool) {
        self.0.hides_its_list(hides);
    }

    /// All it was asked to send to `number`, whatever it did with it.
    #[must_use]
    pub fn posted_to(&self, number: &str) -> Vec<Form> {
        self.posted().into_iter().filter(|form| form["To"] == number).collect()
    }

    /// All it was asked to send.
    ///
    /// # Panics
    /// A request was no form.
    #[must_use]
    pub fn posted(&self) -> Vec<Form> {
        let posted = self.0.asked().into_iter().filter(|asked| asked.method == "POST");
        posted
            .map(|asked| {
                let fields: HashMap<String, Value> = serde_json::from_value(asked.body).unwrap();
                let text = |value: Value| value.as_str().unwrap().to_owned();
                fields.into_iter().map(|(name, value)| (name, text(value))).collect()
            })
            .collect()
    }

    /// What it took: what phones would get.
    #[must_use]
    pub fn taken(&self) -> Vec<Value> {
        let shown = |message: provider_emulator::Message| {
            json!({
                "sid": message.id, "to": message.to, "from": message.from, "body": message.text,
                "status_callback": message.callback,
            })
        };
        self.0.taken().into_iter().map(shown).collect()
    }
}

/// Posts a form to the engine as the provider would; returns status line, headers and body.
#[must_use]
pub fn post(place: &Place, path: &str, form: &[(&str, &str)], signature: &str) -> String {
    try_post(place, path, form, signature).unwrap()
}

/// The same to an engine that may be dead, or die meanwhile.
///
/// # Errors
/// The connection is refused or breaks.
pub fn try_post(
    place: &Place,
    path: &str,
    form: &[(&str, &str)],
    signature: &str,
) -> std::io::Result<String> {
    let pairs: Vec<_> =
        form.iter().map(|(k, v)| format!("{}={}", encoded(k), encoded(v))).collect();
    let body = pairs.join("&");
    let headers = format!("X-Twilio-Signature: {signature}\r\n{}", web::FORM);
    web::try_ask(place, "POST", path, &headers, &body)
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
