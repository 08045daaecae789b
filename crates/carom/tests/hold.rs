//! New offers on a bridge, from either side: hold and resume reach the other party, new addresses
//! and codecs are followed.

use carom_blackbox::{
    Ask, CONFIG, Ear, Engine, PCMA, Place, Scenario, Wire, header, media_of, respond,
};

use super::waits::FLOW;

const BIN: &str = env!("CARGO_BIN_EXE_carom");

/// The line of the waits, called again after a minute only.
fn line() -> String {
    let line = FLOW.replace("welcome.wav", "beep.wav");
    line.replace("retry_every_seconds = 5", "retry_every_seconds = 60")
}

const BOT: &str = r#"
version = 1

[flow]
name    = "Bot"
default = true
start   = "bot"
human   = "agents"

[target.agents]
sip            = "sip:desk@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0

[target.bot_sip]
sip          = "sip:bot@{pbx}:5060"
ping_seconds = 0

[step.bot]
do     = "agent"
target = "bot_sip"
then   = "agents"
"#;

#[test]
fn the_pbx_holds_and_the_carrier_is_told_and_hears_its_music() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let (caller, agent) = (Ear::at(place.carrier()), Ear::at(place.pbx()));
    let pbx = Scenario::new("pbx-holds", place.pbx()).ear(&agent).pause_ms(700);
    let pbx = pbx.listen_once(&place);
    let carrier = Scenario::new("carrier-is-held", place.carrier()).ear(&caller).pause_ms(100);
    let carrier = carrier.call(&place);
    carrier.saw("a=sendonly");
    let (to_caller, to_agent) =
        (media_of(&place, &carrier.messages()), media_of(&place, &pbx.messages()));
    agent.is_heard_by(to_agent, PCMA, 0x5c, &caller);
    agent.heard();
    caller.speaks(to_caller, PCMA, 0x2a, 5);
    assert_eq!(agent.heard().len(), 0, "a PBX that holds gets nothing");
    carrier.succeeds();
    pbx.succeeds();
    engine.idle();
}

#[test]
fn the_carrier_holds_in_each_way_and_the_pbx_is_told() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    for (hold, hold_ip, told, answer) in [
        ("sendonly", None, "a=sendonly", "recvonly"),
        ("inactive", None, "a=inactive", "inactive"),
        ("sendrecv", Some("0.0.0.0"), "a=sendonly", "recvonly"),
    ] {
        let (caller, agent) = (Ear::at(place.carrier()), Ear::at(place.pbx()));
        let pbx = Scenario::new("pbx-is-held", place.pbx()).ear(&agent).key("hold", answer);
        let pbx = pbx.listen_once(&place);
        let carrier = Scenario::new("carrier-holds", place.carrier()).ear(&caller);
        let carrier = carrier.key("hold", hold).pause_ms(250);
        let carrier = hold_ip.iter().fold(carrier, |carrier, ip| carrier.key("hold_ip", ip));
        let carrier = carrier.call(&place);
        pbx.saw(told);
        carrier.saw("CSeq: 2 ACK");
        caller.heard();
        carrier.saw("CSeq: 3 ACK");
        caller.hears("audio again", |packet| packet.pt == PCMA);
        carrier.succeeds();
        let messages = pbx.succeeds();
        assert_eq!(messages.matches("INVITE sip:").count(), 3, "hold, resume: {messages}");
        engine.idle();
    }
}

#[test]
fn a_carrier_that_takes_no_reinvite_keeps_its_call() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let pbx = Scenario::new("pbx-holds-for-good", place.pbx()).pause_ms(50).listen_once(&place);
    let carrier = Scenario::new("carrier-refuses-reinvite", place.carrier()).pause_ms(200);
    carrier.call(&place).succeeds();
    pbx.succeeds();
    engine.idle();
    assert_eq!(engine.calls()[0]["end"], "forwarded");
}

#[test]
fn a_new_address_of_the_pbx_is_followed_and_is_nothing_to_the_carrier() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    for scenario in ["pbx-moves", "pbx-updates"] {
        let caller = Ear::at(place.carrier());
        let (desk, car) = (Ear::at(place.pbx()), Ear::at(place.pbx()));
        let port = car.addr().port().to_string();
        let pbx = Scenario::new(scenario, place.pbx()).ear(&desk).key("new_port", &port);
        let pbx = pbx.pause_ms(100).listen_once(&place);
        let carrier = Scenario::new("carrier-hangs-up", place.carrier()).ear(&caller);
        let carrier = carrier.pause_ms(900).call(&place);
        pbx.saw("o=pbx 53655765 2");
        let (to_caller, to_agent) = (caller.meets(), car.meets());
        caller.is_heard_by(to_caller, PCMA, 0x2a, &car);
        car.is_heard_by(to_agent, PCMA, 0x5c, &caller);
        let messages = carrier.succeeds();
        assert!(!messages.contains("INVITE sip:+447700900123"), "no re-INVITE: {messages}");
        pbx.succeeds();
        engine.idle();
    }
}

#[test]
fn an_offer_that_meets_the_carrier_s_gives_way_to_it_for_the_answer_says_the_same() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let pbx = Scenario::new("pbx-holds-for-good", place.pbx()).pause_ms(50).listen_once(&place);
    let ask = Ask::new(&place, "INVITE").offer(here);
    let answer = wire.ask(&ask);
    let to = header(&answer, "To");
    wire.send(&ask.within("ACK", "1 ACK", to).text(here));

    // The engine may try again after any time up to two seconds (RFC 3261 §14.1), also at once.
    let accepted = (2..9).find_map(|seq| {
        let hold = wire.receive_until("INVITE");
        assert!(hold.contains("a=sendonly"), "{hold}");
        wire.send(&respond(&hold, "491 Request Pending"));
        let reply = wire.ask(&ask.within("INVITE", &format!("{seq} INVITE"), to).offer(here));
        let accepted = reply.starts_with("SIP/2.0 200");
        assert!(accepted || reply.starts_with("SIP/2.0 491"), "{reply}");
        accepted.then_some((seq, reply))
    });
    let (seq, reply) = accepted.expect("an offer of the carrier's");
    assert!(reply.contains("a=sendonly"), "{reply}");
    wire.send(&ask.within("ACK", &format!("{seq} ACK"), to).text(here));
    let bye = wire.ask(&ask.within("BYE", "9 BYE", to));
    assert!(bye.starts_with("SIP/2.0 200"), "{bye}");
    pbx.succeeds();
    engine.idle();
}

#[test]
fn a_carrier_that_owes_an_ack_is_told_of_the_hold_after_it() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let pbx = Scenario::new("pbx-holds-for-good", place.pbx()).pause_ms(50).listen_once(&place);
    let ask = Ask::new(&place, "INVITE").offer(here);
    let answer = wire.ask(&ask);
    let to = header(&answer, "To");
    pbx.saw("CSeq: 2 ACK");
    wire.send(&ask.within("ACK", "1 ACK", to).text(here));
    let hold = wire.receive_until("INVITE");
    assert!(hold.contains("a=sendonly"), "{hold}");
    wire.send(&respond(&hold, "200 OK"));
    let _ = wire.receive_until("ACK");
    let bye = wire.ask(&ask.within("BYE", "2 BYE", to));
    assert!(bye.starts_with("SIP/2.0 200"), "{bye}");
    pbx.succeeds();
    engine.idle();
}

#[test]
fn a_fax_offer_is_refused_and_the_call_goes_on() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let pbx = Scenario::new("pbx-answers", place.pbx()).listen_once(&place);
    let ask = Ask::new(&place, "INVITE").offer(here);
    let answer = wire.ask(&ask);
    let to = header(&answer, "To");
    wire.send(&ask.within("ACK", "1 ACK", to).text(here));
    let fax = ask.within("INVITE", "2 INVITE", to).sdp(here, &["m=image 40004 udptl t38"]);
    let reply = wire.ask(&fax);
    assert!(reply.starts_with("SIP/2.0 488"), "{reply}");
    let bye = wire.ask(&ask.within("BYE", "3 BYE", to));
    assert!(bye.starts_with("SIP/2.0 200"), "{bye}");
    pbx.succeeds();
    engine.idle();
}

#[test]
fn a_new_codec_of_the_carrier_is_converted_for_the_pbx() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let (caller, agent) = (Ear::at(here), Ear::at(place.pbx()));
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&agent).listen_once(&place);
    let media = |pt: u8| format!("m=audio {} RTP/AVP {pt}", caller.addr().port());
    let ask = Ask::new(&place, "INVITE").sdp(here, &[&media(8)]);
    let answer = wire.ask(&ask);
    let to = header(&answer, "To");
    wire.send(&ask.within("ACK", "1 ACK", to).text(here));
    let to_agent = agent.meets();
    agent.is_heard_by(to_agent, PCMA, 0x5c, &caller);

    let changed = ask.within("INVITE", "2 INVITE", to).sdp(here, &[&media(0)]);
    let reply = wire.ask(&changed);
    assert!(reply.contains("RTP/AVP 0"), "{reply}");
    wire.send(&ask.within("ACK", "2 ACK", to).text(here));
    agent.speaks(to_agent, PCMA, 0x2a, 10);
    caller.hears("the agent in µ-law", |p| p.pt == 0 && p.payload[80] == 0x00);
    let bye = wire.ask(&ask.within("BYE", "3 BYE", to));
    assert!(bye.starts_with("SIP/2.0 200"), "{bye}");
    pbx.succeeds();
    engine.idle();
}

#[test]
fn a_carrier_that_asks_for_our_offer_gets_one_and_its_hold_is_passed_on() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let pbx = Scenario::new("pbx-is-held", place.pbx()).key("hold", "recvonly");
    let pbx = pbx.listen_once(&place);
    let ask = Ask::new(&place, "INVITE").offer(here);
    let answer = wire.ask(&ask);
    let to = header(&answer, "To");
    wire.send(&ask.within("ACK", "1 ACK", to).text(here));
    for (seq, direction) in [(2, "a=sendonly"), (3, "a=sendrecv")] {
        let offer = wire.ask(&ask.within("INVITE", &format!("{seq} INVITE"), to));
        assert!(offer.contains("m=audio 2") && offer.contains("a=sendrecv"), "{offer}");
        let ack = ask.within("ACK", &format!("{seq} ACK"), to);
        wire.send(&ack.sdp(here, &["m=audio 40000 RTP/AVP 8", direction]).text(here));
        pbx.saw(&format!("CSeq: {seq} ACK"));
    }
    let bye = wire.ask(&ask.within("BYE", "9 BYE", to));
    assert!(bye.starts_with("SIP/2.0 200"), "{bye}");
    pbx.succeeds();
    engine.idle();
}

#[test]
fn ic_04_a_hold_by_the_queue_ends_where_the_offer_begins_and_is_back_with_the_queue() {
    let place = Place::new();
    place.beep();
    let engine = Engine::start_with(BIN, &place, CONFIG, &line());
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let queue = Scenario::new("pbx-holds-for-good", place.pbx()).key("hold", "inactive");
    let queue = queue.pause_ms(100).listen_once(&place);
    let ask = Ask::new(&place, "INVITE").offer(here);
    let answer = wire.ask(&ask);
    let to = header(&answer, "To");
    wire.send(&ask.within("ACK", "1 ACK", to).text(here));
    // Without our media the offer would be silent, and without theirs its keys would be lost.
    for direction in ["a=inactive", "a=sendrecv"] {
        let offer = wire.receive_until("INVITE");
        assert!(offer.contains(direction), "{direction}: {offer}");
        wire.send(&respond(&offer, "200 OK"));
    }
    let key = ask.within("INFO", "2 INFO", to).line("Content-Type: application/dtmf-relay");
    assert!(wire.ask(&key.body("Signal=2\r\nDuration=160\r\n")).starts_with("SIP/2.0 200"));
    let held = wire.receive_until("INVITE");
    assert!(held.contains("a=inactive"), "the queue is heard again: {held}");
    wire.send(&respond(&held, "200 OK"));
    let bye = wire.ask(&ask.within("BYE", "3 BYE", to));
    assert!(bye.starts_with("SIP/2.0 200"), "{bye}");
    queue.succeeds();
    engine.idle();
}

#[test]
fn ic_04_who_is_back_in_our_own_line_is_not_held_by_the_queue_that_is_gone() {
    let place = Place::new();
    place.beep();
    let engine = Engine::start_with(BIN, &place, CONFIG, &line());
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let queue = Scenario::new("pbx-holds-and-hangs-up", place.pbx());
    let queue = queue.pause_ms(300).listen_once(&place);
    let ask = Ask::new(&place, "INVITE").offer(here);
    let answer = wire.ask(&ask);
    let to = header(&answer, "To");
    wire.send(&ask.within("ACK", "1 ACK", to).text(here));
    for direction in ["a=sendonly", "a=sendrecv"] {
        let offer = wire.receive_until("INVITE");
        assert!(offer.contains(direction), "{direction}: {offer}");
        wire.send(&respond(&offer, "200 OK"));
    }
    let bye = wire.ask(&ask.within("BYE", "2 BYE", to));
    assert!(bye.starts_with("SIP/2.0 200"), "{bye}");
    queue.succeeds();
    engine.idle();
}

#[test]
fn a_hold_by_a_bot_is_nothing_to_the_person_who_takes_over_and_nobody_is_resumed_to_be_hung_up_on()
{
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, BOT);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let pbx = Scenario::new("pbx-holds-and-hangs-up", place.pbx());
    let pbx = pbx.pause_ms(300).args(&["-m", "2"]).listen(&place);
    let ask = Ask::new(&place, "INVITE").offer(here);
    let answer = wire.ask(&ask);
    let to = header(&answer, "To");
    wire.send(&ask.within("ACK", "1 ACK", to).text(here));
    let refused = |offer: &str| respond(offer, "200 OK").replace("a=recvonly", "a=inactive");
    let hold = wire.receive_until("INVITE");
    assert!(hold.contains("a=sendonly"), "{hold}");
    wire.send(&refused(&hold));
    let resumed = wire.receive_until("INVITE");
    assert!(resumed.contains("a=sendrecv"), "{resumed}");
    pbx.saw("\nINVITE sip:desk@");
    let asked = pbx.messages();
    let desk = asked.rsplit("\nINVITE sip:desk@").next().unwrap();
    assert!(desk.split("\nSIP/2.0").next().unwrap().contains("a=sendrecv"), "{desk}");
    wire.send(&respond(&resumed, "200 OK"));
    // The person holds, too, and hangs up: then there is nothing to be resumed for.
    let hold = wire.find(|message| message.starts_with("INVITE") && message.contains("a=sendonly"));
    wire.send(&respond(&hold, "200 OK"));
    let last = wire.find(|message| message.starts_with("INVITE") || message.starts_with("BYE"));
    assert!(last.starts_with("BYE"), "{last}");
    wire.send(&respond(&last, "200 OK"));
    pbx.succeeds();
    engine.idle();
}
