//! Webhooks of providers that prove no more than a password, and JSON that Twilio signs.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use carom_blackbox::{
    Database, Engine, FLOW, Place,
    twilio::{TOKEN, Twilio},
    web::ask,
};
use deflect_actions::provider::twilio::signature;
use sha2::{Digest, Sha256};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const SECRET: &str = "b7c1d2e3f4a5968778695a4b3c2d1e0f";
const BANDWIDTH: &str = r#"
[provider.bandwidth]
kind         = "bandwidth"
account      = "9900000"
username     = "api"
secret       = "file:key"
application  = "app-1"
verify_token = "file:pair"
webhook_path = "file:path"
webhook_from = ["198.51.100.0/24"]
[sender.bandwidth]
provider = "bandwidth"
from     = "+14155550124"
regions  = ["US"]
"#;
const STOP: &str = r#"[{"time":"2026-11-29T12:00:00Z","type":"message-received","description":"in",
    "message":{"id":"3","owner":"+14155550124","from":"+14155550100","text":"Stop",
    "to":["+14155550124"],"direction":"in"}}]"#;

fn engine(place: &Place) -> Engine {
    place.write("key", "s3cret");
    place.write("pair", "hooks:s3cret");
    place.write("path", SECRET);
    let config = Twilio::start(place).engine_config(place);
    Engine::start_with(BIN, place, &format!("{config}{BANDWIDTH}"), FLOW)
}

#[test]
fn kh_19_a_webhook_with_a_password_only_is_heard_at_its_secret_path_from_its_addresses_alone() {
    let place = Place::new();
    let engine = engine(&place);
    let basic = format!("Authorization: Basic {}\r\n", STANDARD.encode("hooks:s3cret"));
    let right = format!("/webhooks/bandwidth/bandwidth/{SECRET}");
    let from = |list: &str| format!("{basic}X-Forwarded-For: {list}\r\n");
    let proven = from("198.51.100.7");
    let status = |path: &str, headers: &str| {
        ask(&place, "POST", path, headers, STOP).split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(status("/webhooks/bandwidth/bandwidth", &proven), "404", "without the segment");
    let guessed = right.replace("b7c1", "b7c2");
    assert_eq!(status(&guessed, &proven), "404");
    assert_eq!(status(&right, &basic), "403", "from this machine");
    assert_eq!(status(&right, &from("203.0.113.9")), "403", "from elsewhere");
    assert_eq!(status(&right, &from("198.51.100.7, 203.0.113.9")), "403", "a forged beginning");
    assert_eq!(status(&right, "X-Forwarded-For: 198.51.100.7\r\n"), "401", "no password");
    let stopped = || Database::of(&place).number("SELECT COUNT(*) FROM opt_out");
    assert_eq!(stopped(), 0);
    assert_eq!(status(&right, &proven), "204");
    assert_eq!(stopped(), 1);
    assert!(engine.metric(&place, "carom_webhooks_untrusted_total") as i64 >= 6);
    assert!(!engine.log().contains(SECRET), "the path is a secret");
}

#[test]
fn kh_19_json_of_twilio_is_believed_by_the_hash_of_its_body_in_the_address_and_the_signature() {
    let place = Place::new();
    let engine = engine(&place);
    let body = r#"{"MessageSid":"SM1","From":"+447700900456","To":"+447700900999","Body":"Stop"}"#;
    let path = |body: &str| {
        let hash = hex::encode(Sha256::digest(body));
        format!("/webhooks/twilio/twilio/inbound?bodySHA256={hash}")
    };
    let tells = |path: &str, body: &str| {
        let url = format!("http://{}:8080{path}", place.engine());
        let signed = signature(TOKEN, &url, &[]);
        let headers = format!("Content-Type: application/json\r\nX-Twilio-Signature: {signed}\r\n");
        ask(&place, "POST", path, &headers, body).split(' ').nth(1).unwrap().to_owned()
    };
    let other = body.replace("+447700900456", "+447700900457");
    assert_eq!(tells(&path(body), &other), "403", "another body than was signed");
    assert_eq!(tells("/webhooks/twilio/twilio/inbound", body), "403", "no hash of it");
    let stopped = || Database::of(&place).number("SELECT COUNT(*) FROM opt_out");
    assert_eq!(stopped(), 0);
    assert_eq!(tells(&path(body), body), "200");
    assert_eq!(stopped(), 1);
    assert_eq!(tells(&path("[]"), "[]"), "400", "signed, and not understood");
    assert_eq!(engine.metric(&place, "carom_webhooks_untrusted_total") as i64, 2);
}
