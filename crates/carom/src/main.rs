//! The one binary: arguments in, subcommand out.

use std::process::ExitCode;

use carom::cli::USAGE;
use clap::Parser as _;

/// As a shell tells of a program that SIGPIPE ended.
const BROKEN_PIPE: i32 = 141;

fn main() -> ExitCode {
    end_with_the_reader();
    // Before any HTTP client is built: the one TLS backend of this program.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("carom: another TLS provider is installed already");
        return ExitCode::FAILURE;
    }
    let cli = match carom::cli::Cli::try_parse_from(carom::cli::arguments(std::env::args_os())) {
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

/// Who has read enough of our output closes it (`carom calls | head`): that is no panic to tell of.
fn end_with_the_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let told = panic.payload().downcast_ref::<String>().map_or("", String::as_str);
        if told.starts_with("failed printing to stdout") && told.contains("Broken pipe") {
            std::process::exit(BROKEN_PIPE);
        }
        usual(panic);
    }));
}
