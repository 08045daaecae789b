//! Records what a leg hears, in the time in which it was said.

use std::time::Duration;

use super::relay::Audio;

/// Mean level of a packet with speech in it, of 32,768: about −42 dBm0, over the hiss of a line.
const LOUD: u32 = 260;
/// What is kept of the silence at the end, in samples.
const TAIL: usize = 4_000;

/// A recording under way. Its whole room is reserved at the start; the kernel lends the pages
/// as they are written.
#[derive(Debug)]
pub struct Recorder {
    samples: Vec<i16>,
    room: usize,
    /// It ends after so much silence, in samples.
    patience: usize,
    /// Where the last packet with speech in it ended, in samples.
    spoken: usize,
    started: Duration,
    /// The source, and what to subtract from its timestamps.
    anchor: Option<(u32, u32)>,
}

impl Recorder {
    /// A recording that begins now and takes at most `max_ms`. With `silence_ms` it ends after so
    /// long without speech, and what was silent at its end is left out.
    pub fn new(now: Duration, max_ms: u32, silence_ms: Option<u32>) -> Self {
        let room = max_ms as usize * 8;
        let patience = silence_ms.map_or(usize::MAX, |ms| ms as usize * 8);
        let samples = Vec::with_capacity(room);
        Self { samples, room, patience, spoken: 0, started: now, anchor: None }
    }

    /// Whether it is over: it is full, or nothing was said for long enough. Without packets too.
    pub fn is_over(&self, now: Duration) -> bool {
        let elapsed = self.elapsed(now);
        let full = elapsed >= self.room || self.samples.len() >= self.room;
        (self.patience < usize::MAX && full) || elapsed.saturating_sub(self.spoken) >= self.patience
    }

    /// Takes a packet's samples; gaps before it become silence. Returns whether there is room for more.
    pub fn push(&mut self, now: Duration, audio: &Audio, samples: &[i16]) -> bool {
        let at = match self.anchor {
            Some((ssrc, origin)) if ssrc == audio.ssrc => audio.timestamp.wrapping_sub(origin),
            Some(_) | None => self.anchor_at(now, audio),
        };
        // A step back, or a jump beyond the end, is a new time base of the same source.
        let elapsed = self.elapsed(now);
        let plausible = (at as usize) <= elapsed + 8_000;
        let at = if plausible { at as usize } else { self.anchor_at(now, audio) as usize };
        self.write(at, samples);
        self.samples.len() < self.room
    }

    /// What was heard.
    pub fn finish(mut self) -> Vec<i16> {
        if self.patience < usize::MAX {
            let kept = if self.spoken == 0 { 0 } else { self.spoken + TAIL };
            self.samples.truncate(kept);
        }
        self.samples
    }

    fn elapsed(&self, now: Duration) -> usize {
        (now.saturating_sub(self.started).as_micros() / 125) as usize
    }

    fn anchor_at(&mut self, now: Duration, audio: &Audio) -> u32 {
        let at = self.elapsed(now).max(self.samples.len()) as u32;
        self.anchor = Some((audio.ssrc, audio.timestamp.wrapping_sub(at)));
        at
    }

    fn write(&mut self, at: usize, samples: &[i16]) {
        let at = at.min(self.room);
        let end = (at + samples.len()).min(self.room);
        if self.samples.len() < end {
            self.samples.resize(end, 0);
        }
        let heard = &samples[..end - at];
        self.samples[at..end].copy_from_slice(heard);
        let level: u32 = heard.iter().map(|sample| u32::from(sample.unsigned_abs())).sum();
        if at < end && level / (end - at) as u32 >= LOUD {
            self.spoken = self.spoken.max(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Law;

    /// A frame of the loudest that µ-law has, and one of a hiss.
    const LOUDEST: [i16; 160] = [32_124; 160];
    const HISS: [i16; 160] = [120; 160];

    #[test]
    fn losses_are_silence_and_late_packets_find_their_place() {
        let mut recorder = Recorder::new(Duration::from_secs(1), 1_000, None);
        for (order, ts) in [0u32, 320, 160, 640].into_iter().enumerate() {
            let now = Duration::from_millis(1_000 + 20 * order as u64);
            assert!(recorder.push(now, &audio(1, 90_000 + ts), &LOUDEST));
        }
        let heard = recorder.finish();
        assert_eq!(heard.len(), 800);
        assert!(heard[..480].iter().all(|&s| s == 32_124));
        assert!(heard[480..640].iter().all(|&s| s == 0));
        assert!(heard[640..].iter().all(|&s| s == 32_124));
    }

    #[test]
    fn another_source_goes_on_behind_and_the_end_is_the_limit() {
        let mut recorder = Recorder::new(Duration::ZERO, 50, None);
        assert!(recorder.push(Duration::ZERO, &audio(1, 5), &LOUDEST));
        let now = Duration::from_millis(20);
        assert!(recorder.push(now, &audio(2, 4_000_000_000), &LOUDEST));
        assert!(!recorder.push(now * 2, &audio(2, 4_000_000_160), &LOUDEST));
        assert_eq!(recorder.finish().len(), 400);
    }

    #[test]
    fn silence_ends_a_recording_and_is_no_part_of_it() {
        let ms = Duration::from_millis;
        let mut recorder = Recorder::new(Duration::ZERO, 60_000, Some(1_000));
        assert!(!recorder.is_over(ms(900)));
        assert!(recorder.is_over(ms(1_000)), "nothing came at all");
        for n in 0..60 {
            // Speech for 400 ms, then a hiss.
            let level = if n < 20 { LOUDEST[0] } else { HISS[0] };
            recorder.push(ms(20 * n), &audio(1, n as u32 * 160), &[level; 160]);
        }
        assert!(!recorder.is_over(ms(1_390)));
        assert!(recorder.is_over(ms(1_400)));
        assert_eq!(recorder.finish().len(), 20 * 160 + TAIL);

        let mut recorder = Recorder::new(Duration::ZERO, 60_000, Some(1_000));
        recorder.push(Duration::ZERO, &audio(1, 0), &HISS);
        assert_eq!(recorder.finish(), Vec::<i16>::new(), "a hiss is nobody");
        let recorder = Recorder::new(Duration::ZERO, 500, Some(1_000));
        assert!(recorder.is_over(ms(500)), "full, though nothing came");
    }

    fn audio(ssrc: u32, timestamp: u32) -> Audio {
        Audio { ssrc, timestamp, marker: false, codec: Law::Pcmu.into(), payload: 12..172 }
    }
}
