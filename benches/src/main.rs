//! The system benchmark: figures of the released `carom` under real SIP and RTP.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use carom_bench::figure::{self, Figure, Options};
use clap::{Parser, ValueEnum};

/// Measures the engine on loopback: it on one core, the load generator on another.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Args {
    /// What to measure.
    #[arg(required = true)]
    what: Vec<What>,
    /// The program under test; left out, the one built beside this one.
    #[arg(long)]
    carom: Option<PathBuf>,
    /// Seconds to measure.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Calls at once; left out, as the figure says.
    #[arg(long)]
    calls: Option<u64>,
    /// Short calls before memory is looked at again.
    #[arg(long, default_value_t = 20_000)]
    passing: u64,
    /// Times that everything is read again under calls.
    #[arg(long, default_value_t = 5)]
    reloads: u32,
    /// Random callers of the full line.
    #[arg(long, default_value_t = 1_000_000)]
    callers: u64,
    /// The engine's core.
    #[arg(long, default_value_t = 0)]
    engine_core: usize,
    /// The generator's core.
    #[arg(long, default_value_t = 1)]
    own_core: usize,
    /// Leave the engine's folder, with its log and database.
    #[arg(long)]
    keep: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// CPU time of an IVR call.
    Ivr,
    /// CPU time of a bridged call.
    Bridged,
    /// Late packets with 1,200 calls.
    Capacity,
    /// Set-ups and tear-downs a second.
    Setup,
    /// Key to prompt, and pacing.
    Latency,
    /// Memory of a call, and after many.
    Memory,
    /// One call alone.
    Single,
    /// Packets while 200 flows and 2,000 prompts are read again.
    Reload,
    /// Random callers of the full line, without a node.
    Flow,
    /// From the key that accepts a text to the provider's request.
    Accept,
    /// Texts a second through one node, with receipts, on SQLite.
    Outbox,
    /// The same through four nodes on the PostgreSQL of `CAROM_TEST_POSTGRES_URL`.
    OutboxPostgres,
    /// The page that a text leads to.
    Landing,
    /// Proof of a webhook.
    Webhooks,
    /// All of them that need no PostgreSQL.
    All,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            eprintln!("carom-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all goals were reached.
fn run(args: &Args) -> anyhow::Result<bool> {
    let options = Options {
        carom: carom(args)?,
        engine_core: args.engine_core,
        own_core: args.own_core,
        measured: Duration::from_secs(args.seconds),
        calls: args.calls,
        keep: args.keep,
    };
    let all = [
        What::Single,
        What::Ivr,
        What::Bridged,
        What::Latency,
        What::Capacity,
        What::Setup,
        What::Memory,
        What::Reload,
        What::Flow,
        What::Accept,
        What::Outbox,
        What::Landing,
        What::Webhooks,
    ];
    let what = if args.what.contains(&What::All) { &all[..] } else { &args.what };
    let mut figures = Vec::new();
    for &what in what {
        let measured = measure(what, &options, args).with_context(|| format!("{what:?}"))?;
        for figure in &measured {
            println!("{}", figure.json());
            println!("{}", figure.line());
        }
        figures.extend(measured);
    }
    if figures.len() > 1 {
        println!();
        figures.iter().for_each(|figure| println!("{}", figure.line()));
    }
    Ok(figures.iter().all(Figure::is_reached))
}

fn measure(what: What, options: &Options, args: &Args) -> anyhow::Result<Vec<Figure>> {
    match what {
        What::Ivr => figure::ivr(options),
        What::Bridged => figure::bridged(options),
        What::Capacity => figure::capacity(options),
        What::Setup => figure::setup(options),
        What::Latency => figure::latency(options),
        What::Memory => figure::memory(options, args.passing),
        What::Single => figure::single(options),
        What::Reload => figure::reload(options, args.reloads),
        What::Flow => figure::flow(args.callers),
        What::Accept => figure::accept(options),
        What::Outbox => figure::outbox(options),
        What::OutboxPostgres => figure::outbox_postgres(options),
        What::Landing => figure::landing(options),
        What::Webhooks => figure::webhooks(),
        What::All => Ok(Vec::new()),
    }
}

fn carom(args: &Args) -> anyhow::Result<PathBuf> {
    match &args.carom {
        Some(path) => Ok(path.clone()),
        None => Ok(std::env::current_exe()?.with_file_name("carom")),
    }
}
