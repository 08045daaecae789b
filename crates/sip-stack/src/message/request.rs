use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{CSeq, HeaderName, Headers, Malformed, Message, Method, NameAddr, Via, parse};
use crate::uri::Uri;

/// A request (RFC 3261 §7.1).
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    pub(super) method: Method,
    pub(super) headers: Headers,
    pub(super) body: Bytes,
}

impl Request {
    /// Starts a request without headers.
    pub fn new(method: Method, uri: impl AsRef<str>) -> Self {
        Self { method, headers: Headers::with_target(uri.as_ref()), body: Bytes::new() }
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the Request-URI as written.
    pub fn uri(&self) -> &str {
        self.headers.target()
    }

    /// Replaces the Request-URI.
    pub fn set_uri(&mut self, uri: impl AsRef<str>) {
        self.headers.set_target(uri.as_ref());
    }

    /// Returns the Request-URI taken apart.
    pub fn parsed_uri(&self) -> Result<Uri<'_>, Malformed> {
        Uri::parse(self.uri())
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

    /// Gives the request a body and its Content-Type.
    pub fn set_body(&mut self, content_type: &str, body: &[u8]) {
        self.headers.set(HeaderName::ContentType, content_type);
        self.body = Bytes::copy_from_slice(body);
    }

    /// Makes the session description the body where it is one of several parts.
    pub(crate) fn reduce_body(&mut self) {
        super::multipart::reduce(&mut self.headers, &mut self.body);
    }

    /// Returns the wire form.
    pub fn to_bytes(&self) -> Bytes {
        let mut out =
            Vec::with_capacity(self.headers.written_len(&self.body) + self.uri().len() + 32);
        for part in [self.method.as_str(), " ", self.uri(), " SIP/2.0\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
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

    /// Returns the Call-ID; empty only on a request that is still being built.
    pub fn call_id(&self) -> &str {
        self.headers.first(HeaderName::CallId).unwrap_or("")
    }
}

impl Clone for Request {
    fn clone(&self) -> Self {
        Self {
            method: self.method.clone(),
            headers: self.headers.duplicate(),
            body: self.body.clone(),
        }
    }
}

/// Saved as its wire form.
impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        parse::Saved::from_wire(&self.to_bytes()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match parse::Saved::deserialize(deserializer)?.restore() {
            Ok(Message::Request(request)) => Ok(request),
            Ok(Message::Response(_)) => Err(D::Error::custom("a response where a request was")),
            Err(error) => Err(D::Error::custom(error)),
        }
    }
}
