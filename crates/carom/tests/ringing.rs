//! What happens while the target rings: early media, ringback, giving up, late answers.

use carom_blackbox::{
    Ask, CONFIG, Ear, Engine, FORWARD, KEYS, PCMA, Place, Scenario, Wire, media_of,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn early_media_of_the_pbx_reaches_a_caller_who_is_not_answered() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let (caller, agent) = (Ear::at(place.carrier()), Ear::at(place.pbx()));
    let pbx = Scenario::new("pbx-announces", place.pbx()).ear(&agent).pause_ms(600);
    let pbx = pbx.listen_once(&place);
    let carrier = Scenario::new("carrier-hangs-up", place.carrier()).ear(&caller).pause_ms(100);
    let carrier = carrier.call(&place);
    carrier.saw("SIP/2.0 183");
    let to_agent = media_of(&place, &pbx.messages());
    agent.is_heard_by(to_agent, PCMA, 0x5c, &caller);
    assert!(!carrier.messages().contains("SIP/2.0 200"), "heard before the answer");
    carrier.succeeds();
    pbx.succeeds();
    engine.idle();
}

#[test]
fn a_refusal_after_early_media_reaches_the_caller() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let pbx = Scenario::new("pbx-announces-then-rejects", place.pbx()).key("status", "486 Busy");
    let pbx = pbx.pause_ms(50).listen_once(&place);
    let wire = Wire::at(&place, place.carrier());
    let reply = wire.ask(&Ask::new(&place, "INVITE").offer(place.carrier()));
    assert!(reply.starts_with("SIP/2.0 486"), "{reply}");
    pbx.succeeds();
    engine.idle();
}

#[test]
fn a_caller_who_is_answered_already_hears_our_ringback_and_then_the_agent() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let caller = Ear::at(place.carrier());
    let pbx = Scenario::new("pbx-rings", place.pbx()).listen_once(&place);
    let carrier = Scenario::new("carrier-hangs-up", place.carrier()).ear(&caller).pause_ms(1_200);
    let carrier = carrier.call(&place);
    caller.presses(caller.meets(), 0);
    pbx.saw("SIP/2.0 180");
    let tone = caller.hears("ringback", |p| p.pt == PCMA && loudness(&p.payload) > 500);
    assert_eq!(tone.from, caller.meets());
    carrier.succeeds();
    pbx.succeeds();
    engine.idle();
    assert_eq!(engine.calls()[0]["end"], "caller_hangup");
}

#[test]
fn where_an_address_fails_after_its_early_media_the_caller_hears_the_next_one_ring() {
    for is_answered in [false, true] {
        let place = Place::new();
        let next = format!("next_sip = [\"sip:agents@{}:5060\"]", place.ip(20));
        let engine = if is_answered {
            let flow = KEYS.replace("ping_seconds", &format!("{next}\nping_seconds"));
            Engine::start_with(BIN, &place, CONFIG, &flow)
        } else {
            let flow = FORWARD.replace("next_sip       = []", &next);
            Engine::start_with(BIN, &place, CONFIG, &flow)
        };
        let (caller, agent) = (Ear::at(place.carrier()), Ear::at(place.pbx()));
        let first = Scenario::new("pbx-announces-then-rejects", place.pbx()).ear(&agent);
        let first = first.key("status", "503 Full").pause_ms(1_500).listen_once(&place);
        let second = Scenario::new("pbx-rings", place.ip(20)).listen_once(&place);
        let (name, pause_ms) =
            if is_answered { ("carrier-hangs-up", 4_500) } else { ("carrier-gives-up", 1_500) };
        let carrier = Scenario::new(name, place.carrier()).ear(&caller).pause_ms(pause_ms);
        let carrier = carrier.call(&place);
        if is_answered {
            caller.presses(caller.meets(), 0);
        }
        first.saw("SIP/2.0 183");
        let to_first = media_of(&place, &first.messages());
        agent.is_heard_by(to_first, PCMA, 0x5c, &caller);
        second.saw("SIP/2.0 180");
        caller.hears("ringback", |p| p.pt == PCMA && loudness(&p.payload) > 500);
        // What still comes from the first address is nobody's.
        assert_ne!(media_of(&place, &second.messages()), to_first);
        carrier.succeeds();
        first.succeeds();
        second.succeeds();
        engine.idle();
    }
}

#[test]
fn a_caller_who_gives_up_while_it_rings_cancels_the_pbx() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let pbx = Scenario::new("pbx-rings", place.pbx()).listen_once(&place);
    let carrier = Scenario::new("carrier-gives-up", place.carrier()).pause_ms(50).call(&place);
    carrier.succeeds();
    pbx.succeeds();
    engine.idle();
    assert_eq!(engine.calls()[0]["end"], "caller_hangup");
}

#[test]
fn a_200_that_crosses_the_cancel_is_acknowledged_and_hung_up() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let pbx = Scenario::new("pbx-answers-late", place.pbx()).listen_once(&place);
    let carrier = Scenario::new("carrier-gives-up", place.carrier()).pause_ms(50).call(&place);
    carrier.succeeds();
    pbx.succeeds();
    engine.idle();
}

#[test]
fn a_cancel_that_crosses_our_200_changes_nothing_until_the_bye() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let ask = Ask::new(&place, "INVITE").offer(here);
    wire.send(&ask.text(here));
    let answer = wire.receive_until("SIP/2.0 200");
    wire.send(&ask.cancel(here));
    let cancelled = wire.receive_with("CSeq: 1 CANCEL");
    assert!(cancelled.starts_with("SIP/2.0 200"), "{cancelled}");
    wire.hang_up(&ask, &answer);
    engine.idle();
    let again = wire.ask(&Ask::new(&place, "OPTIONS"));
    assert!(again.starts_with("SIP/2.0 200"), "{again}");
}

#[test]
fn the_pbx_s_goodbye_and_its_reason_reach_the_carrier() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let pbx = Scenario::new("pbx-hangs-up", place.pbx());
    let reason = "Reason: Q.850;cause=31;text=\"Normal\"";
    let pbx = pbx.key("reason", &format!("\n{reason}")).pause_ms(50).listen_once(&place);
    let messages = Scenario::new("carrier-waits", place.carrier()).call(&place).succeeds();
    let bye = messages.split("BYE sip:").nth(1).unwrap();
    assert!(bye.contains(reason), "{bye}");
    pbx.succeeds();
    engine.idle();
    assert_eq!(engine.calls()[0]["end"], "forwarded");
}

/// The mean magnitude of A-law audio, coarsely.
fn loudness(payload: &[u8]) -> u32 {
    let magnitude = |byte: &u8| {
        let code = byte ^ 0x55;
        let (exponent, mantissa) = (u32::from(code >> 4 & 7), u32::from(code & 15));
        if exponent == 0 { mantissa << 4 } else { (mantissa + 16) << (exponent + 3) }
    };
    payload.iter().map(magnitude).sum::<u32>() / u32::try_from(payload.len()).unwrap()
}
