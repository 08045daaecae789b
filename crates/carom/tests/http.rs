//! HTTP clients of every kind: what they get, and that they disturb no call.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    process::Command,
    time::Duration,
};

use carom_blackbox::{CONFIG, Engine, FLOW, Place, call, eventually, get, go_on_for};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn what_is_no_request_for_us_is_refused_and_the_node_goes_on() {
    let place = Place::new();
    let engine = Engine::start(BIN, &place);
    let long = "x".repeat(64 * 1024 + 1);
    let many: String = (0..200).map(|n| format!("X-Header-{n}: x\r\n")).collect();
    for (status, request) in [
        ("404", "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("404", "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("405", "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("405", "DELETE /livez HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("405", "TRACE /sandbox HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("404", "GET /webhooks/twilio/twilio/status HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("400", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n".to_owned()),
        ("400", "INVITE sip:100@x SIP/2.0\r\nHost: x\r\n\r\n".to_owned()),
        ("431", format!("GET /livez HTTP/1.1\r\nHost: x\r\n{many}\r\n")),
        ("414", format!("GET /livez?{long} HTTP/1.1\r\nHost: x\r\n\r\n")),
        ("404", webhook("Content-Length: 4", "a=b\n")),
        ("413", webhook("Content-Length: 1073741824", &long)),
        ("413", webhook(&format!("Content-Length: {}", long.len()), &long)),
        ("413", webhook("Transfer-Encoding: chunked", &format!("{:x}\r\n{long}", long.len()))),
    ] {
        let answer = ask(&place, &request);
        let begin = format!("HTTP/1.1 {status}");
        assert!(answer.starts_with(&begin), "{begin}: {request:.60}: {answer}");
    }
    assert!(get(&place, "/livez").ends_with("alive\n"));
    assert!(get(&place, "/readyz").ends_with("ready, store up\n"));
    assert!(engine.cli(&["status"]).status.success());
}

#[test]
fn clients_that_take_their_time_disturb_no_call_and_are_hung_up_on() {
    let place = Place::new();
    let engine = Engine::start(BIN, &place);
    // More than are served at once: mute ones, ones amid their head, amid their body, and ones
    // that ask again and again and read nothing.
    let beginnings = [
        String::new(),
        "GET /metrics HT".to_owned(),
        webhook("Content-Length: 1000", "a=b"),
        "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100),
    ];
    let slow: Vec<_> = (0..300)
        .map(|n| {
            let mut stream = TcpStream::connect((place.engine(), 8080)).unwrap();
            let _ = stream.write_all(beginnings[n % 4].as_bytes());
            stream
        })
        .collect();
    let uri = format!("sip:100@{}", place.engine());
    let brief = ["--press", "1@1200ms", "--hang-up-after", "7s"];
    let _ = call(BIN, &place, &uri, &[&["--from", "+447700900701"][..], &brief].concat());
    let end = eventually("the call's end", || {
        engine.calls()[0]["end"].as_str().filter(|end| *end != "running").map(str::to_owned)
    });
    assert_eq!(end, "deflected");
    // Those that wait for a place get one once the first are hung up on.
    assert!(get(&place, "/livez").ends_with("alive\n"));
    for mut stream in slow.into_iter().take(200) {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut rest = Vec::new();
        let read = stream.read_to_end(&mut rest).map_err(|error| error.kind());
        assert!(matches!(read, Ok(_) | Err(ErrorKind::ConnectionReset)), "{read:?}");
    }
}

#[test]
fn a_connection_that_is_kept_has_all_the_time_for_each_request() {
    let place = Place::new();
    let _engine = Engine::start(BIN, &place);
    let mut stream = TcpStream::connect((place.engine(), 8080)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut send = |part: &str| stream.write_all(part.as_bytes()).unwrap();
    send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    // Begun 8 s after the last answer, and slow for 4 s.
    go_on_for(8_000);
    send("GET /livez HTTP/1.1\r\nHo");
    go_on_for(4_000);
    send("st: x\r\nConnection: close\r\n\r\n");
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("alive\n").count(), 2, "{answers}");
}

#[test]
fn the_inbox_shows_what_phones_would_and_only_on_this_machine() {
    let place = Place::new();
    let flow = FLOW.replace("the chat link you asked for", "<b>a & b</b>");
    let engine = Engine::start_with(BIN, &place, CONFIG, &flow);
    assert!(get(&place, "/sandbox").contains("Nothing yet."));
    let uri = format!("sip:100@{}", place.engine());
    let brief = ["--press", "1@1200ms", "--hang-up-after", "3s"];
    let _ = call(BIN, &place, &uri, &[&["--from", "+447700900702"][..], &brief].concat());
    let page = eventually("the text is there", || {
        Some(get(&place, "/sandbox")).filter(|page| page.contains("+447700900702"))
    });
    assert!(page.contains("&lt;b&gt;a &amp; b&lt;/b&gt;"), "{page}");
    assert!(page.contains("no-store"), "{page}");
    let id = engine.calls()[0]["call"].as_str().unwrap().to_owned();
    for path in ["/sandbox", "/metrics", &format!("/v1/context/{id}")] {
        assert!(get(&place, path).starts_with("HTTP/1.1 200"), "{path}");
        let proxied = format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n");
        let refused = ask(&place, &format!("{proxied}Connection: close\r\n\r\n"));
        assert!(refused.starts_with("HTTP/1.1 401"), "{path}: {refused}");
    }
}

#[test]
fn a_low_limit_on_open_files_is_raised_so_that_calls_find_sockets() {
    let own = format!("--pid={}", std::process::id());
    assert!(Command::new("prlimit").args([&own, "--nofile=64:4096"]).status().unwrap().success());
    let place = Place::new();
    let engine = Engine::start(BIN, &place);
    let id = engine.id().to_string();
    let mut limit = Command::new("prlimit");
    limit.args(["--pid", &id, "--nofile", "--output", "SOFT", "--noheadings"]);
    let limit = limit.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&limit.stdout).trim(), "4096");
}

fn webhook(header: &str, body: &str) -> String {
    format!(
        "POST /webhooks/twilio/nobody/status HTTP/1.1\r\nHost: x\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n{header}\r\n\r\n{body}"
    )
}

/// What is answered before the connection is closed, or within a while.
fn ask(place: &Place, request: &str) -> String {
    let mut stream = TcpStream::connect((place.engine(), 8080)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let _ = stream.write_all(request.as_bytes());
    let mut answer = vec![0; 4_096];
    let read = stream.read(&mut answer).unwrap_or(0);
    String::from_utf8_lossy(&answer[..read]).into_owned()
}
