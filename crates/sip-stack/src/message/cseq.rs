use std::fmt;

use super::{HeaderName, Headers, Malformed, Method, scan};

/// CSeq (RFC 3261 §20.16).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CSeq {
    /// The sequence number.
    pub seq: u32,
    /// The method of the request.
    pub method: Method,
}

impl CSeq {
    /// Reads the value.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let (seq, method) = scan::word(text);
        if !scan::is_token(method) {
            return Err(Malformed("method expected"));
        }
        Ok(Self { seq: scan::number(seq)?, method: Method::from_token(method) })
    }

    /// Returns the CSeq of a message.
    pub fn of(headers: &Headers) -> Result<Self, Malformed> {
        Self::parse(headers.first(HeaderName::CSeq).ok_or(Malformed("no CSeq"))?)
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seq, self.method)
    }
}
