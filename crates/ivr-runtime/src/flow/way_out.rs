//! The way out: one order for every failure, walked by the call machine and by the linter.

use super::model::{Flow, Go, StepId, TargetId};

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// A step, by its own `if_*` or without one.
    Step(StepId),
    /// A target.
    Target(TargetId),
}

/// One exit of the way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The failed one's own `if_*`.
    Own(Go),
    /// The flow's person route, by its hours and `when_closed`.
    Human(TargetId),
    /// `[fallback] target`.
    Fallback(TargetId),
    /// A spoken apology, then BYE. Always there, always last.
    Apology,
}

/// The exits of a failure in the order they are taken: own `if_*` → `human` → `[fallback]`
/// → apology. An own exit other than a forbidden hang-up ends the list, since whatever it
/// leads to has a way out of its own; the caller of this skips targets that have failed already.
///
/// The human target and those on its `when_closed` route go on to `[fallback]`, the fallback
/// target to the apology: nobody is sent back to where there is nobody.
pub fn exits(flow: &Flow, failed: Failed, own: Option<Go>) -> impl Iterator<Item = Exit> {
    let own = own.filter(|go| *go != Go::HangUp || may_end_in_hang_up(flow, failed));
    let rest = [
        Some(Exit::Human(flow.human)).filter(|_| !is_past_human(flow, failed)),
        flow.fallback.filter(|id| failed != Failed::Target(*id)).map(Exit::Fallback),
        Some(Exit::Apology),
    ];
    own.map(Exit::Own).into_iter().chain(rest.into_iter().flatten().filter(move |_| own.is_none()))
}

/// Whether the human target has had its turn when this fails.
fn is_past_human(flow: &Flow, failed: Failed) -> bool {
    let Failed::Target(failed) = failed else { return false };
    Some(failed) == flow.fallback || closed_route(flow).any(|target| target == failed)
}

/// The human target and the targets that follow it by `when_closed`, each once.
fn closed_route(flow: &Flow) -> impl Iterator<Item = TargetId> {
    let next = |id: &TargetId| match flow.targets.get(usize::from(id.0))?.when_closed {
        Some(Go::Target(next)) => Some(next),
        Some(Go::Step(_) | Go::HangUp) | None => None,
    };
    // A circle is an error of its own; the bound keeps it from turning here.
    std::iter::successors(Some(flow.human), next).take(flow.targets.len())
}

/// Whether `fallback = false` is written there.
fn may_end_in_hang_up(flow: &Flow, failed: Failed) -> bool {
    match failed {
        Failed::Step(id) => flow.steps.get(usize::from(id.0)).is_some_and(|step| !step.fallback),
        Failed::Target(id) => {
            flow.targets.get(usize::from(id.0)).is_some_and(|target| !target.fallback)
        }
    }
}
