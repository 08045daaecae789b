//! How long the value of a field is at most where a message or its address takes it (E09).

use super::{Lint, graph, intents, prompts};
use crate::{
    flow::{
        model::{Check, Does, FieldType, PromptItem, Spoken, Step},
        play::items,
    },
    speech::Way,
    step::callback,
};

/// Characters of a value of which the flow says nothing, such as an answer of a system that no
/// prompt speaks. A longer one is there at its own risk: the text is not sent if it is too long.
const UNSAID: usize = 40;
/// `+` and fifteen digits (ITU-T E.164).
const PHONE: usize = 16;
/// `2026-11-29`.
const DATE: usize = 10;
/// `14:30`.
const TIME: usize = 5;
/// `false`.
const FLAG: usize = 5;
/// A UUID.
const ID: usize = 36;
/// A SHA-256 in hex.
const KEY: usize = 64;
/// Seconds of a day, people in a queue.
const COUNT: usize = 5;

/// The longest value of `field`, in characters.
pub(super) fn of(lint: &Lint<'_>, field: &str) -> usize {
    let set = graph::steps(lint.flow).filter_map(|(_, step)| of_step(lint, step, field));
    given(lint, field).or_else(|| set.max()).unwrap_or(UNSAID)
}

/// Of what is known of every call, or told by a source.
fn given(lint: &Lint<'_>, field: &str) -> Option<usize> {
    match field {
        "call_id" => Some(ID),
        "called" | "called_number" => Some(PHONE),
        "caller_key" => Some(KEY),
        "site_visits" | "wait_minutes" | "wait_seconds" | "agents_available"
        | "callers_waiting" => Some(COUNT),
        "language" => lint.flow.languages.iter().map(String::len).max(),
        "intent" => {
            let steps = graph::steps(lint.flow);
            steps.filter_map(|(_, step)| intents::sets(step)).map(str::len).max()
        }
        callback::DAY => Some(DATE),
        callback::TIME => Some(TIME),
        _ => None,
    }
}

/// `None`: the step does not set it.
fn of_step(lint: &Lint<'_>, step: &Step, field: &str) -> Option<usize> {
    let unsaid = || spoken(lint, field).unwrap_or(UNSAID);
    match &step.does {
        Does::Collect(collect) if collect.save == field => Some(match collect.check {
            Check::Digits | Check::Luhn | Check::Pattern(_) => usize::from(collect.max),
            Check::Phone | Check::Mobile => PHONE,
            Check::Date => DATE,
        }),
        Does::Lookup(lookup) => lookup.save.iter().any(|it| it.field == field).then(unsaid),
        Does::Action(action) => action.save.iter().any(|it| it.field == field).then(unsaid),
        Does::Agent(agent) => {
            let save = agent.save.iter().find(|save| save.field == field)?;
            Some(match save.is {
                FieldType::Date => DATE,
                FieldType::Flag => FLAG,
                FieldType::Text | FieldType::Number | FieldType::Digits => unsaid(),
            })
        }
        _ => None,
    }
}

/// As long as the values are that prompts of the flow speak, or have a sound for.
fn spoken(lint: &Lint<'_>, field: &str) -> Option<usize> {
    let prompts = graph::steps(lint.flow).flat_map(|(_, step)| prompts::lists(step));
    let each = prompts.flat_map(|(_, play)| items(play));
    each.filter_map(|item| match item {
        PromptItem::Say { way, value: Spoken::Field(name) } if name == field => in_way(*way),
        PromptItem::Clip(clip) if clip.field == field => {
            clip.there.values().flatten().map(String::len).max()
        }
        _ => None,
    })
    .max()
}

/// What a way of speaking takes at most; `None`: anything.
fn in_way(way: Way) -> Option<usize> {
    match way {
        Way::Plain => None,
        // `-999999999.999999`, and with two decimals and a currency.
        Way::Number | Way::Money => Some(17),
        // With a `+`.
        Way::Digits => Some(41),
        Way::Ordinal => Some(2),
        Way::Date | Way::Day => Some(DATE),
        Way::Time => Some(TIME),
        Way::Phone => Some(PHONE),
        Way::Minutes => Some(4),
    }
}
