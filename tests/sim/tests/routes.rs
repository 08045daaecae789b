//! By which way messages go: Via, rport, Record-Route, Contact and connections (RFC 3261 §12, §18;
//! RFC 3581).

mod common;

use carom_sim::{
    Heard, Net, Phone, Station,
    text::{self, SDP},
};
use common::{Incoming, Outgoing};
use sip_stack::endpoint::{EndpointConfig, Event, HostPort, Transport, TransportError};

const PROXIES: &str = "Record-Route: <sip:10.0.0.9:5062;lr>, <sip:p2.example.net;lr>\r\n\
    Record-Route: <sip:p1.example.net;lr;x=y>\r\n";

#[test]
fn a_response_goes_back_to_the_source_where_rport_asks_for_it() {
    let answer = via_answer("10.0.0.2:5060;rport;branch=z9hG4bKa", 41_234);
    assert_eq!(answer.to.to_string(), "10.0.0.2:41234");
    let via = text::header(&answer.text, "Via");
    assert_eq!(text::param(via, "rport"), Some("41234"));
    assert_eq!(text::param(via, "received"), Some("10.0.0.2"));
    assert_eq!(text::param(via, "branch"), Some("z9hG4bKa"));
}

#[test]
fn without_rport_it_goes_to_the_port_of_the_via() {
    for (via, port) in [("10.0.0.2:5066", 5066), ("10.0.0.2", 5060)] {
        let answer = via_answer(&format!("{via};branch=z9hG4bKa"), 41_234);
        assert_eq!(answer.to.to_string(), format!("10.0.0.2:{port}"));
        assert_eq!(text::param(text::header(&answer.text, "Via"), "received"), None);
    }
}

#[test]
fn a_sender_that_is_not_where_its_via_says_is_answered_where_it_is() {
    for host in ["192.168.7.7", "phone.example.net"] {
        let answer = via_answer(&format!("{host}:5066;branch=z9hG4bKa"), 5_066);
        assert_eq!(answer.to.to_string(), "10.0.0.2:5066");
        let via = text::header(&answer.text, "Via");
        assert_eq!(text::param(via, "received"), Some("10.0.0.2"), "{host}");
    }
}

#[test]
fn all_vias_come_back_in_their_order_and_only_the_top_one_is_changed() {
    let mut scene = Plain::new();
    let under = "SIP/2.0/UDP a.example.net;branch=z9hG4bKb, SIP/2.0/TLS b.example.net";
    let more = format!("Via: {under}\r\n");
    let options = scene.phone.request("OPTIONS", &more, "").replacen(";branch", ";rport;branch", 1);
    scene.net.send(scene.ann, scene.carom, &options);
    let answer = scene.net.expect(scene.ann, "200 OPTIONS").text;
    let vias = text::headers(&answer, "Via");
    assert_eq!(vias.len(), 2);
    assert!(vias[0].contains("rport=5060"), "{vias:?}");
    assert_eq!(vias[1], under);
}

#[test]
fn a_response_whose_top_via_is_not_ours_is_dropped() {
    let mut scene = Outgoing::udp();
    let ok = text::reply(&scene.invite, "200 OK", "bob", "", SDP);
    let branch = text::param(text::header(&scene.invite, "Via"), "branch").unwrap_or_default();
    let branch = branch.to_owned();
    scene.send(&ok.replace(&branch, "z9hG4bK0123456789abcdef"));
    scene.send(&ok.replace(&branch, "z9hG4bKsomething"));
    scene.send(&ok.replacen("Via: ", "Via: SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKx, ", 1));
    scene.net.run_ms(100);
    let events = scene.net.events(scene.carom);
    let dropped = events.iter().filter(|(_, event)| matches!(event, Event::Dropped { .. }));
    assert_eq!(dropped.count(), 3);
    assert_eq!(scene.sent("ACK"), []);
}

#[test]
fn the_callers_record_route_comes_back_and_our_requests_follow_it_in_that_order() {
    let mut scene = Incoming::with(false, PROXIES, SDP);
    let proxy = scene.net.peer("10.0.0.9:5062");
    scene.ring();
    scene.answer();
    for name in ["180 INVITE", "200 INVITE"] {
        let response = scene.net.expect_after(scene.ann, name).text;
        let expected =
            ["<sip:10.0.0.9:5062;lr>, <sip:p2.example.net;lr>", "<sip:p1.example.net;lr;x=y>"];
        assert_eq!(text::headers(&response, "Record-Route"), expected, "{name}");
    }
    scene.ack();
    scene.net.run_ms(50);
    scene.hang_up();
    let bye = scene.net.expect(proxy, "BYE").text;
    assert_eq!(text::uri(&bye), "sip:ann@10.0.0.2:5060", "the target stays (lr)");
    let routes =
        ["<sip:10.0.0.9:5062;lr>", "<sip:p2.example.net;lr>", "<sip:p1.example.net;lr;x=y>"];
    assert_eq!(text::headers(&bye, "Route"), routes);
}

#[test]
fn the_calleds_record_route_is_followed_in_reverse_by_ack_and_bye() {
    let mut scene = Outgoing::udp();
    let proxy = scene.net.peer("10.0.0.9:5062");
    let more = "Record-Route: <sip:p1.example.net;lr>, <sip:10.0.0.9:5062;lr>\r\n\
        Contact: <sip:bob@10.0.0.3:5060>\r\n";
    scene.reply("200 OK", "bob", more, SDP);
    let routes = ["<sip:10.0.0.9:5062;lr>", "<sip:p1.example.net;lr>"];
    let ack = scene.net.expect(proxy, "ACK").text;
    assert_eq!(text::headers(&ack, "Route"), routes);
    assert_eq!(text::uri(&ack), "sip:bob@10.0.0.3:5060");
    scene.hang_up();
    let bye = scene.net.expect(proxy, "BYE").text;
    assert_eq!(text::headers(&bye, "Route"), routes);
}

#[test]
fn a_strict_router_gets_itself_as_request_uri() {
    let more = "Record-Route: <sip:10.0.0.9:5062>, <sip:p2.example.net;lr>\r\n";
    let mut scene = Incoming::with(false, more, SDP);
    let proxy = scene.net.peer("10.0.0.9:5062");
    scene.answer();
    scene.net.run_ms(50);
    scene.ack();
    scene.net.run_ms(50);
    scene.hang_up();
    let bye = scene.net.expect(proxy, "BYE").text;
    assert_eq!(text::uri(&bye), "sip:10.0.0.9:5062");
    let routes = ["<sip:p2.example.net;lr>", "<sip:ann@10.0.0.2:5060>"];
    assert_eq!(text::headers(&bye, "Route"), routes);
}

#[test]
fn a_later_record_route_changes_nothing() {
    let mut scene = Incoming::established();
    let update = scene.phone.request("UPDATE", PROXIES, "");
    scene.send(&update);
    scene.net.expect(scene.ann, "200 UPDATE");
    scene.hang_up();
    let bye = scene.net.expect(scene.ann, "BYE").text;
    assert_eq!(text::headers(&bye, "Route"), Vec::<&str>::new());
}

#[test]
fn a_refusal_carries_no_record_route() {
    let mut scene = Incoming::with(false, PROXIES, SDP);
    scene.reject();
    let busy = scene.net.expect_after(scene.ann, "486 INVITE").text;
    assert_eq!(text::headers(&busy, "Record-Route"), Vec::<&str>::new());
}

#[test]
fn over_tcp_everything_goes_down_the_connection_that_the_peer_opened() {
    let mut scene = Incoming::tcp();
    scene.answer();
    let ok = scene.net.expect_after(scene.ann, "200 INVITE");
    let contact = text::bracketed(text::header(&ok.text, "Contact"));
    assert_eq!(contact, "sip:10.0.0.1:5060;transport=tcp");
    scene.ack();
    scene.net.run_ms(50);
    scene.hang_up();
    let bye = scene.net.expect(scene.ann, "BYE");
    assert!(text::header(&bye.text, "Via").starts_with("SIP/2.0/TCP 10.0.0.1:5060;branch="));
    assert_eq!(scene.net.connections(), 1);
}

#[test]
fn a_peer_that_is_to_be_asked_by_tcp_is_unless_its_contact_says_otherwise() {
    for (said, via) in [("", "TCP"), (";transport=udp", "UDP")] {
        let mut scene = Incoming::with(false, "", SDP);
        let (leg, contact) = (scene.leg, scene.phone.contact());
        scene.net.with(scene.carom, |carom, _| carom.prefer(leg, Transport::Tcp));
        scene.answer();
        scene.net.run_ms(50);
        scene.ack();
        scene.net.run_ms(50);
        let more = contact.replace(">", &format!("{said}>"));
        let update = scene.phone.request("UPDATE", "", "").replace(&contact, &more);
        scene.send(&update);
        scene.net.expect_after(scene.ann, "200 UPDATE");
        scene.hang_up();
        let bye = scene.net.expect(scene.ann, "BYE").text;
        assert!(text::header(&bye, "Via").starts_with(&format!("SIP/2.0/{via} ")), "{bye}");
    }
}

#[test]
fn a_via_names_the_listener_that_its_request_goes_from() {
    let named = HostPort { host: "tcp.example.net".to_owned(), port: 5_070 };
    let at = "10.0.0.1:5060".parse().expect("ip:port");
    let config = EndpointConfig::new("sim", 1).advertise(Transport::Tcp, at, named);
    let mut scene = Incoming::to(config, false, "", SDP);
    let leg = scene.leg;
    scene.net.with(scene.carom, |carom, _| carom.prefer(leg, Transport::Tcp));
    scene.answer();
    scene.net.run_ms(50);
    scene.ack();
    scene.settle();
    scene.hang_up();
    let bye = scene.net.expect(scene.ann, "BYE").text;
    assert!(text::header(&bye, "Via").starts_with("SIP/2.0/TCP tcp.example.net:5070;"), "{bye}");
}

#[test]
fn when_that_connection_is_gone_the_peers_contact_says_where_it_is() {
    let mut scene = Incoming::tcp();
    scene.answer();
    scene.net.run_ms(50);
    scene.ack();
    scene.net.run_ms(50);
    scene.net.unread(scene.ann);
    scene.net.close(scene.carom, scene.ann, TransportError::Closed);
    scene.hang_up();
    scene.net.expect(scene.ann, "BYE");
    assert_eq!(scene.net.connections(), 1, "a new one, to the Contact");
}

#[test]
fn when_that_connection_is_gone_a_name_is_looked_up_and_its_port_counts() {
    for (found, at) in [(None, "10.0.0.2:5071"), (Some([10, 0, 0, 9]), "10.0.0.9:5071")] {
        let route = "Record-Route: <sip:p.example.net:5071;transport=tcp;lr>\r\n";
        let mut scene = Incoming::with(true, route, SDP);
        scene.answer();
        scene.net.run_ms(50);
        scene.ack();
        scene.net.run_ms(50);
        let proxy = scene.net.peer("10.0.0.9:5071");
        scene.net.unread(scene.ann);
        scene.net.close(scene.carom, scene.ann, TransportError::Closed);
        let name = scene.net.event(scene.carom, |event| match event {
            Event::HopLost { host, .. } => Some(host.clone()),
            _ => None,
        });
        assert_eq!(name, "p.example.net");
        let (leg, heard) = (scene.leg, if found.is_some() { proxy } else { scene.ann });
        if let Some(found) = found {
            scene.net.with(scene.carom, |carom, _| carom.found(leg, &name, found.into()));
        }
        scene.hang_up();
        assert_eq!(scene.net.expect(heard, "BYE").to.to_string(), at);
    }
}

#[test]
fn a_path_is_needed_as_long_as_a_call_goes_by_it() {
    let mut scene = Incoming::established();
    let path = scene.net.path(Transport::Udp, scene.carom, scene.ann);
    scene.net.run_ms(700_000);
    assert!(scene.net.see(scene.carom).uses(&path), "silent for ever so long");
    scene.hang_up();
    let bye = scene.net.expect(scene.ann, "BYE").text;
    scene.send(&text::reply(&bye, "200 OK", "", "", ""));
    scene.net.run_ms(40_000);
    assert!(!scene.net.see(scene.carom).uses(&path));
}

#[test]
fn a_private_contact_of_a_public_peer_is_reached_where_it_came_from() {
    let mut net = Net::new(1);
    let (carom, ann) = (net.endpoint("192.0.2.1:5060"), net.peer("198.51.100.2:5060"));
    let mut phone = Phone::new("192.168.1.2:5060", "c1");
    let invite = phone.request("INVITE", "", SDP).replace(";branch", ";rport;branch");
    net.send_from_port(ann, 33_333, carom, &invite);
    let leg = net.event(carom, |event| match event {
        Event::Incoming { leg, .. } => Some(*leg),
        _ => None,
    });
    net.with(carom, |carom, now| carom.answer(now, leg, SDP.into(), Vec::new()));
    let ok = net.expect_after(ann, "200 INVITE").text;
    phone.learn(&ok);
    net.send_from_port(ann, 33_333, carom, &phone.ack(1, ""));
    net.run_ms(50);
    net.with(carom, |carom, now| carom.hang_up(now, leg, None));
    let bye = net.expect(ann, "BYE");
    assert_eq!(bye.to.port(), 33_333);
    assert_eq!(text::uri(&bye.text), "sip:ann@192.168.1.2:5060");
}

#[test]
fn a_contact_that_is_a_name_is_reached_where_the_call_went() {
    let mut scene = Outgoing::udp();
    scene.reply("200 OK", "bob", "Contact: <sip:bob@pbx.example.net>\r\n", SDP);
    let ack = scene.expect("ACK").text;
    assert_eq!(text::uri(&ack), "sip:bob@pbx.example.net");
}

#[test]
fn a_contact_at_another_address_gets_our_requests_there() {
    let mut scene = Outgoing::udp();
    let media = scene.net.peer("10.0.0.30:5070");
    scene.reply("200 OK", "bob", "Contact: <sip:bob@10.0.0.30:5070>\r\n", SDP);
    scene.net.expect(media, "ACK");
    scene.hang_up();
    scene.net.expect(media, "BYE");
}

#[test]
fn addresses_of_ipv6_stand_in_brackets() {
    let mut net = Net::new(1);
    let (carom, ann) = (net.endpoint("[2001:db8::1]:5060"), net.peer("[2001:db8::2]:5060"));
    let mut phone = Phone::new("[2001:db8::2]:5060", "c1");
    let invite = phone.request("INVITE", "", SDP).replace(";branch", ";rport;branch");
    net.send(ann, carom, &invite);
    let leg = net.event(carom, |event| match event {
        Event::Incoming { leg, .. } => Some(*leg),
        _ => None,
    });
    net.with(carom, |carom, now| carom.answer(now, leg, SDP.into(), Vec::new()));
    let ok = net.expect_after(ann, "200 INVITE").text;
    assert_eq!(text::param(text::header(&ok, "Via"), "received"), Some("2001:db8::2"));
    assert_eq!(text::header(&ok, "Contact"), "<sip:[2001:db8::1]:5060>");
    phone.learn(&ok);
    net.send(ann, carom, &phone.ack(1, ""));
    net.run_ms(50);
    net.with(carom, |carom, now| carom.hang_up(now, leg, None));
    let bye = net.expect(ann, "BYE").text;
    assert_eq!(text::uri(&bye), "sip:ann@[2001:db8::2]:5060");
    assert!(text::header(&bye, "Via").starts_with("SIP/2.0/UDP [2001:db8::1]:5060;rport;branch="));
}

struct Plain {
    net: Net,
    carom: Station,
    ann: Station,
    phone: Phone,
}

impl Plain {
    fn new() -> Self {
        let mut net = Net::new(1);
        let (carom, ann) = (net.endpoint("10.0.0.1:5060"), net.peer("10.0.0.2:5060"));
        Self { net, carom, ann, phone: Phone::new("10.0.0.2:5060", "c1") }
    }
}

/// Returns the answer to an OPTIONS with this Via, sent from this port.
fn via_answer(sent_by: &str, port: u16) -> Heard {
    let mut scene = Plain::new();
    let options = scene.phone.request("OPTIONS", "", "");
    let (from, to) = (text::header(&options, "Via"), format!("SIP/2.0/UDP {sent_by}"));
    scene.net.send_from_port(scene.ann, port, scene.carom, &options.replace(from, &to));
    scene.net.expect(scene.ann, "200 OPTIONS")
}
