//! The offers and answers of a dialog, one after the other.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, too, fail by panicking")]

use sip_stack::offer_answer::{
    AnswerKind, Codec, Direction, LocalMedia, Negotiation, OfferPending, Rejected,
};

fn negotiation() -> Negotiation {
    Negotiation::new(LocalMedia {
        addr: [192, 0, 2, 10].into(),
        port: 30_000,
        codecs: vec![Codec::Pcma, Codec::Pcmu],
        ptime_ms: 20,
        telephone_event: true,
        direction: Direction::SendRecv,
        session_id: 1,
        version: 1,
        crypto: None,
    })
}

fn described(media: &str) -> Vec<u8> {
    let head = "v=0\no=- 7 7 IN IP4 198.51.100.1\ns=-\nc=IN IP4 198.51.100.1\nt=0 0\n";
    format!("{head}{media}").replace('\n', "\r\n").into_bytes()
}

const AUDIO: &str = "m=audio 4000 RTP/AVP 0 96\na=rtpmap:96 telephone-event/8000\n";

/// A dialog in which the peer's offer of video and audio was answered.
fn established() -> Negotiation {
    let mut dialog = negotiation();
    dialog.handle_offer(&described(&format!("m=video 5000 RTP/AVP 31\n{AUDIO}"))).unwrap();
    dialog.answer().unwrap();
    dialog
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn glare_is_refused_with_491_and_a_second_offer_with_500() {
    let mut dialog = established();
    dialog.offer().unwrap();
    let glare = dialog.handle_offer(&described(AUDIO)).unwrap_err();
    assert_eq!((glare, glare.status()), (OfferPending::Ours, 491));
    dialog.withdraw();
    dialog.handle_offer(&described(AUDIO)).unwrap();
    let second = dialog.handle_offer(&described(AUDIO)).unwrap_err();
    assert_eq!((second, second.status()), (OfferPending::Theirs, 500));
    assert_eq!(dialog.offer(), Err(OfferPending::Theirs));
}

#[test]
fn a_later_offer_keeps_m_lines_and_payload_types_and_begins_with_the_codec_in_use() {
    let mut dialog = established();
    let offer = text(&dialog.offer().unwrap());
    let lines: Vec<_> = offer.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(lines, ["m=video 0 RTP/AVP 31", "m=audio 30000 RTP/AVP 0 8 96"]);
    let answer = described(&format!("m=video 0 RTP/AVP 31\n{AUDIO}"));
    let negotiated = dialog.handle_answer(&answer, AnswerKind::Final).unwrap();
    assert_eq!((negotiated.codec, negotiated.telephone_event.unwrap().send_pt), (Codec::Pcmu, 96));
}

#[test]
fn the_version_goes_up_only_when_something_changes() {
    let mut dialog = established();
    let first = text(dialog.sent().unwrap());
    assert!(first.contains("o=- 1 1 "), "{first}");
    // A session refresh: the same offer is answered with the same answer.
    dialog.handle_offer(&described(&format!("m=video 5000 RTP/AVP 31\n{AUDIO}"))).unwrap();
    assert_eq!(text(&dialog.answer().unwrap().0), first);
    dialog.local_mut().direction = Direction::SendOnly;
    let hold = text(&dialog.offer().unwrap());
    assert!(hold.contains("o=- 1 2 ") && hold.ends_with("a=sendonly\r\n"), "{hold}");
    dialog.withdraw();
    dialog.local_mut().port = 30_002;
    let moved = text(&dialog.offer().unwrap());
    assert!(moved.contains("o=- 1 3 ") && moved.contains("m=audio 30002 "), "{moved}");
}

#[test]
fn hold_and_resume_of_the_peer_leave_the_rest_alone() {
    let mut dialog = established();
    for (attribute, hold) in [("a=sendonly\n", true), ("a=sendrecv\n", false)] {
        let offer = described(&format!("m=video 5000 RTP/AVP 31\n{AUDIO}{attribute}"));
        dialog.handle_offer(&offer).unwrap();
        let (_, negotiated) = dialog.answer().unwrap();
        assert_eq!(negotiated.hold, hold);
        assert_eq!(negotiated.codec, Codec::Pcmu);
    }
}

#[test]
fn a_refused_exchange_leaves_the_session_as_it_is() {
    let mut dialog = established();
    let before = dialog.current().cloned();
    dialog.handle_offer(&described("m=audio 4000 RTP/AVP 18\n")).unwrap();
    assert_eq!(dialog.answer(), Err(Rejected::NoCommonCodec));
    assert_eq!(dialog.current(), before.as_ref());
    dialog.offer().unwrap();
    let answer = described("m=video 0 RTP/AVP 31\nm=audio 0 RTP/AVP 0\n");
    assert_eq!(dialog.handle_answer(&answer, AnswerKind::Final), Err(Rejected::NoAudio));
    assert_eq!(dialog.current(), before.as_ref());
    // And the next exchange is open to both.
    assert!(!dialog.awaits_answer() && !dialog.owes_answer());
    assert!(dialog.offer().is_ok());
}

#[test]
fn an_early_answer_is_a_preview_of_the_real_one() {
    let mut dialog = negotiation();
    dialog.offer().unwrap();
    let early = described("m=audio 4000 RTP/AVP 8\n");
    dialog.handle_answer(&early, AnswerKind::Preview).unwrap();
    assert!(dialog.awaits_answer());
    let real = described("m=audio 6000 RTP/AVP 0\n");
    let negotiated = dialog.handle_answer(&real, AnswerKind::Final).unwrap();
    assert_eq!(negotiated.remote_rtp.unwrap().port(), 6000);
    assert!(!dialog.awaits_answer());
    assert_eq!(dialog.handle_answer(&real, AnswerKind::Final), Err(Rejected::NoOffer));
}

#[test]
fn an_answer_without_an_offer_is_refused() {
    let mut dialog = negotiation();
    assert_eq!(dialog.answer(), Err(Rejected::NoOffer));
    dialog.offer().unwrap();
    assert_eq!(dialog.answer(), Err(Rejected::NoOffer));
    assert!(dialog.awaits_answer());
}

#[test]
fn a_dialog_can_be_saved_between_any_two_steps() {
    let mut dialog = established();
    dialog.offer().unwrap();
    let saved = serde_json::to_string(&dialog).unwrap();
    let mut restored: Negotiation = serde_json::from_str(&saved).unwrap();
    assert_eq!(restored, dialog);
    let answer = described(&format!("m=video 0 RTP/AVP 31\n{AUDIO}"));
    assert_eq!(
        restored.handle_answer(&answer, AnswerKind::Final),
        dialog.handle_answer(&answer, AnswerKind::Final)
    );
}
