//! Where the log goes and how it looks.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Libraries that tell much at `debug`.
const QUIET: [&str; 6] = ["sqlx", "hyper", "h2", "reqwest", "rustls", "tower"];
/// Parts of others that log, at some level, what nobody may read there: the numbers of callers.
const SILENT: &str = "rlibphonenumber=off";

/// Starts logging to standard error. The environment variable `CAROM_LOG` chooses what is logged
/// (`info` unless set; e.g. `carom=debug`). A second call changes nothing.
pub fn start(format: Format, default: &str) {
    let chosen = std::env::var("CAROM_LOG").ok().filter(|chosen| !chosen.trim().is_empty());
    let chosen = chosen.unwrap_or_else(|| default.to_owned());
    // Each statement of the database, and each poll of a connection, are for who asks for them.
    let is_fine = EnvFilter::try_new(&chosen)
        .is_ok_and(|filter| filter.max_level_hint().is_some_and(|level| level > LevelFilter::INFO));
    let others = QUIET.iter().filter(|name| is_fine && !chosen.contains(**name));
    let quiet: String = others.map(|name| format!("{name}=info,")).collect();
    let filter = EnvFilter::try_new(format!("{quiet}{chosen},{SILENT}"))
        .unwrap_or_else(|_| EnvFilter::new(format!("{default},{SILENT}")));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // It would be told on standard error, which panics where the log goes to a full disk.
    let builder = builder.log_internal_errors(false);
    let colours = std::io::stderr().is_terminal();
    let _ = match format {
        Format::Text => builder.with_ansi(colours).with_target(false).try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
}
