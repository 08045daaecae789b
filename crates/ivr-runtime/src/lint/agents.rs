//! E03: a bot is no person. Whoever must be reached when it fails can't be the bot itself. E00: what
//! a person has sent by the feature code is a text.

use super::{Lint, graph};
use crate::{diagnose::Code, flow::model::Does};

pub(super) fn check(lint: &Lint<'_>) {
    for (_, target) in graph::targets(lint.flow) {
        let step = target.send_link.and_then(|id| lint.flow.steps.get(usize::from(id.0)));
        if let Some(step) = step.filter(|step| !matches!(step.does, Does::Text(_))) {
            let message = format!("`{}` is no text", step.name);
            let place = lint.target_place(target, "send_link");
            lint.note(Code::E00, place, message, "name a `text` step");
        }
    }
    for (_, step) in graph::steps(lint.flow) {
        let Does::Agent(agent) = &step.does else { continue };
        let what = if agent.target == lint.flow.human {
            "the person route"
        } else if Some(agent.target) == lint.flow.fallback {
            "the target of `[fallback]`"
        } else {
            continue;
        };
        let name = lint.flow.targets.get(usize::from(agent.target.0));
        let name = name.map_or("?", |target| target.name.as_str());
        let message = format!("`{name}` is {what}, and no bot that hands callers back");
        let help = "give the bot a target of its own";
        lint.note(Code::E03, lint.step_place(step, "target"), message, help);
    }
}
