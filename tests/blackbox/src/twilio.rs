//! Twilio on loopback, and an engine that sends by it.

use std::{net::Ipv4Addr, ops::Deref};

use provider_emulator::Emulator;
pub use provider_emulator::{ACCOUNT, Does, TOKEN};

use crate::{CONFIG, Place, web};

/// The provider; clones are the same. It serves until the test ends.
#[derive(Clone)]
pub struct Twilio(provider_emulator::Twilio);

impl Twilio {
    /// Listens at an address of the place.
    #[must_use]
    pub fn start(place: &Place) -> Self {
        Self::at(place.ip(20))
    }

    /// Listens at any port of `ip`.
    #[must_use]
    pub fn at(ip: Ipv4Addr) -> Self {
        Self(provider_emulator::Twilio::at(ip))
    }

    /// That of an emulator.
    #[must_use]
    pub fn of(emulator: &Emulator) -> Self {
        Self(provider_emulator::Twilio::of(emulator))
    }

    /// `[provider.twilio]` and `[sender.uk]` of a configuration, with the token in a file.
    #[must_use]
    pub fn config(&self, place: &Place) -> String {
        place.write("token", TOKEN);
        format!(
            "[provider.twilio]\nkind = \"twilio\"\naccount = \"{ACCOUNT}\"\n\
             secret = \"file:token\"\nurl = \"{}\"\n\n[sender.uk]\n\
             provider = \"twilio\"\nfrom = \"+447700900999\"\nregions = [\"GB\"]\n",
            self.url()
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
}

impl Deref for Twilio {
    type Target = provider_emulator::Twilio;

    fn deref(&self) -> &provider_emulator::Twilio {
        &self.0
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
