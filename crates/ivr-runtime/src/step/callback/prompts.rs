//! What is said beside what the flow names.

use super::{DAY, TIME, number::NUMBER};
use crate::{
    flow::model::{PromptItem, PromptList, Spoken},
    speech::Way,
};

/// All of it, for the linter.
pub(crate) fn own_prompts() -> PromptList {
    [next_slot(), read_back(), booked()].concat()
}

fn sound(name: &str) -> PromptItem {
    PromptItem::Sound(name.to_owned())
}

pub(super) fn read_back() -> PromptList {
    let value = Spoken::Field(NUMBER.to_owned());
    vec![PromptItem::Say { way: Way::Phone, value }, sound("callback-right")]
}

/// Before the offer, where what is free is not the first that there would be.
pub(crate) fn next_slot() -> PromptList {
    [vec![sound("callback-next")], slot()].concat()
}

pub(super) fn booked() -> PromptList {
    [vec![sound("callback-booked")], slot()].concat()
}

fn slot() -> PromptList {
    let say = |way, field: &str| PromptItem::Say { way, value: Spoken::Field(field.to_owned()) };
    vec![say(Way::Day, DAY), say(Way::Time, TIME)]
}
