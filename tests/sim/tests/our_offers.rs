//! We change the session, ask for an offer, and meet the peer doing the same (RFC 3261 §14.1,
//! RFC 3311, RFC 5407).

mod common;

use bytes::Bytes;
use carom_sim::{
    Net, Station,
    text::{self, SDP},
};
use common::{Incoming, Outgoing, invite_to};
use sip_stack::endpoint::{EndedBy, Event, LegId, OfferPending, ReofferMethod, Transport};

#[test]
fn a_re_invite_is_acknowledged_and_its_answer_told() {
    let (mut scene, _) = Outgoing::established();
    reoffer(&mut scene, Some(SDP), ReofferMethod::Invite);
    let invite = scene.expect("INVITE").text;
    assert_eq!(text::header(&invite, "CSeq"), "2 INVITE");
    assert_eq!(text::body(&invite), SDP);
    assert_eq!(text::uri(&invite), "sip:bob@10.0.0.3:5060");
    let ok = text::reply(&invite, "200 OK", "", "Contact: <sip:bob@10.0.0.3:5070>\r\n", SDP);
    scene.send(&ok);
    let ack = scene.expect("ACK");
    assert_eq!(text::header(&ack.text, "CSeq"), "2 ACK");
    assert_eq!(ack.to.port(), 5070, "the 200 moved the target");
    assert_eq!(answered(&mut scene), (200, true));
    scene.send(&ok);
    assert_eq!(scene.expect("ACK").text, ack.text);
}

#[test]
fn an_update_is_answered_without_an_ack() {
    let (mut scene, _) = Outgoing::established();
    reoffer(&mut scene, Some(SDP), ReofferMethod::Update);
    let update = scene.expect("UPDATE").text;
    assert_eq!(text::header(&update, "CSeq"), "2 UPDATE");
    scene.send(&text::reply(&update, "200 OK", "", "", SDP));
    assert_eq!(answered(&mut scene), (200, true));
    assert_eq!(scene.sent("ACK").len(), 1, "the first INVITE's");
}

#[test]
fn an_offer_that_the_peer_refuses_leaves_the_call_as_it_is() {
    let (mut scene, _) = Outgoing::established();
    reoffer(&mut scene, Some(SDP), ReofferMethod::Invite);
    let invite = scene.expect("INVITE").text;
    scene.send(&text::reply(&invite, "488 Not Acceptable Here", "", "", ""));
    scene.expect("ACK");
    assert_eq!(answered(&mut scene), (488, false));
    reoffer(&mut scene, Some(SDP), ReofferMethod::Update);
    scene.expect("UPDATE");
}

#[test]
fn an_invite_without_an_offer_gets_its_answer_in_the_ack() {
    let mut scene = Outgoing::with(false, |invite| invite.sdp = None);
    assert_eq!(text::header(&scene.invite, "Content-Length"), "0");
    scene.answer("bob");
    scene.net.run_ms(100);
    scene.answer("bob");
    scene.net.run_ms(100);
    assert_eq!(scene.sent("ACK"), [], "its user has to answer first");
    let leg = scene.leg;
    let sdp = Bytes::from_static(SDP.as_bytes());
    scene.net.with(scene.carom, |carom, now| carom.acknowledge(now, leg, sdp));
    let ack = scene.expect("ACK").text;
    assert_eq!(text::body(&ack), SDP);
    scene.answer("bob");
    assert_eq!(scene.expect("ACK").text, ack);
}

#[test]
fn a_hang_up_while_the_peers_offer_waits_acknowledges_it_first() {
    let mut scene = Outgoing::with(false, |invite| invite.sdp = None);
    scene.answer("bob");
    scene.net.run_ms(100);
    scene.hang_up();
    scene.expect("ACK");
    scene.expect("BYE");
}

#[test]
fn a_re_invite_without_an_offer_gets_its_answer_in_the_ack() {
    let (mut scene, _) = Outgoing::established();
    reoffer(&mut scene, None, ReofferMethod::Invite);
    let invite = scene.expect("INVITE").text;
    assert_eq!(text::body(&invite), "");
    scene.send(&text::reply(&invite, "200 OK", "", "", SDP));
    assert_eq!(answered(&mut scene), (200, true));
    let leg = scene.leg;
    let sdp = Bytes::from_static(SDP.as_bytes());
    scene.net.with(scene.carom, |carom, now| carom.acknowledge(now, leg, sdp));
    assert_eq!(text::body(&scene.expect("ACK").text), SDP);
}

#[test]
fn only_one_offer_is_under_way() {
    let (mut scene, mut phone) = Outgoing::established();
    reoffer(&mut scene, Some(SDP), ReofferMethod::Invite);
    scene.expect("INVITE");
    let leg = scene.leg;
    let again = |scene: &mut Outgoing, method| {
        let sdp = Some(Bytes::from_static(SDP.as_bytes()));
        scene.net.with(scene.carom, |carom, now| carom.reoffer(now, leg, sdp, method))
    };
    assert_eq!(again(&mut scene, ReofferMethod::Invite), Err(OfferPending));
    assert_eq!(again(&mut scene, ReofferMethod::Update), Err(OfferPending));
    for method in ["INVITE", "UPDATE"] {
        let request = phone.request(method, "", SDP);
        scene.send(&request);
        let refused = scene.expect(&format!("491 {method}")).text;
        scene.send(&text::of_invite(&request, "ACK", text::header(&refused, "To")));
    }
}

#[test]
fn the_side_that_made_the_call_id_tries_again_after_2_1_to_4_s() {
    let mut waits = Vec::new();
    for seed in 0..40 {
        let (mut scene, _) = Outgoing::established();
        // Each go uses up other random numbers.
        for _ in 0..seed {
            let leg = scene.leg;
            scene.net.with(scene.carom, |carom, now| carom.info(now, leg, "text/plain", b""));
            let info = scene.expect("INFO").text;
            scene.ok(&info);
        }
        waits.push(retry_after_491(&mut scene));
    }
    assert_waits(&waits, 2_100..=4_000);
}

#[test]
fn the_side_that_was_called_tries_again_within_2_s() {
    let mut waits = Vec::new();
    for seed in 0..40 {
        let mut scene = Incoming::established();
        let leg = scene.leg;
        for _ in 0..seed {
            scene.net.with(scene.carom, |carom, now| carom.info(now, leg, "text/plain", b""));
            let info = scene.net.expect(scene.ann, "INFO").text;
            scene.send(&text::reply(&info, "200 OK", "", "", ""));
        }
        let sdp = Some(Bytes::from_static(SDP.as_bytes()));
        let method = ReofferMethod::Invite;
        let sent = scene.net.with(scene.carom, |carom, now| carom.reoffer(now, leg, sdp, method));
        assert_eq!(sent, Ok(()));
        let invite = scene.net.expect(scene.ann, "INVITE").text;
        scene.send(&text::reply(&invite, "491 Request Pending", "", "", ""));
        let acked_ms = scene.net.expect(scene.ann, "ACK").at_ms;
        waits.push(scene.net.expect(scene.ann, "INVITE").at_ms - acked_ms);
    }
    assert_waits(&waits, 0..=2_000);
}

#[test]
fn two_re_invites_that_cross_both_come_through_in_the_end() {
    for method in [ReofferMethod::Invite, ReofferMethod::Update] {
        let mut pair = Pair::talking();
        for (station, leg) in pair.sides() {
            let sdp = Some(Bytes::from_static(SDP.as_bytes()));
            let done = pair.net.with(station, |side, now| side.reoffer(now, leg, sdp, method));
            assert_eq!(done, Ok(()));
        }
        pair.accepting_offers(method, 10_000);
        for (station, _) in pair.sides() {
            let name = format!("491 {}", method.method());
            assert_eq!(pair.net.sent_at(station, &name).len(), 1, "both refuse the other's");
            let name = format!("200 {}", method.method());
            assert!(!pair.net.sent_at(station, &name).is_empty(), "and take it later");
            assert_eq!(pair.net.see(station).legs(), 1);
        }
        pair.hang_up_and_leave_nothing();
    }
}

#[test]
fn a_bye_that_crosses_our_re_invite_ends_both() {
    let (mut scene, mut phone) = Outgoing::established();
    reoffer(&mut scene, Some(SDP), ReofferMethod::Invite);
    let bye = phone.request("BYE", "", "");
    scene.send(&bye);
    let invite = scene.expect("INVITE").text;
    scene.expect("200 BYE");
    scene.send(&text::reply(&invite, "481 Call/Transaction Does Not Exist", "", "", ""));
    scene.expect("ACK");
    scene.net.run_ms(33_000);
    assert_eq!(scene.left(), (0, 0, false));
}

#[test]
fn a_re_invite_that_is_answered_after_the_end_is_still_acknowledged() {
    let (mut scene, _) = Outgoing::established();
    reoffer(&mut scene, Some(SDP), ReofferMethod::Invite);
    let invite = scene.expect("INVITE").text;
    scene.hang_up();
    let bye = scene.expect("BYE").text;
    scene.send(&text::reply(&invite, "200 OK", "", "", SDP));
    assert_eq!(text::header(&scene.expect("ACK").text, "CSeq"), "2 ACK");
    scene.ok(&bye);
    scene.net.run_ms(33_000);
    assert_eq!(scene.left(), (0, 0, false));
}

#[test]
fn a_peer_that_knows_the_dialog_no_more_is_left_with_a_bye() {
    for status in ["481 Call/Transaction Does Not Exist", "408 Request Timeout", ""] {
        for method in [ReofferMethod::Invite, ReofferMethod::Update] {
            let (mut scene, _) = Outgoing::established();
            reoffer(&mut scene, Some(SDP), method);
            let request = scene.expect(method.method().as_str()).text;
            if !status.is_empty() {
                scene.send(&text::reply(&request, status, "", "", ""));
            }
            let by = scene.net.event(scene.carom, |event| match event {
                Event::Ended { by, .. } => Some(*by),
                _ => None,
            });
            assert_eq!(by, EndedBy::Failure);
            assert_eq!(scene.net.sent_at(scene.carom, "BYE").len(), 1, "{method:?} {status}");
        }
    }
}

/// Lesson 20: one sequencer for a dialog.
#[test]
fn all_requests_of_a_dialog_are_numbered_in_one_row() {
    let (mut scene, _) = Outgoing::established();
    let leg = scene.leg;
    for _ in 0..3 {
        scene.net.with(scene.carom, |carom, now| carom.info(now, leg, "text/plain", b"x"));
        reoffer(&mut scene, Some(SDP), ReofferMethod::Update);
        scene.net.with(scene.carom, |carom, now| carom.info(now, leg, "text/plain", b"y"));
        for name in ["INFO", "UPDATE", "INFO"] {
            let request = scene.expect(name).text;
            scene.ok(&request);
        }
        scene.net.run_ms(50);
    }
    scene.hang_up();
    let bye = scene.expect("BYE").text;
    assert_eq!(text::header(&bye, "CSeq"), "11 BYE");
    let infos: Vec<String> = scene.net.sent(scene.carom, "INFO").map(|s| s.text.clone()).collect();
    let numbers: Vec<&str> = infos.iter().map(|info| text::header(info, "CSeq")).collect();
    assert_eq!(numbers, ["2 INFO", "4 INFO", "5 INFO", "7 INFO", "8 INFO", "10 INFO"]);
}

#[test]
fn an_info_is_no_offer_and_may_come_while_ours_is_under_way() {
    let (mut scene, mut phone) = Outgoing::established();
    reoffer(&mut scene, Some(SDP), ReofferMethod::Invite);
    scene.expect("INVITE");
    let info = phone.request("INFO", "Content-Type: application/dtmf-relay\r\n", "Signal=5\r\n");
    scene.send(&info);
    scene.expect("200 INFO");
}

fn reoffer(scene: &mut Outgoing, sdp: Option<&'static str>, method: ReofferMethod) {
    let (leg, sdp) = (scene.leg, sdp.map(|sdp| Bytes::from_static(sdp.as_bytes())));
    let sent = scene.net.with(scene.carom, |carom, now| carom.reoffer(now, leg, sdp, method));
    assert_eq!(sent, Ok(()));
}

/// How our offer came out, and whether there was a description.
fn answered(scene: &mut Outgoing) -> (u16, bool) {
    scene.net.event(scene.carom, |event| match event {
        Event::OfferAnswered { status, sdp, .. } => Some((*status, sdp.is_some())),
        _ => None,
    })
}

/// Refuses our re-INVITE with 491 and returns after how many ms it comes again.
fn retry_after_491(scene: &mut Outgoing) -> u64 {
    reoffer(scene, Some(SDP), ReofferMethod::Invite);
    let invite = scene.expect("INVITE").text;
    scene.send(&text::reply(&invite, "491 Request Pending", "", "", ""));
    let acked_ms = scene.expect("ACK").at_ms;
    let again = scene.expect("INVITE");
    assert_eq!(text::body(&again.text), SDP);
    again.at_ms - acked_ms
}

fn assert_waits(waits: &[u64], range: std::ops::RangeInclusive<u64>) {
    assert!(waits.iter().all(|ms| range.contains(ms) && ms % 10 == 0), "{waits:?}");
    let (low, high) = (waits.iter().min(), waits.iter().max());
    assert!(low.zip(high).is_some_and(|(low, high)| high - low > 1_000), "{waits:?}");
}

/// Two endpoints that talk with each other.
struct Pair {
    net: Net,
    a: (Station, LegId),
    b: (Station, LegId),
}

impl Pair {
    fn talking() -> Self {
        let mut net = Net::new(3);
        let (a, b) = (net.endpoint("10.0.0.1:5060"), net.endpoint("10.0.0.2:5060"));
        let invite = invite_to(net.path(Transport::Udp, a, b));
        let a_leg = net.with(a, |a, now| a.invite(now, invite));
        let b_leg = net.event(b, |event| match event {
            Event::Incoming { leg, .. } => Some(*leg),
            _ => None,
        });
        let sdp = Bytes::from_static(SDP.as_bytes());
        net.with(b, |b, now| b.answer(now, b_leg, sdp, Vec::new()));
        net.run_ms(1_000);
        Self { net, a: (a, a_leg), b: (b, b_leg) }
    }

    fn sides(&self) -> [(Station, LegId); 2] {
        [self.a, self.b]
    }

    /// Lets time pass while both accept what is offered; one whose own offer gave way to the
    /// other's makes it once more.
    fn accepting_offers(&mut self, method: ReofferMethod, for_ms: u64) {
        let until_ms = self.net.now_ms() + for_ms;
        let mut gave_way = None;
        while self.net.now_ms() < until_ms {
            self.net.run_ms(10);
            for (station, leg) in self.sides() {
                let events = self.net.events(station);
                if events.iter().any(|(_, event)| matches!(event, Event::Offer { .. })) {
                    let sdp = Bytes::from_static(SDP.as_bytes());
                    self.net.with(station, |side, now| side.accept_offer(now, leg, sdp));
                }
                let gives =
                    |event: &Event| matches!(event, Event::OfferAnswered { status: 491, .. });
                if events.iter().any(|(_, event)| gives(event)) {
                    gave_way = Some(station);
                }
                if gave_way == Some(station) {
                    let sdp = Some(Bytes::from_static(SDP.as_bytes()));
                    let again =
                        self.net.with(station, |side, now| side.reoffer(now, leg, sdp, method));
                    gave_way = again.is_err().then_some(station);
                }
            }
        }
    }

    fn hang_up_and_leave_nothing(&mut self) {
        let (station, leg) = self.a;
        self.net.with(station, |a, now| a.hang_up(now, leg, None));
        self.net.run_ms(33_000);
        for (station, _) in self.sides() {
            let side = self.net.see(station);
            assert_eq!((side.legs(), side.transactions(), side.poll_timeout()), (0, 0, None));
        }
    }
}
