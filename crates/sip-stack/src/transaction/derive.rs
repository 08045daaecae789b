//! Requests that are derived from an INVITE as it was sent: its CANCEL and the ACK of its failure.

use crate::message::{CSeq, HeaderName, Method, Request, Response};

/// Returns the ACK of a 3xx to 6xx (RFC 3261 §17.1.1.3).
pub fn ack(invite: &Request, response: &Response) -> Request {
    let mut ack = like(invite, Method::Ack);
    ack.headers_mut().copy_from(response.headers(), HeaderName::To);
    for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
        ack.headers_mut().copy_from(invite.headers(), name); // §22.1
    }
    ack
}

/// Returns the CANCEL of an INVITE (RFC 3261 §9.1).
pub fn cancel(invite: &Request, reason: Option<&str>) -> Request {
    let mut cancel = like(invite, Method::Cancel);
    cancel.headers_mut().copy_from(invite.headers(), HeaderName::To);
    if let Some(reason) = reason {
        cancel.headers_mut().push(HeaderName::Reason, reason);
    }
    cancel
}

fn like(invite: &Request, method: Method) -> Request {
    let mut request = Request::new(method.clone(), invite.uri());
    if let Some(via) = invite.headers().values(HeaderName::Via).next() {
        request.headers_mut().push(HeaderName::Via, via);
    }
    let seq = invite.cseq().map_or(1, |cseq| cseq.seq);
    let headers = request.headers_mut();
    for name in [HeaderName::Route, HeaderName::MaxForwards, HeaderName::From, HeaderName::CallId] {
        headers.copy_from(invite.headers(), name);
    }
    headers.push(HeaderName::CSeq, CSeq { seq, method }.to_string());
    request
}
