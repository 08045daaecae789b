//! The client side: what is sent how often, and what is acknowledged (RFC 3261 §13.2, §17.1;
//! RFC 6026).

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use carom_sim::text;
use common::Outgoing;
use sip_stack::{
    endpoint::{Cause, EndedBy, Event, Transport, TransportError},
    message::HeaderName,
};

#[test]
fn an_invite_is_repeated_on_udp_and_times_out_as_408_after_32_s() {
    let mut scene = Outgoing::udp();
    assert_eq!(scene.failure(), (408, Cause::Timeout));
    assert_eq!(scene.net.now_ms(), 32_000, "Timer B");
    assert_eq!(scene.sent("INVITE"), [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500], "Timer A");
    assert_eq!(scene.left(), (0, 0, false));
}

#[test]
fn an_invite_is_sent_once_on_tcp_and_times_out_all_the_same() {
    let mut scene = Outgoing::tcp();
    assert_eq!(scene.failure(), (408, Cause::Timeout));
    assert_eq!(scene.net.now_ms(), 32_000);
    assert_eq!(scene.sent("INVITE"), [0]);
}

#[test]
fn a_provisional_ends_the_repeats_and_the_time_limit() {
    let mut scene = Outgoing::udp();
    scene.reply("100 Trying", "", "", "");
    scene.net.run_ms(100_000);
    assert_eq!(scene.sent("INVITE"), [0]);
    assert_eq!(scene.net.see(scene.carom).legs(), 1, "it may ring on");
    scene.reply("486 Busy Here", "bob", "", "");
    assert_eq!(scene.failure(), (486, Cause::Response));
}

#[test]
fn a_failure_is_acknowledged_each_time_it_comes_for_32_s() {
    let mut scene = Outgoing::udp();
    for at_ms in [10, 510, 1_510, 31_500, 32_500] {
        scene.net.run_to_ms(at_ms);
        scene.reply("486 Busy Here", "bob", "", "");
    }
    scene.net.run_ms(100);
    assert_eq!(scene.sent("ACK").len(), 4, "Timer D is 32 s");
    let ack = scene.net.sent(scene.carom, "ACK").next().unwrap().text.clone();
    assert_eq!(text::header(&ack, "Via"), text::header(&scene.invite, "Via"), "§17.1.1.3");
    assert_eq!(text::uri(&ack), text::uri(&scene.invite));
    assert_eq!(text::header(&ack, "CSeq"), "1 ACK");
    assert!(text::header(&ack, "To").ends_with(";tag=bob"));
    assert_eq!(scene.left(), (0, 0, false));
}

#[test]
fn a_failure_on_tcp_leaves_nothing_behind() {
    let mut scene = Outgoing::tcp();
    scene.reply("486 Busy Here", "bob", "", "");
    scene.expect("ACK");
    assert_eq!(scene.left(), (0, 0, false));
}

#[test]
fn a_2xx_that_comes_again_is_acknowledged_again_with_the_same_ack() {
    for mut scene in [Outgoing::udp(), Outgoing::tcp()] {
        for _ in 0..3 {
            scene.answer("bob");
            scene.net.run_ms(500);
        }
        let acks: Vec<String> =
            scene.net.sent(scene.carom, "ACK").map(|sent| sent.text.clone()).collect();
        assert_eq!(acks.len(), 3);
        assert!(acks.iter().all(|ack| *ack == acks[0]));
        assert_ne!(text::header(&acks[0], "Via"), text::header(&scene.invite, "Via"));
        assert_eq!(text::uri(&acks[0]), "sip:bob@10.0.0.3:5060", "the Contact of the 200");
        let answered = |(_, event): &(u64, Event)| matches!(event, Event::Answered { .. });
        assert_eq!(scene.net.events(scene.carom).iter().filter(|e| answered(e)).count(), 1);
    }
}

#[test]
fn a_2xx_of_another_branch_of_a_fork_gets_ack_and_bye() {
    let mut scene = Outgoing::udp();
    scene.answer("bob");
    scene.expect("ACK");
    scene.answer("mailbox");
    for name in ["ACK", "BYE"] {
        let to = scene.expect(name).text;
        assert!(text::header(&to, "To").ends_with(";tag=mailbox"), "{name}");
    }
    scene.net.run_ms(1_000);
    assert_eq!(scene.net.see(scene.carom).legs(), 1, "the first answer stands");
}

#[test]
fn a_2xx_after_the_time_limit_belongs_to_nothing() {
    let mut scene = Outgoing::udp();
    assert_eq!(scene.failure(), (408, Cause::Timeout));
    scene.answer("bob");
    let reason = scene.net.event(scene.carom, |event| match event {
        Event::Dropped { reason, .. } => Some(reason.as_str()),
        _ => None,
    });
    assert_eq!(reason, "stray_response");
}

#[test]
fn a_target_that_may_hands_the_call_back_by_refer_and_gets_the_bye_after_the_notify() {
    let (mut scene, mut phone) = Outgoing::established_with(|invite| invite.takes_refer = true);
    assert!(text::header(&scene.invite, "Allow").contains("REFER"));
    let none = phone.request("REFER", "", "");
    scene.send(&none);
    scene.expect("400 REFER");
    let refer =
        phone.request("REFER", "Refer-To: <sip:premium@10.0.0.9>\r\nX-Outcome: done\r\n", "");
    scene.send(&refer);
    scene.expect("202 REFER");
    let notify = scene.expect("NOTIFY").text;
    assert_eq!(text::header(&notify, "Event"), "refer");
    assert_eq!(text::header(&notify, "Subscription-State"), "terminated;reason=noresource");
    assert_eq!(text::header(&notify, "Content-Type"), "message/sipfrag;version=2.0");
    assert_eq!(text::body(&notify), "SIP/2.0 200 OK\r\n");
    let said = scene.net.event(scene.carom, |event| match event {
        Event::Ended { by: EndedBy::Peer, request: Some(refer), .. } => {
            Some(refer.headers().first(HeaderName::from("X-Outcome")).unwrap().to_owned())
        }
        _ => None,
    });
    assert_eq!(said, "done");
    scene.net.run_ms(400);
    assert!(scene.sent("BYE").is_empty(), "not before the NOTIFY is answered");
    assert!(scene.sent("INVITE").len() == 1, "nobody is called");
    scene.ok(&notify);
    let bye = scene.expect("BYE").text;
    scene.ok(&bye);
    scene.net.run_ms(40_000);
    assert_eq!(scene.left(), (0, 0, false));
}

#[test]
fn a_refer_whose_notify_is_never_answered_or_not_wanted_ends_with_our_bye_or_the_peers() {
    for (wanted, byes) in [("", 1), ("Refer-Sub: false\r\n", 1)] {
        let (mut scene, mut phone) = Outgoing::established_with(|invite| invite.takes_refer = true);
        let refer = phone.request("REFER", &format!("Refer-To: <sip:x@10.0.0.9>\r\n{wanted}"), "");
        scene.send(&refer);
        scene.expect("202 REFER");
        scene.net.run_ms(40_000);
        assert!(scene.sent("BYE").len() >= byes, "{wanted}");
        assert_eq!(scene.sent("NOTIFY").is_empty(), !wanted.is_empty(), "{wanted}");
        scene.net.run_ms(80_000);
        assert_eq!(scene.left(), (0, 0, false), "{wanted}");
    }
    let (mut scene, mut phone) = Outgoing::established_with(|invite| invite.takes_refer = true);
    let refer = phone.request("REFER", "Refer-To: <sip:x@10.0.0.9>\r\n", "");
    scene.send(&refer);
    scene.expect("202 REFER");
    let notify = scene.expect("NOTIFY").text;
    let bye = phone.request("BYE", "", "");
    scene.send(&bye);
    scene.expect("200 BYE");
    scene.ok(&notify);
    scene.net.run_ms(80_000);
    assert!(scene.sent("BYE").is_empty(), "its own came first");
    assert_eq!(scene.left(), (0, 0, false));
}

#[test]
fn a_bye_is_repeated_up_to_t2_and_given_up_after_32_s() {
    let (mut scene, _) = Outgoing::established();
    let since_ms = scene.net.now_ms();
    scene.hang_up();
    scene.net.run_ms(40_000);
    let at: Vec<u64> = scene.sent("BYE").iter().map(|at| at - since_ms).collect();
    let timer_e = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(at, timer_e);
    assert_eq!(scene.left(), (0, 0, false), "Timer F");
}

#[test]
fn a_provisional_slows_the_repeats_of_a_bye_to_t2() {
    let (mut scene, _) = Outgoing::established();
    let since_ms = scene.net.now_ms();
    scene.hang_up();
    let bye = scene.expect("BYE").text;
    let trying = text::reply(&bye, "100 Trying", "", "", "");
    scene.send(&trying);
    scene.net.run_ms(10_000);
    let at: Vec<u64> = scene.sent("BYE").iter().map(|at| at - since_ms).collect();
    assert_eq!(at, [0, 4_020, 8_020]);
}

#[test]
fn answers_to_a_bye_that_come_again_are_absorbed_for_t4() {
    let (mut scene, _) = Outgoing::established();
    scene.net.run_ms(33_000);
    scene.hang_up();
    let bye = scene.expect("BYE").text;
    scene.ok(&bye);
    scene.net.run_ms(4_900);
    assert_eq!(scene.left(), (0, 1, true), "Timer K is 5 s");
    scene.ok(&bye);
    scene.net.run_ms(200);
    assert_eq!(scene.left(), (0, 0, false));
    let (events, dropped) = (scene.net.events(scene.carom), "the second 200 is known");
    assert!(!events.iter().any(|(_, event)| matches!(event, Event::Dropped { .. })), "{dropped}");
}

#[test]
fn a_refused_path_fails_the_call_at_once_as_503() {
    let mut scene = Outgoing::udp();
    let path = scene.net.path(Transport::Udp, scene.carom, scene.bob);
    scene.net.fail(scene.carom, path, TransportError::Refused);
    assert_eq!(scene.failure(), (503, Cause::Transport));
    assert_eq!(scene.net.now_ms(), 10);
    assert_eq!(scene.left(), (0, 0, false));
}

#[test]
fn a_call_that_is_refused_over_tcp_goes_on_over_udp() {
    for refused in [true, false] {
        let mut scene = Outgoing::with(true, |invite| {
            let udp = sip_stack::endpoint::Path { transport: Transport::Udp, ..invite.path };
            invite.fallback_path = Some(udp);
        });
        if refused {
            let path = scene.net.path(Transport::Tcp, scene.carom, scene.bob);
            scene.net.fail(scene.carom, path, TransportError::Refused);
        }
        let again = scene.expect("INVITE");
        let since_ms = if refused { 20 } else { 3_010 };
        assert_eq!(again.at_ms, since_ms, "at once, or after 3 s of silence");
        assert!(text::header(&again.text, "Via").starts_with("SIP/2.0/UDP 10.0.0.1:5060;rport"));
        assert_eq!(text::header(&again.text, "CSeq"), "2 INVITE");
        assert_eq!(text::header(&again.text, "Contact"), "<sip:10.0.0.1:5060>");
        (scene.tcp, scene.invite) = (false, again.text);
        scene.answer("bob");
        let ack = scene.expect("ACK");
        assert_eq!(text::header(&ack.text, "CSeq"), "2 ACK");
    }
}
