//! A node on its way out: what new calls and running ones get.

use carom_blackbox::{
    Ask, CONFIG, Ear, Engine, KEYS, Place, Scenario, Wire, eventually, get, header,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn a_draining_node_takes_no_calls_and_ends_with_its_last_one() {
    let place = Place::new();
    let mut engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let phone = Ear::at(place.carrier());
    let call = Scenario::new("carrier-waits", place.carrier()).ear(&phone).call(&place);
    let engine_rtp = phone.meets();
    let told = engine.cli(&["drain"]);
    assert!(told.status.success() && told.out.contains("draining"), "{told:?}");

    let wire = Wire::at(&place, place.ip(5));
    let options = eventually("OPTIONS says so", || {
        let reply = wire.ask(&Ask::new(&place, "OPTIONS"));
        reply.starts_with("SIP/2.0 503").then_some(reply)
    });
    assert_eq!(header(&options, "Retry-After"), "30");
    let invite = wire.ask(&Ask::new(&place, "INVITE").offer(place.ip(5)));
    assert!(invite.starts_with("SIP/2.0 503"), "{invite}");
    assert_eq!(header(&invite, "Retry-After"), "30");
    assert!(get(&place, "/readyz").starts_with("HTTP/1.1 503"));
    assert!(get(&place, "/livez").starts_with("HTTP/1.1 200"));
    assert!(engine.runs());

    phone.presses(engine_rtp, 1);
    call.succeeds();
    assert!(engine.ended().success(), "{}", engine.log());
}

#[test]
fn a_second_sigterm_sends_calls_in_a_flow_to_people() {
    let place = Place::new();
    let mut engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let phone = Ear::at(place.carrier());
    let pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(300).listen_once(&place);
    let call = Scenario::new("carrier-waits", place.carrier()).ear(&phone).call(&place);
    phone.meets();
    engine.signal("TERM");
    eventually("the first is heard", || engine.log().contains("no new calls").then_some(()));
    assert!(engine.runs() && !pbx.messages().contains("INVITE"));
    engine.signal("TERM");
    pbx.saw("ACK sip:");
    assert!(engine.runs(), "the bridge goes on");
    call.succeeds();
    pbx.succeeds();
    assert!(engine.ended().success(), "{}", engine.log());
}

#[test]
fn a_third_sigterm_says_goodbye_to_both_sides_with_a_reason() {
    let place = Place::new();
    let mut engine = Engine::forwarding(BIN, &place);
    let pbx = Scenario::new("pbx-answers", place.pbx()).listen_once(&place);
    let call = Scenario::new("carrier-waits", place.carrier()).call(&place);
    pbx.saw("ACK sip:");
    for part in ["no new calls", "bridging the calls"] {
        engine.signal("TERM");
        eventually(part, || engine.log().contains(part).then_some(()));
    }
    assert!(engine.runs());
    engine.signal("TERM");
    let messages = call.succeeds();
    assert!(messages.contains("Reason: SIP;cause=503"), "{messages}");
    pbx.succeeds();
    assert!(engine.ended().success(), "{}", engine.log());
}

#[test]
fn at_the_drain_deadline_calls_end_with_a_reason() {
    let place = Place::new();
    let config = format!("{CONFIG}\n[control]\ndrain_deadline_minutes = 0\n");
    let mut engine = Engine::start_with(BIN, &place, &config, KEYS);
    let call = Scenario::new("carrier-waits", place.carrier()).call(&place);
    call.saw("ACK sip:");
    engine.signal("TERM");
    let messages = call.succeeds();
    assert!(messages.contains("Reason: SIP;cause=503"), "{messages}");
    assert!(engine.ended().success(), "{}", engine.log());
    engine.restart();
    assert!(engine.cli(&["status"]).status.success(), "it starts again by the same files");
}
