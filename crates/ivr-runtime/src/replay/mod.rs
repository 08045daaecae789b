//! A recorded call, played again: through the flow it had, or through another, to see where it
//! would go otherwise.
//!
//! What is recorded is in [`Entry`]s: the facts at arrival, then each input with its moment; what
//! is not ours to keep stands in them for what it decides ([`veil`]). As long as the call goes the
//! way it went, every input comes when it came. From where it goes another way only the caller's
//! own doings do; prompts, texts, requests and targets then behave as they did in the record, in
//! their order, and after that as the simulator's obedient world.

mod had;
mod veil;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};

pub use had::{Difference, Had, What, differences};
pub use veil::Veil;

use crate::{
    call::{
        Call, EndReason, Facts, FetchOutcome, Input, Output, Record, TargetOutcome, TextOutcome,
    },
    flow::model::Flow,
    sim::{AgentIs, Obedient, Plan, Stage, Topic, World},
};

/// Time-outs and inputs of one replay.
const EVENTS: usize = 20_000;
/// What happens because the call asked for it.
const REPORTS: [Topic; 8] = [
    Topic::Answer,
    Topic::Play,
    Topic::Text,
    Topic::Store,
    Topic::Fetch,
    Topic::Target,
    Topic::Callback,
    Topic::Voice,
];
/// After its last input a call that went another way is left to itself for so long.
const ALONE: Duration = Duration::from_secs(3_600);

/// Moments are recorded in whole milliseconds, deadlines are not.
const AFTER_DEADLINES: Duration = Duration::from_micros(500);
const BEFORE_DEADLINES: Duration = Duration::from_micros(1);
/// Inputs in the millisecond of a deadline that are tried before it, one by one.
const TIES: usize = 32;

/// One row of a call's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Entry {
    /// What was known when its flow began; the first entry.
    Arrived {
        /// The facts.
        arrived: Box<Facts>,
    },
    /// What the call machine was told.
    Told(Input),
}

/// A step that a call was in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// Its name.
    pub step: String,
    /// How it was left; `None`: it was the last, and the call ended there.
    pub exit: Option<String>,
    /// How often its prompt was played.
    pub tries: u8,
}

/// A call as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// What was known when its flow began.
    pub facts: Facts,
    /// Moments after that, and what the machine was told.
    pub inputs: Vec<(Duration, Input)>,
    /// The steps it went through.
    pub visits: Vec<Visit>,
    /// The last target that was called.
    pub target: Option<String>,
}

/// A call as it went again.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replayed {
    /// The steps it went through.
    pub visits: Vec<Visit>,
    /// What the caller had before the first of them, then of each.
    pub had: Vec<Had>,
    /// The last target that was called.
    pub target: Option<String>,
    /// How it ended; `None`: it was still going on when all that is recorded was played.
    pub end: Option<EndReason>,
    /// Index of the first step that is another than in the record, or is left otherwise; one past
    /// the last where only the target is another.
    pub differs_at: Option<usize>,
}

/// Plays a call through `flow`. What came in the millisecond of a deadline came after it or before
/// it: it is taken as the record has it, where that explains the way.
#[must_use]
pub fn replay(flow: &Arc<Flow>, recorded: &Recorded) -> Replayed {
    let (again, deadlines) = play(flow, recorded, None);
    if again.differs_at.is_none() {
        return again;
    }
    let moments = recorded.inputs.iter().enumerate();
    let tied = moments.filter(|(_, (at, _))| deadlines.contains(&at.as_millis()));
    let ways = tied.take(TIES).map(|(early, _)| play(flow, recorded, Some(early)).0);
    ways.into_iter().find(|way| way.differs_at.is_none()).unwrap_or(again)
}

/// Plays it with the input `early` before what falls due in its millisecond; and the milliseconds in
/// which something fell due.
fn play(flow: &Arc<Flow>, recorded: &Recorded, early: Option<usize>) -> (Replayed, BTreeSet<u128>) {
    let mut facts = recorded.facts.clone();
    facts.call_id = "replayed".to_owned();
    let call = Call::new(Duration::ZERO, Arc::clone(flow), facts);
    let mut stage = Stage::new(call, Memory::of(recorded), Duration::ZERO);
    for (n, (at, input)) in recorded.inputs.iter().enumerate() {
        let at = match early == Some(n) {
            true => at.saturating_sub(BEFORE_DEADLINES),
            false => *at + AFTER_DEADLINES,
        };
        stage.plan(at, topic(input), input.clone());
    }
    let mut deadlines = BTreeSet::new();
    let last = recorded.inputs.last().map_or(Duration::ZERO, |(at, _)| *at);
    let mut again = Replayed { had: vec![Had::default()], ..Replayed::default() };
    for _ in 0..EVENTS {
        again.take(flow, stage.take_outputs());
        let due = stage.call.poll_timeout();
        if again.end.is_some() || stage.now > last + ALONE || !stage.step() {
            break;
        }
        deadlines.extend(due.filter(|due| *due <= stage.now).map(|due| due.as_millis()));
    }
    if again.end.is_none() && stage.world.loose && stage.call.is_bridged() {
        // Who talks to somebody else than in the record hangs up some time, too.
        stage.input(Input::HungUp);
        again.take(flow, stage.take_outputs());
    }
    let elsewhere = match (&recorded.target, &again.target) {
        (Some(was), Some(is)) => (was != is).then_some(again.visits.len()),
        _ => None,
    };
    again.differs_at = first_difference(&recorded.visits, &again.visits).or(elsewhere);
    (again, deadlines)
}

impl Replayed {
    fn take(&mut self, flow: &Flow, outputs: Vec<Output>) {
        for output in outputs {
            if matches!(output, Output::Record(Record::StepEntered { .. })) {
                self.had.push(Had::default());
            }
            if let Some(had) = self.had.last_mut() {
                had.note(flow, &output);
            }
            match output {
                Output::Record(Record::End { reason, .. }) => self.end = Some(reason),
                Output::Record(Record::ForwardStarted { target, .. }) => {
                    self.target = Some(target);
                }
                Output::Record(record) => note(&mut self.visits, &record),
                _ => {}
            }
        }
    }
}

fn note(visits: &mut Vec<Visit>, record: &Record) {
    match record {
        Record::StepEntered { step, .. } => {
            visits.push(Visit { step: step.clone(), exit: None, tries: 1 });
        }
        Record::StepLeft { exit, tries, .. } => {
            if let Some(visit) = visits.iter_mut().rev().find(|visit| visit.exit.is_none()) {
                visit.exit = Some(exit.clone());
                visit.tries = *tries;
            }
        }
        _ => {}
    }
}

/// Index of the first step that is another or is left otherwise.
fn first_difference(was: &[Visit], is: &[Visit]) -> Option<usize> {
    let same = |(was, is): (&Visit, &Visit)| was.step == is.step && was.exit == is.exit;
    let alike = was.iter().zip(is).take_while(|pair| same(*pair)).count();
    (alike < was.len().max(is.len())).then_some(alike)
}

/// A world that does what it did.
#[derive(Debug)]
struct Memory {
    /// The call went another way: what comes next is not what came.
    loose: bool,
    seen: usize,
    visits: Vec<Visit>,
    /// What became of texts, in the order in which they were asked for, and when that was told.
    texts: VecDeque<(Duration, TextOutcome)>,
    /// Likewise of requests, by their numbers.
    fetched: BTreeMap<u32, (Duration, FetchOutcome)>,
    targets: VecDeque<TargetOutcome>,
    /// What bots said, in order.
    said: VecDeque<BTreeMap<String, String>>,
    /// The last moment at which something became of a target.
    targets_until: Option<Duration>,
    obedient: Obedient,
}

impl Memory {
    fn of(recorded: &Recorded) -> Self {
        let mut memory = Self {
            loose: false,
            seen: 0,
            visits: recorded.visits.clone(),
            texts: VecDeque::new(),
            fetched: BTreeMap::new(),
            targets: VecDeque::new(),
            said: VecDeque::new(),
            targets_until: None,
            obedient: Obedient::default(),
        };
        let mut texts = Vec::new();
        for (at, input) in &recorded.inputs {
            let at = *at + AFTER_DEADLINES;
            if matches!(input, Input::Target(_)) {
                memory.targets_until = Some(at);
            }
            match input {
                Input::Text(told) => texts.push((told.of, (at, told.outcome.clone()))),
                Input::AgentSaid(values) => memory.said.push_back(values.clone()),
                Input::Fetched { id, outcome } => {
                    memory.fetched.insert(*id, (at, outcome.clone()));
                }
                Input::Target(outcome) if begins(*outcome) => memory.targets.push_back(*outcome),
                _ => {}
            }
        }
        texts.sort_by_key(|(of, _)| *of);
        memory.texts = texts.into_iter().map(|(_, told)| told).collect();
        memory
    }

    /// Whether the record goes on as the call does.
    fn follows(&mut self, record: &Record) -> bool {
        match record {
            Record::StepEntered { step, .. } => {
                self.seen += 1;
                self.visits.get(self.seen - 1).is_some_and(|visit| visit.step == *step)
            }
            // Digits that were replaced may be taken at once where they were not.
            Record::StepLeft { exit, tries, .. } => {
                let visit = self.visits.get(self.seen.saturating_sub(1));
                visit.is_some_and(|visit| {
                    visit.tries == *tries && visit.exit.as_ref().is_none_or(|was| was == exit)
                })
            }
            _ => true,
        }
    }

    /// What the obedient world is to do next, as it was.
    fn remember(&mut self, output: &Output, call: &Call) {
        match output {
            Output::SendText(_) => {
                let usual = TextOutcome::Accepted { sender: "replayed".to_owned() };
                let known = self.texts.pop_front().map(|(_, outcome)| outcome);
                if self.loose {
                    self.obedient.text = Some(known.unwrap_or(usual));
                }
            }
            Output::Fetch(request) => {
                let known = self.fetched.remove(&request.id).map(|(_, outcome)| outcome);
                if let Some(known) = known.filter(|_| self.loose) {
                    match &request.link {
                        Some(link) => self.obedient.links_say.insert(link.clone(), known),
                        None => self.obedient.fetched.insert(request.step.clone(), known),
                    };
                }
            }
            Output::CallAgent(request) => {
                let (known, said) = (self.targets.pop_front(), self.said.pop_front());
                let target = call.flow().targets.get(usize::from(request.target.0));
                if let (true, Some(target), Some(known)) = (self.loose, target, known) {
                    self.obedient.targets.insert(target.name.clone(), Some(known));
                }
                if let Some(said) = said.filter(|_| self.loose) {
                    self.obedient.agents.insert(request.step.clone(), AgentIs::HandsBack(said));
                }
            }
            Output::Forward { target, .. } => {
                let known = self.targets.pop_front();
                let target = call.flow().targets.get(usize::from(target.0));
                if let (true, Some(target), Some(known)) = (self.loose, target, known) {
                    self.obedient.targets.insert(target.name.clone(), Some(known));
                }
            }
            _ => {}
        }
    }
}

impl World for Memory {
    fn react(&mut self, now: Duration, call: &Call, output: &Output, plan: &mut Plan) {
        let follows = match output {
            Output::Record(record) => self.follows(record),
            Output::Forward { .. } | Output::CallAgent(_) => {
                self.targets_until.is_some_and(|until| now <= until)
            }
            // Asked for later than it was told then: the same step took longer.
            Output::Fetch(request) => {
                self.fetched.get(&request.id).is_none_or(|(told, _)| now <= *told)
            }
            Output::SendText(_) => self.texts.front().is_none_or(|(told, _)| now <= *told),
            _ => true,
        };
        if !follows && !self.loose {
            self.loose = true;
            REPORTS.iter().for_each(|topic| plan.cancel(*topic));
        }
        self.remember(output, call);
        if self.loose {
            self.obedient.react(now, call, output, plan);
        }
    }

    /// What came in the moment of a deadline was mostly brought about by it.
    fn deadlines_first(&self) -> bool {
        true
    }
}

/// The first thing that becomes of a target, ringing aside.
fn begins(outcome: TargetOutcome) -> bool {
    match outcome {
        TargetOutcome::Answered { .. }
        | TargetOutcome::HandedOver { .. }
        | TargetOutcome::Busy { .. }
        | TargetOutcome::NoAnswer { .. }
        | TargetOutcome::Failed { .. } => true,
        TargetOutcome::Ringing
        | TargetOutcome::HumanAnswered
        | TargetOutcome::SignalLost
        | TargetOutcome::Ended { .. } => false,
    }
}

fn topic(input: &Input) -> Topic {
    match input {
        Input::KeyDown(_) | Input::Key(_) | Input::HungUp | Input::OperatorBridge => Topic::Caller,
        Input::PlayDone { .. } | Input::PlayFailed { .. } => Topic::Play,
        Input::Answered | Input::AnswerFailed => Topic::Answer,
        Input::Text(_) => Topic::Text,
        Input::OptOut(_) => Topic::Store,
        Input::Fetched { .. } => Topic::Fetch,
        Input::Callback(_) => Topic::Callback,
        Input::VoiceOver | Input::Voice(_) => Topic::Voice,
        Input::Target(_) | Input::AgentSaid(_) | Input::SendLink | Input::SendLinkConfirmed => {
            Topic::Target
        }
    }
}

#[cfg(test)]
mod tests;
