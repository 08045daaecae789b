//! What callers did in each step, as the rows tell it, on both databases.

use std::thread;

use carom_blackbox::{CONFIG, Database, Engine, Place, Run, Scenario, call, eventually};
use serde_json::json;

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const FLOW: &str = r#"
version = 1

[flow]
name           = "Test line"
default        = true
start          = "main"
human          = "agents"
ask_again_days = 0

[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0

[link.chat]
url      = "https://help.example.com/chat"
staffing = "self-service"
intents  = ["any"]

[rule.complex]
intent = ["dispute"]

[step.main]
do         = "menu"
play       = "goodbye.wav"
press      = { 2 = "hours", 3 = "billing", 4 = "dispute", 0 = "agents" }
tries      = 1
timeout_ms = 5000
no_input   = "agents"

[step.hours]
do         = "answer"
play       = "goodbye.wav"
press      = { 5 = "main", 0 = "agents" }
tries      = 1
timeout_ms = 5000
no_input   = "hangup"

[step.billing]
do     = "set"
intent = "billing"
then   = "deal"

[step.dispute]
do     = "set"
intent = "dispute"
then   = "deal"

[step.deal]
do             = "offer"
link           = "chat"
never_if       = ["complex"]
play           = "goodbye.wav"
press          = { 1 = "text_me", 0 = "agents" }
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

/// The callers: last digits of their numbers, what they press, when they hang up.
const CALLERS: [(&str, &[&str]); 9] = [
    ("901", &["--press", "2@400ms", "--hang-up-after", "4500ms"]),
    ("902", &["--press", "2@400ms", "--hang-up-after", "1500ms"]),
    ("903", &["--press", "2@400ms", "--press", "0@3500ms"]),
    ("904", &["--press", "9@400ms"]),
    ("905", &["--hang-up-after", "1500ms"]),
    ("906", &["--press", "3@400ms", "--press", "0@1500ms"]),
    ("907", &["--press", "4@400ms"]),
    ("908", &["--press", "2@400ms"]),
    ("909", &[]),
];

#[test]
fn dp_10_dp_11_dp_12_ex_21_kh_06_on_sqlite_rows_say_what_callers_did() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, FLOW);
    rows_say_what_callers_did(&place, &engine, &Database::of(&place));
}

#[test]
fn dp_10_dp_11_dp_12_ex_21_kh_06_on_postgresql_rows_say_what_callers_did() {
    let place = Place::new();
    let database = Database::postgres();
    let config = format!("{CONFIG}\n[store]\nurl = \"{}\"\n", database.url());
    let engine = Engine::start_with(BIN, &place, &config, FLOW);
    rows_say_what_callers_did(&place, &engine, &database);
}

fn rows_say_what_callers_did(place: &Place, engine: &Engine, database: &Database) {
    let pbx: Run = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(20).listen(place);
    let uri = format!("sip:100@{}", place.engine());
    thread::scope(|scope| {
        for (last, args) in CALLERS {
            let (uri, from) = (&uri, format!("+447700900{last}"));
            scope.spawn(move || {
                let heard = call(BIN, place, uri, &[&["--from", &from], args].concat());
                assert!(heard.out.contains("\"status\":200"), "{last}: {heard:?}");
            });
        }
    });
    engine.idle();
    let ended = "SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL";
    eventually("all is written", || (database.number(ended) == 9).then_some(()));

    // EX-21: heard to its end it is an answer, unless a person is reached after all.
    assert_eq!(
        counts(database, "end_reason || ' ' || handled FROM call"),
        ["2 answered_in_ivr no_human", "2 caller_hangup no_human", "5 forwarded human"]
    );
    let answered = "kind || ' ' || c.end_reason FROM outcome o JOIN call c ON \
                    c.call_id = o.call_id";
    assert_eq!(counts(database, answered), ["2 answered_in_ivr answered_in_ivr"]);
    assert_eq!(counts(database, "how FROM v_deflected"), ["2 ivr_answer"]);

    // DP-11: each key, wrong keys and silence.
    let exits = "step || ' ' || exit FROM step WHERE kind IN ('menu', 'answer', 'offer')";
    assert_eq!(
        counts(database, exits),
        [
            "1 deal 0",
            "1 deal next",
            "1 hours 0",
            "2 hours hangup",
            "1 hours timeout",
            "4 main 2",
            "1 main 3",
            "1 main 4",
            "1 main hangup",
            "1 main timeout",
            "1 main wrong"
        ]
    );
    // DP-10: one key until the opening hours.
    let presses = engine.cli(&["report", "presses", "--json"]).out;
    let told: serde_json::Value = serde_json::from_str(&presses).unwrap();
    let hours =
        json!({ "flow": "Test line", "step": "hours", "answers": 4, "presses": 1.0, "most": 1 });
    assert_eq!(told, json!([hours]));

    // DP-12: who hung up in the menu had heard it for so long.
    let heard = "SELECT left_ms - entered_ms FROM step WHERE step = 'main' AND exit = 'hangup'";
    let heard = database.number(heard);
    assert!((1_200..3_000).contains(&heard), "{heard} ms");

    // KH-06, KH-18, EX-19: offered only in billing, with the intent; disputes get a person.
    assert_eq!(
        counts(database, "response || ' ' || intent || ' ' || COALESCE(reason, '') FROM offer"),
        ["1 declined billing ", "1 suppressed dispute never_if:complex"]
    );
    let intents = "intent || ' ' || end_reason FROM call WHERE intent IS NOT NULL";
    assert_eq!(counts(database, intents), ["1 billing forwarded", "1 dispute forwarded"]);
    assert_eq!(database.number("SELECT COUNT(*) FROM message"), 0);

    // What was served, by whom, and what the machine was told; no number in the open.
    assert_eq!(counts(database, "flow FROM flow_rev"), ["1 Test line"]);
    let revision = "SELECT COUNT(*) FROM call c JOIN flow_rev f ON f.flow_rev = c.flow_rev \
                    JOIN node n ON n.node_id = c.node_id AND n.node_boot = c.node_boot";
    assert_eq!(database.number(revision), 9);
    assert_eq!(counts(database, "kind FROM change_marker"), ["1 flow_rev"]);
    let told = "SELECT COUNT(*) FROM call c WHERE NOT EXISTS (SELECT 1 FROM call_input i WHERE \
                i.call_id = c.call_id)";
    assert_eq!(database.number(told), 0, "each call's inputs are kept");
    let clear = "SELECT COUNT(*) FROM call_input WHERE input LIKE '%7700900%'";
    assert_eq!(database.number(clear), 0);
    assert_eq!(pbx.messages().lines().filter(|line| line.starts_with("INVITE")).count(), 5);
}

/// How often each text occurs; `what` is an expression and where it is from.
fn counts(database: &Database, what: &str) -> Vec<String> {
    let (expression, from) = what.split_once(" FROM ").unwrap();
    database.texts(&format!(
        "SELECT CAST(COUNT(*) AS TEXT) || ' ' || ({expression}) FROM {from} \
         GROUP BY {expression} ORDER BY {expression}"
    ))
}
