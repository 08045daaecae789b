use super::{HeaderName, Request};

/// A header or URI that does not follow its grammar; names what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// Why bytes are not a message this stack can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// Nothing but line ends: a keep-alive (RFC 5626 §3.5.1), never answered.
    #[error("a keep-alive")]
    KeepAlive,
    /// The start line is neither a request line nor a status line.
    #[error("start line: {0}")]
    StartLine(Malformed),
    /// A SIP version other than 2.0; answered with 505.
    #[error("SIP version other than 2.0")]
    Version,
    /// A header line without a name or a colon, or with a stray carriage return.
    #[error("header line: {0}")]
    HeaderLine(Malformed),
    /// A Request-URI that is none (RFC 3261 §19.1.1).
    #[error("Request-URI: {0}")]
    RequestUri(Malformed),
    /// A header that every message carries is absent (RFC 3261 §8.1.1).
    #[error("no {0} header")]
    Missing(HeaderName),
    /// A header that may be there once is there again.
    #[error("more than one {0} header")]
    Repeated(HeaderName),
    /// A header that does not follow its grammar.
    #[error("{0}: {1}")]
    Header(HeaderName, Malformed),
    /// The method in CSeq is not the request's (RFC 3261 §8.1.1.5).
    #[error("the method in CSeq is not the request's")]
    MethodMismatch,
    /// Content-Length promises more bytes than came (RFC 3261 §18.3).
    #[error("body shorter than its Content-Length")]
    Truncated,
    /// Longer than [`MAX_MESSAGE_BYTES`](super::MAX_MESSAGE_BYTES); answered with 513.
    #[error("message too large")]
    TooLarge,
    /// A Request-URI longer than this stack takes; answered with 414.
    #[error("Request-URI too long")]
    UriTooLong,
}

/// Why a message was refused, with the response owed to its sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct ParseError {
    /// What was wrong.
    pub cause: Cause,
    pub(super) request: Option<Box<Request>>,
}

impl ParseError {
    pub(super) fn unanswerable(cause: Cause) -> Self {
        Self { cause, request: None }
    }

    /// Returns the request as far as it could be read, when it can be answered: it has a Via and is
    /// no ACK. Its headers may be wrong, the Via too: answer to where it came from, and do nothing
    /// else with it.
    pub fn request(&self) -> Option<&Request> {
        self.request.as_deref()
    }

    /// Returns the status and reason owed; `None` means that silence is the answer.
    pub fn status(&self) -> Option<(u16, &'static str)> {
        self.request.as_ref()?;
        Some(match self.cause {
            Cause::Version => (505, "Version Not Supported"),
            Cause::TooLarge => (513, "Message Too Large"),
            Cause::UriTooLong => (414, "Request-URI Too Long"),
            Cause::KeepAlive => return None,
            Cause::StartLine(_)
            | Cause::HeaderLine(_)
            | Cause::RequestUri(_)
            | Cause::Missing(_)
            | Cause::Repeated(_)
            | Cause::Header(..)
            | Cause::MethodMismatch
            | Cause::Truncated => (400, "Bad Request"),
        })
    }
}
