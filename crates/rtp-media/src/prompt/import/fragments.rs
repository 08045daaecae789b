//! Fragments: short pieces that are joined without a gap into sentences.

use super::{ImportError, Master, Report, decode, level, resample, to_16_bits, to_ms, trim};
use crate::codec::CLOCK_HZ;

/// Shortest fragment, in ms.
pub const FRAGMENT_MIN_MS: u32 = 50;

/// A recording that was decoded and trimmed.
struct Piece {
    samples: Vec<f32>,
    report: Report,
}

/// Returns the masters of `recordings`, sound files that are to be joined in any order; each
/// that can't be a fragment with the reason.
///
/// They are trimmed close to the sound and brought to the target loudness together, by one gain:
/// each for itself, a soft word would come out as loud as a sharp one.
pub fn import_fragments(recordings: Vec<Vec<u8>>) -> Vec<Result<Master, ImportError>> {
    let pieces: Vec<_> = recordings.into_iter().map(piece).collect();
    let mut all: Vec<f32> =
        pieces.iter().flatten().flat_map(|piece| &piece.samples).copied().collect();
    let source_lufs = level::loudness(&all, CLOCK_HZ);
    let lufs = level::bring_to_target(&mut all, CLOCK_HZ, source_lufs);
    let mut rest = &mut all[..];
    let mut master = |piece: Piece| {
        let (samples, after) = std::mem::take(&mut rest).split_at_mut(piece.samples.len());
        rest = after;
        trim::soften_ends(samples, CLOCK_HZ);
        let report = Report { source_lufs, lufs, ..piece.report };
        Master { samples: to_16_bits(samples), rate_hz: CLOCK_HZ, report }
    };
    pieces.into_iter().map(|piece| piece.map(&mut master)).collect()
}

fn piece(bytes: Vec<u8>) -> Result<Piece, ImportError> {
    let sound = decode::decode(bytes, "")?;
    let (source_rate_hz, source_channels) = (sound.rate_hz, sound.channels);
    level::refuse_clipping(&sound)?;
    let mono = sound.into_mono();
    let kept = trim::speech(&mono, source_rate_hz, &trim::JOINED)?;
    let len_ms = to_ms(kept.len(), source_rate_hz);
    if len_ms < FRAGMENT_MIN_MS {
        return Err(ImportError::TooShort(len_ms, FRAGMENT_MIN_MS));
    }
    let report = Report {
        source_rate_hz,
        source_channels,
        cut_start_ms: to_ms(kept.start, source_rate_hz),
        cut_end_ms: to_ms(mono.len() - kept.end, source_rate_hz),
        source_lufs: 0.0,
        lufs: 0.0,
        len_ms,
    };
    let samples = resample::resample(&mono[kept], source_rate_hz, CLOCK_HZ)?;
    Ok(Piece { samples, report })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_are_cut_close_and_keep_their_levels_among_each_other() {
        let made = import_fragments(vec![tone(0.4, 300), tone(0.0, 300), tone(0.1, 300)]);
        assert!(matches!(made[1], Err(ImportError::Silent { .. })));
        let made: Vec<Master> = made.into_iter().flatten().collect();
        let peak = |at: usize| made[at].samples.iter().map(|s| s.unsigned_abs()).max().unwrap();
        let ratio = f64::from(peak(0)) / f64::from(peak(1));
        assert!((3.8..4.2).contains(&ratio), "{ratio}");
        for master in &made {
            assert_eq!(master.rate_hz, 8_000);
            // The tone, and 10 ms on either side.
            let len = master.samples.len();
            assert!((2_400..=2_650).contains(&len), "{len}");
            assert_eq!((master.samples[0], master.samples[len - 1]), (0, 0));
        }
        let all: Vec<i16> = made.iter().flat_map(|master| &master.samples).copied().collect();
        assert!((super::super::measure(&all, 8_000) - super::super::TARGET_LUFS).abs() < 1.0);
    }

    /// A tone in half a second of silence on either side, as a WAV file.
    fn tone(amplitude: f32, len_ms: u32) -> Vec<u8> {
        let mut wav = std::io::Cursor::new(Vec::new());
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::new(&mut wav, spec).unwrap();
        for n in 0..16_000 + len_ms * 16 {
            let within = (8_000..8_000 + len_ms * 16).contains(&n);
            let sample = amplitude * (n as f32 * 0.3).sin() * f32::from(i16::MAX);
            writer.write_sample(if within { sample as i16 } else { 0 }).unwrap();
        }
        writer.finalize().unwrap();
        wav.into_inner()
    }
}
