//! `carom run`: a node in the foreground.

use std::process::ExitCode;

use ivr_runtime::diagnose::{Finding, Severity};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::ConfigArg;
use crate::node::{Node, log};

/// Arguments of `carom run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// How the log looks; `CAROM_LOG` chooses what is in it.
    #[arg(long, value_enum, default_value_t)]
    log_format: log::Format,
}

impl RunArgs {
    /// Runs until a signal or `carom drain` has ended the node.
    ///
    /// # Errors
    /// What keeps the node from serving.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        log::start(self.log_format, "info");
        raise_file_limit();
        let snapshot = super::load(self.config.config.as_deref())?;
        for Finding { code, severity, file, line, message, .. } in &snapshot.report.findings {
            match severity {
                Severity::Note => tracing::info!("{file}:{line}: {code} {message}"),
                Severity::Warning | Severity::Error => {
                    tracing::warn!("{file}:{line}: {code} {message}");
                }
            }
        }
        runtime()?.block_on(async {
            let scheme = if snapshot.config.http.identity.is_some() { "https" } else { "http" };
            let node = Node::start(snapshot, self.config.config).await?;
            for (transport, at) in node.listeners() {
                tracing::info!("listening on {} {at}", transport.as_str());
            }
            tracing::info!("health and metrics on {scheme}://{}", node.http());
            node.serve().await?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// The runtime of signalling, store and HTTP; media has threads of its own. A second thread keeps
/// a report from holding up the calls; on one core it would only cost switches between the two.
pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread().worker_threads(cores.min(2)).enable_all().build()
}

/// A call has four sockets and more; the limit that a shell or systemd sets is meant for programs
/// of another kind, and may be raised up to the hard one.
fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit on open files is not raised");
    }
}
