//! `carom replay`: a recorded call, played again.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use deflect_actions::store::{CallTimeLine, FlowServed, Store};
use ivr_runtime::{
    call::Facts,
    flow::model::Flow,
    replay::{Difference, Entry, Had, Recorded, Replayed, Visit, What, differences, replay},
};
use serde_json::json;

use super::ConfigArg;
use crate::config::{self, Snapshot};

/// Calls that an id may begin alike.
const ALIKE: u32 = 2;

/// Arguments of `carom replay`.
#[derive(Debug, clap::Args)]
pub struct ReplayArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The call: its id or how that begins, or the SIP Call-ID of a leg.
    call: String,
    /// The flow: its file, or its name in the configuration; left out, the flow of the configuration that has the name of the call's.
    flow: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl ReplayArgs {
    /// Prints both ways side by side; exit status 1 where they differ.
    ///
    /// # Errors
    /// No such call, no record of it any more, a flow with errors.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.config.as_deref();
        let files = super::flows_meant(config, self.flow.as_slice())?;
        let (snapshot, report) = config::check(config, &files);
        let Some(snapshot) = snapshot else { bail!("the flow has errors:\n{report}") };
        let reading = async {
            let store = super::past::store(&snapshot.config).context("[store]")?;
            read(&store, &self.call).await
        };
        let (line, recorded, served) = super::run::runtime()?.block_on(reading)?;
        let flow = flow_of(&snapshot, &line, self.flow.is_some())?;
        let again = replay(flow, &recorded);
        let was = served.as_ref().and_then(|served| as_it_was(config, served, &recorded));
        let told = Told { line: &line, recorded: &recorded, was: was.as_ref(), again: &again };
        if self.json {
            println!("{}", told.as_json());
        } else {
            print!("{}", told.as_table());
        }
        Ok(if told.is_alike() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The call through the flow that it had; `None`: that is not kept, or fits the configuration no
/// more.
fn as_it_was(config: Option<&Path>, served: &FlowServed, recorded: &Recorded) -> Option<Replayed> {
    let (snapshot, _) = config::check_served(config, served);
    let snapshot = snapshot?;
    Some(replay(snapshot.flows.first()?, recorded))
}

fn flow_of<'a>(
    snapshot: &'a Snapshot,
    line: &CallTimeLine,
    given: bool,
) -> anyhow::Result<&'a Arc<Flow>> {
    if given && let [flow] = snapshot.flows.as_slice() {
        return Ok(flow);
    }
    let name = line.call.flow.as_deref().unwrap_or_default();
    let found = snapshot.flows.iter().find(|flow| flow.name == name);
    found.with_context(|| format!("there is no flow `{name}` any more: name a flow file"))
}

/// The call, what it was told, and the flow that it had, where that is kept.
async fn read(
    store: &Store,
    like: &str,
) -> anyhow::Result<(CallTimeLine, Recorded, Option<FlowServed>)> {
    let ids = store.calls_like(like, ALIKE).await.context("[store]")?;
    let id = match ids.as_slice() {
        [id] => id,
        [] => bail!("no call begins with `{like}`"),
        _ => bail!("more than one call begins with `{like}`"),
    };
    let line = store.call_time_line(id).await?.context("the call is gone")?;
    let rows = store.call_inputs(id).await?;
    let Some((start_ms, facts)) = rows.first().and_then(|(at_ms, row)| arrival(*at_ms, row)) else {
        bail!("of call {id} there is no record to replay any more, or it ended before its flow");
    };
    let inputs = rows.iter().skip(1).map(|(at_ms, row)| {
        let at = Duration::from_millis(u64::try_from(at_ms - start_ms).unwrap_or(0));
        match serde_json::from_str(row) {
            Ok(Entry::Told(input)) => Ok((at, input)),
            _ => bail!("the record of call {id} was written by another version"),
        }
    });
    let visits = line.steps.iter().map(|step| Visit {
        step: step.step.clone(),
        exit: step.exit.clone(),
        tries: step.tries,
    });
    let visits = visits.collect();
    let inputs = inputs.collect::<anyhow::Result<_>>()?;
    let target = line.call.forward_target.clone();
    let revisions = store.revisions().await?.into_iter().map(|revision| revision.served);
    let served =
        revisions.into_iter().find(|served| Some(&served.rev) == line.call.flow_rev.as_ref());
    Ok((line, Recorded { facts, inputs, visits, target }, served))
}

fn arrival(at_ms: i64, row: &str) -> Option<(i64, Facts)> {
    match serde_json::from_str(row) {
        Ok(Entry::Arrived { arrived }) => Some((at_ms, *arrived)),
        _ => None,
    }
}

/// A call as it was and as it would be.
struct Told<'a> {
    line: &'a CallTimeLine,
    recorded: &'a Recorded,
    /// Through the flow that it had.
    was: Option<&'a Replayed>,
    again: &'a Replayed,
}

impl Told<'_> {
    /// What else is another where the way is the same.
    fn differences(&self) -> Vec<Difference> {
        self.was.map_or_else(Vec::new, |was| differences(was, self.again))
    }

    fn is_alike(&self) -> bool {
        self.again.differs_at.is_none() && self.differences().is_empty()
    }

    fn end_was(&self) -> &str {
        self.line.call.end_reason.as_deref().unwrap_or("running")
    }

    fn end_is(&self) -> &'static str {
        self.again.end.map_or("running", |end| end.as_str())
    }

    /// Both ways went all the way, and it is the target that is another.
    fn elsewhere(&self) -> bool {
        let (was, is) = (self.recorded.visits.len(), self.again.visits.len());
        self.again.differs_at.is_some_and(|at| at == is && at == was)
    }

    fn as_table(&self) -> String {
        let told = |visit: Option<&Visit>| {
            visit.map_or_else(String::new, |visit| {
                format!("{} {}", visit.step, visit.exit.as_deref().unwrap_or("-"))
            })
        };
        let (recorded, again) = (self.recorded, self.again);
        let mut table = row(' ', "recorded", "replayed") + &self.had(0);
        for at in 0..recorded.visits.len().max(again.visits.len()) {
            let mark = if again.differs_at == Some(at) { '>' } else { ' ' };
            let (was, is) = (told(recorded.visits.get(at)), told(again.visits.get(at)));
            table += &(row(mark, &was, &is) + &self.had(at + 1));
        }
        let called = |target: &Option<String>| {
            target.as_deref().map_or("-".to_owned(), |it| format!("→ {it}"))
        };
        if recorded.target.is_some() || again.target.is_some() {
            let mark = if self.elsewhere() { '>' } else { ' ' };
            table += &row(mark, &called(&recorded.target), &called(&again.target));
        }
        let ends = self.differences().iter().any(|one| one.what == What::End);
        table += &row(if ends { '>' } else { ' ' }, self.end_was(), self.end_is());
        table + &self.verdict()
    }

    /// What differs of what the caller had of a step.
    fn had(&self, at: usize) -> String {
        let differences = self.differences();
        let here = differences.iter().filter(|one| one.at == at);
        let mut lines = String::new();
        for Difference { what, .. } in here {
            let list = |replayed: Option<&Replayed>| {
                let had = replayed.and_then(|replayed| replayed.had.get(at));
                let list = had.map(|had| match what {
                    What::Prompts => had.prompts.as_slice(),
                    What::Texts => had.texts.as_slice(),
                    What::Targets => had.targets.as_slice(),
                    What::End => &[],
                });
                list.unwrap_or_default().to_vec()
            };
            let (was, is) = (list(self.was), list(Some(self.again)));
            for n in 0..was.len().max(is.len()) {
                let one = |list: &[String]| list.get(n).cloned().unwrap_or_else(|| "-".to_owned());
                let (was, is) = (one(&was), one(&is));
                let mark = if was == is { ' ' } else { '>' };
                lines += &row(
                    mark,
                    &format!("  {} {was}", sign(*what)),
                    &format!("  {} {is}", sign(*what)),
                );
            }
        }
        lines
    }

    fn verdict(&self) -> String {
        let mut verdict = match self.again.differs_at {
            None => "the call goes the way it went".to_owned(),
            Some(_) if self.elsewhere() => "the call goes to another target".to_owned(),
            Some(at) => format!("the call goes another way from its step {} on", at + 1),
        };
        let mut what: Vec<&str> =
            self.differences().iter().map(|difference| difference.what.word()).collect();
        what.dedup();
        what.sort_unstable();
        what.dedup();
        if !what.is_empty() {
            verdict += &format!("; other {}", what.join(", "));
        }
        if self.was.is_none() {
            verdict += "; the flow that it had is not kept or fits the configuration no more: \
                        prompts and texts are not compared";
        }
        verdict + "\n"
    }

    fn as_json(&self) -> serde_json::Value {
        let told = |visits: &[Visit], had: Option<&[Had]>| -> Vec<_> {
            let of = |(n, visit): (usize, &Visit)| {
                let had = had.and_then(|had| had.get(n + 1));
                json!({
                    "step": visit.step,
                    "exit": visit.exit,
                    "prompts": had.map(|had| &had.prompts),
                    "texts": had.map(|had| &had.texts),
                    "targets": had.map(|had| &had.targets),
                })
            };
            visits.iter().enumerate().map(of).collect()
        };
        let (recorded, again) = (self.recorded, self.again);
        let differ = self.differences();
        let differ = differ.iter().map(|one| json!({ "at": one.at, "what": one.what.word() }));
        json!({
            "call": self.line.call.call_id,
            "recorded": {
                "steps": told(&recorded.visits, self.was.map(|was| was.had.as_slice())),
                "target": recorded.target,
                "end": self.end_was(),
            },
            "replayed": {
                "steps": told(&again.visits, Some(&again.had)),
                "target": again.target,
                "end": self.end_is(),
            },
            "differs_at": again.differs_at,
            "compared_with_its_flow": self.was.is_some(),
            "differences": differ.collect::<Vec<_>>(),
        })
    }
}

fn row(mark: char, was: &str, is: &str) -> String {
    format!("{mark} {was:<32} {is}").trim_end().to_owned() + "\n"
}

fn sign(what: What) -> &'static str {
    match what {
        What::Prompts => "♪",
        What::Texts => "✉",
        What::Targets | What::End => "→",
    }
}
