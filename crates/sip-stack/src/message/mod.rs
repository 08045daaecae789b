//! SIP messages (RFC 3261 §7): parsed once into spans, written back as they came.

mod check;
mod cseq;
mod error;
mod headers;
mod method;
mod multipart;
mod name;
mod name_addr;
mod params;
mod parse;
mod rack;
mod reason;
mod request;
mod response;
pub mod scan;
mod session_expires;
mod via;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub(crate) use self::parse::head_end;
pub use self::{
    cseq::CSeq,
    error::{Cause, Malformed, ParseError},
    headers::{Headers, Line},
    method::Method,
    name::HeaderName,
    name_addr::NameAddr,
    params::Params,
    rack::RAck,
    reason::Reason,
    request::Request,
    response::{Response, StatusClass, default_reason},
    session_expires::{Refresher, SessionExpires},
    via::Via,
};

/// The longest message that is taken from the network, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 65_535;

/// A SIP message (RFC 3261 §7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A request (§7.1).
    Request(Request),
    /// A response (§7.2).
    Response(Response),
}

impl Message {
    /// Parses one datagram, or one frame of a stream.
    ///
    /// Line ends before the start line are skipped (§7.5). Without a Content-Length the body is
    /// the rest; bytes after the body are ignored (§18.3). Header text that is not UTF-8 is
    /// taken lossily. Costs one allocation for the text, one for the table of lines and, with a
    /// body, one for that.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        parse::message(bytes)
    }

    /// Returns the wire form; a Content-Length that matches the body is always in it.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }

    /// Returns the header lines.
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => request.headers(),
            Self::Response(response) => response.headers(),
        }
    }

    /// Returns the body, empty when there is none.
    pub fn body(&self) -> &Bytes {
        match self {
            Self::Request(request) => request.body(),
            Self::Response(response) => response.body(),
        }
    }
}
