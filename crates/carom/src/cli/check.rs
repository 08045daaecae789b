//! `carom check`: says what is wrong with a configuration and its flows.

use std::{path::PathBuf, process::ExitCode};

use anyhow::ensure;
use ivr_runtime::{diagnose::Code, proof};

use super::{ConfigArg, root::CONFIGURATION, sarif};
use crate::{
    config::{self, CheckReport, Snapshot},
    node::{clock::wall_ms, opt_outs},
};

/// Arguments of `carom check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Flow files, folders of them, or names of the configuration's flows, to check in place of those in the configuration's folder; or
    /// the folder of a `carom.toml`, which is then the configuration.
    flows: Vec<PathBuf>,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Mends in the files what can be mended in one way only, such as misspelt keys and names,
    /// and says so; the rest of the files stays as it is.
    #[arg(long)]
    fix: bool,
    /// Takes a link that does not declare the intent it is offered for (W08) as an error.
    #[arg(long)]
    strict: bool,
    /// Asks the destinations of links, too: whether their checks pass (W01), and when their
    /// certificates end (W12). Else nothing is asked of the network.
    #[arg(long)]
    online: bool,
    /// Prints for each step how long it takes to reach a person and with how many keys, by
    /// exhaustive search.
    #[arg(long)]
    proof: bool,
}

/// How often what was mended is looked through again.
const ROUNDS: usize = 8;
/// Said where flows are given without their configuration.
const JUDGED: &str = "judged by the built-in configuration: `-c FILE` names another";

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people: the line with the place underlined, and how to mend it.
    Text,
    /// One JSON object a line.
    Json,
    /// SARIF 2.1.0, for editors and code hosts.
    Sarif,
}

impl CheckArgs {
    /// Prints every finding; the exit status is 1 where one is an error.
    ///
    /// # Errors
    /// `--proof` with a format that has no place for it; a file that can't be mended.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        ensure!(!self.proof || self.format == Format::Text, "`--proof` is printed as text only");
        let (config, flows) = meant(self.config.config, self.flows)?;
        let is_built_in = config.is_none() && !flows.is_empty();
        let check = || config::check(config.as_deref(), &flows);
        let (mut snapshot, mut report) = check();
        // A table that could not be read may have more to mend.
        for _ in 0..ROUNDS {
            let mended = if self.fix { report.mend()? } else { Vec::new() };
            if mended.is_empty() {
                break;
            }
            for mended in mended {
                // Other formats are read by programs.
                match self.format {
                    Format::Text => println!("{mended}"),
                    Format::Json | Format::Sarif => eprintln!("{mended}"),
                }
            }
            (snapshot, report) = check();
        }
        if let Some(snapshot) = snapshot.as_ref().filter(|_| self.online) {
            let asking = config::ask_destinations(snapshot, wall_ms());
            report.findings.extend(super::run::runtime()?.block_on(asking));
        }
        if let Some(snapshot) = &snapshot {
            let path = config.as_ref().map_or_else(String::new, |path| path.display().to_string());
            let looking = opt_outs::lists_of_other_keys(&path, &snapshot.config, self.online);
            report.findings.extend(super::run::runtime()?.block_on(looking));
        }
        if self.strict {
            report.raise(Code::W08);
        }
        if is_built_in && self.format != Format::Text {
            eprintln!("{JUDGED}");
        }
        match self.format {
            Format::Text => {
                print!("{report}{}", summary(&report, snapshot.as_ref()));
                if is_built_in {
                    println!("{JUDGED}");
                }
                if let Some(snapshot) = snapshot.filter(|_| self.proof) {
                    print_proofs(&snapshot)?;
                }
            }
            Format::Sarif => println!("{:#}", sarif::log(&report.findings)),
            Format::Json => {
                for finding in &report.findings {
                    println!("{}", serde_json::to_string(finding)?);
                }
            }
        }
        Ok(if report.has_errors() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// A folder with a `carom.toml` in it is a configuration, any other the flow files in it.
fn meant(
    config: Option<PathBuf>,
    given: Vec<PathBuf>,
) -> anyhow::Result<(Option<PathBuf>, Vec<PathBuf>)> {
    if let (None, [folder]) = (&config, given.as_slice())
        && folder.join(CONFIGURATION).is_file()
    {
        return Ok((Some(folder.join(CONFIGURATION)), Vec::new()));
    }
    let given = super::flows_meant(config.as_deref(), &given)?;
    let files = given.into_iter().flat_map(|path| match config::flow_files(&path) {
        files if files.is_empty() => vec![path],
        files => files,
    });
    Ok((config, files.collect()))
}

fn print_proofs(snapshot: &Snapshot) -> anyhow::Result<()> {
    for flow in &snapshot.flows {
        println!("\nflow {}", flow.name);
        print!("{}", proof::prove(flow, &*snapshot.prompts)?);
    }
    Ok(())
}

fn summary(report: &CheckReport, snapshot: Option<&Snapshot>) -> String {
    let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let mut found =
        format!("{}, {}", plural(report.errors(), "error"), plural(report.warnings(), "warning"));
    if report.notes() > 0 {
        found = format!("{found}, {}", plural(report.notes(), "note"));
    }
    let Some(snapshot) = snapshot else { return format!("{found}\n") };
    let names: Vec<&str> = snapshot.flows.iter().map(|flow| flow.name.as_str()).collect();
    format!(
        "{found}; {} ({}), {}\n",
        plural(names.len(), "flow"),
        names.join(", "),
        plural(snapshot.prompts.set.len(), "prompt")
    )
}
