//! IVRs made for LivePerson and for Flow, given our address: as their clients ask, and are answered.

use std::io::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use carom_blackbox::{
    CONFIG, Database, Place,
    twilio::{Does, Twilio},
    web,
};
use serde_json::{Value, json};

use super::{api::Site, eligibility::OFFERS};

#[test]
fn kh_13_an_ivr_made_for_another_system_needs_only_our_address() {
    let config = format!("{CONFIG}public_url = \"https://carom.example\"\n");
    let offers = OFFERS.replace("only_if  = [\"long_wait\"]\n", "");
    let site = Site::configured(&offers, &config);
    // As LivePerson's clients sign: OAuth 1.0a, under the address they know.
    let keys = Keys {
        consumer_key: "app-key".to_owned(),
        consumer_secret: "app-secret".to_owned(),
        token: "access-token".to_owned(),
        token_secret: "access-secret".to_owned(),
    };
    let mut calls = 0;
    let mut signed = |path: &str, keys: &Keys| {
        calls += 1;
        keys.header("POST", &format!("https://carom.example{path}"), &format!("nonce-{calls}"))
    };
    let post = |path: &str, authorization: &str, body: &str| {
        site.asks_by(authorization, "POST", path, "", body)
    };
    let (eligibility, invite) = ("/api/account/1/eligibility?v=2.0", "/api/account/1/invite?v=2.0");
    let asked = r#"{"skill":"orders","consumerPhoneNumber":"+447700900471","handoffId":"h1",
        "ivrNumber":"+442079460018","sdes":[{"type":"ctmrinfo"}],"templateVariables":{"1":"x"}}"#;
    let (status, told) = post(eligibility, &signed(eligibility, &keys), asked);
    assert_eq!((status, &told["eligible"]), (200, &Value::Bool(true)), "{told}");
    assert_eq!(told["availableChannels"], json!(["sms"]));
    let wanted = |more: Value| {
        let mut body = json!({"callId": told["callId"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body.to_string()
    };
    for (more, code) in [
        (json!({"overrideMessage": "Example: come to our shop"}), 1000),
        (json!({"overrideChannel": "wa"}), 1900),
        (json!({"overrideChannel": "fax"}), 1900),
        (json!({"overrideSkill": "bills"}), 1901),
    ] {
        let (status, told) = post(invite, &signed(invite, &keys), &wanted(more));
        assert_eq!((status, &told["errorCode"]), (400, &json!(code)), "{told}");
    }
    let body = wanted(json!({"overrideMessage": "Example: as asked for, {link}"}));
    let authorization = signed(invite, &keys);
    let (status, invited) = post(invite, &authorization, &body);
    assert_eq!((status, &invited["callId"]), (200, &told["callId"]), "{invited}");
    let (status, told) = post(invite, &signed(invite, &keys), &body);
    assert_eq!((status, &told["errorCode"]), (404, &json!(1004)), "{told}");
    // A request that is told again, by another key, for another address, or not signed at all.
    let forger = Keys { token_secret: "guess".to_owned(), ..keys.clone() };
    // What was signed for another host is not for us, though the request names that host.
    let elsewhere = keys.header("POST", &format!("http://x{invite}"), "nonce-elsewhere");
    for authorization in [
        authorization,
        signed(invite, &forger),
        signed(eligibility, &keys),
        elsewhere,
        "OAuth x".to_owned(),
    ] {
        let (status, told) = post(invite, &authorization, &body);
        assert_eq!((status, &told["errorCode"]), (401, &json!(1100)), "{told}");
        assert!(told["errorMessage"].is_string(), "{told}");
    }
    let wrong = r#"{"skill":"orders","consumerPhoneNumber":"none"}"#;
    let bearer = "Bearer deflect-token";
    for (path, body, code) in [
        ("/api/account/1/eligibility", wrong, 1001),
        ("/api/account/1/eligibility?v=1.0", asked, 1002),
        ("/api/account/1/invite?v=3.0", "{}", 1002),
        (invite, "{}", 1000),
    ] {
        let (status, told) = post(path, bearer, body);
        assert_eq!((status, &told["errorCode"]), (400, &json!(code)), "{told}");
    }
    let slow = |_| post(eligibility, "Bearer hasty-token", wrong);
    let (status, told) = (0..3).map(slow).collect::<Vec<_>>().pop().unwrap();
    assert_eq!((status, &told["errorCode"]), (429, &json!(1029)), "{told}");

    // As IVR Engagement's clients do, and are told.
    let engagement = "/api/account/+442079460018/external/engagement?v=1.0";
    let caller = json!({"appType": "IVR", "consumerSections": ["main", "orders"],
        "engagementAttributes": [{"type": "personal", "personal": {"contacts": [{"phone": "+447700900473"}]}}]});
    let (status, told) = post(engagement, &signed(engagement, &keys), &caller.to_string());
    assert_eq!((status, &told["status"]), (200, &json!("Available")), "{told}");
    let (status, told) = post(engagement, "Bearer guess", &caller.to_string());
    assert_eq!((status, &told["internalCode"]), (401, &json!("401")), "{told}");

    // As Flow's clients do: the bare key, the context inside the payload.
    let broadcast = |number: &str, payload: Value| {
        let body = json!({
            "audience": [{"name": "A", "phoneNumber": number, "profile": {"fullName": "A"}}],
            "channel": {"channelName": "messagemedia", "externalId": "+442079460018"},
            "payload": payload,
        });
        post("/rest/v1/broadcast/instant", "deflect-token", &body.to_string())
    };
    let metadata =
        json!({"language": "en-GB", "timezone": "UTC", "params": {"topic": [{"value": "x"}]}});
    let event = json!({"type": "event", "eventName": "orders", "metadata": metadata});
    let (status, told) = broadcast("+447700900472", event.clone());
    assert_eq!((status, told["status"].as_str()), (200, Some("ok")), "{told}");
    let (status, told) = broadcast("+447700900474", json!({"type": "text", "speech": "Come!"}));
    assert_eq!((status, &told["error"]), (400, &json!("invalid_text")), "{told}");
    // What a call knows of itself is not told us by others, nor is what has no room.
    let long = "x".repeat(101);
    for (name, value) in [
        ("caller_key", "x"),
        ("site_visits", "0"),
        ("wait_minutes", "9"),
        ("language", "en-GB"),
        ("a b", "x"),
        ("topic", &long),
    ] {
        let mut event = event.clone();
        event["metadata"]["params"] = json!({ name: [{"value": value}] });
        let (status, told) = broadcast("+447700900475", event);
        assert_eq!((status, &told["error"]), (400, &json!("invalid_params")), "{name}: {told}");
    }
    let (status, told) = post("/rest/v1/broadcast/instant", "guess", &event.to_string());
    assert_eq!((status, &told["error"]), (401, &json!("unauthorized")), "{told}");
    assert_eq!(Database::of(&site.place).number("SELECT COUNT(*) FROM message"), 2);
}

#[test]
fn kh_13_what_liveperson_s_clients_know_of_the_person_reaches_who_takes_the_link() {
    let context = r#"context = ["customer_id", "customer_type", "storeNumber", "order", "1", "handoff_id", "consumer_id"]"#;
    let link = format!("kind = \"signed\"\ncontext_level = \"L0\"\n{context}\nurl      =");
    let told = context.replace("context", "told");
    let offers = OFFERS
        .replace("only_if  = [\"long_wait\"]\n", "")
        .replacen("url      =", &link, 1)
        .replacen("default        = true", &format!("default        = true\n{told}"), 1);
    let site =
        Site::configured(&offers, &format!("{CONFIG}public_url = \"https://carom.example\"\n"));
    let post = |path: &str, body: &Value| {
        site.asks_by("Bearer deflect-token", "POST", path, "", &body.to_string())
    };
    let eligibility = "/api/account/1/eligibility?v=2.0";
    let mut asked = json!({
        "skill": "orders", "consumerPhoneNumber": "+447700900471", "ivrNumber": "+442079460018",
        "handoffId": "h1", "consumerId": "person-3",
        "sdes": [
            {"type": "ctmrinfo", "info": {"customerId": "customer-7", "ctype": "gold", "storeNumber": 12, "role": null}},
            {"type": "personal", "personal": {"firstname": "A"}},
        ],
        "templateVariables": {"order": "order-9", "1": "x"},
    });
    let (status, told) = post(eligibility, &asked);
    assert_eq!((status, &told["eligible"]), (200, &Value::Bool(true)), "{told}");
    let invite = json!({"callId": told["callId"]});
    assert_eq!(post("/api/account/1/invite?v=2.0", &invite).0, 200);
    let read = "Authorization: Bearer read-token\r\n";
    let inbox = web::ask(&site.place, "GET", "/sandbox", read, "");
    let token = inbox.split_once("/l/").unwrap().1.get(..22).unwrap().to_owned();
    let path = format!("/v1/context/{token}");
    let (status, told) = site.asks("context", "GET", &path, "");
    let expected = json!({
        "customer_id": "customer-7", "customer_type": "gold", "storeNumber": "12", "order": "order-9",
        "1": "x", "handoff_id": "h1", "consumer_id": "person-3",
    });
    assert_eq!((status, &told["context"]), (200, &expected), "{told}");
    // What a call knows of itself, and what is no name of ours, is not told us by others; they get
    // their answer all the same.
    asked["templateVariables"] = json!({"caller_key": "x", "language": "fr", "first-name": "A"});
    asked["sdes"] = Value::Null;
    let (status, told) = post(eligibility, &asked);
    assert_eq!((status, &told["eligible"]), (200, &Value::Bool(true)), "{told}");
}

/// Nobody knows whether the text arrives: an IVR that is told "not sent" sends another.
#[test]
fn kh_13_a_text_that_may_still_arrive_is_told_as_such_and_never_as_not_sent() {
    let place = Place::new();
    let twilio = Twilio::start(&place);
    twilio.always(Does::TakeAndReset);
    twilio.hides_its_list(true);
    let offers = OFFERS.replace("only_if  = [\"long_wait\"]\n", "");
    let config = twilio.engine_config(&place);
    let site = Site::at(place, &offers, &config);
    let post =
        |path: &str, key: &str, body: Value| site.asks_by(key, "POST", path, "", &body.to_string());
    let deflect = "Bearer deflect-token";
    let asked = json!({"number": "+447700900481", "called": "x", "intent": "orders"});
    let (_, told) = post("/v1/eligibility", deflect, asked);
    let (status, told) = post("/v1/invite", deflect, json!({"offer_id": told["offer_id"]}));
    assert_eq!((status, &told["state"]), (202, &json!("ambiguous")), "{told}");
    assert!(told["message_id"].is_string(), "{told}");

    let asked = json!({"skill": "orders", "consumerPhoneNumber": "+447700900482"});
    let (_, told) = post("/api/account/1/eligibility", deflect, asked);
    let call = told["callId"].clone();
    let (status, told) = post("/api/account/1/invite", deflect, json!({"callId": call}));
    assert_eq!((status, told), (200, json!({"callId": call, "state": "ambiguous"})));

    let event = json!({
        "audience": [{"name": "A", "phoneNumber": "+447700900483"}],
        "channel": {"channelName": "twilio"},
        "payload": {"type": "event", "eventName": "orders"},
    });
    let (status, told) = post("/rest/v1/broadcast/instant", "deflect-token", event);
    assert_eq!((status, told), (200, json!({"status": "ok", "state": "ambiguous"})));
    assert_eq!(twilio.posted().len(), 3, "each was tried once");
}

#[test]
fn kh_13_an_account_of_another_system_is_one_of_our_lines() {
    let flow = OFFERS
        .replace("only_if  = [\"long_wait\"]\n", "")
        .replace("default        = true", "numbers = [\"+442079460018\"]");
    let place = Place::new();
    let accounts = "\n[http.accounts]\n12345678 = \"+442079460018\"\n";
    let site = Site::with_more(place, &flow, CONFIG, accounts);
    let post = |path: &str, body: Value| {
        site.asks_by("Bearer deflect-token", "POST", path, "", &body.to_string())
    };
    let person = json!({"appType": "IVR", "consumerSections": ["orders"],
        "engagementAttributes": [{"type": "personal", "personal": {"contacts": [{"phone": "+447700900473"}]}}]});
    let skill = json!({"skill": "orders", "consumerPhoneNumber": "+447700900474"});
    let event = json!({
        "audience": [{"name": "A", "phoneNumber": "+447700900475"}],
        "channel": {"channelName": "twilio", "externalId": "12345678"},
        "payload": {"type": "event", "eventName": "orders"},
    });
    let engaged = |account: &str| {
        let path = format!("/api/account/{account}/external/engagement?v=1.0");
        post(&path, person.clone()).1["status"].clone()
    };
    let eligible = |account: &str| {
        post(&format!("/api/account/{account}/eligibility?v=2.0"), skill.clone()).1["eligible"]
            .clone()
    };
    assert_eq!((engaged("12345678"), eligible("12345678")), (json!("Available"), json!(true)));
    assert_eq!((engaged("87654321"), eligible("87654321")), (json!("Not Available"), json!(false)));
    assert_eq!(post("/rest/v1/broadcast/instant", event).0, 200);
    let called = "SELECT did FROM call WHERE did <> '' AND did <> '87654321' GROUP BY did";
    assert_eq!(Database::of(&site.place).texts(called), ["+442079460018"]);
}

/// A key of LivePerson, used as the standard says (RFC 5849), by what stands in no crate of ours.
#[derive(Clone)]
struct Keys {
    consumer_key: String,
    consumer_secret: String,
    token: String,
    token_secret: String,
}

impl Keys {
    fn header(&self, method: &str, url: &str, nonce: &str) -> String {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let now = jiff::Timestamp::now().as_second().to_string();
        let own = [
            ("oauth_consumer_key", self.consumer_key.as_str()),
            ("oauth_nonce", nonce),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", &now),
            ("oauth_token", &self.token),
            ("oauth_version", "1.0"),
        ];
        let query = query.split('&').filter_map(|pair| pair.split_once('='));
        let mut all: Vec<_> = query
            .chain(own)
            .map(|(name, value)| format!("{}={}", coded(name), coded(value)))
            .collect();
        all.sort();
        let base = format!("{method}&{}&{}", coded(address), coded(&all.join("&")));
        let key = format!("{}&{}", coded(&self.consumer_secret), coded(&self.token_secret));
        let mut judge = std::process::Command::new("openssl")
            .args(["dgst", "-sha1", "-hmac", &key, "-binary"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        judge.stdin.take().unwrap().write_all(base.as_bytes()).unwrap();
        let signature = STANDARD.encode(judge.wait_with_output().unwrap().stdout);
        let shown = own.iter().copied().chain([("oauth_signature", signature.as_str())]);
        let shown: Vec<_> =
            shown.map(|(name, value)| format!("{name}=\"{}\"", coded(value))).collect();
        format!("OAuth realm=\"x\", {}", shown.join(", "))
    }
}

fn coded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
