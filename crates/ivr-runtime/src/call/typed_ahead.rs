//! Keys that are typed before the step that hears them.

use crate::{
    flow::model::{Does, Flow, Go, StepId},
    graph,
};

/// What a step makes of keys that were typed before it.
pub(super) enum Takes {
    /// They are digits of its field.
    Digits,
    /// They are choices, or forgotten.
    Choice,
    /// They stay for the next one.
    Nothing,
}

pub(super) fn takes(does: &Does) -> Takes {
    match does {
        Does::Collect(_) => Takes::Digits,
        Does::Menu(_)
        | Does::Answer { .. }
        | Does::Offer(_)
        | Does::Wait(_)
        | Does::Agent(_)
        | Does::OptOut { .. }
        | Does::Voicemail(_)
        | Does::Callback(_) => Takes::Choice,
        Does::Action(action) if action.confirm.is_some() => Takes::Choice,
        Does::Say { .. }
        | Does::Decide { .. }
        | Does::Set { .. }
        | Does::Text(_)
        | Does::Lookup(_)
        | Does::Action(_) => Takes::Nothing,
    }
}

/// Whether keys that are typed in `from`, which does not hear them itself, may be digits of the field
/// that comes next.
pub(super) fn is_for_field(flow: &Flow, from: StepId) -> bool {
    let (mut open, mut seen) = (vec![from], vec![from]);
    while let Some(step) = open.pop().and_then(|id| flow.steps.get(usize::from(id.0))) {
        for to in graph::exits(flow, step) {
            let Go::Step(id) = to else { continue };
            let Some(next) = flow.steps.get(usize::from(id.0)) else { continue };
            match takes(&next.does) {
                Takes::Digits => return true,
                Takes::Nothing if !seen.contains(&id) => {
                    seen.push(id);
                    open.push(id);
                }
                Takes::Nothing | Takes::Choice => {}
            }
        }
    }
    false
}
