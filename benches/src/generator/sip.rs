//! As much SIP as a load generator needs: a view of a message, and a few messages to send.

use std::{
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
};

use super::leg::{AUDIO, EVENT};

/// A message as it came.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    head: &'a str,
    body: &'a str,
}

impl<'a> Message<'a> {
    /// A view of a datagram; `None` when it is no text.
    pub fn of(datagram: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(datagram).ok()?;
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        Some(Self { head, body })
    }

    /// The status of a response.
    pub fn status(self) -> Option<u16> {
        self.head.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The method of a request.
    pub fn method(self) -> Option<&'a str> {
        self.head.split_once(' ').map(|(method, _)| method).filter(|&word| word != "SIP/2.0")
    }

    /// The first header of that name.
    pub fn header(self, name: &str) -> Option<&'a str> {
        self.headers(name).next()
    }

    /// All headers of that name.
    pub fn headers(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.head.split("\r\n").skip(1).filter_map(move |line| {
            let (found, value) = line.split_once(':')?;
            found.trim_end().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Method of the CSeq header: what a response answers.
    pub fn answers(self) -> &'a str {
        self.header("CSeq").and_then(|value| value.split(' ').nth(1)).unwrap_or("")
    }

    /// The URI of the Contact header.
    pub fn contact(self) -> Option<&'a str> {
        let value = self.header("Contact")?;
        match value.split_once('<') {
            Some((_, rest)) => rest.split('>').next(),
            None => value.split(';').next(),
        }
    }

    /// Where the body's SDP wants RTP.
    pub fn rtp_address(self) -> Option<SocketAddr> {
        let line = |start| self.body.lines().find_map(|line| line.strip_prefix(start));
        let ip: IpAddr = line("c=IN IP4 ")?.trim().parse().ok()?;
        let port = line("m=audio ")?.split(' ').next()?.parse().ok()?;
        Some(SocketAddr::new(ip, port))
    }

    /// A response to this request, up to its last headers.
    pub fn response(self, status: &str, to_tag: &str, contact: &str, sdp: Option<&str>) -> String {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for via in self.headers("Via") {
            line(&mut text, "Via", via);
        }
        for name in ["From", "Call-ID", "CSeq"] {
            line(&mut text, name, self.header(name).unwrap_or(""));
        }
        let to = self.header("To").unwrap_or("");
        if to.contains(";tag=") {
            line(&mut text, "To", to);
        } else {
            let _ = write!(text, "To: {to};tag={to_tag}\r\n");
        }
        end(text, contact, sdp)
    }
}

/// A request of one of our dialogs.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    pub method: &'a str,
    pub uri: &'a str,
    pub branch: &'a str,
    pub at: SocketAddr,
    pub from: &'a str,
    pub to: &'a str,
    pub call_id: &'a str,
    pub cseq: &'a str,
    pub sdp: Option<&'a str>,
}

impl Outgoing<'_> {
    /// The message.
    pub fn text(self) -> String {
        let Self { method, uri, branch, at, from, to, call_id, cseq, sdp } = self;
        let text = format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {at};branch=z9hG4bK{branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: {from}\r\n\
             To: {to}\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: {cseq}\r\n"
        );
        end(text, &format!("<sip:bench@{at}>"), sdp)
    }
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = write!(text, "{name}: {value}\r\n");
}

fn end(mut text: String, contact: &str, sdp: Option<&str>) -> String {
    line(&mut text, "Contact", contact);
    if sdp.is_some() {
        line(&mut text, "Content-Type", "application/sdp");
    }
    let sdp = sdp.unwrap_or("");
    let _ = write!(text, "Content-Length: {}\r\n\r\n{sdp}", sdp.len());
    text
}

/// What we offer and answer: A-law and keys.
pub fn sdp(rtp: u16, rtcp: u16) -> String {
    format!(
        "v=0\r\no=- {rtp} 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {rtp} RTP/AVP {AUDIO} {EVENT}\r\n\
         a=rtpmap:{AUDIO} PCMA/8000\r\n\
         a=rtpmap:{EVENT} telephone-event/8000\r\na=fmtp:{EVENT} 0-15\r\n\
         a=rtcp:{rtcp}\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_seen_as_what_it_is() {
        let text = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:1\r\nto: <sip:a@b>;tag=x\r\n\
             CSeq: 1 INVITE\r\nContact: <sip:e@127.0.0.1:5060;transport=udp>\r\n\r\n\
             v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4002 RTP/AVP 8\r\n";
        let message = Message::of(text.as_bytes()).unwrap();
        assert_eq!((message.status(), message.method()), (Some(200), None));
        assert_eq!(message.answers(), "INVITE");
        assert_eq!(message.header("To"), Some("<sip:a@b>;tag=x"));
        assert_eq!(message.contact(), Some("sip:e@127.0.0.1:5060;transport=udp"));
        assert_eq!(message.rtp_address(), Some("127.0.0.1:4002".parse().unwrap()));
    }

    #[test]
    fn an_answer_to_a_request_repeats_what_it_must() {
        let text = "INVITE sip:p@h SIP/2.0\r\nVia: one\r\nVia: two\r\nFrom: f\r\nTo: t\r\n\
             Call-ID: i\r\nCSeq: 7 INVITE\r\n\r\n";
        let request = Message::of(text.as_bytes()).unwrap();
        assert_eq!(request.method(), Some("INVITE"));
        let answer = request.response("200 OK", "tag", "<sip:c>", Some("v=0"));
        let answer = Message::of(answer.as_bytes()).unwrap();
        assert_eq!(answer.status(), Some(200));
        assert_eq!(answer.headers("Via").collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(answer.header("To"), Some("t;tag=tag"));
        assert_eq!(answer.header("Content-Length"), Some("3"));
    }
}
