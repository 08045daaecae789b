//! `carom voicemail`: what callers left.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};

use super::{
    list::ListArgs,
    node::{NodeArgs, clock},
};
use crate::control::{Request, VoicemailAct};

/// Arguments of `carom voicemail`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct VoicemailArgs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The last messages, newest first.
    List(ListArgs),
    /// Copy the sound of a message.
    Export {
        /// The message's id, or a unique beginning of it.
        id: String,
        /// Where to; left out, ID.wav here.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Mark a message as heard.
    Heard {
        /// The message's id, or a unique beginning of it.
        id: String,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Erase the sound of a message now.
    Delete {
        /// The message's id, or a unique beginning of it.
        id: String,
        #[command(flatten)]
        node: NodeArgs,
    },
}

impl VoicemailArgs {
    /// `carom voicemail [list|export|heard|delete]`.
    ///
    /// # Errors
    /// No node runs, its store is down, or it knows no such message.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let act = |id, act| Request::Voicemail { id, act };
        match self.command {
            None => list(self.list),
            Some(Command::List(args)) => list(args),
            Some(Command::Export { id, out, node }) => export(id, out, &node),
            Some(Command::Heard { id, node }) => node.print(&act(id, VoicemailAct::Heard)),
            Some(Command::Delete { id, node }) => node.print(&act(id, VoicemailAct::Delete)),
        }
    }
}

fn list(args: ListArgs) -> anyhow::Result<ExitCode> {
    args.run(
        |limit| Request::Voicemails { limit },
        |left| {
            let text = |key: &str| left[key].as_str().unwrap_or("-").to_owned();
            println!(
                "{}  {}  {:4} s  {:5}  {} → {}  {} ({})",
                clock(left["created_ms"].as_i64().unwrap_or_default()),
                text("voicemail_id"),
                left["seconds"].as_i64().unwrap_or_default(),
                if left["heard_ms"].is_null() { "new" } else { "heard" },
                text("caller_region"),
                text("called"),
                text("flow"),
                text("step"),
            );
        },
    )
}

fn export(id: String, out: Option<PathBuf>, node: &NodeArgs) -> anyhow::Result<ExitCode> {
    let left = node.data(&Request::Voicemail { id, act: VoicemailAct::Find })?;
    let id = left["voicemail_id"].as_str().unwrap_or("message");
    let Some(file) = left["file"].as_str() else {
        bail!("{id} lies on the node {}: ask that one", left["node"].as_str().unwrap_or("?"));
    };
    let out = out.unwrap_or_else(|| PathBuf::from(format!("{id}.wav")));
    // The copy has the mode of the file: its owner's only.
    fs::copy(file, &out).with_context(|| format!("{file} to {}", out.display()))?;
    println!("{}: {} s", out.display(), left["seconds"]);
    Ok(ExitCode::SUCCESS)
}
