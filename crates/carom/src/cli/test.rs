//! `carom test`: plays the tests of flows.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail, ensure};

use super::{ConfigArg, load};
use crate::rehearse::{Coverage, SUFFIX, junit, play, read};

/// Arguments of `carom test`.
#[derive(Debug, clap::Args)]
pub struct TestArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Files of tests, folders of them, or flows by their name or file; left out, the
    /// configuration's flows folder.
    #[arg(value_name = "TESTS")]
    files: Vec<PathBuf>,
    /// Write the results to this file, as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

impl TestArgs {
    /// Plays every test; the exit status is 1 where one fails.
    ///
    /// # Errors
    /// A configuration with errors, a file that is no file of tests.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.config.as_deref();
        let snapshot = load(config)?;
        let folder = snapshot.config.flows_dir.clone();
        let named = if self.files.is_empty() { folder.into_iter().collect() } else { self.files };
        let mut files = Vec::new();
        for path in &named {
            files.extend(tests_of(config, path)?);
        }
        if files.is_empty() {
            bail!("there is no *{SUFFIX} in {}", in_words(&named));
        }
        let mut coverage = Coverage::of(&snapshot.flows);
        let (mut suites, mut failed, mut all) = (Vec::new(), 0, 0);
        for file in files {
            let name = file.display().to_string();
            let text = fs::read_to_string(&file)
                .with_context(|| format!("the tests {name} can't be read"))?;
            let tests = read(&text).map_err(|why| anyhow::anyhow!("{name}: {why}"))?;
            let mut results = Vec::new();
            for test in tests {
                let faults = match play(&snapshot, &test, &file) {
                    Ok(played) => {
                        coverage.add(&played);
                        played.faults
                    }
                    Err(why) => why,
                };
                all += 1;
                failed += usize::from(!faults.is_empty());
                println!("{}  {}", if faults.is_empty() { "ok    " } else { "FAILED" }, test.name);
                faults.iter().for_each(|fault| println!("        {fault}"));
                results.push((test.name, faults));
            }
            suites.push((name, results));
        }
        println!("{all} tests, {failed} failed");
        print!("{coverage}");
        if let Some(file) = &self.junit {
            fs::write(file, junit(&suites, &coverage))
                .with_context(|| file.display().to_string())?;
        }
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// A file of tests itself, those in a folder, or those of a flow.
fn tests_of(config: Option<&Path>, given: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let is_test = |file: &Path| file.to_string_lossy().ends_with(SUFFIX);
    if is_test(given) {
        return Ok(vec![given.to_owned()]);
    }
    if given.is_dir() {
        let entries = fs::read_dir(given)
            .with_context(|| format!("the folder {} can't be read", given.display()))?;
        let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut files: Vec<_> = files.filter(|file| is_test(file)).collect();
        files.sort();
        return Ok(files);
    }
    let flows = super::flows_meant(config, &[given.to_owned()])?;
    if flows.is_empty() {
        bail!("the flow `{}` is part of the program and has no file of tests", given.display());
    }
    let beside = |flow: PathBuf| {
        let tests = flow.with_extension(SUFFIX.trim_start_matches('.'));
        ensure!(tests.exists(), "{} has no tests: there is no {}", flow.display(), tests.display());
        Ok(tests)
    };
    flows.into_iter().map(beside).collect()
}

fn in_words(paths: &[PathBuf]) -> String {
    if paths.is_empty() {
        return "the built-in configuration: name a file or a folder".to_owned();
    }
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
