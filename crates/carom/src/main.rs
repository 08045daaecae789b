//! The one binary: arguments in, subcommand out.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // Before any HTTP client is built: the one TLS backend of this program.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("carom: another TLS provider is installed already");
        return ExitCode::FAILURE;
    }
    match carom::cli::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("carom: {error:#}");
            ExitCode::FAILURE
        }
    }
}
