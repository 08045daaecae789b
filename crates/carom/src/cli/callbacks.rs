//! `carom callbacks`: who is to be called back, and when.

use std::process::ExitCode;

use super::{
    list::ListArgs,
    node::{NodeArgs, clock},
};
use crate::control::Request;

/// Arguments of `carom callbacks`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct CallbacksArgs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The last callbacks, newest first.
    List(ListArgs),
    /// A booked callback is not made.
    Cancel {
        /// The callback's id, or a unique beginning of it.
        id: String,
        #[command(flatten)]
        node: NodeArgs,
    },
}

impl CallbacksArgs {
    /// `carom callbacks [list|cancel]`.
    ///
    /// # Errors
    /// No node runs, its store is down, or it knows no such callback.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            None => list(self.list),
            Some(Command::List(args)) => list(args),
            Some(Command::Cancel { id, node }) => node.print(&Request::CancelCallback { id }),
        }
    }
}

fn list(args: ListArgs) -> anyhow::Result<ExitCode> {
    args.run(
        |limit| Request::Callbacks { limit },
        |one| {
            let text = |key: &str| one[key].as_str().unwrap_or("-").to_owned();
            println!(
                "{}  {}  {:8}  {}  {}  {} tries",
                clock(one["due_ms"].as_i64().unwrap_or_default()),
                text("callback_id"),
                text("state"),
                text("to"),
                text("target"),
                one["tries"],
            );
        },
    )
}
