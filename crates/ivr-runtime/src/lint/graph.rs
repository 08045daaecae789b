//! The ways of a call from step to step, as far as the checks need them.

use crate::{
    flow::{
        model::{Does, Flow, Go, Menu, StepId, TargetId, Text},
        way_out::{Exit, Failed, exits},
    },
    step::agent,
};

/// What makes a call take a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The caller pressed a key.
    Key,
    /// The caller was waited for in vain, or pressed wrong keys only.
    Silence,
    /// Nothing: the flow goes on by itself.
    Itself,
    /// Something failed.
    Failure,
}

/// A way from one place to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub cause: Cause,
    pub to: Go,
}

/// All ways that lead on from a step or a target; none from a hang-up.
pub(super) fn ways(flow: &Flow, from: Go) -> Vec<Way> {
    match from {
        Go::Step(id) => of_step(flow, id),
        Go::Target(id) => of_target(flow, id),
        Go::HangUp => Vec::new(),
    }
}

/// Every step, in file order.
pub(super) fn steps(flow: &Flow) -> impl Iterator<Item = (Go, &crate::flow::model::Step)> {
    (0..).map(|at| Go::Step(StepId(at))).zip(&flow.steps)
}

/// Every target: those of the flow, then the shared ones.
pub(super) fn targets(flow: &Flow) -> impl Iterator<Item = (Go, &crate::flow::model::Target)> {
    (0..).map(|at| Go::Target(TargetId(at))).zip(&flow.targets)
}

/// The name of a place.
pub(super) fn name(flow: &Flow, at: Go) -> &str {
    let step = |id: StepId| flow.steps.get(usize::from(id.0)).map(|step| step.name.as_str());
    let target = |id: TargetId| flow.targets.get(usize::from(id.0)).map(|t| t.name.as_str());
    match at {
        Go::Step(id) => step(id).unwrap_or("?"),
        Go::Target(id) => target(id).unwrap_or("?"),
        Go::HangUp => "hangup",
    }
}

/// A set of places.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    steps: Vec<bool>,
    targets: Vec<bool>,
    pub hang_up: bool,
}

impl Places {
    pub fn contains(&self, at: Go) -> bool {
        match at {
            Go::Step(id) => self.steps.get(usize::from(id.0)).copied().unwrap_or(false),
            Go::Target(id) => self.targets.get(usize::from(id.0)).copied().unwrap_or(false),
            Go::HangUp => self.hang_up,
        }
    }

    /// True where it was not in the set before.
    pub fn insert(&mut self, at: Go) -> bool {
        let (list, index) = match at {
            Go::Step(id) => (&mut self.steps, usize::from(id.0)),
            Go::Target(id) => (&mut self.targets, usize::from(id.0)),
            Go::HangUp => return !std::mem::replace(&mut self.hang_up, true),
        };
        if list.len() <= index {
            list.resize(index + 1, false);
        }
        !std::mem::replace(&mut list[index], true)
    }
}

/// Where a call can come from `start` along the ways that `takes` allows; `start` belongs to it.
pub(super) fn reachable(
    flow: &Flow,
    start: impl IntoIterator<Item = Go>,
    takes: impl Fn(Go, &Way) -> bool,
) -> Places {
    let mut seen = Places::default();
    let mut open: Vec<Go> = start.into_iter().filter(|at| seen.insert(*at)).collect();
    while let Some(at) = open.pop() {
        for way in ways(flow, at).iter().filter(|way| takes(at, way)) {
            if seen.insert(way.to) {
                open.push(way.to);
            }
        }
    }
    seen
}

/// A shortest way from `start` back to itself along what `takes` allows, `start` at both ends.
pub(super) fn circle(flow: &Flow, start: Go, takes: impl Fn(Go, &Way) -> bool) -> Option<Vec<Go>> {
    let mut seen = Places::default();
    let mut came_from: Vec<(Go, Option<usize>)> = vec![(start, None)];
    let mut next = 0;
    while let Some(&(at, _)) = came_from.get(next) {
        for way in ways(flow, at).iter().filter(|way| takes(at, way)) {
            if way.to == start {
                return Some(path(&came_from, next, start));
            }
            if seen.insert(way.to) {
                came_from.push((way.to, Some(next)));
            }
        }
        next += 1;
    }
    None
}

fn path(came_from: &[(Go, Option<usize>)], last: usize, end: Go) -> Vec<Go> {
    let mut path = vec![end];
    let mut at = Some(last);
    while let Some((place, before)) = at.and_then(|at| came_from.get(at)) {
        path.push(*place);
        at = *before;
    }
    path.reverse();
    path
}

/// `a → b → a`, shortened where it is long.
pub(super) fn spell(flow: &Flow, path: &[Go]) -> String {
    let names = path.iter().map(|at| name(flow, *at));
    if path.len() <= 8 {
        return names.collect::<Vec<_>>().join(" → ");
    }
    let first: Vec<_> = names.take(6).collect();
    format!("{} → … → {}", first.join(" → "), path.last().map_or("", |at| name(flow, *at)))
}

fn of_step(flow: &Flow, id: StepId) -> Vec<Way> {
    let Some(step) = flow.steps.get(usize::from(id.0)) else { return Vec::new() };
    let itself = |to: Go| Way { cause: Cause::Itself, to };
    match &step.does {
        Does::Say { then, .. } | Does::Set { then, .. } => vec![itself(*then)],
        Does::Menu(menu) => of_menu(flow, menu),
        Does::Answer { menu, needs, if_missing } => {
            let mut ways = of_menu(flow, menu);
            if !needs.is_empty() {
                ways.extend(of_failure(flow, Failed::Step(id), *if_missing));
            }
            ways
        }
        Does::Offer(offer) => {
            let mut ways = of_menu(flow, &offer.menu);
            ways.push(itself(offer.if_not_offered));
            ways
        }
        Does::Decide { case, otherwise } => {
            let cases = case.iter().map(|(_, to)| itself(*to));
            cases.chain([itself(*otherwise)]).collect()
        }
        Does::Text(text) => of_text(flow, id, text),
        Does::Collect(collect) => vec![
            Way { cause: Cause::Key, to: collect.then },
            Way { cause: Cause::Silence, to: collect.no_input },
            Way { cause: Cause::Silence, to: collect.wrong },
        ],
        Does::Lookup(lookup) => {
            let failure = of_failure(flow, Failed::Step(id), lookup.if_fails);
            [itself(lookup.then)].into_iter().chain(failure).collect()
        }
        Does::Action(action) => {
            let cause = if action.confirm.is_some() { Cause::Key } else { Cause::Itself };
            let mut ways = vec![Way { cause, to: action.then }];
            ways.extend(of_failure(flow, Failed::Step(id), action.if_fails));
            if action.confirm.is_some() {
                match action.no_input {
                    Some(to) => ways.push(Way { cause: Cause::Silence, to }),
                    None => ways.extend(of_failure(flow, Failed::Step(id), action.if_fails)),
                }
                ways.push(Way { cause: Cause::Key, to: Go::Target(flow.human) });
            }
            ways
        }
        Does::Wait(wait) => {
            // Time passes in line; nothing of it goes on by itself.
            let in_time = |to: Go| Way { cause: Cause::Silence, to };
            let then = wait.then.unwrap_or(Go::Target(flow.human));
            let mut ways = vec![in_time(Go::Target(wait.target)), in_time(then)];
            ways.extend(wait.offer.map(|id| in_time(Go::Step(id))));
            ways.extend(of_failure(flow, Failed::Step(id), wait.if_fails));
            let target = flow.targets.get(usize::from(wait.target.0));
            if let Some(target) = target.filter(|target| target.hours.is_some()) {
                ways.extend(of_failure(flow, Failed::Step(id), wait.when_closed(target)));
            }
            ways
        }
        Does::Agent(agent) => {
            let faults = agent::faults(flow, agent).into_iter();
            let failures = faults.filter_map(|f| of_failure(flow, Failed::Step(id), f.own));
            [itself(agent.then)].into_iter().chain(failures).collect()
        }
        Does::Callback(callback) => {
            let human = Go::Target(flow.human);
            let mut ways = vec![Way { cause: Cause::Key, to: callback.then }];
            ways.push(Way { cause: Cause::Key, to: human });
            ways.extend(of_failure(flow, Failed::Step(id), callback.if_fails));
            ways.extend(callback.no_input.map(|to| Way { cause: Cause::Silence, to }));
            ways
        }
        Does::Voicemail(voicemail) => {
            // The caller speaks, or says nothing.
            let then = Way { cause: Cause::Silence, to: voicemail.then };
            let failure = of_failure(flow, Failed::Step(id), voicemail.if_fails);
            [then].into_iter().chain(failure).collect()
        }
        Does::OptOut { then, no_input, if_fails, .. } => {
            let mut ways = vec![
                Way { cause: Cause::Key, to: *then },
                Way { cause: Cause::Silence, to: *no_input },
            ];
            ways.extend(of_failure(flow, Failed::Step(id), *if_fails));
            ways
        }
    }
}

fn of_menu(flow: &Flow, menu: &Menu) -> Vec<Way> {
    let pressed = menu.press.values().map(|to| Way { cause: Cause::Key, to: *to });
    let mut ways: Vec<Way> = pressed.collect();
    if flow.operator_keys.iter().any(|key| !menu.press.contains_key(key)) {
        ways.push(Way { cause: Cause::Key, to: Go::Target(flow.human) });
    }
    ways.push(Way { cause: Cause::Silence, to: menu.no_input });
    ways.push(Way { cause: Cause::Silence, to: menu.wrong });
    ways
}

fn of_text(flow: &Flow, id: StepId, text: &Text) -> Vec<Way> {
    let mut ways = vec![Way { cause: Cause::Itself, to: text.then }];
    let others = [text.if_ambiguous, text.if_opted_out, text.if_limited];
    ways.extend(of_failure(flow, Failed::Step(id), text.if_fails));
    for to in others.into_iter().flatten() {
        ways.extend(of_failure(flow, Failed::Step(id), Some(to)));
    }
    ways
}

fn of_target(flow: &Flow, id: TargetId) -> Vec<Way> {
    let Some(target) = flow.targets.get(usize::from(id.0)) else { return Vec::new() };
    let closed = target.when_closed.filter(|_| target.hours.is_some());
    let closed = closed.map(|to| Way { cause: Cause::Itself, to });
    let mut ways: Vec<Way> = closed.into_iter().collect();
    ways.extend(of_failure(flow, Failed::Target(id), target.if_fails));
    for to in [target.if_busy, target.if_no_answer].into_iter().flatten() {
        ways.extend(of_failure(flow, Failed::Target(id), Some(to)));
    }
    ways
}

/// The first exit of the way out; what comes after it is a way of the place it leads to.
fn of_failure(flow: &Flow, failed: Failed, own: Option<Go>) -> Option<Way> {
    let way = |to| Way { cause: Cause::Failure, to };
    match exits(flow, failed, own).next()? {
        Exit::Own(to) => Some(way(to)),
        Exit::Human(id) | Exit::Fallback(id) => Some(way(Go::Target(id))),
        Exit::Apology => Some(way(Go::HangUp)),
    }
}
