//! Opening what we receive.

use super::{
    INDEX, MasterKey, RTCP_CLEAR, RTCP_TAG, Suite, keys::SessionKeys, payload_start, rtcp_ssrc,
};

/// Sources whose indexes are kept: a peer may change its SSRC, and back.
const SOURCES: usize = 4;

/// The context of the peer's direction.
#[derive(Debug)]
pub struct Inbound {
    suite: Suite,
    rtp: SessionKeys,
    rtcp: SessionKeys,
    heard: Sources,
    heard_rtcp: Sources,
}

impl Inbound {
    /// A context that has opened nothing.
    pub fn new(suite: Suite, key: &MasterKey) -> Self {
        Self {
            suite,
            rtp: SessionKeys::rtp(key),
            rtcp: SessionKeys::rtcp(key),
            heard: Sources::default(),
            heard_rtcp: Sources::default(),
        }
    }

    /// Opens an RTP packet in place; returns its length without the tag. `None`: it is no such
    /// packet, was seen before, is too old, or is not the peer's; it is as it was then. No
    /// allocation.
    pub fn open(&mut self, packet: &mut [u8]) -> Option<usize> {
        let length = packet.len().checked_sub(self.suite.tag())?;
        let (packet, tag) = packet.split_at_mut(length);
        let (start, ssrc) = (payload_start(packet)?, super::ssrc(packet)?);
        let seq = u16::from_be_bytes([packet[2], packet[3]]);
        let index = self.heard.estimate(ssrc, seq)?;
        if !self.heard.is_new(ssrc, index) {
            return None;
        }
        let rollovers = (index >> 16) as u32;
        if !self.rtp.verifies([packet, &rollovers.to_be_bytes()], tag) {
            return None;
        }
        self.heard.note(ssrc, index);
        self.rtp.crypt(ssrc, index, &mut packet[start..]);
        Some(length)
    }

    /// The same of a compound packet of RTCP (RFC 3711 §3.4).
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Option<usize> {
        let length = packet.len().checked_sub(INDEX + RTCP_TAG)?;
        let (signed, tag) = packet.split_at_mut(length + INDEX);
        let word = u32::from_be_bytes(*signed.last_chunk()?);
        let (encrypted, index) = (word >> 31 == 1, u64::from(word & 0x7FFF_FFFF));
        let ssrc = rtcp_ssrc(signed)?;
        if length < RTCP_CLEAR
            || !self.heard_rtcp.is_new(ssrc, index)
            || !self.rtcp.verifies([signed, &[]], tag)
        {
            return None;
        }
        self.heard_rtcp.note(ssrc, index);
        if encrypted {
            self.rtcp.crypt(ssrc, index, &mut signed[RTCP_CLEAR..length]);
        }
        Some(length)
    }
}

/// What was heard of the last sources.
#[derive(Debug, Default)]
struct Sources {
    known: [Option<Source>; SOURCES],
    /// Whose place the next one takes.
    next: usize,
}

/// The highest index of a source, and which of those before it came (§3.3.2).
#[derive(Debug, Clone, Copy)]
struct Source {
    ssrc: u32,
    highest: u64,
    /// Bit `n`: the packet `n` before the highest.
    window: u64,
}

impl Sources {
    fn find(&self, ssrc: u32) -> Option<&Source> {
        self.known.iter().flatten().find(|source| source.ssrc == ssrc)
    }

    /// The index of a packet, by its sequence number and those before it (§3.3.1).
    fn estimate(&self, ssrc: u32, seq: u16) -> Option<u64> {
        let Some(source) = self.find(ssrc) else { return Some(seq.into()) };
        let (rollovers, last) = (source.highest >> 16, source.highest as u16);
        let rollovers = if last < 0x8000 && seq.wrapping_sub(last) > 0x8000 && seq > last {
            rollovers.checked_sub(1)?
        } else if last >= 0x8000 && last - 0x8000 > seq {
            rollovers + 1
        } else {
            rollovers
        };
        (rollovers <= u64::from(u32::MAX)).then_some(rollovers << 16 | u64::from(seq))
    }

    fn is_new(&self, ssrc: u32, index: u64) -> bool {
        let Some(source) = self.find(ssrc) else { return true };
        match source.highest.checked_sub(index) {
            Some(behind @ 0..64) => source.window >> behind & 1 == 0,
            Some(_) => false,
            None => true,
        }
    }

    /// A packet of that index has proved to be right.
    fn note(&mut self, ssrc: u32, index: u64) {
        let known = self.known.iter_mut().flatten().find(|source| source.ssrc == ssrc);
        let Some(source) = known else {
            self.known[self.next] = Some(Source { ssrc, highest: index, window: 1 });
            self.next = (self.next + 1) % SOURCES;
            return;
        };
        if let Some(behind) = source.highest.checked_sub(index) {
            source.window |= 1u64.checked_shl(behind as u32).unwrap_or(0);
        } else {
            let ahead = index - source.highest;
            let moved = u32::try_from(ahead).ok().and_then(|by| source.window.checked_shl(by));
            source.window = moved.unwrap_or(0) | 1;
            source.highest = index;
        }
    }
}
