//! `carom flows`: what was served, how it changed, and the way back.

use std::{path::Path, process::ExitCode};

use anyhow::{Context as _, bail};
use deflect_actions::store::{FlowServed, Revision};
use ivr_runtime::diagnose::nearest;
use serde_json::json;

use super::{
    ConfigArg,
    node::{clock, short},
    rollback::RollbackArgs,
};
use crate::{
    config::Config,
    revisions::{Counts, Lying, counts, lying, unified},
};

/// Arguments of `carom flows`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct FlowsArgs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The revisions of each flow, with time, author and how many lines changed.
    List(ListArgs),
    /// How two revisions differ, or what a reload would change.
    Diff(DiffArgs),
    /// Write a revision back into the files, keep copies of what was there, and reload.
    Rollback(RollbackArgs),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The flow: its name, or that of its file; left out, all.
    flow: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct DiffArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The flow: its name, or that of its file.
    flow: String,
    /// A revision, or how its name begins; left out, the one that is served.
    old: Option<String>,
    /// Another one; left out, the files as they are now.
    new: Option<String>,
}

impl FlowsArgs {
    /// `carom flows [list|diff|rollback]`.
    ///
    /// # Errors
    /// The store can't be read, or knows no such flow or revision.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            None => self.list.run(),
            Some(Command::List(list)) => list.run(),
            Some(Command::Diff(diff)) => diff.run(),
            Some(Command::Rollback(rollback)) => rollback.run(),
        }
    }
}

/// A flow with all that is known of its past.
pub(super) struct Past {
    /// Its name.
    pub name: String,
    /// Oldest first; the last one is served, or was last.
    pub revisions: Vec<Revision>,
    /// What lies in the files; `None` where no file has the flow.
    pub lying: Option<Lying>,
}

/// What the store and the files know of all flows.
pub(super) fn pasts(config: &Config) -> anyhow::Result<Vec<Past>> {
    let reading = async {
        let store = super::past::store(config)?;
        store.revisions().await.context("[store]")
    };
    let revisions = super::run::runtime()?.block_on(reading)?;
    let mut pasts: Vec<Past> = Vec::new();
    for revision in revisions {
        let name = &revision.served.flow;
        match pasts.iter_mut().find(|past| past.name == *name) {
            Some(past) => past.revisions.push(revision),
            None => pasts.push(Past { name: name.clone(), revisions: vec![revision], lying: None }),
        }
    }
    for lying in lying(config) {
        let name = lying.now.flow.clone();
        match pasts.iter_mut().find(|past| past.name == name) {
            Some(past) => past.lying = Some(lying),
            None => pasts.push(Past { name, revisions: Vec::new(), lying: Some(lying) }),
        }
    }
    Ok(pasts)
}

impl Past {
    /// The flow of this name, or whose file has it.
    pub(super) fn of(config: &Config, name: &str) -> anyhow::Result<Self> {
        let mut pasts = pasts(config)?;
        let found = pasts.iter().position(|past| past.is_called(name));
        let Some(at) = found else {
            let near = nearest(name, pasts.iter().map(|past| past.name.as_str()));
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            bail!("there is no flow `{name}`, nor was one served{near}");
        };
        Ok(pasts.swap_remove(at))
    }

    fn is_called(&self, name: &str) -> bool {
        let file = self.lying.as_ref().and_then(|lying| lying.file.file_stem());
        self.name == name || file.is_some_and(|file| file == name)
    }

    /// The revision that is served, or was last.
    pub(super) fn last(&self) -> anyhow::Result<&Revision> {
        self.revisions.last().with_context(|| format!("flow `{}` was never served", self.name))
    }

    /// The revision whose name begins so.
    pub(super) fn revision(&self, like: &str) -> anyhow::Result<&Revision> {
        let mut found: Vec<&Revision> =
            self.revisions.iter().filter(|r| r.served.rev.starts_with(like)).collect();
        found.sort_by(|a, b| a.served.rev.cmp(&b.served.rev));
        found.dedup_by(|a, b| a.served.rev == b.served.rev);
        match found[..] {
            [found] => Ok(found),
            [] => bail!("no revision of flow `{}` begins with `{like}`", self.name),
            _ => bail!("more than one revision of flow `{}` begins with `{like}`", self.name),
        }
    }

    /// How much each revision changed against the one before.
    fn changes(&self) -> impl DoubleEndedIterator<Item = (&Revision, Option<Counts>)> {
        self.revisions.iter().enumerate().map(|(at, revision)| {
            let before = at.checked_sub(1).and_then(|before| self.revisions.get(before));
            (revision, before.map(|before| counts(&before.served, &revision.served)))
        })
    }

    /// Whether the files hold what is not served.
    fn is_ahead(&self) -> bool {
        match (&self.lying, self.revisions.last()) {
            (Some(lying), Some(last)) => !lying.is(&last.served),
            _ => false,
        }
    }
}

impl ListArgs {
    fn run(self) -> anyhow::Result<ExitCode> {
        let config = alone(self.config.config.as_deref())?;
        let pasts = match &self.flow {
            Some(name) => vec![Past::of(&config, name)?],
            None => pasts(&config)?,
        };
        if self.json {
            let rows: Vec<_> = pasts.iter().flat_map(as_json).collect();
            println!("{}", serde_json::to_string_pretty(&rows)?);
        } else {
            pasts.iter().for_each(print);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(past: &Past) {
    match &past.lying {
        Some(lying) => println!("{}  {}", past.name, lying.file.display()),
        None => println!("{}  (no file has it)", past.name),
    }
    let last = past.revisions.len().saturating_sub(1);
    for (at, (revision, changed)) in past.changes().enumerate().collect::<Vec<_>>().iter().rev() {
        let mark = if *at == last { '*' } else { ' ' };
        let changed = changed
            .map_or_else(String::new, |Counts { added, removed }| format!("+{added} -{removed}"));
        let line = format!(
            "{mark} {}  {}  {:12}  {changed}",
            short(&revision.served.rev),
            clock(revision.at_ms),
            revision.by_whom,
        );
        println!("{}", line.trim_end());
    }
    if past.revisions.is_empty() {
        println!("  it was never served");
    }
    if past.is_ahead() {
        println!("  the files differ from what is served: see `carom flows diff`");
    }
}

fn as_json(past: &Past) -> Vec<serde_json::Value> {
    let last = past.revisions.len().saturating_sub(1);
    let row = |(at, (revision, changed)): (usize, (&Revision, Option<Counts>))| {
        json!({
            "flow": past.name,
            "file": past.lying.as_ref().map(|lying| lying.file.display().to_string()),
            "flow_rev": revision.served.rev,
            "at_ms": revision.at_ms,
            "by_whom": revision.by_whom,
            "added": changed.map(|changed| changed.added),
            "removed": changed.map(|changed| changed.removed),
            "served": at == last,
            "files_differ": at == last && past.is_ahead(),
        })
    };
    past.changes().enumerate().map(row).collect()
}

impl DiffArgs {
    fn run(self) -> anyhow::Result<ExitCode> {
        let config = alone(self.config.config.as_deref())?;
        let past = Past::of(&config, &self.flow)?;
        let named = |like: &String| past.revision(like);
        let old = self.old.as_ref().map_or_else(|| past.last(), named)?;
        let (new, new_name): (&FlowServed, &str) = match &self.new {
            Some(like) => past.revision(like).map(|r| (&r.served, short(&r.served.rev)))?,
            None => match &past.lying {
                Some(lying) => (&lying.now, "the files now"),
                None => bail!("no file has flow `{}` now: name two revisions", past.name),
            },
        };
        print!("{}", unified(&old.served, new, short(&old.served.rev), new_name));
        Ok(ExitCode::SUCCESS)
    }
}

/// A configuration without its flows, which may be broken.
pub(super) fn alone(path: Option<&Path>) -> anyhow::Result<Config> {
    Config::alone(path).map_err(|report| anyhow::anyhow!("the configuration has errors:\n{report}"))
}
