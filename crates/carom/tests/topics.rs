//! What is offered by what a caller is about, and by what is known of them: real keys, real rows.

use carom_blackbox::{
    CONFIG, Database, Engine, Place, Scenario, call, eventually, get,
    web::{Crm, Says},
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const FLOW: &str = r#"
version = 1

[flow]
name           = "Topics"
default        = true
start          = "main"
human          = "agents"
ask_again_days = 0
media_intents  = ["damage"]

[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0

[target.busy]
sip            = "sip:busy@{busy}:5060"
answered_means = "human"
ping_seconds   = 0
if_busy        = "once_more"

[link.chat]
url      = "https://help.example.com/chat"
staffing = "self-service"
intents  = ["any"]
[link.order]
url        = "https://help.example.com/orders/{order_ref}"
if_missing = "chat"
staffing   = "self-service"
intents    = ["any"]

[step.main]
do       = "menu"
play     = "beep.wav"
press    = { 1 = "early", 2 = "damage", 3 = "who", 4 = "picture" }
no_input = "agents"

[step.early]
do             = "offer"
stage          = "mid-call"
link           = "chat"
needs_intent   = true
play           = "beep.wav"
press          = { 1 = "text_order" }
accept         = ["1"]
no_input       = "agents"
if_not_offered = "topic"
[step.topic]
do     = "set"
intent = "billing"
then   = "late"
[step.late]
do             = "offer"
stage          = "use-case"
link           = "chat"
needs_intent   = true
play           = "beep.wav"
press          = { 1 = "text_order", 2 = "busy" }
accept         = ["1"]
no_input       = "agents"
if_not_offered = "agents"
[step.once_more]
do             = "offer"
link           = "chat"
play           = "beep.wav"
press          = { 1 = "text_order" }
accept         = ["1"]
no_input       = "agents"
if_not_offered = "agents"

[step.who]
do       = "lookup"
url      = "{crm}/caller"
save     = ["order_ref"]
public   = ["order_ref"]
then     = "text_order"
if_fails = "agents"
[step.text_order]
do       = "text"
via      = ["sandbox"]
link     = "order"
message  = "Example: {link}"
then     = "hangup"
if_fails = "agents"

[step.damage]
do     = "set"
intent = "damage"
then   = "picture"
[step.picture]
do       = "text"
via      = ["sandbox", "mms"]
link     = "chat"
message  = "Example: a picture please {link}"
then     = "hangup"
if_fails = "agents"
"#;

#[test]
fn ex_01_kh_04_kh_06_ic_01_an_offer_waits_for_the_topic_and_who_says_no_hears_no_other() {
    let site = Site::start(FLOW);
    let pbx = Scenario::new("pbx-hangs-up", site.place.pbx()).pause_ms(20).listen(&site.place);
    let busy = Scenario::new("pbx-rejects", site.place.ip(21)).key("status", "486 Busy Here");
    let busy = busy.listen_once(&site.place);
    site.rings("+447700900731", &["1@1s", "2@3s"]);
    let offers = "SELECT step || ' ' || stage || ' ' || COALESCE(intent, '-') || ' ' || response \
                  || ' ' || COALESCE(reason, '-') FROM offer ORDER BY offered_ms, step";
    let mut told = site.database.texts(offers);
    told.sort();
    assert_eq!(
        told,
        [
            "early mid-call - suppressed no_intent",
            "late use-case billing declined -",
            "once_more use-case billing suppressed chose_phone",
        ]
    );
    // Not even where the phone that was chosen is busy.
    assert!(busy.succeeds().contains("INVITE sip:busy@"));
    assert!(pbx.messages().contains("INVITE sip:agents@"));
    assert_eq!(site.end(), "forwarded");
    // Who never comes there is never asked.
    site.rings("+447700900732", &["9@1s", "9@2s", "9@3s"]);
    assert_eq!(site.database.number("SELECT COUNT(DISTINCT call_id) FROM offer"), 1);
}

#[test]
fn ex_03_a_link_whose_field_nobody_told_gives_way_to_the_one_that_was_declared_for_that() {
    let site = Site::start(FLOW);
    for (known, link) in [
        ("{}", "https://help.example.com/chat"),
        ("{\"order_ref\":\"\"}", "https://help.example.com/chat"),
        ("{\"order_ref\":\"A 1/2\"}", "https://help.example.com/orders/A%201%2F2"),
    ] {
        site.crm.says(Says::Json(known.into()));
        let from = format!("+44770090074{}", site.engine.calls().len());
        site.rings(&from, &["3@1s"]);
        assert_eq!(site.end(), "deflected", "{known}");
        let inbox = get(&site.place, "/sandbox");
        let (_, own) = inbox.split_once(&from).unwrap();
        let (_, text) = own.split_once("Example: ").unwrap();
        let sent = text.split(['<', '\n', ' ']).next().unwrap();
        assert_eq!(sent, link, "{known}: {own}");
    }
}

#[test]
fn ex_26_a_topic_that_needs_a_picture_goes_by_the_sender_that_carries_one() {
    let site = Site::start(FLOW);
    for (from, key) in [("+447700900751", "4@1s"), ("+447700900752", "2@1s")] {
        site.rings(from, &[key]);
        assert_eq!(site.end(), "deflected", "{key}");
    }
    let senders = site.database.texts("SELECT sender FROM message ORDER BY created_ms");
    assert_eq!(senders, ["sandbox", "mms"], "the first that will do");
}

/// Takes no calls any more: says so, and offers the text.
const DIGITAL_ONLY: &str = r#"
version = 1

[flow]
name           = "Digital"
default        = true
start          = "notice"
human          = "agents"
digital_only   = "acknowledged"
ask_again_days = 0

[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0

[link.chat]
url      = "https://help.example.com/chat"
staffing = "self-service"
intents  = ["any"]

[step.notice]
do   = "say"
play = "beep.wav"
then = "ask"
[step.ask]
do             = "offer"
stage          = "every-call"
link           = "chat"
play           = "beep.wav"
press          = { 1 = "text_me", 2 = "hangup" }
accept         = ["1"]
no_input       = "hangup"
if_not_offered = "hangup"
[step.text_me]
do       = "text"
link     = "chat"
message  = "Example: {link}"
then     = "hangup"
if_fails = "agents"
"#;

#[test]
fn kh_22_a_digital_only_line_offers_the_text_and_rings_nobody_but_for_protected_calls() {
    let site = Site::start(DIGITAL_ONLY);
    let pbx = Scenario::new("pbx-hangs-up", site.place.pbx()).pause_ms(20).listen(&site.place);
    site.rings("+447700900761", &["1@2s"]);
    assert_eq!(site.end(), "deflected");
    assert!(get(&site.place, "/sandbox").contains("+447700900761"));
    site.rings("+447700900762", &["0@500ms", "0@2s"]);
    site.rings("+447700900763", &["2@2s"]);
    assert!(!pbx.messages().contains("INVITE"), "{}", pbx.messages());

    let carrier = Scenario::new("carrier-waits", site.place.carrier());
    carrier.line("Priority: psap-callback").call(&site.place).succeeds();
    site.ended();
    assert!(pbx.messages().contains("INVITE sip:agents@"));
    assert_eq!(site.end(), "emergency_bypass");
    assert_eq!(site.database.number("SELECT COUNT(*) FROM offer"), 3, "it heard none");
}

/// A line, and the system of the business that it asks.
struct Site {
    engine: Engine,
    database: Database,
    crm: Crm,
    place: Place,
}

impl Site {
    fn start(flow: &str) -> Self {
        let place = Place::new();
        place.beep();
        let crm = Crm::start(Says::Json("{}".into()));
        let mms = "[sender.mms]\nprovider = \"sandbox\"\nfrom = \"+447700900998\"\n\
                   regions = [\"GB\"]\nmedia = true\n\n[http]";
        let config = CONFIG.replace("[http]", mms);
        let flow = flow.replace("{crm}", &crm.url());
        let flow = flow.replace("{busy}", &place.ip(21).to_string());
        let engine = Engine::start_with(BIN, &place, &config, &flow);
        Self { engine, database: Database::of(&place), crm, place }
    }

    /// A call that presses these keys, until it is over and written.
    fn rings(&self, from: &str, keys: &[&str]) {
        let mut args = vec!["--from", from];
        args.extend(keys.iter().flat_map(|key| ["--press", key]));
        let uri = format!("sip:100@{}", self.place.engine());
        let answer = call(BIN, &self.place, &uri, &args);
        assert!(answer.status.success(), "{answer:?}");
        self.ended();
    }

    fn ended(&self) {
        self.engine.idle();
        let open = "SELECT COUNT(*) FROM call WHERE ended_ms IS NULL";
        eventually("it is written", || (self.database.number(open) == 0).then_some(()));
    }

    /// How the newest call ended.
    fn end(&self) -> String {
        self.engine.calls()[0]["end"].as_str().unwrap().to_owned()
    }
}
