//! Forwarding to a PBX: how the target leg is set up, and what the caller gets of it.

use carom_blackbox::{
    Ask, CONFIG, Ear, Engine, FORWARD, KEYS, PCMA, PCMU, Place, Scenario, Wire, header, media_of,
    respond,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn kh_14_an_answered_forward_carries_audio_both_ways() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let (caller, agent) = (Ear::at(place.carrier()), Ear::at(place.pbx()));
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&agent).listen_once(&place);
    let carrier = Scenario::new("carrier-hangs-up", place.carrier()).ear(&caller).pause_ms(700);
    let carrier = carrier.call(&place);
    carrier.saw("ACK sip:");
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

#[test]
fn legs_of_different_laws_hear_each_other_and_keys_pass() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let (caller, agent) = (Ear::at(place.carrier()), Ear::at(place.pbx()));
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&agent).key("codecs", "0");
    let pbx = pbx.listen_once(&place);
    let carrier = Scenario::new("carrier-hangs-up", place.carrier()).ear(&caller).pause_ms(1_500);
    let carrier = carrier.call(&place);
    pbx.saw("ACK sip:");
    let (to_caller, to_agent) = (caller.meets(), agent.meets());
    // A-law 0x55 and µ-law 0x7f are almost silence, and the one of them becomes the other.
    caller.speaks(to_caller, PCMA, 0x2a, 10);
    agent.hears("a loud frame in µ-law", |p| p.pt == PCMU && p.payload[80] == 0x00);
    agent.speaks(to_agent, PCMU, 0x00, 10);
    caller.hears("a loud frame in A-law", |p| p.pt == PCMA && p.payload[80] == 0x2a);
    caller.presses(to_caller, 5);
    agent.hears("the key as an event", |p| p.pt == 101 && p.payload[0] == 5);
    carrier.succeeds();
    pbx.succeeds();
    engine.idle();
}

#[test]
fn a_pbx_without_telephone_event_gets_the_caller_s_keys_as_info() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let (caller, pbx) = (Ear::at(here), Wire::at(&place, place.pbx()));
    let media = format!("m=audio {} RTP/AVP 8 101", caller.addr().port());
    let ask = Ask::new(&place, "INVITE");
    let ask = ask.sdp(here, &[&media, "a=rtpmap:101 telephone-event/8000"]);
    wire.send(&ask.text(here));
    let invite = pbx.receive_until("INVITE");
    // An answer of audio alone.
    pbx.send(&respond(&invite, "200 OK"));
    let _ = pbx.receive_until("ACK");
    let answer = wire.receive_until("SIP/2.0 200");
    let to_caller = media_of(&place, &answer);
    for (event, signal) in [(5, "5"), (10, "*"), (11, "#")] {
        caller.presses(to_caller, event);
        let info = pbx.receive_until("INFO");
        pbx.send(&respond(&info, "200 OK"));
        assert_eq!(header(&info, "Content-Type"), "application/dtmf-relay", "{info}");
        let body = info.split_once("\r\n\r\n").unwrap().1;
        assert_eq!(body, format!("Signal={signal}\r\nDuration=100\r\n"), "{info}");
        assert_eq!(header(&info, "Content-Length"), body.len().to_string());
        assert_eq!(header(&info, "Call-ID"), header(&invite, "Call-ID"));
    }
    wire.hang_up(&ask, &answer);
    let bye = pbx.receive();
    assert!(bye.starts_with("BYE"), "each key was said once: {bye}");
    pbx.send(&respond(&bye, "200 OK"));
    engine.idle();
}

#[test]
fn a_pbx_s_key_reaches_a_caller_without_telephone_event_as_info() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let agent = Ear::at(place.pbx());
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&agent).listen_once(&place);
    let ask = Ask::new(&place, "INVITE").sdp(here, &["m=audio 40000 RTP/AVP 8"]);
    let answer = wire.ask(&ask);
    let to = header(&answer, "To");
    wire.send(&ask.within("ACK", "1 ACK", to).text(here));
    agent.presses(agent.meets(), 7);
    let info = wire.receive_until("INFO");
    wire.send(&respond(&info, "200 OK"));
    assert_eq!(header(&info, "Content-Type"), "application/dtmf-relay", "{info}");
    assert!(info.ends_with("\r\n\r\nSignal=7\r\nDuration=100\r\n"), "{info}");
    let bye = wire.ask(&ask.within("BYE", "2 BYE", to));
    assert!(bye.starts_with("SIP/2.0 200"), "{bye}");
    pbx.succeeds();
    engine.idle();
}

#[test]
fn dp_08_the_pbx_learns_who_calls_how_the_call_came_and_our_id_of_it() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let pbx = Scenario::new("pbx-hangs-up", place.pbx()).listen_once(&place);
    let carrier = Scenario::new("carrier-waits", place.carrier())
        .line("P-Asserted-Identity: \"Ann\" <sip:+447700900111@carrier>")
        .line("Diversion: <sip:+442079460018@ivr>;reason=unconditional")
        .line("History-Info: <sip:+442079460018@ivr>;index=1")
        .line("User-to-User: 00abc;encoding=hex")
        .call(&place);
    carrier.succeeds();
    let messages = pbx.succeeds();
    let invite = messages.split("INVITE sip:agents@").nth(1).unwrap();
    let id = header(invite, "X-Carom-Call");
    assert_eq!(engine.calls()[0]["call"], id);
    for line in [
        "P-Asserted-Identity: \"Ann\" <sip:+447700900111@carrier>",
        "Diversion: <sip:+442079460018@ivr>;reason=unconditional",
        "History-Info: <sip:+442079460018@ivr>;index=1",
        "User-to-User: 00abc;encoding=hex",
        "Max-Forwards: 69",
    ] {
        assert!(invite.contains(line), "{line}: {invite}");
    }
    assert!(header(invite, "From").contains("<sip:+447700900123@"), "{invite}");
    engine.idle();
}

#[test]
fn the_pbx_s_final_code_passes_back_to_a_call_that_is_not_answered() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let wire = Wire::at(&place, place.carrier());
    for (said, told) in [
        ("486 Busy Here", "486"),
        ("480 Temporarily Unavailable", "480"),
        ("488 Not Acceptable Here", "488"),
        ("404 Not Found", "404"),
        ("603 Decline", "603"),
        ("600 Busy Everywhere", "600"),
        ("401 Unauthorized\nWWW-Authenticate: Digest realm=\"pbx\", nonce=\"a\"", "403"),
        ("407 Proxy Authentication Required", "403"),
        ("503 Service Unavailable\nRetry-After: 600", "503"),
    ] {
        let pbx = Scenario::new("pbx-rejects", place.pbx()).key("status", said);
        let pbx = pbx.listen_once(&place);
        let reply = wire.ask(&Ask::new(&place, "INVITE").offer(place.carrier()));
        assert!(reply.starts_with(&format!("SIP/2.0 {told} ")), "{said}: {reply}");
        assert!(!reply.contains("Retry-After"), "{reply}");
        pbx.succeeds();
        engine.idle();
        assert_eq!(engine.calls()[0]["end"], "no_route");
    }
}

#[test]
fn a_redirection_is_not_followed() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let elsewhere = Wire::at(&place, place.ip(10));
    let status = format!("302 Moved\nContact: <sip:fraud@{}:5060>", place.ip(10));
    let pbx = Scenario::new("pbx-rejects", place.pbx()).key("status", &status);
    let pbx = pbx.listen_once(&place);
    let wire = Wire::at(&place, place.carrier());
    let reply = wire.ask(&Ask::new(&place, "INVITE").offer(place.carrier()));
    assert!(reply.starts_with("SIP/2.0 480"), "{reply}");
    assert_eq!(header(&reply, "Contact"), "", "the caller is not sent there either");
    pbx.succeeds();
    engine.idle();
    assert!(elsewhere.is_silent());
}

#[test]
fn each_failure_takes_the_exit_of_its_own() {
    let place = Place::new();
    let flow = FORWARD.replace(
        "ring_seconds   = 2",
        "ring_seconds   = 1\nif_busy = \"busy\"\nif_no_answer = \"nobody\"\nif_fails = \"failed\"",
    );
    let flow = format!(
        "{flow}
[step.busy]\ndo = \"set\"\nintent = \"busy\"\nthen = \"hangup\"\nfallback = false
[step.nobody]\ndo = \"set\"\nintent = \"nobody\"\nthen = \"hangup\"\nfallback = false
[step.failed]\ndo = \"set\"\nintent = \"failed\"\nthen = \"hangup\"\nfallback = false
"
    );
    let engine = Engine::start_with(BIN, &place, CONFIG, &flow);
    let wire = Wire::at(&place, place.carrier());
    for (scenario, status, step) in [
        ("pbx-rejects", "486 Busy Here", "busy"),
        ("pbx-rejects", "480 Temporarily Unavailable", "nobody"),
        ("pbx-rejects", "404 Not Found", "failed"),
        ("pbx-rejects", "603 Decline", "failed"),
        ("pbx-rings-then-rejects", "408 Request Timeout", "nobody"),
        ("pbx-rings", "-", "nobody"),
    ] {
        let pbx = Scenario::new(scenario, place.pbx()).key("status", status).pause_ms(100);
        let pbx = pbx.listen_once(&place);
        let reply = wire.ask(&Ask::new(&place, "INVITE").offer(place.carrier()));
        assert!(!reply.starts_with("SIP/2.0 2"), "{reply}");
        pbx.succeeds();
        engine.idle();
        assert_eq!(engine.calls()[0]["step"], step, "{scenario} {status}");
    }
}

#[test]
fn an_answered_caller_whom_the_pbx_refuses_is_put_to_the_fallback() {
    let place = Place::new();
    let config = CONFIG.replace("{pbx}", &place.ip(20).to_string());
    let engine = Engine::start_with(BIN, &place, &config, KEYS);
    for status in ["486 Busy Here", "480 Away", "488 Not Acceptable", "404 Not Found", "603 No"] {
        let phone = Ear::at(place.carrier());
        let agents = Scenario::new("pbx-rejects", place.pbx()).key("status", status);
        let agents = agents.listen_once(&place);
        let fallback = Scenario::new("pbx-hangs-up", place.ip(20)).pause_ms(50).listen_once(&place);
        let carrier = Scenario::new("carrier-waits", place.carrier()).ear(&phone).call(&place);
        phone.presses(phone.meets(), 0);
        carrier.succeeds();
        agents.succeeds();
        let messages = fallback.succeeds();
        assert!(messages.contains("INVITE sip:pbx@"), "{messages}");
        engine.idle();
    }
}

#[test]
fn with_every_target_dead_the_caller_hears_an_apology_and_is_hung_up_on() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let phone = Ear::at(place.carrier());
    let carrier = Scenario::new("carrier-waits", place.carrier()).ear(&phone).call(&place);
    phone.presses(phone.meets(), 0);
    carrier.succeeds();
    engine.idle();
    assert_eq!(engine.calls()[0]["end"], "apology", "{}", engine.time_line());
}
