//! SIP by hand, for what SIPp cannot do: odd requests, and no answer at all.

use std::{
    fmt::Write as _,
    io::ErrorKind,
    net::{Ipv4Addr, UdpSocket},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use crate::Place;

/// An answer comes within this time, or never.
const PATIENCE: Duration = Duration::from_secs(10);

/// A UDP socket at port 5060 that sends to the engine.
#[derive(Debug)]
pub struct Wire {
    socket: UdpSocket,
}

/// A request to be written.
#[derive(Debug, Clone)]
pub struct Ask {
    method: String,
    uri: String,
    id: u32,
    lines: Vec<String>,
    body: String,
}

impl Wire {
    /// At `ip`.
    #[must_use]
    pub fn at(place: &Place, ip: Ipv4Addr) -> Self {
        let socket = UdpSocket::bind((ip, 5060)).unwrap();
        socket.connect((place.engine(), 5060)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket }
    }

    /// Sends text as it is.
    pub fn send(&self, text: &str) {
        self.socket.send(text.as_bytes()).unwrap();
    }

    /// The next message.
    ///
    /// # Panics
    /// None came.
    #[must_use]
    pub fn receive(&self) -> String {
        self.try_receive().expect("a message of the engine")
    }

    /// The next message, if one comes.
    #[must_use]
    pub fn try_receive(&self) -> Option<String> {
        let mut buffer = [0; 65_536];
        let len = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..len]).into_owned())
    }

    /// Waits for a message that begins so; those before it are gone.
    #[must_use]
    pub fn receive_until(&self, start: &str) -> String {
        self.find(|message| message.starts_with(start))
    }

    /// Waits for a message that contains `text`; those before it are gone.
    #[must_use]
    pub fn receive_with(&self, text: &str) -> String {
        self.find(|message| message.contains(text))
    }

    /// Waits for a message that is so; those before it are gone.
    #[must_use]
    pub fn find(&self, is: impl Fn(&str) -> bool) -> String {
        loop {
            let message = self.receive();
            if is(&message) {
                return message;
            }
        }
    }

    /// Whether nothing has come.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let got = self.socket.recv(&mut [0; 65_536]);
        self.socket.set_nonblocking(false).unwrap();
        matches!(got, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Sends a request and returns its final response; a refused INVITE is acknowledged.
    #[must_use]
    pub fn ask(&self, ask: &Ask) -> String {
        let here = self.ip();
        self.send(&ask.text(here));
        let reply = loop {
            let message = self.receive();
            let is_final = message.starts_with("SIP/2.0 ") && !message.starts_with("SIP/2.0 1");
            if is_final && message.contains(&ask.mark()) {
                break message;
            }
        };
        if ask.method == "INVITE" && !reply.starts_with("SIP/2.0 2") {
            self.send(&ask.ack(here, &reply));
        }
        reply
    }

    /// Hangs up a call that `reply` answered.
    pub fn hang_up(&self, ask: &Ask, reply: &str) {
        let here = self.ip();
        let to = header(reply, "To");
        self.send(&ask.within("ACK", "1 ACK", to).text(here));
        let bye = self.ask(&ask.within("BYE", "2 BYE", to));
        assert!(bye.starts_with("SIP/2.0 200"), "{bye}");
    }

    fn ip(&self) -> Ipv4Addr {
        match self.socket.local_addr().unwrap().ip() {
            std::net::IpAddr::V4(ip) => ip,
            std::net::IpAddr::V6(ip) => panic!("{ip}"),
        }
    }
}

impl Ask {
    /// A request to number 100, with nothing of an offer.
    #[must_use]
    pub fn new(place: &Place, method: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let uri = format!("sip:100@{}", place.engine());
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { method: method.to_owned(), uri, id, lines: Vec::new(), body: String::new() }
    }

    /// To another URI.
    #[must_use]
    pub fn uri(mut self, uri: &str) -> Self {
        uri.clone_into(&mut self.uri);
        self
    }

    /// With a header line, in the place of ours of the same name.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        let name = line.split(':').next().unwrap().to_owned();
        self.lines.retain(|other| !other.starts_with(&format!("{name}:")));
        self.lines.push(line.to_owned());
        self
    }

    /// With one more header line.
    #[must_use]
    pub fn more(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// With an SDP body: `media` are its m-lines with their attributes.
    #[must_use]
    pub fn sdp(mut self, ip: Ipv4Addr, media: &[&str]) -> Self {
        self.body = format!("v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n");
        for line in media {
            let _ = write!(self.body, "{line}\r\n");
        }
        self
    }

    /// With this body; its type is a header line.
    #[must_use]
    pub fn body(mut self, text: &str) -> Self {
        text.clone_into(&mut self.body);
        self
    }

    /// The usual offer.
    #[must_use]
    pub fn offer(self, ip: Ipv4Addr) -> Self {
        self.sdp(ip, &["m=audio 40000 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/8000"])
    }

    /// The branch of its Via, which is in its responses.
    fn mark(&self) -> String {
        let cseq = self.lines.iter().find_map(|line| line.strip_prefix("CSeq: "));
        let seq = cseq.and_then(|cseq| cseq.split(' ').next()).unwrap_or("1");
        format!("z9hG4bK-{}-{}-{seq}", self.method, self.id)
    }

    fn call_id(&self) -> String {
        format!("by-hand-{}", self.id)
    }

    /// Another request in the dialog that it began; `to` as the engine answered.
    #[must_use]
    pub fn within(&self, method: &str, cseq: &str, to: &str) -> Self {
        let mut lines = vec![format!("CSeq: {cseq}"), format!("To: {to}")];
        // The dialog is known by the tag of the From, too.
        lines.extend(self.lines.iter().find(|line| line.starts_with("From:")).cloned());
        let (method, body) = (method.to_owned(), String::new());
        Self { method, uri: self.uri.clone(), id: self.id, lines, body }
    }

    fn ack(&self, here: Ipv4Addr, reply: &str) -> String {
        // The ACK of a failure keeps the branch (RFC 3261 §17.1.1.3).
        let text = self
            .within("ACK", &header(reply, "CSeq").replace("INVITE", "ACK"), header(reply, "To"))
            .text(here);
        text.replace("z9hG4bK-ACK-", "z9hG4bK-INVITE-")
    }

    /// The CANCEL of this INVITE.
    #[must_use]
    pub fn cancel(&self, here: Ipv4Addr) -> String {
        let to = format!("<{}>", self.uri);
        let text = self.within("CANCEL", "1 CANCEL", &to).text(here);
        text.replace("z9hG4bK-CANCEL-", "z9hG4bK-INVITE-")
    }

    /// It as text, sent from `here`.
    #[must_use]
    pub fn text(&self, here: Ipv4Addr) -> String {
        let (method, uri, id) = (&self.method, &self.uri, self.id);
        let mut text = format!("{method} {uri} SIP/2.0\r\n");
        let call_id = self.call_id();
        let usual = [
            format!("Via: SIP/2.0/UDP {here}:5060;branch={}", self.mark()),
            "Max-Forwards: 70".to_owned(),
            format!("From: <sip:+447700900123@{here}>;tag=hand{id}"),
            format!("To: <{uri}>"),
            format!("Call-ID: {call_id}"),
            format!("CSeq: 1 {method}"),
            format!("Contact: <sip:hand@{here}:5060>"),
        ];
        let name = |line: &str| line.split(':').next().unwrap().to_owned();
        for line in usual.iter().filter(|line| self.lines.iter().all(|o| name(o) != name(line))) {
            let _ = write!(text, "{line}\r\n");
        }
        for line in self.lines.iter().filter(|line| !line.ends_with(": -")) {
            let _ = write!(text, "{line}\r\n");
        }
        if !self.body.is_empty() && self.lines.iter().all(|line| name(line) != "Content-Type") {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{}", self.body.len(), self.body);
        text
    }
}

/// A header's value in a message.
#[must_use]
pub fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let start = format!("{name}: ");
    message.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default()
}

/// A response to a request of the engine, with a tag; where it is a 2xx to an INVITE, with an
/// answer too.
#[must_use]
pub fn respond(request: &str, status: &str) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for name in ["Via", "From", "Call-ID", "CSeq"] {
        let _ = write!(text, "{name}: {}\r\n", header(request, name));
    }
    let to = header(request, "To");
    let tag = if to.contains(";tag=") { "" } else { ";tag=by-hand" };
    let contact = request.split(' ').nth(1).unwrap();
    let _ = write!(text, "To: {to}{tag}\r\nContact: <{contact}>\r\n");
    let answers = status.starts_with('2') && request.starts_with("INVITE");
    let mut body = String::new();
    if answers {
        text.push_str("Content-Type: application/sdp\r\n");
        body.push_str("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n");
        body.push_str("t=0 0\r\nm=audio 9 RTP/AVP 8\r\n");
        let held = [("a=sendonly", "a=recvonly\r\n"), ("a=inactive", "a=inactive\r\n")];
        let held = held.into_iter().find(|(offer, _)| request.contains(offer));
        body.push_str(held.map_or("", |(_, answer)| answer));
    }
    let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
    text
}
