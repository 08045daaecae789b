//! `carom simulate`: a flow played in the terminal, or with random callers in virtual time.

use std::{path::PathBuf, process::ExitCode};

use super::root::ConfigArg;

/// Arguments of `carom simulate`.
#[derive(Debug, clap::Args)]
pub struct SimulateArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The flow file.
    flow: PathBuf,
    /// Run so many random callers instead of playing in the terminal.
    #[arg(long, value_name = "N")]
    random: Option<u64>,
    /// Seed of the random callers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}
