use bytes::Bytes;
use carom_sim::{
    Heard, Net, Phone, Station,
    text::{self, SDP},
};
use sip_stack::endpoint::{Cause, Event, LegId, OutgoingInvite, Path, Transport};

/// Carom calls Bob; the INVITE has just come to him.
pub struct Outgoing {
    pub net: Net,
    pub carom: Station,
    pub bob: Station,
    pub tcp: bool,
    pub leg: LegId,
    pub invite: String,
}

impl Outgoing {
    pub fn udp() -> Self {
        Self::with(false, |_| ())
    }

    pub fn tcp() -> Self {
        Self::with(true, |_| ())
    }

    /// Calls with a changed INVITE.
    pub fn with(tcp: bool, change: impl FnOnce(&mut OutgoingInvite)) -> Self {
        let mut net = Net::new(2);
        let (carom, bob) = (net.endpoint("10.0.0.1:5060"), net.peer("10.0.0.3:5060"));
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        let mut invite = invite_to(net.path(transport, carom, bob));
        change(&mut invite);
        let leg = net.with(carom, |carom, now| carom.invite(now, invite));
        let invite = net.expect(bob, "INVITE").text;
        Self { net, carom, bob, tcp, leg, invite }
    }

    /// The call is answered, and what was said so far has been read.
    pub fn established() -> (Self, Phone) {
        Self::established_with(|_| ())
    }

    /// The same with a changed INVITE.
    pub fn established_with(change: impl FnOnce(&mut OutgoingInvite)) -> (Self, Phone) {
        let mut scene = Self::with(false, change);
        scene.answer("bob");
        let ack = scene.net.expect(scene.bob, "ACK");
        let mut phone = Phone::called("10.0.0.3:5060", &scene.invite, "bob");
        phone.target = text::bracketed(text::header(&scene.invite, "Contact")).to_owned();
        assert_eq!(text::header(&ack.text, "CSeq"), "1 ACK");
        scene.net.run_ms(100);
        scene.net.events(scene.carom);
        (scene, phone)
    }

    pub fn send(&mut self, text: &str) {
        match self.tcp {
            true => self.net.send_tcp(self.bob, self.carom, text),
            false => self.net.send(self.bob, self.carom, text),
        }
    }

    /// Bob answers the INVITE with a status line and tag.
    pub fn reply(&mut self, status: &str, tag: &str, more: &str, body: &str) {
        let reply = text::reply(&self.invite, status, tag, more, body);
        self.send(&reply);
    }

    pub fn answer(&mut self, tag: &str) {
        self.reply("200 OK", tag, "Contact: <sip:bob@10.0.0.3:5060>\r\n", SDP);
    }

    /// Bob says 200 to a request, without a body.
    pub fn ok(&mut self, request: &str) {
        let reply = text::reply(request, "200 OK", "", "", "");
        self.send(&reply);
    }

    pub fn hang_up(&mut self) {
        let leg = self.leg;
        self.net.with(self.carom, |carom, now| carom.hang_up(now, leg, None));
    }

    pub fn expect(&mut self, name: &str) -> Heard {
        self.net.expect(self.bob, name)
    }

    /// How the leg came to nothing.
    pub fn failure(&mut self) -> (u16, Cause) {
        self.net.event(self.carom, |event| match event {
            Event::Failed { status, cause, .. } => Some((*status, *cause)),
            _ => None,
        })
    }

    /// When Carom sent messages of this name.
    pub fn sent(&self, name: &str) -> Vec<u64> {
        self.net.sent_at(self.carom, name)
    }

    /// Legs, transactions and whether a timer runs.
    pub fn left(&self) -> (usize, usize, bool) {
        let carom = self.net.see(self.carom);
        (carom.legs(), carom.transactions(), carom.poll_timeout().is_some())
    }
}

/// An INVITE to whoever is at the end of a path.
pub fn invite_to(path: Path) -> OutgoingInvite {
    OutgoingInvite {
        request_uri: format!("sip:bob@{}", path.remote),
        to: format!("<sip:bob@{}>", path.remote),
        from: "<sip:+15550100@10.0.0.1>".to_owned(),
        path,
        fallback_path: None,
        headers: Vec::new(),
        sdp: Some(Bytes::from_static(SDP.as_bytes())),
        max_forwards: 70,
        takes_refer: false,
        auth: None,
    }
}
