//! Requests too large for a datagram go by TCP, and by UDP where that does not work (RFC 3261
//! §18.1.1).

mod common;

use carom_sim::{
    Heard, Net, Phone,
    text::{self, SDP},
};
use common::Incoming;
use sip_stack::endpoint::{
    Counts, Endpoint, Event, LARGE_REQUEST, ReofferMethod, Transport, TransportError,
};

/// Bytes of a route that make each request of ours too large.
const LONG: usize = 1_300;

#[test]
fn large_requests_go_by_tcp_and_are_answered_there() {
    let mut scene = by_size(LONG);
    info(&mut scene);
    let (way, info) = expect(&mut scene, "INFO");
    assert_eq!(way, "TCP");
    answer(&mut scene, &info, "200 OK");
    reoffer(&mut scene, ReofferMethod::Invite);
    let (way, invite) = expect(&mut scene, "INVITE");
    assert_eq!(way, "TCP");
    assert_eq!(text::header(&invite, "Contact"), "<sip:10.0.0.1:5060>", "the dialog's way stays");
    answer(&mut scene, &invite, "200 OK");
    assert_eq!(expect(&mut scene, "ACK").0, "TCP");
    assert_eq!(outcome(&mut scene), 200);
    reoffer(&mut scene, ReofferMethod::Update);
    let (way, update) = expect(&mut scene, "UPDATE");
    assert_eq!(way, "TCP");
    answer(&mut scene, &update, "200 OK");
    scene.hang_up();
    let (way, bye) = expect(&mut scene, "BYE");
    assert_eq!(way, "TCP");
    answer(&mut scene, &bye, "200 OK");
    scene.net.run_ms(10_000);
    assert_eq!(scene.net.unread(scene.ann), Vec::<String>::new());
    assert_eq!(scene.net.connections(), 1);
}

#[test]
fn no_byte_more_than_a_datagram_takes_goes_by_udp() {
    let bye = |pad| {
        let mut scene = by_size(pad);
        scene.hang_up();
        expect(&mut scene, "BYE")
    };
    let most = LARGE_REQUEST - bye(1).1.len() + 1;
    let (way, text) = bye(most);
    assert_eq!((way.as_str(), text.len()), ("UDP", LARGE_REQUEST));
    assert_eq!(bye(most + 1).0, "TCP");
}

#[test]
fn large_requests_go_by_udp_where_nobody_asks_for_more() {
    let mut scene = called(&route(LONG));
    scene.hang_up();
    assert_eq!(expect(&mut scene, "BYE").0, "UDP");
}

#[test]
fn a_route_that_names_udp_gets_datagrams_of_any_size() {
    let mut scene = called(&route(LONG).replace(";lr", ";lr;transport=udp"));
    prefer(&mut scene);
    scene.hang_up();
    assert_eq!(expect(&mut scene, "BYE").0, "UDP");
}

#[test]
fn where_tcp_is_refused_all_goes_by_udp_at_once() {
    let mut scene = by_size(LONG);
    let since_ms = scene.net.now_ms();
    reoffer(&mut scene, ReofferMethod::Invite);
    let (_, first) = expect(&mut scene, "INVITE");
    info(&mut scene);
    expect(&mut scene, "INFO");
    refuse(&mut scene);
    let (way, invite) = expect(&mut scene, "INVITE");
    assert_eq!((way.as_str(), scene.net.now_ms() - since_ms), ("UDP", 30));
    assert_eq!(text::header(&invite, "Contact"), "<sip:10.0.0.1:5060>");
    assert_ne!(branch(&invite), branch(&first));
    assert_eq!(text::header(&invite, "CSeq"), "3 INVITE");
    let (way, info) = expect(&mut scene, "INFO");
    assert_eq!((way.as_str(), text::header(&info, "CSeq")), ("UDP", "4 INFO"));
    answer(&mut scene, &info, "200 OK");
    answer(&mut scene, &invite, "200 OK");
    assert_eq!(expect(&mut scene, "ACK").0, "UDP");
    assert_eq!(outcome(&mut scene), 200);
}

#[test]
fn where_tcp_is_silent_for_3_s_all_that_follows_goes_by_udp_at_once() {
    let mut scene = by_size(LONG);
    let since_ms = scene.net.now_ms();
    reoffer(&mut scene, ReofferMethod::Update);
    assert_eq!(expect(&mut scene, "UPDATE").0, "TCP");
    let (way, update) = expect(&mut scene, "UPDATE");
    assert_eq!((way.as_str(), scene.net.now_ms() - since_ms), ("UDP", 3_010));
    answer(&mut scene, &update, "200 OK");
    assert_eq!(outcome(&mut scene), 200);
    let since_ms = scene.net.now_ms();
    scene.hang_up();
    let (way, bye) = expect(&mut scene, "BYE");
    assert_eq!((way.as_str(), scene.net.now_ms() - since_ms), ("UDP", 10));
    answer(&mut scene, &bye, "200 OK");
    assert_nothing_is_left(&mut scene);
}

#[test]
fn a_provisional_answer_by_tcp_is_answer_enough() {
    let mut scene = by_size(LONG);
    reoffer(&mut scene, ReofferMethod::Invite);
    let (_, invite) = expect(&mut scene, "INVITE");
    answer(&mut scene, &invite, "100 Trying");
    scene.net.run_ms(10_000);
    answer(&mut scene, &invite, "200 OK");
    assert_eq!(expect(&mut scene, "ACK").0, "TCP");
    assert_eq!(outcome(&mut scene), 200);
}

#[test]
fn tcp_that_has_worked_and_does_no_more_is_given_up_too() {
    let mut scene = by_size(LONG);
    info(&mut scene);
    let (_, first) = expect(&mut scene, "INFO");
    answer(&mut scene, &first, "200 OK");
    scene.hang_up();
    assert_eq!(expect(&mut scene, "BYE").0, "TCP");
    refuse(&mut scene);
    let (way, bye) = expect(&mut scene, "BYE");
    assert_eq!(way, "UDP");
    answer(&mut scene, &bye, "200 OK");
    assert_nothing_is_left(&mut scene);
}

#[test]
fn a_bye_that_falls_back_is_repeated_by_udp_as_any_other() {
    let mut scene = by_size(LONG);
    let since_ms = scene.net.now_ms();
    scene.hang_up();
    scene.net.run_ms(40_000);
    let at: Vec<u64> = scene.net.sent_at(scene.carom, "BYE");
    let at: Vec<u64> = at.into_iter().map(|at| at - since_ms).collect();
    let udp = [3_000, 3_500, 4_500, 6_500, 10_500, 14_500, 18_500, 22_500, 26_500, 30_500, 34_500];
    assert_eq!(at[0], 0);
    assert_eq!(at[1..], udp);
    assert_nothing_is_left(&mut scene);
}

#[test]
fn the_bye_is_all_that_falls_back_once_the_leg_is_over() {
    let mut scene = by_size(LONG);
    info(&mut scene);
    scene.net.run_ms(1_000);
    scene.hang_up();
    scene.net.run_ms(1_000);
    refuse(&mut scene);
    scene.net.run_ms(50);
    assert_eq!(scene.net.unread(scene.ann), ["INFO", "BYE", "BYE"]);
}

#[test]
fn a_late_answer_by_tcp_to_a_bye_does_no_harm() {
    let mut scene = by_size(LONG);
    scene.hang_up();
    let (_, first) = expect(&mut scene, "BYE");
    let (_, second) = expect(&mut scene, "BYE");
    answer(&mut scene, &first, "200 OK");
    answer(&mut scene, &second, "481 Call/Transaction Does Not Exist");
    assert_nothing_is_left(&mut scene);
    let events = scene.net.events(scene.carom);
    let ends = events.iter().filter(|(_, event)| matches!(event, Event::Ended { .. }));
    assert_eq!(ends.count(), 1);
}

#[test]
fn a_late_answer_by_tcp_to_an_offer_is_the_answer_and_the_other_one_is_acknowledged_too() {
    for other in ["200 OK", "500 Server Internal Error", "481 Call/Transaction Does Not Exist"] {
        let (mut scene, first, second) = two_offers();
        answer(&mut scene, &first, "200 OK");
        assert_eq!(text::header(&expect(&mut scene, "ACK").1, "CSeq"), "1 ACK");
        assert_eq!(outcome(&mut scene), 200);
        answer(&mut scene, &second, other);
        assert_eq!(text::header(&expect(&mut scene, "ACK").1, "CSeq"), "2 ACK");
        assert_goes_on(&mut scene);
    }
}

#[test]
fn a_late_answer_by_tcp_after_that_by_udp_is_acknowledged_and_no_more() {
    for late in ["200 OK", "488 Not Acceptable Here", "481 Call/Transaction Does Not Exist"] {
        let (mut scene, first, second) = two_offers();
        answer(&mut scene, &second, "200 OK");
        assert_eq!(text::header(&expect(&mut scene, "ACK").1, "CSeq"), "2 ACK");
        assert_eq!(outcome(&mut scene), 200);
        answer(&mut scene, &first, late);
        assert_eq!(text::header(&expect(&mut scene, "ACK").1, "CSeq"), "1 ACK");
        assert_goes_on(&mut scene);
    }
}

#[test]
fn an_offer_that_was_heard_before_its_connection_broke_is_acknowledged_too() {
    let mut scene = by_size(LONG);
    reoffer(&mut scene, ReofferMethod::Invite);
    let (_, first) = expect(&mut scene, "INVITE");
    for _ in 0..2 {
        fail(&mut scene, TransportError::Closed);
    }
    let (_, second) = expect(&mut scene, "INVITE");
    answer(&mut scene, &second, "500 Server Internal Error");
    answer(&mut scene, &first, "200 OK");
    assert_eq!(text::header(&expect(&mut scene, "ACK").1, "CSeq"), "2 ACK");
    assert_eq!(text::header(&expect(&mut scene, "ACK").1, "CSeq"), "1 ACK");
    assert_eq!(outcome(&mut scene), 500);
    assert_goes_on(&mut scene);
}

#[test]
fn a_late_refusal_by_tcp_leaves_the_offer_to_the_answer_by_udp() {
    let (mut scene, first, second) = two_offers();
    answer(&mut scene, &first, "491 Request Pending");
    assert_eq!(text::header(&expect(&mut scene, "ACK").1, "CSeq"), "1 ACK");
    answer(&mut scene, &second, "200 OK");
    assert_eq!(text::header(&expect(&mut scene, "ACK").1, "CSeq"), "2 ACK");
    assert_eq!(outcome(&mut scene), 200);
    assert_goes_on(&mut scene);
}

#[test]
fn a_late_offer_by_tcp_is_answered_once_though_it_is_repeated() {
    let mut scene = by_size(LONG);
    ask_for_offer(&mut scene);
    let (_, first) = expect(&mut scene, "INVITE");
    expect(&mut scene, "INVITE");
    for _ in 0..2 {
        answer(&mut scene, &first, "200 OK");
    }
    assert_eq!(outcome(&mut scene), 200);
    acknowledge(&mut scene, SDP);
    let (_, ack) = expect(&mut scene, "ACK");
    assert_eq!((text::header(&ack, "CSeq"), text::body(&ack)), ("1 ACK", SDP));
}

#[test]
fn an_ack_that_alone_is_large_goes_by_udp_for_nobody_would_answer_it() {
    let sdp = format!("{SDP}a=x:{}\r\n", "x".repeat(LONG));
    let mut scene = by_size(1);
    ask_for_offer(&mut scene);
    let (way, invite) = expect(&mut scene, "INVITE");
    assert_eq!(way, "UDP");
    answer(&mut scene, &invite, "200 OK");
    outcome(&mut scene);
    acknowledge(&mut scene, &sdp);
    let (way, ack) = expect(&mut scene, "ACK");
    assert_eq!((way.as_str(), text::body(&ack)), ("UDP", sdp.as_str()));
}

#[test]
fn an_endpoint_that_is_restored_falls_back_all_the_same() {
    let mut scene = by_size(LONG);
    scene.hang_up();
    scene.net.run_ms(1_000);
    let saved = serde_json::to_string(scene.net.see(scene.carom)).expect("plain data");
    let restored: Endpoint = serde_json::from_str(&saved).expect("as it was saved");
    scene.net.replace(scene.carom, restored);
    expect(&mut scene, "BYE");
    let (way, bye) = expect(&mut scene, "BYE");
    assert_eq!(way, "UDP");
    answer(&mut scene, &bye, "200 OK");
    assert_nothing_is_left(&mut scene);
}

#[test]
fn a_private_contact_behind_a_public_address_is_not_asked_by_tcp() {
    let mut net = Net::new(1);
    let (carom, ann) = (net.endpoint("192.0.2.1:5060"), net.peer("198.51.100.2:5060"));
    let mut phone = Phone::new("192.168.1.2:5060", "c1");
    let contact = phone.contact();
    let long = contact.replace('>', &format!(";x={}>", "x".repeat(LONG)));
    net.send(ann, carom, &phone.request("INVITE", "", SDP).replace(&contact, &long));
    let leg = net.event(carom, |event| match event {
        Event::Incoming { leg, .. } => Some(*leg),
        _ => None,
    });
    net.with(carom, |carom, now| carom.answer(now, leg, SDP.into(), Vec::new()));
    phone.learn(&net.expect_after(ann, "200 INVITE").text);
    net.send(ann, carom, &phone.ack(1, ""));
    net.run_ms(50);
    net.with(carom, |carom, now| {
        carom.prefer_by_size(leg);
        carom.hang_up(now, leg, None);
    });
    let bye = net.expect(ann, "BYE").text;
    assert!(text::header(&bye, "Via").starts_with("SIP/2.0/UDP "), "{bye}");
}

/// A call whose requests are to go by size, with a route of so many bytes more.
fn by_size(pad: usize) -> Incoming {
    let mut scene = called(&route(pad));
    prefer(&mut scene);
    scene
}

fn route(pad: usize) -> String {
    format!("Record-Route: <sip:10.0.0.2:5060;lr;x={}>\r\n", "x".repeat(pad))
}

/// A call that is established.
fn called(more: &str) -> Incoming {
    let mut scene = Incoming::with(false, more, SDP);
    scene.answer();
    scene.net.run_ms(50);
    scene.ack();
    scene.settle();
    scene
}

fn prefer(scene: &mut Incoming) {
    let leg = scene.leg;
    scene.net.with(scene.carom, |carom, _| carom.prefer_by_size(leg));
}

/// A re-INVITE that went by TCP, and that which went by UDP when nothing came back.
fn two_offers() -> (Incoming, String, String) {
    let mut scene = by_size(LONG);
    reoffer(&mut scene, ReofferMethod::Invite);
    let (_, first) = expect(&mut scene, "INVITE");
    let (way, second) = expect(&mut scene, "INVITE");
    assert_eq!(way, "UDP");
    (scene, first, second)
}

fn reoffer(scene: &mut Incoming, method: ReofferMethod) {
    let leg = scene.leg;
    let done =
        scene.net.with(scene.carom, |carom, now| carom.reoffer(now, leg, Some(SDP.into()), method));
    done.expect("no other offer is pending");
}

fn ask_for_offer(scene: &mut Incoming) {
    let leg = scene.leg;
    let ask = |carom: &mut Endpoint, now| carom.reoffer(now, leg, None, ReofferMethod::Invite);
    scene.net.with(scene.carom, ask).expect("no other offer is pending");
}

fn acknowledge(scene: &mut Incoming, sdp: &str) {
    let (leg, sdp) = (scene.leg, sdp.to_owned().into());
    scene.net.with(scene.carom, |carom, now| carom.acknowledge(now, leg, sdp));
}

fn info(scene: &mut Incoming) {
    let leg = scene.leg;
    scene.net.with(scene.carom, |carom, now| {
        carom.info(now, leg, "application/dtmf", b"1");
    });
}

fn refuse(scene: &mut Incoming) {
    fail(scene, TransportError::Refused);
}

fn fail(scene: &mut Incoming, error: TransportError) {
    let path = scene.net.path(Transport::Tcp, scene.carom, scene.ann);
    scene.net.fail(scene.carom, path, error);
}

/// Returns the transport in the Via of Ann's next request, which is of this name but for repeats,
/// and all of it.
fn expect(scene: &mut Incoming, name: &str) -> (String, String) {
    let Heard { text, .. } = scene.net.expect(scene.ann, name);
    let via = text::header(&text, "Via");
    let way = via.split(['/', ' ']).nth(2).unwrap_or_default().to_owned();
    let rport = via.contains(";rport");
    assert_eq!(rport, way == "UDP", "{via}");
    (way, text)
}

/// Ann answers by the way that the request came.
fn answer(scene: &mut Incoming, request: &str, status: &str) {
    let offers = status.starts_with('2') && text::name(request) != "BYE";
    let (more, body) = if offers { (scene.phone.contact(), SDP) } else { (String::new(), "") };
    let reply = text::reply(request, status, "", &more, body);
    scene.tcp = text::header(request, "Via").starts_with("SIP/2.0/TCP");
    scene.send(&reply);
    scene.net.run_ms(20);
}

/// What Carom's user hears of the offer.
fn outcome(scene: &mut Incoming) -> u16 {
    scene.net.event(scene.carom, |event| match event {
        Event::OfferAnswered { status, .. } => Some(*status),
        _ => None,
    })
}

fn branch(text: &str) -> Option<&str> {
    text::param(text::header(text, "Via"), "branch")
}

/// No more is said of the offer, and the call is still there for the next one.
fn assert_goes_on(scene: &mut Incoming) {
    scene.net.run_ms(40_000);
    let events = scene.net.events(scene.carom);
    let told = |event: &Event| matches!(event, Event::OfferAnswered { .. } | Event::Ended { .. });
    assert!(!events.iter().any(|(_, event)| told(event)), "{events:?}");
    scene.net.unread(scene.ann);
    reoffer(scene, ReofferMethod::Invite);
    let (_, invite) = expect(scene, "INVITE");
    answer(scene, &invite, "200 OK");
    assert_eq!(outcome(scene), 200);
}

fn assert_nothing_is_left(scene: &mut Incoming) {
    scene.net.run_ms(60_000);
    assert_eq!(scene.net.see(scene.carom).counts(), Counts::default());
}
