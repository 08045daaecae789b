//! The command line.

mod by_day;
mod call;
mod callbacks;
mod check;
mod demo;
mod entries;
mod erase;

mod espeak;
mod flows;
mod fragments;
mod graph;
mod hours;
mod keys;
mod link_providers;
mod list;
mod messages;
mod new;
mod node;
mod opt_outs;
mod past;
mod prompts;
mod providers;
mod replay;
mod report;
mod rollback;
mod root;
mod run;
mod sarif;
mod schema;
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
pub use root::{Cli, ConfigArg, USAGE, arguments};
pub use run::RunArgs;
pub use simulate::SimulateArgs;
pub use test::TestArgs;

use std::{
    io::{IsTerminal as _, Write as _, stderr, stdin},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow, bail};

use crate::config::{self, Config, Snapshot};

/// Asks on the terminal before something is done that cannot be undone.
fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !stdin().is_terminal() {
        bail!("nobody can be asked here: write --yes to go on without a question");
    }
    eprint!("{question} [y/N] ");
    stderr().flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Loads a configuration, or tells everything that is wrong with it.
fn load(path: Option<&Path>) -> anyhow::Result<Snapshot> {
    match Config::load(path) {
        Ok(snapshot) => Ok(snapshot),
        Err(report) => bail!("the configuration has errors:\n{report}"),
    }
}

/// The flow files that a command was given, by their paths or by the names of flows.
fn flows_meant(config: Option<&Path>, given: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    config::flows_meant(config, given).map_err(|why| anyhow!(why))
}

/// Where the node of a configuration listens for commands.
fn control_socket(path: Option<&Path>) -> anyhow::Result<PathBuf> {
    let name = || path.map_or_else(String::new, |path| path.display().to_string());
    Config::control_socket(path).with_context(name)
}
