//! Messages cut from a byte stream.

use sip_stack::framing::{FrameError, StreamFramer};

const FIRST: &str = "INFO sip:a@h SIP/2.0\r\nContent-Length: 5\r\n\r\nhello";
const SECOND: &str = "SIP/2.0 200 OK\r\nSubject: length\r\nl : 0\r\n\r\n";

#[test]
fn messages_come_out_whole_however_the_stream_is_cut() {
    let stream = format!("\r\n\r\n{FIRST}\r\n{SECOND}\r\n\r\n");
    for size in 1..stream.len() {
        let mut framer = StreamFramer::new();
        let mut frames = Vec::new();
        for chunk in stream.as_bytes().chunks(size) {
            framer.push(chunk);
            while let Some(frame) = framer.next() {
                frames.push(frame.unwrap());
            }
        }
        assert_eq!(frames, [FIRST, SECOND], "chunks of {size}");
    }
}

#[test]
fn pings_between_messages_are_counted() {
    let mut framer = StreamFramer::new();
    framer.push(b"\r\n\r\n");
    assert_eq!(framer.next(), None);
    assert_eq!((framer.take_pings(), framer.take_pings()), (1, 0));
}

#[test]
fn a_ping_counts_once_however_it_is_cut() {
    for (cuts, pings) in [
        (&["\r\n", "\r\n"][..], 1),
        (&["\r", "\n", "\r", "\n"], 1),
        (&["\r\n\r", "\n\r\n\r", "\n"], 2),
        (&[FIRST, "\r\n", "\r\n"], 1),
        (&["\r\n", FIRST, "\r\n"], 0),
        (&["\r\n"], 0),
    ] {
        let mut framer = StreamFramer::new();
        let mut counted = 0;
        for cut in cuts {
            framer.push(cut.as_bytes());
            while framer.next().is_some() {}
            counted += framer.take_pings();
        }
        assert_eq!(counted, pings, "{cuts:?}");
    }
}

#[test]
fn a_stream_that_cannot_be_cut_is_lost_for_good() {
    for (stream, error) in [
        ("INFO sip:a@h SIP/2.0\r\nSubject: x\r\n\r\n".to_owned(), FrameError::NoLength),
        ("INFO sip:a@h SIP/2.0\r\nContent-Length: -1\r\n\r\n".to_owned(), FrameError::NoLength),
        ("INFO sip:a@h SIP/2.0\r\nl: 1\r\nl: 2\r\n\r\n".to_owned(), FrameError::NoLength),
        ("INFO sip:a@h SIP/2.0\r\nl: 65536\r\n\r\n".to_owned(), FrameError::TooLarge),
        (
            "INFO sip:a@h SIP/2.0\r\nl: 18446744073709551615\r\n\r\n".to_owned(),
            FrameError::TooLarge,
        ),
        (format!("INFO sip:a@h SIP/2.0\r\nX: {}", "x".repeat(66_000)), FrameError::TooLarge),
        ("\u{16}\u{3}\u{1}\u{2}".to_owned(), FrameError::NotSip),
    ] {
        let mut framer = StreamFramer::new();
        framer.push(stream.as_bytes());
        assert_eq!(framer.next(), Some(Err(error)), "{}", &stream[..stream.len().min(60)]);
        framer.push(FIRST.as_bytes());
        assert_eq!(framer.next(), Some(Err(error)));
    }
}
