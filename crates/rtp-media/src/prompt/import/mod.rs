//! Turns a recording of any kind into a prompt's master: mono, at one level, without dead air.
//!
//! [`import`] takes WAV, FLAC, MP3 or Ogg Vorbis at any rate, and refuses what would be heard as a
//! fault on the telephone: silence, clipping, truncated files, sounds too short or too long. It
//! runs when an operator loads prompts, never during a call.

mod decode;
mod fragments;
mod level;
mod resample;
mod trim;

use std::{io::Write, path::Path};

use crate::codec::CLOCK_HZ;

pub use decode::DecodeError;
pub use fragments::{FRAGMENT_MIN_MS, import_fragments};

/// Loudness of a master, in LUFS (EBU R128). It puts speech near the active level of -26 dBov
/// that telephone networks are planned for (ITU-T P.56).
pub const TARGET_LUFS: f64 = -23.0;
/// True peak that a master does not pass, in dBTP.
pub const MAX_PEAK_DB: f64 = -2.0;
/// Shortest prompt, in ms.
pub const MIN_MS: u32 = 200;
/// Longest prompt, in ms.
pub const MAX_MS: u32 = 60_000;

/// A prompt's master and what was done to get it.
#[derive(Debug, Clone, PartialEq)]
pub struct Master {
    /// 16-bit linear PCM, mono.
    pub samples: Vec<i16>,
    /// 16,000 or 48,000 Hz: the higher one where the recording has at least 44,100. Fragments,
    /// which are many, have the 8,000 Hz of the line.
    pub rate_hz: u32,
    /// Measurements.
    pub report: Report,
}

/// What an import found and changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// Rate of the recording, in Hz.
    pub source_rate_hz: u32,
    /// Channels of the recording.
    pub source_channels: u16,
    /// Dead air cut at the start, in ms.
    pub cut_start_ms: u32,
    /// Dead air cut at the end, in ms.
    pub cut_end_ms: u32,
    /// Loudness of the recording once trimmed, in LUFS.
    pub source_lufs: f64,
    /// Loudness of the master, in LUFS. Below the target only where the peak does not allow more.
    pub lufs: f64,
    /// Length of the master, in ms.
    pub len_ms: u32,
}

/// Why a recording can't be a prompt.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file can't be read.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The file is no sound, or a broken one.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Nothing can be heard.
    #[error("is silent (the loudest part is at {loudest_db:.0} dBFS)")]
    Silent {
        /// RMS of the loudest 10 ms, in dBFS.
        loudest_db: f64,
    },
    /// The recording was too loud for its format; what is lost can't be mended.
    #[error(
        "is clipped in {runs} places, first at {first_ms} ms: record it again at a lower level"
    )]
    Clipped {
        /// Runs of samples at full scale.
        runs: usize,
        /// Where the first one is, in ms.
        first_ms: u32,
    },
    /// Shorter than [`MIN_MS`] or [`FRAGMENT_MIN_MS`] once trimmed: both in ms.
    #[error("is {0} ms long; a prompt has at least {1} ms")]
    TooShort(u32, u32),
    /// Longer than [`MAX_MS`] once trimmed.
    #[error("is {0} ms long; a prompt has at most {MAX_MS} ms: split it")]
    TooLong(u32),
    /// The resampler refused the rate.
    #[error("cannot be resampled from {0} Hz")]
    Rate(u32),
}

/// Returns the master made from the recording at `path`.
pub fn import(path: &Path) -> Result<Master, ImportError> {
    let bytes = std::fs::read(path)?;
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    import_bytes(bytes, extension)
}

/// Returns the master made from a recording in memory.
///
/// `extension` is a hint, as in `"mp3"`; it may be empty.
pub fn import_bytes(bytes: Vec<u8>, extension: &str) -> Result<Master, ImportError> {
    let sound = decode::decode(bytes, extension)?;
    let (source_rate_hz, source_channels) = (sound.rate_hz, sound.channels);
    level::refuse_clipping(&sound)?;
    let mono = sound.into_mono();
    let kept = trim::speech(&mono, source_rate_hz, &trim::ALONE)?;
    let cut_start_ms = to_ms(kept.start, source_rate_hz);
    let cut_end_ms = to_ms(mono.len() - kept.end, source_rate_hz);
    let len_ms = to_ms(kept.len(), source_rate_hz);
    match len_ms {
        0..MIN_MS => return Err(ImportError::TooShort(len_ms, MIN_MS)),
        MIN_MS..=MAX_MS => {}
        _ => return Err(ImportError::TooLong(len_ms)),
    }
    let rate_hz = if source_rate_hz >= 44_100 { 48_000 } else { 16_000 };
    let mut samples = resample::resample(&mono[kept], source_rate_hz, rate_hz)?;
    let source_lufs = level::loudness(&samples, rate_hz);
    let lufs = level::bring_to_target(&mut samples, rate_hz, source_lufs);
    trim::soften_ends(&mut samples, rate_hz);
    let samples = to_16_bits(&samples);
    let report = Report {
        source_rate_hz,
        source_channels,
        cut_start_ms,
        cut_end_ms,
        source_lufs,
        lufs,
        len_ms,
    };
    Ok(Master { samples, rate_hz, report })
}

/// Returns the loudness of 16-bit mono samples, in LUFS.
pub fn measure(samples: &[i16], rate_hz: u32) -> f64 {
    let samples: Vec<f32> = samples.iter().map(|&s| f32::from(s) / 32_768.0).collect();
    level::loudness(&samples, rate_hz)
}

impl Master {
    /// A pause between fragments.
    pub fn silence(len_ms: u32) -> Self {
        let report = Report {
            source_rate_hz: CLOCK_HZ,
            source_channels: 1,
            cut_start_ms: 0,
            cut_end_ms: 0,
            source_lufs: f64::NEG_INFINITY,
            lufs: f64::NEG_INFINITY,
            len_ms,
        };
        let samples = vec![0; (len_ms * (CLOCK_HZ / 1_000)) as usize];
        Self { samples, rate_hz: CLOCK_HZ, report }
    }

    /// Writes the master as a WAV file; a half-written file is never left at `path`.
    pub fn write_wav(&self, path: &Path) -> Result<(), ImportError> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: self.rate_hz,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut wav = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut wav, spec).map_err(from_hound)?;
        for &sample in &self.samples {
            writer.write_sample(sample).map_err(from_hound)?;
        }
        writer.finalize().map_err(from_hound)?;
        let unfinished = path.with_extension("wav.part");
        let mut file = std::fs::File::create(&unfinished)?;
        file.write_all(wav.get_ref())?;
        file.sync_all()?;
        std::fs::rename(&unfinished, path)?;
        Ok(())
    }
}

fn from_hound(error: hound::Error) -> ImportError {
    ImportError::Io(std::io::Error::other(error))
}

fn to_16_bits(samples: &[f32]) -> Vec<i16> {
    samples.iter().map(|&s| (f64::from(s) * 32_767.0).round() as i16).collect()
}

fn to_ms(samples: usize, rate_hz: u32) -> u32 {
    u32::try_from(samples as u64 * 1000 / u64::from(rate_hz)).unwrap_or(u32::MAX)
}
