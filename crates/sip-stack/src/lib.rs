//! SIP messages, transactions, dialogs and offer/answer as plain state machines.
//!
//! The message layer keeps what came in: one text buffer and a table of spans, so that order,
//! spelling and folding of headers survive a pass-through; typed headers are decoded when asked
//! for. Nothing here panics on what a peer sends.

pub mod auth;
pub mod b2bua;
pub mod dialog;
pub mod endpoint;
pub mod framing;
pub mod leg;
pub mod message;
pub mod offer_answer;
pub mod random;
pub mod sdp;
pub mod transaction;
#[cfg(feature = "driver")]
pub mod transport;
pub mod uri;

pub use message::{HeaderName, Headers, Message, Method, ParseError, Request, Response};
pub use uri::Uri;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
