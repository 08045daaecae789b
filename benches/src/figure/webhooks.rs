//! What it costs to prove a webhook, and to read it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use deflect_actions::provider::{
    Posted, Provider, State, Told,
    bandwidth::{Account, Bandwidth},
    gateway::{Algorithm, Answer, Description, Gateway, Hooks, Price, Signing},
    telnyx::{PublicKey, Telnyx},
    twilio::Twilio,
    vonage::{SignatureMethod, Vonage},
    whatsapp::WhatsApp,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use provider_emulator::{BANDWIDTH_ACCOUNT, Event, HOOK_SECRET, Personality, Says};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use sha1::Sha1;
use sha2::Sha256;

use super::Figure;

/// Webhooks of each kind that are proven.
const ROUNDS: u32 = 20_000;
const SECRET: &str = "a secret of the bench's own";
const URL: &str = "https://carom.example.com";
const NOW_MS: i64 = 1_796_000_000_000;

/// A provider and a receipt of its own.
struct Case {
    name: &'static str,
    provider: Provider,
    path: String,
    what: &'static str,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// The dearest of all proofs: HMAC-SHA1 over a form, HMAC-SHA256 and Ed25519 over a body, HMAC over
/// sorted parameters, a name and password, and what a gateway's description says.
///
/// # Errors
/// A webhook is not believed.
pub fn webhooks() -> anyhow::Result<Vec<Figure>> {
    let mut dearest = 0.0_f64;
    let mut details = serde_json::Map::new();
    let described = Provider::Gateway(Box::new(Gateway::new(gateway()?)));
    let cases = [
        twilio()?,
        whatsapp()?,
        telnyx()?,
        told(Personality::Vonage, vonage()),
        told(Personality::Bandwidth, bandwidth()),
        told(Personality::Gateway, described),
    ];
    for case in cases {
        let us = case.run()?.as_secs_f64() * 1e6;
        details.insert(case.name.to_owned(), json!({ "us": us, "bytes": case.body.len() }));
        dearest = dearest.max(us);
    }
    Ok(vec![
        Figure::at_most("proof of a webhook, the dearest", 50.0, "µs", dearest)
            .with(details.into()),
    ])
}

impl Case {
    /// CPU time of one.
    fn run(&self) -> anyhow::Result<Duration> {
        let posted = Posted {
            asks: false,
            what: self.what,
            path: &self.path,
            headers: &self.headers,
            body: &self.body,
            public_url: Some(URL),
            now_ms: NOW_MS,
        };
        let began = cpu_time();
        for _ in 0..ROUNDS {
            let told = self.provider.hear(&posted);
            let one = matches!(&told, Ok(Told::Events(events)) if events.len() == 1);
            ensure!(one, "{}: {told:?}", self.name);
        }
        Ok((cpu_time() - began) / ROUNDS)
    }
}

/// Of this thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn headers(pairs: &[(&'static str, String)]) -> anyhow::Result<HeaderMap> {
    let pairs = pairs.iter().map(|(name, value)| {
        anyhow::Ok((HeaderName::from_static(name), HeaderValue::from_str(value)?))
    });
    pairs.collect()
}

fn twilio() -> anyhow::Result<Case> {
    let path = "/webhooks/twilio/uk/status?message=0190d6f2-7a6a-7000-8000-000000000001-1";
    let body = "AccountSid=AC1&ApiVersion=2010-04-01&ErrorCode=30006&From=447700900999\
                &MessageSid=SM1&MessageStatus=undelivered&SmsSid=SM1&SmsStatus=undelivered\
                &To=447400000001";
    let mut signed = format!("{URL}{path}");
    signed.extend(body.split('&').flat_map(|pair| pair.split('=')));
    let mut mac = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes())?;
    mac.update(signed.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    Ok(Case {
        name: "twilio",
        provider: Provider::Twilio(Twilio::new("AC1", SECRET, None, None)),
        path: path.to_owned(),
        what: "status",
        headers: headers(&[("x-twilio-signature", signature)])?,
        body: body.into(),
    })
}

fn whatsapp() -> anyhow::Result<Case> {
    let body = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": [{
        "field": "messages", "value": { "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": "447700900999", "phone_number_id": "106540352242922" },
            "statuses": [{ "id": "wamid.HBgL", "status": "delivered", "timestamp": "1795999999",
                "recipient_id": "447400000001" }] } }] }] });
    let body = body.to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
    mac.update(body.as_bytes());
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    Ok(Case {
        name: "whatsapp",
        provider: Provider::WhatsApp(WhatsApp::new("token", SECRET, "verify", None)),
        path: "/webhooks/whatsapp-cloud/wa".to_owned(),
        what: "",
        headers: headers(&[("x-hub-signature-256", signature)])?,
        body: body.into_bytes(),
    })
}

fn telnyx() -> anyhow::Result<Case> {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).ok().context("a key pair")?;
    let body = json!({ "data": { "event_type": "message.finalized", "id": "e1", "payload": {
        "id": "m1", "parts": 1, "to": [{ "phone_number": "+447400000001", "status": "delivered",
            "carrier": "A carrier", "line_type": "Wireless" }], "errors": [] } } });
    let body = body.to_string();
    let stamp = (NOW_MS / 1_000).to_string();
    let signature = STANDARD.encode(pair.sign(format!("{stamp}|{body}").as_bytes()));
    let key = PublicKey::parse(&STANDARD.encode(pair.public_key()))?;
    Ok(Case {
        name: "telnyx",
        provider: Provider::Telnyx(Telnyx::new("key", key, None, None)),
        path: "/webhooks/telnyx/tx/status".to_owned(),
        what: "status",
        headers: headers(&[("telnyx-timestamp", stamp), ("telnyx-signature-ed25519", signature)])?,
        body: body.into_bytes(),
    })
}

/// A receipt as the emulator tells it.
fn told(is: Personality, provider: Provider) -> Case {
    let receipt = Event {
        id: "m1",
        reference: Some("0190d6f2-7a6a-7000-8000-000000000001-1"),
        number: "+447400000001",
        says: Says::Delivered,
        at_ms: NOW_MS,
    };
    let hook = is.hook(&[receipt]);
    Case {
        name: is.name(),
        provider,
        path: hook.path,
        what: hook.what,
        headers: hook.headers,
        body: hook.body,
    }
}

fn vonage() -> Provider {
    let signing = (SignatureMethod::Sha256, HOOK_SECRET);
    Provider::Vonage(Vonage::new("key", "secret", signing, None, None))
}

fn bandwidth() -> Provider {
    let account = Account {
        id: BANDWIDTH_ACCOUNT.to_owned(),
        username: "api".to_owned(),
        password: SECRET.to_owned(),
        application: "93de2206-9669-4e07-948d-329f4b722ee2".to_owned(),
        webhooks: format!("hooks:{HOOK_SECRET}"),
    };
    Provider::Bandwidth(Bandwidth::new(account, None))
}

/// As the emulator's tells and signs.
fn gateway() -> anyhow::Result<Description> {
    let place = |pointer: &str| Some(pointer.to_owned());
    Ok(Description {
        method: "POST".parse()?,
        url: "https://sms.example.net/send".to_owned(),
        headers: Vec::new(),
        body: String::new(),
        secret: SECRET.to_owned(),
        account: String::new(),
        answer: Answer::default(),
        errors: [].into(),
        hooks: Some(Hooks {
            signing: Signing {
                algorithm: Algorithm::HmacSha256,
                header: "X-Signature".to_owned(),
                timestamp_header: place("X-Time"),
                nonce_header: place("X-Nonce"),
                signed: place("{body}.{nonce}.{timestamp}"),
                secret: HOOK_SECRET.to_owned(),
            },
            events_at: place("/results"),
            id_at: place("/id"),
            reference_at: place("/ref"),
            state_at: place("/dlr"),
            states: [("DELIVRD".to_owned(), State::Delivered)].into(),
            code_at: None,
            codes: [].into(),
            parts_at: place("/parts"),
            price: Price::default(),
            from_at: place("/from"),
            to_at: place("/to"),
            text_at: place("/text"),
        }),
        lines: None,
        check_url: None,
    })
}
