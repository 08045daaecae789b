//! G.711: 8-bit companded audio at 8 kHz (ITU-T G.711).
//!
//! Everything here is a table look-up; the tables are made by the compiler from the rules of the
//! Recommendation.

use serde::{Deserialize, Serialize};

/// A companding law of G.711.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Law {
    /// µ-law, North America and Japan; static payload type 0.
    Pcmu,
    /// A-law, the rest of the world; static payload type 8.
    Pcma,
}

impl Law {
    /// The static RTP payload type (RFC 3551 §6).
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// The byte that decodes to (nearly) zero.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Pcmu => 0xFF,
            Self::Pcma => 0xD5,
        }
    }

    /// The 16-bit linear sample of a byte.
    pub fn decode(self, byte: u8) -> i16 {
        self.decoder()[usize::from(byte)]
    }

    /// All 256 linear samples, for loops.
    pub fn decoder(self) -> &'static [i16; 256] {
        match self {
            Self::Pcmu => &ULAW,
            Self::Pcma => &ALAW,
        }
    }

    /// The byte nearest to a 16-bit linear sample. For load time: a search, not a table.
    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Pcmu => encode_ulaw(sample),
            Self::Pcma => encode_alaw(sample),
        }
    }

    /// The table that turns this law's bytes into `other`'s; `None` when they are the same.
    pub fn converter(self, other: Self) -> Option<&'static [u8; 256]> {
        match (self, other) {
            (Self::Pcmu, Self::Pcma) => Some(&ULAW_TO_ALAW),
            (Self::Pcma, Self::Pcmu) => Some(&ALAW_TO_ULAW),
            (Self::Pcmu, Self::Pcmu) | (Self::Pcma, Self::Pcma) => None,
        }
    }
}

static ULAW: [i16; 256] = decoder_table(Law::Pcmu);
static ALAW: [i16; 256] = decoder_table(Law::Pcma);
static ULAW_TO_ALAW: [u8; 256] = converter_table(&ULAW, Law::Pcma);
static ALAW_TO_ULAW: [u8; 256] = converter_table(&ALAW, Law::Pcmu);

const fn decoder_table(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match law {
            Law::Pcmu => decode_ulaw(byte as u8),
            Law::Pcma => decode_alaw(byte as u8),
        };
        byte += 1;
    }
    table
}

const fn converter_table(from: &[i16; 256], to: Law) -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match to {
            Law::Pcmu => encode_ulaw(from[byte]),
            Law::Pcma => encode_alaw(from[byte]),
        };
        byte += 1;
    }
    table
}

/// µ-law carries 14-bit samples: the decision bias is 33, or 132 at 16 bits.
const ULAW_BIAS: i32 = 132;
const ULAW_CLIP: i32 = 32_635;

const fn decode_ulaw(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = ((((byte & 0x0F) as i32) << 3) + ULAW_BIAS) << ((byte >> 4) & 7);
    let magnitude = magnitude - ULAW_BIAS;
    if byte & 0x80 != 0 { -magnitude as i16 } else { magnitude as i16 }
}

const fn encode_ulaw(sample: i16) -> u8 {
    // The negative half is mirrored about -1/2, as in the reference of ITU-T G.191.
    let (sign, mut magnitude) =
        if sample < 0 { (0x80, !sample as i32) } else { (0, sample as i32) };
    if magnitude > ULAW_CLIP {
        magnitude = ULAW_CLIP;
    }
    let biased = magnitude + ULAW_BIAS;
    // The bias makes bit 7 the lowest possible leading bit; it is segment 0.
    let segment = 31 - biased.leading_zeros() - 7;
    let mantissa = (biased >> (segment + 3)) & 0x0F;
    !(sign | ((segment as u8) << 4) | mantissa as u8)
}

const fn decode_alaw(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let mantissa = ((byte & 0x0F) as i32) << 4;
    let segment = (byte >> 4) & 7;
    let magnitude = if segment == 0 { mantissa + 8 } else { (mantissa + 0x108) << (segment - 1) };
    if byte & 0x80 != 0 { magnitude as i16 } else { -magnitude as i16 }
}

const fn encode_alaw(sample: i16) -> u8 {
    // Thirteen bits; the negative half is mirrored about -1/2.
    let shifted = (sample as i32) >> 3;
    let (sign, magnitude) = if shifted >= 0 { (0x80, shifted) } else { (0, -shifted - 1) };
    let byte = if magnitude < 32 {
        magnitude >> 1
    } else {
        let segment = 31 - magnitude.leading_zeros() - 4;
        ((segment as i32) << 4) | ((magnitude >> segment) & 0x0F)
    };
    (sign | byte as u8) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of ITU-T G.711 tables 1a–2b, scaled to 16 bits (character signal, decoder output).
    #[test]
    fn decoder_values_are_those_of_the_recommendation() {
        let ulaw = [
            (0x80, 32_124),
            (0x8F, 16_764),
            (0x90, 15_996),
            (0x9F, 8_316),
            (0xA0, 7_932),
            (0xB0, 3_900),
            (0xC0, 1_884),
            (0xD0, 876),
            (0xE0, 372),
            (0xF0, 120),
            (0xFE, 8),
            (0xFF, 0),
            (0x7F, 0),
            (0x7E, -8),
            (0x00, -32_124),
            (0x0F, -16_764),
        ];
        for (byte, sample) in ulaw {
            assert_eq!(Law::Pcmu.decode(byte), sample, "µ-law {byte:#04x}");
        }
        let alaw = [
            (0xAA, 32_256),
            (0xA5, 16_896),
            (0xD5, 8),
            (0xD4, 24),
            (0x55, -8),
            (0x54, -24),
            (0x2A, -32_256),
            (0xC5, 264),
            (0xC0, 344),
            (0xF5, 528),
            (0x95, 2_112),
            (0x85, 4_224),
        ];
        for (byte, sample) in alaw {
            assert_eq!(Law::Pcma.decode(byte), sample, "A-law {byte:#04x}");
        }
    }

    #[test]
    fn both_laws_agree_with_an_independent_implementation() {
        use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};
        for byte in 0..=255 {
            assert_eq!(Law::Pcmu.decode(byte), decode_ulaw(byte), "µ-law {byte:#04x}");
            assert_eq!(Law::Pcma.decode(byte), decode_alaw(byte), "A-law {byte:#04x}");
        }
        for sample in i16::MIN..=i16::MAX {
            assert_eq!(Law::Pcmu.encode(sample), encode_ulaw(sample), "µ-law {sample}");
            assert_eq!(Law::Pcma.encode(sample), encode_alaw(sample), "A-law {sample}");
        }
    }

    #[test]
    fn every_byte_survives_decoding_and_encoding() {
        for law in [Law::Pcmu, Law::Pcma] {
            for byte in 0..=255u8 {
                let again = law.encode(law.decode(byte));
                // µ-law has two zeros; the positive one is written.
                let expected = if law == Law::Pcmu && byte == 0x7F { 0xFF } else { byte };
                assert_eq!(again, expected, "{law:?} {byte:#04x}");
            }
        }
    }

    #[test]
    fn encoding_is_monotonic_and_within_half_a_step() {
        for law in [Law::Pcmu, Law::Pcma] {
            let mut last = i16::MIN;
            for sample in i16::MIN..=i16::MAX {
                let out = law.decode(law.encode(sample));
                assert!(out >= last, "{law:?} at {sample}");
                last = out;
                let clipped = i32::from(sample).clamp(-32_635, 32_635);
                let error = (i32::from(out) - clipped).abs();
                assert!(error <= 16 + clipped.abs() / 16, "{law:?} {sample} → {out}");
            }
        }
    }

    #[test]
    fn laws_convert_through_linear() {
        let table = Law::Pcmu.converter(Law::Pcma).unwrap();
        assert_eq!(Law::Pcma.decode(table[0x80]), 32_256, "loudest");
        assert_eq!(table[0xFF], Law::Pcma.silence());
        assert_eq!(Law::Pcma.converter(Law::Pcmu).unwrap()[0xD5], 0xFE, "8 has its own byte");
        assert!(Law::Pcmu.converter(Law::Pcmu).is_none());
    }
}
