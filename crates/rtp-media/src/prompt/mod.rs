//! The prompt store: sound files loaded once, in the codec forms that calls need.
//!
//! A prompt is shared by reference; playing it copies 160 bytes a frame.

#[cfg(feature = "import")]
pub mod import;
mod resample;
mod set;
mod wav;

pub use set::{PromptError, PromptProblem, PromptSet};
pub use wav::{Sound, WavError, read_wav};

use crate::codec::{CLOCK_HZ, Law};

/// One recording, ready to be sent under either law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The file's path in its language folder, without extension; `/` between folders.
    pub name: Box<str>,
    /// The whole of it in µ-law.
    pub pcmu: Box<[u8]>,
    /// The whole of it in A-law, of the same length.
    pub pcma: Box<[u8]>,
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
            len_ms: (samples.len() as u64 * 1_000 / u64::from(CLOCK_HZ)) as u32,
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
