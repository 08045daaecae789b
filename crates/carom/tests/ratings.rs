//! EX-15: who used a link is asked once how it went, on its page or by a text.

use carom_blackbox::{
    Database, Engine, Place, call, eventually, go_on_for,
    twilio::{TOKEN, Twilio, post},
    web::{self, SAFARI},
};
use deflect_actions::provider::twilio::signature;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const CALLER: &str = "+447700900181";
/// Two hours, in ms.
const DELAY_MS: i64 = 7_200_000;

/// 1 is texted the link, and 5 after it agrees to be asked.
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

[link.orders]
url      = "https://shop.example.com/orders"
staffing = "self-service"
intents  = ["any"]
tracked  = true

[step.welcome]
do       = "menu"
play     = "beep.wav"
press    = { 1 = "text_me", 0 = "agents" }
no_input = "agents"

[step.text_me]
do          = "text"
link        = "orders"
message     = "Example: your order page {link}"
wait_prompt = "none"
sent_prompt = "none"
then        = "sent"
if_fails    = "agents"

[step.sent]
do       = "menu"
play     = "beep.wav"
press    = { 5 = "yes", 0 = "agents" }
no_input = "hangup"

[step.yes]
do      = "set"
consent = "feedback"
then    = "hangup"

[after_call.how]
asks          = "rating"
needs_consent = "feedback"
quiet_hours   = { from = "00:00", to = "00:00", zone = "UTC" }
message       = "Example: did it help? Answer 1 (no) to 5 (yes). Reply STOP to opt out."
"#;

#[test]
fn ex_15_how_it_went_is_asked_by_text_two_hours_after_the_link_was_opened() {
    let site = Site::new();
    site.calls();
    go_on_for(1_200);
    assert_eq!(site.twilio.posted_to(CALLER).len(), 1, "nobody has opened the link");
    site.opens();
    assert_eq!(site.store().number(DUE), DELAY_MS);

    // The two hours pass.
    site.store().execute("UPDATE message SET next_try_ms = 1 WHERE purpose = 'rating'");
    site.is_asked();
    let page = site.http("GET", &site.link(), &format!("{SAFARI}{}", site.cookie()), "");
    assert!(!page.contains("/rating"), "asked already: {page}");
    assert_eq!(site.answers("SM1", "4, thank you"), "");
    assert_eq!(site.answers("SM2", "1"), "", "the second is no rating");
    let outcomes = "SELECT kind || ' ' || COALESCE(csat, 0) || ' ' || source FROM outcome \
                    WHERE source = 'text' ORDER BY kind";
    assert_eq!(site.store().texts(outcomes), ["rated 4 text", "resolved 0 text"]);
}

#[test]
fn ex_15_a_session_that_is_closed_brings_the_question_forward() {
    let site = Site::new();
    site.calls();
    let call_id = site.store().texts("SELECT call_id FROM call").remove(0);
    let closed = format!("{{\"call_id\":\"{call_id}\",\"kind\":\"closed\"}}");
    let json = "Content-Type: application/json\r\n";
    assert!(site.http("POST", "/v1/outcomes", json, &closed).starts_with("HTTP/1.1 204"));
    go_on_for(1_200);
    assert_eq!(site.twilio.posted_to(CALLER).len(), 1, "nobody has opened the link");
    site.opens();
    site.is_asked();
}

#[test]
fn ex_15_who_is_asked_on_the_page_gets_no_text() {
    let site = Site::new();
    site.calls();
    site.opens();
    let mine = format!("{SAFARI}{}", site.cookie());
    assert!(site.http("GET", &site.link(), &mine, "").contains("Did this solve it?"));
    let row = "SELECT state || ' ' || error_class FROM message WHERE purpose = 'rating'";
    assert_eq!(site.store().texts(row), ["canceled asked_on_page"]);
}

/// The node dies before the question is in the outbox, or before it is given its moment.
const HELD: [&str; 2] = [
    "BEFORE INSERT ON message WHEN NEW.purpose = 'rating'",
    "BEFORE UPDATE OF valid_until_ms ON message",
];

#[test]
fn ex_15_x_06_killed_with_a_question_to_ask_it_asks_who_was_at_the_link_by_then() {
    std::thread::scope(|scope| {
        for (held, waiting) in HELD.into_iter().zip([0, 1]) {
            scope.spawn(move || asks_after_a_kill(held, waiting));
        }
    });
}

fn asks_after_a_kill(held: &str, waiting: i64) {
    let mut site = Site::new();
    site.hold(held);
    site.takes_the_link();
    eventually(held, || (site.store().number(WAITING) == waiting).then_some(()));
    site.opens();
    assert_eq!(site.store().number(WAITING), waiting, "{held}");
    site.dies();
    eventually("the question has its moment", || {
        (site.store().number(WAITING) == 1 && site.store().number(DUE) == DELAY_MS).then_some(())
    });
    site.store().execute("UPDATE message SET next_try_ms = 1 WHERE purpose = 'rating'");
    site.is_asked();
    go_on_for(1_200);
    assert_eq!(site.twilio.posted_to(CALLER).len(), 2, "{held}: once");
}

#[test]
fn ex_15_x_06_killed_with_a_question_to_ask_it_leaves_alone_who_was_asked_on_the_page() {
    let mut site = Site::new();
    site.hold(HELD[0]);
    site.takes_the_link();
    site.opens();
    let mine = format!("{SAFARI}{}", site.cookie());
    assert!(site.http("GET", &site.link(), &mine, "").contains("Did this solve it?"));
    site.dies();
    let row = "SELECT state || ' ' || error_class FROM message WHERE purpose = 'rating' \
               AND state <> 'queued'";
    eventually("it is taken back", || {
        (site.store().texts(row) == ["canceled asked_on_page"]).then_some(())
    });
}

/// Texts that wait to ask.
const WAITING: &str = "SELECT COUNT(*) FROM message WHERE purpose = 'rating' AND state = 'queued'";
/// How long after the opening they do.
const DUE: &str = "SELECT m.next_try_ms - l.redeemed_ms FROM message m JOIN link l \
                   ON l.call_id = m.call_id WHERE m.purpose = 'rating' AND m.state = 'queued'";

struct Site {
    place: Place,
    engine: Engine,
    twilio: Twilio,
    cookie: std::cell::OnceCell<String>,
}

impl Site {
    fn new() -> Self {
        let place = Place::new();
        place.beep();
        let twilio = Twilio::start(&place);
        let limits = "\n[limits]\ntexts_per_caller = { per_hour = 9, per_day = 9 }\n";
        let config = twilio.engine_config(&place) + limits;
        let engine = Engine::start_with(BIN, &place, &config, FLOW);
        Self { place, engine, twilio, cookie: std::cell::OnceCell::new() }
    }

    fn store(&self) -> Database {
        Database::of(&self.place)
    }

    /// From now on the store refuses this.
    fn hold(&self, what: &str) {
        self.store().execute(&format!(
            "CREATE TRIGGER held {what} BEGIN SELECT RAISE(ABORT, 'not now'); END"
        ));
    }

    /// The node is killed, and started when the store refuses nothing any more.
    fn dies(&mut self) {
        self.engine.kill();
        self.store().execute("DROP TRIGGER held");
        self.engine.restart();
    }

    /// The caller takes the link, and agrees to be asked.
    fn takes_the_link(&self) {
        let uri = format!("sip:100@{}", self.place.engine());
        let args = ["--from", CALLER, "--press", "1@1200ms", "--press", "5@4500ms"];
        assert!(call(BIN, &self.place, &uri, &args).status.success());
        self.engine.idle();
        let ended = "SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL";
        eventually("its end is written", || (self.store().number(ended) == 1).then_some(()));
    }

    /// The same, and the question waits.
    fn calls(&self) {
        self.takes_the_link();
        eventually("the question waits", || (self.store().number(WAITING) == 1).then_some(()));
    }

    /// Path of the page.
    fn link(&self) -> String {
        let text = self.twilio.posted_to(CALLER)[0]["Body"].clone();
        let (_, path) = text.split_once(":8080").unwrap();
        path.split_whitespace().next().unwrap().to_owned()
    }

    /// The browser's name, as it sends it.
    fn cookie(&self) -> &str {
        self.cookie.get_or_init(|| {
            let page = self.http("GET", &self.link(), SAFARI, "");
            let (_, cookie) = page.split_once("set-cookie: ").unwrap();
            format!("Cookie: {}\r\n", cookie.split(';').next().unwrap())
        })
    }

    /// The person presses the button of the page.
    fn opens(&self) {
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        let headers = format!("{SAFARI}{form}{}", self.cookie());
        let leads = self.http("POST", &self.link(), &headers, "to=0");
        assert!(leads.starts_with("HTTP/1.1 303"), "{leads}");
    }

    fn is_asked(&self) {
        let texts = eventually("the question", || {
            let texts = self.twilio.posted_to(CALLER);
            (texts.len() == 2).then_some(texts)
        });
        assert!(texts[1]["Body"].contains("did it help?"), "{texts:?}");
    }

    /// The person writes; returns what is answered.
    fn answers(&self, id: &str, body: &str) -> String {
        let path = "/webhooks/twilio/twilio/inbound";
        let form = [("MessageSid", id), ("From", CALLER), ("To", "+447700900999"), ("Body", body)];
        let owned: Vec<_> = form.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let url = format!("http://{}:8080{path}", self.place.engine());
        let answer = post(&self.place, path, &form, &signature(TOKEN, &url, &owned));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let message = answer.split_once("<Message>").map(|(_, message)| message.to_owned());
        message.unwrap_or_default()
    }

    fn http(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        web::ask(&self.place, method, path, headers, body)
    }
}
