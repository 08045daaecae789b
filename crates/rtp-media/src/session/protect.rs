//! A leg's packets on their way between the session and the wire: SRTP, where it was agreed.

use crate::srtp::{Protection, Srtp};

use super::leg::Session;

impl Session {
    pub(super) fn protect_by(&mut self, protection: Option<Protection>) {
        // Its indexes go on when protection comes back.
        let known = self.srtp.take().or_else(|| self.srtp_aside.take());
        match (known, protection) {
            (known, None) => self.srtp_aside = known,
            (None, Some(protection)) => self.srtp = Some(Box::new(Srtp::new(protection))),
            (Some(srtp), Some(protection)) => {
                self.srtp = Some(Box::new(srtp.renewed(protection)));
            }
        }
    }

    /// Whether packets are changed on their way.
    pub fn is_protected(&self) -> bool {
        self.srtp.is_some()
    }

    /// Takes the protection off a datagram of the RTP socket, in place; returns the length of the
    /// packet within. `None`: it is not the peer's, and counted as refused. No allocation.
    pub fn open_rtp(&mut self, datagram: &mut [u8]) -> Option<usize> {
        let Some(srtp) = &mut self.srtp else { return Some(datagram.len()) };
        let opened = srtp.inbound.open(datagram);
        self.stats.refused_packets += u64::from(opened.is_none());
        opened
    }

    /// The same of the RTCP socket.
    pub fn open_rtcp(&mut self, datagram: &mut [u8]) -> Option<usize> {
        let Some(srtp) = &mut self.srtp else { return Some(datagram.len()) };
        let opened = srtp.inbound.open_rtcp(datagram);
        self.stats.refused_packets += u64::from(opened.is_none());
        opened
    }

    /// Protects the RTP packet of `length` bytes at the start of `buffer`, which has room for
    /// [`TRAILER`](crate::srtp::TRAILER) more; returns the length to send. No allocation.
    pub fn seal_rtp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        match &mut self.srtp {
            None => Some(length),
            Some(srtp) => srtp.outbound.protect(buffer, length),
        }
    }

    /// The same of an RTCP packet.
    pub fn seal_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        match &mut self.srtp {
            None => Some(length),
            Some(srtp) => srtp.outbound.protect_rtcp(buffer, length),
        }
    }
}
