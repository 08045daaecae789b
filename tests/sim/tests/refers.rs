//! Our REFER within a dialog (RFC 3515): what peers make of it, and when it is given up.

mod common;

use std::time::Duration;

use carom_sim::{Phone, text};
use common::Outgoing;
use sip_stack::endpoint::{Event, Referral};

const RING: Duration = Duration::from_secs(20);
const TO: &str = "<sip:queue@10.0.0.9>";

/// A call that is up, and our REFER in it.
struct Scene {
    call: Outgoing,
    phone: Phone,
    refer: String,
    began_ms: u64,
}

impl Scene {
    fn new() -> Self {
        let (mut call, phone) = Outgoing::established();
        let leg = call.leg;
        let began_ms = call.net.now_ms();
        call.net.with(call.carom, |carom, now| carom.refer(now, leg, TO.to_owned(), RING));
        let refer = call.expect("REFER").text;
        Self { call, phone, refer, began_ms }
    }

    fn reply(&mut self, status: &str) {
        let reply = text::reply(&self.refer, status, "", "", "");
        self.call.send(&reply);
    }

    /// Bob tells what becomes of it.
    fn notify(&mut self, event: &str, state: &str, fragment: &str) {
        let kind = "Content-Type: message/sipfrag;version=2.0\r\n";
        let more = format!("Event: {event}\r\nSubscription-State: {state}\r\n{kind}");
        let notify = self.phone.request("NOTIFY", &more, fragment);
        self.call.send(&notify);
    }

    /// What is told of the REFER, each with its second.
    fn told(&mut self) -> Vec<(u64, Referral)> {
        let began_ms = self.began_ms;
        let events = self.call.net.events(self.call.carom).into_iter();
        let told = events.filter_map(|(at_ms, event)| match event {
            Event::Referred { outcome, .. } => Some(((at_ms - began_ms) / 1_000, outcome)),
            _ => None,
        });
        told.collect()
    }
}

#[test]
fn a_refer_names_whom_to_call_and_by_whom_and_its_outcome_comes_by_notify() {
    let mut scene = Scene::new();
    assert_eq!(text::header(&scene.refer, "Refer-To"), TO);
    assert_eq!(text::header(&scene.refer, "Referred-By"), "<sip:10.0.0.1:5060>");
    scene.reply("202 Accepted");
    scene.notify("refer", "active;expires=60", "SIP/2.0 100 Trying\r\n");
    scene.call.expect("200 NOTIFY");
    scene.call.net.run_ms(15_000);
    scene.notify("refer;id=2", "terminated;reason=noresource", "SIP/2.0 200 OK\r\n");
    scene.call.expect("200 NOTIFY");
    scene.call.net.run_ms(60_000);
    assert_eq!(scene.told(), [(0, Referral::Accepted), (15, Referral::Reached)]);
    assert!(scene.call.sent("BYE").is_empty(), "it is the user's to say");
    assert_eq!(scene.call.sent("REFER").len(), 1);
    scene.call.hang_up();
    let bye = scene.call.expect("BYE").text;
    scene.call.ok(&bye);
    scene.call.net.run_ms(80_000);
    assert_eq!(scene.call.left(), (0, 0, false));
}

#[test]
fn what_a_peer_does_not_take_or_never_tells_is_told_in_time_and_the_call_stands() {
    let failed = |status| Referral::Failed { status };
    type Act = fn(&mut Scene);
    type Case<'a> = (&'a str, Act, &'a [(u64, Referral)]);
    let cases: [Case<'_>; 8] = [
        ("405", |s| s.reply("405 Method Not Allowed"), &[(0, failed(Some(405)))]),
        ("603", |s| s.reply("603 Decline"), &[(0, failed(Some(603)))]),
        (
            "silence",
            |s| {
                s.call.net.run_ms(4_000);
                (0..3).for_each(|_| drop(s.call.expect("REFER")));
            },
            &[(5, failed(None))],
        ),
        (
            "202 and silence",
            |s| s.reply("202 Accepted"),
            &[(0, Referral::Accepted), (5, failed(None))],
        ),
        (
            "it rings for ever",
            |s| {
                s.reply("202 Accepted");
                s.notify("refer", "active", "SIP/2.0 180 Ringing\r\n");
            },
            &[(0, Referral::Accepted), (20, failed(Some(408)))],
        ),
        (
            "busy",
            |s| {
                s.reply("202 Accepted");
                s.notify("refer", "terminated", "SIP/2.0 486 Busy Here\r\n");
            },
            &[(0, Referral::Accepted), (0, failed(Some(486)))],
        ),
        (
            "an end without a word",
            |s| {
                s.reply("202 Accepted");
                s.notify("refer", "terminated;reason=timeout", "");
            },
            &[(0, Referral::Accepted), (0, failed(None))],
        ),
        (
            "the NOTIFY before the 202",
            |s| {
                s.notify("refer", "terminated", "SIP/2.0 200 OK\r\n");
                s.reply("202 Accepted");
            },
            &[(0, Referral::Accepted), (0, Referral::Reached)],
        ),
    ];
    for (name, act, wanted) in cases {
        let mut scene = Scene::new();
        act(&mut scene);
        scene.call.net.run_ms(60_000);
        assert_eq!(scene.told(), wanted, "{name}");
        assert!(scene.call.sent("BYE").is_empty(), "{name}: the call stands");
        // Late news is answered and changes nothing.
        scene.notify("refer", "terminated", "SIP/2.0 200 OK\r\n");
        scene.call.expect("200 NOTIFY");
        assert_eq!(scene.told(), [], "{name}");
        scene.call.hang_up();
        let bye = scene.call.expect("BYE").text;
        scene.call.ok(&bye);
        scene.call.net.run_ms(80_000);
        assert_eq!(scene.call.left(), (0, 0, false), "{name}");
    }
}

#[test]
fn a_refer_that_was_given_up_is_not_repeated() {
    let mut scene = Scene::new();
    scene.call.net.run_ms(40_000);
    let at: Vec<u64> = scene.call.sent("REFER").iter().map(|at| at - scene.began_ms).collect();
    assert_eq!(at, [0, 500, 1_500, 3_500]);
}

#[test]
fn news_that_was_not_asked_for_is_refused() {
    let (mut call, mut phone) = Outgoing::established();
    let more = "Event: refer\r\nSubscription-State: active\r\n";
    let notify = phone.request("NOTIFY", more, "");
    call.send(&notify);
    call.expect("405 NOTIFY");
    let mut scene = Scene::new();
    scene.notify("presence", "active", "");
    scene.call.expect("489 NOTIFY");
}

#[test]
fn a_second_refer_while_one_is_out_and_one_before_the_answer_fail_at_once() {
    let mut scene = Scene::new();
    let leg = scene.call.leg;
    scene.call.net.with(scene.call.carom, |carom, now| carom.refer(now, leg, TO.into(), RING));
    assert_eq!(scene.told(), [(0, Referral::Failed { status: None })]);
    assert_eq!(scene.call.sent("REFER").len(), 1);

    let mut early = Outgoing::udp();
    let leg = early.leg;
    early.net.with(early.carom, |carom, now| carom.refer(now, leg, TO.into(), RING));
    let told = early.net.event(early.carom, |event| match event {
        Event::Referred { outcome, .. } => Some(*outcome),
        _ => None,
    });
    assert_eq!(told, Referral::Failed { status: None });
    assert!(early.sent("REFER").is_empty());
}

#[test]
fn who_is_to_take_a_peers_place_is_told_its_contact_and_its_dialog() {
    let (call, _) = Outgoing::established();
    let to = call.net.see(call.carom).in_place_of(call.leg).unwrap();
    let call_id = text::header(&call.invite, "Call-ID");
    let from = text::header(&call.invite, "From");
    let tag = from.split(";tag=").nth(1).unwrap();
    let wanted =
        format!("<sip:bob@10.0.0.3:5060?Replaces={call_id}%3Bto-tag%3Dbob%3Bfrom-tag%3D{tag}>");
    assert_eq!(to, wanted);
    let early = Outgoing::udp();
    assert_eq!(early.net.see(early.carom).in_place_of(early.leg), None);
}
