//! Messages as they come over the wire: line ends, lengths, refusals, what is passed on.

use sip_stack::message::{Cause, HeaderName, Message, Method, Request, Response};

const OPTIONS: &str = "OPTIONS sip:carom@192.0.2.1 SIP/2.0\r\n\
    v: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKa;rport\r\n\
    f: <sip:a@192.0.2.2>;tag=1\r\nt: <sip:carom@192.0.2.1>\r\ni: x@192.0.2.2\r\n\
    CSeq: 1 OPTIONS\r\n";

#[test]
fn line_ends_before_the_start_line_are_skipped() {
    for lead in ["\r\n", "\r\n\r\n", "\n"] {
        let text = format!("{lead}{OPTIONS}\r\n");
        assert!(Message::parse(text.as_bytes()).is_ok(), "{lead:?}");
    }
}

#[test]
fn a_keep_alive_is_no_message_and_gets_no_answer() {
    for text in ["", "\r\n", "\r\n\r\n"] {
        let error = Message::parse(text.as_bytes()).unwrap_err();
        assert_eq!((&error.cause, error.status()), (&Cause::KeepAlive, None));
    }
}

#[test]
fn bare_line_feeds_are_understood() {
    let text = format!("{OPTIONS}Subject: x\r\n\r\n").replace("\r\n", "\n");
    let message = Message::parse(text.as_bytes()).unwrap();
    assert_eq!(message.headers().first(HeaderName::Subject), Some("x"));
}

#[test]
fn without_a_length_the_body_is_the_rest() {
    let message = Message::parse(format!("{OPTIONS}\r\nhello").as_bytes()).unwrap();
    assert_eq!(message.body(), "hello");
    let written = String::from_utf8(message.to_bytes().to_vec()).unwrap();
    assert!(written.ends_with("Content-Length: 5\r\n\r\nhello"), "{written}");
}

#[test]
fn a_changed_body_changes_its_length_in_place() {
    let text = format!("{OPTIONS}l: 5\r\nSubject: last\r\n\r\nhello");
    let Ok(Message::Request(mut request)) = Message::parse(text.as_bytes()) else { panic!() };
    request.set_body("text/plain", b"hello, world");
    let written = String::from_utf8(request.to_bytes().to_vec()).unwrap();
    assert!(
        written.contains("l: 12\r\nSubject: last\r\nContent-Type: text/plain\r\n\r\nhello, world")
    );
}

#[test]
fn order_spelling_and_folds_survive_a_pass_through() {
    let odd = "X-Odd  :  a,\r\n\tb ;c\r\nx-odd:2\r\n";
    let text = format!("{OPTIONS}{odd}Content-Length: 0\r\n\r\n");
    let message = Message::parse(text.as_bytes()).unwrap();
    assert_eq!(message.to_bytes(), text);
    assert_eq!(message.headers().all("X-Odd".into()).collect::<Vec<_>>(), ["a, b ;c", "2"]);
}

#[test]
fn a_response_repeats_the_requests_vias_as_they_are() {
    let text = format!("{OPTIONS}Via: SIP/2.0/TCP p ,\r\n SIP/2.0/UDP q\r\n\r\n");
    let Ok(Message::Request(request)) = Message::parse(text.as_bytes()) else { panic!() };
    let response = Response::for_request(&request, 486, "");
    let written = String::from_utf8(response.to_bytes().to_vec()).unwrap();
    assert_eq!(
        written,
        "SIP/2.0 486 Busy Here\r\nv: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKa;rport\r\n\
         Via: SIP/2.0/TCP p ,\r\n SIP/2.0/UDP q\r\nf: <sip:a@192.0.2.2>;tag=1\r\n\
         t: <sip:carom@192.0.2.1>\r\ni: x@192.0.2.2\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n"
    );
    assert_eq!(Message::parse(written.as_bytes()), Ok(Message::Response(response)));
}

#[test]
fn latin_1_is_taken_lossily_and_never_refused() {
    let mut bytes = format!("{OPTIONS}Subject: caf").into_bytes();
    bytes.extend_from_slice(b"\xe9\r\n\r\n");
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.headers().first(HeaderName::Subject), Some("caf\u{fffd}"));
}

#[test]
fn each_fault_is_refused_with_its_own_status() {
    let long_uri = OPTIONS.replacen("carom", &"x".repeat(3000), 1);
    let huge = format!("{OPTIONS}X: {}\r\n\r\n", "x".repeat(70_000));
    for (text, status) in [
        (format!("{OPTIONS}Content-Length: 1\r\n\r\n"), Some(400)),
        (format!("{OPTIONS}Max-Forwards: 256\r\n\r\n"), Some(400)),
        (format!("{OPTIONS}no colon\r\n\r\n"), Some(400)),
        (format!("{OPTIONS}X: a\rb\r\n\r\n"), Some(400)),
        (OPTIONS.to_owned(), Some(400)),
        (format!("{}\r\n", OPTIONS.replace("SIP/2.0\r", "SIP/3.0\r")), Some(505)),
        (format!("{long_uri}\r\n"), Some(414)),
        (huge, Some(513)),
        (format!("{}\r\n", OPTIONS.replace("OPTIONS", "ACK").replace("i: x", "i: x y")), None),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), None),
        ("\0\0\0\0".to_owned(), None),
        ("SIP/2.0 99 Low\r\n\r\n".to_owned(), None),
    ] {
        let error = Message::parse(text.as_bytes()).unwrap_err();
        let owed = error.status().map(|(status, _)| status);
        assert_eq!(owed, status, "{error}: {}", &text[..text.len().min(200)]);
    }
}

#[test]
fn a_message_that_is_built_reads_back() {
    let mut invite = Request::new(Method::Invite, "sip:queue@pbx.example.net");
    let headers = invite.headers_mut();
    headers.push(HeaderName::Via, "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKq;rport");
    headers.push(HeaderName::MaxForwards, "70");
    headers.push(HeaderName::From, "\"Carom\" <sip:c@192.0.2.1>;tag=a");
    headers.push(HeaderName::To, "<sip:queue@pbx.example.net>");
    headers.push(HeaderName::CallId, "1");
    headers.push(HeaderName::CSeq, "1 INVITE");
    headers.push("X-Carom-Call".into(), "01234");
    invite.set_body("application/sdp", b"v=0\r\n");
    let read = Message::parse(&invite.to_bytes());
    assert_eq!(read, Ok(Message::Request(invite)));
}

#[test]
fn requests_and_responses_can_be_saved_and_restored() {
    let text = format!("{OPTIONS}X: a,\r\n b\r\nContent-Length: 2\r\n\r\n\x01\x02");
    let Ok(Message::Request(request)) = Message::parse(text.as_bytes()) else { panic!() };
    let saved = serde_json::to_string(&request).unwrap();
    let restored: Request = serde_json::from_str(&saved).unwrap();
    assert_eq!(restored.to_bytes(), text);
    // One that is still being built has headers missing, and is saved all the same.
    let response = Response::new(200, "OK");
    let saved = serde_json::to_string(&response).unwrap();
    assert_eq!(serde_json::from_str::<Response>(&saved).unwrap(), response);
}
