//! E14: a line that takes only protected calls has a person for them at any hour.

use super::{Lint, graph};
use crate::{diagnose::Code, flow::model::Go};

pub(super) fn check(lint: &Lint<'_>) {
    let flow = lint.flow;
    if !flow.digital_only {
        return;
    }
    let human = flow.targets.get(usize::from(flow.human.0));
    let closed = human.filter(|human| human.hours.is_some()).and_then(|human| human.when_closed);
    let Some(closed) = closed else { return };
    let reached = graph::reachable(flow, [closed], |_, _| true);
    let other = |at: Go| at != Go::Target(flow.human) && reached.contains(at);
    if flow.fallback.is_none() && !graph::targets(flow).any(|(at, _)| other(at)) {
        let message = "protected calls find nobody outside the hours of `human`";
        let help = "let its `when_closed` lead to somebody, or name a `[fallback]`";
        lint.note(Code::E14, lint.flow_place("digital_only"), message, help);
    }
}
