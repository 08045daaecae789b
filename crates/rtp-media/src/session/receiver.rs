//! What is known of one stream that a leg hears (RFC 3550 §6.4.1, appendices A.1, A.3, A.8).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::rtcp::{NtpTime, ReportBlock};

/// A sequence number further ahead than this is a restart, not a loss.
const MAX_DROPOUT: u16 = 3_000;
/// A sequence number this little behind is reordering or a duplicate.
const MAX_MISORDER: u16 = 100;

/// Counts of one SSRC. Another SSRC means a new one of these.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Receiver {
    ssrc: u32,
    base_seq: u16,
    max_seq: u16,
    /// Wraps of the sequence number, shifted up by 16.
    cycles: u32,
    received: u64,
    /// Lost before the sender restarted its sequence.
    lost_before: u64,
    expected_prior: u64,
    received_prior: u64,
    /// Arrival minus timestamp of the last packet, in samples.
    transit: Option<u32>,
    /// Jitter in sixteenths of a sample.
    jitter: u32,
    last_sr: Option<(NtpTime, Duration)>,
}

impl Receiver {
    /// The state before the first packet, whose sequence number is `seq`.
    pub fn new(ssrc: u32, seq: u16) -> Self {
        Self {
            ssrc,
            base_seq: seq,
            max_seq: seq.wrapping_sub(1),
            cycles: if seq == 0 { 0u32.wrapping_sub(1 << 16) } else { 0 },
            received: 0,
            lost_before: 0,
            expected_prior: 0,
            received_prior: 0,
            transit: None,
            jitter: 0,
            last_sr: None,
        }
    }

    /// The stream.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Counts a packet. `clocked` is its timestamp when it is audio: events repeat theirs, so
    /// they tell nothing of jitter.
    pub fn count(&mut self, now: Duration, seq: u16, clocked: Option<u32>) {
        let step = seq.wrapping_sub(self.max_seq);
        if step == 0 || step >= 0u16.wrapping_sub(MAX_MISORDER) {
            // A duplicate or a late one: counted, and nothing else moves.
        } else if step < MAX_DROPOUT {
            if seq < self.max_seq {
                self.cycles = self.cycles.wrapping_add(1 << 16);
            }
            self.max_seq = seq;
        } else {
            self.restart(seq);
        }
        self.received += 1;
        if let Some(timestamp) = clocked {
            self.measure_jitter(now, timestamp);
        }
    }

    fn restart(&mut self, seq: u16) {
        let (lost_before, last_sr) = (self.lost(), self.last_sr);
        *self = Self { lost_before, last_sr, max_seq: seq, ..Self::new(self.ssrc, seq) };
        self.cycles = 0;
    }

    fn measure_jitter(&mut self, now: Duration, timestamp: u32) {
        let arrival = (now.as_micros() / 125) as u32;
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(last) = self.transit.replace(transit) {
            let difference = (transit.wrapping_sub(last) as i32).unsigned_abs();
            // A jump of a second is a new time base of the sender, not jitter.
            if difference < 8_000 {
                self.jitter = self.jitter + difference - ((self.jitter + 8) >> 4);
            }
        }
    }

    /// Notes when the stream's sender reported last.
    pub fn heard_report(&mut self, now: Duration, ntp: NtpTime) {
        self.last_sr = Some((ntp, now));
    }

    /// Packets that never came.
    pub fn lost(&self) -> u64 {
        self.lost_before + self.expected().saturating_sub(self.received)
    }

    /// Interarrival jitter, in samples.
    pub fn jitter(&self) -> u32 {
        self.jitter >> 4
    }

    fn highest(&self) -> u32 {
        self.cycles.wrapping_add(u32::from(self.max_seq))
    }

    fn expected(&self) -> u64 {
        u64::from(self.highest().wrapping_sub(u32::from(self.base_seq)).wrapping_add(1))
    }

    /// The block of the next report; begins a new interval.
    pub fn report(&mut self, now: Duration) -> ReportBlock {
        let (expected, received) = (self.expected(), self.received);
        let expected_now = expected.saturating_sub(self.expected_prior);
        let received_now = received.saturating_sub(self.received_prior);
        (self.expected_prior, self.received_prior) = (expected, received);
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction = (lost_now << 8).checked_div(expected_now).unwrap_or(0);
        let lost = expected as i64 - received as i64 + self.lost_before as i64;
        let (last_sr, delay) = self
            .last_sr
            .map_or((0, Duration::ZERO), |(ntp, at)| (ntp.middle(), now.saturating_sub(at)));
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: fraction.min(255) as u8,
            cumulative_lost: lost.clamp(-0x80_0000, 0x7F_FFFF) as i32,
            highest_seq: self.highest(),
            jitter: self.jitter(),
            last_sr,
            delay_since_sr: ((delay.as_micros() << 16) / 1_000_000) as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_duplicates_and_reordering_are_told_apart_across_the_wrap() {
        let mut receiver = Receiver::new(1, 65_533);
        for seq in [65_533, 65_534, 65_534, 0, 65_535, 1, 4] {
            receiver.count(Duration::ZERO, seq, None);
        }
        let block = receiver.report(Duration::ZERO);
        assert_eq!(block.highest_seq, 0x0001_0004);
        assert_eq!(block.cumulative_lost, 1, "8 expected, 7 received, one of them twice");
        assert_eq!(block.fraction_lost, 32, "1 of 8");
        receiver.count(Duration::ZERO, 5, None);
        assert_eq!(receiver.report(Duration::ZERO).fraction_lost, 0, "a new interval");
    }

    #[test]
    fn a_stream_that_begins_at_zero_has_no_wrap() {
        let mut receiver = Receiver::new(1, 0);
        receiver.count(Duration::ZERO, 0, None);
        receiver.count(Duration::ZERO, 1, None);
        let block = receiver.report(Duration::ZERO);
        assert_eq!((block.highest_seq, block.cumulative_lost), (1, 0));
    }

    #[test]
    fn a_restarted_sequence_is_no_loss() {
        let mut receiver = Receiver::new(1, 10);
        for seq in [10, 12, 30_000, 30_001] {
            receiver.count(Duration::ZERO, seq, None);
        }
        assert_eq!(receiver.lost(), 1);
    }

    #[test]
    fn jitter_is_the_smoothed_change_of_transit_time() {
        let mut receiver = Receiver::new(1, 0);
        for n in 0..200u16 {
            let late_ms = u64::from(n % 2) * 4;
            let now = Duration::from_millis(20 * u64::from(n) + late_ms);
            receiver.count(now, n, Some(160 * u32::from(n)));
        }
        assert!((30..=32).contains(&receiver.jitter()), "{} of 32 samples", receiver.jitter());
    }

    #[test]
    fn delay_since_the_last_sender_report_is_told() {
        let mut receiver = Receiver::new(1, 0);
        receiver.heard_report(Duration::from_secs(1), NtpTime(0x1234_5678_9ABC_DEF0));
        let block = receiver.report(Duration::from_millis(1_500));
        assert_eq!((block.last_sr, block.delay_since_sr), (0x5678_9ABC, 32_768));
    }
}
