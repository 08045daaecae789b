//! The command line: one subcommand each, read top-down.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{
    Parser, Subcommand,
    builder::{PathBufValueParser, TypedValueParser as _},
};

use super::{
    CallArgs, CheckArgs, DemoArgs, GraphArgs, PromptsArgs, ReplayArgs, RunArgs, SimulateArgs,
    TestArgs,
    callbacks::CallbacksArgs,
    entries::EntriesArgs,
    erase::EraseArgs,
    flows::FlowsArgs,
    hours::HoursArgs,
    keys::RotateKeyArgs,
    messages::MessagesArgs,
    new::NewArgs,
    node::{CallsArgs, FlagArgs, NodeArgs, ReloadArgs},
    opt_outs::OptOutsArgs,
    providers::ProvidersArgs,
    report::ReportArgs,
    schema::SchemaArgs,
    text::TextArgs,
    voicemail::VoicemailArgs,
};

/// Exit status of wrong arguments (sysexits.h); the small ones tell how a command came out.
pub const USAGE: u8 = 64;

/// A self-hosted call-deflection engine.
#[derive(Debug, Parser)]
#[command(name = "carom", version, about, max_term_width = 100, after_help = AFTER)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node.
    Run(RunArgs),
    /// Write a flow to begin with.
    New(NewArgs),
    /// Check the configuration and the flows.
    Check(CheckArgs),
    /// Make the running node read its configuration again.
    Reload(ReloadArgs),
    /// Let the running node take no new calls and end with the last one.
    Drain(NodeArgs),
    /// What the running node is doing.
    Status(NodeArgs),
    /// Running and recent calls, or the time line of one.
    Calls(CallsArgs),
    /// Texts and their states: list, show, retry, cancel.
    Messages(MessagesArgs),
    /// Send a text to a phone of your own, after a question.
    Text(TextArgs),
    /// Whether the message providers know us and reach us.
    Providers(ProvidersArgs),
    /// Callbacks: list, cancel.
    Callbacks(CallbacksArgs),
    /// What callers left: list, fetch, mark as heard, delete.
    Voicemail(VoicemailArgs),
    /// Who wants no texts: list, add, remove, import, accept-key.
    OptOuts(OptOutsArgs),
    /// Forget a number.
    Erase(EraseArgs),
    /// Encrypt anew, under a new key, what the store keeps encrypted.
    RotateKey(RotateKeyArgs),
    /// Tracked places before a call: their addresses and QR codes.
    Entries(EntriesArgs),
    /// Set or clear a flag that the rules test.
    Flag(FlagArgs),
    /// What is open now; close or open for once.
    Hours(HoursArgs),
    /// Load, list, check and play prompts.
    Prompts(PromptsArgs),
    /// Make a test call.
    Call(CallArgs),
    /// What flows were served, how they changed; go back to one.
    Flows(FlowsArgs),
    /// Play a flow in the terminal, or with random callers.
    Simulate(SimulateArgs),
    /// Play a recorded call again, through its flow or another.
    Replay(ReplayArgs),
    /// What became of people on the digital side.
    Report(ReportArgs),
    /// Play the tests of the flows.
    Test(TestArgs),
    /// JSON Schema of the files, for editors.
    Schema(SchemaArgs),
    /// Draw a flow.
    Graph(GraphArgs),
    /// Show three calls with nothing configured.
    Demo(DemoArgs),
}

impl Cli {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// What the subcommand could not do.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Run(args) => args.run(),
            Command::New(args) => args.run(),
            Command::Check(args) => args.run(),
            Command::Reload(args) => args.run(),
            Command::Drain(args) => args.drain(),
            Command::Status(args) => args.status(),
            Command::Calls(args) => args.run(),
            Command::Messages(args) => args.run(),
            Command::Text(args) => args.run(),
            Command::Providers(args) => args.run(),
            Command::Callbacks(args) => args.run(),
            Command::Voicemail(args) => args.run(),
            Command::OptOuts(args) => args.run(),
            Command::Erase(args) => args.run(),
            Command::RotateKey(args) => args.run(),
            Command::Entries(args) => args.run(),
            Command::Flag(args) => args.run(),
            Command::Hours(args) => args.run(),
            Command::Prompts(args) => args.run(),
            Command::Call(args) => args.run(),
            Command::Flows(args) => args.run(),
            Command::Simulate(args) => args.run(),
            Command::Replay(args) => args.run(),
            Command::Report(args) => args.run(),
            Command::Test(args) => args.run(),
            Command::Schema(args) => args.run(),
            Command::Graph(args) => args.run(),
            Command::Demo(args) => args.run(),
        }
    }
}

/// `-c FILE`, wherever it stands.
const AFTER: &str =
    "The configuration of a command is named by -c FILE, before the command or after it.";

/// The arguments with `-c FILE` (`--config FILE`, `--config=FILE`) before the command put behind it,
/// where the commands that need it know it.
pub fn arguments(given: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut given = given.into_iter();
    let (mut arguments, mut config): (Vec<OsString>, Vec<OsString>) =
        (given.by_ref().take(1).collect(), Vec::new());
    while let Some(next) = given.next() {
        let text = next.to_string_lossy().into_owned();
        let is_config =
            text.starts_with("-c") || text == "--config" || text.starts_with("--config=");
        if !is_config || text.starts_with("--c") && !text.starts_with("--config") {
            arguments.push(next);
            break;
        }
        config.push(next);
        if matches!(text.as_str(), "-c" | "--config") {
            config.extend(given.next());
        }
    }
    arguments.extend(given);
    let is_command = |at: usize| arguments.len() > at;
    // The help of a command takes no configuration.
    if is_command(1) && arguments[1] != "help" {
        let end = arguments.iter().position(|argument| argument == "--");
        let end = end.unwrap_or(arguments.len());
        arguments.splice(end..end, config);
    }
    arguments
}

/// The configuration of a folder.
pub const CONFIGURATION: &str = "carom.toml";

/// `-c`, as every command that needs the configuration has it.
#[derive(Debug, Clone, clap::Args)]
pub struct ConfigArg {
    /// The configuration, or the folder whose `carom.toml` it is; left out, the built-in defaults.
    #[arg(short = 'c', long = "config", value_name = "FILE",
          value_parser = PathBufValueParser::new().map(configuration))]
    pub config: Option<PathBuf>,
}

/// Of a folder, its `carom.toml`.
fn configuration(path: PathBuf) -> PathBuf {
    if path.is_dir() { path.join(CONFIGURATION) } else { path }
}
