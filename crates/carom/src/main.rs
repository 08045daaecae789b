//! The one binary: arguments in, subcommand out.

use std::process::ExitCode;

use clap::Parser as _;

/// Exit status of wrong arguments (sysexits.h); the small ones tell how a command came out.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    // Before any HTTP client is built: the one TLS backend of this program.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("carom: another TLS provider is installed already");
        return ExitCode::FAILURE;
    }
    let cli = match carom::cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            let _ = told.print();
            // `--help` and `--version` come this way too.
            return if told.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match cli.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("carom: {error:#}");
            ExitCode::FAILURE
        }
    }
}
