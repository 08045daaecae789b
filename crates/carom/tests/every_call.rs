//! The offer on every call: a hundred callers, and why each of them heard it or not.

use std::collections::BTreeMap;

use carom_blackbox::{CONFIG, Database, Engine, Place, Scenario, eventually};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const FLOW: &str = r#"
version = 1

[flow]
name            = "Every call"
default         = true
start           = "deal"
human           = "agents"
holdout_percent = 10

[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0

[link.chat]
url      = "https://help.example.com/chat"
staffing = "self-service"
intents  = ["any"]

[rule.elsewhere]
caller_prefix = ["+4477009008"]

[step.deal]
do             = "offer"
stage          = "every-call"
link           = "chat"
never_if       = ["elsewhere"]
play           = "beep.wav"
timeout_ms     = 5000
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

#[test]
fn kh_05_all_but_the_control_group_and_those_a_rule_excludes_hear_the_offer() {
    let place = Place::new();
    place.beep();
    let engine = Engine::start_with(BIN, &place, CONFIG, FLOW);
    let pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(20).listen(&place);
    // A fifth of them from where a rule says so.
    let callers: String = (0..100)
        .map(|n| format!("+447700900{}{n:02};\n", if n % 5 == 0 { 8 } else { 7 }))
        .collect();
    let carrier = Scenario::new("carrier-waits", place.carrier()).key("caller", "[field0]");
    let carrier = carrier.file("callers.csv", format!("SEQUENTIAL\n{callers}").into_bytes());
    carrier.args(&["-inf", "callers.csv"]).call_many(&place, 100, 10).succeeds();
    engine.idle();
    let database = Database::of(&place);
    let written = "SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL";
    eventually("all are written", || (database.number(written) == 100).then_some(()));
    let rows = database.texts(
        "SELECT stage || ' ' || arm || ' ' || response || ' ' || COALESCE(reason, '-') \
         FROM offer o JOIN call c ON c.call_id = o.call_id",
    );
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows {
        *kinds.entry(row).or_default() += 1;
    }
    let held_out = kinds["every-call holdout suppressed holdout"];
    let excluded = kinds["every-call on suppressed never_if:elsewhere"];
    let heard = kinds["every-call on timeout -"];
    assert_eq!((kinds.len(), held_out + excluded + heard), (3, 100), "{kinds:?}");
    assert!((4..20).contains(&held_out) && (15..=20).contains(&excluded), "{kinds:?}");
    // Who did not hear it was put through at once, unanswered until then.
    let asked = "SELECT COUNT(*) FROM step WHERE left_ms - entered_ms > 4000";
    assert_eq!(database.number(asked), i64::try_from(heard).unwrap());
    assert!(pbx.messages().contains("INVITE sip:agents@"));
}
