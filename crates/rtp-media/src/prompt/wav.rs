//! Reads WAV files: linear PCM through hound, G.711 by ourselves (hound does not know it).

use std::io::{self, Cursor};

use crate::codec::Law;

/// Decoded sound: mono, 16-bit linear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// Samples in a second: 8,000, 16,000 or 48,000.
    pub rate_hz: u32,
    /// The samples.
    pub samples: Vec<i16>,
}

/// Why bytes are not a sound file that a prompt may be.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// Not RIFF/WAVE, or cut off inside its headers.
    #[error("not a WAV file, or cut off")]
    NotWav,
    /// Hound cannot read it.
    #[error("not readable as WAV: {0}")]
    Format(hound::Error),
    /// Channels in the file; one is needed.
    #[error("{0} channels; a prompt is mono")]
    NotMono(u16),
    /// A rate, in hertz, that we do not play.
    #[error("{0} Hz; a prompt has 8,000, 16,000 or 48,000 Hz")]
    Rate(u32),
    /// There is no sound in it.
    #[error("no samples in it")]
    Empty,
}

/// Decodes a mono WAV file of 8, 16 or 48 kHz: PCM of 8–32 bits, float, µ-law or A-law.
///
/// # Errors
/// What is wrong with it.
pub fn read_wav(bytes: &[u8]) -> Result<Sound, WavError> {
    let (tag, rate_hz, _) = format(bytes)?;
    // WAVE_FORMAT_ALAW and _MULAW.
    let samples = match tag {
        6 => decode_g711(bytes, Law::Pcma)?,
        7 => decode_g711(bytes, Law::Pcmu)?,
        _ => decode_pcm(bytes).map_err(WavError::Format)?,
    };
    if samples.is_empty() { Err(WavError::Empty) } else { Ok(Sound { rate_hz, samples }) }
}

/// The rate in hertz of such a file and how many samples it has, by its headers where they tell.
pub(super) fn length(bytes: &[u8]) -> Result<(u32, usize), WavError> {
    let (tag, rate_hz, bits) = format(bytes)?;
    let body = find_chunk(bytes, b"data").filter(|body| !body.is_empty());
    match body {
        Some(body) if tag == 1 && bits == 16 => Ok((rate_hz, body.len() / 2)),
        _ => read_wav(bytes).map(|sound| (rate_hz, sound.samples.len())),
    }
}

/// Its format's tag, its rate in hertz, and the bits of a sample.
fn format(bytes: &[u8]) -> Result<(u16, u32, u16), WavError> {
    let format =
        find_chunk(bytes, b"fmt ").filter(|body| body.len() >= 16).ok_or(WavError::NotWav)?;
    let word = |at: usize| u16::from_le_bytes([format[at], format[at + 1]]);
    let (tag, channels, bits) = (word(0), word(2), word(14));
    let rate_hz = u32::from_le_bytes([format[4], format[5], format[6], format[7]]);
    if channels != 1 {
        return Err(WavError::NotMono(channels));
    }
    if ![8_000, 16_000, 48_000].contains(&rate_hz) {
        return Err(WavError::Rate(rate_hz));
    }
    Ok((tag, rate_hz, bits))
}

fn decode_g711(bytes: &[u8], law: Law) -> Result<Vec<i16>, WavError> {
    let body = find_chunk(bytes, b"data").ok_or(WavError::NotWav)?;
    Ok(body.iter().map(|&byte| law.decode(byte)).collect())
}

fn decode_pcm(bytes: &[u8]) -> Result<Vec<i16>, hound::Error> {
    let mut reader = hound::WavReader::new(Cursor::new(bytes))?;
    let spec = reader.spec();
    match spec.sample_format {
        hound::SampleFormat::Float => {
            let to_16 = |x: Result<f32, _>| x.map(|x| (x.clamp(-1.0, 1.0) * 32_767.0) as i16);
            reader.samples::<f32>().map(to_16).collect()
        }
        hound::SampleFormat::Int if spec.bits_per_sample == 16 => {
            // Sample by sample through the reader, this is a fifth of the time of a start.
            let length = 2 * reader.len() as usize;
            let begin = reader.into_inner().position() as usize;
            let body = bytes.get(begin..).and_then(|rest| rest.get(..length));
            let cut_off = || hound::Error::IoError(io::ErrorKind::UnexpectedEof.into());
            let pairs = body.ok_or_else(cut_off)?.chunks_exact(2);
            Ok(pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
        }
        hound::SampleFormat::Int => {
            let bits = u32::from(spec.bits_per_sample);
            let to_16 = |x: i32| if bits > 16 { x >> (bits - 16) } else { x << (16 - bits) };
            reader.samples::<i32>().map(|x| x.map(|x| to_16(x) as i16)).collect()
        }
    }
}

/// The body of the first chunk of that name, or what is there of it.
fn find_chunk<'a>(bytes: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    if bytes.get(..4)? != b"RIFF" || bytes.get(8..12)? != b"WAVE" {
        return None;
    }
    let mut at = 12;
    loop {
        let header = bytes.get(at..at + 8)?;
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let body = &bytes[at + 8..];
        if header.starts_with(name) {
            return Some(&body[..length.min(body.len())]);
        }
        // Chunks are padded to even lengths.
        at = at.checked_add(8)?.checked_add(length)?.checked_add(length & 1)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g711_files_are_read_although_hound_cannot() {
        for (tag, law) in [(6u16, Law::Pcma), (7, Law::Pcmu)] {
            let sound = read_wav(&g711_file(tag, 1, 8_000, &[0x00, 0x80, 0xD5])).unwrap();
            let expected: Vec<i16> =
                [0x00, 0x80, 0xD5].into_iter().map(|b| law.decode(b)).collect();
            assert_eq!(sound, Sound { rate_hz: 8_000, samples: expected });
        }
    }

    #[test]
    fn what_cannot_be_a_prompt_is_refused_with_the_reason() {
        let error = |bytes: &[u8]| read_wav(bytes).unwrap_err().to_string();
        assert!(error(&g711_file(6, 2, 8_000, &[1, 2])).contains("2 channels"));
        assert!(error(&g711_file(6, 1, 11_025, &[1, 2])).contains("11025 Hz"));
        assert!(error(&g711_file(7, 1, 8_000, &[])).contains("no samples"));
        assert!(error(b"ID3\x04").contains("not a WAV file"));
    }

    #[test]
    fn no_bytes_make_the_reader_panic() {
        bolero::check!().for_each(|bytes: &[u8]| {
            let _ = read_wav(bytes);
        });
    }

    fn g711_file(tag: u16, channels: u16, rate_hz: u32, data: &[u8]) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WAVEfmt \x12\0\0\0".to_vec();
        file.extend(tag.to_le_bytes());
        file.extend(channels.to_le_bytes());
        file.extend(rate_hz.to_le_bytes());
        file.extend(rate_hz.to_le_bytes());
        file.extend([1, 0, 8, 0, 0, 0]);
        file.extend(b"data");
        file.extend((data.len() as u32).to_le_bytes());
        file.extend(data);
        file
    }
}
