//! E03: from every menu, offer and answer the caller can reach a person, whether the person
//! route is open, closed, busy or failing.

use super::{
    Lint,
    graph::{self, Cause},
};
use crate::{
    diagnose::Code,
    flow::{
        model::{Does, Go, Step, Target, TargetId},
        persons::is_person,
    },
};

pub(super) fn check(lint: &Lint<'_>) {
    // KH-22: it was acknowledged that callers of the line reach none.
    if lint.flow.digital_only {
        return;
    }
    if lint.flow.operator_keys.is_empty() {
        let help = "write `operator_keys = [\"0\"]`";
        let place = lint.flow_place("operator_keys");
        lint.note(Code::E03, place, "no key leads to a person", help);
    }
    for (at, step) in graph::steps(lint.flow) {
        let asks = matches!(
            &step.does,
            Does::Collect(_) | Does::OptOut { .. } | Does::Action(_) | Does::Callback(_)
        );
        if asks || step.does.menu().is_some() {
            reaches_person(lint, at, step);
            operator_keys(lint, step);
        }
    }
    route(lint);
}

fn reaches_person(lint: &Lint<'_>, at: Go, step: &Step) {
    let reached = graph::reachable(lint.flow, [at], |_, _| true);
    if !reached.contains(Go::Target(lint.flow.human)) {
        let message = format!("from `{}` no way leads to a person", step.name);
        let help = format!("let a key lead to `{}`", human(lint).map_or("", |t| t.name.as_str()));
        lint.note(Code::E03, lint.header("step", &step.name), message, help);
    }
}

/// What a menu writes for an operator key must lead to a person as well.
fn operator_keys(lint: &Lint<'_>, step: &Step) {
    let Some(menu) = step.does.menu() else { return };
    for key in &lint.flow.operator_keys {
        let Some(to) = menu.press.get(key).copied() else { continue };
        if !leads_to_person(lint, to) {
            let message = format!("the operator key `{key}` leads to no person here");
            let help = "lead it to a target that people answer (`human`, or one that says `answered_means = \"human\"` or has a `human_signal`), or leave it out of `press`";
            lint.note(Code::E03, lint.step_place(step, "press"), message, help);
        }
    }
}

/// By itself, without another key, and without an end before.
fn leads_to_person(lint: &Lint<'_>, to: Go) -> bool {
    let quiet = |at: Go| match at {
        Go::Step(id) => {
            lint.flow.steps.get(usize::from(id.0)).is_some_and(|step| match &step.does {
                Does::Say { .. } | Does::Set { .. } | Does::Decide { .. } | Does::Lookup(_) => true,
                // Back into the line is as good as a person, and so is a callback.
                Does::Wait(_) | Does::Callback(_) => true,
                Does::Action(action) => action.confirm.is_none(),
                _ => false,
            })
        }
        Go::Target(_) | Go::HangUp => false,
    };
    let reached =
        graph::reachable(lint.flow, [to], |at, way| way.cause == Cause::Itself && quiet(at));
    let stuck = graph::steps(lint.flow).any(|(at, _)| reached.contains(at) && !quiet(at));
    let strangers = (0..).map(TargetId).zip(&lint.flow.targets);
    let mut strangers = strangers.filter(|(id, _)| !is_person(lint.flow, *id));
    let elsewhere = strangers.any(|(id, _)| reached.contains(Go::Target(id)));
    !reached.hang_up && !stuck && !elsewhere
}

/// Every exit of the person route leads to somebody else, or says that it ends there.
fn route(lint: &Lint<'_>) {
    let Some(target) = human(lint) else { return };
    let exits = [
        ("when_closed", target.when_closed.filter(|_| target.hours.is_some())),
        ("if_busy", target.if_busy),
        ("if_no_answer", target.if_no_answer),
        ("if_fails", target.if_fails),
    ];
    for (key, to) in exits {
        let Some(to) = to else { continue };
        if !leads_elsewhere(lint, target, to) {
            let message = format!("`{key}` of the person route leads to nobody else");
            let help =
                "lead it to another target, or write `fallback = false` at the step that ends it";
            lint.note(Code::E03, lint.target_place(target, key), message, help);
        }
    }
}

fn leads_elsewhere(lint: &Lint<'_>, target: &Target, to: Go) -> bool {
    let flow = lint.flow;
    let human = Go::Target(flow.human);
    // What the person route itself leads to does not count.
    let reached =
        graph::reachable(flow, [to], |at, way| at != human && way.cause != Cause::Failure);
    let other = graph::targets(flow).any(|(at, _)| at != human && reached.contains(at));
    let ends_there = graph::steps(flow).any(|(at, step)| {
        let ends = graph::ways(flow, at).iter().any(|way| way.to == Go::HangUp);
        reached.contains(at) && !step.fallback && ends
    });
    let later = graph::steps(flow).any(|(at, step)| reached.contains(at) && is_kept(&step.does));
    other || later || ends_there || (to == Go::HangUp && !target.fallback)
}

/// What the caller wants is taken down, for a person to see to.
fn is_kept(does: &Does) -> bool {
    matches!(does, Does::Voicemail(_) | Does::Callback(_))
}

fn human<'a>(lint: &Lint<'a>) -> Option<&'a Target> {
    lint.flow.targets.get(usize::from(lint.flow.human.0))
}
