//! What it costs to prove a webhook, and to read it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use deflect_actions::provider::{
    Posted, Provider, Told,
    telnyx::{PublicKey, Telnyx},
    twilio::Twilio,
    whatsapp::WhatsApp,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
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
    path: &'static str,
    what: &'static str,
    headers: HeaderMap,
    body: String,
}

/// The dearest of three signatures: HMAC-SHA1 over a form, HMAC-SHA256 and Ed25519 over a body.
///
/// # Errors
/// A webhook is not believed.
pub fn webhooks() -> anyhow::Result<Vec<Figure>> {
    let mut dearest = 0.0_f64;
    let mut details = serde_json::Map::new();
    for case in [twilio()?, whatsapp()?, telnyx()?] {
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
            path: self.path,
            headers: &self.headers,
            body: self.body.as_bytes(),
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
        path,
        what: "status",
        headers: headers(&[("x-twilio-signature", signature)])?,
        body: body.to_owned(),
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
        path: "/webhooks/whatsapp-cloud/wa",
        what: "",
        headers: headers(&[("x-hub-signature-256", signature)])?,
        body,
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
        path: "/webhooks/telnyx/tx/status",
        what: "status",
        headers: headers(&[("telnyx-timestamp", stamp), ("telnyx-signature-ed25519", signature)])?,
        body,
    })
}
