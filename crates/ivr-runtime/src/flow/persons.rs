//! Where a call that rings may meet a person.

use std::collections::BTreeSet;

use super::model::{AnsweredMeans, Does, Flow, Go, HumanSignal, Target, TargetId};

/// Whether a call that rings at a target counts as with a person: at the person route and the
/// targets it goes on to by itself, at `[fallback]`, and where the target says that people answer
/// it and no `agent` step uses it for a bot.
pub(crate) fn is_person(flow: &Flow, id: TargetId) -> bool {
    if id == flow.human || Some(id) == flow.fallback {
        return true;
    }
    !is_bot(flow, id) && (says_so(flow, id) || is_on_person_route(flow, id))
}

/// Whether an `agent` step uses it.
pub(crate) fn is_bot(flow: &Flow, id: TargetId) -> bool {
    let mut steps = flow.steps.iter();
    steps.any(|step| matches!(&step.does, Does::Agent(agent) if agent.target == id))
}

fn says_so(flow: &Flow, id: TargetId) -> bool {
    flow.targets.get(usize::from(id.0)).is_some_and(|target| {
        target.answered_means == AnsweredMeans::Human || target.human_signal != HumanSignal::None
    })
}

/// Closed, busy, unanswered or failed, the person route goes on to it without another step.
fn is_on_person_route(flow: &Flow, id: TargetId) -> bool {
    let mut seen = BTreeSet::from([flow.human.0]);
    let mut open = vec![flow.human];
    while let Some(at) = open.pop() {
        let next = flow.targets.get(usize::from(at.0)).into_iter().flat_map(exits);
        for to in next {
            if seen.insert(to.0) {
                open.push(to);
            }
        }
    }
    seen.contains(&id.0)
}

fn exits(target: &Target) -> impl Iterator<Item = TargetId> {
    let closed = target.when_closed.filter(|_| target.hours.is_some());
    let exits = [closed, target.if_busy, target.if_no_answer, target.if_fails];
    exits.into_iter().flatten().filter_map(|to| match to {
        Go::Target(id) => Some(id),
        Go::Step(_) | Go::HangUp => None,
    })
}
