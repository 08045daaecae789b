//! W14: a target's `mode` that no call of the flow can have.

use super::{
    Lint,
    graph::{self, Cause, Places, Way},
};
use crate::{
    diagnose::Code,
    flow::model::{Does, Flow, Go, TargetMode},
};

pub(super) fn check(lint: &Lint<'_>) {
    let flow = lint.flow;
    let unanswered = unanswered(flow);
    let answered = answered(flow);
    for (at, target) in graph::targets(flow) {
        // Others of all flows may reach what stands in carom.toml in time.
        if !lint.is_own("target", &target.name) {
            continue;
        }
        let name = &target.name;
        let (message, help) = match target.mode {
            TargetMode::Redirect if !unanswered.contains(at) => (
                format!("every call is answered before it comes to `{name}`: it is bridged"),
                "write `mode = \"refer\"`, or come there by `decide`, `set` and `lookup` alone",
            ),
            TargetMode::Refer if !answered.contains(at) => (
                format!("no call is answered before it comes to `{name}`: it is bridged"),
                "write `mode = \"redirect\"`",
            ),
            _ => continue,
        };
        lint.note(Code::W14, lint.target_place(target, "mode"), message, help);
    }
    for (_, step) in graph::steps(flow) {
        let id = match &step.does {
            Does::Wait(wait) => wait.target,
            Does::Agent(agent) => agent.target,
            _ => continue,
        };
        let target = flow.targets.get(usize::from(id.0));
        if let Some(target) = target.filter(|target| target.mode != TargetMode::Bridge) {
            let message = format!("`{}` is bridged here, whatever its `mode` says", target.name);
            let help = "the caller has to come back from there; give it a target of its own";
            lint.note(Code::W14, lint.step_place(step, "target"), message, help);
        }
    }
}

/// Where a call can come to without being answered.
fn unanswered(flow: &Flow) -> Places {
    // Emergencies and the like go to the person at once.
    let start = [Go::Step(flow.start), Go::Target(flow.human)];
    graph::reachable(flow, start, |at, way| makes_no_sound(flow, at, way))
}

/// Where a call can come to that was answered.
fn answered(flow: &Flow) -> Places {
    let heard = graph::steps(flow)
        .filter(|(at, _)| graph::ways(flow, *at).iter().any(|way| !makes_no_sound(flow, *at, way)));
    graph::reachable(flow, heard.map(|(at, _)| at), |_, _| true)
}

fn makes_no_sound(flow: &Flow, at: Go, way: &Way) -> bool {
    let Go::Step(id) = at else { return true };
    let Some(step) = flow.steps.get(usize::from(id.0)) else { return false };
    match &step.does {
        Does::Decide { .. } | Does::Set { .. } | Does::Lookup(_) => true,
        Does::Action(action) => action.confirm.is_none(),
        Does::Offer(_) => way.cause == Cause::Itself,
        Does::Answer { .. } | Does::Text(_) | Does::Callback(_) | Does::Agent(_) => {
            way.cause == Cause::Failure
        }
        Does::Say { .. }
        | Does::Menu(_)
        | Does::Collect(_)
        | Does::Wait(_)
        | Does::Voicemail(_)
        | Does::OptOut { .. } => false,
    }
}
