//! What a `text` step plays when it asks for a number.

use super::{
    PromptIndex,
    model::{AskNumber, ConfirmNumber, Does, Flow, PromptItem, PromptList, Spoken},
};
use crate::{
    speech::{self, Language, Way},
    step::number::FIELD,
};

/// The built-in prompts of the question.
pub(crate) fn prompts() -> AskNumber {
    let sound = |name: &str| PromptItem::Sound(name.to_owned());
    let number = || PromptItem::Say { way: Way::Phone, value: Spoken::Field(FIELD.to_owned()) };
    AskNumber {
        own: vec![sound("text-goes-to"), number(), sound("right-or-other")],
        other: vec![sound("type-mobile")],
        refused: vec![sound("no-text-there")],
        read_back: vec![number(), sound("right-or-again")],
        elsewhere: vec![sound("another-mobile")],
        written: true,
    }
}

/// Steps that do not say how a number is confirmed ask for one where they can: not where a sound
/// or a fragment is missing in a language of the flow. Those that say it are told (E07).
pub(super) fn settle(flow: &mut Flow, index: &dyn PromptIndex) {
    let can_ask = flow.languages.iter().all(|tag| can_ask(tag, index));
    let elsewhere = flow.languages.iter().all(|tag| has_all(tag, &prompts().elsewhere, index));
    for step in &mut flow.steps {
        let Does::Text(text) = &mut step.does else { continue };
        let written = text.ask.as_ref().is_some_and(|ask| ask.written);
        if text.confirm_number == ConfirmNumber::Never || (!written && !can_ask) {
            text.ask = None;
        }
        // Recordings made before there was this prompt serve as they did.
        if let Some(ask) = text.ask.as_mut().filter(|_| !elsewhere) {
            ask.elsewhere.clear();
        }
    }
}

fn can_ask(tag: &str, index: &dyn PromptIndex) -> bool {
    let Some(language) = Language::parse(tag) else { return false };
    let ask = prompts();
    let lists = [&ask.own, &ask.other, &ask.refused, &ask.read_back];
    lists.iter().all(|list| has_all(tag, list, index))
        && speech::needed(language, Way::Phone).iter().all(|name| index.has(tag, name).is_some())
}

fn has_all(tag: &str, list: &PromptList, index: &dyn PromptIndex) -> bool {
    list.iter().all(|item| match item {
        PromptItem::Sound(name) => index.has(tag, name).is_some(),
        _ => true,
    })
}
