//! Links of texts and the pages behind them: real calls, real requests, destinations on loopback.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use carom_blackbox::{
    CONFIG, Database, Engine, Place, call, eventually,
    web::{Crm, Says},
};
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const SETTINGS: &str = r#"
public_url = "http://{engine}:8080"
[limits]
texts_per_caller = { per_hour = 100, per_day = 100 }
[provider.lp]
kind    = "liveperson"
account = "12345678"
secret  = "file:lp.toml"
url     = "{crm}"
[provider.flow]
kind    = "khoros"
account = "whatsapp:+442079460018"
secret  = "file:khoros.key"
url     = "{crm}"
"#;

const FLOW: &str = r#"
version = 1
[flow]
name      = "Links"
numbers   = ["+442079460018"]
languages = ["en-GB", "es-ES"]
start     = "who"
human     = "agents"
ask_again_days = 0
[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0

[link.orders]
kind          = "signed"
url           = "http://127.0.0.1:9/orders/{order_ref}"
context       = ["customer_id"]
context_level = "L2"
app_url       = "https://apps.example.com/example"
intents       = ["any"]
[link.shared]
kind          = "signed"
url           = "http://127.0.0.1:9/shared"
context_level = "L0"
secret        = "file:shared.key"
intents       = ["any"]
[link.community]
url      = "https://community.example.com/start"
staffing = "self-service"
intents  = ["any"]
[link.telegram]
kind    = "telegram"
bot     = "ExampleHelpBot"
intents = ["any"]
[link.messenger]
kind    = "messenger"
page    = "examplehelp"
intents = ["any"]
[link.apple]
kind        = "apple"
business_id = "00000000-0000-0000-0000-000000000000"
intents     = ["any"]
[link.number]
kind    = "whatsapp"
number  = "+442079460018"
intents = ["any"]
[link.chat]
kind    = "http"
url     = "{crm}/free?topic={language}"
intents = ["any"]
[link.engage]
kind     = "liveperson-ivr"
provider = "lp"
intents  = ["any"]
[link.message]
kind     = "liveperson-c2m"
provider = "lp"
skill    = "service"
intents  = ["any"]
[link.bot]
kind     = "khoros-flow"
provider = "flow"
event    = "deflected"
intents  = ["any"]

[step.who]
do         = "lookup"
url        = "{crm}/caller/{caller_key}"
save       = ["customer_id", "order_ref"]
auth_level = "L2"
then       = "topic"
if_fails   = "agents"
[step.topic]
do     = "set"
intent = "lost_parcel"
then   = "welcome"
[step.welcome]
do       = "menu"
play     = "beep.wav"
press    = { 1 = "text_orders", 2 = "text_several", 3 = "offer_chat", 4 = "offer_engage", 5 = "offer_message", 6 = "text_bot", 7 = "text_shared", 8 = "spanish" }
no_input = "agents"
[step.spanish]
do       = "set"
language = "es-ES"
then     = "text_several"
[step.text_orders]
do       = "text"
link     = "orders"
message  = "Example: your order {link}"
then     = "hangup"
if_fails = "agents"
[step.text_shared]
do       = "text"
link     = "shared"
message  = "Example: shared {link}"
then     = "hangup"
if_fails = "agents"
[step.text_several]
do       = "text"
links    = ["messenger", "telegram", "apple", "number", "community"]
message  = "Example: pick one {link}"
then     = "hangup"
if_fails = "agents"
[step.offer_chat]
do             = "offer"
link           = "chat"
play           = "beep.wav"
press          = { 1 = "text_chat" }
accept         = ["1"]
no_input       = "agents"
if_not_offered = "agents"
[step.text_chat]
do       = "text"
link     = "chat"
message  = "Example: chat {link}"
then     = "hangup"
if_fails = "agents"
[step.offer_engage]
do             = "offer"
link           = "engage"
play           = "beep.wav"
press          = { 1 = "text_engage" }
accept         = ["1"]
no_input       = "agents"
if_not_offered = "agents"
[step.text_engage]
do       = "text"
link     = "engage"
message  = "Example: chat {link}"
then     = "hangup"
if_fails = "agents"
[step.offer_message]
do             = "offer"
link           = "message"
play           = "beep.wav"
press          = { 1 = "text_message" }
accept         = ["1"]
no_input       = "agents"
if_not_offered = "agents"
[step.text_message]
do       = "text"
link     = "message"
message  = "Example: chat {link}"
then     = "hangup"
if_fails = "agents"
[step.text_bot]
do       = "text"
link     = "bot"
message  = "Example: bot {link}"
then     = "hangup"
if_fails = "agents"
"#;

const SAFARI: &str = "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) \
                      AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/604.1\r\n";
const CUSTOMER: &str = r#"{"customer_id":"c7","order_ref":"o9","verified":true}"#;

struct Site {
    place: Place,
    engine: Engine,
    crm: Crm,
}

/// An answer.
struct Page {
    status: u16,
    head: String,
    body: String,
}

impl Page {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(of, _)| of.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    /// The cookie that it sets, as a browser sends it.
    fn cookie(&self) -> String {
        let pair = self.header("set-cookie").split(';').next().unwrap();
        format!("Cookie: {pair}\r\n")
    }
}

impl Site {
    fn new() -> Self {
        let place = Place::new();
        let crm = Crm::start(Says::Json(CUSTOMER.into()));
        let keys = "consumer_key = \"ck\"\nconsumer_secret = \"cs\"\ntoken = \"t\"\ntoken_secret = \"ts\"\n";
        place.write("lp.toml", keys);
        place.write("khoros.key", "the-key");
        place.write("shared.key", "both-know-it");
        place.beep();
        let prompts = place.folder().join("prompts");
        std::fs::create_dir_all(prompts.join("es-ES")).unwrap();
        std::fs::copy(prompts.join("en-GB/beep.wav"), prompts.join("es-ES/beep.wav")).unwrap();
        let config = format!("{CONFIG}{SETTINGS}").replace("{crm}", &crm.url());
        let flow = FLOW.replace("{crm}", &crm.url());
        let engine = Engine::start_with(BIN, &place, &config, &flow);
        Self { place, engine, crm }
    }

    /// A call that presses these keys, one every two seconds.
    fn calls(&self, keys: &str) {
        let uri = format!("sip:+442079460018@{}", self.place.engine());
        let pressed: Vec<String> = (0..)
            .zip(keys.chars())
            .map(|(n, key)| format!("{key}@{}ms", 1_500 + 2_500 * n))
            .collect();
        let mut args: Vec<&str> =
            pressed.iter().flat_map(|key| ["--press", key.as_str()]).collect();
        args.extend(["--hang-up-after", "20s"]);
        // Nobody is at the PBX: how the call ends is not looked at.
        let _ = call(BIN, &self.place, &uri, &args);
        self.engine.idle();
    }

    /// Path of the page that the newest text leads to.
    fn link(&self) -> String {
        eventually("a text with a link", || {
            let inbox = self.asks("GET", "/sandbox", "", "").body;
            let (_, after) = inbox.split_once("/l/")?;
            Some(format!("/l/{}", after.get(..22)?))
        })
    }

    fn asks(&self, method: &str, path: &str, headers: &str, body: &str) -> Page {
        let mut stream = TcpStream::connect((self.place.engine(), 8080)).unwrap();
        let len = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: \
             application/x-www-form-urlencoded\r\n{headers}Content-Length: {len}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Page { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn number(&self, sql: &str) -> i64 {
        Database::of(&self.place).number(sql)
    }
}

fn claims(token: &str) -> (Value, Value) {
    let part = |n: usize| {
        let part = token.split('.').nth(n).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    (part(0), part(1))
}

fn assertion(page: &Page) -> &str {
    let (_, after) = page.body.split_once("name=\"assertion\" value=\"").unwrap();
    after.split('"').next().unwrap()
}

#[test]
fn lp_07_a_link_shows_a_page_to_anybody_and_leads_one_browser_on() {
    let site = Site::new();
    site.calls("1");
    let link = site.link();
    // Programs look at it first: nothing is used up, nobody is counted.
    let head = site.asks("HEAD", &link, SAFARI, "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    for agent in ["User-Agent: WhatsApp/2.24\r\n", "User-Agent: facebookexternalhit/1.1\r\n", ""] {
        assert_eq!(site.asks("GET", &link, agent, "").status, 200);
    }
    eventually("the fetch", || {
        (site.number("SELECT COUNT(*) FROM link WHERE first_fetch_ms IS NOT NULL") == 1)
            .then_some(())
    });
    assert_eq!(site.number("SELECT COUNT(*) FROM link WHERE first_human_ms IS NOT NULL"), 0);
    let page = site.asks("GET", &link, SAFARI, "");
    assert!(page.body.len() <= 14 * 1024, "{}", page.body.len());
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-robots-tag", "noindex"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(page.header(name), value);
    }
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("form-action 'self' http://127.0.0.1:9 https://apps.example.com"));
    assert!(page.body.contains("<h1>Example</h1>") && page.body.contains("lost parcel"));
    assert!(page.body.contains("href=\"tel:+442079460018\""), "IC-09: the way back to the phone");
    assert!(!page.body.contains("<script") && !page.body.contains("c7"));
    eventually("the person", || {
        (site.number("SELECT COUNT(*) FROM link WHERE first_human_ms IS NOT NULL") == 1)
            .then_some(())
    });
    // A button binds the browser, whose second press leads on again; another one's does not.
    let mine = page.cookie();
    let other = site.asks("GET", &link, SAFARI, "").cookie();
    for _ in 0..2 {
        let pressed = site.asks("POST", &link, &format!("{SAFARI}{mine}"), "to=0");
        assert_eq!(pressed.status, 200, "{}", pressed.body);
        assert!(
            pressed.body.contains("action=\"http://127.0.0.1:9/orders/o9\""),
            "{}",
            pressed.body
        );
    }
    for headers in [format!("{SAFARI}{other}"), SAFARI.to_owned()] {
        let refused = site.asks("POST", &link, &headers, "to=0");
        assert_eq!(refused.status, 403);
        assert!(refused.body.contains("another browser") && refused.body.contains("tel:+44"));
    }
    assert_eq!(site.asks("GET", &link, SAFARI, "").status, 403);
    // Nothing of the token or of what stands on the page is in the database as it is.
    let rows = Database::of(&site.place)
        .texts("SELECT destination || token_hash || COALESCE(context_ref, '') FROM link")
        .join("");
    assert!(!rows.contains(&link[3..]) && !rows.contains("o9") && rows.contains("orders"));
    let log = site.engine.log();
    assert!(!log.contains(&link[3..]), "no token in the log");
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
    assert_eq!(told["context"]["customer_id"], "c7");
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
    site.calls("7");
    let link = site.link();
    let page = site.asks("GET", &link, SAFARI, "");
    let pressed = site.asks("POST", &link, &page.cookie(), "to=0");
    let (header, _) = claims(assertion(&pressed));
    assert_eq!(header["alg"], "HS256", "a secret that both know");
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

#[test]
fn a_page_speaks_the_language_of_the_call_and_says_when_it_is_over() {
    let site = Site::new();
    site.calls("8");
    let link = site.link();
    let page = site.asks("GET", &link, SAFARI, "");
    assert!(
        page.body.contains("<html lang=\"es\">") && page.body.contains("Llámenos: +442079460018")
    );
    Database::of(&site.place).execute("UPDATE link SET expires_ms = 1");
    for (method, body) in [("GET", ""), ("POST", "to=0")] {
        let over = site.asks(method, &link, SAFARI, body);
        assert_eq!(over.status, 410);
        assert!(over.body.contains("ya no es válido") && over.body.contains("tel:+442079460018"));
    }
    let told = site.asks("GET", &format!("/v1/context/{}", &link[3..]), "", "");
    assert_eq!(told.status, 410);
}

#[test]
fn who_guesses_tokens_is_slowed_down_and_others_are_not() {
    let site = Site::new();
    site.calls("2");
    let link = site.link();
    let guess = "X-Forwarded-For: 203.0.113.9\r\n";
    for n in 0..20 {
        let page = site.asks("GET", &format!("/l/{n:021}A"), guess, "");
        assert_eq!(page.status, 404);
        assert!(page.body.contains("tel:+442079460018"), "the way to a person");
    }
    assert_eq!(site.asks("GET", "/l/AAAAAAAAAAAAAAAAAAAAAA", guess, "").status, 429);
    let elsewhere = "X-Forwarded-For: 203.0.113.10\r\n";
    assert_eq!(site.asks("GET", "/l/AAAAAAAAAAAAAAAAAAAAAA", elsewhere, "").status, 404);
    assert_eq!(site.asks("GET", &link, guess, "").status, 200, "a good token is always good");
    assert_eq!(site.asks("GET", "/l/..%2F..%2Fetc%2Fpasswd", "", "").status, 404);
}

#[test]
fn ex_15_lp_09_who_comes_back_is_asked_once_how_it_went_and_the_app_is_counted() {
    let site = Site::new();
    site.calls("1");
    let link = site.link();
    let page = site.asks("GET", &link, SAFARI, "");
    assert!(!page.body.contains("/rating"), "not before it was used");
    let mine = format!("{SAFARI}{}", page.cookie());
    assert_eq!(site.asks("POST", &format!("{link}/rating"), &mine, "rating=5").status, 400);
    let app = site.asks("POST", &link, &mine, "app=0");
    assert_eq!((app.status, app.header("location")), (303, "https://apps.example.com/example"));
    assert_eq!(site.number("SELECT COUNT(*) FROM link WHERE app_ms IS NOT NULL"), 1);
    let back = site.asks("GET", &link, &mine, "");
    assert!(back.body.contains("Did this solve it?"), "{}", back.body);
    assert_eq!(site.asks("POST", &format!("{link}/rating"), &mine, "rating=6").status, 400);
    for rating in [5, 1] {
        let thanks =
            site.asks("POST", &format!("{link}/rating"), &mine, &format!("rating={rating}"));
        assert!(thanks.body.contains("Thank you for your answer."), "{}", thanks.body);
        eventually("the answer", || {
            (site.number("SELECT COUNT(*) FROM outcome WHERE kind = 'rated'") == 1).then_some(())
        });
    }
    assert_eq!(site.number("SELECT csat FROM outcome WHERE kind = 'rated'"), 5);
    assert_eq!(site.number("SELECT COUNT(*) FROM outcome WHERE kind = 'resolved'"), 1);
    assert_eq!(site.number("SELECT COUNT(*) FROM outcome WHERE kind = 'unresolved'"), 0);
    assert!(!site.asks("GET", &link, &mine, "").body.contains("/rating"), "once");
}

#[test]
fn lp_01_lp_02_an_address_that_is_asked_is_what_is_sent_while_it_is_good() {
    let site = Site::new();
    let both = |rest: &str| format!("{{\"verified\":true,{rest}}}");
    let free =
        r#""available":true,"url":"https://chat.example.com/once/1","valid_for_seconds":300"#;
    site.crm.says(Says::Json(both(free)));
    site.calls("31");
    let link = site.link();
    let page = site.asks("GET", &link, SAFARI, "");
    let pressed = site.asks("POST", &link, &page.cookie(), "to=0");
    assert_eq!(pressed.header("location"), "https://chat.example.com/once/1");
    let good_for = site.number("SELECT (expires_ms - created_ms) / 1000 FROM link");
    assert!((285..=300).contains(&good_for), "the page ends with its address: {good_for} s");
    let asked = site.crm.asked();
    let asked = asked.iter().find(|request| request.path == "/free").unwrap();
    assert_eq!((asked.method.as_str(), asked.form["topic"].as_str()), ("GET", "en-GB"));
    for (says, reason) in
        [(r#""available":false"#, "not_available"), (r#""available":"perhaps""#, "check_failed")]
    {
        site.crm.says(Says::Json(both(says)));
        site.calls("3");
        let sql = format!("SELECT COUNT(*) FROM offer WHERE reason = '{reason}'");
        eventually(reason, || (site.number(&sql) == 1).then_some(()));
    }
}

#[test]
fn liveperson_is_asked_signed_and_leads_on_or_invites() {
    let site = Site::new();
    let both = |rest: &str| format!("{{\"verified\":true,{rest}}}");
    site.crm.says(Says::Json(both(
        r#""status":"Available","engagementDetails":{"urlToChat":"https://lp.example.com/1","validForSeconds":600}"#,
    )));
    site.calls("41");
    let link = site.link();
    let page = site.asks("GET", &link, SAFARI, "");
    let pressed = site.asks("POST", &link, &page.cookie(), "to=0");
    assert_eq!(pressed.header("location"), "https://lp.example.com/1");
    let asked = site.crm.asked();
    let asked =
        asked.iter().find(|r| r.path == "/api/account/12345678/external/engagement").unwrap();
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(body["appType"], "IVR");
    assert_eq!(
        body["engagementAttributes"][0]["personal"]["contacts"][0]["phone"],
        "+447700900456"
    );
    assert_eq!(asked.form["v"], "1.0");
    assert!(asked.header("authorization").starts_with("OAuth oauth_consumer_key=\"ck\""));

    site.crm.says(Says::Json(both(
        r#""eligible":true,"callId":"lp-call-1","availableChannels":["sms"],"recommendedChannelName":"sms""#,
    )));
    site.calls("51");
    let link = site.link();
    let page = site.asks("GET", &link, SAFARI, "");
    let invites = || {
        let asked = site.crm.asked();
        let invites = asked.iter().filter(|request| request.path.ends_with("/invite"));
        invites.map(|request| request.body.clone()).collect::<Vec<_>>()
    };
    assert!(invites().is_empty(), "a program that looks at the page invites nobody");
    site.crm.says(Says::Status(500));
    let failed = site.asks("POST", &link, &page.cookie(), "to=0");
    assert!(failed.body.contains("could not write to you"), "{}", failed.body);
    site.crm.says(Says::Json(r#"{"callId":"lp-call-1"}"#.into()));
    for _ in 0..2 {
        let invited = site.asks("POST", &link, &page.cookie(), "to=0");
        assert!(invited.body.contains("We are writing to you now"), "{}", invited.body);
    }
    assert_eq!(invites(), [r#"{"callId":"lp-call-1"}"#; 2], "one that failed, one that did not");
}

#[test]
fn khoros_triggers_its_event_for_the_caller_when_the_button_is_pressed() {
    let site = Site::new();
    site.calls("6");
    let link = site.link();
    site.crm.says(Says::Json(r#"{"status":"ok"}"#.into()));
    let page = site.asks("GET", &link, SAFARI, "");
    let invited = site.asks("POST", &link, &page.cookie(), "to=0");
    assert!(invited.body.contains("We are writing to you now"), "{}", invited.body);
    let asked = site.crm.asked();
    let asked = asked.last().unwrap();
    assert_eq!(asked.path, "/rest/v1/broadcast/instant");
    assert_eq!(asked.header("authorization"), "the-key");
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(body["audience"][0]["phoneNumber"], "+447700900456");
    assert_eq!(body["payload"]["eventName"], "deflected");
    assert_eq!(body["channel"]["channelName"], "whatsapp");
    assert_eq!(body["metadata"]["params"]["topic"][0]["value"], "lost_parcel");
}

#[test]
fn ex_05_dp_07_a_link_whose_checks_fail_is_not_offered_until_they_pass_again() {
    let place = Place::new();
    let crm = Crm::start(Says::Json("{}".into()));
    place.beep();
    let flow = HEALTH_FLOW.replace("{crm}", &crm.url());
    let engine = Engine::start_with(BIN, &place, CONFIG, &flow);
    let calls = || {
        let uri = format!("sip:+442079460018@{}", place.engine());
        let _ = call(BIN, &place, &uri, &["--hang-up-after", "3s"]);
        engine.idle();
    };
    let number = |sql: &str| Database::of(&place).number(sql);
    eventually("the first check", || {
        (number("SELECT COUNT(*) FROM destination_check WHERE ok = 1") > 0).then_some(())
    });
    calls();
    let offered = "SELECT COUNT(*) FROM offer WHERE response <> 'suppressed'";
    assert_eq!(number(offered), 1);
    crm.says(Says::Status(503));
    eventually("three failures", || {
        (number("SELECT COUNT(*) FROM destination_check WHERE status = 503") >= 3).then_some(())
    });
    calls();
    assert_eq!(number("SELECT COUNT(*) FROM offer WHERE reason = 'destination_down'"), 1);
    assert!(engine.log().contains("link not offered: its checks fail"));
    assert!(engine.metric(&place, "carom_link_up{link=\"chat\"}") < 0.5);
    crm.says(Says::Json("{}".into()));
    eventually("it works again", || {
        (engine.metric(&place, "carom_link_up{link=\"chat\"}") > 0.5).then_some(())
    });
    calls();
    assert_eq!(number(offered), 2);
}

const HEALTH_FLOW: &str = r#"
version = 1
[flow]
name    = "Health"
numbers = ["+442079460018"]
start   = "offer"
human   = "agents"
ask_again_days = 0
[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0
[link.chat]
url           = "https://help.example.com/chat"
staffing      = "operator"
intents       = ["any"]
check_url     = "{crm}/health"
check_seconds = 1
[step.offer]
do             = "offer"
link           = "chat"
play           = "beep.wav"
press          = { 1 = "text_me" }
accept         = ["1"]
no_input       = "agents"
if_not_offered = "agents"
[step.text_me]
do       = "text"
link     = "chat"
message  = "Example: {link}"
then     = "hangup"
if_fails = "agents"
"#;
