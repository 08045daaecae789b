//! `carom replay`: a recorded call, played again.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use deflect_actions::store::{CallTimeLine, Store};
use ivr_runtime::{
    call::Facts,
    flow::model::Flow,
    replay::{Entry, Recorded, Replayed, Visit, replay},
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
        let (line, recorded) = super::run::runtime()?.block_on(reading)?;
        let flow = flow_of(&snapshot, &line, self.flow.is_some())?;
        let again = replay(flow, &recorded);
        if self.json {
            println!("{}", as_json(&line, &recorded, &again));
        } else {
            print!("{}", as_table(&line, &recorded, &again));
        }
        Ok(if again.differs_at.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
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

async fn read(store: &Store, like: &str) -> anyhow::Result<(CallTimeLine, Recorded)> {
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
    Ok((line, Recorded { facts, inputs, visits, target }))
}

fn arrival(at_ms: i64, row: &str) -> Option<(i64, Facts)> {
    match serde_json::from_str(row) {
        Ok(Entry::Arrived { arrived }) => Some((at_ms, *arrived)),
        _ => None,
    }
}

fn end_of(line: &CallTimeLine) -> &str {
    line.call.end_reason.as_deref().unwrap_or("running")
}

fn end_again(again: &Replayed) -> &'static str {
    again.end.map_or("running", |end| end.as_str())
}

fn as_table(line: &CallTimeLine, recorded: &Recorded, again: &Replayed) -> String {
    let told = |visit: Option<&Visit>| {
        visit.map_or_else(String::new, |visit| {
            format!("{} {}", visit.step, visit.exit.as_deref().unwrap_or("-"))
        })
    };
    let mut table = format!("  {:<32} {}\n", "recorded", "replayed");
    for at in 0..recorded.visits.len().max(again.visits.len()) {
        let mark = if again.differs_at == Some(at) { '>' } else { ' ' };
        let (was, is) = (told(recorded.visits.get(at)), told(again.visits.get(at)));
        table.push_str(format!("{mark} {was:<32} {is}").trim_end());
        table.push('\n');
    }
    let called =
        |target: &Option<String>| target.as_deref().map_or("-".to_owned(), |it| format!("→ {it}"));
    if recorded.target.is_some() || again.target.is_some() {
        let elsewhere = again
            .differs_at
            .is_some_and(|at| at == again.visits.len() && at == recorded.visits.len());
        let mark = if elsewhere { '>' } else { ' ' };
        let (was, is) = (called(&recorded.target), called(&again.target));
        table.push_str(&format!("{mark} {was:<32} {is}\n"));
    }
    table.push_str(&format!("  {:<32} {}\n", end_of(line), end_again(again)));
    table.push_str(&match again.differs_at {
        None => "the call goes the way it went\n".to_owned(),
        Some(at) if at == again.visits.len() && at == recorded.visits.len() => {
            "the call goes to another target\n".to_owned()
        }
        Some(at) => format!("the call goes another way from its step {} on\n", at + 1),
    });
    table
}

fn as_json(line: &CallTimeLine, recorded: &Recorded, again: &Replayed) -> serde_json::Value {
    let told = |visits: &[Visit]| -> Vec<_> {
        visits.iter().map(|visit| json!({ "step": visit.step, "exit": visit.exit })).collect()
    };
    json!({
        "call": line.call.call_id,
        "recorded": { "steps": told(&recorded.visits), "target": recorded.target, "end": end_of(line) },
        "replayed": { "steps": told(&again.visits), "target": again.target, "end": end_again(again) },
        "differs_at": again.differs_at,
    })
}
