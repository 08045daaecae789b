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
    /// What was heard under the key before this one.
    before: Sources,
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
            before: Sources::default(),
        }
    }

    /// The context that follows `last` in a leg: a source may go on to count its wraps under the
    /// new key, or begin anew (RFC 3711 §3.3.1, §8.1).
    pub(super) fn after(last: &Self, suite: Suite, key: &MasterKey) -> Self {
        let mut before = last.before;
        for source in last.heard.known.iter().rev().flatten() {
            before.put(*source);
        }
        Self { before, ..Self::new(suite, key) }
    }

    /// Opens an RTP packet in place; returns its length without the tag. `None`: it is no such
    /// packet, was seen before, is too old, or is not the peer's; it is as it was then. No
    /// allocation.
    pub fn open(&mut self, packet: &mut [u8]) -> Option<usize> {
        let length = packet.len().checked_sub(self.suite.tag())?;
        let (packet, tag) = packet.split_at_mut(length);
        let (start, ssrc) = (payload_start(packet)?, super::ssrc(packet)?);
        let seq = u16::from_be_bytes([packet[2], packet[3]]);
        let index = self.guesses(ssrc, seq).into_iter().flatten().find(|index| {
            let rollovers = (index >> 16) as u32;
            self.heard.is_new(ssrc, *index)
                && self.rtp.verifies([packet, &rollovers.to_be_bytes()], tag)
        })?;
        self.heard.note(ssrc, index);
        self.rtp.crypt(ssrc, index, &mut packet[start..]);
        Some(length)
    }

    /// The indexes that a packet may have. Of a source that was heard under this key it is one;
    /// of another one its wraps may be those it had before, none, or a first one that went unheard.
    fn guesses(&self, ssrc: u32, seq: u16) -> [Option<u64>; 3] {
        if self.heard.find(ssrc).is_some() {
            return [self.heard.estimate(ssrc, seq), None, None];
        }
        let first = u64::from(seq);
        let before = self.before.find(ssrc).and_then(|_| self.before.estimate(ssrc, seq));
        let before = before.filter(|index| *index != first);
        let wrapped = Some(1 << 16 | first).filter(|one| seq < 0x8000 && Some(*one) != before);
        [before, Some(first), wrapped]
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
#[derive(Debug, Default, Clone, Copy)]
struct Sources {
    /// Who was heard last comes first.
    known: [Option<Source>; SOURCES],
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
        let mut source = match self.find(ssrc) {
            Some(source) => *source,
            None => return self.put(Source { ssrc, highest: index, window: 1 }),
        };
        if let Some(behind) = source.highest.checked_sub(index) {
            source.window |= 1u64.checked_shl(behind as u32).unwrap_or(0);
        } else {
            let ahead = index - source.highest;
            let moved = u32::try_from(ahead).ok().and_then(|by| source.window.checked_shl(by));
            source.window = moved.unwrap_or(0) | 1;
            source.highest = index;
        }
        self.put(source);
    }

    /// Puts a source first, in the place it had or that of the one heard longest ago.
    fn put(&mut self, source: Source) {
        let is_it = |known: &Option<Source>| known.is_some_and(|known| known.ssrc == source.ssrc);
        let at = self.known.iter().position(is_it).unwrap_or(SOURCES - 1);
        self.known[..=at].rotate_right(1);
        self.known[0] = Some(source);
    }
}
