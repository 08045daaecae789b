//! E01: a signal that a person answers has a source that gives it. E16: no offer may play over an agent, so that a line is kept only where it can be told when
//! a person answers; and what is offered there is an offer. A callback is connected when a person
//! answers, and needs a trunk that carries it (E10).

use super::{Lint, graph};
use crate::{
    call::never_tells,
    diagnose::Code,
    flow::model::{Does, Go, HumanSignal},
};

pub(super) fn check(lint: &Lint<'_>) {
    signals(lint);
    for (_, step) in graph::steps(lint.flow) {
        let id = match &step.does {
            Does::Wait(wait) => wait.target,
            // Another system calls.
            Does::Callback(callback) if callback.deliver.is_some() => continue,
            // The caller is rung when a person is there, and not before.
            Does::Callback(callback) => callback.target.unwrap_or(lint.flow.human),
            _ => continue,
        };
        let target = lint.flow.targets.get(usize::from(id.0));
        if let Some(target) = target.filter(|target| never_tells(target)) {
            let message = format!("`{}` never tells when a person answers", target.name);
            let help = "give the target a `human_signal`, or say `answered_means = \"human\"`";
            lint.note(Code::E16, lint.step_place(step, "target"), message, help);
        }
        let Does::Wait(wait) = &step.does else {
            if !lint.shared.calls_back {
                let message = "no trunk can carry callbacks";
                let help = "give one `outbound = true`, `address` and `callback_from`";
                lint.note(Code::E10, lint.step_place(step, "do"), message, help);
            }
            continue;
        };
        let Some(id) = wait.offer else { continue };
        let offered = lint.flow.steps.get(usize::from(id.0)).map(|step| &step.does);
        if !matches!(offered, Some(Does::Offer(_))) {
            let name = graph::name(lint.flow, Go::Step(id));
            let message = format!("`{name}` is no offer");
            lint.note(Code::E00, lint.step_place(step, "offer"), message, "name an `offer` step");
        }
    }
}

/// Who is asked by nobody never tells.
fn signals(lint: &Lint<'_>) {
    for (_, target) in graph::targets(lint.flow) {
        let signal = &target.human_signal;
        let asked = matches!(signal, HumanSignal::Ami | HumanSignal::Esl);
        // What carom.toml says of its own targets is told there.
        if asked && lint.is_own("target", &target.name) && !lint.shared.signals.contains(signal) {
            let word = signal.word();
            let message = format!("there is no source of kind `{word}` that could tell");
            let help = format!("add a `[source.X]` of kind `{word}` to carom.toml");
            lint.note(Code::E01, lint.target_place(target, "human_signal"), message, help);
        }
    }
}
