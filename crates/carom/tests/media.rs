//! RTP as a carrier meets it: where it is sent, whom it is taken from, and that it never stops.

use carom_blackbox::{
    Ask, CONFIG, Ear, Engine, KEYS, PCMA, Place, Scenario, Wire, eventually, media_of,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn a_carrier_behind_nat_is_found_by_where_its_media_come_from() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let phone = Ear::at(here);
    let ask = Ask::new(&place, "INVITE").offer(place.ip(60));
    let answer = wire.ask(&ask);
    let engine_rtp = media_of(&place, &answer);
    phone.speaks(engine_rtp, PCMA, 0xd5, 8);
    phone.hears("the prompt at the real place", |packet| packet.pt == PCMA);
    wire.hang_up(&ask, &answer);
    engine.idle();
    let line = engine.time_line();
    assert!(line.contains(&format!("media came from {}", phone.addr())), "{line}");
}

#[test]
fn media_of_a_stranger_are_neither_followed_nor_heard() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let (phone, stranger) = (Ear::at(place.carrier()), Ear::at(place.stranger()));
    let carrier = Scenario::new("carrier-hangs-up", place.carrier()).ear(&phone).pause_ms(900);
    let carrier = carrier.call(&place);
    let engine_rtp = phone.meets();
    phone.speaks(engine_rtp, PCMA, 0xd5, 6);
    stranger.speaks(engine_rtp, PCMA, 0x2a, 12);
    stranger.presses(engine_rtp, 1);
    phone.hears("the prompt goes on", |packet| packet.pt == PCMA);
    assert_eq!(stranger.heard().len(), 0);
    carrier.succeeds();
    engine.idle();
    assert_eq!(engine.calls()[0]["end"], "caller_hangup", "the stranger's key is nobody's");
}

#[test]
fn one_stream_runs_through_prompt_ringback_bridge_and_the_agent_s_silence() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let (phone, agent) = (Ear::at(place.carrier()), Ear::at(place.pbx()));
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&agent).listen_once(&place);
    let carrier = Scenario::new("carrier-hangs-up", place.carrier()).ear(&phone).pause_ms(1_600);
    let carrier = carrier.call(&place);
    let mut packets = Vec::new();
    eventually("the first packet", || {
        packets.extend(phone.heard());
        (!packets.is_empty()).then_some(())
    });
    phone.presses(packets[0].from, 0);
    pbx.saw("ACK sip:");
    agent.speaks(agent.meets(), PCMA, 0x2a, 15);
    // The agent says nothing from now on; the stream to the caller goes on all the same.
    carrier.succeeds();
    pbx.succeeds();
    packets.extend(phone.heard());
    let spoken = |packet: &&carom_blackbox::Packet| packet.payload.iter().all(|b| *b == 0x2a);
    let last = packets.iter().rposition(|packet| spoken(&packet)).expect("the agent's voice");
    assert!(packets.len() > last + 10, "silence is sent: {} of {}", last, packets.len());
    for pair in packets.windows(2) {
        assert_eq!(pair[1].ssrc, pair[0].ssrc, "one source");
        assert_eq!(pair[1].seq, pair[0].seq.wrapping_add(1), "no gap");
        let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        assert!((1..=8_000).contains(&step), "never back, never far ahead: {step}");
    }
    engine.idle();
}
