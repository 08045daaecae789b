//! Receiver reports and the blocks of both kinds of report (RFC 3550 §6.4.1, §6.4.2).

use serde::{Deserialize, Serialize};

use super::{RECEIVER_REPORT, Writer, word};

/// Bytes of one block.
pub const REPORT_BLOCK: usize = 24;

/// What a receiver says of one stream that it hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportBlock {
    /// The stream.
    pub ssrc: u32,
    /// Share lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost since the stream began: 24 bits, negative when duplicates outnumber losses.
    pub cumulative_lost: i32,
    /// Highest sequence number with its wraps above it.
    pub highest_seq: u32,
    /// Interarrival jitter in samples.
    pub jitter: u32,
    /// Middle of the NTP time of the last sender report heard, or 0.
    pub last_sr: u32,
    /// Time since then in 1/65,536 s, or 0.
    pub delay_since_sr: u32,
}

impl ReportBlock {
    /// Reads a block of exactly [`REPORT_BLOCK`] bytes; missing ones count as zero.
    pub(super) fn parse(block: &[u8]) -> Self {
        let word = |at| word(block, at).unwrap_or_default();
        Self {
            ssrc: word(0),
            fraction_lost: (word(4) >> 24) as u8,
            // Shifting up and down again extends the sign of 24 bits.
            cumulative_lost: (word(4) << 8) as i32 >> 8,
            highest_seq: word(8),
            jitter: word(12),
            last_sr: word(16),
            delay_since_sr: word(20),
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        let lost = self.cumulative_lost.clamp(-0x80_0000, 0x7F_FFFF) as u32 & 0xFF_FFFF;
        out.word(self.ssrc);
        out.word(u32::from(self.fraction_lost) << 24 | lost);
        out.word(self.highest_seq);
        out.word(self.jitter);
        out.word(self.last_sr);
        out.word(self.delay_since_sr);
    }
}

/// Writes a receiver report with at most one block.
pub fn write_receiver_report(out: &mut Writer, ssrc: u32, block: Option<&ReportBlock>) {
    let count = u8::from(block.is_some());
    out.header(count, RECEIVER_REPORT, 8 + usize::from(count) * REPORT_BLOCK);
    out.word(ssrc);
    if let Some(block) = block {
        block.write(out);
    }
}
