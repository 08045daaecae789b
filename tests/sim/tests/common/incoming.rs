use bytes::Bytes;
use carom_sim::{
    Net, Phone, Station,
    text::{self, SDP},
};
use sip_stack::endpoint::{EndpointConfig, Event, LegId};

/// Ann calls Carom; the INVITE has just come.
pub struct Incoming {
    pub net: Net,
    pub carom: Station,
    pub ann: Station,
    pub phone: Phone,
    pub tcp: bool,
    pub invite: String,
    pub leg: LegId,
    /// When the leg's user last did something.
    pub since_ms: u64,
}

impl Incoming {
    pub fn udp() -> Self {
        Self::new(false)
    }

    pub fn tcp() -> Self {
        Self::new(true)
    }

    fn new(tcp: bool) -> Self {
        Self::with(tcp, "", SDP)
    }

    /// Carries further lines, or another body or none.
    pub fn with(tcp: bool, more: &str, body: &str) -> Self {
        Self::to(EndpointConfig::new("sim", 1), tcp, more, body)
    }

    /// Calls a Carom of this configuration.
    pub fn to(config: EndpointConfig, tcp: bool, more: &str, body: &str) -> Self {
        let mut net = Net::new(1);
        let carom = net.endpoint_with("10.0.0.1:5060", config);
        let ann = net.peer("10.0.0.2:5060");
        let phone = Phone::new("10.0.0.2:5060", "c1");
        let mut phone = if tcp { phone.tcp() } else { phone };
        let invite = phone.request("INVITE", more, body);
        match tcp {
            true => net.send_tcp(ann, carom, &invite),
            false => net.send(ann, carom, &invite),
        }
        let leg = net.event(carom, |event| match event {
            Event::Incoming { leg, .. } => Some(*leg),
            _ => None,
        });
        Self { net, carom, ann, phone, tcp, invite, leg, since_ms: 10 }
    }

    /// The call is answered and acknowledged, and what was said so far has been read.
    pub fn established() -> Self {
        let mut scene = Self::udp();
        scene.answer();
        scene.net.run_ms(100);
        scene.ack();
        scene.settle();
        scene
    }

    /// Waits a moment and forgets what has come by then.
    pub fn settle(&mut self) {
        self.net.run_ms(100);
        self.net.unread(self.ann);
        self.net.events(self.carom);
        self.since_ms = self.net.now_ms();
    }

    pub fn send(&mut self, text: &str) {
        match self.tcp {
            true => self.net.send_tcp(self.ann, self.carom, text),
            false => self.net.send(self.ann, self.carom, text),
        }
    }

    pub fn again(&mut self) {
        let invite = self.invite.clone();
        self.send(&invite);
    }

    pub fn ring(&mut self) {
        let leg = self.leg;
        self.since_ms = self.net.now_ms();
        self.net.with(self.carom, |carom, now| carom.ring(now, leg, 180, None, Vec::new()));
    }

    pub fn answer(&mut self) {
        let leg = self.leg;
        self.since_ms = self.net.now_ms();
        let sdp = Bytes::from_static(SDP.as_bytes());
        self.net.with(self.carom, |carom, now| carom.answer(now, leg, sdp, Vec::new()));
    }

    pub fn reject(&mut self) {
        let leg = self.leg;
        self.since_ms = self.net.now_ms();
        self.net.with(self.carom, |carom, now| carom.reject(now, leg, 486, None, Vec::new()));
    }

    pub fn hang_up(&mut self) {
        let leg = self.leg;
        self.net.with(self.carom, |carom, now| carom.hang_up(now, leg, None));
    }

    /// Reads the answer.
    pub fn learn(&mut self) {
        let answer = self.first("200 INVITE");
        self.phone.learn(&answer);
    }

    pub fn ack(&mut self) {
        self.learn();
        let ack = self.phone.ack(1, "");
        self.send(&ack);
    }

    pub fn ack_of_failure(&mut self) -> String {
        let failure = self.first("486 INVITE");
        let ack = text::of_invite(&self.invite, "ACK", text::header(&failure, "To"));
        self.send(&ack);
        ack
    }

    fn first(&self, name: &str) -> String {
        self.net.sent(self.carom, name).next().map(|sent| sent.text.clone()).expect("sent by now")
    }

    /// When Carom sent messages of this name, counted from what its user did.
    pub fn since(&self, name: &str) -> Vec<u64> {
        let at = self.net.sent_at(self.carom, name);
        at.into_iter().map(|at| at - self.since_ms).collect()
    }
}
