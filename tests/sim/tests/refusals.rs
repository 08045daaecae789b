//! What is refused before a call comes of it, and with what (RFC 3261 §8.2, §12.2.2, §16.3).

mod common;

use carom_sim::{
    Net, Phone, Station,
    text::{self, SDP},
};
use common::Incoming;
use sip_stack::endpoint::{EndpointConfig, Event, LoopGuard};

const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE";

#[test]
fn a_known_method_that_is_not_served_gets_405_with_allow() {
    for method in ["REGISTER", "SUBSCRIBE", "NOTIFY", "REFER", "MESSAGE", "PUBLISH", "PRACK"] {
        let refused = answer_to(|phone| phone.request(method, "", ""));
        assert_eq!(text::name(&refused), format!("405 {method}"));
        assert_eq!(text::header(&refused, "Allow"), ALLOW);
    }
}

#[test]
fn a_method_that_nobody_knows_gets_501() {
    let refused = answer_to(|phone| phone.request("NEWMETHOD", "", ""));
    assert_eq!(text::name(&refused), "501 NEWMETHOD");
    assert_eq!(text::header(&refused, "Allow"), ALLOW);
}

#[test]
fn a_method_that_is_not_served_within_a_call_leaves_the_call_alone() {
    for (method, status) in [("REFER", 405), ("PRACK", 405), ("NEWMETHOD", 501)] {
        let mut scene = Incoming::established();
        let request = scene.phone.request(method, "", "");
        scene.send(&request);
        let refused = scene.net.expect(scene.ann, &format!("{status} {method}")).text;
        assert_eq!(text::header(&refused, "To"), scene.phone.remote);
        assert_eq!(scene.net.see(scene.carom).legs(), 1);
    }
}

#[test]
fn a_body_that_is_no_sdp_gets_415_with_accept() {
    let refused =
        answer_to(|phone| phone.request("INVITE", "Content-Type: text/plain\r\n", "hello there"));
    assert_eq!(text::name(&refused), "415 INVITE");
    assert_eq!(text::header(&refused, "Accept"), "application/sdp, multipart/mixed");
}

#[test]
fn several_parts_without_a_session_description_or_with_one_to_be_understood_get_415() {
    let isup = "Content-Type: application/ISUP\r\n\
                Content-Disposition: signal;handling=required\r\n\r\n\u{1}";
    let sdp = format!("Content-Type: application/sdp\r\n\r\n{SDP}");
    for parts in [format!("--b\r\n{isup}\r\n"), format!("--b\r\n{sdp}\r\n--b\r\n{isup}\r\n")] {
        let kind = "Content-Type: multipart/mixed;boundary=b\r\n";
        let refused = answer_to(|phone| phone.request("INVITE", kind, &format!("{parts}--b--")));
        assert_eq!(text::name(&refused), "415 INVITE");
    }
}

#[test]
fn the_offer_is_found_among_several_parts() {
    let parts = format!(
        "--b\r\nContent-Type: application/ISUP\r\nContent-Disposition: signal;handling=optional\
         \r\n\r\n\u{1}\r\n--b\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n--b--\r\n"
    );
    let mut net = Net::new(1);
    let (carom, ann) = (net.endpoint("10.0.0.1:5060"), net.peer("10.0.0.2:5060"));
    let kind = "Content-Type: multipart/mixed;boundary=b\r\n";
    net.send(ann, carom, &Phone::new("10.0.0.2:5060", "c1").request("INVITE", kind, &parts));
    let offer = net.event(carom, |event| match event {
        Event::Incoming { request, .. } => Some(request.body().clone()),
        _ => None,
    });
    assert_eq!(offer, SDP);
}

#[test]
fn an_encoded_body_gets_415_with_accept_encoding() {
    let refused = answer_to(|phone| phone.request("INVITE", "Content-Encoding: gzip\r\n", SDP));
    assert_eq!(text::name(&refused), "415 INVITE");
    assert_eq!(text::header(&refused, "Accept-Encoding"), "identity");
}

#[test]
fn a_scheme_that_is_unknown_gets_416() {
    let refused = answer_to(|phone| {
        phone.target = "nobodyKnowsThisScheme:totallyopaque".to_owned();
        phone.request("INVITE", "", SDP)
    });
    assert_eq!(text::name(&refused), "416 INVITE");
}

#[test]
fn extensions_that_are_required_get_420_with_unsupported() {
    for method in ["INVITE", "OPTIONS"] {
        let more = "Require: 100rel, precondition\r\nRequire: timer\r\n";
        let refused = answer_to(|phone| phone.request(method, more, ""));
        assert_eq!(text::name(&refused), format!("420 {method}"));
        assert_eq!(text::header(&refused, "Unsupported"), "100rel, precondition, timer");
    }
}

#[test]
fn the_same_call_on_another_way_gets_482() {
    let mut scene = Incoming::udp();
    let merged = scene.phone.numbered("INVITE", 1, "", SDP);
    scene.send(&merged);
    scene.net.expect(scene.ann, "100 INVITE");
    let refused = scene.net.expect(scene.ann, "482 INVITE").text;
    assert_eq!(text::header(&refused, "Via"), text::header(&merged, "Via"));
    assert_eq!(scene.net.see(scene.carom).legs(), 1);
    // A repeat is no merged copy, and the next call of the same phone neither.
    scene.send(&merged);
    scene.net.expect(scene.ann, "482 INVITE");
    scene.again();
    scene.net.expect(scene.ann, "100 INVITE");
}

#[test]
fn a_call_without_hops_left_gets_483() {
    let refused = answer_to(|phone| phone.request("INVITE", "Max-Forwards: 0\r\n", SDP));
    assert_eq!(text::name(&refused), "483 INVITE");
    let taken = answer_to(|phone| phone.request("OPTIONS", "Max-Forwards: 0\r\n", ""));
    assert_eq!(text::name(&taken), "200 OPTIONS", "§11: the last hop may be asked");
}

/// Lesson 25: a call that goes round between a PBX and its trunk.
#[test]
fn a_call_that_went_round_too_often_gets_482() {
    let config = EndpointConfig {
        loop_guard: Some(LoopGuard { mark: "m1".to_owned(), passes: 1 }),
        ..EndpointConfig::new("carom", 1)
    };
    let mut net = Net::new(1);
    let (carom, ann) = (net.endpoint_with("10.0.0.1:5060", config), net.peer("10.0.0.2:5060"));
    for (call, marks, status) in [("c1", 1, 100), ("c2", 2, 482)] {
        let more = "X-Carom-Loop: m1\r\nX-Carom-Loop: other\r\n".repeat(marks);
        let invite = Phone::new("10.0.0.2:5060", call).request("INVITE", &more, SDP);
        net.send(ann, carom, &invite);
        net.expect(ann, &format!("{status} INVITE"));
    }
}

#[test]
fn what_is_in_no_dialog_gets_481() {
    for method in ["BYE", "INFO", "UPDATE"] {
        let refused = answer_to(|phone| phone.request(method, "", ""));
        assert_eq!(text::name(&refused), format!("481 {method}"), "without a tag");
    }
    for method in ["INVITE", "BYE", "INFO", "UPDATE", "OPTIONS"] {
        let refused = answer_to(|phone| {
            phone.remote.push_str(";tag=0123456789abcdef");
            phone.request(method, "", "")
        });
        assert_eq!(text::name(&refused), format!("481 {method}"), "with one that we never gave");
    }
}

#[test]
fn a_dialog_is_known_by_its_call_id_and_both_tags() {
    let mut scene = Incoming::established();
    let mut other = Phone::new("10.0.0.2:5060", "c2");
    (other.local, other.remote) = (scene.phone.local.clone(), scene.phone.remote.clone());
    let bye = other.request("BYE", "", "");
    scene.send(&bye);
    scene.net.expect(scene.ann, "481 BYE");
    scene.phone.local = "<sip:ann@10.0.0.2:5060>;tag=other".to_owned();
    let bye = scene.phone.request("BYE", "", "");
    scene.send(&bye);
    scene.net.expect(scene.ann, "481 BYE");
    assert_eq!(scene.net.see(scene.carom).legs(), 1);
}

#[test]
fn a_request_that_cannot_be_read_gets_400() {
    let refused = answer_to(|phone| phone.request("INVITE", "", SDP).replace("Call-ID: ", "X-I: "));
    assert_eq!(text::name(&refused), "400 INVITE");
    assert!(text::header(&refused, "To").contains(";tag="), "§8.2.6.2");
    let refused = answer_to(|phone| phone.request("BYE", "", "").replace("1 BYE", "1 INVITE"));
    assert_eq!(text::name(&refused), "400 INVITE");
    let refused = answer_to(|phone| phone.request("BYE", "", "").replace("Length: 0", "Length: 9"));
    assert_eq!(text::name(&refused), "400 BYE");
    let refused =
        answer_to(|phone| phone.request("BYE", "", "").replace(" SIP/2.0\r", " SIP/7.0\r"));
    assert_eq!(text::name(&refused), "505 BYE");
}

#[test]
fn the_acks_of_refusals_are_absorbed() {
    let mut net = Net::new(1);
    let (carom, ann) = (net.endpoint("10.0.0.1:5060"), net.peer("10.0.0.2:5060"));
    let invite = Phone::new("10.0.0.2:5060", "c1").request("INVITE", "Require: x\r\n", SDP);
    net.send(ann, carom, &invite);
    let refused = net.expect(ann, "420 INVITE").text;
    net.send(ann, carom, &text::of_invite(&invite, "ACK", text::header(&refused, "To")));
    net.run_ms(40_000);
    assert_eq!(net.sent_at(carom, "420 INVITE"), [10]);
    let (see, events) = (net.see(carom).transactions(), net.events(carom));
    assert_eq!(see, 0);
    assert!(events.is_empty(), "{events:?}");
}

#[test]
fn options_are_answered_with_what_we_can_do_within_a_call_and_without() {
    let outside = answer_to(|phone| phone.request("OPTIONS", "", ""));
    let mut scene = Incoming::established();
    let options = scene.phone.request("OPTIONS", "", "");
    scene.send(&options);
    let within = scene.net.expect(scene.ann, "200 OPTIONS").text;
    for answer in [&outside, &within] {
        assert_eq!(text::name(answer), "200 OPTIONS");
        assert_eq!(text::header(answer, "Allow"), ALLOW);
        assert!(text::header(answer, "Accept").starts_with("application/sdp, "));
        assert!(text::header(answer, "To").contains(";tag="));
    }
}

#[test]
fn a_draining_endpoint_refuses_calls_and_options_with_503_and_keeps_its_calls() {
    let mut scene = Incoming::established();
    scene.net.with(scene.carom, |carom, _| carom.set_draining(true));
    for method in ["INVITE", "OPTIONS"] {
        let request = Phone::new("10.0.0.2:5060", method).request(method, "", "");
        scene.send(&request);
        let refused = scene.net.expect(scene.ann, &format!("503 {method}")).text;
        assert_eq!(text::header(&refused, "Retry-After"), "60");
    }
    let bye = scene.phone.request("BYE", "", "");
    scene.send(&bye);
    scene.net.expect(scene.ann, "200 BYE");
}

#[test]
fn an_endpoint_that_sheds_refuses_new_calls_without_a_trace_and_keeps_its_calls() {
    let mut scene = Incoming::established();
    let before = scene.net.see(scene.carom).counts();
    scene.net.with(scene.carom, |carom, _| carom.shed(Some(480)));
    let mut phone = Phone::new("10.0.0.2:5060", "new");
    let invite = phone.request("INVITE", "", SDP);
    scene.send(&invite);
    let refused = scene.net.expect(scene.ann, "480 INVITE").text;
    assert!(text::header(&refused, "To").contains(";tag="));
    scene.net.with(scene.carom, |carom, _| carom.shed(None));
    scene.send(&invite);
    let again = scene.net.expect(scene.ann, "480 INVITE").text;
    assert_eq!(again, refused, "a copy that was under way is no other call");
    scene.send(&text::of_invite(&invite, "CANCEL", text::header(&invite, "To")));
    scene.send(&text::of_invite(&invite, "ACK", text::header(&refused, "To")));
    scene.net.run_ms(1_000);
    assert_eq!(scene.net.see(scene.carom).counts(), before, "nothing is kept");
    assert_eq!(scene.net.unread(scene.ann), Vec::<String>::new(), "a late CANCEL gets no answer");
    let events = scene.net.events(scene.carom);
    assert!(matches!(events[..], [(_, Event::Shed { .. })]), "counted once: {events:?}");

    scene.net.with(scene.carom, |carom, _| carom.shed(Some(503)));
    let hold = scene.phone.request("INVITE", "", SDP);
    scene.send(&hold);
    scene.net.expect(scene.ann, "100 INVITE");
    scene.net.with(scene.carom, |carom, _| carom.shed(None));
    scene.send(&phone.request("INVITE", "", SDP));
    let rings = |event: &Event| matches!(event, Event::Incoming { .. }).then_some(());
    scene.net.event(scene.carom, rings);
}

#[test]
fn our_options_are_answered_or_time_out() {
    let mut net = Net::new(1);
    let (carom, pbx) = (net.endpoint("10.0.0.1:5060"), net.peer("10.0.0.3:5060"));
    let path = net.path(sip_stack::endpoint::Transport::Udp, carom, pbx);
    for status in [Some("200 OK"), Some("404 Not Found"), None] {
        let ping = net.with(carom, |carom, now| carom.options(now, "sip:10.0.0.3:5060", path));
        let options = net.expect(pbx, "OPTIONS").text;
        assert_eq!(text::uri(&options), "sip:10.0.0.3:5060");
        if let Some(status) = status {
            net.send(pbx, carom, &text::reply(&options, status, "pbx", "", ""));
        }
        let since_ms = net.now_ms();
        let pong = net.event(carom, |event| match event {
            Event::Pong { ping, status } => Some((*ping, *status)),
            _ => None,
        });
        let expected: Option<u16> = status.and_then(|status| status[..3].parse().ok());
        assert_eq!(pong, (ping, expected));
        let silence_ms = if status.is_none() { 31_990 } else { 10 };
        assert_eq!(net.now_ms() - since_ms, silence_ms);
        net.unread(pbx);
    }
    net.run_ms(6_000);
    assert_eq!(net.see(carom).transactions(), 0);
}

#[test]
fn a_stranger_gets_no_answer_to_anything() {
    let mut scene = Stranger::new();
    let mut phone = Phone::new("10.0.0.66:5060", "s1");
    let invite = phone.request("INVITE", "", SDP);
    let mut sent = vec![
        text::of_invite(&invite, "CANCEL", text::header(&invite, "To")),
        phone.request("INVITE", "", SDP).replace("Call-ID: ", "X-I: "),
        invite,
        "\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
    ];
    for method in ["OPTIONS", "REGISTER", "BYE", "ACK", "NEWMETHOD"] {
        sent.push(phone.request(method, "", ""));
    }
    phone.remote.push_str(";tag=0123456789abcdef");
    sent.push(phone.request("BYE", "", ""));
    for text in &sent {
        scene.net.send(scene.stranger, scene.carom, text);
    }
    scene.net.run_ms(40_000);
    assert_eq!(scene.net.sent_at(scene.carom, "400 INVITE"), []);
    assert_eq!(scene.net.unread(scene.stranger), Vec::<String>::new());
    assert_eq!(scene.net.see(scene.carom).transactions(), 0);
    let events = scene.net.events(scene.carom);
    let dropped = events.iter().filter(|(_, event)| matches!(event, Event::Dropped { .. }));
    assert_eq!(dropped.count(), sent.len() - 1, "each is counted but the keep-alive");
    assert_eq!(events.len(), sent.len() - 1, "and nothing else is heard of it");
}

#[test]
fn a_strangers_request_within_a_call_is_heard() {
    let mut scene = Incoming::established();
    scene.net.estrange(scene.ann);
    let bye = scene.phone.request("BYE", "", "");
    scene.send(&bye);
    scene.net.expect(scene.ann, "200 BYE");
}

struct Stranger {
    net: Net,
    carom: Station,
    stranger: Station,
}

impl Stranger {
    fn new() -> Self {
        let mut net = Net::new(1);
        let (carom, stranger) = (net.endpoint("10.0.0.1:5060"), net.peer("10.0.0.66:5060"));
        net.estrange(stranger);
        Self { net, carom, stranger }
    }
}

/// Returns the answer to a request that comes out of the blue.
fn answer_to(request: impl FnOnce(&mut Phone) -> String) -> String {
    let mut net = Net::new(1);
    let (carom, ann) = (net.endpoint("10.0.0.1:5060"), net.peer("10.0.0.2:5060"));
    let request = request(&mut Phone::new("10.0.0.2:5060", "c1"));
    net.send(ann, carom, &request);
    net.run_ms(30);
    assert_eq!(net.see(carom).legs(), 0, "no call comes of it");
    net.hear(ann).text
}
