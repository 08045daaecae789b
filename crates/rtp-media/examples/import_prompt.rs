//! Makes a prompt's master from a recording: `import_prompt IN OUT.wav`.

use std::{env, path::Path, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [source, master] = arguments.as_slice() else {
        eprintln!("usage: import_prompt IN OUT.wav");
        return ExitCode::from(2);
    };
    let done = rtp_media::prompt::import::import(Path::new(source))
        .and_then(|made| made.write_wav(Path::new(master)).map(|()| made.report));
    match done {
        Ok(report) => {
            println!("{master}: {} ms, {:.1} LUFS", report.len_ms, report.lufs);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{source} {error}");
            ExitCode::FAILURE
        }
    }
}
