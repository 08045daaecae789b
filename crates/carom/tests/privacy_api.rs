//! What personal data is nowhere to be found, by the ways that are no plain call (decisions §1): the API,
//! typed numbers, texts after calls, senders of every kind, and what people write to them.

use std::time::Duration;

use carom_blackbox::{
    Cluster, Engine, Place, Run, Scenario, call, eventually, get, go_on_for,
    web::{self, Crm, SAFARI, Says as Answers},
};
use jiff::Timestamp;
use provider_emulator::{
    Emulator, HOOK_SECRET, Personality, Says, TOKEN, Tell, VERIFY_TOKEN,
    smpp::{Centre, PASSWORD},
};
use serde_json::{Value, json};

use super::{
    privacy::{is_nowhere, look, look_into_cluster, look_into_files},
    senders::emulated,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const SCOPES: [&str; 6] = ["read", "deflect", "report", "optouts", "callbacks", "messages"];

/// Who calls, or is called: as they stand behind `+44`.
mod who {
    pub const BY_SMPP: &str = "7400110271";
    pub const BY_WHATSAPP: &str = "7400110382";
    pub const LANDLINE: &str = "2079460321";
    pub const TYPED: &str = "7700900188";
    pub const REFUSED: &str = "7400113901";
    pub const INVITED: &str = "7400110493";
    pub const OPTED_OUT: &str = "7400110504";
    pub const CALLED_BACK: &str = "7400110615";
    pub const ANOTHER: &str = "7400110726";
    pub const VISITED: &str = "7400110837";
    pub const REMINDED: &str = "7400110948";
    pub const MISSPELT: &str = "7400110159";
    pub const WROTE: &str = "7400110260";
    pub const ALL: [&str; 13] = [
        BY_SMPP,
        BY_WHATSAPP,
        LANDLINE,
        TYPED,
        REFUSED,
        INVITED,
        OPTED_OUT,
        CALLED_BACK,
        ANOTHER,
        VISITED,
        REMINDED,
        MISSPELT,
        WROTE,
    ];
}

/// Texts as they are sent: the flow, which the database keeps, has them in pieces.
const BODIES: [&str; 5] = [
    "Example: by centre http",
    "Example: by chat http",
    "Example: one tap away http",
    "Example: your parcel comes at noon",
    "Example: as the IVR wants it",
];
/// What people write.
const WORDS: [&str; 2] = ["the dog ate my invoice", "my neighbour has the parcel"];

const FLOW: &str = r#"
version = 1

[flow]
name           = "Test line"
default        = true
start          = "welcome"
human          = "agents"
ask_again_days = 0

[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0

[link.chat]
kind          = "signed"
url           = "https://help.example.com/chat"
context_level = "L0"
staffing      = "self-service"
intents       = ["any"]

[step.welcome]
do             = "offer"
link           = "chat"
play           = "welcome.wav"
press          = { 1 = "by_centre", 2 = "by_chat", 9 = "later", 0 = "agents" }
accept         = ["1", "2"]
no_input       = "agents"
if_not_offered = "agents"

[step.by_centre]
do             = "text"
link           = "chat"
via            = ["smpp"]
message        = "Example: by centre {link}"
confirm_number = "if-not-mobile"
sent_prompt    = "none"
then           = "sent"
if_fails       = "agents"

[step.by_chat]
do          = "text"
link        = "chat"
via         = ["whatsapp", "telnyx"]
message     = "Example: by chat {link}"
sent_prompt = "none"
then        = "sent"
if_fails    = "agents"

[step.sent]
do       = "menu"
play     = "sent.wav"
press    = { 5 = "yes", 0 = "agents" }
no_input = "hangup"

[step.yes]
do      = "set"
consent = "follow_up"
then    = "hangup"

[step.later]
do       = "callback"
play     = "beep.wav"
then     = "hangup"
if_fails = "agents"

[after_call.nudge]
needs_consent = "follow_up"
delay_minutes = 0
quiet_hours   = { from = "00:00", to = "00:00" }
via           = ["smpp"]
link          = "chat"
message       = "Example: one tap away {link} Reply STOP to opt out."
"#;

#[test]
fn nothing_that_the_api_senders_and_their_webhooks_are_told_is_in_logs_rows_files_or_answers() {
    search(&Place::new(), None);
}

#[test]
fn nothing_that_the_api_senders_and_their_webhooks_are_told_is_in_postgresql_or_its_log() {
    let place = Place::new();
    let cluster = Cluster::start(&place);
    search(&place, Some(cluster));
}

struct Site<'a> {
    place: &'a Place,
    emulator: Emulator,
    engine: Engine,
    /// Never takes an event: they wait in the database.
    crm: Crm,
    _pbx: Run,
}

impl<'a> Site<'a> {
    fn start(place: &'a Place, cluster: Option<&Cluster>) -> Self {
        let emulator = Emulator::start(place.ip(20)).unwrap();
        emulator.tells(&[Tell::plainly(Duration::from_millis(50), Says::Delivered)]);
        let crm = Crm::start(Answers::Status(500));
        place.write("hook", "hook-of-the-crm-4711");
        let mut lines = "tokens = [\n".to_owned();
        for scope in SCOPES {
            place.write(scope, &token(scope));
            lines += &format!(
                "  {{ name = \"{scope}\", secret = \"file:{scope}\", scope = \"{scope}\" }},\n"
            );
        }
        lines += &format!(
            "]\nwebhooks = [{{ url = \"{}/events\", secret = \"file:hook\", events = [\"*\"] }}]\n\
             [limits]\ntexts_per_caller = {{ per_hour = 9, per_day = 9 }}\n",
            crm.url()
        );
        let store = cluster.map(|it| format!("[store]\nurl = \"{}\"\n", it.url()));
        let outbound = "trusted = true\noutbound = true\naddress = \"sip:{carrier}:5060\"\n\
                        callback_from = \"+442079460018\"";
        let config = emulated(place, &emulator).replace("trusted    = true", outbound);
        let config = config + "\n" + &lines + &store.unwrap_or_default();
        place.beep();
        let engine = Engine::tracing(BIN, place, &config, FLOW);
        let pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(50).listen(place);
        Self { place, emulator, engine, crm, _pbx: pbx }
    }

    /// A call that presses these keys: `1@1200ms 5@4s`.
    fn rings(&self, from: &str, keys: &str) {
        let uri = format!("sip:+442079460018@{}", self.place.engine());
        let from = format!("+44{from}");
        let pressed = keys.split_whitespace().flat_map(|key| ["--press", key]);
        let args: Vec<&str> = ["--from", &from].into_iter().chain(pressed).collect();
        let told = call(BIN, self.place, &uri, &args);
        assert!(told.out.contains("\"status\":200"), "{told:?}");
    }

    fn asks(&self, scope: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        let headers = format!(
            "{}Authorization: Bearer {}\r\nIdempotency-Key: {body:.40}\r\n",
            web::JSON,
            token(scope)
        );
        let answer = web::ask(self.place, method, path, &headers, body);
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (web::status(&answer), serde_json::from_str(body).unwrap_or(Value::Null))
    }

    fn posts(&self, scope: &str, path: &str, body: &Value) -> (u16, Value) {
        self.asks(scope, "POST", path, &body.to_string())
    }
}

fn token(scope: &str) -> String {
    format!("t0ken-for-{scope}-51c9e2")
}

fn number(who: &str) -> String {
    format!("+44{who}")
}

/// Does what can be done, and looks everywhere.
fn search(place: &Place, cluster: Option<Cluster>) {
    let mut site = Site::start(place, cluster.as_ref());
    phones_call(&site);
    let called = systems_ask(&site);
    systems_err(&site, &called);
    people_write(&site);
    site.engine.idle();
    let link = opens_a_link(&site);
    eventually("the crm is told", || (site.crm.asked().len() >= 5).then_some(()));

    let mut seen = vec![("metrics".to_owned(), get(place, "/metrics"))];
    for (scope, path) in [
        ("read", "/v1/calls"),
        ("callbacks", "/v1/callbacks"),
        ("deflect", &format!("/v1/messages/{called}")),
        ("read", &format!("/v1/context/{called}")),
    ] {
        seen.push((path.to_owned(), site.asks(scope, "GET", path, "").1.to_string()));
    }
    tell(&site, &mut seen);
    site.engine.signal("TERM");
    assert!(site.engine.ended().success());
    site.engine.restart();
    // Now from the store.
    tell(&site, &mut seen);
    seen.push(("log".to_owned(), site.engine.log()));
    site.engine.kill();
    look_into_files(place, &mut seen);
    if let Some(cluster) = &cluster {
        look_into_cluster(cluster, &mut seen);
    }
    let database = if cluster.is_some() { "rows of message" } else { "carom.db" };
    assert!(seen.iter().any(|(name, text)| name.contains(database) && text.contains("delivered")));
    let log = &site.engine.log();
    assert!(log.contains("\"TRACE\"") && log.contains("\"DEBUG\""), "all is logged");
    let tokens = SCOPES.map(token);
    let own = [TOKEN, HOOK_SECRET, VERIFY_TOKEN, PASSWORD, "hook-of-the-crm-4711", &link];
    let all = who::ALL.iter().chain(&BODIES).chain(&WORDS).chain(&own).copied();
    for secret in all.chain(tokens.iter().map(String::as_str)) {
        is_nowhere(secret, &seen);
    }
}

/// All that the commands tell.
fn tell(site: &Site<'_>, seen: &mut Vec<(String, String)>) {
    look(&site.engine, seen);
    for args in [
        &["opt-outs", "list"][..],
        &["callbacks"],
        &["callbacks", "--json"],
        &["providers", "check"],
        &["report", "senders"],
    ] {
        let told = site.engine.cli(args);
        assert!(told.status.success() || args[0] == "providers", "{args:?}: {told:?}");
        seen.push((format!("carom {args:?}"), told.out + &told.err));
    }
}

/// A text by a centre with one that follows it, one by WhatsApp, one to a typed number, one that is
/// refused.
fn phones_call(site: &Site<'_>) {
    let typed = format!("0{}#", who::TYPED);
    let typed: String =
        (10..).zip(typed.chars()).map(|(at, key)| format!("{key}@{}ms ", at * 300)).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| site.rings(who::BY_SMPP, "1@1200ms 5@5s"));
        scope.spawn(|| site.rings(who::BY_WHATSAPP, "2@1200ms"));
        scope.spawn(|| site.rings(who::LANDLINE, &format!("1@1200ms {typed}1@8s")));
        scope.spawn(|| site.rings(who::REFUSED, "1@1200ms"));
    });
    let centre = site.emulator.centre();
    let to = |who: &str| {
        let got = centre.taken().into_iter().filter(|it| it.destination.text.contains(who)).count();
        (got > 0).then_some(got)
    };
    eventually("the text that follows", || (to(who::BY_SMPP) == Some(2)).then_some(()));
    eventually("a text to the typed number", || to(who::TYPED));
    assert_eq!(site.emulator.account(Personality::WhatsApp).taken().len(), 1);
}

/// Each route as it is meant; the id of a message, which stands for its call elsewhere.
fn systems_ask(site: &Site<'_>) -> String {
    let now_ms = Timestamp::now().as_millisecond();
    let asked = json!({"number": number(who::INVITED), "called": "+442079460018"});
    let (status, told) = site.posts("deflect", "/v1/eligibility", &asked);
    assert_eq!((status, &told["eligible"]), (200, &json!(true)), "{told}");
    let invite =
        json!({"offer_id": told["offer_id"], "text": "Example: as the IVR wants it {link}"});
    let (status, invited) = site.posts("deflect", "/v1/invite", &invite);
    assert_eq!((status, &invited["state"]), (200, &json!("accepted")), "{invited}");
    let message = invited["message_id"].as_str().unwrap().to_owned();
    for path in ["/v1/optouts", "/v1/optouts/remove", "/v1/optouts"] {
        let body = json!({"number": number(who::OPTED_OUT)});
        assert_eq!(site.posts("optouts", path, &body).0, 204);
    }
    let soon = now_ms + 3_600_000;
    let call_me = json!({"number": number(who::CALLED_BACK), "not_before_ms": soon});
    let (status, told) = site.posts("callbacks", "/v1/callbacks", &call_me);
    assert_eq!(status, 201, "{told}");
    let outcome = json!({"message_id": message, "kind": "callback_requested",
        "number": number(who::ANOTHER)});
    let (status, told) = site.posts("report", "/v1/outcomes", &outcome);
    assert!(status == 200 && told["callback_id"].is_string(), "{told}");
    let visit = json!({"kind": "visit", "entry_point": "app", "number": number(who::VISITED)});
    assert_eq!(site.posts("report", "/v1/events", &visit).0, 200);
    let counts = json!([{"date": "2026-11-28", "source": "faq", "kind": "visitors", "n": 120}]);
    assert_eq!(site.posts("report", "/v1/external-counts", &counts).0, 204);
    let reminder = json!({"number": number(who::REMINDED),
        "text": "Example: your parcel comes at noon", "purpose": "reminder", "language": "en-GB",
        "consent": {"asked_in": "web", "words": "Text me.", "at_ms": now_ms - 5_000}});
    let (status, told) = site.posts("messages", "/v1/messages", &reminder);
    assert_eq!(status, 202, "{told}");
    let by_hand = ["text", &number(who::REMINDED), BODIES[3], "--via", "vonage", "--yes"];
    assert!(site.engine.cli(&by_hand).status.success());
    message
}

/// What is wrong with a request is told to who asks, and nobody else; a number or a text among it.
fn systems_err(site: &Site<'_>, message: &str) {
    let wrong = number(who::MISSPELT);
    for (scope, path, body) in [
        ("deflect", "/v1/eligibility", format!("{{\"number\":\"{wrong}")),
        ("deflect", "/v1/eligibility", json!({"number": wrong, "called": 5}).to_string()),
        ("deflect", "/v1/eligibility", json!({"numbers": wrong}).to_string()),
        (
            "deflect",
            "/v1/eligibility",
            json!({"number": format!("{wrong}00000000"), "called": "x"}).to_string(),
        ),
        ("deflect", "/v1/invite", json!({"offer_id": wrong}).to_string()),
        ("optouts", "/v1/optouts", json!({"number": wrong, "business": WORDS[0]}).to_string()),
        ("callbacks", "/v1/callbacks", json!({"number": wrong, "call_id": WORDS[0]}).to_string()),
        ("report", "/v1/outcomes", json!({"call_id": message, "kind": wrong}).to_string()),
        ("report", "/v1/events", json!({"kind": "visit", "number": wrong}).to_string()),
        ("report", "/v1/external-counts", json!([{"date": wrong}]).to_string()),
        ("messages", "/v1/messages", json!({"number": wrong, "text": WORDS[0]}).to_string()),
        ("nobody", "/v1/optouts", json!({"number": wrong}).to_string()),
    ] {
        let (status, told) = site.asks(scope, "POST", path, &body);
        assert!((400..500).contains(&status), "{path}: {status} {told}");
    }
    // A number where an id is asked for, or behind a question mark.
    for path in [
        format!("/v1/messages/{wrong}"),
        format!("/v1/messages?number=%2B44{}", who::MISSPELT),
        format!("/v1/context/{wrong}"),
        format!("/nowhere/{wrong}"),
        format!("/l/{wrong}"),
    ] {
        assert!((400..500).contains(&site.asks("deflect", "GET", &path, "").0), "{path}");
    }
}

/// To each sender, in words; then that they want no more.
fn people_write(site: &Site<'_>) {
    let wrote = number(who::WROTE);
    for is in Personality::HTTP {
        if is == Personality::Gateway {
            continue;
        }
        for words in WORDS.into_iter().chain(["STOP"]) {
            let status = site.emulator.account(is).texts(&wrote, words);
            assert!(status.is_some_and(|status| status < 300), "{is:?}: {status:?}");
        }
    }
    let centre = site.emulator.centre();
    let before = centre.delivered().len();
    for words in WORDS {
        centre.delivers(Centre::text(&wrote, words));
    }
    eventually("the centre is answered", || (centre.delivered().len() >= before + 2).then_some(()));
    go_on_for(300);
}

/// The link of the message on WhatsApp is pressed; its token.
fn opens_a_link(site: &Site<'_>) -> String {
    let template = site.emulator.account(Personality::WhatsApp).taken()[0].posted.clone();
    let token = template.pointer("/template/components/0/parameters/0/text");
    let token = token.and_then(Value::as_str).expect("a token").to_owned();
    assert_eq!(token.len(), 22, "{template}");
    let path = format!("/l/{token}");
    let page = web::ask(site.place, "POST", &path, &format!("{SAFARI}{}", web::FORM), "to=0");
    assert!(page.starts_with("HTTP/1.1 200") || page.starts_with("HTTP/1.1 303"), "{page}");
    token
}
