//! `carom flows rollback`: a revision is written back into the files, and served.

use std::{collections::BTreeSet, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use deflect_actions::store::{FlowServed, Revision};

use super::{
    flows::{Past, alone},
    node::{AuthorArg, NodeArgs, short},
};
use crate::{
    config::{self, Config},
    control::{NotRunning, Request},
    node::clock::wall_ms,
    revisions::{Copies, lying, put_back},
};

/// Arguments of `carom flows rollback`.
#[derive(Debug, clap::Args)]
pub struct RollbackArgs {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    author: AuthorArg,
    /// The flow: its name, or that of its file.
    flow: String,
    /// The revision, or how its name begins; left out, the one served before the present one.
    revision: Option<String>,
}

impl RollbackArgs {
    /// Writes it, checks it, and has the node read it, if one runs.
    ///
    /// # Errors
    /// No such revision, files that can't be written, a revision that no longer fits the rest of
    /// the configuration: then nothing is changed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let path = self.node.config();
        let config = alone(path)?;
        let past = Past::of(&config, &self.flow)?;
        let to = match &self.revision {
            Some(like) => past.revision(like)?,
            None => before_last(&past)?,
        };
        let file = place(&config, &past, to)?;
        let was_broken = config::check(path, &[]).1.has_errors();
        let copies = put_back(&to.served, &file, wall_ms())?;
        let (_, report) = config::check(path, &[]);
        let written: BTreeSet<String> =
            copies.files.iter().map(|(file, _)| file.display().to_string()).collect();
        let breaks = report.errors_in(&written) > 0 || (report.has_errors() && !was_broken);
        if breaks {
            copies.restore()?;
            bail!(
                "the revision does not fit the configuration as it is now; nothing was changed:\n{report}"
            );
        }
        tell(&past, to, &copies);
        tell_sharers(&config, &past, &copies);
        self.record(&config, &past, to)?;
        let reload = Request::Reload { author: Some(self.author.name()) };
        match self.node.print(&reload) {
            Err(error) if error.is::<NotRunning>() => {
                println!("no node runs here: it is served from the next start on");
                Ok(ExitCode::SUCCESS)
            }
            told => told.context("the files are written, but the node does not serve them"),
        }
    }

    fn record(&self, config: &Config, past: &Past, to: &Revision) -> anyhow::Result<()> {
        let from = past.last()?;
        let detail = format!("{}: {} to {}", past.name, from.served.rev, to.served.rev);
        let author = self.author.name();
        let recording = async {
            let store = super::past::store(config)?;
            store.audit(&author, "flows rollback", &detail).await.context("[store]")
        };
        super::run::runtime()?.block_on(recording)
    }
}

fn before_last(past: &Past) -> anyhow::Result<&Revision> {
    let last = past.last()?;
    let other = past.revisions.iter().rev().find(|r| r.served.rev != last.served.rev);
    other.with_context(|| format!("flow `{}` was served in one revision only", past.name))
}

/// The file to write: the one that has the flow now, or the one it was in.
fn place(config: &Config, past: &Past, to: &Revision) -> anyhow::Result<PathBuf> {
    if let Some(lying) = &past.lying {
        return Ok(lying.file.clone());
    }
    let Some(folder) = &config.flows_dir else {
        bail!("this configuration has no folder of flows: its flow is part of the program");
    };
    let name = PathBuf::from(&to.served.file);
    let file = name.file_name().map(|name| folder.join(name));
    let file = file.with_context(|| format!("no file has flow `{}`", past.name))?;
    if let Some(other) = lying(config).iter().find(|other| other.file == file) {
        bail!("{} has another flow now, `{}`", file.display(), other.now.flow);
    }
    Ok(file)
}

fn tell(past: &Past, to: &Revision, copies: &Copies) {
    println!("flow {} is as in revision {} again", past.name, short(&to.served.rev));
    for (file, copy) in &copies.files {
        match copy {
            Some(copy) => println!("wrote {}, was {}", file.display(), copy.display()),
            None => println!("wrote {}", file.display()),
        }
    }
    if copies.files.is_empty() {
        println!("the files were so already");
    }
}

/// A sub-flow file that was written may be another flow's, too.
fn tell_sharers(config: &Config, past: &Past, copies: &Copies) {
    let wrote = |name: &str, of: &FlowServed| {
        let file = PathBuf::from(&of.file).with_file_name(name);
        copies.files.iter().any(|(written, _)| *written == file)
    };
    for other in lying(config).iter().filter(|other| other.now.flow != past.name) {
        for name in other.now.subs.keys().filter(|name| wrote(name, &other.now)) {
            println!("flow {} takes steps from {name} too", other.now.flow);
        }
    }
}
