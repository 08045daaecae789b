//! `carom hours`: what is open now, and what is closed or opened for once.

use std::process::ExitCode;

use super::node::NodeArgs;
use crate::{
    control::{HoursOrder, Request},
    node::{HoursView, OneOffView, clock_in},
};

/// How moments are written.
const TIMES: &str = "\
TIME is one of
  15:00               today, or tomorrow if that is past, by the clock of the hours' zone
  \"2026-12-24 15:00\"  by the same clock
  2h, 90m, 1h30m      from now on; of --until, from --from on
at most a year ahead. A call keeps what it was told at its beginning.";

/// Arguments of `carom hours`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct HoursArgs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// What is open or closed now, until when and why.
    List(ListArgs),
    /// Close for once, whatever the calendar says.
    #[command(after_help = TIMES)]
    Close(ChangeArgs),
    /// Open for once, also on a holiday.
    #[command(after_help = TIMES)]
    Open(ChangeArgs),
    /// Take back what was closed or opened for once.
    Clear {
        /// X of [hours.X].
        name: String,
        #[command(flatten)]
        node: NodeArgs,
    },
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    node: NodeArgs,
}

#[derive(Debug, clap::Args)]
struct ChangeArgs {
    /// X of [hours.X].
    name: String,
    /// First moment; left out: now.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// When the calendar counts again.
    #[arg(long, value_name = "TIME")]
    until: String,
    /// What for, for those who look at it later.
    #[arg(long, value_name = "TEXT", default_value = "")]
    because: String,
    #[command(flatten)]
    node: NodeArgs,
}

impl HoursArgs {
    /// `carom hours [list|close|open|clear]`.
    ///
    /// # Errors
    /// No node runs, its store is down, or it knows no such hours.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            None => self.list.run(),
            Some(Command::List(list)) => list.run(),
            Some(Command::Close(change)) => change.run(false),
            Some(Command::Open(change)) => change.run(true),
            Some(Command::Clear { name, node }) => node.print(&Request::ClearHours { hours: name }),
        }
    }
}

impl ChangeArgs {
    fn run(self, open: bool) -> anyhow::Result<ExitCode> {
        let Self { name: hours, from, until, because, node } = self;
        node.print(&Request::ChangeHours(HoursOrder { hours, open, from, until, because }))
    }
}

impl ListArgs {
    fn run(self) -> anyhow::Result<ExitCode> {
        let value = self.node.data(&Request::Hours)?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&value)?);
            return Ok(ExitCode::SUCCESS);
        }
        let views: Vec<HoursView> = serde_json::from_value(value)?;
        if views.is_empty() {
            println!("no hours are configured");
        }
        // Numbers of the same hours share what is closed or open for once.
        for same in views.chunk_by(|a, b| (&a.hours, &a.flow) == (&b.hours, &b.flow)) {
            same.iter().for_each(|view| println!("{}", line(view)));
            for one_off in &same[0].one_offs {
                println!("{}", one_off_line(one_off, &same[0]));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn line(view: &HoursView) -> String {
    let mut name = view.hours.clone();
    if let Some(flow) = &view.flow {
        name.push_str(&format!(" of {flow}"));
    }
    if let Some(number) = &view.number {
        name.push_str(&format!(" {number}"));
    }
    if let Some(other) = &view.leads_to {
        name.push_str(&format!(" → {other}"));
    }
    let zone = view.zone.as_deref();
    let Some(open) = view.open else { return format!("{name}  not served") };
    let until = match view.until_ms {
        Some(until_ms) => format!("until {}", clock_in(until_ms, zone)),
        None => "for the next 400 days".into(),
    };
    let why = match (view.by.as_deref(), view.because.as_str()) {
        (Some("operator"), "") => ", by the operator".into(),
        (Some("operator"), because) => format!(", by the operator: {because}"),
        (Some("holiday"), "") => ", a holiday".into(),
        (Some("holiday"), name) => format!(", a holiday: {name}"),
        _ => String::new(),
    };
    format!("{name}  {}  {} {until}{why}", zone.unwrap_or("UTC"), word(open))
}

fn one_off_line(one_off: &OneOffView, view: &HoursView) -> String {
    let at = |at_ms| clock_in(at_ms, view.zone.as_deref());
    let because = match one_off.because.as_str() {
        "" => String::new(),
        because => format!(": {because}"),
    };
    format!(
        "    {} {} – {} ({}, {}){because}",
        word(one_off.open),
        at(one_off.from_ms),
        at(one_off.until_ms),
        one_off.by_whom,
        at(one_off.at_ms),
    )
}

fn word(open: bool) -> &'static str {
    if open { "open" } else { "closed" }
}
