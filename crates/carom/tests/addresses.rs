//! A target's addresses, tried in order: when the next one is tried, and when it is not.

use std::net::UdpSocket;

use carom_blackbox::{
    Ask, CONFIG, Database, Ear, Engine, FORWARD, Place, Run, Scenario, Wire, eventually, respond,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

/// An engine whose target has a second address, at `place.ip(20)`.
fn engine(place: &Place) -> Engine {
    let next = format!("[\"sip:agents@{}:5060\"]", place.ip(20));
    let config = CONFIG.replace("{pbx}", &place.nobody().to_string());
    Engine::start_with(
        BIN,
        place,
        &config,
        &FORWARD.replace("next_sip       = []", &format!("next_sip = {next}")),
    )
}

fn second(place: &Place) -> Run {
    Scenario::new("pbx-answers", place.ip(20)).listen_once(place)
}

fn one_call(place: &Place) -> Run {
    Scenario::new("carrier-hangs-up", place.carrier()).pause_ms(50).call(place)
}

#[test]
fn the_next_address_is_tried_at_once_where_the_first_one_fails() {
    let place = Place::new();
    let engine = engine(&place);
    for status in
        ["408 Request Timeout", "500 Error", "502 Bad Gateway", "503 Full", "504 Time-out"]
    {
        let first = Scenario::new("pbx-rejects", place.pbx()).key("status", status);
        let (first, second) = (first.listen_once(&place), second(&place));
        one_call(&place).succeeds();
        first.succeeds();
        second.succeeds();
        engine.idle();
    }
    assert_eq!(engine.calls().len(), 5);
}

#[test]
fn the_next_address_is_tried_at_once_where_nobody_listens_at_the_first() {
    let place = Place::new();
    let engine = engine(&place);
    let second = second(&place);
    one_call(&place).succeeds();
    second.succeeds();
    let line = engine.time_line();
    assert!(!line.contains("CANCEL"), "ICMP said that there is nothing to cancel: {line}");
    engine.idle();
}

#[test]
fn a_silent_address_is_given_up_and_a_late_answer_of_it_is_hung_up() {
    let place = Place::new();
    let engine = engine(&place);
    let silent = Wire::at(&place, place.pbx());
    let second = second(&place);
    let carrier = one_call(&place);
    let invite = silent.receive_until("INVITE");
    second.saw("ACK sip:");
    // CANCEL may not go before a provisional response (RFC 3261 §9.1); then it does at once.
    silent.send(&respond(&invite, "180 Ringing"));
    let cancel = silent.receive_until("CANCEL");
    silent.send(&respond(&cancel, "200 OK"));
    let answer = respond(&invite, "200 OK");
    silent.send(&answer);
    let _ = silent.receive_until("ACK");
    let bye = silent.receive_until("BYE");
    silent.send(&respond(&bye, "200 OK"));
    carrier.succeeds();
    second.succeeds();
    engine.idle();
}

#[test]
fn an_address_that_is_silent_after_one_that_rang_is_given_up_as_soon_as_any() {
    let place = Place::new();
    let next = format!("[\"sip:agents@{0}:5070\", \"sip:agents@{0}:5060\"]", place.ip(20));
    let flow = FORWARD.replace("next_sip       = []", &format!("next_sip = {next}"));
    let flow = flow.replace("ring_seconds   = 2", "ring_seconds   = 30");
    let engine = Engine::start_with(BIN, &place, CONFIG, &flow);
    let first = Scenario::new("pbx-rings-then-rejects", place.pbx()).key("status", "503 Full");
    let first = first.pause_ms(1_000).listen_once(&place);
    let silent = UdpSocket::bind((place.ip(20), 5070)).unwrap();
    let third = second(&place);
    let carrier = one_call(&place);
    // After 700 ms, not when the first one would have rung long enough.
    third.saw("ACK sip:");
    drop(silent);
    carrier.succeeds();
    first.succeeds();
    third.succeeds();
    engine.idle();
    let database = Database::of(&place);
    let ended = "SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL";
    eventually("written", || (database.number(ended) == 1).then_some(()));
    let waited_ms = database.number("SELECT ended_ms - started_ms FROM call");
    assert!(waited_ms < 6_000, "{waited_ms} ms: {}", engine.time_line());
}

#[test]
fn the_called_party_s_own_word_is_not_asked_twice() {
    let place = Place::new();
    let engine = engine(&place);
    let other = Wire::at(&place, place.ip(20));
    let wire = Wire::at(&place, place.carrier());
    for status in ["480 Away", "486 Busy Here", "603 Decline", "404 Not Found", "302 Moved"] {
        let first = Scenario::new("pbx-rejects", place.pbx()).key("status", status);
        let first = first.listen_once(&place);
        let reply = wire.ask(&Ask::new(&place, "INVITE").offer(place.carrier()));
        assert!(!reply.starts_with("SIP/2.0 2"), "{reply}");
        first.succeeds();
        engine.idle();
    }
    assert!(other.is_silent());
}

#[test]
fn the_caller_who_gives_up_cancels_the_address_that_is_being_tried() {
    let place = Place::new();
    let engine = engine(&place);
    let first = Scenario::new("pbx-rejects", place.pbx()).key("status", "503 Full");
    let first = first.listen_once(&place);
    let second = Scenario::new("pbx-rings", place.ip(20)).listen_once(&place);
    let carrier = Scenario::new("carrier-gives-up", place.carrier()).pause_ms(50).call(&place);
    carrier.succeeds();
    first.succeeds();
    second.succeeds();
    engine.idle();
    assert_eq!(engine.calls()[0]["end"], "caller_hangup");
}

#[test]
fn a_large_invite_goes_by_tcp_and_by_udp_where_nobody_takes_tcp() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let phone = Ear::at(place.carrier());
    let long = format!("User-to-User: {};encoding=hex", "0a".repeat(400));
    for tcp in [true, false] {
        let pbx = Scenario::new("pbx-answers", place.pbx());
        let pbx = if tcp { pbx.tcp() } else { pbx }.listen_once(&place);
        let carrier = Scenario::new("carrier-hangs-up", place.carrier()).ear(&phone).line(&long);
        carrier.pause_ms(100).call(&place).succeeds();
        let messages = pbx.succeeds();
        let via = if tcp { "Via: SIP/2.0/TCP" } else { "Via: SIP/2.0/UDP" };
        assert!(messages.contains(via) && messages.contains(&long), "{messages}");
        engine.idle();
    }
}
