//! RTP as a carrier meets it: where it is sent, whom it is taken from, and that it never stops.

use carom_blackbox::{
    Ask, CONFIG, Database, Ear, Engine, FORWARD, KEYS, PCMA, Place, Scenario, Wire, eventually,
    header, media_of, respond,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
/// What the BYE says where media stopped.
const TIMEOUT: &str = "Q.850;cause=102;text=\"RTP timeout\"";

/// An engine that waits for media for a second.
fn impatient(place: &Place, flow: &str) -> Engine {
    let config = CONFIG.replace("workers = 1", "workers = 1\ntimeout_seconds = 1");
    Engine::start_with(BIN, place, &config, flow)
}

#[test]
fn a_peer_that_is_another_endpoint_by_now_gets_a_key_that_nothing_was_sent_by() {
    let place = Place::new();
    let config = CONFIG.replacen("[media]", "[media]\nsrtp = \"optional\"", 1);
    let engine = Engine::start_with(BIN, &place, &config, KEYS);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let offering = |ask: Ask, port: u16, key: &str| {
        let key = key.repeat(40);
        let crypto = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}");
        ask.sdp(here, &[&format!("m=audio {port} RTP/SAVP 8"), &crypto])
    };
    let first = offering(Ask::new(&place, "INVITE"), 40_000, "A");
    let answer = wire.ask(&first);
    let to = header(&answer, "To").to_owned();
    let key_in = |answer: &str| {
        let ours = answer.lines().find(|line| line.starts_with("a=crypto:1 "));
        ours.unwrap_or_else(|| panic!("{answer}")).to_owned()
    };
    wire.send(&first.within("ACK", "1 ACK", &to).text(here));
    let mut before = key_in(&answer);
    for (seq, port, key, renewed) in [
        (2, 40_002, "A", false),
        (3, 40_002, "B", false),
        (4, 40_004, "C", true),
        (5, 40_004, "C", false),
    ] {
        let again = first.within("INVITE", &format!("{seq} INVITE"), &to);
        let now = key_in(&wire.ask(&offering(again, port, key)));
        wire.send(&first.within("ACK", &format!("{seq} ACK"), &to).text(here));
        assert_eq!(now != before, renewed, "re-INVITE {seq}");
        before = now;
    }
    let bye = wire.ask(&first.within("BYE", "6 BYE", &to));
    assert!(bye.starts_with("SIP/2.0 200"), "{bye}");
    engine.idle();
}

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

#[test]
fn a_caller_whose_media_stop_is_hung_up_on_after_the_time_out() {
    let place = Place::new();
    let engine = impatient(&place, KEYS);
    let phone = Ear::at(place.carrier());
    let carrier = Scenario::new("carrier-waits", place.carrier()).ear(&phone).call(&place);
    // Longer than the time-out: media that come keep the call up.
    phone.speaks(phone.meets(), PCMA, 0xd5, 80);
    assert_eq!(engine.calls()[0]["end"], "running");
    let messages = carrier.succeeds();
    let bye = messages.split("BYE sip:").nth(1).unwrap();
    assert_eq!(header(bye, "Reason"), TIMEOUT, "{bye}");
    engine.idle();
    let line = engine.time_line();
    assert!(line.contains("caller: no media for the time-out"), "{line}");
    assert_eq!(engine.calls()[0]["end"], "caller_hangup");
    let rows = "SELECT COUNT(*) FROM call WHERE end_reason = 'caller_hangup' \
                AND ended_ms - answered_ms BETWEEN 2600 AND 6000";
    let database = Database::of(&place);
    eventually("it is written", || (database.number(rows) == 1).then_some(()));
}

#[test]
fn a_caller_on_hold_owes_no_media_and_owes_them_again_once_resumed() {
    let place = Place::new();
    let engine = impatient(&place, KEYS);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let phone = Ear::at(here);
    let media = format!("m=audio {} RTP/AVP 8", phone.addr().port());
    let ask = Ask::new(&place, "INVITE").sdp(here, &[&media, "a=inactive"]);
    let answer = wire.ask(&ask);
    let to = header(&answer, "To");
    wire.send(&ask.within("ACK", "1 ACK", to).text(here));
    assert!(phone.silent_for(100), "on hold for twice the time-out");
    assert_eq!(engine.calls()[0]["end"], "running");
    let resumed = wire.ask(&ask.within("INVITE", "2 INVITE", to).sdp(here, &[&media]));
    assert!(resumed.starts_with("SIP/2.0 200"), "{resumed}");
    wire.send(&ask.within("ACK", "2 ACK", to).text(here));
    let bye = wire.receive_until("BYE");
    assert_eq!(header(&bye, "Reason"), TIMEOUT, "{bye}");
    wire.send(&respond(&bye, "200 OK"));
    engine.idle();
}

#[test]
fn a_bridge_ends_on_both_sides_when_the_agent_s_media_stop() {
    let place = Place::new();
    let engine = impatient(&place, FORWARD);
    let (caller, agent) = (Ear::at(place.carrier()), Ear::at(place.pbx()));
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&agent).listen_once(&place);
    let carrier = Scenario::new("carrier-waits", place.carrier()).ear(&caller).call(&place);
    // The agent never says a word; the caller does not stop.
    let to_caller = caller.meets();
    eventually("the end of the call", || {
        caller.speaks(to_caller, PCMA, 0xd5, 5);
        (engine.calls()[0]["end"] != "running").then_some(())
    });
    let to_agent = pbx.succeeds();
    assert_eq!(header(to_agent.split("BYE sip:").nth(1).unwrap(), "Reason"), TIMEOUT);
    carrier.succeeds();
    engine.idle();
    let line = engine.time_line();
    assert!(line.contains("target: no media for the time-out"), "{line}");
    assert_eq!(engine.calls()[0]["end"], "forwarded");
}
