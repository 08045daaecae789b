//! An endpoint is plain data: saved and restored between any two messages, its calls go on.

mod common;

use carom_sim::{
    Net, Station,
    text::{self, SDP},
};
use common::{Incoming, Outgoing};
use sip_stack::endpoint::{Counts, Endpoint};

#[test]
fn an_endpoint_that_is_restored_in_the_middle_of_a_call_finishes_it() {
    let mut scene = Incoming::udp();
    restore(&mut scene.net, scene.carom);
    scene.ring();
    restore(&mut scene.net, scene.carom);
    scene.again();
    scene.answer();
    scene.net.run_ms(700);
    restore(&mut scene.net, scene.carom);
    scene.net.run_ms(1_000);
    assert_eq!(scene.since("200 INVITE"), [0, 500, 1_500], "the timers go on");
    scene.ack();
    scene.net.run_ms(50);
    restore(&mut scene.net, scene.carom);
    scene.settle();
    let info = scene.phone.request("INFO", "", "");
    scene.send(&info);
    scene.net.expect(scene.ann, "200 INFO");
    scene.hang_up();
    restore(&mut scene.net, scene.carom);
    let bye = scene.net.expect(scene.ann, "BYE").text;
    scene.send(&text::reply(&bye, "200 OK", "", "", ""));
    scene.net.run_ms(100);
    restore(&mut scene.net, scene.carom);
    scene.net.run_ms(33_000);
    assert_eq!(scene.net.see(scene.carom).counts(), Counts::default());
}

#[test]
fn a_call_of_ours_is_cancelled_by_the_endpoint_that_was_restored() {
    let mut scene = Outgoing::udp();
    scene.hang_up();
    restore(&mut scene.net, scene.carom);
    scene.net.run_ms(600);
    assert_eq!(scene.sent("INVITE"), [0, 500]);
    scene.net.unread(scene.bob);
    scene.reply("180 Ringing", "bob", "", "");
    let cancel = scene.expect("CANCEL").text;
    restore(&mut scene.net, scene.carom);
    scene.ok(&cancel);
    scene.reply("200 OK", "bob", "Contact: <sip:bob@10.0.0.3>\r\n", SDP);
    scene.expect("ACK");
    restore(&mut scene.net, scene.carom);
    let bye = scene.expect("BYE").text;
    scene.ok(&bye);
    scene.net.run_ms(33_000);
    assert_eq!(scene.net.see(scene.carom).counts(), Counts::default());
}

#[test]
fn numbers_and_tags_go_on_where_they_were() {
    let mut scene = Outgoing::udp();
    let saved = serde_json::to_string(scene.net.see(scene.carom)).expect("plain data");
    let next = |scene: &mut Outgoing| {
        let path = scene.net.path(sip_stack::endpoint::Transport::Udp, scene.carom, scene.bob);
        let invite = common::invite_to(path);
        scene.net.with(scene.carom, |carom, now| carom.invite(now, invite))
    };
    let without = next(&mut scene);
    scene.net.replace(scene.carom, serde_json::from_str(&saved).expect("as it was saved"));
    assert_eq!(next(&mut scene), without);
    assert_ne!(without, scene.leg);
}

fn restore(net: &mut Net, station: Station) {
    let saved = serde_json::to_string(net.see(station)).expect("an endpoint is plain data");
    let restored: Endpoint = serde_json::from_str(&saved).expect("what was saved can be read");
    assert_eq!(restored.counts(), net.see(station).counts());
    assert_eq!(restored.poll_timeout(), net.see(station).poll_timeout());
    net.replace(station, restored);
}
