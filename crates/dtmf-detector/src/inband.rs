//! Keys in audio: timing, twist and purity by ITU-T Q.24.

use crate::Digit;
use crate::background::Background;
use crate::tones::{Fit, HOP, HighPass, Hop, Spectrum, WINDOW};

/// What the detector hears. Samples are counted from the first one pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToneEvent {
    /// A key has sounded for long enough to be one.
    Start {
        /// The key.
        digit: Digit,
        /// Where its tone began, about.
        at_sample: u64,
    },
    /// The key of the last `Start` has stopped.
    End {
        /// The key.
        digit: Digit,
        /// Where its tone began, as in `Start`.
        start_sample: u64,
        /// Where its tone ended, about.
        end_sample: u64,
    },
}

/// A hop whose samples all lie below this is silence; a key of two tones at -45 dBm0 is above.
const QUIET: u16 = 64;

/// Energy of a window below which nothing is looked for: two tones at -37 dBm0 each.
const FLOOR: f32 = (WINDOW * HOP) as f32 * 326.0 * 326.0;

/// Weakest tone of a key, as peak amplitude: -34 dBm0.
const WEAKEST: f32 = 455.0;

/// Share of a window's energy in the two tones. A tone of 23 ms (not a key) fills 0.77 of a
/// window, white noise 12 dB down leaves 0.94.
const PURE: f32 = 0.88;

/// A share of energy below which the exact fit is not worth its cost; see [`Spectrum::share`].
const PROMISING: f32 = 0.45;

/// Column over row in power, -10.7 dB to +7 dB: Q.24 and an echo's comb.
const TWIST: std::ops::RangeInclusive<f32> = 0.085..=5.0;

/// How far a tone may be off: 1.5 % and 2 Hz are a key, 3.5 % are none. Nearer to the former,
/// because a voice is seldom right on both tones.
const OFFSET: f32 = 0.018;
const OFFSET_HZ: f32 = 2.5;

/// Energy below the tones, as a share of theirs, that makes them the harmonics of a voice when it
/// began with them. A prompt that leaks in 14 dB down shows 0.1.
const VOICED: f32 = 0.15;

/// Share of the sound below the tones that must be new to be a voice's; a dial tone is not.
const NEW: f32 = 0.3;

/// Windows in a row, 5 ms apart, that make a key.
const PASSES: u8 = 2;

/// Share of a key's energy that a hop must reach to count as its sound. An echo does not.
const PRESENT: f32 = 0.6;

/// Hops of missing tone that end a key: an interruption of 20 ms does not, a pause of 30 does.
const GAP_HOPS: f32 = 4.8;

/// Hops in a row in which something else has covered the tone, which end a key.
const COVERED_HOPS: u8 = 8;

/// Hops looked back on for the beginning of a tone.
const HISTORY: usize = 16;

/// Finds DTMF keys in 8 kHz linear audio.
///
/// Audio is cut into hops of 5 ms; silent ones cost a comparison per sample. A key starts when
/// two windows of 30 ms, a hop apart, hold nothing but its tones, and ends when these have been
/// away for 24 ms. Nothing here depends on later audio.
#[derive(Debug, Clone)]
pub struct InbandDetector {
    pending: [i16; HOP],
    pending_len: usize,
    /// Samples in whole hops so far.
    position: u64,
    high_pass: HighPass,
    hops: [Hop; HISTORY],
    /// The audio of `hops`.
    audio: [[i16; HOP]; HISTORY],
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Idle,
    /// A key passed in the last window, and in how many before.
    Candidate {
        digit: Digit,
        passes: u8,
    },
    /// What seems a key is part of a voice; so is all that follows without a break.
    Voice,
    Sounding(Sounding),
}

#[derive(Debug, Clone, Copy)]
struct Sounding {
    digit: Digit,
    tones: (usize, usize),
    start_sample: u64,
    /// Energy of a hop filled by the key.
    hop_energy: f32,
    /// Hops of tone missing since it was last there.
    gap: f32,
    covered: u8,
    /// The key, if another, that passed in the last window.
    next: Option<(Digit, u8)>,
}

impl Default for InbandDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl InbandDetector {
    /// A detector that has heard nothing.
    pub fn new() -> Self {
        Self {
            pending: [0; HOP],
            pending_len: 0,
            position: 0,
            high_pass: HighPass::default(),
            hops: [Hop::default(); HISTORY],
            audio: [[0; HOP]; HISTORY],
            state: State::Idle,
        }
    }

    /// Takes the next samples, any number of them, and gives `out` what they bring. What is
    /// reported does not depend on how the audio is cut into calls. No allocation.
    pub fn push(&mut self, mut samples: &[i16], mut out: impl FnMut(ToneEvent)) {
        while !samples.is_empty() {
            let room = &mut self.pending[self.pending_len..];
            let n = room.len().min(samples.len());
            let (now, later) = samples.split_at(n);
            room[..n].copy_from_slice(now);
            samples = later;
            self.pending_len += n;
            if self.pending_len == HOP {
                self.pending_len = 0;
                self.take_hop(&mut out);
            }
        }
    }

    /// Ends a key that still sounds, here and now: the audio is over, or its packets have ceased.
    pub fn finish(&mut self, mut out: impl FnMut(ToneEvent)) {
        if let State::Sounding(key) = self.state {
            out(key.end(self.position + self.pending_len as u64));
        }
        self.state = State::Idle;
    }

    fn take_hop(&mut self, out: &mut impl FnMut(ToneEvent)) {
        self.position += HOP as u64;
        self.hops.rotate_left(1);
        self.audio.rotate_left(1);
        self.audio[HISTORY - 1] = self.pending;
        self.hops[HISTORY - 1] = if self.pending.iter().all(|s| s.unsigned_abs() < QUIET) {
            self.high_pass = HighPass::default();
            Hop::default()
        } else {
            let mut filtered = [0.0; HOP];
            self.high_pass.filter(&self.pending, &mut filtered);
            Hop::measure(&filtered)
        };
        self.state = match self.state {
            State::Idle => self.seek(None, out),
            State::Candidate { digit, passes } => self.seek(Some((digit, passes)), out),
            State::Voice if key_of(&self.window()).is_some() => State::Voice,
            State::Voice => State::Idle,
            State::Sounding(key) => self.follow(key, out),
        };
    }

    fn window(&self) -> Spectrum {
        Spectrum::of(self.hops[HISTORY - WINDOW..].iter())
    }

    /// Looks for a key while none sounds.
    fn seek(&self, before: Option<(Digit, u8)>, out: &mut impl FnMut(ToneEvent)) -> State {
        let energy: f32 = self.hops[HISTORY - WINDOW..].iter().map(|hop| hop.energy).sum();
        if energy < FLOOR {
            return State::Idle;
        }
        let window = self.window();
        let Some(digit) = key_of(&window) else { return State::Idle };
        let passes = match before {
            Some((same, passes)) if same == digit => passes + 1,
            _ => 1,
        };
        if passes < PASSES {
            return State::Candidate { digit, passes };
        }
        if self.is_voiced(&window) { State::Voice } else { self.start(digit, &window, out) }
    }

    /// Did another sound begin below the tones when they did, so that they belong to a voice?
    fn is_voiced(&self, window: &Spectrum) -> bool {
        let now = Background::of(self.audio[HISTORY - WINDOW..].iter());
        let before = Background::of(self.audio[..WINDOW].iter());
        now.energy() > VOICED * window.energy && now.change(&before) > NEW
    }

    fn start(&self, digit: Digit, window: &Spectrum, out: &mut impl FnMut(ToneEvent)) -> State {
        let hop_energy = window.energy / WINDOW as f32;
        let start_sample = self.beginning(hop_energy);
        out(ToneEvent::Start { digit, at_sample: start_sample });
        State::Sounding(Sounding {
            digit,
            tones: (window.row, window.column),
            start_sample,
            hop_energy,
            gap: 0.0,
            covered: 0,
            next: None,
        })
    }

    /// Watches for the end of a key, and for another that follows without a pause.
    fn follow(&self, mut key: Sounding, out: &mut impl FnMut(ToneEvent)) -> State {
        let hop = &self.hops[HISTORY - 1];
        let present = hop.energy.min(1.3 * hop.energy_of(key.tones)) / key.hop_energy;
        if present >= PRESENT {
            key.gap = 0.0;
        } else {
            key.gap += 1.0 - present;
        }
        let window = self.window();
        let tones = (window.row, window.column);
        if tones == key.tones && window.share >= PROMISING {
            key.covered = 0;
            key.next = None;
        } else {
            key.covered += 1;
            key.next = key_of(&window).filter(|_| tones != key.tones).map(|digit| {
                let passes = key.next.filter(|&(same, _)| same == digit).map_or(0, |(_, n)| n);
                (digit, passes + 1)
            });
        }
        if let Some((digit, PASSES)) = key.next {
            let hop_energy = window.energy / WINDOW as f32;
            out(key.end(self.beginning(hop_energy)));
            return self.start(digit, &window, out);
        }
        if key.gap >= GAP_HOPS {
            out(key.end(self.position - (key.gap * HOP as f32) as u64));
            return State::Idle;
        }
        if key.covered >= COVERED_HOPS {
            let covered = u64::from(key.covered) * HOP as u64;
            out(key.end((self.position - covered).max(key.start_sample)));
            return State::Idle;
        }
        State::Sounding(key)
    }

    /// Where the sound that fills the last window began, by the energy of the hops before.
    fn beginning(&self, hop_energy: f32) -> u64 {
        let mut hops = 0.0;
        for hop in self.hops.iter().rev() {
            let present = (hop.energy / hop_energy).min(1.0);
            if present < PRESENT {
                hops += present;
                break;
            }
            hops += 1.0;
        }
        self.position.saturating_sub((hops * HOP as f32) as u64)
    }
}

impl Sounding {
    fn end(&self, end_sample: u64) -> ToneEvent {
        let Self { digit, start_sample, .. } = *self;
        ToneEvent::End { digit, start_sample, end_sample: end_sample.max(start_sample) }
    }
}

/// The key that a window holds, if it holds one and nothing else.
fn key_of(window: &Spectrum) -> Option<Digit> {
    if window.energy < FLOOR || window.share < PROMISING {
        return None;
    }
    let fit = window.fit();
    is_key(&fit, window).then(|| Digit::at(window.row, window.column))
}

fn is_key(fit: &Fit, window: &Spectrum) -> bool {
    let twist = (fit.column_amplitude / fit.row_amplitude.max(1e-6)).powi(2);
    fit.purity >= PURE
        && fit.row_amplitude.min(fit.column_amplitude) >= WEAKEST
        && TWIST.contains(&twist)
        && fit.row_offset_hz.abs() <= OFFSET * window.row_hz() + OFFSET_HZ
        && fit.column_offset_hz.abs() <= OFFSET * window.column_hz() + OFFSET_HZ
}
