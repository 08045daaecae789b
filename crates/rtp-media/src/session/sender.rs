//! The one RTP stream that a leg sends, whatever plays into it.
//!
//! One SSRC and an unbroken sequence for the whole call; timestamps that follow the clock and
//! never go back. Peers drop streams that break any of this (Sonus and Ribbon on a jump, Genesys
//! on a step back, browsers on a new SSRC).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::codec::FRAME;
use crate::rtp::{self, HEADER};

/// Half a frame: nearer than this to the clock is on time.
const TOLERANCE: i32 = FRAME as i32 / 2;

/// Sequence numbers, timestamps and counts of the outgoing stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sender {
    ssrc: u32,
    seq: u16,
    /// The timestamp of the next audio; `None` before the first.
    timeline: Option<Timeline>,
    first_timestamp: u32,
    /// The next packet follows a time without packets.
    interrupted: bool,
    packets: u64,
    octets: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Timeline {
    started: Duration,
    next: u32,
}

impl Sender {
    /// A stream that has sent nothing.
    pub fn new(ssrc: u32, seq: u16, first_timestamp: u32) -> Self {
        let timeline = None;
        Self { ssrc, seq, timeline, first_timestamp, interrupted: true, packets: 0, octets: 0 }
    }

    /// Our synchronisation source.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Packets sent.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Payload bytes sent.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Whether the first packet went out.
    pub fn has_begun(&self) -> bool {
        self.timeline.is_some()
    }

    /// The timestamp that belongs to a moment by the clock.
    pub fn clock(&self, at: Duration) -> u32 {
        let started = self.timeline.map_or(at, |timeline| timeline.started);
        let samples = at.saturating_sub(started).as_micros() / 125;
        self.first_timestamp.wrapping_add(samples as u32)
    }

    /// The timestamp of a frame that is due now, or `None` when the stream is ahead of the clock
    /// (a relay has just covered this time): then the next due frame will fit.
    pub fn frame_due(&mut self, due: Duration) -> Option<u32> {
        let clock = self.clock(due);
        let timeline =
            self.timeline.get_or_insert(Timeline { started: due, next: self.first_timestamp });
        let ahead = timeline.next.wrapping_sub(clock) as i32;
        if ahead > TOLERANCE {
            return None;
        }
        if ahead < -TOLERANCE {
            timeline.next = clock;
            self.interrupted = true;
        }
        Some(timeline.next)
    }

    /// The timestamp of audio that comes when it likes, such as a peer's: right behind the last.
    pub fn frame_now(&mut self, now: Duration) -> u32 {
        let clock = self.clock(now);
        let timeline =
            self.timeline.get_or_insert(Timeline { started: now, next: self.first_timestamp });
        if (timeline.next.wrapping_sub(clock) as i32) < -(FRAME as i32) {
            timeline.next = clock;
            self.interrupted = true;
        }
        timeline.next
    }

    /// How far a timestamp lies behind (negative) or ahead of the next expected one.
    pub fn distance(&self, timestamp: u32) -> i32 {
        self.timeline.map_or(0, |timeline| timestamp.wrapping_sub(timeline.next) as i32)
    }

    /// Nothing may be sent for a while; the packet that ends it carries the marker.
    pub fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// Writes the header of an audio packet and moves on behind it.
    pub fn stamp_audio(
        &mut self,
        header: &mut [u8; HEADER],
        payload_type: u8,
        timestamp: u32,
        samples: usize,
        marker: bool,
    ) {
        let marker = std::mem::take(&mut self.interrupted) || marker;
        self.advance_to(timestamp.wrapping_add(samples as u32));
        self.stamp(header, payload_type, timestamp, samples, marker);
    }

    /// Writes the header of an event packet of four bytes, which keeps the timestamp of the
    /// event's start (RFC 4733 §2.1) while the stream's time goes on by one frame.
    pub fn stamp_event(
        &mut self,
        header: &mut [u8; HEADER],
        payload_type: u8,
        start: u32,
        frame: u32,
        marker: bool,
    ) {
        self.interrupted = false;
        self.advance_to(frame.wrapping_add(FRAME as u32));
        self.stamp(header, payload_type, start, 4, marker);
    }

    fn advance_to(&mut self, timestamp: u32) {
        if let Some(timeline) = &mut self.timeline {
            timeline.next = timestamp;
        }
    }

    fn stamp(
        &mut self,
        header: &mut [u8; HEADER],
        payload_type: u8,
        timestamp: u32,
        octets: usize,
        marker: bool,
    ) {
        rtp::write_header(header, marker, payload_type, self.seq, timestamp, self.ssrc);
        self.seq = self.seq.wrapping_add(1);
        self.packets += 1;
        self.octets += octets as u64;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Frames by the clock, bursts of a relay and pauses in any order.
        #[test]
        fn timestamps_never_go_back_and_follow_the_clock(
            first in any::<u32>(),
            steps in prop::collection::vec((0u8..3, 1u64..8), 1..200),
        ) {
            let mut sender = Sender::new(7, 65_530, first);
            let (mut due, mut last) = (Duration::from_secs(5), None::<(u16, u32)>);
            for (kind, count) in steps {
                for _ in 0..count {
                    due += Duration::from_millis(20);
                    let timestamp = match kind {
                        0 => sender.frame_due(due),
                        1 => Some(sender.frame_now(due + Duration::from_millis(7))),
                        _ => None,
                    };
                    let Some(timestamp) = timestamp else { continue };
                    let mut header = [0; HEADER];
                    sender.stamp_audio(&mut header, 8, timestamp, FRAME, false);
                    let header = rtp::Header::parse(&header).unwrap();
                    let off = timestamp.wrapping_sub(sender.clock(due)) as i32;
                    prop_assert!(off.abs() <= 2 * FRAME as i32, "{off} samples off the clock");
                    if let Some((seq, ts)) = last {
                        prop_assert_eq!(header.seq, seq.wrapping_add(1));
                        let step = header.timestamp.wrapping_sub(ts);
                        prop_assert!(step >= FRAME as u32 && step < 0x8000_0000);
                        prop_assert_eq!(header.marker, step != FRAME as u32);
                    }
                    last = Some((header.seq, header.timestamp));
                }
            }
        }
    }

    #[test]
    fn due_frames_are_a_frame_apart_from_the_first_timestamp_on() {
        let mut sender = Sender::new(7, 0, 0xFFFF_FFF0);
        for n in 0..5u32 {
            let due = Duration::from_millis(1_003 + 20 * u64::from(n));
            let timestamp = sender.frame_due(due).unwrap();
            assert_eq!(timestamp, 0xFFFF_FFF0u32.wrapping_add(160 * n));
            sender.stamp_audio(&mut [0; HEADER], 0, timestamp, FRAME, false);
        }
    }
}
