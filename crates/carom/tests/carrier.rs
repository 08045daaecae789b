//! SIPp as the carrier: calls answered by the flow, their keys, and how they end.

use carom_blackbox::{
    Ask, CONFIG, Ear, Engine, KEYS, PCMA, PCMU, Place, Scenario, Wire, header, media_of, respond,
    sound,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn kh_15_a_call_over_udp_and_over_tcp_is_answered_and_ended_by_a_key_in_rtp() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    for tcp in [false, true] {
        let phone = Ear::at(place.carrier());
        let carrier = Scenario::new("carrier-waits", place.carrier()).ear(&phone);
        let carrier = if tcp { carrier.tcp() } else { carrier }.call(&place);
        let engine_rtp = phone.meets();
        phone.presses(engine_rtp, 1);
        carrier.succeeds();
        engine.idle();
        assert_eq!(engine.calls()[0]["step"], "welcome", "{:?}", engine.calls());
    }
    assert_eq!(engine.calls().len(), 2);
}

#[test]
fn a_key_by_info_counts_in_each_of_its_three_content_types() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    for (kind, body) in [
        ("application/dtmf-relay", "Signal=1\nDuration=120"),
        ("application/dtmf", "1"),
        ("application/telephone-event", "Signal: 1\nDuration: 120"),
    ] {
        let carrier = Scenario::new("carrier-sends-keys", place.carrier())
            .key("info_type", kind)
            .key("info_body", body)
            .pause_ms(200);
        let messages = carrier.call(&place).succeeds();
        assert!(messages.contains(kind), "{messages}");
    }
    engine.idle();
}

#[test]
fn a_key_in_tones_counts_where_no_events_were_offered_and_a_whistle_is_none() {
    let place = Place::new();
    let flow = KEYS.replace("1 = \"hangup\"", "1 = \"hangup\", 8 = \"again\"");
    let flow = format!(
        "{flow}\n[step.again]\ndo = \"menu\"\nplay = \"welcome.wav\"\n\
                        press = {{ \"#\" = \"hangup\" }}\nno_input = \"agents\"\n"
    );
    let engine = Engine::start_with(BIN, &place, CONFIG, &flow);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    for pt in [PCMU, PCMA] {
        let phone = Ear::at(here);
        let media = format!("m=audio {} RTP/AVP {pt}", phone.addr().port());
        let ask = Ask::new(&place, "INVITE").sdp(here, &[&media]);
        let answer = wire.ask(&ask);
        assert!(!answer.contains("telephone-event"), "{answer}");
        wire.send(&ask.within("ACK", "1 ACK", header(&answer, "To")).text(here));
        let to = phone.meets();
        // A whistle, then 8 and # as a keypad sends them.
        phone.plays(to, pt, &sound::tone(850.0, 1));
        for key in ['8', '#'] {
            phone.plays(to, pt, &sound::silence(100));
            phone.plays(to, pt, &sound::key(key, 100));
            phone.plays(to, pt, &sound::silence(100));
        }
        let bye = wire.receive_until("BYE");
        wire.send(&respond(&bye, "200 OK"));
        engine.idle();
        assert_eq!(engine.calls()[0]["step"], "again", "{}", engine.time_line());
        assert!(engine.time_line().contains("keys 2"), "{}", engine.time_line());
    }
}

#[test]
fn one_stream_runs_from_the_answer_to_the_goodbye() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let phone = Ear::at(place.carrier());
    let carrier = Scenario::new("carrier-hangs-up", place.carrier()).ear(&phone).pause_ms(700);
    carrier.call(&place).succeeds();
    engine.idle();
    let packets = phone.heard();
    assert!(packets.len() >= 30, "{} packets in 700 ms", packets.len());
    assert!(packets[0].marker, "the talkspurt's first packet is marked");
    for pair in packets.windows(2) {
        assert_eq!(pair[1].ssrc, pair[0].ssrc);
        assert_eq!(pair[1].seq, pair[0].seq.wrapping_add(1));
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160));
    }
}

#[test]
fn an_invite_without_an_offer_is_answered_with_one() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let phone = Ear::at(place.carrier());
    let carrier = Scenario::new("carrier-offers-nothing", place.carrier());
    let run = carrier.ear(&phone).key("codecs", "0").pause_ms(300).call(&place);
    phone.hears("the prompt in the law of the answer", |packet| packet.pt == PCMU);
    run.succeeds();
    engine.idle();
}

#[test]
fn a_caller_who_moves_and_holds_during_the_flow_is_followed() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let phone = Ear::at(place.carrier());
    let carrier = Scenario::new("carrier-holds", place.carrier()).ear(&phone).pause_ms(500);
    let carrier = carrier.key("hold", "inactive").call(&place);
    phone.hears("the prompt", |packet| packet.pt == PCMA);
    carrier.saw("CSeq: 2 ACK");
    assert!(phone.silent_for(10), "nothing is sent to a caller on hold");
    carrier.saw("CSeq: 3 ACK");
    phone.hears("the prompt again", |packet| packet.pt == PCMA);
    let answer = carrier.succeeds();
    assert!(answer.contains("a=inactive"), "{answer}");
    engine.idle();
}

#[test]
fn a_caller_may_hang_up_at_any_moment_of_the_flow() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    for pause_ms in [0, 20, 150] {
        let phone = Ear::at(place.carrier());
        let carrier = Scenario::new("carrier-hangs-up", place.carrier()).ear(&phone);
        let messages = carrier.pause_ms(pause_ms).call(&place).succeeds();
        assert_eq!(media_of(&place, &messages).ip(), place.engine());
        engine.idle();
        assert_eq!(engine.calls()[0]["end"], "caller_hangup", "after {pause_ms} ms");
    }
    assert_eq!(engine.calls().len(), 3);
}
