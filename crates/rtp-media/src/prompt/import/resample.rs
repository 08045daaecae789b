//! One rate to another, offline.

use rubato::{Fft, FixedSync, Resampler as _, audioadapter_buffers::direct::SequentialSlice};

use super::ImportError;

/// Samples per step; only sets the filter's sharpness, since whole clips are done at once.
const CHUNK: usize = 1024;

/// Returns `samples` at `to_hz`, band-limited to the lower of the two rates.
pub(super) fn resample(samples: &[f32], from_hz: u32, to_hz: u32) -> Result<Vec<f32>, ImportError> {
    if from_hz == to_hz {
        return Ok(samples.to_vec());
    }
    let refused = || ImportError::Rate(from_hz);
    let mut fft = Fft::<f32>::new(from_hz as usize, to_hz as usize, CHUNK, 1, FixedSync::Both)
        .map_err(|_| refused())?;
    let input = SequentialSlice::new(samples, 1, samples.len()).map_err(|_| refused())?;
    let output = fft.process_all(&input, samples.len(), None).map_err(|_| refused())?;
    Ok(output.take_data())
}
