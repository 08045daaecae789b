//! The peer changes the session, or leaves the offer to us (RFC 3261 §13.2.1, §14.2; RFC 3311).

mod common;

use bytes::Bytes;
use carom_sim::text::{self, SDP};
use common::Incoming;
use sip_stack::{
    Method,
    endpoint::{EndedBy, Event},
};

const OTHER: &str = "v=0\r\no=- 1 2 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\n\
    t=0 0\r\nm=audio 4002 RTP/AVP 0\r\n";

#[test]
fn a_re_invite_is_answered_by_its_user_and_the_answer_repeated_until_the_ack() {
    let mut scene = Incoming::established();
    let invite = scene.phone.request("INVITE", "", SDP);
    scene.send(&invite);
    assert_eq!(offer(&mut scene), (Method::Invite, Some(SDP.to_owned())));
    scene.net.run_ms(300);
    accept(&mut scene);
    scene.net.run_ms(600);
    assert_eq!(scene.net.unread(scene.ann), ["100 INVITE", "200 INVITE", "200 INVITE"]);
    let trying_ms = scene.net.sent_at(scene.carom, "100 INVITE").pop();
    assert_eq!(trying_ms, Some(scene.since_ms + 10 + 200), "a 100 after 200 ms (§17.2.1)");
    let ok = scene.net.sent(scene.carom, "200 INVITE").last().map(|s| s.text.clone());
    let ok = ok.unwrap_or_default();
    assert_eq!(text::body(&ok), OTHER);
    assert_eq!(text::bracketed(text::header(&ok, "Contact")), "sip:10.0.0.1:5060");
    let ack = scene.phone.ack(2, "");
    scene.send(&ack);
    scene.net.run_ms(60_000);
    assert_eq!(scene.net.unread(scene.ann), Vec::<String>::new());
    assert_eq!(scene.net.see(scene.carom).legs(), 1);
}

#[test]
fn a_re_invite_whose_answer_is_never_acknowledged_ends_the_call() {
    let mut scene = Incoming::established();
    let invite = scene.phone.request("INVITE", "", SDP);
    scene.send(&invite);
    scene.net.run_ms(100);
    accept(&mut scene);
    let by = scene.net.event(scene.carom, |event| match event {
        Event::Ended { by, .. } => Some(*by),
        _ => None,
    });
    assert_eq!(by, EndedBy::NoAck);
    assert_eq!(scene.net.sent_at(scene.carom, "BYE").len(), 1);
}

#[test]
fn an_offer_that_is_refused_with_488_leaves_the_call_as_it_is() {
    for method in ["INVITE", "UPDATE"] {
        let mut scene = Incoming::established();
        let request = scene.phone.request(method, "", SDP);
        scene.send(&request);
        scene.net.run_ms(100);
        let leg = scene.leg;
        scene.net.with(scene.carom, |carom, now| carom.refuse_offer(now, leg, 488));
        let refused = scene.net.expect(scene.ann, &format!("488 {method}")).text;
        if method == "INVITE" {
            let ack = text::of_invite(&request, "ACK", text::header(&refused, "To"));
            scene.send(&ack);
        }
        scene.net.run_ms(60_000);
        assert_eq!(scene.net.see(scene.carom).legs(), 1);
        assert_eq!(scene.net.see(scene.carom).transactions(), 0);
        let again = scene.phone.request(method, "", SDP);
        scene.send(&again);
        assert_eq!(offer(&mut scene).1.as_deref(), Some(SDP), "and another may follow");
    }
}

#[test]
fn an_update_is_answered_once_and_wants_no_ack() {
    let mut scene = Incoming::established();
    let update = scene.phone.request("UPDATE", "", SDP);
    scene.send(&update);
    assert_eq!(offer(&mut scene), (Method::Update, Some(SDP.to_owned())));
    accept(&mut scene);
    let ok = scene.net.expect(scene.ann, "200 UPDATE").text;
    assert_eq!(text::body(&ok), OTHER);
    scene.net.run_ms(60_000);
    assert_eq!(scene.net.unread(scene.ann), Vec::<String>::new());
}

#[test]
fn an_update_without_a_body_is_answered_at_once_and_moves_the_target() {
    let mut scene = Incoming::established();
    let update = scene.phone.request("UPDATE", "", "");
    scene.send(&update.replace("<sip:ann@10.0.0.2:5060>\r\n", "<sip:ann@10.0.0.2:5070>\r\n"));
    scene.net.expect(scene.ann, "200 UPDATE");
    scene.hang_up();
    let bye = scene.net.expect(scene.ann, "BYE");
    assert_eq!(text::uri(&bye.text), "sip:ann@10.0.0.2:5070");
    assert_eq!(bye.to.port(), 5070);
}

#[test]
fn an_invite_without_an_offer_gets_ours_and_its_ack_carries_the_answer() {
    let mut scene = Incoming::with(false, "", "");
    scene.answer();
    let ok = scene.net.expect_after(scene.ann, "200 INVITE").text;
    assert_eq!(text::body(&ok), SDP, "our offer");
    scene.phone.learn(&ok);
    let ack = scene.phone.ack(1, OTHER);
    scene.send(&ack);
    let answer = scene.net.event(scene.carom, |event| match event {
        Event::Established { sdp, .. } => Some(sdp.clone()),
        _ => None,
    });
    assert_eq!(answer.as_deref(), Some(OTHER.as_bytes()));
}

#[test]
fn a_re_invite_without_an_offer_gets_ours_and_its_ack_carries_the_answer() {
    let mut scene = Incoming::established();
    let invite = scene.phone.request("INVITE", "", "");
    scene.send(&invite);
    assert_eq!(offer(&mut scene), (Method::Invite, None));
    accept(&mut scene);
    let ok = scene.net.expect(scene.ann, "200 INVITE").text;
    assert_eq!(text::body(&ok), OTHER);
    let ack = scene.phone.ack(2, SDP);
    scene.send(&ack);
    let (status, answer) = scene.net.event(scene.carom, |event| match event {
        Event::OfferAnswered { status, sdp, .. } => Some((*status, sdp.clone())),
        _ => None,
    });
    assert_eq!((status, answer.as_deref()), (200, Some(SDP.as_bytes())));
}

#[test]
fn a_second_offer_before_the_first_is_answered_gets_500_with_retry_after() {
    for first in ["INVITE", "UPDATE"] {
        for second in ["INVITE", "UPDATE"] {
            let mut scene = Incoming::established();
            for method in [first, second] {
                let request = scene.phone.request(method, "", SDP);
                scene.send(&request);
            }
            let refused = scene.net.expect(scene.ann, &format!("500 {second}")).text;
            assert_retry_after(&refused);
        }
    }
}

/// §14.2 and RFC 3311 §5.2: the INVITE that makes the call is an offer like any other.
#[test]
fn an_offer_before_the_call_is_answered_gets_500_with_retry_after() {
    for method in ["INVITE", "UPDATE"] {
        let mut scene = Incoming::udp();
        scene.ring();
        let ringing = scene.net.expect_after(scene.ann, "180 INVITE").text;
        scene.phone.learn(&ringing);
        let request = scene.phone.request(method, "", SDP);
        scene.send(&request);
        let refused = scene.net.expect(scene.ann, &format!("500 {method}")).text;
        assert_retry_after(&refused);
        assert_eq!(scene.net.see(scene.carom).legs(), 1);
    }
}

#[test]
fn a_re_invite_that_overtakes_the_ack_gets_491_and_an_update_is_taken() {
    let mut scene = Incoming::udp();
    scene.answer();
    scene.net.run_ms(100);
    scene.learn();
    scene.settle();
    let invite = scene.phone.request("INVITE", "", SDP);
    scene.send(&invite);
    scene.net.expect(scene.ann, "491 INVITE");
    let update = scene.phone.request("UPDATE", "", SDP);
    scene.send(&update);
    assert_eq!(offer(&mut scene).0, Method::Update, "our 200 was the answer already");
}

#[test]
fn a_bye_while_an_offer_of_the_peer_waits_ends_that_with_487() {
    for ours in [true, false] {
        let mut scene = Incoming::established();
        let invite = scene.phone.request("INVITE", "", SDP);
        scene.send(&invite);
        scene.net.run_ms(100);
        if ours {
            scene.hang_up();
            scene.net.expect(scene.ann, "487 INVITE");
            let bye = scene.net.expect(scene.ann, "BYE").text;
            scene.send(&text::reply(&bye, "200 OK", "", "", ""));
        } else {
            let bye = scene.phone.request("BYE", "", "");
            scene.send(&bye);
            scene.net.expect(scene.ann, "200 BYE");
            scene.net.expect(scene.ann, "487 INVITE");
        }
        accept(&mut scene);
        let ack = text::of_invite(&invite, "ACK", &scene.phone.remote);
        scene.send(&ack);
        scene.net.run_ms(33_000);
        let carom = scene.net.see(scene.carom);
        assert_eq!((carom.legs(), carom.transactions()), (0, 0));
        assert_eq!(scene.net.sent_at(scene.carom, "200 INVITE").len(), 1, "the first only");
    }
}

#[test]
fn numbers_of_the_peer_must_grow() {
    let mut scene = Incoming::established();
    scene.phone.seq = 10;
    for (seq, answer) in [(11, "200 INFO"), (9, "500 INFO"), (12, "200 INFO"), (40, "200 INFO")] {
        let info = scene.phone.numbered("INFO", seq, "", "");
        scene.send(&info);
        scene.net.expect(scene.ann, answer);
    }
    let bye = scene.phone.numbered("BYE", 39, "", "");
    scene.send(&bye);
    scene.net.expect(scene.ann, "500 BYE");
    assert_eq!(scene.net.see(scene.carom).legs(), 1);
}

/// Lesson 20: there are peers whose BYE shares its number with the request before it.
#[test]
fn a_bye_that_shares_its_number_is_taken_all_the_same() {
    let mut scene = Incoming::established();
    let info = scene.phone.request("INFO", "", "");
    scene.send(&info);
    scene.net.expect(scene.ann, "200 INFO");
    let bye = scene.phone.numbered("BYE", scene.phone.seq, "", "");
    scene.send(&bye);
    scene.net.expect(scene.ann, "200 BYE");
    assert_eq!(scene.net.see(scene.carom).legs(), 0);
}

fn assert_retry_after(refused: &str) {
    let seconds: Result<u32, _> = text::header(refused, "Retry-After").parse();
    assert!(seconds.is_ok_and(|seconds| seconds <= 10), "{refused}");
}

/// Waits for an offer of the peer.
fn offer(scene: &mut Incoming) -> (Method, Option<String>) {
    scene.net.event(scene.carom, |event| match event {
        Event::Offer { method, sdp, .. } => {
            let sdp = sdp.as_ref().map(|sdp| String::from_utf8_lossy(sdp).into_owned());
            Some((method.clone(), sdp))
        }
        _ => None,
    })
}

fn accept(scene: &mut Incoming) {
    let (leg, sdp) = (scene.leg, Bytes::from_static(OTHER.as_bytes()));
    scene.net.with(scene.carom, |carom, now| carom.accept_offer(now, leg, sdp));
}
