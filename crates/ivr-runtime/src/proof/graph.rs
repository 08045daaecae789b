//! All states that a call can come to, and what the caller can bring about in each.

use std::collections::{HashMap, VecDeque};

use super::{
    Reach,
    lengths::Lengths,
    moves::moves,
    state::{Cause, End, Place, State},
};
use crate::{
    call::route::Route,
    flow::{
        model::{Flow, Go, TargetId},
        persons::{is_bot, is_person},
    },
};

/// A flow with more states is not searched to the end.
pub(super) const MAX_STATES: usize = 200_000;
/// The time of what never ends, ms.
pub(super) const NEVER: u64 = u64::MAX;

/// An edge of the graph.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub cause: Cause,
    pub ms: u64,
    pub keys: u32,
    pub to: usize,
}

/// States, numbered in the order in which they were found, with the ways between them.
pub(super) struct Graph {
    pub states: Vec<State>,
    pub edges: Vec<Vec<Edge>>,
    /// A shortest way to each: the state before, and why the call went on from there.
    came: Vec<Option<(usize, Cause)>>,
}

/// What the caller can make sure of in each state, whatever else happens.
pub(super) struct Values {
    /// The best that can be made sure of.
    pub reach: Vec<Reach>,
    /// At most so long until then if the caller takes the quickest way, ms.
    pub best_ms: Vec<u64>,
    /// At most so many keys on that way.
    pub keys: Vec<u32>,
    /// At most so long until the call rings somewhere or ends if no key is pressed, ms.
    pub silent_ms: Vec<u64>,
}

impl Graph {
    /// Finds every state; `None`: there are more than [`MAX_STATES`].
    pub fn search(flow: &Flow, lengths: Lengths<'_>) -> Option<Self> {
        let mut graph = Self { states: Vec::new(), edges: Vec::new(), came: Vec::new() };
        let mut numbers: HashMap<State, usize> = HashMap::new();
        let mut open = VecDeque::new();
        for start in starts(flow) {
            open.extend(graph.number(&mut numbers, start, None).1);
        }
        while let Some(at) = open.pop_front() {
            let mut edges = Vec::new();
            for next in moves(flow, lengths, &graph.states[at]) {
                let came = Some((at, next.cause));
                let (to, new) = graph.number(&mut numbers, next.to, came);
                open.extend(new);
                edges.push(Edge { cause: next.cause, ms: next.ms, keys: next.keys, to });
            }
            graph.edges[at] = edges;
            if graph.states.len() > MAX_STATES {
                return None;
            }
        }
        Some(graph)
    }

    /// The number of a state, and once more where it is new.
    fn number(
        &mut self,
        numbers: &mut HashMap<State, usize>,
        state: State,
        came: Option<(usize, Cause)>,
    ) -> (usize, Option<usize>) {
        if let Some(at) = numbers.get(&state) {
            return (*at, None);
        }
        let at = self.states.len();
        numbers.insert(state.clone(), at);
        self.states.push(state);
        self.edges.push(Vec::new());
        self.came.push(came);
        (at, Some(at))
    }

    /// What led to a state, from the start of the call.
    pub fn path(&self, at: usize) -> Vec<(usize, Cause)> {
        let mut path: Vec<_> =
            std::iter::successors(self.came[at], |(at, _)| self.came[*at]).collect();
        path.reverse();
        path
    }

    /// A way by itself along states that are `bad`, to one in which the caller is asked, to an
    /// end, or once round.
    pub fn worst_way(
        &self,
        mut at: usize,
        bad: impl Fn(usize) -> bool,
    ) -> (Vec<(usize, Cause)>, usize) {
        let mut way: Vec<(usize, Cause)> = Vec::new();
        while !self.is_callers(at) && way.iter().all(|(seen, _)| *seen != at) {
            let Some(edge) = self.edges[at].iter().find(|edge| bad(edge.to)) else { break };
            way.push((at, edge.cause));
            at = edge.to;
        }
        (way, at)
    }

    /// A way round in which the caller is not asked, and the state where it closes.
    pub fn circle(&self) -> Option<(Vec<(usize, Cause)>, usize)> {
        let own = |at: &usize| !self.is_callers(*at);
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); self.states.len()];
        let mut ways_left = vec![0; self.states.len()];
        for at in (0..self.states.len()).filter(own) {
            for edge in self.edges[at].iter().filter(|edge| own(&edge.to)) {
                before[edge.to].push(at);
                ways_left[at] += 1;
            }
        }
        // Taking out what leads nowhere any more leaves the circles, and what leads to them.
        let all = || (0..self.states.len()).filter(own);
        let mut open: Vec<usize> = all().filter(|at| ways_left[*at] == 0).collect();
        while let Some(at) = open.pop() {
            for from in &before[at] {
                ways_left[*from] -= 1;
                if ways_left[*from] == 0 {
                    open.push(*from);
                }
            }
        }
        let start = all().find(|at| ways_left[*at] > 0)?;
        let (round, last) = self.worst_way(start, |at| ways_left[at] > 0);
        Some(([self.path(start), round].concat(), last))
    }

    /// The numbers of the states at a place.
    pub fn states_at(&self, place: Place) -> impl Iterator<Item = usize> {
        let all = self.states.iter().enumerate();
        all.filter(move |(_, state)| state.place == place).map(|(at, _)| at)
    }

    /// The caller decides what comes next.
    fn is_callers(&self, at: usize) -> bool {
        matches!(self.states[at].place, Place::Asking(..))
    }

    /// The best the caller can make sure of: a least fixed point, so that going round and round
    /// is no way.
    pub fn values(&self, flow: &Flow, patience_ms: u64) -> Values {
        let count = self.states.len();
        let rings: Vec<Reach> =
            (0..).zip(&flow.targets).map(|(at, _)| rings_at(flow, TargetId(at))).collect();
        let mut reach = vec![Reach::Nobody; count];
        self.until_settled(|at| {
            let of = self.edges[at].iter().map(|edge| reach[edge.to]);
            let now = match self.states[at].place {
                Place::Ringing(id) | Place::Line(id) => {
                    rings.get(usize::from(id.0)).copied().unwrap_or(Reach::Nobody)
                }
                Place::End(End::Apology) => Reach::Apology,
                Place::End(End::Kept) => Reach::Later,
                Place::End(End::ByLeave) => Reach::ByLeave,
                Place::End(End::HungUp) => Reach::Nobody,
                Place::Asking(..) => of.max().unwrap_or(Reach::Nobody),
                _ => of.min().unwrap_or(Reach::Nobody),
            };
            std::mem::replace(&mut reach[at], now) != now
        });
        let mut best = vec![(NEVER, u32::MAX); count];
        self.until_settled(|at| {
            let now = self.best(at, &reach, &best);
            std::mem::replace(&mut best[at], now) != now
        });
        let mut silent_ms = vec![0; count];
        self.until_settled(|at| {
            let now = self.silent(at, &silent_ms).min(patience_ms);
            std::mem::replace(&mut silent_ms[at], now) != now
        });
        let (best_ms, keys) = best.into_iter().unzip();
        Values { reach, best_ms, keys, silent_ms }
    }

    /// Calls `settle` for every state, the last found first, until it changes none.
    fn until_settled(&self, mut settle: impl FnMut(usize) -> bool) {
        let mut changed = true;
        while std::mem::take(&mut changed) {
            for at in (0..self.states.len()).rev() {
                changed |= settle(at);
            }
        }
    }

    /// Time and keys of the quickest of the best choices; of everybody else's, the worst.
    fn best(&self, at: usize, reach: &[Reach], best: &[(u64, u32)]) -> (u64, u32) {
        let after = |edge: &Edge| {
            let (ms, keys) = best[edge.to];
            (ms.saturating_add(edge.ms), keys.saturating_add(edge.keys))
        };
        let edges = &self.edges[at];
        match self.states[at].place {
            Place::Ringing(_) | Place::Line(_) | Place::End(_) => (0, 0),
            _ if self.is_callers(at) => {
                let good = edges.iter().filter(|edge| reach[edge.to] == reach[at]);
                good.map(after).min().unwrap_or((NEVER, u32::MAX))
            }
            _ => edges
                .iter()
                .map(after)
                .reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)))
                .unwrap_or((NEVER, u32::MAX)),
        }
    }

    fn silent(&self, at: usize, silent_ms: &[u64]) -> u64 {
        if let Place::Ringing(_) | Place::Line(_) | Place::End(_) = self.states[at].place {
            return 0;
        }
        let quiet = |edge: &&Edge| edge.cause == Cause::Silence || !edge.cause.is_callers();
        let after = |edge: &Edge| silent_ms[edge.to].saturating_add(edge.ms);
        self.edges[at].iter().filter(quiet).map(after).max().unwrap_or(0)
    }
}

/// What it is worth that a call rings at a target, or is in line there.
fn rings_at(flow: &Flow, id: TargetId) -> Reach {
    match id {
        id if is_person(flow, id) => Reach::Person,
        id if is_bot(flow, id) => Reach::Nobody,
        _ => Reach::Elsewhere,
    }
}

/// A call begins at the first step; when its time or its steps are used up it goes to the human
/// target, and from the queue there to `[fallback]`.
fn starts(flow: &Flow) -> impl Iterator<Item = State> {
    let route = Route::new(std::time::Duration::ZERO, flow, false);
    let mut waited = route.clone();
    waited.target_failed(flow.human, None);
    let fallback = flow.fallback.filter(|id| *id != flow.human);
    let first = State::at(Go::Step(flow.start), route.clone());
    [
        Some(State { noticed: !flow.emergency_notice, ..first }),
        Some(State::at(Go::Target(flow.human), route)),
        fallback.map(|id| State::at(Go::Target(id), waited)),
    ]
    .into_iter()
    .flatten()
}
