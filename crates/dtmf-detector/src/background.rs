//! What sounds below the tones: a voice, or the hum and dial tone of a line.

use std::f32::consts::PI;

use crate::tones::{HOP, WINDOW};

/// Samples looked at: as many as the tones are fitted to.
const LEN: usize = HOP * WINDOW;

/// Bins of 33 Hz, from 100 to 533 Hz; the outer two only serve the Hann window of the others.
const BINS: usize = 14;
const FIRST_BIN: usize = 3;

/// Power by frequency from 133 to 500 Hz, where a voice has its lower harmonics.
#[derive(Debug, Clone, Copy)]
pub struct Background {
    power: [f32; BINS],
}

impl Background {
    /// Measures 30 ms of unfiltered audio, given by hops. About a microsecond.
    pub fn of<'a>(hops: impl Iterator<Item = &'a [i16; HOP]>) -> Self {
        let twice_cos: [f32; BINS] = std::array::from_fn(|k| 2.0 * angle(k).cos());
        let (mut s1, mut s2) = ([0.0f32; BINS], [0.0f32; BINS]);
        for &x in hops.flatten() {
            for k in 0..BINS {
                (s1[k], s2[k]) = (twice_cos[k] * s1[k] - s2[k] + f32::from(x), s1[k]);
            }
        }
        // The bins of a Goertzel filter, turned back to the first sample to add up in phase.
        let bin = |k: usize| {
            let (sin, cos) = angle(k).sin_cos();
            (s1[k] * cos - s2[k], s1[k] * sin)
        };
        let mut power = [0.0; BINS];
        for (k, power) in power.iter_mut().enumerate().take(BINS - 1).skip(1) {
            let ((lr, li), (r, i), (hr, hi)) = (bin(k - 1), bin(k), bin(k + 1));
            let (re, im) = (r / 2.0 - (lr + hr) / 4.0, i / 2.0 - (li + hi) / 4.0);
            *power = re * re + im * im;
        }
        Self { power }
    }

    /// The energy of the audio in this band, as a sum of squares.
    pub fn energy(&self) -> f32 {
        self.power.iter().sum::<f32>() * 16.0 / (3.0 * LEN as f32)
    }

    /// How much of it is new or gone since `before`, as a share: 0 is a steady tone.
    pub fn change(&self, before: &Self) -> f32 {
        let apart: f32 = self.power.iter().zip(&before.power).map(|(a, b)| (a - b).abs()).sum();
        apart / self.power.iter().sum::<f32>().max(1.0)
    }
}

fn angle(k: usize) -> f32 {
    2.0 * PI * (k + FIRST_BIN) as f32 / LEN as f32
}
