//! SIP over TLS: whom we believe to be whom, and what slow and odd peers cost.

use std::{io::Write as _, net::Ipv4Addr, time::Duration};

use carom_blackbox::{
    Ask, Authority, CONFIG, Engine, FORWARD, KEYS, Place, Scenario, Stream, TLS_LISTENER,
    TlsClient, TlsServer, Wire, certificate_of, eventually, eventually_within, go_on_for,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn a_target_whose_certificate_is_not_its_own_gets_no_call_and_its_next_address_does() {
    for (name, names, days, told) in [
        ("old", "IP:{pbx}", -1, "Expired"),
        ("other", "DNS:pbx.example.net", 2, "not valid for name"),
        ("unknown", "IP:{pbx}", 2, "UnknownIssuer"),
    ] {
        let place = Place::new();
        let (ours, theirs) = (Authority::new(&place), Authority::called(&place, "nobody"));
        let by = if name == "unknown" { theirs } else { ours };
        by.issues(name, &names.replace("{pbx}", &place.pbx().to_string()), days);
        let _server = TlsServer::at(&place, place.pbx(), name);
        let second = place.ip(7);
        let flow = FORWARD
            .replace("sip:agents@{pbx}:5060", "sips:agents@{pbx}")
            .replace("next_sip       = []", &format!("next_sip = [\"sip:agents@{second}:5060\"]"));
        let engine = Engine::start_with(BIN, &place, &with_tls(CONFIG), &flow);
        let pbx = Scenario::new("pbx-answers", second).listen_once(&place);
        Scenario::new("carrier-hangs-up", place.carrier()).pause_ms(50).call(&place).succeeds();
        pbx.succeeds();
        let line = engine.time_line();
        assert!(line.contains(told), "{name}: {line}");
        assert!(engine.log().contains(told), "{name}: the log tells it too");
        engine.idle();
    }
}

#[test]
fn a_renewed_certificate_is_shown_after_a_reload_and_connections_go_on() {
    let place = Place::new();
    let authority = Authority::new(&place);
    let engine = Engine::start_with(BIN, &place, &with_tls(CONFIG), KEYS);
    assert_eq!(certificate_of(&place), "CN = carom");
    let mut client = TlsClient::at(&place, place.carrier());
    client.is_served(&place);
    authority.issues("renewed", &format!("IP:{}", place.engine()), 2);
    for end in ["pem", "key"] {
        let from = place.folder().join(format!("renewed.{end}"));
        std::fs::copy(from, place.folder().join(format!("carom.{end}"))).unwrap();
    }
    let told = engine.cli(&["reload"]);
    assert!(told.status.success() && !told.out.contains("restart"), "{told:?}");
    eventually("the new one is shown", || (certificate_of(&place) == "CN = renewed").then_some(()));
    client.is_served(&place);
    place.write("carom.key", "no key");
    let told = engine.cli(&["reload"]);
    assert!(!told.status.success(), "{told:?}");
    assert!(told.err.contains("there is no private key in it"), "{told:?}");
    client.is_served(&place);
    assert_eq!(certificate_of(&place), "CN = renewed");
    engine.idle();
}

#[test]
fn a_certificate_that_ends_soon_is_told_of_by_check_reload_status_and_metric() {
    let place = Place::new();
    let authority = Authority::new(&place);
    let engine = Engine::start_with(BIN, &place, &with_tls(CONFIG), KEYS);
    let at = format!("{}:5061", place.engine());
    let metric = || {
        let name = format!("carom_certificate_left_days{{listener=\"{at}\"}}");
        engine.metric(&place, &name)
    };
    let days = || engine.status()["certificates"][0]["days_left"].as_i64().unwrap();
    assert!(!engine.cli(&["check"]).out.contains("W13"));
    eventually("the metric", || (metric() > 89.0).then_some(()));
    assert_eq!((days(), engine.log().contains("the certificate of")), (89, false));
    for (left, told, fewest) in [(10, ", in 9 days", 9), (-1, "ended on", -2)] {
        authority.issues("carom", &format!("IP:{}", place.engine()), left);
        let checked = engine.cli(&["check"]);
        assert!(checked.status.success(), "{checked:?}");
        let warning = format!("warning[W13]: the certificate of `{at}` end");
        assert!(checked.out.contains(&warning) && checked.out.contains(told), "{checked:?}");
        assert!(engine.cli(&["reload"]).out.contains(told), "{left}");
        assert!(engine.log().contains(told), "{left}");
        assert_eq!(days(), fewest);
        let is_near = |days: f64| days > fewest as f64 && days < fewest as f64 + 1.0;
        eventually("the metric", || is_near(metric()).then_some(()));
    }
}

#[test]
fn who_does_not_shake_hands_is_hung_up_on_and_harms_nobody() {
    let place = Place::new();
    let _authority = Authority::new(&place);
    let engine = Engine::start_with(BIN, &place, &with_tls(CONFIG), KEYS);
    let crowd = |_| std::net::TcpStream::connect((place.engine(), 5061)).unwrap();
    let mut silent: Vec<_> = (0..300).map(crowd).collect();
    let mut drips = crowd(0);
    for rubbish in [&b"OPTIONS sip:100@x SIP/2.0\r\n\r\n"[..], b"GET / HTTP/1.1\r\n\r\n", b"\0"] {
        crowd(0).write_all(rubbish).unwrap();
    }
    let mut client = TlsClient::at(&place, place.carrier());
    client.is_served(&place);
    let mut wire = Wire::at(&place, place.ip(5));
    calls(&place, &mut wire, place.ip(5), &engine);
    eventually_within(Duration::from_secs(10), "they are hung up on", || {
        let _ = drips.write(b"\x16");
        silent.retain_mut(|stream| !is_closed(stream));
        (silent.is_empty() && is_closed(&mut drips)).then_some(())
    });
    client.is_served(&place);
    // Within TLS a peer is judged as it is over TCP.
    let mut odd = TlsClient::at(&place, place.carrier());
    odd.send("GET / HTTP/1.1\r\n\r\n");
    eventually("rubbish is hung up on", || odd.is_over().then_some(()));
    let mut stranger = TlsClient::at(&place, place.stranger());
    stranger.send(&Ask::new(&place, "OPTIONS").text(place.stranger()));
    eventually("so is a stranger", || stranger.is_over().then_some(()));
    engine.idle();
}

#[test]
fn a_trunk_that_is_to_speak_tls_is_heard_by_nothing_else() {
    let place = Place::new();
    let _authority = Authority::new(&place);
    let config = with_tls(CONFIG).replace("trusted    = true", "transport = \"tls\"");
    let engine = Engine::start_with(BIN, &place, &config, KEYS);
    let wire = Wire::at(&place, place.carrier());
    wire.send(&Ask::new(&place, "INVITE").offer(place.carrier()).text(place.carrier()));
    let mut stream = Stream::at(&place, place.carrier());
    let by_tcp = Ask::new(&place, "OPTIONS").text(place.carrier()).replace("/UDP", "/TCP");
    assert!(stream.sends(by_tcp.as_bytes()));
    eventually("TCP is hung up on", || stream.is_closed().then_some(()));
    let mut client = TlsClient::at(&place, place.carrier());
    client.is_served(&place);
    drop(client);
    go_on_for(200);
    assert!(wire.is_silent(), "a datagram with its address gets no answer");
    assert!(!engine.log().contains("no connection by TLS"), "that it goes is nothing to warn of");
    engine.idle();
}

/// A call over UDP, from another address of the trunk.
fn calls(place: &Place, wire: &mut Wire, here: Ipv4Addr, engine: &Engine) {
    let ask = Ask::new(place, "INVITE").offer(here);
    let answer = wire.ask(&ask);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}\n{}", engine.log());
    wire.hang_up(&ask, &answer);
}

fn with_tls(config: &str) -> String {
    config.replacen("[[trunk]]", &format!("{TLS_LISTENER}\n[[trunk]]"), 1)
}

fn is_closed(stream: &mut std::net::TcpStream) -> bool {
    use std::io::Read as _;
    stream.set_nonblocking(true).unwrap();
    let read = stream.read(&mut [0; 1_024]);
    stream.set_nonblocking(false).unwrap();
    match read {
        Ok(len) => len == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}
