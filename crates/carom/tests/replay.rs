//! `carom replay` on calls that really were.

use carom_blackbox::{CONFIG, Database, Engine, FLOW, Place, call, eventually, fill};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn a_call_is_replayed_through_its_flow_and_through_one_that_was_changed() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, FLOW);
    let uri = format!("sip:+442079460018@{}", place.engine());
    assert!(call(BIN, &place, &uri, &["--press", "1@1500ms"]).status.success());
    let id = eventually("the call is stored", || {
        Database::of(&place).texts("SELECT call_id FROM call WHERE end_reason = 'deflected'").pop()
    });
    let again = engine.cli(&["replay", &id]);
    assert!(again.status.success(), "{again:?}");
    assert!(again.out.contains("the call goes the way it went"), "{}", again.out);
    assert!(again.out.lines().any(|line| line.split_whitespace().eq(["deflected", "deflected"])));

    // The key that asked for the text leads to a person in this one.
    let changed = FLOW.replacen("1 = \"", "1 = \"agents\", 3 = \"", 1);
    assert_ne!(changed, FLOW);
    let file = place.write("changed.toml", &fill(&place, &changed));
    let again = engine.cli(&["replay", &id, file.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    assert!(again.out.contains("another way from its step"), "{}", again.out);
    assert!(again.out.contains("forwarded"), "{}", again.out);

    let none = engine.cli(&["replay", "ffffffff"]);
    assert!(!none.status.success() && none.err.contains("no call begins with"), "{none:?}");
}
