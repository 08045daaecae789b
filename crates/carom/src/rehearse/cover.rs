//! Which steps and exits of the flows the tests went through.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use ivr_runtime::flow::model::{Does, Flow};

use super::Played;

/// Steps and exits, by flow.
#[derive(Debug, Default)]
pub struct Coverage(BTreeMap<String, Covered>);

#[derive(Debug, Default)]
struct Covered {
    /// Every exit that the flow has: step and key, or step and what else may happen there.
    known: BTreeSet<(String, String)>,
    seen: BTreeSet<(String, String)>,
}

impl Coverage {
    /// Takes the flows there are, so that one that no test goes through is told, too.
    pub fn of(flows: &[Arc<Flow>]) -> Self {
        let known = |flow: &Arc<Flow>| {
            (flow.name.clone(), Covered { known: exits(flow), seen: BTreeSet::new() })
        };
        Self(flows.iter().map(known).collect())
    }

    /// Counts a test in.
    pub fn add(&mut self, played: &Played) {
        let Some(covered) = self.0.get_mut(&played.flow.name) else { return };
        let exits = played.path.iter().filter_map(|visit| visit.split_once(' '));
        covered.seen.extend(exits.map(|(step, exit)| (step.to_owned(), exit.to_owned())));
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, covered) in &self.0 {
            let steps: BTreeSet<&str> = covered.known.iter().map(|(step, _)| &**step).collect();
            let seen: BTreeSet<&str> = covered.seen.iter().map(|(step, _)| &**step).collect();
            let missing: Vec<_> = covered.known.difference(&covered.seen).collect();
            let (all, met) = (covered.known.len(), covered.known.len() - missing.len());
            writeln!(
                f,
                "{name}: {} of {} steps, {met} of {all} exits",
                steps.intersection(&seen).count(),
                steps.len()
            )?;
            let mut by_step: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for (step, exit) in missing {
                by_step.entry(step).or_default().push(exit);
            }
            for (step, exits) in by_step {
                writeln!(f, "  not seen: {step} by {}", exits.join(", "))?;
            }
        }
        Ok(())
    }
}

/// A step is left by each of its keys, and by what else can happen in it.
fn exits(flow: &Flow) -> BTreeSet<(String, String)> {
    let mut exits = BTreeSet::new();
    for step in &flow.steps {
        let mut add = |exit: &str| exits.insert((step.name.clone(), exit.to_owned()));
        if let Some(menu) = step.does.menu() {
            menu.press.keys().for_each(|key| {
                add(&key.to_string());
            });
            add("timeout");
        }
        match &step.does {
            Does::Say { .. } | Does::Decide { .. } | Does::Set { .. } => {
                add("next");
            }
            Does::Text(_) | Does::Lookup(_) => {
                add("next");
                add("error");
            }
            Does::Collect(_) => {
                add("next");
                add("timeout");
                add("wrong");
            }
            Does::Action(_) => {
                add("next");
                add("error");
            }
            Does::Wait(_) => {
                add("next");
                add("timeout");
            }
            Does::Agent(_) => {
                add("next");
                add("timeout");
                add("error");
            }
            Does::Callback(_) => {
                add("next");
                add("timeout");
                add("error");
            }
            Does::Voicemail(_) => {
                add("next");
                add("hangup");
                add("error");
            }
            Does::OptOut { confirm, .. } => {
                add(&confirm.to_string());
                add("timeout");
            }
            Does::Menu(_) | Does::Answer { .. } | Does::Offer(_) => {}
        }
    }
    exits
}
