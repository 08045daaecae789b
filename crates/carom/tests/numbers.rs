//! X-02 through the whole program: a caller from a landline types a mobile number by real keys.

use carom_blackbox::{
    Ask, CONFIG, Database, Engine, Place, Scenario, Wire, call, eventually, twilio::Twilio,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const TYPED: &str = "07700900188#";

pub const FLOW: &str = r#"
version = 1

[flow]
name    = "Test line"
default = true
start   = "welcome"
human   = "agents"

[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0

[link.chat]
url      = "https://help.example.com/chat"
staffing = "self-service"
intents  = ["any"]

[step.welcome]
do       = "offer"
link     = "chat"
play     = "welcome.wav"
press    = { 1 = "text_me", 0 = "agents" }
accept   = ["1"]
no_input = "agents"
if_not_offered = "agents"

[step.text_me]
do             = "text"
link           = "chat"
message        = "Example: here is your link {link}"
confirm_number = "if-not-mobile"
then           = "hangup"
if_fails       = "agents"
"#;

#[test]
fn x_02_a_caller_from_a_landline_types_a_mobile_number_and_gets_the_text_there() {
    let place = Place::new();
    let twilio = Twilio::start(&place);
    let (before, http) = CONFIG.split_once("[provider.sandbox]").unwrap();
    let http = http.split_once("[http]").unwrap().1;
    let http = format!("\n[http]\npublic_url = \"http://{{engine}}:8080\"{http}");
    let config = before.to_owned() + &twilio.config(&place) + &http;
    let engine = Engine::start_with(BIN, &place, &config, FLOW);
    let _pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(50).listen(&place);

    let uri = format!("sip:100@{}", place.engine());
    let mut args = vec!["--from".to_owned(), "+442079460321".into(), "--press".into()];
    args.push("1@1200ms".into());
    for (at, key) in (10..).zip(TYPED.chars()) {
        args.extend(["--press".to_owned(), format!("{key}@{}ms", at * 300)]);
    }
    args.extend(["--press".to_owned(), "1@8000ms".into()]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let told = call(BIN, &place, &uri, &args);
    engine.idle();
    let posted = twilio.posted();
    assert_eq!(posted.len(), 1, "{told:?} {}", engine.time_line());
    assert_eq!(posted[0]["To"], "+447700900188");
    assert_eq!(engine.calls()[0]["end"], "deflected");

    // The offer that was accepted is the one the text fulfils, and the number is written nowhere.
    let store = Database::of(&place);
    let row = "SELECT m.state || ' ' || o.stage || ' ' || o.response FROM message m \
               JOIN offer o ON o.offer_id = m.offer_id";
    assert_eq!(store.texts(row), ["accepted use-case accepted"]);
    let inputs = store.texts("SELECT input FROM call_input").join("\n");
    let written = inputs + &engine.time_line() + &engine.log();
    for digits in ["7700900188", "\"7\"", "\"8\""] {
        assert!(!written.contains(digits), "{digits}: {written}");
    }
}

#[test]
fn x_07_a_caller_with_a_text_phone_reaches_a_person_without_any_offer() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, FLOW);
    let pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(50).listen_once(&place);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let media = ["m=audio 4000 RTP/AVP 8", "m=text 4002 RTP/AVP 98", "a=rtpmap:98 t140/1000"];
    let ask = Ask::new(&place, "INVITE").sdp(here, &media);
    let answer = wire.ask(&ask.line("Content-Type: application/sdp"));
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    pbx.succeeds();
    engine.idle();
    let store = Database::of(&place);
    let row = "SELECT end_reason FROM call WHERE ended_ms IS NOT NULL";
    let ends = eventually("written", || Some(store.texts(row)).filter(|rows| rows.len() == 1));
    assert_eq!(ends, ["forwarded"]);
    assert_eq!(store.number("SELECT COUNT(*) FROM offer"), 0);
}

#[test]
fn x_07_calls_by_a_text_relay_and_the_operator_s_own_reach_a_person_without_any_offer() {
    let place = Place::new();
    let marks =
        "trusted    = true\nrelay_prefixes = [\"18001\"]\ntest_callers = [\"+447700900777\"]";
    let config = CONFIG.replace("trusted    = true", marks);
    let engine = Engine::start_with(BIN, &place, &config, FLOW);
    let _pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(50).listen(&place);
    for (user, from) in
        [("18001100", "+447700900001"), ("100", "+447700900777"), ("100", "1800107700900002")]
    {
        let uri = format!("sip:{user}@{}", place.engine());
        let told = call(BIN, &place, &uri, &["--from", from]);
        assert!(told.out.contains("\"status\":200"), "{user} {from}: {told:?}");
        engine.idle();
    }
    let store = Database::of(&place);
    let rows = "SELECT did || ' ' || end_reason || ' ' || handled FROM call \
                WHERE ended_ms IS NOT NULL ORDER BY started_ms";
    let rows = eventually("written", || Some(store.texts(rows)).filter(|rows| rows.len() == 3));
    assert_eq!(rows, ["100 forwarded human", "100 test_call human", "100 forwarded human"]);
    assert_eq!(store.number("SELECT COUNT(*) FROM offer"), 0);
    // What the operator tries is no caller's call.
    assert_eq!(store.number("SELECT COUNT(*) FROM v_eligible WHERE end_reason = 'test_call'"), 0);
}
