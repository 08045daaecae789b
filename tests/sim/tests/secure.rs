//! SIP over TLS: what Via and Contact say, and which way requests go (RFC 3261 §26.2, RFC 5630).

mod common;

use carom_sim::{
    Net, Phone, Station,
    text::{self, SDP},
};
use common::Outgoing;
use sip_stack::endpoint::{Event, LegId, ReofferMethod, Transport};

#[test]
fn over_tls_everything_goes_down_the_connection_that_the_peer_opened() {
    let mut call = Call::with(|invite| invite);
    assert_eq!(call.contact(), "sip:10.0.0.1:5060;transport=tls");
    let bye = call.hang_up();
    assert!(text::header(&bye, "Via").starts_with("SIP/2.0/TLS 10.0.0.1:5060;branch="), "{bye}");
    assert_eq!(call.net.connections(), 1);
}

#[test]
fn a_dialog_of_sips_uris_gets_one_of_ours() {
    let changes: [fn(String) -> String; 3] = [
        |invite| invite.replacen("INVITE sip:", "INVITE sips:", 1),
        |invite| invite.replace("Contact: <sip:", "Contact: <sips:"),
        |invite| {
            let route = "Record-Route: <sips:10.0.0.2;lr>\r\nContact: ";
            invite.replacen("Contact: ", route, 1)
        },
    ];
    for change in changes {
        assert_eq!(Call::with(change).contact(), "sips:10.0.0.1:5060");
    }
    let plain = |invite: String| {
        let route = "Record-Route: <sip:10.0.0.2;lr>\r\nContact: <sips:";
        invite.replacen("Contact: <sip:", route, 1)
    };
    let contact = Call::with(plain).contact();
    assert_eq!(contact, "sip:10.0.0.1:5060;transport=tls", "the first hop counts");
}

#[test]
fn a_contact_that_asks_for_tls_is_asked_by_it_at_its_own_port() {
    for (contact, at) in [
        ("sip:bob@10.0.0.30;transport=tls", "10.0.0.30:5061"),
        ("sips:bob@10.0.0.30", "10.0.0.30:5061"),
        ("sips:bob@10.0.0.30;transport=tcp", "10.0.0.30:5061"),
        ("sip:bob@10.0.0.30:5080;transport=TLS", "10.0.0.30:5080"),
    ] {
        let mut scene = Outgoing::udp();
        let phone = scene.net.peer("10.0.0.30:5061");
        scene.reply("200 OK", "bob", &format!("Contact: <{contact}>\r\n"), SDP);
        let ack = scene.net.expect(phone, "ACK");
        assert_eq!(ack.to.to_string(), at, "{contact}");
        assert!(text::header(&ack.text, "Via").starts_with("SIP/2.0/TLS "), "{}", ack.text);
    }
}

#[test]
fn a_target_by_sips_is_told_a_sips_contact_and_by_the_parameter_the_parameter() {
    for (uri, contact) in [
        ("sips:bob@10.0.0.3", "sips:10.0.0.1:5060"),
        ("sip:bob@10.0.0.3;transport=tls", "sip:10.0.0.1:5060;transport=tls"),
    ] {
        let scene = Outgoing::with(true, |invite| {
            invite.path.transport = Transport::Tls;
            invite.request_uri = uri.to_owned();
        });
        assert_eq!(text::bracketed(text::header(&scene.invite, "Contact")), contact);
        let via = text::header(&scene.invite, "Via");
        assert!(via.starts_with("SIP/2.0/TLS 10.0.0.1:5060;branch="), "{via}");
        assert_eq!(scene.sent("INVITE"), [0], "nothing is repeated");
    }
}

#[test]
fn keys_of_media_that_were_agreed_by_tls_are_told_by_tls_only() {
    let keyed = format!("{SDP}a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\n");
    for contact in ["sip:bob@10.0.0.3:5060;transport=udp", "sip:bob@10.0.0.3:5060;transport=tcp"] {
        let mut scene = Outgoing::with(true, |invite| invite.path.transport = Transport::Tls);
        scene.reply("200 OK", "bob", &format!("Contact: <{contact}>\r\n"), &keyed);
        scene.expect("ACK");
        scene.net.run_ms(50);
        let leg = scene.leg;
        let offer = |keys: bool| {
            let sdp = if keys { keyed.clone() } else { SDP.to_owned() };
            Some(sdp.into())
        };
        for (keys, by) in [(true, "TLS"), (false, &contact[contact.len() - 3..])] {
            let method = ReofferMethod::Update;
            scene
                .net
                .with(scene.carom, |carom, now| carom.reoffer(now, leg, offer(keys), method))
                .expect("nothing is pending");
            let update = scene.expect("UPDATE").text;
            let via = format!("SIP/2.0/{} ", by.to_uppercase());
            assert!(text::header(&update, "Via").starts_with(&via), "{contact}: {update}");
            let ok = text::reply(&update, "200 OK", "", "", SDP);
            scene.send(&ok);
            scene.net.run_ms(50);
        }
    }
}

/// Ann has called Carom by TLS and was answered.
struct Call {
    net: Net,
    carom: Station,
    ann: Station,
    phone: Phone,
    leg: LegId,
    answer: String,
}

impl Call {
    fn with(change: impl FnOnce(String) -> String) -> Self {
        let mut net = Net::new(1);
        let (carom, ann) = (net.endpoint("10.0.0.1:5060"), net.peer("10.0.0.2:5060"));
        let mut phone = Phone::new("10.0.0.2:5060", "c1");
        let invite = change(phone.request("INVITE", "", SDP));
        net.send_tls(ann, carom, &invite.replace("SIP/2.0/UDP", "SIP/2.0/TLS"));
        let leg = net.event(carom, |event| match event {
            Event::Incoming { leg, .. } => Some(*leg),
            _ => None,
        });
        net.with(carom, |carom, now| carom.answer(now, leg, SDP.into(), Vec::new()));
        let answer = net.expect_after(ann, "200 INVITE").text;
        phone.learn(&answer);
        Self { net, carom, ann, phone, leg, answer }
    }

    fn contact(&self) -> String {
        text::bracketed(text::header(&self.answer, "Contact")).to_owned()
    }

    fn hang_up(&mut self) -> String {
        let ack = self.phone.ack(1, "").replace("SIP/2.0/UDP", "SIP/2.0/TLS");
        self.net.send_tls(self.ann, self.carom, &ack);
        self.net.run_ms(50);
        let leg = self.leg;
        self.net.with(self.carom, |carom, now| carom.hang_up(now, leg, None));
        self.net.expect(self.ann, "BYE").text
    }
}
