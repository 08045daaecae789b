//! Files to samples: WAV by hound (so that broken headers are told from short files), the rest by
//! symphonia.

use std::io::Cursor;

use symphonia::core::{
    audio::sample::Sample as _,
    codecs::audio::AudioDecoderOptions,
    errors::Error,
    formats::{FormatOptions, TrackType, probe::Hint},
    io::MediaSourceStream,
    meta::MetadataOptions,
};

/// More than this is not decoded, in minutes: what is left after trimming can't be a prompt.
const MAX_MINUTES: u64 = 10;

/// Why a file is not a sound that can be read whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// An empty file.
    #[error("is empty")]
    Empty,
    /// No format we know.
    #[error("is no WAV, FLAC, MP3 or Ogg Vorbis sound ({0})")]
    Unknown(String),
    /// The header contradicts itself or the file.
    #[error("has a broken header: {0}")]
    Header(String),
    /// The file ends before its sound does.
    #[error("is truncated: its header promises {promised} samples, {found} are there")]
    Truncated {
        /// Samples per channel by the header.
        promised: u64,
        /// Samples per channel in the file.
        found: u64,
    },
    /// The data is damaged.
    #[error("is damaged: {0}")]
    Damaged(String),
    /// Too long to be looked at.
    #[error("is longer than {MAX_MINUTES} minutes")]
    Endless,
}

/// A decoded file.
pub(super) struct Sound {
    /// Interleaved, full scale is ±1.
    pub interleaved: Vec<f32>,
    /// 1 or more.
    pub channels: u16,
    /// At least 1,000.
    pub rate_hz: u32,
}

pub(super) fn decode(bytes: Vec<u8>, extension: &str) -> Result<Sound, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    let sound = if bytes.starts_with(b"RIFF") && !is_companded(&bytes) {
        decode_wav(&bytes)?
    } else {
        decode_other(bytes, extension)?
    };
    if sound.channels == 0 || !(1_000..=384_000).contains(&sound.rate_hz) {
        let (channels, rate) = (sound.channels, sound.rate_hz);
        return Err(DecodeError::Header(format!("{channels} channels at {rate} Hz")));
    }
    Ok(sound)
}

/// G.711 in WAV, which hound does not read. The format tag is the first field of `fmt `.
fn is_companded(bytes: &[u8]) -> bool {
    let fmt = bytes.windows(4).take(512).position(|w| w == b"fmt ");
    let tag = fmt.and_then(|at| bytes.get(at + 8..at + 10));
    matches!(tag, Some([6 | 7, 0]))
}

fn decode_wav(bytes: &[u8]) -> Result<Sound, DecodeError> {
    let reader = hound::WavReader::new(Cursor::new(bytes)).map_err(|error| match error {
        hound::Error::FormatError(what) => DecodeError::Header(what.to_owned()),
        hound::Error::Unsupported => {
            DecodeError::Unknown("a WAV codec other than PCM, float and G.711".to_owned())
        }
        other => DecodeError::Header(other.to_string()),
    })?;
    let spec = reader.spec();
    let promised = u64::from(reader.duration());
    refuse_endless(promised, spec.sample_rate)?;
    let mut interleaved = Vec::with_capacity(reader.len() as usize);
    let ended = match spec.sample_format {
        hound::SampleFormat::Float => collect(reader.into_samples::<f32>(), &mut interleaved, 1.0),
        hound::SampleFormat::Int => {
            let scale = 2f32.powi(1 - i32::from(spec.bits_per_sample));
            collect(reader.into_samples::<i32>(), &mut interleaved, scale)
        }
    };
    let found = (interleaved.len() / usize::from(spec.channels.max(1))) as u64;
    if !ended || found < promised {
        return Err(DecodeError::Truncated { promised, found });
    }
    Ok(Sound { interleaved, channels: spec.channels, rate_hz: spec.sample_rate })
}

/// A sample that becomes `f32` with a loss that does not matter here.
trait Scaled {
    fn scaled(self, scale: f32) -> f32;
}
impl Scaled for f32 {
    fn scaled(self, scale: f32) -> f32 {
        // NaN would poison every measurement that follows.
        if self.is_finite() { self * scale } else { 0.0 }
    }
}
impl Scaled for i32 {
    fn scaled(self, scale: f32) -> f32 {
        self as f32 * scale
    }
}

/// Returns whether all samples were there.
fn collect<S: Scaled>(
    samples: impl Iterator<Item = Result<S, hound::Error>>,
    into: &mut Vec<f32>,
    scale: f32,
) -> bool {
    for sample in samples {
        match sample {
            Ok(sample) => into.push(sample.scaled(scale)),
            Err(_) => return false,
        }
    }
    true
}

fn decode_other(bytes: Vec<u8>, extension: &str) -> Result<Sound, DecodeError> {
    let mut hint = Hint::new();
    hint.with_extension(extension);
    let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(|error| DecodeError::Unknown(error.to_string()))?;
    let unknown = || DecodeError::Unknown("no sound track in it".to_owned());
    let track = format.default_track(TrackType::Audio).ok_or_else(unknown)?;
    let (track_id, promised) = (track.id, track.num_frames);
    let parameters = track.codec_params.as_ref().and_then(|p| p.audio()).ok_or_else(unknown)?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(|error| DecodeError::Unknown(error.to_string()))?;
    let mut sound = Sound { interleaved: Vec::new(), channels: 0, rate_hz: 0 };
    let (mut packet_samples, mut bad_packets) = (Vec::<f32>::new(), 0);
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // The end inside a packet; whether anything is missing is judged below.
            Err(Error::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                break;
            }
            Err(error) => return Err(DecodeError::Damaged(error.to_string())),
        };
        if packet.track_id != track_id {
            continue;
        }
        match decoder.decode(&packet) {
            Ok(buffer) => {
                sound.channels = buffer.spec().channels().count() as u16;
                sound.rate_hz = buffer.spec().rate();
                packet_samples.resize(buffer.samples_interleaved(), f32::MID);
                buffer.copy_to_slice_interleaved(&mut packet_samples);
                sound.interleaved.extend(packet_samples.iter().map(|s| s.scaled(1.0)));
            }
            // MP3 begins and ends with frames that lack their reservoir.
            Err(Error::DecodeError(_)) if bad_packets < 2 => bad_packets += 1,
            Err(error) => return Err(DecodeError::Damaged(error.to_string())),
        }
        refuse_endless(sound.frames(), sound.rate_hz)?;
    }
    let found = sound.frames();
    if found == 0 {
        return Err(DecodeError::Damaged("no sound could be decoded".to_owned()));
    }
    match promised {
        // Encoder delay and padding may make up two frames of 1,152 samples.
        Some(promised) if found + 2_304 < promised => {
            Err(DecodeError::Truncated { promised, found })
        }
        _ => Ok(sound),
    }
}

fn refuse_endless(frames: u64, rate_hz: u32) -> Result<(), DecodeError> {
    let limit = u64::from(rate_hz.max(1)) * 60 * MAX_MINUTES;
    if frames > limit { Err(DecodeError::Endless) } else { Ok(()) }
}

impl Sound {
    fn frames(&self) -> u64 {
        (self.interleaved.len() / usize::from(self.channels.max(1))) as u64
    }

    /// Mixes the channels; keeps the louder one where they cancel each other out.
    pub(super) fn into_mono(self) -> Vec<f32> {
        let channels = usize::from(self.channels);
        if channels == 1 {
            return self.interleaved;
        }
        let mix: Vec<f32> = self
            .interleaved
            .chunks_exact(channels)
            .map(|frame| frame.iter().sum::<f32>() / channels as f32)
            .collect();
        let channel = |c: usize| self.interleaved.iter().skip(c).step_by(channels).copied();
        let energy = |samples: &mut dyn Iterator<Item = f32>| -> f64 {
            samples.map(|s| f64::from(s) * f64::from(s)).sum()
        };
        let loudest =
            (0..channels).map(|c| (c, energy(&mut channel(c)))).max_by(|a, b| a.1.total_cmp(&b.1));
        let mixed = energy(&mut mix.iter().copied());
        match loudest {
            // One channel alone is left with 1/N² of its energy; a quarter of that is cancellation.
            Some((c, alone)) if mixed * (4 * channels * channels) as f64 <= alone => {
                channel(c).collect()
            }
            _ => mix,
        }
    }
}
