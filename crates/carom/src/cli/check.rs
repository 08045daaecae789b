//! `carom check`: says what is wrong with a configuration and its flows.

use std::{path::PathBuf, process::ExitCode};

use super::ConfigArg;
use crate::config::{self, CheckReport, Snapshot};

/// Arguments of `carom check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Flow files to check in place of those in the configuration's folder.
    flows: Vec<PathBuf>,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people: the line with the place underlined, and how to mend it.
    Text,
    /// One JSON object a line.
    Json,
}

impl CheckArgs {
    /// Prints every finding; the exit status is 1 where one is an error.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let (snapshot, report) = config::check(self.config.config.as_deref(), &self.flows);
        match self.format {
            Format::Text => print!("{report}{}", summary(&report, snapshot.as_ref())),
            Format::Json => {
                for finding in &report.findings {
                    println!("{}", serde_json::to_string(finding)?);
                }
            }
        }
        Ok(if report.has_errors() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn summary(report: &CheckReport, snapshot: Option<&Snapshot>) -> String {
    let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let found =
        format!("{}, {}", plural(report.errors(), "error"), plural(report.warnings(), "warning"));
    let Some(snapshot) = snapshot else { return format!("{found}\n") };
    let names: Vec<&str> = snapshot.flows.iter().map(|flow| flow.name.as_str()).collect();
    format!(
        "{found}; {} ({}), {}\n",
        plural(names.len(), "flow"),
        names.join(", "),
        plural(snapshot.prompts.set.len(), "prompt")
    )
}
