//! Connections of SIP by TCP and TLS that die, are closed, or lead to the wrong one.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    time::Duration,
};

use carom_blackbox::{
    Ask, Authority, CONFIG, Engine, FORWARD, Place, Scenario, TLS_LISTENER, TlsClient, TlsServer,
    Wire, eventually, header, respond,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn a_target_whose_connection_is_silent_is_called_on_a_new_one() {
    let place = Place::new();
    let listener = TcpListener::bind((place.pbx(), 5060)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let flow = FORWARD.replace("sip:agents@{pbx}:5060", "sip:agents@{pbx}:5060;transport=tcp");
    let engine = Engine::start_with(BIN, &place, CONFIG, &flow);
    let wire = Wire::at(&place, place.carrier());
    let ask = || Ask::new(&place, "INVITE").offer(place.carrier());

    let first = ask();
    wire.send(&first.text(place.carrier()));
    let mut old = accepted(&listener);
    let invite = message(&mut old);
    old.write_all(respond(&invite, "200 OK").as_bytes()).unwrap();
    let answer = wire.receive_until("SIP/2.0 200");
    wire.hang_up(&first, &answer);
    assert!(message(&mut old).starts_with("ACK "));
    let bye = message(&mut old);
    assert!(bye.starts_with("BYE "), "{bye}");
    old.write_all(respond(&bye, "200 OK").as_bytes()).unwrap();
    engine.idle();

    // From here on it reads nothing of the old one: an apology is what is heard of the second call.
    let second = ask();
    let answer = wire.ask(&second);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    wire.hang_up(&second, &answer);
    let third = ask();
    wire.send(&third.text(place.carrier()));
    let mut new = accepted(&listener);
    let invite = message(&mut new);
    assert!(invite.starts_with("INVITE "), "{invite}");
    new.write_all(respond(&invite, "200 OK").as_bytes()).unwrap();
    let answer = wire.receive_until("SIP/2.0 200");
    wire.hang_up(&third, &answer);
    assert!(message(&mut new).starts_with("ACK "), "{}", engine.log());
}

#[test]
fn a_carrier_that_has_closed_its_connection_is_told_by_one_of_ours_that_the_call_is_over() {
    for contact in ["{carrier}", "localhost"] {
        let place = Place::new();
        // At the address of the name `localhost` others may be, too.
        let port = 20_000 + std::process::id() as u16 % 10_000;
        let authority = Authority::new(&place);
        let names = ["DNS:carrier.example.net", "DNS:localhost"];
        let named = usize::from(contact.starts_with("localhost"));
        authority.issues("carrier", names[named], 2);
        let trunk = "transport = \"tls\"\naddress = \"sip:carrier.example.net\"";
        let config = CONFIG.replace("trusted    = true", trunk).replacen(
            "[[trunk]]",
            &format!("{TLS_LISTENER}\n[[trunk]]"),
            1,
        );
        let engine = Engine::start_with(BIN, &place, &config, FORWARD);
        let at = if named == 0 { place.carrier() } else { Ipv4Addr::LOCALHOST };
        let carrier = TlsServer::on(&place, (at, port).into(), "carrier");
        let pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(2_000).listen_once(&place);

        let mut client = TlsClient::at(&place, place.carrier());
        let contact = contact.replace("{carrier}", &place.carrier().to_string());
        let ask = Ask::new(&place, "INVITE").offer(place.carrier());
        let ask = ask.line(&format!("Contact: <sip:c@{contact}:{port};transport=tls>"));
        let by_tls = |ask: &Ask| ask.text(place.carrier()).replace("SIP/2.0/UDP", "SIP/2.0/TLS");
        client.send(&by_tls(&ask));
        let answer = client.find("SIP/2.0 200");
        client.send(&by_tls(&ask.within("ACK", "1 ACK", header(&answer, "To"))));
        let acknowledged = || engine.time_line().contains("caller → us  ACK").then_some(());
        eventually("its ACK has come", acknowledged);
        drop(client);
        let bye = carrier.find("BYE ");
        assert_eq!(header(&bye, "Call-ID"), header(&answer, "Call-ID"), "{}", engine.log());
        pbx.succeeds();
    }
}

fn accepted(listener: &TcpListener) -> TcpStream {
    let (stream, _) = eventually("a connection of the engine", || listener.accept().ok());
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// The next message.
fn message(stream: &mut TcpStream) -> String {
    let (mut text, mut byte) = (String::new(), [0]);
    while !text.ends_with("\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a message of the engine");
        text.push(char::from(byte[0]));
    }
    let mut body = vec![0; header(&text, "Content-Length").parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    text + &String::from_utf8_lossy(&body)
}
