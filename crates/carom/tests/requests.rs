//! Single requests of a carrier, written by hand: what is refused with which code, and what is
//! read of an INVITE.

use carom_blackbox::{Ask, CONFIG, Database, Engine, KEYS, Place, Wire, eventually, header};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn what_nobody_can_serve_is_refused_with_its_code() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let invite = || Ask::new(&place, "INVITE").offer(here);
    let cases = [
        ("420", invite().line("Require: 100rel")),
        ("420", invite().line("Require: nonsense")),
        ("483", invite().line("Max-Forwards: 0")),
        (
            "482",
            (0..9).fold(invite(), |ask, _| {
                ask.more(&format!("X-Carom-Loop: carom-{}:5060", place.engine()))
            }),
        ),
        ("415", invite().line("Content-Type: application/isup")),
        ("416", invite().uri("https://example.com/")),
        (
            "488",
            Ask::new(&place, "INVITE")
                .sdp(here, &["m=audio 40000 RTP/AVP 9", "a=rtpmap:9 G722/8000"]),
        ),
        ("488", Ask::new(&place, "INVITE").sdp(here, &["m=audio 40000 RTP/SAVP 8"])),
        ("488", Ask::new(&place, "INVITE").sdp(here, &["m=image 40000 udptl t38"])),
        ("481", invite().line(&format!("To: <sip:100@{}>;tag=0123456789abcdef", place.engine()))),
        ("481", Ask::new(&place, "BYE")),
        ("481", Ask::new(&place, "INFO")),
        ("405", Ask::new(&place, "SUBSCRIBE")),
        // Which of the two: RFC 3261 §21.4.6 and §21.5.2 both fit.
        ("405|501", Ask::new(&place, "FROBNICATE")),
    ];
    for (status, ask) in cases {
        let reply = wire.ask(&ask);
        let told = reply["SIP/2.0 ".len()..].split(' ').next().unwrap();
        assert!(status.split('|').any(|status| status == told), "{status} for {ask:?}: {reply}");
        match status {
            "405" => {
                assert!(header(&reply, "Allow").contains("INVITE, ACK, CANCEL, BYE"), "{reply}")
            }
            "420" => {
                assert!(["100rel", "nonsense"].contains(&header(&reply, "Unsupported")), "{reply}")
            }
            "415" => assert_eq!(header(&reply, "Accept"), "application/sdp, multipart/mixed"),
            _ => {}
        }
    }
    let calls = engine.calls();
    assert!(calls.iter().all(|call| call["end"] == "rejected"), "none was taken: {calls:?}");
    assert_eq!(calls.len(), 3, "those whose offer had nothing for us are told");
    assert!(engine.time_line().contains("488 INVITE"), "{}", engine.time_line());
    let refused = "carom_calls_refused_total{reason=\"no_common_media\"}";
    assert_eq!(engine.metric(&place, refused), 3.0);
    engine.idle();
    let rows = "SELECT COUNT(*) FROM call WHERE end_reason = 'rejected' AND sip_final = 488 \
                AND ended_ms IS NOT NULL AND answered_ms IS NULL";
    let database = Database::of(&place);
    eventually("they are written", || (database.number(rows) == 3).then_some(()));
}

#[test]
fn options_tells_what_we_can_do() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let reply = Wire::at(&place, place.carrier()).ask(&Ask::new(&place, "OPTIONS"));
    assert!(reply.starts_with("SIP/2.0 200 "), "{reply}");
    assert!(header(&reply, "Allow").contains("UPDATE"), "{reply}");
    assert!(header(&reply, "Accept").contains("application/sdp"), "{reply}");
    engine.idle();
}

#[test]
fn video_and_fax_streams_are_refused_in_their_places() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let media = [
        "m=video 40002 RTP/AVP 96",
        "a=rtpmap:96 VP8/90000",
        "m=audio 40000 RTP/AVP 9 0 99",
        "a=rtpmap:99 telephone-event/8000",
        "m=image 40004 udptl t38",
        "m=audio 40006 RTP/AVP 8",
    ];
    let ask = Ask::new(&place, "INVITE").sdp(here, &media);
    let reply = wire.ask(&ask);
    assert!(reply.starts_with("SIP/2.0 200 "), "{reply}");
    let lines: Vec<&str> = reply.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(lines.len(), 4, "{reply}");
    assert_eq!(lines[0], "m=video 0 RTP/AVP 96");
    assert!(lines[1].starts_with("m=audio 2") && lines[1].ends_with(" RTP/AVP 0 99"), "{reply}");
    assert_eq!(lines[2], "m=image 0 udptl t38");
    assert_eq!(lines[3], "m=audio 0 RTP/AVP 8");
    wire.hang_up(&ask, &reply);
    engine.idle();
}

#[test]
fn a_merged_copy_is_refused_and_a_repeat_gets_the_same_answer() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let ask = Ask::new(&place, "INVITE").offer(here);
    let text = ask.text(here);
    wire.send(&text);
    wire.send(&text);
    wire.send(&text.replace("branch=z9hG4bK-", "branch=z9hG4bK-other-way-"));
    let merged = wire.receive_until("SIP/2.0 482");
    assert!(header(&merged, "Via").contains("other-way"), "{merged}");
    let reply = wire.receive_until("SIP/2.0 200");
    wire.hang_up(&ask, &reply);
    engine.idle();
    assert_eq!(engine.calls().len(), 1);
}

#[test]
fn the_caller_is_the_first_header_of_the_trunk_s_list_and_never_who_diverted() {
    let place = Place::new();
    let config = CONFIG.replace(
        "trusted    = true",
        "trusted    = true\ncaller_from = [\"Remote-Party-ID\", \"P-Asserted-Identity\", \"From\"]",
    );
    let cases = [
        (CONFIG, vec![], "GB …23"),
        (CONFIG, vec!["P-Asserted-Identity: <sip:+447700900111@carrier>"], "GB …11"),
        (CONFIG, vec!["Remote-Party-ID: <sip:+447700900133@carrier>;party=calling"], "GB …33"),
        (
            CONFIG,
            vec![
                "P-Asserted-Identity: <tel:+447700900111>",
                "Remote-Party-ID: <sip:+447700900133@c>",
            ],
            "GB …11",
        ),
        (CONFIG, vec!["Diversion: <sip:+447700900155@carrier>;reason=unconditional"], "GB …23"),
        (CONFIG, vec!["From: \"Ann\" <sip:07700900177@carrier>;tag=a"], "GB …77"),
        (CONFIG, vec!["From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=a"], "withheld"),
        (
            &config,
            vec![
                "P-Asserted-Identity: <tel:+447700900111>",
                "Remote-Party-ID: <sip:+447700900133@c>",
            ],
            "GB …33",
        ),
    ];
    let untrusted = CONFIG.replace("trusted    = true", "trusted    = false");
    let lie = (untrusted.as_str(), vec!["P-Asserted-Identity: <sip:+447700900111@x>"], "GB …23");
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let mut served = CONFIG.to_owned();
    for (config, lines, caller) in cases.into_iter().chain([lie]) {
        if config != served {
            engine.rewrite(&place, "carom.toml", |_| carom_blackbox::fill(&place, config));
            assert!(engine.cli(&["reload"]).status.success());
            config.clone_into(&mut served);
        }
        let ask = Ask::new(&place, "INVITE").offer(here);
        let ask = lines.iter().fold(ask, |ask, line| ask.line(line));
        let reply = wire.ask(&ask);
        assert!(reply.starts_with("SIP/2.0 200 "), "{reply}");
        wire.hang_up(&ask, &reply);
        assert_eq!(engine.calls()[0]["caller"], caller, "{lines:?}");
    }
    engine.idle();
}

#[test]
fn kh_14_a_call_forwarded_to_us_is_taken_by_the_flow_of_the_number_first_called() {
    let place = Place::new();
    let config = CONFIG.replace(
        "trusted    = true",
        "trusted    = true\ncalled_from = [\"History-Info\", \"Diversion\", \"Request-URI\"]",
    );
    let billing = KEYS.replace("default        = true", "numbers = [\"+442079460018\"]");
    let billing =
        billing.replace("\"Keys\"", "\"Billing\"").replace("target.agents", "target.billing");
    let billing = billing.replace("\"agents\"", "\"billing\"");
    place.write("flows/billing.toml", &carom_blackbox::fill(&place, &billing));
    let engine = Engine::start_with(BIN, &place, &config, KEYS);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    for (lines, flow) in [
        (vec![], "Keys"),
        (
            vec![
                "History-Info: <sip:+442079460018@ivr>;index=1, <sip:100@carom>;index=1.1",
                "Diversion: <sip:+442079460099@ivr>;reason=unconditional",
            ],
            "Billing",
        ),
        (
            vec![
                "Diversion: <sip:+442079460099@ivr>;reason=deflection",
                "Diversion: <sip:+442079460018@ivr>;reason=unconditional",
            ],
            "Billing",
        ),
    ] {
        let ask = Ask::new(&place, "INVITE").offer(here);
        let ask = lines.iter().fold(ask, |ask, line| ask.more(line));
        let reply = wire.ask(&ask);
        wire.hang_up(&ask, &reply);
        assert_eq!(engine.calls()[0]["flow"], flow, "{lines:?}");
    }
    engine.idle();
}

#[test]
fn a_bye_before_the_answer_ends_the_call_like_a_cancel() {
    let place = Place::new();
    let engine = Engine::forwarding(BIN, &place);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let pbx =
        carom_blackbox::Scenario::new("pbx-rings", place.pbx()).args(&["-m", "1"]).listen(&place);
    let ask = Ask::new(&place, "INVITE").offer(here);
    wire.send(&ask.text(here));
    let ringing = wire.receive_until("SIP/2.0 180");
    let to = format!("To: {}", header(&ringing, "To"));
    let bye = ask.text(here).replace("INVITE", "BYE").replace("CSeq: 1", "CSeq: 2");
    let bye = bye.split("Content-Type").next().unwrap().to_owned() + "Content-Length: 0\r\n\r\n";
    let asked = format!("To: <sip:100@{}>", place.engine());
    wire.send(&bye.replace(&asked, &to));
    let _ = wire.receive_until("SIP/2.0 487");
    pbx.succeeds();
    engine.idle();
    assert_eq!(engine.calls()[0]["end"], "caller_hangup");
}
