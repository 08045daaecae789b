//! Fuzz targets; plain `cargo test` replays the corpora under `__fuzz__` and some random bytes,
//! `cargo bolero test NAME --sanitizer NONE` searches for more. Failures print their seed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, too, fail by panicking")]

use std::{fs, path::Path};

use sip_stack::{
    HeaderName, Message, Response, Uri,
    framing::StreamFramer,
    message::{
        CSeq, NameAddr, RAck, Reason, SessionExpires, Via,
        scan::{list, quote, unquote},
    },
    offer_answer::{self, Codec, CryptoKey, Direction, KEY_BYTES, LocalCrypto, LocalMedia},
    sdp::Session,
};

#[test]
fn sip_message() {
    bolero::check!().for_each(|datagram: &[u8]| check_message(datagram));
}

/// Torture messages with a few bytes changed: deeper than random bytes get.
#[test]
fn sip_message_almost_right() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rfc4475");
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
    paths.sort();
    let seeds: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    bolero::check!().with_type::<(usize, Vec<(u16, u8)>)>().for_each(|(seed, changes)| {
        let mut bytes = seeds[seed % seeds.len()].clone();
        for (at, byte) in changes.iter().take(8) {
            let at = usize::from(*at) % bytes.len();
            // Mostly what matters to a parser.
            let odd = b"\r\n \t:;,<>\"\\@?=%/[]0";
            bytes[at] = odd.get(usize::from(*byte) % 32).copied().unwrap_or(*byte);
        }
        check_message(&bytes);
    });
}

#[test]
fn stream() {
    bolero::check!().for_each(|stream: &[u8]| {
        let whole = frames(stream, stream.len().max(1));
        for size in [1, 7] {
            assert_eq!(frames(stream, size), whole, "chunks of {size}");
        }
        for frame in whole.iter().filter_map(|frame| frame.as_ref().ok()) {
            let again = frames(frame, frame.len());
            assert_eq!(again, [Ok(frame.clone())]);
        }
    });
}

#[test]
fn sdp() {
    bolero::check!().for_each(|body: &[u8]| {
        let local = LocalMedia {
            addr: [192, 0, 2, 10].into(),
            port: 30_000,
            codecs: Codec::ALL.to_vec(),
            ptime_ms: 20,
            telephone_event: true,
            direction: Direction::SendRecv,
            session_id: 1,
            version: 1,
            crypto: Some(LocalCrypto {
                required: false,
                offered: true,
                keys: [CryptoKey([1; KEY_BYTES]), CryptoKey([2; KEY_BYTES])],
            }),
        };
        let _ = offer_answer::conclude(&local, body);
        let Ok((answer, negotiated)) = offer_answer::answer(body, &local) else { return };
        let offer = Session::parse(body).expect("it was answered");
        let answer = Session::parse(&answer).expect("ours is read by others");
        let ports: Vec<_> = answer.media().map(|media| media.port()).collect();
        assert_eq!(ports.len(), offer.media().count());
        assert_eq!(ports.iter().filter(|&&port| port != 0).collect::<Vec<_>>(), [&30_000]);
        assert!(negotiated.recv_pt < 128 && negotiated.ptime_ms >= 10);
    });
}

fn frames(stream: &[u8], size: usize) -> Vec<Result<bytes::Bytes, sip_stack::framing::FrameError>> {
    let mut framer = StreamFramer::new();
    let mut frames = Vec::new();
    for chunk in stream.chunks(size) {
        framer.push(chunk);
        while let Some(frame) = framer.next() {
            let lost = frame.is_err();
            frames.push(frame);
            if lost {
                return frames;
            }
        }
    }
    frames
}

fn check_message(datagram: &[u8]) {
    match Message::parse(datagram) {
        Ok(message) => {
            assert_eq!(Message::parse(&message.to_bytes()), Ok(message.clone()));
            check_headers(&message);
            if let Message::Request(request) = &message {
                let response = Response::for_request(request, 180, "").with_record_route(request);
                let written = Message::parse(&response.to_bytes());
                assert_eq!(written, Ok(Message::Response(response)));
            }
        }
        Err(error) => {
            if let (Some(request), Some((status, reason))) = (error.request(), error.status()) {
                let response = Response::for_request(request, status, reason);
                let bytes = response.to_bytes();
                assert!(bytes.starts_with(format!("SIP/2.0 {status} {reason}\r\n").as_bytes()));
                // What was wrong stays in its headers: it must not become a header of its own.
                let text = String::from_utf8_lossy(&bytes);
                let lines = text.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
                assert!(lines.count() <= response.headers().len() + 4, "{text}");
            }
        }
    }
}

/// What an empty parameter is made of.
const EMPTY: [char; 3] = [';', ' ', '\t'];

/// Every typed reader on every value, and every change on a copy.
fn check_headers(message: &Message) {
    for line in message.headers().iter() {
        for value in std::iter::once(line.value).chain(list(line.value)) {
            let _ = (CSeq::parse(value), RAck::parse(value), SessionExpires::parse(value));
            let _ = Reason::parse(value).map(|reason| reason.to_string());
            if let Ok(via) = Via::parse(value) {
                let written = via.to_string();
                let again = Via::parse(&written).expect("what was read is written right");
                assert_eq!(again.branch, via.branch);
                assert_eq!((again.host, again.port, again.rport), (via.host, via.port, via.rport));
            }
            if let Ok(party) = NameAddr::parse(value) {
                let written = party.to_string();
                let again = NameAddr::parse(&written).expect("what was read is written right");
                assert_eq!((again.tag(), again.uri), (party.tag(), party.uri));
                // As it came, but for a semicolon that no parameter follows.
                let uri = again.uri.to_string();
                let once_more = Uri::parse(&uri).expect("what was read is written right");
                assert_eq!(once_more.to_string(), uri);
                assert_eq!(uri.replace(EMPTY, ""), again.uri_text.replace(EMPTY, ""));
                let _ = (party.display_plain(), party.uri.user_plain(), party.uri.ip());
            }
            assert_eq!(unquote(&quote(value)), value);
        }
    }
    if let Message::Request(request) = message {
        let mut request = request.clone();
        let headers = request.headers_mut();
        let vias = headers.values(HeaderName::Via).count();
        headers.set_first_value(HeaderName::Via, "SIP/2.0/UDP h");
        assert_eq!(headers.values(HeaderName::Via).count(), vias);
        headers.remove_first_value(HeaderName::Via);
        assert_eq!(headers.values(HeaderName::Via).count(), vias - 1);
        headers.push_front(HeaderName::Via, "SIP/2.0/UDP h;branch=z9hG4bK1");
        assert_eq!(Message::parse(&request.to_bytes()), Ok(Message::Request(request)));
    }
}
