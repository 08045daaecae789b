//! SIP as text, read and written by hand.

use std::fmt::Write as _;

/// A description with PCMA and telephone-event at 198.51.100.7:4000.
pub const SDP: &str = "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\n\
    t=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

/// Returns what a message is in a word or two: `INVITE`, `200 INVITE`.
pub fn name(text: &str) -> String {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    if first != "SIP/2.0" {
        return first.to_owned();
    }
    let status = rest.get(..3).unwrap_or_default();
    let method = header(text, "CSeq").split_whitespace().nth(1).unwrap_or_default();
    format!("{status} {method}")
}

/// Returns the values of a header's lines.
pub fn headers<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
}

/// Returns the value of a header's first line, or nothing.
pub fn header<'a>(text: &'a str, name: &str) -> &'a str {
    headers(text, name).first().copied().unwrap_or_default()
}

/// Returns the Request-URI.
pub fn uri(text: &str) -> &str {
    text.split(' ').nth(1).unwrap_or_default()
}

/// Returns the body.
pub fn body(text: &str) -> &str {
    text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// Returns the value of a header's parameter, without quotes.
pub fn param<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let pieces = value.split([';', ',', ' ']).filter_map(|piece| piece.split_once('='));
    pieces.filter(|(n, _)| *n == name).map(|(_, value)| value.trim_matches('"')).next()
}

/// Returns what stands between the angle brackets.
pub fn bracketed(value: &str) -> &str {
    value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(value, |(uri, _)| uri)
}

/// Writes the response to a request; `more` are lines that end in CRLF.
pub fn reply(request: &str, status: &str, tag: &str, more: &str, body: &str) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for name in ["Via", "From", "To", "Call-ID", "CSeq", "Record-Route"] {
        for value in headers(request, name) {
            let tagless = name == "To" && !value.contains(";tag=") && !tag.is_empty();
            let tag = if tagless { format!(";tag={tag}") } else { String::new() };
            let _ = write!(text, "{name}: {value}{tag}\r\n");
        }
    }
    text + more + &end(more, body)
}

fn end(more: &str, body: &str) -> String {
    let kind = match body.is_empty() || more.contains("Content-Type:") {
        true => "",
        false => "Content-Type: application/sdp\r\n",
    };
    format!("{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// One side of one dialog, as a peer writes it.
#[derive(Debug, Clone)]
pub struct Phone {
    at: String,
    transport: &'static str,
    call_id: String,
    /// Our From, with tag.
    pub local: String,
    /// Their To; with tag once it is known.
    pub remote: String,
    /// The Request-URI.
    pub target: String,
    /// The number of the last request.
    pub seq: u32,
    branches: u32,
}

impl Phone {
    /// A phone at `host:port` that is about to call.
    pub fn new(at: &str, call_id: &str) -> Self {
        Self {
            at: at.to_owned(),
            transport: "UDP",
            call_id: call_id.to_owned(),
            local: format!("<sip:ann@{at}>;tag=ann-{call_id}"),
            remote: "<sip:100@10.0.0.1>".to_owned(),
            target: "sip:100@10.0.0.1".to_owned(),
            seq: 0,
            branches: 0,
        }
    }

    /// The same over TCP.
    pub fn tcp(self) -> Self {
        Self { transport: "TCP", ..self }
    }

    /// A phone that was called with `invite` and answers with `tag`.
    pub fn called(at: &str, invite: &str, tag: &str) -> Self {
        let mut phone = Self::new(at, header(invite, "Call-ID"));
        phone.local = format!("{};tag={tag}", header(invite, "To"));
        phone.remote = header(invite, "From").to_owned();
        phone.target = bracketed(header(invite, "Contact")).to_owned();
        phone.seq = 100;
        phone
    }

    /// Takes the other side's tag and Contact from a response.
    pub fn learn(&mut self, response: &str) {
        self.remote = header(response, "To").to_owned();
        let contact = bracketed(header(response, "Contact"));
        if !contact.is_empty() {
            self.target = contact.to_owned();
        }
    }

    /// Returns the Contact line.
    pub fn contact(&self) -> String {
        let tcp = if self.transport == "TCP" { ";transport=tcp" } else { "" };
        format!("Contact: <sip:ann@{}{tcp}>\r\n", self.at)
    }

    /// Writes the next request; an INVITE or UPDATE says where we are.
    pub fn request(&mut self, method: &str, more: &str, body: &str) -> String {
        self.seq += 1;
        self.numbered(method, self.seq, more, body)
    }

    /// Writes the ACK of a 2xx to the INVITE numbered `seq`.
    pub fn ack(&mut self, seq: u32, body: &str) -> String {
        self.numbered("ACK", seq, "", body)
    }

    /// Writes a request with this number and a branch of its own.
    pub fn numbered(&mut self, method: &str, seq: u32, more: &str, body: &str) -> String {
        self.branches += 1;
        let contact = match method {
            "INVITE" | "UPDATE" => self.contact(),
            _ => String::new(),
        };
        let Self { at, transport, call_id, local, remote, target, branches, .. } = self;
        let hops = if more.contains("Max-Forwards:") { "" } else { "Max-Forwards: 70\r\n" };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/{transport} {at};branch=z9hG4bK{call_id}-{branches}\r\n\
             From: {local}\r\nTo: {remote}\r\nCall-ID: {call_id}\r\nCSeq: {seq} {method}\r\n{hops}\
             {contact}{more}{}",
            end(more, body)
        )
    }
}

/// Writes what shares the branch of an INVITE: its CANCEL, or the ACK of its failure with the
/// failure's To.
pub fn of_invite(invite: &str, method: &str, to: &str) -> String {
    let seq = header(invite, "CSeq").split(' ').next().unwrap_or_default();
    format!(
        "{method} {} SIP/2.0\r\nVia: {}\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\n\
         CSeq: {seq} {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        uri(invite),
        header(invite, "Via"),
        header(invite, "From"),
        header(invite, "Call-ID"),
    )
}
