//! A running node as its operator meets it: what the commands answer, to good and to bad words.

use carom_blackbox::{CONFIG, Database, Engine, FLOW, Place, call, eventually};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
/// Tests a flag.
const FLAGGED: &str = r#"
[rule.outage]
flag = "outage"

[step.sort]
do        = "decide"
case      = [{ if = "outage", go = "agents" }]
otherwise = "welcome"
"#;

#[test]
fn a_call_is_found_by_a_unique_beginning_of_its_id_or_by_a_sip_call_id() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, FLOW);
    let uri = format!("sip:100@{}", place.engine());
    for _ in 0..2 {
        assert!(call(BIN, &place, &uri, &["--hang-up-after", "100ms"]).out.contains("200"));
    }
    engine.idle();
    let ids: Vec<String> =
        engine.calls().iter().map(|call| call["call"].as_str().unwrap().to_owned()).collect();
    let common = ids[0].bytes().zip(ids[1].bytes()).take_while(|(a, b)| a == b).count();
    for beginning in ["", &ids[0][..1], &ids[0][..common]] {
        let told = engine.cli(&["calls", beginning]);
        assert!(!told.status.success(), "{beginning}: {told:?}");
        assert!(ids.iter().all(|id| told.err.contains(id)), "{beginning}: {told:?}");
    }
    for id in [&ids[0][..=common], &ids[0]] {
        let told = engine.cli(&["calls", id]);
        assert!(told.status.success() && told.out.contains(&ids[0]), "{id}: {told:?}");
    }
    let told = engine.cli(&["calls", "no-such-call"]);
    assert!(!told.status.success() && told.err.contains("no call"), "{told:?}");

    let database = Database::of(&place);
    let sql = format!("SELECT sip_call_id_a FROM call WHERE call_id = '{}'", ids[1]);
    let sip = eventually("it is written", || database.texts(&sql).pop());
    let told = engine.cli(&["calls", &sip]);
    assert!(told.out.contains(&ids[1]) && told.out.contains("us → caller  200"), "{told:?}");
}

#[test]
fn a_flag_that_no_flow_tests_or_that_has_no_name_is_not_set_without_a_word() {
    let place = Place::new();
    let flow = FLOW.replace("start          = \"welcome\"", "start = \"sort\"") + FLAGGED;
    let engine = Engine::start_with(BIN, &place, CONFIG, &flow);
    for bad in ["", " ", "out\nage", &"x".repeat(65)] {
        let told = engine.cli(&["flag", "set", bad]);
        assert!(!told.status.success() && told.err.contains("no name of a flag"), "{told:?}");
    }
    let told = engine.cli(&["flag", "set", "outgae"]);
    assert!(told.status.success(), "{told:?}");
    assert!(told.out.contains("no flow that is served tests it"), "{told:?}");
    assert!(told.out.contains("did you mean `outage`?"), "{told:?}");
    let told = engine.cli(&["flag", "set", "outage"]);
    assert_eq!(told.out, "flag outage is set\n");
    assert_eq!(engine.status()["flags"], serde_json::json!(["outage", "outgae"]));
    assert!(engine.cli(&["flag", "clear", "outgae"]).status.success());
    assert_eq!(engine.status()["flags"], serde_json::json!(["outage"]));
}
