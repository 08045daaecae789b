//! Which steps and exits of the flows the tests went through.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use ivr_runtime::{flow::model::Flow, sim::exits};

use super::Played;

/// Steps and exits, by flow.
#[derive(Debug, Default)]
pub struct Coverage(BTreeMap<String, Covered>);

/// Steps and exits of one flow.
#[derive(Debug, Default)]
pub struct Covered {
    steps: BTreeSet<String>,
    entered: BTreeSet<String>,
    /// Every [exit](exits) that a step has, by step.
    exits: BTreeSet<(String, String)>,
    taken: BTreeSet<(String, String)>,
}

impl Coverage {
    /// Takes the flows there are, so that one that no test goes through is told, too.
    pub fn of(flows: &[Arc<Flow>]) -> Self {
        Self(flows.iter().map(|flow| (flow.name.clone(), Covered::of(flow))).collect())
    }

    /// Counts a test in.
    pub fn add(&mut self, played: &Played) {
        let Some(covered) = self.0.get_mut(&played.flow.name) else { return };
        let step = |visit: &String| visit.split(' ').next().unwrap_or_default().to_owned();
        covered.entered.extend(played.path.iter().map(step));
        covered.taken.extend(played.exits.iter().cloned());
    }

    /// Each flow by name.
    pub fn flows(&self) -> impl Iterator<Item = (&str, &Covered)> {
        self.0.iter().map(|(name, covered)| (name.as_str(), covered))
    }
}

impl Covered {
    fn of(flow: &Flow) -> Self {
        let mut covered = Self::default();
        for step in &flow.steps {
            covered.steps.insert(step.name.clone());
            let of_step = exits(flow, step).into_iter().map(|exit| (step.name.clone(), exit));
            covered.exits.extend(of_step);
        }
        covered
    }

    /// `11 of 12`: steps that were entered.
    pub fn steps(&self) -> String {
        let met = self.steps.intersection(&self.entered).count();
        format!("{met} of {}", self.steps.len())
    }

    /// `30 of 47`: exits that were taken.
    pub fn exits(&self) -> String {
        let met = self.exits.intersection(&self.taken).count();
        format!("{met} of {}", self.exits.len())
    }

    /// `menu by 2, timeout`: a line for each step with exits that were not taken.
    pub fn missing(&self) -> impl Iterator<Item = String> {
        let mut by_step: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (step, exit) in self.exits.difference(&self.taken) {
            by_step.entry(step).or_default().push(exit);
        }
        by_step.into_iter().map(|(step, exits)| format!("{step} by {}", exits.join(", ")))
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, covered) in self.flows() {
            writeln!(f, "{name}: {} steps, {} exits", covered.steps(), covered.exits())?;
            for line in covered.missing() {
                writeln!(f, "  not seen: {line}")?;
            }
        }
        Ok(())
    }
}
