//! The RTP header (RFC 3550 §5.1): read where it lies, written in place.

use std::ops::Range;

/// Bytes of a header without contributing sources and extension, as we send it.
pub const HEADER: usize = 12;

/// The fields of a received packet's header, and where its payload lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Start of a talkspurt, for audio.
    pub marker: bool,
    /// Payload type.
    pub payload_type: u8,
    /// Sequence number.
    pub seq: u16,
    /// Timestamp, in samples of the payload's clock.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// The payload's place in the datagram: behind sources and extension, before padding.
    pub payload: Range<usize>,
}

impl Header {
    /// Reads a datagram's header; `None` when it is not RTP version 2, or is cut off, or its
    /// extension or padding do not fit. No allocation.
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        let fixed: &[u8; HEADER] = datagram.first_chunk()?;
        let flags = fixed[0];
        if flags >> 6 != 2 {
            return None;
        }
        let mut start = HEADER + 4 * usize::from(flags & 0x0F);
        if flags & 0x10 != 0 {
            let extension: &[u8; 4] = datagram.get(start..)?.first_chunk()?;
            start += 4 + 4 * usize::from(u16::from_be_bytes([extension[2], extension[3]]));
        }
        let padding = if flags & 0x20 != 0 { padding(datagram)? } else { 0 };
        let end = datagram.len().checked_sub(padding)?;
        if start > end {
            return None;
        }
        Some(Self {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7F,
            seq: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            payload: start..end,
        })
    }
}

/// The last byte counts the padding, itself included, so it is at least one.
fn padding(datagram: &[u8]) -> Option<usize> {
    datagram.last().map(|&count| usize::from(count)).filter(|&count| count > 0)
}

/// Writes a header without sources, extension and padding.
pub fn write_header(
    out: &mut [u8; HEADER],
    marker: bool,
    payload_type: u8,
    seq: u16,
    timestamp: u32,
    ssrc: u32,
) {
    out[0] = 0x80;
    out[1] = u8::from(marker) << 7 | payload_type & 0x7F;
    out[2..4].copy_from_slice(&seq.to_be_bytes());
    out[4..8].copy_from_slice(&timestamp.to_be_bytes());
    out[8..12].copy_from_slice(&ssrc.to_be_bytes());
}

/// Whether `a` lies before `b` on the circle of 32-bit timestamps.
pub fn timestamp_before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_write_is_what_rtp_rs_reads() {
        let mut packet = [0x55u8; 172];
        let header = packet.first_chunk_mut().unwrap();
        write_header(header, true, 101, 65_535, 0xFFFF_FF60, 0xDEAD_BEEF);
        let judge = rtp_rs::RtpReader::new(&packet).unwrap();
        assert!(judge.mark());
        assert_eq!(judge.payload_type(), 101);
        assert_eq!(u16::from(judge.sequence_number()), 65_535);
        assert_eq!(judge.timestamp(), 0xFFFF_FF60);
        assert_eq!(judge.ssrc(), 0xDEAD_BEEF);
        assert_eq!(judge.payload(), &[0x55; 160]);
    }

    #[test]
    fn sources_extension_and_padding_are_stepped_over() {
        let mut packet = vec![0xB1, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9, 9, 9, 9];
        packet.extend([0xBE, 0xDE, 0, 1, 7, 7, 7, 7]);
        packet.extend([1, 2, 3, 4, 0, 0, 0, 4]);
        assert_eq!(Header::parse(&packet).unwrap().payload, 24..28);
    }

    #[test]
    fn cut_off_packets_are_refused() {
        for bad in [
            &[][..],
            &[0x80; 11],
            &[0x40, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3],
            &[0x81, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3],
            &[0x90, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 9],
            &[0xA0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9],
            &[0xA0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0],
        ] {
            assert_eq!(Header::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn timestamps_are_ordered_across_the_wrap() {
        assert!(timestamp_before(0xFFFF_FFFF, 0));
        assert!(!timestamp_before(0, 0xFFFF_FFFF));
        assert!(!timestamp_before(5, 5));
    }
}
