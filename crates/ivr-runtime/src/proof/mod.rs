//! Proof that a flow traps nobody: an exhaustive search over the states of its calls.
//!
//! The caller may press any key, wrong ones, or none, in every try; every rule may hold or not,
//! whatever it tests; every prompt, request, text and target may fail in every way it can fail,
//! every target may be closed. Of each state it is found what the caller can make sure of
//! whatever the others do, and how long that takes at most.
//!
//! "A person" means that the call rings at an open target of the person route, at `[fallback]`, or
//! at one that says that people answer it and that is no bot's. A target that fails is a state
//! of its own: from there too the call goes on to somebody else, until everybody of the way out
//! was tried.

mod graph;
mod lengths;
mod moves;
mod state;
mod table;

use self::{
    graph::{Graph, MAX_STATES, NEVER, Values},
    lengths::Lengths,
    state::{Cause, Place, State},
};
use crate::{
    call::route::OVERTIME,
    flow::{
        PromptIndex,
        model::{Does, Flow, Step, StepId},
    },
};

/// What was found out about a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// States that a call can come to.
    pub states: usize,
    /// One for each step, in file order.
    pub rows: Vec<Row>,
    /// The states in which a caller is trapped, the nearest of each step; none in a good flow.
    pub traps: Vec<Trap>,
}

/// What the caller can make sure of, from bad to good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Nothing: the call ends, or goes round.
    Nobody,
    /// That it rings at a target that nobody says people answer: a forward to another system.
    Elsewhere,
    /// That it ends only where `fallback = false` is written.
    ByLeave,
    /// That everybody of the way out is tried; nobody may be there.
    Apology,
    /// That a message is left, or a callback booked.
    Later,
    /// That it rings where a person is.
    Person,
}

/// A step, in the worst state in which a call can enter it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub step: String,
    /// Its kind, as `do` spells it.
    pub kind: &'static str,
    /// It waits for a key.
    pub asks: bool,
    /// What the caller can make sure of from there; `None`: nothing leads to it.
    pub reach: Option<Reach>,
    /// Most keys until then, on the quickest way.
    pub keys: u32,
    /// Longest time until then, ms; `None`: it never comes to that.
    pub best_ms: Option<u64>,
    /// Longest time until the call rings somewhere or ends if no key is pressed, ms.
    pub silent_ms: u64,
    /// That time is the one after which a call is put through whatever its step.
    pub is_bound: bool,
}

/// A state from which no person can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trap {
    /// The step in which the caller is asked in vain, or that was left by a failure.
    pub step: StepId,
    /// How a call comes there: `welcome, key 1 → sorry, prompt fails → hangup`.
    pub path: String,
}

/// There are too many states to search them all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its calls have more than {MAX_STATES} states")]
pub struct TooLarge;

/// Searches all states of a flow.
///
/// # Errors
/// There are too many.
pub fn prove(flow: &Flow, prompts: &dyn PromptIndex) -> Result<Proof, TooLarge> {
    let lengths = Lengths { prompts, languages: &flow.languages };
    let graph = Graph::search(flow, lengths).ok_or(TooLarge)?;
    let patience_ms = patience_ms(flow);
    let values = graph.values(flow, patience_ms);
    let rows = (0..).map(StepId).zip(&flow.steps);
    Ok(Proof {
        states: graph.states.len(),
        rows: rows.map(|(id, step)| row(&graph, &values, patience_ms, id, step)).collect(),
        traps: traps(flow, &graph, &values),
    })
}

/// After so long a call is put through whatever it does: `max_minutes`, and what the way to a
/// closed human target may take.
fn patience_ms(flow: &Flow) -> u64 {
    let human = flow.targets.get(usize::from(flow.human.0));
    let overtime = human.is_some_and(|target| target.hours.is_some());
    let overtime_ms = u64::from(overtime) * OVERTIME.as_secs() * 1_000;
    u64::from(flow.max_minutes) * 60_000 + overtime_ms
}

fn row(graph: &Graph, values: &Values, patience_ms: u64, id: StepId, step: &Step) -> Row {
    let entered: Vec<usize> = graph.states_at(Place::Step(id)).collect();
    let most = |of: &[u64]| entered.iter().map(|at| of[*at]).max().unwrap_or(0);
    let silent_ms = most(&values.silent_ms);
    Row {
        step: step.name.clone(),
        kind: crate::step::kind(&step.does),
        asks: asks(&step.does),
        reach: entered.iter().map(|at| values.reach[*at]).min(),
        keys: entered.iter().map(|at| values.keys[*at]).max().unwrap_or(0),
        best_ms: Some(most(&values.best_ms)).filter(|ms| *ms != NEVER),
        silent_ms,
        is_bound: silent_ms >= patience_ms,
    }
}

fn asks(does: &Does) -> bool {
    match does {
        Does::Menu(_)
        | Does::Answer { .. }
        | Does::Offer(_)
        | Does::Collect(_)
        | Does::Voicemail(_)
        | Does::Callback(_)
        | Does::OptOut { .. } => true,
        Does::Action(action) => action.confirm.is_some(),
        Does::Say { .. }
        | Does::Decide { .. }
        | Does::Set { .. }
        | Does::Text(_)
        | Does::Wait(_)
        | Does::Agent(_)
        | Does::Lookup(_) => false,
    }
}

/// A caller who is asked something must be able to reach a person, no failure may end in nobody,
/// and no call may go round without being asked.
fn traps(flow: &Flow, graph: &Graph, values: &Values) -> Vec<Trap> {
    let mut traps: Vec<Trap> = Vec::new();
    let mut add = |step: Option<StepId>, path: Vec<(usize, Cause)>, last: Place| {
        let step = step.unwrap_or(flow.start);
        if !traps.iter().any(|trap| trap.step == step) {
            traps.push(Trap { step, path: spell(flow, &graph.states, &path, last) });
        }
    };
    for (at, state) in graph.states.iter().enumerate() {
        let nobody = |at: usize| values.reach[at] == Reach::Nobody;
        let no_person = values.reach[at] <= Reach::Elsewhere;
        if matches!(state.place, Place::Asking(..)) && no_person {
            add(state.place.step(), graph.path(at), state.place);
        }
        let failures = graph.edges[at].iter().filter(|e| matches!(e.cause, Cause::Failure(_)));
        for edge in failures.filter(|edge| nobody(edge.to)) {
            let (after, end) = graph.worst_way(edge.to, nobody);
            let last = graph.states[end].place;
            // Where the caller is asked in vain, that is told of the step that asks.
            if matches!(last, Place::Asking(..)) {
                continue;
            }
            let before = graph.path(at);
            // A target fails for those who came to it from a step.
            let step = before.iter().rev().find_map(|(at, _)| graph.states[*at].place.step());
            let path = [before, vec![(at, edge.cause)], after].concat();
            add(state.place.step().or(step), path, last);
        }
    }
    if let Some((path, last)) = graph.circle() {
        let step = path.iter().rev().find_map(|(at, _)| graph.states[*at].place.step());
        add(step, path, graph.states[last].place);
    }
    traps
}

/// `welcome, key 1 → sorry, prompt fails → hangup`: what goes without saying is left out.
fn spell(flow: &Flow, states: &[State], path: &[(usize, Cause)], last: Place) -> String {
    let mut words: Vec<String> = Vec::new();
    for (at, cause) in path {
        if matches!(cause, Cause::So("entered" | "heard" | "open" | "given" | "offered")) {
            continue;
        }
        words.push(format!("{}, {cause}", states[*at].place.name(flow)));
    }
    words.push(last.name(flow).to_owned());
    words.join(" → ")
}
