//! Keys in RTP: the `telephone-event` payload of RFC 4733.
//!
//! A key is known by SSRC, RTP timestamp and event code, never by the marker bit: carriers leave
//! that out, and the packet that bore it may be the lost one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Digit;

/// Silence after the last packet of an event that ends it when its end packets are lost.
pub const END_LOST_AFTER: Duration = Duration::from_millis(60);

/// The duration at which a sender starts a new segment (RFC 4733 §2.5.1.3), in clock ticks.
const SEGMENT_TICKS: u32 = 0xFFFF;

/// A packet this far behind the newest one, and no longer after it, was overtaken. Anything else
/// is a sequence that went round between two keys, or was restarted.
const REORDERED_PACKETS: i16 = 100;
const REORDERED_WITHIN: Duration = Duration::from_secs(2);

/// Events remembered after their end, to know their late packets by.
const REMEMBERED: usize = 8;

/// One event report (RFC 4733 §2.3), as it is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPayload {
    /// Event code; 0–15 are the DTMF keys.
    pub event: u8,
    /// The event has ended.
    pub end: bool,
    /// Level of each tone as dBm0 below zero, 0–63.
    pub volume: u8,
    /// Ticks since the timestamp of the packet.
    pub duration: u16,
}

impl EventPayload {
    /// Octets of one report.
    pub const LEN: usize = 4;

    /// The first report of a payload; `None` when it is shorter than one.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &[event, flags, high, low] = payload.first_chunk()?;
        let duration = u16::from_be_bytes([high, low]);
        Some(Self { event, end: flags & 0x80 != 0, volume: flags & 0x3F, duration })
    }

    /// The octets to send.
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, (self.end as u8) << 7 | (self.volume & 0x3F), high, low]
    }
}

/// Returns the payload of one packet of a key that we send: `volume` in dBm0 below zero (0–63),
/// `duration` in ticks of the event's clock since its timestamp.
pub const fn event_payload(digit: Digit, end: bool, volume: u8, duration: u16) -> [u8; 4] {
    EventPayload { event: digit.event(), end, volume, duration }.to_bytes()
}

/// The fields of an RTP header that tell events apart. The marker is not among them, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventHeader {
    /// Synchronisation source.
    pub ssrc: u32,
    /// RTP timestamp: when the event, or its segment, began.
    pub timestamp: u32,
    /// RTP sequence number; tells a late packet from a new key.
    pub sequence: u16,
    /// Clock rate of the payload type, in Hz.
    pub clock_hz: u32,
}

/// The beginning or end of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventEdge {
    /// The first packet of a key has come, whichever of its packets that is.
    Start {
        /// The key.
        digit: Digit,
    },
    /// The key was released, or nothing more was heard of it.
    End {
        /// The key.
        digit: Digit,
        /// How long the sender says it was held, in milliseconds.
        duration_ms: u32,
    },
}

/// Makes keys of the `telephone-event` packets of one stream. Every key gives one
/// [`EventEdge::Start`] and one [`EventEdge::End`], alternating.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TelephoneEvents {
    sounding: Option<Sounding>,
    newest: Option<Newest>,
    ended: [Option<Ended>; REMEMBERED],
    next_ended: usize,
}

/// What names a segment of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    ssrc: u32,
    timestamp: u32,
    digit: Digit,
}

impl Identity {
    /// Is this the segment that follows `earlier` in the same long event?
    fn continues(self, earlier: Self) -> bool {
        let next = Self { timestamp: earlier.timestamp.wrapping_add(SEGMENT_TICKS), ..earlier };
        self == next
    }
}

/// A key being held.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Sounding {
    segment: Identity,
    /// Ticks of the segments before this one.
    earlier_ticks: u32,
    segment_ticks: u32,
    clock_hz: u32,
    deadline: Duration,
}

impl Sounding {
    fn duration_ms(&self) -> u32 {
        let ticks = u64::from(self.earlier_ticks) + u64::from(self.segment_ticks);
        (ticks * 1000 / u64::from(self.clock_hz.max(1))) as u32
    }
}

/// The newest packet of the stream.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Newest {
    ssrc: u32,
    sequence: u16,
    at: Duration,
}

/// A key that was reported and is over.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Ended {
    segment: Identity,
    /// No end packet came: a next segment may still.
    end_lost: bool,
}

impl TelephoneEvents {
    /// A stream that nothing was heard of.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one RTP packet of a telephone-event payload type and gives `out` what it changes.
    ///
    /// Reordered, repeated and malformed packets and events above 15 change nothing. A payload of
    /// several reports (RFC 4733 §2.5.1.5) is read as one event after another. No allocation.
    pub fn handle_packet(
        &mut self,
        now: Duration,
        header: EventHeader,
        payload: &[u8],
        mut out: impl FnMut(EventEdge),
    ) {
        let late = self.is_late(now, header);
        let mut timestamp = header.timestamp;
        let mut previous: Option<EventPayload> = None;
        for report in payload.chunks_exact(EventPayload::LEN).filter_map(EventPayload::parse) {
            // Some senders pad the payload; a further report follows an ended one and is not empty.
            if previous.is_some_and(|p| !p.end || report.duration == 0) {
                break;
            }
            if let Some(digit) = Digit::from_event(report.event) {
                let segment = Identity { ssrc: header.ssrc, timestamp, digit };
                self.handle_report(now, segment, report, header.clock_hz, late, &mut out);
            }
            timestamp = timestamp.wrapping_add(u32::from(report.duration));
            previous = Some(report);
        }
    }

    /// Ends a key whose packets have ceased. Harmless when early or late.
    pub fn handle_timeout(&mut self, now: Duration, mut out: impl FnMut(EventEdge)) {
        if self.sounding.is_some_and(|s| s.deadline <= now) {
            self.end_sounding(true, &mut out);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is next due; `None` while no key is held.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.sounding.map(|s| s.deadline)
    }

    fn handle_report(
        &mut self,
        now: Duration,
        segment: Identity,
        report: EventPayload,
        clock_hz: u32,
        late: bool,
        out: &mut impl FnMut(EventEdge),
    ) {
        let ticks = u32::from(report.duration);
        let deadline = now + END_LOST_AFTER;
        let before = self.sounding;
        let sounding = match before {
            Some(s) if s.segment == segment => Sounding {
                segment_ticks: s.segment_ticks.max(ticks), // it only grows
                deadline: s.deadline.max(deadline),
                ..s
            },
            Some(s) if segment.continues(s.segment) => Sounding {
                segment,
                earlier_ticks: s.earlier_ticks.saturating_add(SEGMENT_TICKS),
                segment_ticks: ticks,
                deadline,
                ..s
            },
            _ if late || self.was_reported(segment) => return,
            _ => {
                self.end_sounding(true, out);
                out(EventEdge::Start { digit: segment.digit });
                Sounding { segment, earlier_ticks: 0, segment_ticks: ticks, clock_hz, deadline }
            }
        };
        self.sounding = Some(sounding);
        if report.end {
            self.end_sounding(false, out);
        }
    }

    /// Did this packet leave before one that has come already? Such a one starts no key.
    fn is_late(&mut self, now: Duration, header: EventHeader) -> bool {
        let EventHeader { ssrc, sequence, .. } = header;
        let late = self.newest.is_some_and(|newest| {
            let ahead = sequence.wrapping_sub(newest.sequence) as i16;
            newest.ssrc == ssrc
                && (-REORDERED_PACKETS..=0).contains(&ahead)
                && now.saturating_sub(newest.at) <= REORDERED_WITHIN
        });
        if !late {
            self.newest = Some(Newest { ssrc, sequence, at: now });
        }
        late
    }

    /// Is this a packet of a key that is over? A key given up for lost may go on in a further
    /// segment, which then is the one to know it by.
    fn was_reported(&mut self, segment: Identity) -> bool {
        for ended in self.ended.iter_mut().flatten() {
            if ended.segment == segment {
                return true;
            }
            if ended.end_lost && segment.continues(ended.segment) {
                ended.segment = segment;
                return true;
            }
        }
        false
    }

    fn end_sounding(&mut self, end_lost: bool, out: &mut impl FnMut(EventEdge)) {
        if let Some(sounding) = self.sounding.take() {
            let digit = sounding.segment.digit;
            out(EventEdge::End { digit, duration_ms: sounding.duration_ms() });
            self.ended[self.next_ended % REMEMBERED] =
                Some(Ended { segment: sounding.segment, end_lost });
            self.next_ended = (self.next_ended + 1) % REMEMBERED;
        }
    }
}
