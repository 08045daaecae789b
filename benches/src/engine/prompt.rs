//! Prompts of a plain tone.

/// Just below the longest that the engine loads, so that a call hears sound as long as it is
/// measured.
pub const LONG_SECONDS: u32 = 59;
const HZ: u32 = 8_000;

/// A WAV file of a plain tone.
pub fn tone(hz: f32, seconds: u32) -> Vec<u8> {
    let bytes = seconds * HZ * 2;
    let mut wav = Vec::with_capacity(44 + bytes as usize);
    wav.extend(b"RIFF");
    wav.extend((36 + bytes).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16u32.to_le_bytes());
    wav.extend(1u16.to_le_bytes()); // linear
    wav.extend(1u16.to_le_bytes()); // mono
    wav.extend(HZ.to_le_bytes());
    wav.extend((HZ * 2).to_le_bytes());
    wav.extend(2u16.to_le_bytes());
    wav.extend(16u16.to_le_bytes());
    wav.extend(b"data");
    wav.extend(bytes.to_le_bytes());
    for n in 0..seconds * HZ {
        let phase = std::f32::consts::TAU * hz * n as f32 / HZ as f32;
        wav.extend(((phase.cos() * 6_000.0) as i16).to_le_bytes());
    }
    wav
}
