//! Dead air before and after the words.

use std::ops::Range;

use super::ImportError;

/// A block shorter than this is not worth measuring, in ms.
const BLOCK_MS: usize = 10;
/// The loudest block of a sound that nobody hears, in dBFS.
const SILENT_DB: f64 = -50.0;
/// So much below its loudest block a sound counts as dead air, in dB …
const BELOW_LOUDEST_DB: f64 = 42.0;
/// … but never below this, in dBFS.
const FLOOR_DB: f64 = -66.0;
/// What is kept around the sound, in ms.
pub(super) struct Margins {
    /// Before the first block that counts: soft consonants.
    pub lead_ms: usize,
    /// After the last: the room's decay.
    pub tail_ms: usize,
}
/// Of a sound that stands alone.
pub(super) const ALONE: Margins = Margins { lead_ms: 60, tail_ms: 120 };
/// Of a piece that others follow without a gap.
pub(super) const JOINED: Margins = Margins { lead_ms: 10, tail_ms: 10 };
/// Faded in and out so that the cut can't click, in ms.
const FADE_MS: usize = 4;

/// Returns the part of `mono` that holds the sound.
pub(super) fn speech(
    mono: &[f32],
    rate_hz: u32,
    margins: &Margins,
) -> Result<Range<usize>, ImportError> {
    let per_ms = |ms: usize| ms * rate_hz as usize / 1000;
    let block = per_ms(BLOCK_MS).max(1);
    let levels: Vec<f64> = mono.chunks(block).map(level_db).collect();
    let loudest_db = levels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if loudest_db < SILENT_DB {
        return Err(ImportError::Silent { loudest_db: loudest_db.max(-120.0) });
    }
    let threshold = (loudest_db - BELOW_LOUDEST_DB).max(FLOOR_DB);
    let heard = |level: &f64| *level >= threshold;
    let first = levels.iter().position(heard).unwrap_or(0);
    let last = levels.iter().rposition(heard).unwrap_or(levels.len());
    let start = (first * block).saturating_sub(per_ms(margins.lead_ms));
    let end = ((last + 1) * block + per_ms(margins.tail_ms)).min(mono.len());
    Ok(start..end)
}

/// Fades both ends of a master.
pub(super) fn soften_ends(samples: &mut [f32], rate_hz: u32) {
    let n = (FADE_MS * rate_hz as usize / 1000).min(samples.len() / 2);
    let len = samples.len();
    for i in 0..n {
        let gain = i as f32 / n as f32;
        samples[i] *= gain;
        samples[len - 1 - i] *= gain;
    }
}

/// RMS without the block's mean: a constant offset is no sound.
fn level_db(block: &[f32]) -> f64 {
    let n = block.len() as f64;
    let mean = block.iter().map(|&s| f64::from(s)).sum::<f64>() / n;
    let power = block.iter().map(|&s| (f64::from(s) - mean).powi(2)).sum::<f64>() / n;
    10.0 * power.max(1e-12).log10()
}
