//! A seeded generator, and a telephone that sends keys as RFC 4733 events.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::time::Duration;

use dtmf_detector::{Digit, EventHeader, event_payload};

/// SplitMix64.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.bits() % (range.end - range.start).max(1)
    }

    pub fn percent(&mut self, percent: u64) -> bool {
        self.within(0..100) < percent
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.within(0..choices.len() as u64) as usize]
    }
}

/// Runs a test with one seed after the other: a thousand, twenty thousand with `CAROM_LONG=1`,
/// or the one of `CAROM_SEED`. A failure names its seed.
pub fn for_seeds(test: impl Fn(u64) + std::panic::RefUnwindSafe) {
    let long = std::env::var("CAROM_LONG").is_ok_and(|value| value == "1");
    let one = std::env::var("CAROM_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let seeds = one.map_or(0..if long { 20_000 } else { 1_000 }, |seed| seed..seed + 1);
    for seed in seeds {
        if std::panic::catch_unwind(|| test(seed)).is_err() {
            panic!("seed {seed}: run it again with CAROM_SEED={seed}");
        }
    }
}

pub fn digit(c: char) -> Digit {
    Digit::try_from(c).unwrap()
}

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A key as it is pressed: at, held for.
#[derive(Debug, Clone, Copy)]
pub struct Press {
    pub digit: Digit,
    pub at_ms: u64,
    pub held_ms: u64,
}

/// A packet of an event on its way.
#[derive(Debug, Clone)]
pub struct Packet {
    pub at_ms: u64,
    pub header: EventHeader,
    pub payload: Vec<u8>,
    /// The press that it belongs to, by number.
    pub press: usize,
    pub end: bool,
}

/// What a telephone sends: every `update_ms` an update, the end three times, one sequence number
/// for audio and events, timestamps of its clock.
pub fn packets(presses: &[Press], clock_hz: u32, update_ms: u64, first_seq: u16) -> Vec<Packet> {
    let ticks = |ms: u64| (ms * u64::from(clock_hz) / 1_000) as u32;
    let (mut packets, mut seq, mut audio_ms) = (Vec::new(), first_seq, 0);
    for (press, &Press { digit, at_ms, held_ms }) in presses.iter().enumerate() {
        // Audio between the keys takes sequence numbers of its own.
        seq = seq.wrapping_add((at_ms.saturating_sub(audio_ms) / 20) as u16);
        let mut put = |at_ms, end, duration: u64| {
            let (ssrc, timestamp) = (0xCAFE, ticks(at_ms_of(press, presses)).wrapping_add(77));
            let header = EventHeader { ssrc, timestamp, sequence: seq, clock_hz };
            let payload = event_payload(digit, end, 10, ticks(duration) as u16).to_vec();
            packets.push(Packet { at_ms, header, payload, press, end });
            seq = seq.wrapping_add(1);
        };
        let updates = held_ms.div_ceil(update_ms);
        for n in 1..updates {
            put(at_ms + n * update_ms, false, n * update_ms);
        }
        for n in 0..3 {
            put(at_ms + (updates + n) * update_ms, true, held_ms);
        }
        audio_ms = at_ms + (updates + 3) * update_ms;
    }
    packets
}

fn at_ms_of(press: usize, presses: &[Press]) -> u64 {
    presses[press].at_ms
}
