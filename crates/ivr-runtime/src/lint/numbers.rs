//! W16: a text that asks nobody for a number, where a trunk wants each number confirmed.

use super::{Lint, graph};
use crate::{
    diagnose::Code,
    flow::model::{ConfirmNumber, Does},
};

pub(super) fn check(lint: &Lint<'_>) {
    if !lint.shared.confirms {
        return;
    }
    for (_, step) in graph::steps(lint.flow) {
        let Does::Text(text) = &step.does else { continue };
        if text.confirm_number == ConfirmNumber::Never {
            let message = "callers of a trunk with `caller_id = \"confirm\"` are never sent this";
            let help = "leave `confirm_number` out: their number is then read back";
            lint.note(Code::W16, lint.step_place(step, "confirm_number"), message, help);
        }
    }
}
