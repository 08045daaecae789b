//! How random calls ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::oracle::{Left, Oracle};
use crate::{
    call::{EndReason, Handled, OfferResponse},
    flow::model::Flow,
    step::exits::{exits, taken},
};

/// So many exits that no call took are named.
const NAMED: usize = 8;

/// Counts of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The seed of the run.
    pub seed: u64,
    /// Calls that ended.
    pub calls: u64,
    /// By how they ended.
    pub ends: BTreeMap<EndReason, u64>,
    /// By who answered.
    pub handled: BTreeMap<Handled, u64>,
    /// Offers spoken or implied, by their answer.
    pub offers: BTreeMap<&'static str, u64>,
    /// Offers not spoken, by reason.
    pub suppressed: BTreeMap<String, u64>,
    /// Calls of the control group.
    pub holdout: u64,
    /// Calls on a bridge that nobody ended.
    pub bridged: u64,
    /// Calls that entered each step of the flow.
    pub steps: BTreeMap<String, u64>,
    /// Whether a call left by it, by step and [exit](exits).
    pub exits: BTreeMap<(String, String), bool>,
    /// Most steps entered by one call.
    pub most_steps: u32,
    /// Inputs and deadlines that the calls were told of.
    pub events: u64,
    /// Largest state written away, bytes of JSON.
    pub state_bytes: usize,
    /// Calls that broke a promise, or reached neither an end nor a person.
    pub lost: Vec<Lost>,
}

/// A call that went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Which caller of the run.
    pub index: u64,
    /// That caller's own seed.
    pub seed: u64,
    /// What went wrong.
    pub why: String,
}

impl Tally {
    pub(super) fn new(seed: u64, flow: &Flow) -> Self {
        Self {
            seed,
            calls: 0,
            ends: BTreeMap::new(),
            handled: BTreeMap::new(),
            offers: BTreeMap::new(),
            suppressed: BTreeMap::new(),
            holdout: 0,
            bridged: 0,
            steps: flow.steps.iter().map(|step| (step.name.clone(), 0)).collect(),
            exits: BTreeMap::new(),
            most_steps: 0,
            events: 0,
            state_bytes: 0,
            lost: Vec::new(),
        }
    }

    /// Whether every call reached an end or a person and broke no promise.
    pub fn is_ok(&self) -> bool {
        self.lost.is_empty()
    }

    /// The steps that no call entered, in the order of their names.
    pub fn not_entered(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter(|(_, calls)| **calls == 0).map(|(step, _)| step.as_str())
    }

    /// The steps and exits that no call took, in the order of their names.
    pub fn not_taken(&self) -> impl Iterator<Item = (&str, &str)> {
        let missed = self.exits.iter().filter(|(_, taken)| !**taken);
        missed.map(|((step, exit), _)| (step.as_str(), exit.as_str()))
    }

    /// Which of the exits of a flow were taken.
    pub(super) fn count_exits(&mut self, flow: &Flow, left: &BTreeSet<Left>) {
        for step in &flow.steps {
            let known = exits(flow, step).into_iter();
            self.exits.extend(known.map(|exit| ((step.name.clone(), exit), false)));
            let of_step = left.iter().filter(|left| left.step == step.name);
            for Left { exit, note, .. } in of_step {
                if let Some(exit) = taken(flow, step, exit, note.as_deref()) {
                    self.exits.insert((step.name.clone(), exit), true);
                }
            }
        }
    }

    pub(super) fn count(&mut self, call: &Oracle) {
        self.calls += 1;
        self.holdout += u64::from(call.holdout);
        self.events += u64::from(call.events);
        for step in call.entered.iter().collect::<BTreeSet<_>>() {
            *self.steps.entry(step.clone()).or_default() += 1;
        }
        self.most_steps =
            self.most_steps.max(u32::try_from(call.entered.len()).unwrap_or(u32::MAX));
        self.state_bytes = self.state_bytes.max(call.state_bytes);
        match call.end {
            Some((reason, handled)) => {
                *self.ends.entry(reason).or_default() += 1;
                *self.handled.entry(handled).or_default() += 1;
            }
            None => self.bridged += 1,
        }
        for (response, reason) in &call.offers {
            match (response, reason) {
                (OfferResponse::Suppressed, Some(reason)) => {
                    *self.suppressed.entry(reason.clone()).or_default() += 1;
                }
                (response, _) => *self.offers.entry(response.as_str()).or_default() += 1,
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} callers, seed {}", self.calls + self.lost.len() as u64, self.seed)?;
        for (reason, n) in &self.ends {
            writeln!(f, "  {n:>7}  {}", reason.as_str())?;
        }
        if self.bridged > 0 {
            writeln!(f, "  {:>7}  on a bridge at the end", self.bridged)?;
        }
        for (title, counts) in [("offers", &self.offers)] {
            for (name, n) in counts {
                writeln!(f, "  {n:>7}  {title} {name}")?;
            }
        }
        for (reason, n) in &self.suppressed {
            writeln!(f, "  {n:>7}  offers suppressed: {reason}")?;
        }
        writeln!(f, "  {:>7}  in the control group", self.holdout)?;
        let missed: Vec<&str> = self.not_entered().collect();
        let (all, entered) = (self.steps.len(), self.steps.len() - missed.len());
        write!(f, "  {entered:>7}  of {all} steps entered")?;
        match missed.as_slice() {
            [] => writeln!(f)?,
            missed => writeln!(f, ", not {}", missed.join(", "))?,
        }
        let missed: Vec<String> =
            self.not_taken().map(|(step, exit)| format!("{step} by {exit}")).collect();
        let (all, taken) = (self.exits.len(), self.exits.len() - missed.len());
        write!(f, "  {taken:>7}  of {all} exits taken")?;
        match missed.as_slice() {
            [] => writeln!(f)?,
            few if few.len() <= NAMED => writeln!(f, ", not {}", few.join(", "))?,
            many => {
                let rest = many.len() - NAMED;
                writeln!(f, ", not {} and {rest} more", many[..NAMED].join(", "))?;
            }
        }
        for lost in &self.lost {
            writeln!(f, "LOST caller {} (seed {}): {}", lost.index, lost.seed, lost.why)?;
        }
        Ok(())
    }
}
