//! Sender reports (RFC 3550 §6.4.1).

use serde::{Deserialize, Serialize};

use super::{NtpTime, REPORT_BLOCK, ReportBlock, SENDER_REPORT, Writer, word};

/// What a sender says of its own stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderInfo {
    /// When the report was made.
    pub ntp: NtpTime,
    /// The RTP timestamp of that moment.
    pub timestamp: u32,
    /// Packets sent since the stream began.
    pub packets: u32,
    /// Payload bytes sent since the stream began.
    pub octets: u32,
}

impl SenderInfo {
    /// Reads the part behind the SSRC of a whole sender report packet.
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        let ntp = u64::from(word(packet, 8)?) << 32 | u64::from(word(packet, 12)?);
        Some(Self {
            ntp: NtpTime(ntp),
            timestamp: word(packet, 16)?,
            packets: word(packet, 20)?,
            octets: word(packet, 24)?,
        })
    }
}

/// Writes a sender report with at most one block.
pub fn write_sender_report(
    out: &mut Writer,
    ssrc: u32,
    info: &SenderInfo,
    block: Option<&ReportBlock>,
) {
    let count = u8::from(block.is_some());
    out.header(count, SENDER_REPORT, 28 + usize::from(count) * REPORT_BLOCK);
    out.word(ssrc);
    out.bytes(&info.ntp.0.to_be_bytes());
    out.word(info.timestamp);
    out.word(info.packets);
    out.word(info.octets);
    if let Some(block) = block {
        block.write(out);
    }
}
