//! W07: nothing is said before a text is sent, or after it.

use super::{Lint, graph};
use crate::{
    diagnose::Code,
    flow::model::{Does, Flow, Go},
};

/// Steps followed to see whether something is played.
const FOLLOWED: usize = 8;

pub(super) fn check(lint: &Lint<'_>) {
    for (_, step) in graph::steps(lint.flow) {
        let Does::Text(text) = &step.does else { continue };
        if text.wait_prompt.is_none() {
            let message = "nothing is said while the text is sent";
            let help = "leave `wait_prompt` out: \"one moment\" is then said";
            lint.note(Code::W07, lint.step_place(step, "wait_prompt"), message, help);
        }
        if text.sent_prompt.is_none() && !is_heard(lint.flow, text.then, FOLLOWED) {
            let message = "nothing is said after the text was sent";
            let help = "leave `sent_prompt` out, or let `then` lead to a step that says it";
            lint.note(Code::W07, lint.step_place(step, "sent_prompt"), message, help);
        }
    }
}

/// Whatever holds, something is played next.
fn is_heard(flow: &Flow, go: Go, left: usize) -> bool {
    let Go::Step(id) = go else { return false };
    let Some((left, step)) = left.checked_sub(1).zip(flow.steps.get(usize::from(id.0))) else {
        return false;
    };
    match &step.does {
        Does::Say { .. }
        | Does::Menu(_)
        | Does::Answer { .. }
        | Does::Collect(_)
        | Does::Wait(_)
        | Does::Agent(_)
        | Does::Voicemail(_)
        | Does::Callback(_)
        | Does::OptOut { .. } => true,
        Does::Offer(offer) => is_heard(flow, offer.if_not_offered, left),
        Does::Decide { case, otherwise } => {
            let mut ways = case.iter().map(|(_, to)| *to).chain([*otherwise]);
            ways.all(|to| is_heard(flow, to, left))
        }
        Does::Set { then, .. } => is_heard(flow, *then, left),
        Does::Lookup(lookup) => is_heard(flow, lookup.then, left),
        Does::Action(action) => action.confirm.is_some() || is_heard(flow, action.then, left),
        Does::Text(_) => false,
    }
}
