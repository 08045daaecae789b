//! The server side: what goes out for a call that comes in, and how often (RFC 3261 §13.3, §17.2;
//! RFC 6026).

mod common;

use carom_sim::text;
use common::Incoming;
use sip_stack::endpoint::{EndedBy, Event};

/// When a response is repeated that nobody acknowledges: T1, doubling to T2, up to 64·T1.
const REPEATS: [u64; 11] =
    [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];

#[test]
fn an_invite_gets_100_at_once_and_its_repeats_the_last_provisional() {
    let mut scene = Incoming::udp();
    let trying = scene.net.expect(scene.ann, "100 INVITE");
    assert_eq!(trying.at_ms, 20, "two trips of 10 ms");
    assert!(!text::header(&trying.text, "To").contains("tag="), "a 100 makes no dialog");
    scene.again();
    scene.net.expect(scene.ann, "100 INVITE");
    scene.ring();
    let ringing = scene.net.expect(scene.ann, "180 INVITE");
    assert!(text::header(&ringing.text, "To").contains("tag="));
    assert_eq!(text::bracketed(text::header(&ringing.text, "Contact")), "sip:10.0.0.1:5060");
    scene.again();
    assert_eq!(scene.net.expect(scene.ann, "180 INVITE").text, ringing.text);
    let legs = scene.net.see(scene.carom).legs();
    assert_eq!(legs, 1, "repeats make no calls");
}

#[test]
fn a_provisional_is_repeated_each_minute_so_that_proxies_wait() {
    let mut scene = Incoming::udp();
    scene.ring();
    scene.net.run_ms(185_000);
    assert_eq!(scene.since("180 INVITE"), [0, 60_000, 120_000, 180_000]);
}

#[test]
fn a_2xx_is_repeated_until_its_ack() {
    for mut scene in [Incoming::udp(), Incoming::tcp()] {
        scene.answer();
        scene.net.run_ms(3_600);
        scene.ack();
        scene.net.run_ms(60_000);
        assert_eq!(scene.since("200 INVITE"), [0, 500, 1_500, 3_500], "over TCP, too");
        assert_eq!(scene.net.see(scene.carom).legs(), 1, "the call stands");
    }
}

/// Peers of RFC 2543 send the ACK of a 2xx with the branch of its INVITE.
#[test]
fn an_ack_with_the_branch_of_its_invite_is_taken_and_noted_once() {
    let mut scene = Incoming::udp();
    scene.answer();
    scene.net.run_ms(100);
    scene.learn();
    let ack = text::of_invite(&scene.invite, "ACK", &scene.phone.remote);
    scene.send(&ack);
    scene.net.run_ms(10_000);
    assert_eq!(scene.since("200 INVITE"), [0]);
    let events = scene.net.events(scene.carom);
    let established = |event: &Event| matches!(event, Event::Established { .. });
    let noted = |event: &Event| match event {
        Event::Wire { summary, .. } => summary.to_string() == "ACK",
        _ => false,
    };
    assert_eq!(events.iter().filter(|(_, event)| established(event)).count(), 1);
    assert_eq!(events.iter().filter(|(_, event)| noted(event)).count(), 1);
}

#[test]
fn without_an_ack_a_2xx_is_followed_by_a_bye_after_32_s() {
    let mut scene = Incoming::udp();
    scene.answer();
    let by = scene.net.event(scene.carom, |event| match event {
        Event::Ended { by, .. } => Some(*by),
        _ => None,
    });
    assert_eq!(by, EndedBy::NoAck);
    assert_eq!(scene.since("200 INVITE"), REPEATS);
    assert_eq!(scene.since("BYE"), [32_000]);
}

#[test]
fn invites_that_come_again_after_the_2xx_are_absorbed_for_32_s() {
    let mut scene = Incoming::udp();
    scene.answer();
    scene.net.run_ms(100);
    scene.ack();
    for _ in 0..6 {
        scene.net.run_ms(5_000);
        scene.again();
    }
    scene.net.run_ms(1_000);
    assert_eq!(scene.since("200 INVITE"), [0], "the transaction user repeats it, nobody else");
    assert_eq!(scene.net.see(scene.carom).legs(), 1, "and no second call comes of it");
    assert_eq!(scene.net.see(scene.carom).transactions(), 1, "Timer L");
    scene.net.run_ms(2_000);
    assert_eq!(scene.net.see(scene.carom).transactions(), 0);
}

#[test]
fn a_failure_is_repeated_on_udp_until_its_ack_and_timer_i_waits_for_strays() {
    let mut scene = Incoming::udp();
    scene.reject();
    scene.net.run_ms(3_600);
    let ack = scene.ack_of_failure();
    scene.net.run_ms(1_000);
    scene.again();
    scene.net.send(scene.ann, scene.carom, &ack);
    scene.net.run_ms(3_000);
    assert_eq!(scene.since("486 INVITE"), [0, 500, 1_500, 3_500]);
    assert_eq!(scene.net.see(scene.carom).transactions(), 1, "Timer I is 5 s");
    scene.net.run_ms(1_100);
    assert_eq!(scene.net.see(scene.carom).transactions(), 0);
}

#[test]
fn a_failure_without_ack_is_given_up_after_32_s() {
    let mut scene = Incoming::udp();
    scene.reject();
    scene.net.run_ms(32_100);
    assert_eq!(scene.since("486 INVITE"), REPEATS, "Timer G");
    assert_eq!(scene.net.see(scene.carom).transactions(), 0, "Timer H");
    assert_eq!(scene.net.see(scene.carom).poll_timeout(), None);
}

#[test]
fn a_failure_is_sent_once_on_tcp() {
    let mut scene = Incoming::tcp();
    scene.reject();
    scene.net.run_ms(10_000);
    assert_eq!(scene.since("486 INVITE"), [0]);
    scene.ack_of_failure();
    scene.net.run_ms(11);
    assert_eq!(scene.net.see(scene.carom).transactions(), 0, "Timer I is nothing on TCP");
}

#[test]
fn the_answer_to_a_repeated_bye_is_repeated_for_32_s() {
    let mut scene = Incoming::udp();
    scene.answer();
    scene.net.run_ms(100);
    scene.ack();
    let bye = scene.phone.request("BYE", "", "");
    for wait_ms in [31_900, 200, 1_000] {
        scene.net.send(scene.ann, scene.carom, &bye);
        scene.net.run_ms(wait_ms);
    }
    let answers: Vec<u64> = scene.net.sent_at(scene.carom, "200 BYE");
    assert_eq!(answers.len(), 2, "Timer J: {answers:?}");
    assert_eq!(scene.net.sent_at(scene.carom, "481 BYE").len(), 1, "then it is unknown");
}

#[test]
fn the_answer_to_a_bye_over_tcp_leaves_nothing_behind() {
    let mut scene = Incoming::tcp();
    scene.answer();
    scene.net.run_ms(100);
    scene.ack();
    let bye = scene.phone.request("BYE", "", "");
    scene.send(&bye);
    scene.net.run_ms(40_000);
    let carom = scene.net.see(scene.carom);
    assert_eq!((carom.legs(), carom.transactions(), carom.poll_timeout()), (0, 0, None));
}

#[test]
fn our_bye_waits_for_the_ack_of_our_answer() {
    let mut scene = Incoming::udp();
    scene.answer();
    scene.hang_up();
    scene.net.run_ms(2_000);
    assert_eq!(scene.since("BYE"), [], "not while the ACK is on its way (§15)");
    scene.ack();
    scene.net.run_ms(11);
    assert_eq!(scene.since("BYE").len(), 1);
    assert_eq!(scene.since("200 INVITE"), [0, 500, 1_500], "and the ACK ends the repeats");
}

#[test]
fn our_bye_goes_out_after_32_s_if_that_ack_never_comes() {
    let mut scene = Incoming::udp();
    scene.answer();
    scene.hang_up();
    scene.net.run_ms(32_100);
    assert_eq!(scene.since("200 INVITE"), REPEATS);
    assert_eq!(scene.since("BYE"), [32_000]);
}

#[test]
fn the_peers_bye_ends_the_repeats_of_an_answer_it_never_acknowledged() {
    for we_hang_up_first in [false, true] {
        let mut scene = Incoming::udp();
        scene.answer();
        if we_hang_up_first {
            scene.hang_up();
        }
        scene.net.run_ms(600);
        scene.learn();
        let bye = scene.phone.request("BYE", "", "");
        scene.send(&bye);
        scene.net.run_ms(60_000);
        assert_eq!(scene.net.sent_at(scene.carom, "200 BYE").len(), 1);
        assert_eq!(scene.since("200 INVITE"), [0, 500], "first {we_hang_up_first}");
        assert_eq!(scene.since("BYE"), [], "it has hung up already");
        let carom = scene.net.see(scene.carom);
        assert_eq!((carom.legs(), carom.transactions()), (0, 0));
    }
}
