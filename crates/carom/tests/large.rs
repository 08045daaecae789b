//! A carrier whose long routes make our requests too large for a datagram.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use carom_blackbox::{Ask, CONFIG, Engine, KEYS, Place, Wire, eventually, header, respond};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn a_large_bye_goes_by_tcp_and_by_udp_where_nobody_takes_tcp() {
    let place = Place::new();
    let engine = engine(&place);
    let wire = Wire::at(&place, place.carrier());

    let streams = TcpListener::bind((place.carrier(), 5060)).unwrap();
    call(&place, &wire);
    let mut stream = accept(&streams);
    let bye = read(&mut stream);
    assert_large_bye(&bye, "TCP");
    stream.write_all(respond(&bye, "200 OK").as_bytes()).unwrap();
    engine.idle();
    assert!(wire.is_silent(), "once is enough");
    drop((stream, streams));

    call(&place, &wire);
    let bye = wire.receive_until("BYE");
    assert_large_bye(&bye, "UDP");
    wire.send(&respond(&bye, "200 OK"));
    engine.idle();
}

#[test]
fn a_carrier_that_takes_tcp_and_says_nothing_there_gets_our_bye_by_udp() {
    let place = Place::new();
    let engine = engine(&place);
    let wire = Wire::at(&place, place.carrier());
    let streams = TcpListener::bind((place.carrier(), 5060)).unwrap();
    call(&place, &wire);
    let mut stream = accept(&streams);
    let first = read(&mut stream);
    let second = wire.receive_until("BYE");
    assert_large_bye(&second, "UDP");
    assert_ne!(header(&first, "Via"), header(&second, "Via"));
    wire.send(&respond(&second, "200 OK"));
    stream.write_all(respond(&first, "200 OK").as_bytes()).unwrap();
    engine.idle();
}

fn engine(place: &Place) -> Engine {
    let by_size = "name       = \"carrier\"\ntransport  = \"auto\"";
    let config = CONFIG.replace("name       = \"carrier\"", by_size);
    Engine::start_with(BIN, place, &config, KEYS)
}

/// A call that is answered, and that its caller ends by a key: the BYE is ours.
fn call(place: &Place, wire: &Wire) {
    let here = place.carrier();
    let route = format!("Record-Route: <sip:{here}:5060;lr;x={}>", "x".repeat(1_300));
    let invite = Ask::new(place, "INVITE").offer(here).line(&route);
    let answer = wire.ask(&invite);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    let to = header(&answer, "To");
    wire.send(&invite.within("ACK", "1 ACK", to).text(here));
    let key = invite.within("INFO", "2 INFO", to).line("Content-Type: application/dtmf-relay");
    let reply = wire.ask(&key.body("Signal=1\r\nDuration=120\r\n"));
    assert!(reply.starts_with("SIP/2.0 200"), "{reply}");
}

fn accept(streams: &TcpListener) -> TcpStream {
    streams.set_nonblocking(true).unwrap();
    let (stream, _) = eventually("a connection of the engine", || streams.accept().ok());
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// The next message, which has no body.
fn read(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut byte = [0];
    while !text.ends_with("\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        text.push(char::from(byte[0]));
    }
    text
}

fn assert_large_bye(bye: &str, transport: &str) {
    assert!(bye.starts_with("BYE ") && bye.len() > 1_300, "{bye}");
    assert!(header(bye, "Via").starts_with(&format!("SIP/2.0/{transport} ")), "{bye}");
}
