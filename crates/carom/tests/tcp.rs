//! SIP over TCP as a server: peers that send rubbish, never end, never read, or are too many cost
//! themselves their connection and nobody a call.

use std::{process::Command, time::Duration};

use carom_blackbox::{
    Ask, CONFIG, Engine, KEYS, Place, Run, Scenario, Stream, Wire, eventually, eventually_within,
    go_on_for,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn rubbish_ends_its_connection_and_nothing_else() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let call = call_by_tcp(&place, 1_500);
    call.saw("ACK sip:");
    let unmeasured = options(&place).replace("Content-Length: 0\r\n", "");
    for rubbish in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00\x00\x00\x00",
        "ÆØÅ hello\r\n\r\n".as_bytes(),
        unmeasured.as_bytes(),
        options(&place).replace("Content-Length: 0", "Content-Length: -1").as_bytes(),
        options(&place).replace("Content-Length: 0", "Content-Length: 99999999").as_bytes(),
        "X".repeat(70_000).as_bytes(),
    ] {
        let mut peer = Stream::at(&place, place.carrier());
        peer.sends(rubbish);
        let what = String::from_utf8_lossy(&rubbish[..rubbish.len().min(40)]).into_owned();
        eventually(&what, || peer.is_closed().then_some(()));
    }
    still_serves(&place, &engine);
    call.succeeds();
    engine.idle();
}

#[test]
fn a_message_that_never_ends_is_hung_up_on_however_it_drips() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let mut still = Stream::at(&place, place.carrier());
    assert!(still.sends(b"OPTIONS sip:100@x SIP/2.0\r\nVia: "));
    let mut drips = Stream::at(&place, place.carrier());
    assert!(drips.sends(b"OPTIONS sip:100@x SIP/2.0\r\nVia: "));
    let mut good = Stream::at(&place, place.carrier());
    assert!(good.sends(options(&place).as_bytes()));
    assert!(good.receive().starts_with("SIP/2.0 200"));
    still_serves(&place, &engine);
    assert!(!still.is_closed() && !drips.is_closed(), "not yet");
    eventually_within(Duration::from_secs(15), "both are hung up on", || {
        drips.sends(b"x");
        (still.is_closed() && drips.is_closed()).then_some(())
    });
    assert!(good.sends(options(&place).as_bytes()), "a peer that was understood stays");
    assert!(good.receive().starts_with("SIP/2.0 200"));
    engine.idle();
}

#[test]
fn a_peer_that_never_reads_is_hung_up_on_and_stalls_nobody() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let call = call_by_tcp(&place, 1_500);
    call.saw("ACK sip:");
    let mut deaf = Stream::at(&place, place.carrier());
    // Its answers, which say its long Call-ID again, fill what lies between.
    let long = format!("Call-ID: {}", "0123456789".repeat(3_000));
    let mut sent = 0;
    eventually_within(Duration::from_secs(40), "it is hung up on", || {
        for _ in 0..4 {
            let ask = Ask::new(&place, "OPTIONS").line(&long);
            if !deaf.sends(by_tcp(&place, &ask).as_bytes()) {
                return Some(());
            }
            sent += 1;
        }
        if sent % 200 == 0 {
            still_serves(&place, &engine);
        }
        None
    });
    assert!(sent > 200, "calls were served meanwhile");
    call.succeeds();
    engine.idle();
}

#[test]
fn the_connections_of_a_stranger_are_bounded_and_a_crowd_of_them_goes_away() {
    let own = format!("--pid={}", std::process::id());
    assert!(Command::new("prlimit").args([&own, "--nofile=20000"]).status().unwrap().success());
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let mut crowd: Vec<Stream> = (0..40)
        .flat_map(|n| (0..100).map(move |_| 20 + n))
        .map(|host| Stream::at(&place, place.ip(host)))
        .collect();
    let mut one_more = Stream::at(&place, place.ip(20));
    eventually("the one too many is hung up on", || one_more.is_closed().then_some(()));
    assert!(!crowd[0].is_closed() && !crowd[3_999].is_closed(), "the others are not");
    let dropped = "carom_sip_connections_dropped_total{reason=\"source\"}";
    assert!(engine.metric(&place, dropped) >= 1.0);
    assert!(engine.log().contains("its address has too many connections"), "{}", engine.log());
    let mut trunk: Vec<Stream> = (0..150).map(|_| Stream::at(&place, place.carrier())).collect();
    go_on_for(100);
    assert!(!trunk.iter_mut().any(Stream::is_closed), "the trunk is no stranger");
    still_serves(&place, &engine);
    eventually("they are hung up on for their silence", || {
        crowd.iter_mut().all(Stream::is_closed).then_some(())
    });
    let mut peer = Stream::at(&place, place.carrier());
    assert!(peer.sends(options(&place).as_bytes()));
    assert!(peer.receive().starts_with("SIP/2.0 200"));
    call_by_tcp(&place, 50).succeeds();
    engine.idle();
}

/// A call over TCP that hangs up after `ms`.
fn call_by_tcp(place: &Place, ms: u32) -> Run {
    Scenario::new("carrier-hangs-up", place.carrier()).tcp().pause_ms(ms).call(place)
}

/// A call over UDP, from the trunk's other address.
fn still_serves(place: &Place, engine: &Engine) {
    let here = place.ip(5);
    let wire = Wire::at(place, here);
    let ask = Ask::new(place, "INVITE").offer(here);
    let answer = wire.ask(&ask);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}\n{}", engine.log());
    wire.hang_up(&ask, &answer);
}

fn options(place: &Place) -> String {
    by_tcp(place, &Ask::new(place, "OPTIONS"))
}

fn by_tcp(place: &Place, ask: &Ask) -> String {
    ask.text(place.carrier()).replace("SIP/2.0/UDP", "SIP/2.0/TCP")
}
