//! Dialogs (RFC 3261 §12): who, which number next, and by which way.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::message::{HeaderName, Headers, Method, NameAddr, Request, Response};

/// One dialog as its own side sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialog {
    call_id: Arc<str>,
    /// Our From or To, with tag.
    local: String,
    /// The peer's From or To, with tag.
    remote: String,
    remote_tag: String,
    local_seq: u32,
    remote_seq: Option<u32>,
    remote_target: String,
    /// In the order of our Route headers.
    route_set: Vec<String>,
}

/// What the CSeq of a request within a dialog says of it (§12.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Newer than all before.
    Next,
    /// The same again on another way.
    Same,
    /// Older than one seen before.
    Late,
}

impl Dialog {
    /// Makes the UAS side from the INVITE that asks for it (§12.1.1).
    pub fn uas(invite: &Request, call_id: Arc<str>, local_tag: &str) -> Self {
        let headers = invite.headers();
        Self {
            call_id,
            local: tagged(headers.first(HeaderName::To).unwrap_or(""), local_tag),
            remote: headers.first(HeaderName::From).unwrap_or("").to_owned(),
            remote_tag: tag_of(headers, HeaderName::From),
            local_seq: 0,
            remote_seq: invite.cseq().ok().map(|cseq| cseq.seq),
            remote_target: contact(headers).unwrap_or_default(),
            route_set: headers.values(HeaderName::RecordRoute).map(str::to_owned).collect(),
        }
    }

    /// Makes the UAC side from the response that makes it (§12.1.2); `local` is our From with tag.
    pub fn uac(local: String, call_id: Arc<str>, request_uri: &str, response: &Response) -> Self {
        let headers = response.headers();
        let mut route_set: Vec<_> =
            headers.values(HeaderName::RecordRoute).map(str::to_owned).collect();
        route_set.reverse();
        Self {
            call_id,
            local,
            remote: headers.first(HeaderName::To).unwrap_or("").to_owned(),
            remote_tag: tag_of(headers, HeaderName::To),
            local_seq: response.cseq().map_or(1, |cseq| cseq.seq),
            remote_seq: None,
            remote_target: contact(headers).unwrap_or_else(|| request_uri.to_owned()),
            route_set,
        }
    }

    /// Returns the peer's tag; empty for a peer of RFC 2543.
    pub fn remote_tag(&self) -> &str {
        &self.remote_tag
    }

    /// Returns the peer's Contact with this dialog as the one to be replaced, as the peer has to be
    /// told of it (RFC 3891 §3): its own tag is the to-tag.
    pub fn replaced(&self, local_tag: &str) -> String {
        let of = |part: &str| escaped(part);
        let (call_id, to, from) = (of(&self.call_id), of(&self.remote_tag), of(local_tag));
        let target = self.remote_target.split('?').next().unwrap_or_default();
        format!("<{target}?Replaces={call_id}%3Bto-tag%3D{to}%3Bfrom-tag%3D{from}>")
    }

    /// Returns where requests go first: the topmost route, else the peer's Contact.
    pub fn next_hop(&self) -> &str {
        match self.route_set.first().map(|route| NameAddr::parse(route)) {
            Some(Ok(route)) => route.uri_text,
            Some(Err(_)) | None => &self.remote_target,
        }
    }

    /// Whether requests pass proxies on their way.
    pub fn is_routed(&self) -> bool {
        !self.route_set.is_empty()
    }

    /// Judges the CSeq of a request from the peer and remembers it.
    pub fn take_seq(&mut self, seq: u32) -> Order {
        match self.remote_seq {
            Some(last) if seq < last => Order::Late,
            Some(last) if seq == last => Order::Same,
            Some(_) | None => {
                self.remote_seq = Some(seq);
                Order::Next
            }
        }
    }

    /// Takes the Contact of a target refresh request or its response (§12.2).
    pub fn refresh_target(&mut self, headers: &Headers) {
        if let Some(target) = contact(headers) {
            self.remote_target = target;
        }
    }

    /// Makes the next request (§12.2.1.1) behind `via`; returns its CSeq number too.
    pub fn request(&mut self, method: Method, via: &str) -> (Request, u32) {
        self.local_seq += 1;
        (self.numbered(method, via, self.local_seq), self.local_seq)
    }

    /// Makes the ACK of a 2xx (§13.2.2.4).
    pub fn ack(&self, seq: u32, via: &str) -> Request {
        self.numbered(Method::Ack, via, seq)
    }

    /// Takes a number for a request that is sent again with credentials.
    pub fn next_seq(&mut self) -> u32 {
        self.local_seq += 1;
        self.local_seq
    }

    fn numbered(&self, method: Method, via: &str, seq: u32) -> Request {
        let cseq = format!("{seq} {method}");
        let strict = self.route_set.first().is_some_and(|route| !is_loose(route));
        let uri = if strict { self.next_hop() } else { &self.remote_target };
        let mut request = Request::new(method, uri);
        let headers = request.headers_mut();
        headers.push(HeaderName::Via, via);
        for route in self.route_set.iter().skip(usize::from(strict)) {
            headers.push(HeaderName::Route, route);
        }
        if strict {
            headers.push(HeaderName::Route, format!("<{}>", self.remote_target));
        }
        headers.push(HeaderName::MaxForwards, "70");
        headers.push(HeaderName::From, &self.local);
        headers.push(HeaderName::To, &self.remote);
        headers.push(HeaderName::CallId, &*self.call_id);
        headers.push(HeaderName::CSeq, cseq);
        request
    }
}

/// Returns a To or From with our tag; a To that has one keeps it.
pub(crate) fn tagged(value: &str, tag: &str) -> String {
    match NameAddr::parse(value) {
        Ok(address) if address.tag().is_some() => value.to_owned(),
        // Bare parameters belong to the header, so the tag would too; brackets are not needed.
        Ok(_) | Err(_) => format!("{value};tag={tag}"),
    }
}

fn tag_of(headers: &Headers, name: HeaderName) -> String {
    NameAddr::first(headers, name)
        .ok()
        .and_then(|address| address.tag())
        .unwrap_or_default()
        .to_owned()
}

fn contact(headers: &Headers) -> Option<String> {
    let contact = NameAddr::first(headers, HeaderName::Contact).ok()?;
    contact.uri.is_sip().then(|| contact.uri_text.to_owned())
}

/// As a value of a header within a URI (RFC 3261 §25.1).
fn escaped(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&b);
    let each = value.bytes().map(|b| match plain(b) {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    });
    each.collect()
}

fn is_loose(route: &str) -> bool {
    NameAddr::parse(route).is_ok_and(|route| route.uri.params.has("lr"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    fn ok(record_routes: &[&str]) -> Response {
        let mut text = String::from(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=us\r\n\
             To: <sip:b@h>;tag=them\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\nContact: <sip:b@10.0.0.2>\r\n",
        );
        for route in record_routes {
            text.push_str(&format!("Record-Route: {route}\r\n"));
        }
        text.push_str("\r\n");
        match Message::parse(text.as_bytes()) {
            Ok(Message::Response(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    fn dialog(record_routes: &[&str]) -> Dialog {
        let response = ok(record_routes);
        Dialog::uac("<sip:a@h>;tag=us".into(), "c".into(), "sip:x@h", &response)
    }

    #[test]
    fn the_uac_reverses_the_record_routes_and_loose_routers_leave_the_target() {
        let mut dialog = dialog(&["<sip:p1;lr>, <sip:p2;lr>", "<sip:p3;lr>"]);
        let (bye, seq) = dialog.request(Method::Bye, "v");
        assert_eq!((bye.uri(), seq), ("sip:b@10.0.0.2", 8));
        let routes: Vec<_> = bye.headers().values(HeaderName::Route).collect();
        assert_eq!(routes, ["<sip:p3;lr>", "<sip:p2;lr>", "<sip:p1;lr>"]);
        assert_eq!(dialog.next_hop(), "sip:p3;lr");
    }

    #[test]
    fn a_strict_router_gets_itself_as_request_uri_and_the_target_as_last_route() {
        let (bye, _) = dialog(&["<sip:p1;lr>", "<sip:p2>"]).request(Method::Bye, "v");
        assert_eq!(bye.uri(), "sip:p2");
        let routes: Vec<_> = bye.headers().values(HeaderName::Route).collect();
        assert_eq!(routes, ["<sip:p1;lr>", "<sip:b@10.0.0.2>"]);
    }

    #[test]
    fn an_ack_keeps_the_number_of_its_invite() {
        let ack = dialog(&[]).ack(7, "v");
        assert_eq!(ack.headers().first(HeaderName::CSeq), Some("7 ACK"));
        assert_eq!(ack.headers().first(HeaderName::To), Some("<sip:b@h>;tag=them"));
    }

    #[test]
    fn numbers_of_the_peer_only_grow() {
        let mut dialog = dialog(&[]);
        assert_eq!(dialog.take_seq(100), Order::Next);
        assert_eq!(dialog.take_seq(100), Order::Same);
        assert_eq!(dialog.take_seq(99), Order::Late);
        assert_eq!(dialog.take_seq(103), Order::Next);
    }
}
