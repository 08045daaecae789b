//! Whole calls through the binary: its own test phone as the caller, SIPp as the PBX.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use carom_blackbox::{Engine, Place, Scenario, call};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

fn uri(place: &Place) -> String {
    format!("sip:100@{}", place.engine())
}

#[test]
fn kh_03_a_caller_who_presses_1_gets_the_text_and_the_call_ends() {
    let place = Place::new();
    let engine = Engine::start(BIN, &place);
    let heard = call(BIN, &place, &uri(&place), &["--press", "1@1s"]);
    assert!(heard.status.success(), "{heard:?}");
    let calls = engine.cli(&["calls"]);
    assert!(calls.out.contains("deflected"), "{calls:?}");
    let messages = engine.cli(&["messages"]);
    assert!(messages.out.contains("https://help.example.com/chat"), "{messages:?}");
    engine.idle();
}

#[test]
fn kh_14_a_caller_who_presses_0_is_forwarded_to_the_pbx() {
    let place = Place::new();
    let engine = Engine::start(BIN, &place);
    let pbx = Scenario::new("pbx-answers", place.pbx()).args(&["-m", "1"]).listen(&place);
    let heard = call(BIN, &place, &uri(&place), &["--press", "0@1s", "--hang-up-after", "3s"]);
    assert_eq!(heard.status.code(), Some(3), "{heard:?}");
    let messages = pbx.succeeds();
    assert!(messages.contains("INVITE sip:agents@"), "{messages}");
    assert!(messages.contains("X-Carom-Call: "), "{messages}");
    let calls = engine.cli(&["calls"]);
    assert!(calls.out.contains("forwarded"), "{calls:?}");
    engine.idle();
}
