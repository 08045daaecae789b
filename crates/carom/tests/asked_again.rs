//! Callers who call again: in the same arm of an experiment, and not asked again too soon.

use std::thread;

use carom_blackbox::{CONFIG, Database, Engine, Place, call, eventually};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const FLOW: &str = r#"
version = 1

[flow]
name           = "Again"
default        = true
start          = "deal"
human          = "pbx"
KEYS

[link.chat]
url      = "https://help.example.com/chat"
staffing = "self-service"
intents  = ["any"]

[step.deal]
do             = "offer"
link           = "chat"
play           = "beep.wav"
press          = { 1 = "text_me", 2 = "pbx" }
accept         = ["1"]
no_input       = "pbx"
if_not_offered = "pbx"
OFFER

[step.text_me]
do       = "text"
link     = "chat"
message  = "Example: {link}"
then     = "hangup"
if_fails = "pbx"
"#;
const DAY_MS: i64 = 86_400_000;

#[test]
fn dp_22_a_caller_is_in_the_same_arm_at_each_call_after_restarts_and_reloads() {
    let again = Again::start("ask_again_days = 0\nholdout_percent = 50", "share = 50");
    let mut engine = again.engine;
    let callers: Vec<String> = (0..12).map(|n| format!("+4477009007{n:02}")).collect();
    let calls = |round: i64| {
        for some in callers.chunks(4) {
            thread::scope(|scope| {
                for from in some {
                    scope.spawn(|| rings(&again.place, from, &["--hang-up-after", "500ms"]));
                }
            });
        }
        ended(&again.database, round * 12);
    };
    calls(1);
    engine.kill();
    engine.restart();
    calls(2);
    engine.rewrite(&again.place, "flows/main.toml", |flow| {
        flow.replace("\"Example: {link}\"", "\"Example: here {link}\"")
    });
    let told = engine.cli(&["reload"]);
    assert!(told.status.success(), "{told:?}");
    calls(3);
    let revisions = "SELECT COUNT(DISTINCT flow_rev) FROM call";
    assert_eq!(again.database.number(revisions), 2, "the last calls are the new flow's");
    // What befell each caller: their arm, and why they heard no offer.
    let kinds = |columns: &str| {
        let sql = format!(
            "SELECT COUNT(*) FROM (SELECT DISTINCT {columns} FROM call c \
             JOIN offer o ON o.call_id = c.call_id) AS kinds"
        );
        again.database.number(&sql)
    };
    assert_eq!(kinds("caller_key"), 12);
    assert_eq!(kinds("caller_key, arm, response, reason"), 12, "the same at each of three calls");
    // The control group, those outside of the ramp, and those who heard it.
    assert_eq!(kinds("arm, response, reason"), 3, "of all kinds there were some");
}

#[test]
fn ic_16_who_declined_is_asked_again_after_the_days_of_the_flow_and_not_sooner() {
    let again = Again::start("ask_again_days = 3", "");
    let rings = |keys: &[&str]| rings(&again.place, "+447700900771", keys);
    rings(&["--press", "2@1500ms", "--hang-up-after", "3s"]);
    again.expects(&["declined -"]);
    rings(&["--hang-up-after", "500ms"]);
    again.expects(&["declined -", "suppressed declined_before"]);
    again.ages(3 * DAY_MS - 3_600_000);
    rings(&["--hang-up-after", "500ms"]);
    again.expects(&["declined -", "suppressed declined_before", "suppressed declined_before"]);
    again.ages(3_600_000);
    rings(&["--press", "2@1500ms", "--hang-up-after", "3s"]);
    let all =
        ["declined -", "suppressed declined_before", "suppressed declined_before", "declined -"];
    again.expects(&all);
    // It is that caller who is left alone, and nobody else.
    self::rings(&again.place, "+447700900772", &["--hang-up-after", "500ms"]);
    again.expects(&[&all[..], &["hangup -"]].concat());
}

#[test]
fn ic_16_a_rule_lets_an_offer_be_spoken_once_in_so_many_days() {
    let again = Again::start(
        "ask_again_days = 0\n[rule.weekly]\nevery = { days = 7 }",
        "only_if = [\"weekly\"]",
    );
    let rings = || rings(&again.place, "+447700900773", &["--hang-up-after", "500ms"]);
    rings();
    again.expects(&["hangup -"]);
    rings();
    let mut all = vec!["hangup -", "suppressed only_if:weekly"];
    again.expects(&all);
    again.ages(7 * DAY_MS - 3_600_000);
    rings();
    all.push("suppressed only_if:weekly");
    again.expects(&all);
    // What was not spoken does not begin the week anew.
    again.ages(3_600_000);
    rings();
    all.push("hangup -");
    again.expects(&all);
}

/// A running line, where nobody answers at the PBX.
struct Again {
    engine: Engine,
    database: Database,
    place: Place,
}

impl Again {
    fn start(keys: &str, offer: &str) -> Self {
        let place = Place::new();
        place.beep();
        let flow = FLOW.replace("KEYS", keys).replace("OFFER", offer);
        let engine = Engine::start_with(BIN, &place, CONFIG, &flow);
        Self { engine, database: Database::of(&place), place }
    }

    /// What became of the offer at each call so far.
    fn expects(&self, offers: &[&str]) {
        ended(&self.database, i64::try_from(offers.len()).unwrap());
        let sql = "SELECT response || ' ' || COALESCE(reason, '-') FROM offer o \
                   JOIN call c ON c.call_id = o.call_id ORDER BY started_ms";
        assert_eq!(self.database.texts(sql), offers);
    }

    /// All that happened lies so much further back.
    fn ages(&self, by_ms: i64) {
        self.database.execute(&format!(
            "UPDATE offer SET offered_ms = offered_ms - {by_ms}; \
             UPDATE call SET started_ms = started_ms - {by_ms}"
        ));
    }
}

fn rings(place: &Place, from: &str, keys: &[&str]) {
    let uri = format!("sip:100@{}", place.engine());
    let _ = call(BIN, place, &uri, &[&["--from", from], keys].concat());
}

fn ended(database: &Database, calls: i64) {
    let ended = "SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL";
    eventually("the calls are written", || (database.number(ended) == calls).then_some(()));
}
