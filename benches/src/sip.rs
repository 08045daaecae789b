//! The SIP that the generator speaks: just enough of RFC 3261 for a loopback that loses nothing.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::engine::{CARRIER, ENGINE, PBX};

/// RTP port of both sides of the generator.
pub const RTP: u16 = 7_000;

/// The carrier's INVITE of call `n`.
#[must_use]
pub fn invite(run: u32, n: usize) -> String {
    let sdp = sdp(CARRIER);
    format!(
        "INVITE sip:+442079460018@{ENGINE} SIP/2.0\r\n{}Contact: <sip:c@{CARRIER}>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        head(run, n, "i", "1 INVITE", &format!("<sip:+442079460018@{ENGINE}>")),
        sdp.len()
    )
}

/// The ACK of its 200, or its BYE.
#[must_use]
pub fn within(run: u32, n: usize, method: &str, to: &str) -> String {
    let (branch, cseq) = if method == "ACK" { ("a", "1 ACK") } else { ("b", "2 BYE") };
    format!(
        "{method} sip:{ENGINE} SIP/2.0\r\n{}Content-Length: 0\r\n\r\n",
        head(run, n, branch, cseq, to)
    )
}

/// The ACK of a refusal, which belongs to the INVITE's transaction.
#[must_use]
pub fn ack_refused(run: u32, n: usize, to: &str) -> String {
    format!(
        "ACK sip:+442079460018@{ENGINE} SIP/2.0\r\n{}Content-Length: 0\r\n\r\n",
        head(run, n, "i", "1 ACK", to)
    )
}

fn head(run: u32, n: usize, branch: &str, cseq: &str, to: &str) -> String {
    format!(
        "Via: SIP/2.0/UDP {CARRIER}:5060;branch=z9hG4bK{run}-{n}-{branch}\r\nMax-Forwards: 70\r\n\
         From: <sip:+4474001{:05}@{CARRIER}>;tag=f{n}\r\nTo: {to}\r\nCall-ID: {run}-{n}@bench\r\n\
         CSeq: {cseq}\r\n",
        n % 100_000
    )
}

/// Which of our calls a message is about.
#[must_use]
pub fn number_of(message: &str, run: u32) -> Option<usize> {
    let (of, n) = field(message, "Call-ID")?.strip_suffix("@bench")?.split_once('-')?;
    (of.parse() == Ok(run)).then_some(())?;
    n.parse().ok()
}

/// A response to `request` by the PBX, with SDP if it is the INVITE's 200.
#[must_use]
pub fn answer(request: &str, status: &str, with_sdp: bool) -> String {
    let mut out = format!("SIP/2.0 {status}\r\n");
    for line in request.lines().take_while(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or("").to_ascii_lowercase();
        match name.as_str() {
            "via" | "from" | "call-id" | "cseq" | "record-route" => {
                out.push_str(line);
                out.push_str("\r\n");
            }
            "to" if line.contains(";tag=") => {
                out.push_str(line);
                out.push_str("\r\n");
            }
            "to" => {
                out.push_str(line);
                out.push_str(";tag=pbx\r\n");
            }
            _ => {}
        }
    }
    if with_sdp {
        let sdp = sdp(PBX);
        let length = sdp.len();
        out.push_str(&format!(
            "Contact: <sip:pbx@{PBX}>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {length}\r\n\r\n{sdp}"
        ));
    } else {
        out.push_str("Content-Length: 0\r\n\r\n");
    }
    out
}

fn sdp(ip: Ipv4Addr) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {RTP} RTP/AVP 8 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n"
    )
}

/// Where the message's SDP wants RTP.
#[must_use]
pub fn media(message: &str) -> Option<SocketAddrV4> {
    let line = |start: &str| message.lines().find_map(|line| line.strip_prefix(start));
    let ip = line("c=IN IP4 ")?.trim().parse().ok()?;
    let port = line("m=audio ")?.split(' ').next()?.parse().ok()?;
    Some(SocketAddrV4::new(ip, port))
}

/// A header's value.
#[must_use]
pub fn field<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.lines().find_map(|line| {
        let (of, value) = line.split_once(':')?;
        of.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The status of a response.
#[must_use]
pub fn status(message: &str) -> Option<u16> {
    message.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}
