//! The number to call back: the caller's own, read back where the step wants it.

use super::{Asking, Booking, Stage, not_wanted, prompts::read_back};
use crate::{
    call::desk::Context,
    flow::model::Callback,
    key::Key,
    step::{Exit, Turn},
};

/// The number while it is read back.
pub(super) const NUMBER: &str = "callback_number";

impl Booking {
    /// 1 is a yes and 2 a no. No other number can be given: anybody could be rung by it.
    pub(super) fn confirmed(
        &mut self,
        step: &str,
        callback: &Callback,
        context: &mut Context<'_>,
        key: Key,
    ) -> Turn {
        match key.label() {
            '1' => self.book(step, callback, context),
            '2' => Turn::Leave(not_wanted(callback, context, Exit::Key(key))),
            _ => self.other_key(callback, context, key),
        }
    }

    pub(super) fn read_back(&mut self, context: &mut Context<'_>, number: &str) -> Turn {
        context.facts.learn(NUMBER, number, false);
        self.stage = Stage::Confirming(Asking::begin(&read_back(), context));
        Turn::Stay
    }
}

/// The caller's own, as the call came from it; `Err`: why it is not known. Whether it may be called
/// is said when room is looked for.
pub(super) fn own_number(context: &Context<'_>) -> Result<String, &'static str> {
    let facts = &context.facts;
    if facts.attestation.as_deref() == Some("failed") {
        // The carrier says that it is somebody else's.
        return Err("number_in_doubt");
    }
    facts.caller.clone().filter(|_| !facts.withheld).ok_or("no_number")
}
