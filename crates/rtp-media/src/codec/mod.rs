//! Codecs: G.711, and G.722 in two sub-bands. A byte of either is one tick of the 8 kHz clock, so
//! that frames, timestamps and prompts are cut alike.

mod g711;
pub mod g722;

use serde::{Deserialize, Serialize};

pub use g711::Law;

/// Ticks in a second of every codec of this crate.
pub const CLOCK_HZ: u32 = 8_000;
/// Bytes in one 20 ms frame, and ticks.
pub const FRAME: usize = 160;

/// How the audio of a stream is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Codec {
    /// G.711.
    G711(Law),
    /// G.722 at 64 kbit/s; static payload type 9.
    G722,
}

impl From<Law> for Codec {
    fn from(law: Law) -> Self {
        Self::G711(law)
    }
}

impl Codec {
    /// The static RTP payload type (RFC 3551 §6).
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::G711(law) => law.payload_type(),
            Self::G722 => 9,
        }
    }

    /// A byte that is silence, as often as it comes.
    pub const fn silence(self) -> u8 {
        match self {
            Self::G711(law) => law.silence(),
            Self::G722 => g722::SILENCE,
        }
    }
}

/// Turns a stream into 16-bit linear samples at 8 kHz.
#[derive(Debug, Default)]
pub struct Listener {
    /// Made when the first byte of G.722 comes.
    wideband: Option<Box<g722::Decoder>>,
}

impl Listener {
    /// The samples of `bytes`, which are written to the start of `room`; what it has no room for is
    /// left out. No allocation but for the first bytes of G.722.
    pub fn listen<'a>(&mut self, codec: Codec, bytes: &[u8], room: &'a mut [i16]) -> &'a [i16] {
        let count = bytes.len().min(room.len());
        let (samples, bytes) = (&mut room[..count], &bytes[..count]);
        match codec {
            Codec::G711(law) => {
                let table = law.decoder();
                for (sample, &byte) in samples.iter_mut().zip(bytes) {
                    *sample = table[usize::from(byte)];
                }
            }
            Codec::G722 => {
                let decoder = self.wideband.get_or_insert_default();
                for (sample, &byte) in samples.iter_mut().zip(bytes) {
                    *sample = decoder.decode_narrow(byte);
                }
            }
        }
        samples
    }
}

/// Turns the bytes of one codec into those of another, as many.
#[derive(Debug, Clone, Default)]
pub struct Converter {
    /// Made when the first byte of G.722 is to be read or written.
    wideband: Option<Box<Wideband>>,
}

#[derive(Debug, Clone, Default)]
struct Wideband {
    decoder: g722::Decoder,
    encoder: g722::Encoder,
}

impl Converter {
    /// Converts in place. No allocation but for the first bytes of G.722.
    pub fn convert(&mut self, from: Codec, to: Codec, bytes: &mut [u8]) {
        match (from, to) {
            (Codec::G722, Codec::G722) => {}
            (Codec::G711(from), Codec::G711(to)) => {
                if let Some(table) = from.converter(to) {
                    bytes.iter_mut().for_each(|byte| *byte = table[usize::from(*byte)]);
                }
            }
            (Codec::G722, Codec::G711(law)) => {
                let decoder = &mut self.wideband.get_or_insert_default().decoder;
                bytes.iter_mut().for_each(|byte| *byte = law.encode(decoder.decode_narrow(*byte)));
            }
            (Codec::G711(law), Codec::G722) => {
                let encoder = &mut self.wideband.get_or_insert_default().encoder;
                bytes.iter_mut().for_each(|byte| *byte = encoder.encode_narrow(law.decode(*byte)));
            }
        }
    }
}
