//! Takes the masters' rates down to the 8 and 16 kHz of the codecs, at load time.

use std::f32::consts::PI;

use crate::codec::CLOCK_HZ;

/// Where the filter is half open, as a share of the rate; above it lies what would fold back.
const CUT_OFF: f32 = 3_700.0 / CLOCK_HZ as f32;
/// Filter taps for each step of decimation; sets its steepness.
const TAPS_PER_STEP: usize = 48;

/// The samples at 8 kHz, low-passed (windowed sinc). `rate_hz` is a multiple of 8,000.
pub(super) fn to_8_khz(rate_hz: u32, samples: &[i16]) -> Vec<i16> {
    down((rate_hz / CLOCK_HZ) as usize, samples)
}

/// The same at 16 kHz, of which `rate_hz` is a multiple.
pub(super) fn to_16_khz(rate_hz: u32, samples: &[i16]) -> Vec<i16> {
    down((rate_hz / (2 * CLOCK_HZ)) as usize, samples)
}

/// Every `step`th of the samples, low-passed.
fn down(step: usize, samples: &[i16]) -> Vec<i16> {
    if step <= 1 {
        return samples.to_vec();
    }
    let taps = low_pass(step);
    let half = taps.len() / 2;
    let mut padded = vec![0.0; half];
    padded.extend(samples.iter().map(|&s| f32::from(s)));
    padded.resize(samples.len() + 2 * half + step, 0.0);
    (0..samples.len().div_ceil(step))
        .map(|n| {
            let window = &padded[n * step..n * step + taps.len()];
            dot(window, &taps).round() as i16
        })
        .collect()
}

/// The sum of the products, in lanes that the machine adds side by side: filtering is most of the
/// time in which prompts load.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_lanes, a_rest) = a.as_chunks::<8>();
    let (b_lanes, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0_f32; 8];
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        sums = std::array::from_fn(|lane| sums[lane] + a[lane] * b[lane]);
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// A Blackman-windowed sinc of unit gain at 0 Hz; odd length.
fn low_pass(step: usize) -> Vec<f32> {
    let length = TAPS_PER_STEP * step + 1;
    let cut_off = CUT_OFF / step as f32;
    let mut taps: Vec<f32> = (0..length)
        .map(|n| {
            let x = n as f32 - (length / 2) as f32;
            let sinc =
                if x == 0.0 { 2.0 * cut_off } else { (2.0 * PI * cut_off * x).sin() / (PI * x) };
            let phase = 2.0 * PI * n as f32 / (length - 1) as f32;
            sinc * (0.42 - 0.5 * phase.cos() + 0.08 * (2.0 * phase).cos())
        })
        .collect();
    let gain: f32 = taps.iter().sum();
    taps.iter_mut().for_each(|tap| *tap /= gain);
    taps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_passes_and_what_would_fold_back_does_not() {
        for rate in [16_000, 48_000] {
            for (hz, least_db, most_db) in
                [(300.0, -0.2, 0.2), (3_000.0, -0.5, 0.2), (4_600.0, -120.0, -50.0)]
            {
                let out = to_8_khz(rate, &sine(hz, rate));
                assert_eq!(out.len(), 8_000);
                let middle = &out[1_000..7_000];
                let power = middle.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / 6_000.0;
                let db = 10.0 * (power / (10_000f64.powi(2) / 2.0)).max(1e-12).log10();
                assert!((least_db..=most_db).contains(&db), "{hz} Hz at {rate}: {db:.1} dB");
            }
        }
    }

    fn sine(hz: f64, rate: u32) -> Vec<i16> {
        let step = std::f64::consts::TAU * hz / f64::from(rate);
        (0..rate).map(|n| (10_000.0 * (step * f64::from(n)).sin()) as i16).collect()
    }
}
