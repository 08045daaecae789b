//! The prompt store: sound files loaded once, in the codec forms that calls need.
//!
//! A prompt is shared by reference; playing it copies 160 bytes a frame.

#[cfg(feature = "import")]
pub mod import;
mod resample;
mod set;
mod wav;

pub use set::{LoadedFile, PromptError, PromptProblem, PromptSet};
pub use wav::{Sound, WavError, read_wav};

use std::sync::OnceLock;

use crate::codec::{CLOCK_HZ, Codec, Law, g722};

/// One recording, ready to be sent under either law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The file's path in its language folder, without extension; `/` between folders.
    pub name: Box<str>,
    /// The whole of it in µ-law.
    pub pcmu: Box<[u8]>,
    /// The whole of it in A-law, of the same length.
    pub pcma: Box<[u8]>,
    /// The whole of it in G.722, of the same length, once it was [`widen`](Self::widen)ed.
    pub g722: OnceLock<Box<[u8]>>,
    /// Its length in milliseconds, rounded down.
    pub len_ms: u32,
}

impl Prompt {
    /// Makes a prompt from 16-bit linear samples at 8 kHz.
    pub fn from_samples(name: &str, samples: &[i16]) -> Self {
        let coded = |law: Law| samples.iter().map(|&sample| law.encode(sample)).collect();
        Self {
            name: name.into(),
            pcmu: coded(Law::Pcmu),
            pcma: coded(Law::Pcma),
            g722: OnceLock::new(),
            len_ms: (samples.len() as u64 * 1_000 / u64::from(CLOCK_HZ)) as u32,
        }
    }

    /// Makes the form in G.722 from the sound that the prompt was made of, unless it is there. Takes
    /// some milliseconds for a second of sound; calls may play the prompt meanwhile.
    pub fn widen(&self, sound: &Sound) {
        self.g722.get_or_init(|| {
            let mut encoder = g722::Encoder::default();
            let mut bytes: Vec<u8> = if sound.rate_hz <= CLOCK_HZ {
                sound.samples.iter().map(|&sample| encoder.encode_narrow(sample)).collect()
            } else {
                let samples = resample::to_16_khz(sound.rate_hz, &sound.samples);
                let pairs = samples.chunks(2).map(|pair| [pair[0], *pair.last().unwrap_or(&0)]);
                pairs.map(|pair| encoder.encode(pair)).collect()
            };
            bytes.resize(self.pcmu.len(), g722::SILENCE);
            bytes.into()
        });
    }

    /// Whether it has its form in G.722.
    pub fn is_wide(&self) -> bool {
        self.g722.get().is_some()
    }

    /// The law of the form that stands in for one that was not made.
    pub(crate) const SPARE: Law = Law::Pcmu;

    /// The form for a codec, and whether it is in that codec: else, and where it is to be `narrow`
    /// in G.722, it is under [`SPARE`](Self::SPARE).
    pub(crate) fn form(&self, codec: Codec, narrow: bool) -> (&[u8], bool) {
        match (codec, self.g722.get().filter(|_| !narrow)) {
            (Codec::G711(law), _) => (self.bytes(law), true),
            (Codec::G722, Some(bytes)) => (bytes, true),
            (Codec::G722, None) => (self.bytes(Self::SPARE), false),
        }
    }

    /// The bytes under `law`.
    pub fn bytes(&self, law: Law) -> &[u8] {
        match law {
            Law::Pcmu => &self.pcmu,
            Law::Pcma => &self.pcma,
        }
    }
}
