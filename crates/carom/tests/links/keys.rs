//! Keys of the operator's own that statements of links are signed with.

use std::process::Command;

use carom_blackbox::{
    Place,
    judges::{self, Judges},
    web::SAFARI,
};
use serde_json::{Value, json};

use super::{FLOW, Site, hand_over::assertion};

/// What Node's cryptography makes of tokens by published keys alone; `null`: nothing good.
fn judged(jwks: &Value, tokens: &[&str]) -> Vec<Value> {
    let judge = Judges::below(env!("CARGO_TARGET_TMPDIR")).node("statements.js");
    let told = judges::asked(judge, &json!({ "jwks": jwks, "tokens": tokens }));
    told.as_array().unwrap().clone()
}

impl Site {
    fn jwks(&self) -> Value {
        let page = self.asks("GET", "/.well-known/jwks.json", "", "");
        assert_eq!(page.status, 200);
        serde_json::from_str(&page.body).unwrap()
    }

    fn signs_with(&mut self, keys: &str) {
        let of_keys = |line: &str| line.starts_with("link_keys");
        self.engine.rewrite(&self.place, "carom.toml", |text| {
            let put = |line| {
                if of_keys(line) { format!("link_keys = [{keys}]") } else { line.to_owned() }
            };
            text.lines().map(put).collect::<Vec<_>>().join("\n")
        });
        self.engine.restart();
    }
}

#[test]
fn ic_03_keys_of_the_operator_sign_statements_and_are_replaced_with_nobody_turned_away() {
    let place = Place::new();
    for file in ["old.pem", "new.pem"] {
        // As the documents say.
        let args = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"];
        let made = Command::new("openssl").args(args).arg(place.folder().join(file)).output();
        assert!(made.unwrap().status.success());
    }
    let keys = "link_keys = [\"file:old.pem\", \"file:new.pem\"]\n";
    let mut site = Site::at(place, FLOW, keys);
    site.calls("1");
    let link = site.link();
    let mine = format!("{SAFARI}{}", site.asks("GET", &link, SAFARI, "").cookie());
    let follows = |site: &Site| {
        let pressed = site.asks("POST", &link, &mine, "to=0");
        assert_eq!(pressed.status, 200, "{}", pressed.body);
        assertion(&pressed).to_owned()
    };
    // The old one signs, and a destination may keep what is published from now on.
    let (by_old, kept) = (follows(&site), site.jwks());
    site.signs_with("\"file:new.pem\", \"file:old.pem\"");
    let (by_new, both) = (follows(&site), site.jwks());
    site.signs_with("\"file:new.pem\"");
    let (still_new, only_new) = (follows(&site), site.jwks());

    let issuer = format!("http://{}:8080", site.place.engine());
    let body_of = |token: &str| token.split('.').nth(1).unwrap().to_owned();
    let forged = by_new.replace(&body_of(&by_new), &body_of(&by_old));
    let tokens = [by_old.as_str(), &by_new, &still_new, &forged];
    for jwks in [&kept, &both] {
        let told = judged(jwks, &tokens);
        for good in &told[..3] {
            assert_eq!(good["alg"], "ES256", "{told:?}");
            assert_eq!(good["claims"]["iss"], json!(issuer));
            assert_eq!(good["claims"]["aud"], "http://127.0.0.1:9");
            assert_eq!(good["claims"]["context"]["customer_id"], "customer-7");
        }
        assert_ne!(told[0]["kid"], told[1]["kid"], "another signs");
        assert_eq!(told[1]["kid"], told[2]["kid"]);
        assert_eq!(told[3], Value::Null, "forged");
    }
    let told = judged(&only_new, &tokens);
    let good: Vec<bool> = told.iter().map(|told| !told.is_null()).collect();
    assert_eq!(good, [false, true, true, false], "{told:?}");
    // What is published tells no private part.
    for jwks in [kept, both, only_new] {
        for key in jwks["keys"].as_array().unwrap() {
            assert!(key.get("d").is_none(), "{key}");
        }
    }
}
