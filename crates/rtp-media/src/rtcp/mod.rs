//! RTCP (RFC 3550 §6): compound packets of reports, a CNAME and a goodbye.

mod bye;
mod receiver_report;
mod sdes;
mod sender_report;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use bye::{parse_bye, write_bye};
pub use receiver_report::{REPORT_BLOCK, ReportBlock, write_receiver_report};
pub use sdes::write_cname;
pub use sender_report::{SenderInfo, write_sender_report};

/// Bytes that hold any compound packet that we send.
pub const LONGEST: usize = 128;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;

/// What one packet of a compound means to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A sender report without its blocks.
    Sender {
        /// Who reports.
        ssrc: u32,
        /// What it says of its own stream.
        info: SenderInfo,
    },
    /// A block of a sender or receiver report.
    Block(ReportBlock),
    /// These sources leave; the first of them.
    Bye {
        /// The first that leaves.
        ssrc: u32,
    },
}

/// Calls `part` for each part that we know of a compound packet, in order.
///
/// Returns whether the datagram is RTCP at all: version 2, beginning with a known packet type, its
/// lengths adding up. Unknown packets are stepped over. No allocation.
pub fn parse(datagram: &[u8], mut part: impl FnMut(Part)) -> bool {
    let known = |t: &u8| (SENDER_REPORT..=BYE + 4).contains(t);
    if !datagram.get(1).is_some_and(known) || !lengths_add_up(datagram) {
        return false;
    }
    let mut rest = datagram;
    while let Some((packet, after)) = split_packet(rest) {
        parse_packet(packet, &mut part);
        rest = after;
    }
    true
}

fn lengths_add_up(mut rest: &[u8]) -> bool {
    while let Some((_, after)) = split_packet(rest) {
        rest = after;
    }
    rest.is_empty()
}

/// The first packet, by its length field, and what follows.
fn split_packet(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let header: &[u8; 4] = bytes.first_chunk()?;
    let length = 4 * (usize::from(u16::from_be_bytes([header[2], header[3]])) + 1);
    (header[0] >> 6 == 2 && length <= bytes.len()).then(|| bytes.split_at(length))
}

fn parse_packet(packet: &[u8], part: &mut impl FnMut(Part)) {
    let (count, kind) = (usize::from(packet[0] & 0x1F), packet[1]);
    let Some(ssrc) = word(packet, 4) else { return };
    let blocks = match kind {
        SENDER_REPORT => {
            let Some(info) = SenderInfo::parse(packet) else { return };
            part(Part::Sender { ssrc, info });
            &packet[28..]
        }
        RECEIVER_REPORT => &packet[8..],
        BYE => {
            if let Some(ssrc) = parse_bye(packet) {
                part(Part::Bye { ssrc });
            }
            return;
        }
        _ => return,
    };
    for block in blocks.chunks_exact(REPORT_BLOCK).take(count) {
        part(Part::Block(ReportBlock::parse(block)));
    }
}

/// The 32-bit word at a byte offset.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Puts bytes behind each other into a caller's buffer; what does not fit is left out, which the
/// size of [`LONGEST`] rules out.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// Begins a compound packet in `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// How many bytes are written.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if let Some(place) = self.out.get_mut(self.len..self.len + bytes.len()) {
            place.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }

    fn word(&mut self, word: u32) {
        self.bytes(&word.to_be_bytes());
    }

    /// A header: count or subtype, kind, and the length in bytes of all of the packet.
    fn header(&mut self, count: u8, kind: u8, length: usize) {
        let [high, low] = ((length / 4 - 1) as u16).to_be_bytes();
        self.bytes(&[0x80 | count, kind, high, low]);
    }
}

/// A wall-clock moment as NTP writes it: seconds since 1900 and their fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NtpTime(pub u64);

/// Seconds from 1900 to 1970.
const NTP_TO_UNIX_S: u64 = 2_208_988_800;

impl NtpTime {
    /// The NTP time of a moment counted from 1970 UTC.
    pub fn from_unix(since_1970: Duration) -> Self {
        let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
        Self((since_1970.as_secs().wrapping_add(NTP_TO_UNIX_S) << 32) | fraction)
    }

    /// The middle 32 bits, as report blocks carry them: units of 1/65,536 s.
    pub fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

#[cfg(test)]
mod tests {
    use rtcp_types::{Compound, Packet};

    use super::*;

    const BLOCK: ReportBlock = ReportBlock {
        ssrc: 0x1111_2222,
        fraction_lost: 64,
        cumulative_lost: 70_000,
        highest_seq: 0x0002_0005,
        jitter: 33,
        last_sr: 0xAAAA_BBBB,
        delay_since_sr: 65_536,
    };

    #[test]
    fn a_goodbye_compound_reads_right_for_rtcp_types() {
        let mut buffer = [0; LONGEST];
        let info = SenderInfo {
            ntp: NtpTime::from_unix(Duration::from_millis(1_500)),
            timestamp: 7,
            packets: 8,
            octets: 9,
        };
        let mut writer = Writer::new(&mut buffer);
        write_sender_report(&mut writer, 0x0102_0304, &info, Some(&BLOCK));
        write_cname(&mut writer, 0x0102_0304, "carom-0123456789abcdef");
        write_bye(&mut writer, 0x0102_0304);
        let length = writer.len();
        let packets: Vec<Packet> =
            Compound::parse(&buffer[..length]).unwrap().map(Result::unwrap).collect();
        let [Packet::Sr(sr), Packet::Sdes(sdes), Packet::Bye(bye)] = &packets[..] else {
            panic!("{packets:?}")
        };
        assert_eq!(sr.ssrc(), 0x0102_0304);
        assert_eq!(sr.ntp_timestamp(), ((2_208_988_801u64) << 32) | 0x8000_0000);
        assert_eq!((sr.rtp_timestamp(), sr.packet_count(), sr.octet_count()), (7, 8, 9));
        let block = sr.report_blocks().next().unwrap();
        assert_eq!((block.ssrc(), block.fraction_lost()), (0x1111_2222, 64));
        assert_eq!(block.cumulative_lost(), 70_000);
        assert_eq!(block.extended_sequence_number(), 0x0002_0005);
        assert_eq!(block.interarrival_jitter(), 33);
        assert_eq!(block.last_sender_report_timestamp(), 0xAAAA_BBBB);
        assert_eq!(block.delay_since_last_sender_report_timestamp(), 65_536);
        let chunk = sdes.chunks().next().unwrap();
        assert_eq!(chunk.ssrc(), 0x0102_0304);
        assert_eq!(chunk.items().next().unwrap().value(), b"carom-0123456789abcdef");
        assert_eq!(bye.ssrcs().collect::<Vec<_>>(), [0x0102_0304]);
    }

    #[test]
    fn what_we_write_we_read() {
        let mut buffer = [0; LONGEST];
        let mut writer = Writer::new(&mut buffer);
        write_receiver_report(&mut writer, 5, Some(&BLOCK));
        write_cname(&mut writer, 5, "x");
        write_bye(&mut writer, 5);
        let length = writer.len();
        let mut parts = Vec::new();
        assert!(parse(&buffer[..length], |part| parts.push(part)));
        assert_eq!(parts, [Part::Block(BLOCK), Part::Bye { ssrc: 5 }]);
        assert!(!parse(&buffer[..length - 4], |_| ()), "cut off");
        assert!(!parse(&[0x80, 0, 0, 1, 0, 0, 0, 0], |_| ()), "RTP");
    }
}
