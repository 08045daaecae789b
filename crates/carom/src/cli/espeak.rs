//! Speech by espeak-ng, which is run and never linked.

use std::process::Command;

use anyhow::{Context as _, bail};

/// Returns what espeak-ng says with `args`, as a WAV file.
///
/// # Errors
/// It is not installed, or says nothing.
pub(super) fn speak(args: &[&str], text: &str) -> anyhow::Result<Vec<u8>> {
    let spoken = Command::new("espeak-ng").args(args).args(["--stdout", "--", text]).output();
    let spoken = match spoken {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("espeak-ng is not installed (Debian: apt-get install espeak-ng)")
        }
        other => other.context("espeak-ng can't be run")?,
    };
    if !spoken.status.success() || spoken.stdout.is_empty() {
        bail!("espeak-ng: {}", String::from_utf8_lossy(&spoken.stderr).trim());
    }
    Ok(with_true_lengths(spoken.stdout))
}

/// Mends a WAV written to a pipe: its header was written before the lengths were known.
fn with_true_lengths(mut wav: Vec<u8>) -> Vec<u8> {
    const HEADER: usize = 44;
    if wav.len() > HEADER && wav.get(36..40) == Some(b"data") {
        let whole = wav.len() as u32;
        wav[4..8].copy_from_slice(&(whole - 8).to_le_bytes());
        wav[40..44].copy_from_slice(&(whole - HEADER as u32).to_le_bytes());
    }
    wav
}
