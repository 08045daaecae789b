//! Loudness and peaks.

use ebur128::{EbuR128, Mode};

use super::{ImportError, MAX_PEAK_DB, TARGET_LUFS, decode::Sound, to_ms};

/// Samples at full scale in a row that mean clipping …
const RUN: usize = 4;
/// … when there are more such runs than this: one pop is no fault of the level.
const RUNS_ALLOWED: usize = 3;
/// What counts as full scale; 8 bits reach 127/128.
const FULL_SCALE: f32 = 0.992;
/// Clips shorter than this are measured as if they were repeated: R128 averages over 400 ms.
const MEASURED_MS: usize = 3_000;

/// Refuses a recording whose tops are cut off.
pub(super) fn refuse_clipping(sound: &Sound) -> Result<(), ImportError> {
    let channels = usize::from(sound.channels);
    let (mut runs, mut first) = (0, None);
    for channel in 0..channels {
        // The sign is kept: a square wave between both rails is two runs.
        let mut length = (false, 0);
        for (at, &s) in sound.interleaved.iter().skip(channel).step_by(channels).enumerate() {
            length = match (s.abs() >= FULL_SCALE, length) {
                (false, _) => (false, 0),
                (true, (positive, n)) if n > 0 && positive == (s > 0.0) => (positive, n + 1),
                (true, _) => (s > 0.0, 1),
            };
            if length.1 == RUN {
                runs += 1;
                first = first.or(Some(at));
            }
        }
    }
    match first {
        Some(at) if runs > RUNS_ALLOWED => {
            Err(ImportError::Clipped { runs, first_ms: to_ms(at, sound.rate_hz) })
        }
        _ => Ok(()),
    }
}

/// Returns integrated loudness, in LUFS; -70 where it can't be measured.
pub(super) fn loudness(mono: &[f32], rate_hz: u32) -> f64 {
    const QUIETEST: f64 = -70.0;
    let Ok(mut meter) = EbuR128::new(1, rate_hz, Mode::I) else { return QUIETEST };
    let enough = MEASURED_MS * rate_hz as usize / 1000;
    let times = if mono.is_empty() { 0 } else { enough.div_ceil(mono.len()).max(1) };
    for _ in 0..times {
        if meter.add_frames_f32(mono).is_err() {
            return QUIETEST;
        }
    }
    meter.loudness_global().ok().filter(|l| l.is_finite()).unwrap_or(QUIETEST)
}

/// Removes a constant offset, brings `mono` to the target loudness as far as its true peak allows,
/// and returns the loudness reached, in LUFS.
pub(super) fn bring_to_target(mono: &mut [f32], rate_hz: u32, lufs: f64) -> f64 {
    let offset = mono.iter().map(|&s| f64::from(s)).sum::<f64>() / mono.len().max(1) as f64;
    let peak = true_peak(mono, rate_hz).max(1e-9);
    let gain_db = (TARGET_LUFS - lufs).min(MAX_PEAK_DB - 20.0 * peak.log10());
    let gain = 10f64.powf(gain_db / 20.0);
    for s in mono {
        *s = ((f64::from(*s) - offset) * gain).clamp(-1.0, 1.0) as f32;
    }
    lufs + gain_db
}

fn true_peak(mono: &[f32], rate_hz: u32) -> f64 {
    let sample_peak = mono.iter().fold(0f32, |peak, s| peak.max(s.abs()));
    let measured = || -> Result<f64, ebur128::Error> {
        let mut meter = EbuR128::new(1, rate_hz, Mode::TRUE_PEAK)?;
        meter.add_frames_f32(mono)?;
        meter.true_peak(0)
    };
    measured().unwrap_or(0.0).max(f64::from(sample_peak))
}
