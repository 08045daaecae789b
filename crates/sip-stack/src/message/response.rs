use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{CSeq, HeaderName, Headers, Malformed, Message, NameAddr, Request, Via, parse};

/// A response (RFC 3261 §7.2).
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: Bytes,
}

/// What a status means for its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatusClass {
    /// 1xx.
    Provisional,
    /// 2xx.
    Success,
    /// 3xx to 6xx.
    Failure,
}

impl Response {
    /// Starts a response without headers.
    pub fn new(status: u16, reason: &str) -> Self {
        let status = status.clamp(100, 699);
        Self { status, headers: Headers::with_target(reason), body: Bytes::new() }
    }

    /// Starts the response to a request: Via, From, To, Call-ID and CSeq are its, as written
    /// (RFC 3261 §8.2.6.2), and Timestamp in a 100. A To tag is the caller's business. An empty
    /// `reason` means the usual one.
    pub fn for_request(request: &Request, status: u16, reason: &str) -> Self {
        let reason = if reason.is_empty() { default_reason(status) } else { reason };
        let mut response = Self::new(status, reason);
        let copied = [
            HeaderName::Via,
            HeaderName::From,
            HeaderName::To,
            HeaderName::CallId,
            HeaderName::CSeq,
        ];
        for name in copied {
            response.headers.copy_from(&request.headers, name);
        }
        if status == 100 {
            response.headers.copy_from(&request.headers, HeaderName::Timestamp);
        }
        response
    }

    /// Copies the request's Record-Route, as a response that makes a dialog must
    /// (RFC 3261 §12.1.1).
    pub fn with_record_route(mut self, request: &Request) -> Self {
        self.headers.copy_from(&request.headers, HeaderName::RecordRoute);
        self
    }

    /// Returns the status, 100 to 699.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns what the status means for its transaction.
    pub fn class(&self) -> StatusClass {
        match self.status {
            ..200 => StatusClass::Provisional,
            200..300 => StatusClass::Success,
            300.. => StatusClass::Failure,
        }
    }

    /// Returns the reason phrase; it may be empty.
    pub fn reason(&self) -> &str {
        self.headers.target()
    }

    /// Returns the header lines.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Returns the header lines to change.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// Returns the body, empty when there is none.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Makes the session description the body where it is one of several parts.
    pub(crate) fn reduce_body(&mut self) {
        super::multipart::reduce(&mut self.headers, &mut self.body);
    }

    /// Gives the response a body and its Content-Type.
    pub fn set_body(&mut self, content_type: &str, body: &[u8]) {
        self.headers.set(HeaderName::ContentType, content_type);
        self.body = Bytes::copy_from_slice(body);
    }

    /// Returns the wire form.
    pub fn to_bytes(&self) -> Bytes {
        let capacity = self.headers.written_len(&self.body) + self.reason().len() + 16;
        let mut out = Vec::with_capacity(capacity);
        out.extend_from_slice(format!("SIP/2.0 {} {}\r\n", self.status, self.reason()).as_bytes());
        self.headers.write(&mut out, &self.body);
        out.into()
    }

    /// Returns the top Via.
    pub fn via(&self) -> Result<Via<'_>, Malformed> {
        Via::top(&self.headers)
    }

    /// Returns the CSeq.
    pub fn cseq(&self) -> Result<CSeq, Malformed> {
        CSeq::of(&self.headers)
    }

    /// Returns the From header.
    pub fn from(&self) -> Result<NameAddr<'_>, Malformed> {
        NameAddr::first(&self.headers, HeaderName::From)
    }

    /// Returns the To header.
    pub fn to(&self) -> Result<NameAddr<'_>, Malformed> {
        NameAddr::first(&self.headers, HeaderName::To)
    }

    /// Returns the Call-ID; empty only on a response that is still being built.
    pub fn call_id(&self) -> &str {
        self.headers.first(HeaderName::CallId).unwrap_or("")
    }
}

impl Clone for Response {
    fn clone(&self) -> Self {
        Self { status: self.status, headers: self.headers.duplicate(), body: self.body.clone() }
    }
}

/// Saved as its wire form.
impl Serialize for Response {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        parse::Saved::from_wire(&self.to_bytes()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Response {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match parse::Saved::deserialize(deserializer)?.restore() {
            Ok(Message::Response(response)) => Ok(response),
            Ok(Message::Request(_)) => Err(D::Error::custom("a request where a response was")),
            Err(error) => Err(D::Error::custom(error)),
        }
    }
}

/// Returns the usual reason phrase of a status (RFC 3261 §21 and its extensions), empty when
/// there is none.
pub fn default_reason(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        433 => "Anonymity Disallowed",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        493 => "Undecipherable",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        _ => "",
    }
}
