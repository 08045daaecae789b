//! Protecting what we send.

use super::{INDEX, MasterKey, RTCP_CLEAR, RTCP_TAG, Suite, keys::SessionKeys, payload_start};

/// The context of one direction of ours: one SSRC, sequence numbers in their order.
#[derive(Debug)]
pub struct Outbound {
    suite: Suite,
    rtp: SessionKeys,
    rtcp: SessionKeys,
    /// Wraps of the sequence number (RFC 3711 §3.2.1).
    rollovers: u32,
    last: Option<u16>,
    /// The next index of SRTCP.
    index: u32,
}

impl Outbound {
    /// A context that has protected nothing.
    pub fn new(suite: Suite, key: &MasterKey) -> Self {
        Self {
            suite,
            rtp: SessionKeys::rtp(key),
            rtcp: SessionKeys::rtcp(key),
            rollovers: 0,
            last: None,
            index: 0,
        }
    }

    /// Protects the RTP packet of `length` bytes at the start of `buffer`, where there is room for
    /// [`TRAILER`](super::TRAILER) more; returns its new length, `None` where there is no such
    /// packet or no such room. No allocation.
    pub fn protect(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let tag = self.suite.tag();
        let (packet, rest) = buffer.split_at_mut_checked(length)?;
        let place = rest.get_mut(..tag)?;
        let start = payload_start(packet)?;
        let seq = u16::from_be_bytes([packet[2], packet[3]]);
        if self.last.is_some_and(|last| seq < last && last - seq > 0x8000) {
            self.rollovers = self.rollovers.wrapping_add(1);
        }
        self.last = Some(seq);
        let index = u64::from(self.rollovers) << 16 | u64::from(seq);
        self.rtp.crypt(super::ssrc(packet)?, index, &mut packet[start..]);
        self.rtp.sign([packet, &self.rollovers.to_be_bytes()], place);
        Some(length + tag)
    }

    /// The same of a compound packet of RTCP (§3.4).
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let (packet, rest) = buffer.split_at_mut_checked(length)?;
        let trailer = rest.get_mut(..INDEX + RTCP_TAG)?;
        let ssrc = super::rtcp_ssrc(packet)?;
        self.rtcp.crypt(ssrc, self.index.into(), packet.get_mut(RTCP_CLEAR..)?);
        let (index, tag) = trailer.split_at_mut(INDEX);
        index.copy_from_slice(&(1 << 31 | self.index).to_be_bytes());
        self.rtcp.sign([packet, index], tag);
        self.index = (self.index + 1) & 0x7FFF_FFFF;
        Some(length + INDEX + RTCP_TAG)
    }
}
