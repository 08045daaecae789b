//! The torture messages of RFC 4475: valid ones are read as the RFC reads them, invalid ones are
//! refused with the status it names.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, too, fail by panicking")]

use std::path::PathBuf;

use sip_stack::message::{
    CSeq, Cause, HeaderName, Message, Method, NameAddr, ParseError, Request, Response, Via,
};

/// What is owed to a message.
enum Owed {
    /// It is read; what its contents deserve is decided above the parser.
    Read,
    /// It is refused with this status.
    Status(u16),
    /// It is dropped: a response, which is never answered.
    Silence,
}
use Owed::{Read, Silence, Status};

const MESSAGES: [(&str, Owed); 48] = [
    // 3.1.1, valid.
    ("wsinv", Read),
    ("intmeth", Read),
    ("esc01", Read),
    ("escnull", Read),
    ("esc02", Read),
    ("lwsdisp", Read),
    ("longreq", Read),
    ("dblreq", Read),
    ("semiuri", Read),
    ("transports", Read),
    ("mpart01", Read),
    ("unreason", Read),
    ("noreason", Read),
    // 3.1.2, invalid.
    ("badinv01", Status(400)),
    ("clerr", Status(400)),
    ("ncl", Status(400)),
    ("scalar02", Status(400)),
    ("scalarlg", Silence),
    ("quotbal", Status(400)),
    ("ltgtruri", Status(400)),
    ("lwsruri", Status(400)),
    ("lwsstart", Status(400)),
    ("trws", Status(400)),
    ("escruri", Status(400)),
    ("baddate", Status(400)),
    ("regbadct", Status(400)),
    ("badaspec", Status(400)),
    ("baddn", Status(400)),
    ("badvers", Status(505)),
    ("mismatch01", Status(400)),
    ("mismatch02", Status(400)),
    ("bigcode", Silence),
    // 3.2, transaction layer: the branch is no more than the cookie.
    ("badbranch", Read),
    // 3.3, application layer; 416, 420, 415, 483 and 406 are owed by those above.
    ("insuf", Status(400)),
    ("unkscm", Read),
    ("novelsc", Read),
    ("unksm2", Read),
    ("bext01", Read),
    ("invut", Read),
    ("regaut01", Read),
    ("multi01", Status(400)),
    ("mcl01", Status(400)),
    ("bcast", Read),
    ("zeromf", Read),
    ("cparam01", Read),
    ("cparam02", Read),
    ("regescrt", Read),
    ("sdp01", Read),
];

#[test]
fn every_message_gets_what_the_rfc_says() {
    for (name, owed) in MESSAGES.iter().chain(&[("inv2543", Read)]) {
        let parsed = parse(name);
        match owed {
            Read => assert!(parsed.is_ok(), "{name}: {parsed:?}"),
            Status(status) => {
                let error = parsed.expect_err(name);
                assert_eq!(error.status().map(|(status, _)| status), Some(*status), "{name}");
                assert!(error.request().is_some(), "{name}");
            }
            Silence => {
                let error = parsed.expect_err(name);
                assert_eq!(error.status(), None, "{name}");
            }
        }
    }
}

#[test]
fn what_is_read_is_written_back_line_by_line() {
    for (name, _) in MESSAGES.iter().filter(|(_, owed)| matches!(owed, Read)) {
        let bytes = bytes(name);
        let message = parse(name).unwrap();
        let written = message.to_bytes();
        // dblreq and sdp01 carry bytes after the body, which are not passed on.
        let same = written.len().min(bytes.len());
        assert_eq!(&written[..same], &bytes[..same], "{name}");
        assert_eq!(Message::parse(&written), Ok(message), "{name}");
    }
}

#[test]
fn a_refusal_can_be_answered_along_the_via() {
    let error = parse("quotbal").unwrap_err();
    let (status, reason) = error.status().unwrap();
    let response = Response::for_request(error.request().unwrap(), status, reason);
    let text = String::from_utf8(response.to_bytes().to_vec()).unwrap();
    assert!(text.starts_with("SIP/2.0 400 Bad Request\r\n"), "{text}");
    assert!(
        text.contains("Via: SIP/2.0/UDP 192.0.2.59:5050;branch=z9hG4bKkdjuw39234\r\n"),
        "{text}"
    );
    assert!(text.contains("To: \"Mr. J. User <sip:j.user@example.com>\r\n"), "{text}");
    assert!(matches!(error.cause, Cause::Header(HeaderName::To, _)), "{error}");
}

#[test]
fn wsinv_is_read_through_its_folds() {
    let request = request("wsinv");
    let vias: Vec<_> =
        request.headers().values(HeaderName::Via).map(|via| Via::parse(via).unwrap()).collect();
    let read: Vec<_> =
        vias.iter().map(|via| (via.transport, via.host, via.branch.unwrap())).collect();
    assert_eq!(
        read,
        [
            ("UDP", "192.0.2.2", "390skdjuw"),
            ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
            ("UDP", "192.168.255.111", "z9hG4bK30239"),
        ]
    );
    assert_eq!(request.to().unwrap().tag(), Some("1918181833n"));
    let from = request.from().unwrap();
    assert_eq!(
        (from.tag(), from.display_plain().as_deref()),
        (Some("98asjd8"), Some("J Rosenberg \\\""))
    );
    assert_eq!(request.cseq(), Ok(CSeq { seq: 9, method: Method::Invite }));
    let fangled = "newfangled value continued newfangled value";
    assert_eq!(request.headers().first("NewFangledHeader".into()), Some(fangled));
    assert_eq!(request.headers().first(HeaderName::Subject), Some(""));
    let contact = NameAddr::first(request.headers(), HeaderName::Contact).unwrap();
    assert_eq!(contact.params.get("newparam"), Some("newvalue"));
    assert_eq!(contact.params.get("secondparam"), Some(""));
    assert_eq!(contact.params.get("q"), Some("0.33"));
    assert_eq!(request.body().len(), 150);
}

#[test]
fn intmeth_keeps_every_legal_character() {
    let request = request("intmeth");
    let method = "!interesting-Method0123456789_*+`.%indeed'~";
    assert_eq!(request.method().as_str(), method);
    let uri = request.parsed_uri().unwrap();
    assert_eq!(uri.user, Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(uri.password, Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
    assert_eq!(request.to().unwrap().display_plain().as_deref(), Some("BEL:\x07 NUL:\0 DEL:\x7f"));
    let from = request.from().unwrap();
    assert_eq!(from.tag(), Some("_token~1'+`*%!-."));
    assert_eq!(from.params.get("fromParam''~+*_!.-%"), Some("\"работающий\""));
    let extension = request.headers().first("extensionHeader-!.%*+_`'~".into());
    assert_eq!(extension, Some("\u{feff}大停電"));
}

#[test]
fn percent_is_an_escape_only_in_uris() {
    let request_esc02 = request("esc02");
    assert_eq!(*request_esc02.method(), Method::Other("RE%47IST%45R".into()));
    assert_eq!(request_esc02.headers().values(HeaderName::Contact).count(), 2);
    let request_esc01 = request("esc01");
    let uri = request_esc01.parsed_uri().unwrap();
    assert_eq!(uri.host, "example.net");
    assert_eq!(uri.user_plain().as_deref(), Some("sips:user@example.com"));
    let escnull = request("escnull");
    assert_eq!(escnull.to().unwrap().uri.user_plain().as_deref(), Some("null-\0-null"));
}

#[test]
fn bytes_after_the_body_are_noise() {
    let request = request("dblreq");
    assert_eq!(*request.method(), Method::Register);
    assert!(request.body().is_empty());
    assert!(!String::from_utf8_lossy(&request.to_bytes()).contains("INVITE"));
}

#[test]
fn a_semicolon_in_the_user_starts_no_parameter() {
    let request = request("semiuri");
    let uri = request.parsed_uri().unwrap();
    assert_eq!(uri.user_plain().as_deref(), Some("user;par=u@example.net"));
    assert!(uri.params.is_empty());
}

#[test]
fn unusual_and_empty_reason_phrases_are_kept() {
    let Ok(Message::Response(unusual)) = parse("unreason") else { panic!("no response") };
    assert_eq!(unusual.reason(), "= 2**3 * 5**2 но сто девяносто девять - простое");
    let Ok(Message::Response(empty)) = parse("noreason") else { panic!("no response") };
    assert_eq!((empty.status(), empty.reason()), (100, ""));
    assert!(empty.to_bytes().starts_with(b"SIP/2.0 100 \r\n"));
}

#[test]
fn a_binary_body_is_kept_byte_by_byte() {
    let request = request("mpart01");
    assert!(bytes("mpart01").ends_with(request.body()));
    assert_eq!(request.body().len(), 469);
}

#[test]
fn a_branch_that_is_only_the_cookie_identifies_nothing() {
    assert!(!request("badbranch").via().unwrap().has_cookie());
    assert!(request("semiuri").via().unwrap().has_cookie());
    assert_eq!(request("inv2543").via().unwrap().branch, None);
}

#[test]
fn other_schemes_are_read_and_left_to_those_above() {
    for (name, scheme) in [("unkscm", "nobodyKnowsThisScheme"), ("novelsc", "soap.beep")] {
        let request = request(name);
        let uri = request.parsed_uri().unwrap();
        assert_eq!((uri.scheme, uri.is_sip()), (scheme, false), "{name}");
    }
}

fn request(name: &str) -> Request {
    match parse(name) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

fn parse(name: &str) -> Result<Message, ParseError> {
    Message::parse(&bytes(name))
}

fn bytes(name: &str) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "rfc4475"].iter().collect();
    std::fs::read(path.join(name).with_extension("dat")).unwrap()
}
