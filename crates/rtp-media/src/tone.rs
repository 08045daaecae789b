//! Local ringback tones, by country (ITU-T E.180, supplement 2).

use std::f64::consts::TAU;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::codec::CLOCK_HZ;
use crate::prompt::Prompt;

/// The level of a sine whose peak is full scale (ITU-T G.711), in dBm0.
#[expect(clippy::approx_constant, reason = "3.14 dBm0, not π")]
const PEAK_DBM0: f64 = 3.14;

/// A country whose ringback we can make. Others ring as [`Country::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[rustfmt::skip]
#[allow(missing_docs, reason = "ISO 3166 codes")]
pub enum Country {
    At, Au, Be, Ca, Ch, De, Dk, Es, Fi, Fr, Gb, Ie, In, It, Jp, Nl, No, Nz, Pl, Pt, Se, Us,
    /// Any other: what E.180 recommends.
    Other,
}

impl Country {
    /// All of them.
    #[rustfmt::skip]
    pub const ALL: [Self; 23] = {
        use Country::*;
        [At, Au, Be, Ca, Ch, De, Dk, Es, Fi, Fr, Gb, Ie, In, It, Jp, Nl, No, Nz, Pl, Pt, Se, Us,
         Other]
    };

    /// The country of an ISO 3166 code such as `"GB"`, in any case.
    pub fn from_code(code: &str) -> Self {
        let known = Self::ALL.into_iter().find(|c| format!("{c:?}").eq_ignore_ascii_case(code));
        known.unwrap_or(Self::Other)
    }

    fn ringback(self) -> Cadence {
        use Country::*;
        match self {
            // Two bursts, as on all networks of British descent.
            Gb | Ie | Au | Nz | In => Cadence::new(&[400.0, 450.0], &[400, 200, 400, 2_000]),
            Us | Ca => Cadence::new(&[440.0, 480.0], &[2_000, 4_000]),
            Es => Cadence::new(&[425.0], &[1_500, 3_000]),
            Fr => Cadence::new(&[440.0], &[1_500, 3_500]),
            At => Cadence::new(&[420.0], &[1_000, 5_000]),
            Pt | Se => Cadence::new(&[425.0], &[1_000, 5_000]),
            Be => Cadence::new(&[425.0], &[1_000, 3_000]),
            Jp => Cadence::new(&[384.0, 416.0], &[1_000, 2_000]),
            De | Ch | Dk | Fi | It | Nl | No | Pl | Other => {
                Cadence::new(&[425.0], &[1_000, 4_000])
            }
        }
    }
}

/// The ringback of every country, made once.
#[derive(Debug)]
pub struct Ringback(Vec<Arc<Prompt>>);

impl Ringback {
    /// Makes all tones, about 2 MB, in some tens of milliseconds.
    pub fn new() -> Self {
        let mut made: Vec<(Cadence, Arc<Prompt>)> = Vec::new();
        let tone = |country: Country| {
            let cadence = country.ringback();
            if let Some((_, prompt)) = made.iter().find(|(other, _)| *other == cadence) {
                return prompt.clone();
            }
            let prompt = Arc::new(Prompt::from_samples("ringback", &cadence.samples()));
            made.push((cadence, prompt.clone()));
            prompt
        };
        Self(Country::ALL.into_iter().map(tone).collect())
    }

    /// One period of the country's ringback, to be repeated.
    pub fn of(&self, country: Country) -> Arc<Prompt> {
        self.0[country as usize].clone()
    }
}

impl Default for Ringback {
    fn default() -> Self {
        Self::new()
    }
}

/// Tones that sound together, and how long they are on, off, on, …
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cadence {
    hertz: &'static [f64],
    on_off_ms: &'static [u32],
}

impl Cadence {
    const fn new(hertz: &'static [f64], on_off_ms: &'static [u32]) -> Self {
        Self { hertz, on_off_ms }
    }

    /// One period at −16 dBm0 in all.
    fn samples(self) -> Vec<i16> {
        let amplitude = 32_768.0 * 10f64.powf((-16.0 - PEAK_DBM0) / 20.0);
        let each = amplitude / (self.hertz.len() as f64).sqrt();
        let mut out = Vec::new();
        for (index, &length_ms) in self.on_off_ms.iter().enumerate() {
            let on = index % 2 == 0;
            for n in 0..length_ms * CLOCK_HZ / 1_000 {
                let t = f64::from(n) / f64::from(CLOCK_HZ);
                let sum: f64 = self.hertz.iter().map(|hz| (TAU * hz * t).sin()).sum();
                out.push(if on { (each * sum) as i16 } else { 0 });
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Law;

    #[test]
    fn each_country_rings_with_its_own_cadence() {
        let ringback = Ringback::new();
        let length_ms = |code| ringback.of(Country::from_code(code)).len_ms;
        let expected = [("GB", 3_000), ("IE", 3_000), ("US", 6_000), ("ES", 4_500), ("FR", 5_000)];
        for (code, ms) in expected {
            assert_eq!(length_ms(code), ms, "{code}");
        }
        assert_eq!(length_ms("de"), 5_000);
        assert_eq!(Country::from_code("ZZ"), Country::Other);
    }

    #[test]
    fn british_ringback_is_two_bursts_of_400_and_450_hertz() {
        let tone = Ringback::new().of(Country::Gb);
        let loud = |ms: usize| {
            tone.pcma[ms * 8..(ms + 20) * 8].iter().any(|&b| Law::Pcma.decode(b).abs() > 1_000)
        };
        let bursts = [(100, true), (450, false), (700, true), (1_100, false), (2_900, false)];
        for (ms, on) in bursts {
            assert_eq!(loud(ms), on, "at {ms} ms");
        }
        let power = |hz: f64| {
            let (mut re, mut im) = (0.0, 0.0);
            for n in 0..3_200usize {
                let x = f64::from(Law::Pcma.decode(tone.pcma[n]));
                let phase = TAU * hz * n as f64 / 8_000.0;
                re += x * phase.cos();
                im += x * phase.sin();
            }
            re * re + im * im
        };
        for hz in [400.0, 450.0] {
            assert!(power(hz) > 100.0 * power(hz + 25.0), "{hz} Hz");
        }
    }
}
