//! Too many calls, and calls of strangers.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use carom_blackbox::{Ask, CONFIG, Engine, KEYS, Place, Scenario, Wire, eventually, header};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

/// An engine with `limits`.
fn engine(place: &Place, limits: &str) -> Engine {
    Engine::start_with(BIN, place, &format!("{CONFIG}\n[limits]\n{limits}\n"), KEYS)
}

#[test]
fn strangers_get_no_answer_and_are_counted() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let (there, stranger) = (place.stranger(), Wire::at(&place, place.stranger()));
    let invite = Ask::new(&place, "INVITE").offer(there);
    let sent = [
        invite.text(there),
        invite.cancel(there),
        Ask::new(&place, "OPTIONS").text(there),
        Ask::new(&place, "REGISTER").text(there),
        Ask::new(&place, "BYE").text(there),
        Ask::new(&place, "INVITE").line("Require: nonsense").text(there),
        "INVITE sip:100@x SIP/2.0\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
    ];
    for text in &sent {
        stranger.send(text);
    }
    let mut tcp = TcpStream::connect((place.engine(), 5060)).unwrap();
    tcp.write_all(b"\r\n\r\n").unwrap();
    tcp.write_all(Ask::new(&place, "OPTIONS").text(there).as_bytes()).unwrap();
    eventually("what was dropped is counted", || {
        let dropped = |reason| {
            engine.metric(&place, &format!("carom_sip_dropped_total{{reason=\"{reason}\"}}"))
        };
        (dropped("stranger") >= 6.0 && dropped("malformed") >= 2.0).then_some(())
    });
    let reply = Wire::at(&place, place.carrier()).ask(&Ask::new(&place, "OPTIONS"));
    assert!(reply.starts_with("SIP/2.0 200"), "{reply}");
    assert!(stranger.is_silent());
    let mut answer = Vec::new();
    let _ = tcp.read_to_end(&mut answer);
    assert_eq!(answer, b"", "the connection is closed without a word");
    assert_eq!(engine.calls().len(), 0);
}

#[test]
fn a_flood_of_strangers_costs_a_running_call_neither_its_place_nor_its_time_line() {
    let place = Place::new();
    let engine = engine(&place, "calls = 10");
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let ask = Ask::new(&place, "INVITE").offer(here);
    let answer = wire.ask(&ask);
    let (there, stranger) = (place.stranger(), Wire::at(&place, place.stranger()));
    let dropped = || engine.metric(&place, "carom_sip_dropped_total{reason=\"stranger\"}");
    for n in 1..=10 {
        for _ in 0..200 {
            stranger.send(&Ask::new(&place, "INVITE").offer(there).text(there));
        }
        // A full socket may drop some of them.
        eventually("the flood is seen", || (dropped() >= f64::from(n) * 50.0).then_some(()));
    }
    assert_eq!(engine.calls().len(), 1);
    assert!(engine.time_line().contains("200 INVITE"), "{}", engine.time_line());
    wire.hang_up(&ask, &answer);
    engine.idle();
    assert!(stranger.is_silent());
}

#[test]
fn near_the_limit_calls_go_straight_to_people_and_beyond_it_they_are_refused() {
    let place = Place::new();
    let engine = engine(&place, "calls = 10\nnew_calls_per_second = 1000");
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    let up: Vec<_> = (0..9)
        .map(|_| {
            let ask = Ask::new(&place, "INVITE").offer(here);
            let answer = wire.ask(&ask);
            assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
            (ask, answer)
        })
        .collect();
    let pbx = Scenario::new("pbx-answers", place.pbx()).listen_once(&place);
    let tenth = Ask::new(&place, "INVITE").offer(here);
    let answer = wire.ask(&tenth);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    pbx.saw("ACK sip:");
    assert!(engine.time_line().contains("overload"), "{}", engine.time_line());

    let refused = wire.ask(&Ask::new(&place, "INVITE").offer(here));
    assert!(refused.starts_with("SIP/2.0 503"), "{refused}");
    assert!(!refused.contains("Retry-After"), "{refused}");
    assert!(engine.metric(&place, "carom_calls_refused_total{reason=\"overload\"}") > 0.0);

    engine.rewrite(&place, "carom.toml", |c| c.replace("trusted    = true", "overload_code = 480"));
    assert!(engine.cli(&["reload"]).status.success());
    let refused = wire.ask(&Ask::new(&place, "INVITE").offer(here));
    assert!(refused.starts_with("SIP/2.0 480"), "the code is the trunk's: {refused}");

    for (ask, answer) in up.iter().chain([&(tenth, answer)]) {
        wire.hang_up(ask, answer);
    }
    pbx.succeeds();
    engine.idle();
    let ask = Ask::new(&place, "INVITE").offer(here);
    let answer = wire.ask(&ask);
    wire.hang_up(&ask, &answer);
    assert!(engine.time_line().contains("welcome"), "the flow is played again");
    engine.idle();
}

#[test]
fn a_rush_is_shed_and_the_next_second_s_calls_are_taken() {
    let place = Place::new();
    let engine = engine(&place, "new_calls_per_second = 2");
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    for _ in 0..8 {
        wire.send(&Ask::new(&place, "INVITE").offer(here).text(here));
    }
    let refused = wire.receive_until("SIP/2.0 503");
    assert_eq!(header(&refused, "Retry-After"), "");
    drop(wire);
    let wire = Wire::at(&place, place.ip(5));
    let (ask, answer) = eventually("a call is taken again", || {
        let ask = Ask::new(&place, "INVITE").offer(place.ip(5));
        let answer = wire.ask(&ask);
        answer.starts_with("SIP/2.0 200").then_some((ask, answer))
    });
    wire.hang_up(&ask, &answer);
    drop(engine);
}

#[test]
fn a_call_without_ports_for_both_its_legs_is_refused_and_leaves_none_taken() {
    let place = Place::new();
    // Two pairs: those of one call and its forward.
    let config = CONFIG.replace("20000-29999", "20000-20003");
    let engine = Engine::start_with(BIN, &place, &config, KEYS);
    let (here, wire) = (place.carrier(), Wire::at(&place, place.carrier()));
    for _ in 0..3 {
        let ask = Ask::new(&place, "INVITE").offer(here);
        let answer = wire.ask(&ask);
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
        let refused = wire.ask(&Ask::new(&place, "INVITE").offer(here));
        assert!(refused.starts_with("SIP/2.0 503"), "{refused}");
        wire.hang_up(&ask, &answer);
        engine.idle();
    }
    assert!(engine.metric(&place, "carom_calls_refused_total{reason=\"no_media_port\"}") >= 3.0);
}
