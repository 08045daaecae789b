//! Forwarding to a PBX: how the target leg is set up, and what the caller gets of it.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use carom_blackbox::{Ear, Engine, PCMA, Place, Scenario, media_of};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn kh_14_an_answered_forward_carries_audio_and_keys_both_ways() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let (caller, agent) = (Ear::at(place.carrier()), Ear::at(place.pbx()));
    let pbx =
        Scenario::new("pbx-answers", place.pbx()).ear(&agent).args(&["-m", "1"]).listen(&place);
    let carrier = Scenario::new("carrier-hangs-up", place.carrier()).ear(&caller).pause_ms(1_500);
    let carrier = carrier.call(&place);
    carrier.saw("SIP/2.0 200");
    pbx.saw("ACK sip:");
    let to_caller = media_of(&place, &carrier.messages());
    let to_agent = media_of(&place, &pbx.messages());
    let packet = caller.is_heard_by(to_caller, PCMA, 0x2a, &agent);
    assert_eq!(packet.from, to_agent, "the engine anchors the media");
    agent.is_heard_by(to_agent, PCMA, 0x5c, &caller);
    carrier.succeeds();
    pbx.succeeds();
    engine.idle();
}
