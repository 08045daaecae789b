//! Commands to the running node, by its control socket.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

use super::root::ConfigArg;
use crate::{
    control::{Client, Reply, Request, user_name},
    switchboard::{CallSummary, TimeLine},
};

/// Which node.
#[derive(Debug, clap::Args)]
pub struct NodeArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The node's control socket; left out, the configuration's.
    #[arg(long)]
    socket: Option<PathBuf>,
}

/// Arguments of `carom calls`.
#[derive(Debug, clap::Args)]
pub struct CallsArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// A call's id, a unique beginning of it, or a SIP Call-ID: prints its time line.
    id: Option<String>,
    /// How many calls to list.
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `carom flag`.
#[derive(Debug, clap::Args)]
pub struct FlagArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// `set` or `clear`.
    #[arg(value_parser = ["set", "clear"])]
    what: String,
    /// Name of the flag.
    name: String,
}

/// Arguments of `carom reload`.
#[derive(Debug, clap::Args)]
pub struct ReloadArgs {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    author: AuthorArg,
}

/// Who changes what is served.
#[derive(Debug, clap::Args)]
pub struct AuthorArg {
    /// Who wants it, for the record; left out, you.
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
}

impl AuthorArg {
    /// The author as given; behind `sudo`, who called it. The node knows all others.
    pub(super) fn given(&self) -> Option<String> {
        let behind_sudo = || std::env::var("SUDO_USER").ok().filter(|user| !user.is_empty());
        self.author.clone().or_else(behind_sudo)
    }

    /// The author, where no node says who we are.
    pub(super) fn name(&self) -> String {
        self.given().unwrap_or_else(|| user_name(rustix::process::getuid().as_raw()))
    }
}

impl ReloadArgs {
    /// `carom reload`.
    ///
    /// # Errors
    /// The configuration has errors, or no node runs.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        self.node.print(&Request::Reload { author: self.author.given() })
    }
}

impl NodeArgs {
    pub(super) fn config(&self) -> Option<&Path> {
        self.config.config.as_deref()
    }

    fn ask(&self, request: &Request) -> anyhow::Result<Reply> {
        let socket = match &self.socket {
            Some(socket) => socket.clone(),
            None => super::control_socket(self.config.config.as_deref())?,
        };
        let reply = Client::connect(&socket)?.ask(request).context("asking the node")?;
        match reply {
            Reply::Error(why) => bail!("{why}"),
            reply => Ok(reply),
        }
    }

    pub(super) fn data(&self, request: &Request) -> anyhow::Result<Value> {
        match self.ask(request)? {
            Reply::Data(value) => Ok(value),
            Reply::Done(text) => Ok(Value::String(text)),
            Reply::Error(why) => bail!("{why}"),
        }
    }

    pub(super) fn print(&self, request: &Request) -> anyhow::Result<ExitCode> {
        match self.ask(request)? {
            Reply::Done(text) => println!("{text}"),
            Reply::Data(value) => println!("{}", serde_json::to_string_pretty(&value)?),
            Reply::Error(why) => bail!("{why}"),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// `carom drain`.
    ///
    /// # Errors
    /// No node runs.
    pub fn drain(self) -> anyhow::Result<ExitCode> {
        self.print(&Request::Drain)
    }

    /// `carom status`.
    ///
    /// # Errors
    /// No node runs.
    pub fn status(self) -> anyhow::Result<ExitCode> {
        self.print(&Request::Status)
    }
}

impl CallsArgs {
    /// `carom calls`.
    ///
    /// # Errors
    /// No node runs, or it knows no such call.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match &self.id {
            Some(id) => {
                let value = self.node.data(&Request::Call { call: id.clone() })?;
                if self.json {
                    println!("{}", serde_json::to_string_pretty(&value)?);
                } else {
                    let (summary, line): (CallSummary, TimeLine) = serde_json::from_value(value)?;
                    print_time_line(&summary, &line);
                }
            }
            None => {
                let value = self.node.data(&Request::Calls { limit: self.limit })?;
                if self.json {
                    println!("{}", serde_json::to_string_pretty(&value)?);
                } else {
                    let calls: Vec<CallSummary> = serde_json::from_value(value)?;
                    for call in calls {
                        println!(
                            "{}  {}  {:9}  {:16}  {} → {}  {}",
                            clock(call.started_ms),
                            call.call,
                            call.ended_ms.map_or_else(String::new, |end| {
                                format!("{:.1} s", (end - call.started_ms) as f64 / 1_000.0)
                            }),
                            call.end,
                            call.caller,
                            call.called,
                            call.step
                        );
                    }
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl FlagArgs {
    /// `carom flag set|clear NAME`.
    ///
    /// # Errors
    /// No node runs, or its store is down.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        self.node.print(&Request::Flag { name: self.name.clone(), on: self.what == "set" })
    }
}

/// Prints a call's time line, times relative to its INVITE.
pub fn print_time_line(summary: &CallSummary, line: &TimeLine) {
    println!(
        "call {}  {}  {} → {}  flow {} ({})  {}",
        summary.call,
        clock(summary.started_ms),
        summary.caller,
        summary.called,
        summary.flow,
        short(&summary.flow_rev),
        summary.end
    );
    for entry in &line.entries {
        let at = (entry.at_ms - summary.started_ms) as f64 / 1_000.0;
        println!("  {at:8.3}  {:8} {}", entry.kind, entry.text);
    }
    if line.dropped > 0 {
        println!("  … {} more entries were not kept", line.dropped);
    }
}

/// A revision as people tell it from others.
pub(super) fn short(rev: &str) -> &str {
    rev.get(..12).unwrap_or(rev)
}

pub(super) fn clock(at_ms: i64) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(TimeZone::system()).strftime("%F %T").to_string()
}
