//! The peer's audio on its way into this leg's stream.
//!
//! Packets of 20 ms pass at once with a new header; their timestamps are shifted by a constant,
//! so that the peer's own timing reaches the far end's jitter buffer. Other lengths go through a
//! short buffer that the frame clock empties.

use std::time::Duration;

use crate::codec::{CLOCK_HZ, Codec, Converter, FRAME};

use super::sender::Sender;

/// Late packets in a row that mean a longer way, not reordering.
const LATE_RUN: u8 = 5;
/// Timestamps that disagree with the clock by more than this were restarted: one second.
const RESTARTED: u32 = CLOCK_HZ;
/// No packet for this long and silence takes over.
const PAUSE: Duration = Duration::from_millis(70);
/// Buffered audio beyond this is delay nobody needs, in samples: 200 ms.
const CAPACITY: usize = 1_600;

/// One received packet of audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// Whose.
    pub ssrc: u32,
    /// Its timestamp.
    pub timestamp: u32,
    /// It begins a talkspurt.
    pub marker: bool,
    /// How it is coded.
    pub codec: Codec,
    /// Where it lies in the datagram.
    pub payload: std::ops::Range<usize>,
}

/// Where a relayed packet belongs in the outgoing stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Its timestamp.
    pub timestamp: u32,
    /// It begins a talkspurt.
    pub marker: bool,
}

/// State of the relay into one leg.
#[derive(Debug, Clone, Default)]
pub struct Relay {
    shift: Option<Shift>,
    last_packet: Option<Duration>,
    /// Made when the first packet of another length comes, and kept.
    buffer: Option<Box<Buffer>>,
    /// Packets go through the buffer at the moment.
    buffering: bool,
    /// Something else was sent since the last packet passed.
    displaced: bool,
    /// Turns the peer's codec into ours.
    converter: Converter,
}

/// The peer's timestamps against ours.
#[derive(Debug, Clone, Copy)]
struct Shift {
    ssrc: u32,
    offset: u32,
    late: u8,
}

impl Relay {
    /// Takes a packet of one frame: its place in the stream, or `None` when its time has passed.
    pub fn pass(&mut self, now: Duration, audio: &Audio, sender: &mut Sender) -> Option<Slot> {
        self.last_packet = Some(now);
        self.buffering = false;
        let displaced = std::mem::take(&mut self.displaced);
        if let Some(shift) = self.shift.as_mut().filter(|shift| shift.ssrc == audio.ssrc) {
            let timestamp = audio.timestamp.wrapping_add(shift.offset);
            let off_clock = timestamp.wrapping_sub(sender.clock(now)) as i32;
            if off_clock.unsigned_abs() <= RESTARTED {
                let distance = sender.distance(timestamp);
                if distance >= 0 {
                    shift.late = 0;
                    return Some(Slot { timestamp, marker: audio.marker || displaced });
                }
                shift.late += 1;
                let nearly = displaced && distance > -2 * FRAME as i32;
                if shift.late < LATE_RUN && !nearly {
                    return None;
                }
            }
        }
        let timestamp = sender.frame_now(now);
        let offset = timestamp.wrapping_sub(audio.timestamp);
        self.shift = Some(Shift { ssrc: audio.ssrc, offset, late: 0 });
        Some(Slot { timestamp, marker: true })
    }

    /// Turns the peer's audio into `codec`, in place.
    pub fn convert(&mut self, audio: &Audio, codec: Codec, payload: &mut [u8]) {
        self.converter.convert(audio.codec, codec, payload);
    }

    /// Takes a packet of any other length, to be handed out by frames.
    pub fn buffer(&mut self, now: Duration, payload: &[u8]) {
        self.last_packet = Some(now);
        self.shift = None;
        let buffer = self.buffer.get_or_insert_default();
        if !std::mem::replace(&mut self.buffering, true) {
            buffer.clear();
        }
        buffer.push(payload);
    }

    /// A frame of something else was sent in the peer's place.
    pub fn displace(&mut self) {
        self.displaced = true;
    }

    /// Whether passing packets cover the time now, so that no frame is owed.
    pub fn covers(&self, now: Duration) -> bool {
        !self.buffering && self.last_packet.is_some_and(|last| now.saturating_sub(last) < PAUSE)
    }

    /// Fills a frame from the buffer; `false` when it holds too little yet.
    pub fn fill(&mut self, frame: &mut [u8; FRAME]) -> bool {
        self.buffering && self.buffer.as_mut().is_some_and(|buffer| buffer.pull(frame))
    }
}

/// Audio between packets of the peer's length and frames of ours.
#[derive(Debug, Clone)]
struct Buffer {
    bytes: [u8; CAPACITY],
    start: usize,
    len: usize,
    /// Frames flow one frame's time after a whole packet is there, as a reserve against jitter;
    /// an empty buffer begins again.
    flow: Flow,
    enough: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Filling,
    Reserve,
    Flowing,
}

impl Default for Buffer {
    fn default() -> Self {
        Self { bytes: [0; CAPACITY], start: 0, len: 0, flow: Flow::Filling, enough: FRAME }
    }
}

impl Buffer {
    fn clear(&mut self) {
        (self.len, self.flow) = (0, Flow::Filling);
    }

    fn push(&mut self, payload: &[u8]) {
        let payload = &payload[..payload.len().min(CAPACITY)];
        self.enough = payload.len().max(FRAME);
        let excess = (self.len + payload.len()).saturating_sub(CAPACITY);
        self.skip(excess);
        for &byte in payload {
            self.bytes[(self.start + self.len) % CAPACITY] = byte;
            self.len += 1;
        }
        if self.flow == Flow::Filling && self.len >= self.enough {
            self.flow = Flow::Reserve;
        }
    }

    fn pull(&mut self, frame: &mut [u8; FRAME]) -> bool {
        let flow = self.flow;
        self.flow = match flow {
            _ if self.len < FRAME => Flow::Filling,
            Flow::Filling => Flow::Filling,
            Flow::Reserve | Flow::Flowing => Flow::Flowing,
        };
        if flow != Flow::Flowing || self.len < FRAME {
            return false;
        }
        for byte in frame.iter_mut() {
            *byte = self.bytes[self.start];
            self.skip(1);
        }
        true
    }

    fn skip(&mut self, count: usize) {
        self.start = (self.start + count) % CAPACITY;
        self.len -= count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Law;
    use crate::rtp::HEADER;

    const MS: Duration = Duration::from_millis(1);

    fn audio(ssrc: u32, timestamp: u32) -> Audio {
        Audio { ssrc, timestamp, marker: false, codec: Law::Pcma.into(), payload: 12..172 }
    }

    /// Passes a packet and sends it.
    fn pass(relay: &mut Relay, sender: &mut Sender, ms: u32, audio: &Audio) -> Option<Slot> {
        let slot = relay.pass(MS * ms, audio, sender)?;
        sender.stamp_audio(&mut [0; HEADER], 8, slot.timestamp, FRAME, slot.marker);
        Some(slot)
    }

    #[test]
    fn timestamps_are_shifted_and_a_loss_stays_a_gap() {
        let (mut relay, mut sender) = (Relay::default(), Sender::new(1, 1, 500));
        let sent: Vec<_> = [(0, 0), (20, 160), (60, 480), (61, 320), (80, 640)]
            .map(|(ms, ts)| pass(&mut relay, &mut sender, ms, &audio(9, 70_000 + ts)))
            .into_iter()
            .map(|slot| slot.map(|slot| (slot.timestamp, slot.marker)))
            .collect();
        let expected =
            [Some((500, true)), Some((660, false)), Some((980, false)), None, Some((1_140, false))];
        assert_eq!(sent, expected, "the late one is dropped, never sent backwards");
    }

    #[test]
    fn a_new_source_or_time_base_goes_on_where_the_last_ended() {
        let (mut relay, mut sender) = (Relay::default(), Sender::new(1, 1, 500));
        pass(&mut relay, &mut sender, 0, &audio(9, 0));
        let other = pass(&mut relay, &mut sender, 20, &audio(10, 4_000_000_000)).unwrap();
        assert_eq!(other, Slot { timestamp: 660, marker: true });
        let restarted = pass(&mut relay, &mut sender, 40, &audio(10, 17)).unwrap();
        assert_eq!(restarted, Slot { timestamp: 820, marker: true });
    }

    #[test]
    fn a_longer_way_is_followed_after_five_late_packets() {
        let (mut relay, mut sender) = (Relay::default(), Sender::new(1, 1, 0));
        pass(&mut relay, &mut sender, 0, &audio(9, 0));
        // The clock covered 400 ms with silence meanwhile.
        for n in 1..=20u64 {
            if let Some(timestamp) = sender.frame_due(MS * (20 * n as u32)) {
                sender.stamp_audio(&mut [0; HEADER], 8, timestamp, FRAME, false);
            }
        }
        let passed: Vec<bool> = (1..8u32)
            .map(|n| pass(&mut relay, &mut sender, 400 + 20 * n, &audio(9, 160 * n)).is_some())
            .collect();
        assert_eq!(passed, [false, false, false, false, true, true, true]);
    }

    #[test]
    fn other_packet_lengths_become_frames() {
        for ptime_ms in [10usize, 30, 40, 60] {
            let mut relay = Relay::default();
            let (mut sent, mut heard, mut gaps_after_start) = (0u8, Vec::new(), 0);
            for ms in 0..1_200usize {
                if ms.is_multiple_of(ptime_ms) {
                    let packet: Vec<u8> = (0..ptime_ms * 8)
                        .map(|_| {
                            sent = sent.wrapping_add(1);
                            sent
                        })
                        .collect();
                    relay.buffer(MS * ms as u32, &packet);
                }
                if ms % 20 == 7 {
                    let mut frame = [0; FRAME];
                    if relay.fill(&mut frame) {
                        heard.extend(frame);
                    } else if !heard.is_empty() {
                        gaps_after_start += 1;
                    }
                }
            }
            assert_eq!(gaps_after_start, 0, "{ptime_ms} ms");
            assert!(heard.len() >= 1_000 * 8, "{ptime_ms} ms: {}", heard.len());
            let continuous = heard.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1));
            assert!(continuous, "{ptime_ms} ms");
        }
    }

    #[test]
    fn silence_takes_over_when_the_peer_pauses() {
        let (mut relay, mut sender) = (Relay::default(), Sender::new(1, 1, 0));
        assert!(!relay.covers(MS * 5));
        pass(&mut relay, &mut sender, 10, &audio(9, 0));
        assert!(relay.covers(MS * 60));
        assert!(!relay.covers(MS * 90));
    }
}
