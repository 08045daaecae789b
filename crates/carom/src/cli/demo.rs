//! `carom demo`.

use std::process::ExitCode;

/// Arguments of `carom demo`.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// End after the three calls; exit status 0 only if each came out as it should.
    #[arg(long)]
    once: bool,
    /// Print one JSON object per call.
    #[arg(long)]
    json: bool,
}

impl DemoArgs {
    /// Plays the demo.
    ///
    /// # Errors
    /// The engine does not start.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        super::run::runtime()?.block_on(crate::demo::run(self.once, self.json))
    }
}
