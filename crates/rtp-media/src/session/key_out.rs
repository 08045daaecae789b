//! Sends keys as RFC 4733 events: a start, an update every frame, the end three times.

use std::collections::VecDeque;

use dtmf_detector::{Digit, event_payload};

use crate::codec::{CLOCK_HZ, FRAME};

/// Shorter keys are not heard by every detector behind a gateway (ITU-T Q.24).
const SHORTEST: u32 = CLOCK_HZ * 40 / 1_000;
/// An event's duration field ends here; a key held for longer ends with it.
const LONGEST: u32 = 0xFFFF;
/// How often the end is sent, against loss (RFC 4733 §2.5.1.4).
const ENDS: u8 = 3;
/// Keys that may wait; more are dropped.
const QUEUE: usize = 32;
/// Power of the tones in −dBm0.
const VOLUME: u8 = 10;

/// Keys on their way out.
#[derive(Debug, Clone, Default)]
pub struct KeyOut {
    current: Option<Event>,
    queue: VecDeque<Waiting>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    digit: Digit,
    /// In samples; `None` while it is still held.
    length: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Event {
    key: Waiting,
    start: u32,
    elapsed: u32,
    ends_sent: u8,
}

/// One packet of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPacket {
    /// The payload.
    pub payload: [u8; 4],
    /// Timestamp of the event's start.
    pub start: u32,
    /// First packet of the event.
    pub marker: bool,
    /// The key, when this was its last packet.
    pub finished: Option<Digit>,
}

impl KeyOut {
    /// Sends a key of known length after those that wait.
    pub fn send(&mut self, digit: Digit, duration_ms: u32) {
        let length = Some(duration_ms.saturating_mul(CLOCK_HZ / 1_000));
        self.enqueue(Waiting { digit, length });
    }

    /// A key that is down now, until [`release`](Self::release).
    pub fn press(&mut self, digit: Digit) {
        self.enqueue(Waiting { digit, length: None });
    }

    /// The key that was pressed last is up and lasted that long.
    pub fn release(&mut self, digit: Digit, duration_ms: u32) {
        let length = duration_ms.saturating_mul(CLOCK_HZ / 1_000);
        let waiting = self.queue.iter_mut().rev();
        let mut keys = waiting.chain(self.current.as_mut().map(|event| &mut event.key));
        if let Some(key) = keys.find(|key| key.digit == digit && key.length.is_none()) {
            key.length = Some(length);
        }
    }

    /// Whoever pressed keys will not release them.
    pub fn release_all(&mut self) {
        let current = self.current.as_mut().map(|event| &mut event.key);
        for key in self.queue.iter_mut().chain(current) {
            key.length.get_or_insert(0);
        }
    }

    fn enqueue(&mut self, key: Waiting) {
        if self.queue.len() < QUEUE {
            self.queue.push_back(key);
        }
    }

    /// The packet of the frame with that timestamp, if a key is under way.
    pub fn next_packet(&mut self, frame: u32) -> Option<EventPacket> {
        let mut event = match self.current.take() {
            Some(event) => event,
            None => Event { key: self.queue.pop_front()?, start: frame, elapsed: 0, ends_sent: 0 },
        };
        let marker = event.elapsed == 0;
        if event.ends_sent == 0 {
            event.elapsed += FRAME as u32;
        }
        let length = event.key.length.map(|length| length.clamp(SHORTEST, LONGEST));
        let (duration, end) = match length {
            // Released late: what was already said of its length stands.
            Some(length) if event.elapsed >= length => {
                (length.max(event.elapsed - FRAME as u32), true)
            }
            Some(_) | None if event.elapsed >= LONGEST => (LONGEST, true),
            Some(_) | None => (event.elapsed, false),
        };
        event.ends_sent += u8::from(end);
        let finished = (event.ends_sent == ENDS).then_some(event.key.digit);
        self.current = finished.is_none().then_some(event);
        let payload = event_payload(event.key.digit, end, VOLUME, duration as u16);
        Some(EventPacket { payload, start: event.start, marker, finished })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digit(c: char) -> Digit {
        Digit::try_from(c).unwrap()
    }

    /// (event, end, duration, start, marker) of each packet, from timestamp 1,000 on.
    fn packets(keys: &mut KeyOut, frames: u32) -> Vec<(u8, bool, u16, u32, bool)> {
        (0..frames)
            .map_while(|n| keys.next_packet(1_000 + 160 * n))
            .map(|p| {
                let duration = u16::from_be_bytes([p.payload[2], p.payload[3]]);
                (p.payload[0], p.payload[1] & 0x80 != 0, duration, p.start, p.marker)
            })
            .collect()
    }

    #[test]
    fn a_key_is_a_start_updates_every_frame_and_three_ends() {
        let mut keys = KeyOut::default();
        keys.send(digit('5'), 70);
        assert_eq!(
            packets(&mut keys, 20),
            [
                (5, false, 160, 1_000, true),
                (5, false, 320, 1_000, false),
                (5, false, 480, 1_000, false),
                (5, true, 560, 1_000, false),
                (5, true, 560, 1_000, false),
                (5, true, 560, 1_000, false),
            ]
        );
    }

    #[test]
    fn a_relayed_key_lasts_until_its_release() {
        let mut keys = KeyOut::default();
        keys.press(digit('#'));
        assert_eq!(packets(&mut keys, 5).last(), Some(&(11, false, 800, 1_000, false)));
        keys.release(digit('#'), 90);
        let ends = packets(&mut keys, 9);
        assert_eq!(ends, [(11, true, 800, 1_000, false); 3], "never shorter than was said");
    }

    #[test]
    fn keys_wait_for_each_other_and_each_has_its_own_start() {
        let mut keys = KeyOut::default();
        keys.send(digit('1'), 1);
        keys.send(digit('1'), 40);
        let starts: Vec<u32> = packets(&mut keys, 30).iter().filter(|p| p.4).map(|p| p.3).collect();
        assert_eq!(starts, [1_000, 1_000 + 160 * 4]);
    }

    #[test]
    fn a_key_that_is_never_released_ends() {
        let mut keys = KeyOut::default();
        keys.press(digit('9'));
        let sent = packets(&mut keys, 1_000);
        assert_eq!(sent.len(), 412);
        assert_eq!(sent.last().map(|p| (p.1, p.2)), Some((true, 0xFFFF)));
    }
}
