//! The parser and the writer, judged by rsip: what it accepts we accept and read the same, and
//! what we write it reads.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, too, fail by panicking")]

use std::{fs, path::Path};

use proptest::{prelude::*, test_runner::FileFailurePersistence};
use rsip::{
    headers::{ToTypedHeader, UntypedHeader},
    message::HeadersExt,
};
use sip_stack::{HeaderName, Message, Method, Request, Response};

/// What both must agree on.
#[derive(Debug, PartialEq)]
struct Facts {
    method_or_status: String,
    call_id: String,
    cseq: Option<(u32, String)>,
    from_tag: Option<String>,
    to_tag: Option<String>,
    branch: Option<String>,
    body: Vec<u8>,
}

/// RFC 4475 messages that rsip takes and we refuse, with the RFC's reason.
const REFUSED: [(&str, &str); 14] = [
    ("badaspec", "spaces within an address"),
    ("baddate", "a date that is not GMT"),
    ("baddn", "a comma in an unquoted name"),
    ("badinv01", "separators without anything between them"),
    ("clerr", "fewer bytes than Content-Length"),
    ("escruri", "headers in the Request-URI"),
    ("ltgtruri", "angle brackets around the Request-URI"),
    ("mcl01", "two Content-Lengths"),
    ("mismatch01", "another method in CSeq"),
    ("mismatch02", "another method in CSeq"),
    ("multi01", "two of what there is one of"),
    ("ncl", "a negative Content-Length"),
    ("quotbal", "a quoted string without an end"),
    ("regbadct", "a question mark without angle brackets"),
];

/// Messages that rsip reads differently, with what is wrong with its reading.
const MISREAD: [(&str, &str); 2] = [
    ("dblreq", "takes the bytes after the body for the body"),
    ("sdp01", "takes the bytes after the body for the body"),
];

#[test]
fn torture_messages_that_rsip_accepts_are_read_the_same() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rfc4475");
    let mut judged = Vec::new();
    for file in fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_none_or(|extension| extension != "dat") {
            continue;
        }
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let bytes = fs::read(&file).unwrap();
        let Some(theirs) = rsip_facts(&bytes) else { continue };
        if REFUSED.iter().any(|(refused, _)| *refused == name) {
            assert!(Message::parse(&bytes).is_err(), "{name}");
            continue;
        }
        if MISREAD.iter().any(|(misread, _)| *misread == name) {
            continue;
        }
        let ours = facts(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(ours, theirs, "{name}");
        judged.push(name);
    }
    // rsip's reach is not ours to rely on, but a judge that judges nothing is none.
    assert!(judged.len() >= 10, "{judged:?}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_we_write_rsip_reads(
        user in "[a-z0-9+.]{1,12}",
        display in "[A-Za-z ]{0,10}",
        call_id in "[a-z0-9]{1,20}(@[a-z0-9.]{1,10}[a-z])?",
        tags in ("[a-z0-9]{1,10}", "[a-z0-9]{1,10}"),
        branch in "z9hG4bK[a-zA-Z0-9]{1,20}",
        seq in 0_u32..0x8000_0000,
        status in 100_u16..700,
        body in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut invite = Request::new(Method::Invite, format!("sip:{user}@pbx.example.net"));
        let headers = invite.headers_mut();
        headers.push(HeaderName::Via, format!("SIP/2.0/UDP 192.0.2.1:5060;branch={branch};rport"));
        headers.push(HeaderName::From, format!("\"{display}\" <sip:{user}@192.0.2.1>;tag={}", tags.0));
        headers.push(HeaderName::To, format!("<sip:{user}@pbx.example.net>;tag={}", tags.1));
        headers.push(HeaderName::CallId, &call_id);
        headers.push(HeaderName::CSeq, format!("{seq} INVITE"));
        headers.push(HeaderName::MaxForwards, "70");
        invite.set_body("application/octet-stream", &body);
        let response = Response::for_request(&invite, status, "Odd But Legal");
        for bytes in [invite.to_bytes(), response.to_bytes()] {
            let theirs = rsip_facts(&bytes);
            let ours = facts(&bytes).expect("what we write we read");
            prop_assert_eq!(theirs.as_ref(), Some(&ours));
            prop_assert_eq!(ours.call_id, call_id.clone());
            prop_assert_eq!(ours.cseq, Some((seq, "INVITE".to_owned())));
            prop_assert_eq!(ours.branch, Some(branch.clone()));
        }
    }
}

/// Reads a message with rsip; `None` if it refuses any part of what is compared.
fn rsip_facts(bytes: &[u8]) -> Option<Facts> {
    // rsip panics on some of them.
    std::panic::catch_unwind(|| {
        let message = rsip::SipMessage::try_from(bytes).ok()?;
        let cseq = message.cseq_header().ok()?.typed().ok()?;
        let via = message.via_header().ok()?.typed().ok()?;
        let from = message.from_header().ok()?.typed().ok()?;
        let to = message.to_header().ok()?.typed().ok()?;
        Some(Facts {
            method_or_status: match &message {
                rsip::SipMessage::Request(request) => request.method.to_string(),
                rsip::SipMessage::Response(response) => response.status_code.code().to_string(),
            },
            call_id: message.call_id_header().ok()?.value().to_owned(),
            cseq: Some((cseq.seq, cseq.method.to_string())),
            from_tag: from.tag().map(|tag| tag.value().to_owned()),
            to_tag: to.tag().map(|tag| tag.value().to_owned()),
            branch: via.branch().map(|branch| branch.value().to_owned()),
            body: message.body().clone(),
        })
    })
    .ok()
    .flatten()
}

fn facts(bytes: &[u8]) -> Result<Facts, sip_stack::ParseError> {
    let message = Message::parse(bytes)?;
    let method_or_status = match &message {
        Message::Request(request) => request.method().to_string(),
        Message::Response(response) => response.status().to_string(),
    };
    let headers = message.headers();
    let tag = |name| {
        let party = sip_stack::message::NameAddr::first(headers, name).ok()?;
        party.tag().map(str::to_owned)
    };
    let cseq = sip_stack::message::CSeq::of(headers).ok();
    let via = sip_stack::message::Via::top(headers).ok();
    Ok(Facts {
        method_or_status,
        call_id: headers.first(HeaderName::CallId).unwrap_or_default().to_owned(),
        cseq: cseq.map(|cseq| (cseq.seq, cseq.method.to_string())),
        from_tag: tag(HeaderName::From),
        to_tag: tag(HeaderName::To),
        branch: via.and_then(|via| via.branch).map(str::to_owned),
        body: message.body().to_vec(),
    })
}
