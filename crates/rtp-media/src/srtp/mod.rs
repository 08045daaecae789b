//! SRTP and SRTCP (RFC 3711) with AES-CM and HMAC-SHA1, the suites of RFC 4568 §6.2.
//!
//! Packets are protected and opened where they lie: no allocation, no copy.

mod inbound;
mod keys;
mod outbound;

use std::{collections::VecDeque, fmt};

use serde::{Deserialize, Serialize};

pub use self::{inbound::Inbound, outbound::Outbound};

/// Bytes that protection adds to a packet at most: the tag, and the index of SRTCP.
pub const TRAILER: usize = 4 + RTCP_TAG;
/// Bytes of the tag of SRTCP, with both suites (RFC 4568 §6.2.2).
const RTCP_TAG: usize = 10;
/// Bytes of the index of SRTCP, and of the flag before it.
const INDEX: usize = 4;
/// Contexts of a direction that are kept beside the one in use.
const PAST: usize = 8;
/// Bytes of a packet of RTCP that stay readable.
const RTCP_CLEAR: usize = 8;

/// A crypto suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80`: tags of 10 bytes.
    Sha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`: tags of 4 bytes on RTP.
    Sha1_32,
}

impl Suite {
    /// Bytes of the tag of RTP.
    fn tag(self) -> usize {
        match self {
            Self::Sha1_80 => 10,
            Self::Sha1_32 => 4,
        }
    }
}

/// The master key of one direction, and its salt behind it. It shows itself in no log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterKey(pub [u8; 30]);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// How both directions of a leg are protected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// The suite of both.
    pub suite: Suite,
    /// Ours: of what we send.
    pub send: MasterKey,
    /// The peer's: of what we receive.
    pub receive: MasterKey,
}

/// The contexts of a leg.
#[derive(Debug)]
pub struct Srtp {
    protection: Protection,
    /// Of what we send.
    pub outbound: Outbound,
    /// Of what we receive.
    pub inbound: Inbound,
    sent: Past<Outbound>,
    received: Past<Inbound>,
}

impl Srtp {
    /// New contexts.
    pub fn new(protection: Protection) -> Self {
        let outbound = Outbound::new(protection.suite, &protection.send);
        let inbound = Inbound::new(protection.suite, &protection.receive);
        let (sent, received) = (Past::default(), Past::default());
        Self { protection, outbound, inbound, sent, received }
    }

    /// Goes on with what a later exchange has settled. A direction whose key stays, or comes back,
    /// keeps its indexes (RFC 4568 §7.1.4): no key stream is used twice.
    #[must_use]
    pub fn renewed(mut self, protection: Protection) -> Self {
        let before = std::mem::replace(&mut self.protection, protection);
        let Protection { suite, send, receive } = &self.protection;
        if (before.suite, &before.send) != (*suite, send) {
            let next = self.sent.take(*suite, send).unwrap_or_else(|| Outbound::new(*suite, send));
            let last = std::mem::replace(&mut self.outbound, next);
            self.sent.keep(before.suite, before.send, last);
        }
        if (before.suite, &before.receive) != (*suite, receive) {
            let next = self.received.take(*suite, receive);
            let next = next.unwrap_or_else(|| Inbound::after(&self.inbound, *suite, receive));
            let last = std::mem::replace(&mut self.inbound, next);
            self.received.keep(before.suite, before.receive, last);
        }
        self
    }
}

/// Contexts that may come back.
#[derive(Debug)]
struct Past<C>(VecDeque<(Suite, MasterKey, C)>);

impl<C> Default for Past<C> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<C> Past<C> {
    fn take(&mut self, suite: Suite, key: &MasterKey) -> Option<C> {
        let at = self.0.iter().position(|(s, k, _)| *s == suite && k == key)?;
        self.0.remove(at).map(|(_, _, context)| context)
    }

    fn keep(&mut self, suite: Suite, key: MasterKey, context: C) {
        if self.0.len() >= PAST {
            self.0.pop_front();
        }
        self.0.push_back((suite, key, context));
    }
}

/// Where the payload of an RTP packet begins; `None`: it is none.
fn payload_start(packet: &[u8]) -> Option<usize> {
    let flags = *packet.first()?;
    if flags >> 6 != 2 {
        return None;
    }
    let mut start = crate::rtp::HEADER + 4 * usize::from(flags & 0x0F);
    if flags & 0x10 != 0 {
        let extension: &[u8; 4] = packet.get(start..)?.first_chunk()?;
        start += 4 + 4 * usize::from(u16::from_be_bytes([extension[2], extension[3]]));
    }
    (start <= packet.len()).then_some(start)
}

/// The SSRC of an RTP packet.
fn ssrc(packet: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*packet.get(8..)?.first_chunk()?))
}

/// The SSRC of an RTCP packet.
fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*packet.get(4..)?.first_chunk()?))
}
