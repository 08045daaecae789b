//! E02: every step can reach an end. E06: every step can be reached.

use super::{
    Lint,
    graph::{self, Cause},
};
use crate::{diagnose::Code, flow::model::Go};

pub(super) fn check(lint: &Lint<'_>) {
    let flow = lint.flow;
    for (at, step) in graph::steps(flow) {
        let from_here = graph::reachable(flow, [at], |_, way| way.cause != Cause::Failure);
        let target = graph::targets(flow).any(|(target, _)| from_here.contains(target));
        if !from_here.hang_up && !target {
            let message = format!("`{}` never reaches an end of the call", step.name);
            let help = "let one of its ways lead to a target or to `hangup`";
            lint.note(Code::E02, lint.header("step", &step.name), message, help);
        }
    }
    let starts = [Some(flow.human), flow.fallback].into_iter().flatten().map(Go::Target);
    // A text that a person has sent is entered by nobody else.
    let by_agents = flow.targets.iter().filter_map(|target| target.send_link).map(Go::Step);
    let starts = starts.chain([Go::Step(flow.start)]).chain(by_agents);
    let reached = graph::reachable(flow, starts, |_, _| true);
    for (at, step) in graph::steps(flow) {
        if !reached.contains(at) {
            let message = format!("nothing leads to `{}`", step.name);
            lint.note(
                Code::E06,
                lint.header("step", &step.name),
                message,
                "lead a step to it, or leave it out",
            );
        }
    }
}
