//! What destinations learn about who comes.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use carom_blackbox::{
    Database,
    web::{SAFARI, Says},
};
use serde_json::Value;

use super::{CUSTOMER, FLOW, Page, Site};

fn claims(token: &str) -> (Value, Value) {
    let part = |n: usize| {
        let part = token.split('.').nth(n).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    (part(0), part(1))
}

pub fn assertion(page: &Page) -> &str {
    let (_, after) = page.body.split_once("name=\"assertion\" value=\"").unwrap();
    after.split('"').next().unwrap()
}

#[test]
fn ic_03_the_destination_is_told_who_comes_by_a_signed_statement_of_two_minutes() {
    let site = Site::new();
    site.calls("1");
    let link = site.link();
    let page = site.asks("GET", &link, SAFARI, "");
    let pressed = site.asks("POST", &link, &page.cookie(), "to=0");
    let token = assertion(&pressed);
    let (header, told) = claims(token);
    assert_eq!(header["alg"], "EdDSA");
    assert_eq!(told["aud"], "http://127.0.0.1:9");
    assert_eq!(told["iss"], format!("http://{}:8080", site.place.engine()));
    assert_eq!((&told["level"], &told["topic"]), (&"L2".into(), &"lost_parcel".into()));
    assert_eq!(told["context"]["customer_id"], "customer-7");
    assert_eq!(told["exp"].as_i64().unwrap() - told["iat"].as_i64().unwrap(), 120);
    let keys = site.asks("GET", "/.well-known/jwks.json", "", "");
    let keys: Value = serde_json::from_str(&keys.body).unwrap();
    assert_eq!(keys["keys"][0]["kid"], header["kid"]);
    // Who knows nothing but the published key can check it.
    let public = URL_SAFE_NO_PAD.decode(keys["keys"][0]["x"].as_str().unwrap()).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public);
    key.verify(signed.as_bytes(), &signature).expect("the signature is of the published key");
    // Another statement for each press, and none twice.
    let again = site.asks("POST", &link, &page.cookie(), "to=0");
    assert_ne!(claims(assertion(&again)).1["jti"], told["jti"]);
}

#[test]
fn ic_03_without_a_proof_only_topic_and_language_travel() {
    let site = Site::new();
    site.crm.says(Says::Json(CUSTOMER.replace("true", "false")));
    site.calls("1");
    let link = site.link();
    let page = site.asks("GET", &link, SAFARI, "");
    let pressed = site.asks("POST", &link, &page.cookie(), "to=0");
    let (_, told) = claims(assertion(&pressed));
    assert_eq!((&told["level"], &told["language"]), (&"L0".into(), &"en-GB".into()));
    assert!(told.get("context").is_none(), "{told}");
    // Neither does the address tell the order: it is that of the link instead.
    assert!(pressed.body.contains("action=\"http://127.0.0.1:9/orders\""), "{}", pressed.body);
    for secret in ["order-9", "customer-7"] {
        assert!(!pressed.body.contains(secret) && !page.body.contains(secret), "{secret}");
    }
    site.calls("7");
    let link = site.link();
    let page = site.asks("GET", &link, SAFARI, "");
    let pressed = site.asks("POST", &link, &page.cookie(), "to=0");
    let (header, _) = claims(assertion(&pressed));
    assert_eq!(header["alg"], "HS256", "a secret that both know");
}

#[test]
fn ic_03_a_text_that_names_the_order_goes_to_who_proved_it_and_nobody_else() {
    let flow = FLOW.replace("Example: your order {link}", "Example: order {order_ref} {link}");
    let site = Site::with(&flow);
    site.crm.says(Says::Json(CUSTOMER.replace("true", "false")));
    site.calls("1");
    assert_eq!(site.number("SELECT COUNT(*) FROM message"), 0);
    let notes = Database::of(&site.place)
        .texts("SELECT COALESCE(note, '-') FROM step WHERE step = 'text_orders'");
    assert_eq!(notes, ["not_proved"]);
    site.crm.says(Says::Json(CUSTOMER.into()));
    site.calls("1");
    let link = site.link();
    let inbox = site.asks("GET", "/sandbox", "", "").body;
    assert!(inbox.contains("Example: order order-9 http"), "{inbox}");
    let page = site.asks("GET", &link, SAFARI, "");
    let pressed = site.asks("POST", &link, &page.cookie(), "to=0");
    assert!(pressed.body.contains("action=\"http://127.0.0.1:9/orders/order-9\""));
}

#[test]
fn kh_16_kh_20_each_channel_is_led_to_with_our_token_and_its_bot_learns_the_context_once() {
    let site = Site::new();
    site.calls("2");
    for (n, begin) in [
        (0, "https://m.me/examplehelp?ref="),
        (1, "https://t.me/ExampleHelpBot?start="),
        (2, "https://bcrw.apple.com/urn:biz:00000000-0000-0000-0000-000000000000?biz-intent-id="),
        (3, "https://wa.me/442079460018?text="),
        (4, "https://community.example.com/start"),
    ] {
        if n > 0 {
            site.calls("2");
        }
        let link = site.link();
        let page = site.asks("GET", &link, SAFARI, "");
        assert_eq!(page.body.matches("<button name=\"to\"").count(), 5, "one for each");
        let pressed = site.asks("POST", &link, &page.cookie(), &format!("to={n}"));
        assert_eq!(pressed.status, 303);
        let token = if n < 4 { &link[3..] } else { "" };
        assert_eq!(pressed.header("location"), format!("{begin}{token}"));
        // Who asks without wanting to read it spends nothing.
        let head = site.asks("HEAD", &format!("/v1/context/{}", &link[3..]), "", "");
        assert_eq!((head.status, head.header("allow")), (405, "GET"));
        // KH-16: the bot learns why, once.
        let told = site.asks("GET", &format!("/v1/context/{}", &link[3..]), "", "");
        let told: Value = serde_json::from_str(&told.body).unwrap();
        assert_eq!((&told["topic"], &told["language"]), (&"lost_parcel".into(), &"en-GB".into()));
        assert_eq!(told["path"], serde_json::json!(["who", "topic", "welcome", "text_several"]));
        let again = site.asks("GET", &format!("/v1/context/{}", &link[3..]), "", "");
        assert_eq!(again.status, 410);
        // The same text is not sent again within ten minutes.
        Database::of(&site.place).execute("UPDATE message SET created_ms = created_ms - 1000000");
    }
    let chosen =
        Database::of(&site.place).texts("SELECT destination FROM link ORDER BY created_ms");
    assert_eq!(chosen, ["messenger", "telegram", "apple", "number", "community"]);
}
