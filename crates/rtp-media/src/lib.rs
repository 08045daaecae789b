//! RTP, RTCP, SRTP, G.711, G.722, prompts and the media workers of a call engine.
//!
//! A media *session* is one leg of a call: a pair of UDP ports, one outgoing RTP stream for the
//! whole call, and what plays into it. The protocol parts ([`rtp`], [`rtcp`], [`codec`],
//! [`session`]) are plain state machines without sockets or clocks; [`worker`] drives them: a few
//! threads, each owning its sessions. Commands go in through [`worker::MediaPool::send`], facts
//! come out through one callback.

pub mod codec;
pub mod ports;
pub mod prompt;
pub mod rtcp;
pub mod rtp;
pub mod session;
pub mod srtp;
pub mod tone;
pub mod worker;

pub use codec::{Codec, Law};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
