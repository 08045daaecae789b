//! `carom messages`: texts and their states.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    list::ListArgs,
    node::{NodeArgs, clock},
};
use crate::control::Request;

/// Arguments of `carom messages`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct MessagesArgs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The last messages, newest first.
    List(ListArgs),
    /// All that is known of a message.
    Show {
        /// The message's id, or a unique beginning of it.
        id: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Send a message again: one that waits at once, one that failed as a new one.
    Retry {
        /// The message's id, or a unique beginning of it.
        id: String,
        /// Send once more what was written and not answered: it may arrive twice.
        #[arg(long)]
        allow_duplicate: bool,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Take back a message that waits.
    Cancel {
        /// The message's id, or a unique beginning of it.
        id: String,
        #[command(flatten)]
        node: NodeArgs,
    },
}

impl MessagesArgs {
    /// `carom messages [list|show|retry|cancel]`.
    ///
    /// # Errors
    /// No node runs, its store is down, it knows no such message, or may not do that with it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            None => list(self.list),
            Some(Command::List(args)) => list(args),
            Some(Command::Show { id, json, node }) => {
                let value = node.data(&Request::Message { message: id })?;
                if json {
                    println!("{}", serde_json::to_string_pretty(&value)?);
                } else {
                    show(&value);
                }
                Ok(ExitCode::SUCCESS)
            }
            Some(Command::Retry { id, allow_duplicate, node }) => {
                node.print(&Request::RetryMessage { message: id, allow_duplicate })
            }
            Some(Command::Cancel { id, node }) => {
                node.print(&Request::CancelMessage { message: id })
            }
        }
    }
}

fn list(args: ListArgs) -> anyhow::Result<ExitCode> {
    args.run(
        |limit| Request::Messages { limit },
        |message| {
            println!("{}", line(message));
            if let Some(body) = message["body"].as_str() {
                println!("    {body}");
            }
        },
    )
}

fn line(message: &Value) -> String {
    format!(
        "{}  {}  {:9}  {}  {}{}",
        at(&message["created_ms"]),
        text(&message["message_id"]),
        text(&message["state"]),
        text(&message["to"]),
        text(&message["sender"]),
        why(message),
    )
}

fn show(message: &Value) {
    println!("{}", line(message));
    let facts = [
        ("call", text(&message["call_id"])),
        ("purpose", text(&message["purpose"])),
        ("step", text(&message["step"])),
        ("agreed in", format!("{}, key {}", text(&message["asked_in"]), text(&message["pressed"]))),
        ("channel", text(&message["channel"])),
        ("segments", message["segments"].to_string()),
        ("attempts", message["attempt"].to_string()),
        ("next try", at(&message["next_try_ms"])),
        ("worth sending until", at(&message["valid_until_ms"])),
        ("accepted", at(&message["accepted_ms"])),
        ("delivered", at(&message["delivered_ms"])),
        ("opened", at(&message["opened_ms"])),
    ];
    for (name, fact) in facts.iter().filter(|(_, fact)| fact != "-" && fact != "null") {
        println!("  {name:20} {fact}");
    }
    for receipt in message["receipts"].as_array().into_iter().flatten() {
        let state = text(&receipt["state"]);
        println!("  {:20} {state}{}", at(&receipt["received_ms"]), why(receipt));
    }
    if let Some(body) = message["body"].as_str() {
        println!("    {body}");
    }
}

fn why(of: &Value) -> String {
    of["error_class"].as_str().map_or_else(String::new, |class| {
        let code = of["error_code"].as_str();
        format!("  {class}{}", code.map_or_else(String::new, |code| format!(" ({code})")))
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("-").to_owned()
}

fn at(value: &Value) -> String {
    value.as_i64().map_or_else(|| "-".to_owned(), clock)
}
