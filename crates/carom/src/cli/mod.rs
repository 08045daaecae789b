//! The command line.

mod call;
mod callbacks;
mod check;
mod demo;
mod espeak;
mod flows;
mod fragments;
mod graph;
mod hours;
mod node;
mod past;
mod prompts;
mod providers;
mod replay;
mod rollback;
mod root;
mod run;
mod sarif;
mod simulate;
mod test;
mod text;
mod voicemail;

pub use call::CallArgs;
pub use check::CheckArgs;
pub use demo::DemoArgs;
pub use graph::GraphArgs;
pub use node::print_time_line;
pub use prompts::PromptsArgs;
pub use replay::ReplayArgs;
pub use root::{Cli, ConfigArg};
pub use run::RunArgs;
pub use simulate::SimulateArgs;
pub use test::TestArgs;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::config::{Config, Snapshot};

/// Loads a configuration, or tells everything that is wrong with it.
fn load(path: Option<&Path>) -> anyhow::Result<Snapshot> {
    match Config::load(path) {
        Ok(snapshot) => Ok(snapshot),
        Err(report) => bail!("the configuration has errors:\n{report}"),
    }
}

/// Where the node of a configuration listens for commands.
fn control_socket(path: Option<&Path>) -> anyhow::Result<PathBuf> {
    let name = || path.map_or_else(String::new, |path| path.display().to_string());
    Config::control_socket(path).with_context(name)
}
