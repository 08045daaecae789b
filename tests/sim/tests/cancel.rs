//! CANCEL from either side, and what it may cross (RFC 3261 §9, §13.2.2.4).

mod common;

use carom_sim::text::{self, SDP};
use common::{Incoming, Outgoing};
use sip_stack::endpoint::{EndedBy, Event};

#[test]
fn a_cancel_is_held_until_the_first_provisional() {
    let mut scene = Outgoing::udp();
    scene.hang_up();
    scene.net.run_ms(5_000);
    assert_eq!(scene.sent("CANCEL"), [], "§9.1");
    assert_eq!(scene.sent("INVITE"), [0, 500, 1_500, 3_500], "the INVITE goes on");
    scene.net.unread(scene.bob);
    scene.reply("100 Trying", "", "", "");
    let cancel = scene.expect("CANCEL").text;
    assert_eq!(text::header(&cancel, "Via"), text::header(&scene.invite, "Via"));
    assert_eq!(text::header(&cancel, "CSeq"), "1 CANCEL");
    assert_eq!(text::header(&cancel, "To"), text::header(&scene.invite, "To"));
    assert_eq!(text::uri(&cancel), text::uri(&scene.invite));
    scene.ok(&cancel);
    scene.reply("487 Request Terminated", "bob", "", "");
    scene.expect("ACK");
    scene.net.run_ms(33_000);
    assert_eq!(scene.left(), (0, 0, false));
}

#[test]
fn a_cancel_of_an_invite_that_nobody_hears_ends_with_it() {
    let mut scene = Outgoing::udp();
    scene.net.run_ms(1_000);
    scene.hang_up();
    scene.net.run_ms(33_000);
    assert_eq!(scene.sent("CANCEL"), []);
    assert_eq!(scene.left(), (0, 0, false));
}

#[test]
fn a_cancel_is_repeated_and_without_a_487_the_call_is_over_after_32_s() {
    let mut scene = Outgoing::udp();
    scene.reply("180 Ringing", "bob", "", "");
    scene.net.run_to_ms(1_000);
    scene.hang_up();
    scene.net.run_ms(1_600);
    assert_eq!(scene.sent("CANCEL"), [1_000, 1_500, 2_500]);
    let ended = scene.net.event(scene.carom, |event| match event {
        Event::Ended { by, .. } => Some(*by),
        _ => None,
    });
    assert_eq!(ended, EndedBy::Us, "its user is told at once");
    scene.net.run_ms(31_000);
    assert_eq!(scene.left(), (0, 0, false));
}

#[test]
fn a_200_that_crosses_our_cancel_gets_ack_and_bye() {
    let mut scene = Outgoing::udp();
    scene.reply("180 Ringing", "bob", "", "");
    scene.net.run_ms(100);
    scene.hang_up();
    scene.answer("bob");
    let cancel = scene.expect("CANCEL").text;
    scene.ok(&cancel);
    scene.expect("ACK");
    let bye = scene.expect("BYE").text;
    assert_eq!(text::header(&bye, "CSeq"), "2 BYE");
    assert!(text::header(&bye, "To").ends_with(";tag=bob"));
    scene.ok(&bye);
    scene.net.run_ms(33_000);
    assert_eq!(scene.net.unread(scene.bob), Vec::<String>::new());
    assert_eq!(scene.left(), (0, 0, false));
}

/// Lesson 21: a leg that was cancelled stays to take down a late answer.
#[test]
fn a_200_long_after_our_cancel_still_gets_ack_and_bye_within_32_s() {
    for late_ms in [5_000, 20_000, 31_000] {
        let mut scene = Outgoing::udp();
        scene.reply("180 Ringing", "bob", "", "");
        scene.net.run_ms(100);
        scene.hang_up();
        let cancel = scene.expect("CANCEL").text;
        scene.ok(&cancel);
        scene.net.run_ms(late_ms);
        scene.answer("bob");
        scene.expect("ACK");
        let bye = scene.expect("BYE").text;
        // The ACK was lost, so the answer comes again.
        scene.answer("bob");
        scene.expect("ACK");
        scene.ok(&bye);
        scene.net.run_ms(33_000);
        assert_eq!(scene.sent("BYE").len(), 1, "after {late_ms}");
        assert_eq!(scene.left(), (0, 0, false), "after {late_ms}");
    }
}

#[test]
fn a_200_instead_of_the_first_provisional_gets_ack_and_bye_and_no_cancel() {
    let mut scene = Outgoing::udp();
    scene.hang_up();
    scene.answer("bob");
    scene.expect("ACK");
    let bye = scene.expect("BYE").text;
    scene.ok(&bye);
    scene.net.run_ms(33_000);
    assert_eq!(scene.sent("CANCEL"), []);
    assert_eq!(scene.left(), (0, 0, false));
}

#[test]
fn the_reason_of_a_hang_up_travels_in_the_cancel() {
    let mut scene = Outgoing::udp();
    scene.reply("180 Ringing", "bob", "", "");
    scene.net.run_ms(100);
    let (leg, reason) = (scene.leg, "SIP;cause=200;text=\"Call completed elsewhere\"");
    scene.net.with(scene.carom, |carom, now| carom.hang_up(now, leg, Some(reason.to_owned())));
    assert_eq!(text::header(&scene.expect("CANCEL").text, "Reason"), reason);
}

#[test]
fn the_callers_cancel_gets_200_and_its_invite_487() {
    let mut scene = Incoming::udp();
    scene.ring();
    let to = scene.net.expect_after(scene.ann, "180 INVITE").text;
    let cancel = text::of_invite(&scene.invite, "CANCEL", text::header(&scene.invite, "To"));
    scene.send(&cancel);
    let ok = scene.net.expect(scene.ann, "200 CANCEL").text;
    let gone = scene.net.expect(scene.ann, "487 INVITE").text;
    for answer in [&ok, &gone] {
        assert_eq!(text::header(answer, "To"), text::header(&to, "To"), "one tag for all");
    }
    scene.since_ms = scene.net.now_ms() - 10;
    scene.net.run_ms(600);
    let ack = text::of_invite(&scene.invite, "ACK", text::header(&gone, "To"));
    scene.send(&ack);
    scene.net.run_ms(40_000);
    assert_eq!(scene.since("487 INVITE"), [0, 500]);
    let carom = scene.net.see(scene.carom);
    assert_eq!((carom.legs(), carom.transactions(), carom.poll_timeout()), (0, 0, None));
    let cancelled = |(_, event): &(u64, Event)| matches!(event, Event::Cancelled { .. });
    assert_eq!(scene.net.events(scene.carom).iter().filter(|e| cancelled(e)).count(), 1);
}

#[test]
fn a_cancel_that_crosses_our_200_changes_nothing() {
    let mut scene = Incoming::udp();
    let cancel = text::of_invite(&scene.invite, "CANCEL", text::header(&scene.invite, "To"));
    scene.send(&cancel);
    scene.answer();
    scene.net.run_ms(100);
    assert_eq!(scene.net.unread(scene.ann), ["100 INVITE", "200 INVITE", "200 CANCEL"]);
    scene.ack();
    let bye = scene.phone.request("BYE", "", "");
    scene.send(&bye);
    scene.net.expect(scene.ann, "200 BYE");
    scene.net.run_ms(33_000);
    assert_eq!(scene.since("487 INVITE"), []);
    assert_eq!(scene.net.see(scene.carom).legs(), 0);
}

#[test]
fn a_cancel_for_nothing_that_is_known_gets_481() {
    let mut scene = Incoming::udp();
    scene.settle();
    let other = scene.phone.numbered("INVITE", 1, "", SDP);
    let cancel = text::of_invite(&other, "CANCEL", text::header(&other, "To"));
    scene.send(&cancel);
    let unknown = scene.net.expect(scene.ann, "481 CANCEL").text;
    assert!(text::header(&unknown, "To").contains(";tag="));
    assert_eq!(scene.net.see(scene.carom).legs(), 1, "the call goes on");
}

#[test]
fn a_cancel_of_a_re_invite_leaves_the_call_as_it_is() {
    let mut scene = Incoming::established();
    let invite = scene.phone.request("INVITE", "", SDP);
    scene.send(&invite);
    scene.net.run_ms(100);
    let cancel = text::of_invite(&invite, "CANCEL", text::header(&invite, "To"));
    scene.send(&cancel);
    scene.net.expect(scene.ann, "200 CANCEL");
    let gone = scene.net.expect(scene.ann, "487 INVITE").text;
    let ack = text::of_invite(&invite, "ACK", text::header(&gone, "To"));
    scene.send(&ack);
    scene.net.run_ms(40_000);
    assert_eq!(scene.net.see(scene.carom).legs(), 1);
    assert_eq!(scene.net.see(scene.carom).transactions(), 0);
}

#[test]
fn a_bye_before_our_answer_ends_the_call_like_a_cancel() {
    let mut scene = Incoming::udp();
    scene.ring();
    let ringing = scene.net.expect_after(scene.ann, "180 INVITE").text;
    scene.phone.learn(&ringing);
    let bye = scene.phone.request("BYE", "", "");
    scene.send(&bye);
    scene.net.expect(scene.ann, "200 BYE");
    scene.net.expect(scene.ann, "487 INVITE");
    scene.net.run_ms(33_000);
    assert_eq!(scene.net.see(scene.carom).legs(), 0);
    assert_eq!(scene.net.see(scene.carom).transactions(), 0);
}
