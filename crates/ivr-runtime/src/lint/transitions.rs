//! W07: nothing is said before a text is sent, or after it, or something else is.

use super::{Lint, graph, prompts};
use crate::{
    diagnose::Code,
    flow::{
        model::{Does, Flow, Go, PromptItem, Spoken, Step},
        play::items_with_languages,
    },
    step::text,
};

/// Who is told of a text hears one of these: English, Spanish, German, French.
const WORDS: [&str; 13] = [
    "text",
    "message",
    "link",
    "sms",
    "whatsapp",
    "sent",
    "mensaje",
    "enlace",
    "enviado",
    "nachricht",
    "gesendet",
    "lien",
    "envoyé",
];

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
        if text.sent_prompt.is_none() {
            let mut next = Vec::new();
            let message = if !is_heard(lint.flow, text.then, FOLLOWED, &mut next) {
                "nothing is said after the text was sent"
            } else if next.iter().any(|step| says_something_else(lint, step)) {
                "what is said after the text was sent does not tell of it"
            } else {
                continue;
            };
            let help = "leave `sent_prompt` out, or let `then` lead to a step that tells what was \
                        sent, from whom, and how long it is good";
            lint.note(Code::W07, lint.step_place(step, "sent_prompt"), message, help);
        }
    }
}

/// All that a step says in some language is written down, and nothing of it tells of a text. The
/// fields that are known of one tell of it.
fn says_something_else(lint: &Lint<'_>, step: &Step) -> bool {
    let lists = prompts::lists(step);
    let Some((_, play)) = lists.first() else { return false };
    let tells = |words: &str| {
        let words = words.to_lowercase();
        WORDS.iter().any(|word| words.contains(word))
    };
    let said = |item: &PromptItem, language: &str| match item {
        PromptItem::Sound(name) => Some(lint.prompts.transcript(language, name)),
        PromptItem::Tts(text) => Some(Some(text.clone())),
        _ => None,
    };
    let is_else = |language: &String| {
        let played = items_with_languages(play, std::slice::from_ref(language));
        let mut words = played.iter().filter_map(|(item, _)| said(item, language)).peekable();
        let is_written = |words: &Option<String>| words.as_ref().is_some_and(|it| !it.is_empty());
        words.peek().is_some()
            && words.all(|words| is_written(&words) && words.is_some_and(|words| !tells(&words)))
    };
    !names_a_text(play) && lint.flow.languages.iter().any(is_else)
}

/// Whether it says what is known of the text.
fn names_a_text(play: &[PromptItem]) -> bool {
    let of_text = |field: &String| text::KNOWN.contains(&field.as_str());
    play.iter().any(|item| match item {
        PromptItem::Group { play, needs } => needs.iter().any(of_text) || names_a_text(play),
        PromptItem::ByLanguage(lists) => lists.values().any(|list| names_a_text(list)),
        PromptItem::Say { value: Spoken::Field(field), .. } => of_text(field),
        _ => false,
    })
}

/// Whatever holds, something is played next: by the steps in `next`.
fn is_heard<'f>(flow: &'f Flow, go: Go, left: usize, next: &mut Vec<&'f Step>) -> bool {
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
        | Does::OptOut { .. } => {
            next.push(step);
            true
        }
        Does::Offer(offer) => is_heard(flow, offer.if_not_offered, left, next),
        Does::Decide { case, otherwise } => {
            let mut ways = case.iter().map(|(_, to)| *to).chain([*otherwise]);
            ways.all(|to| is_heard(flow, to, left, next))
        }
        Does::Set { then, .. } => is_heard(flow, *then, left, next),
        Does::Lookup(lookup) => is_heard(flow, lookup.then, left, next),
        Does::Action(action) => action.confirm.is_some() || is_heard(flow, action.then, left, next),
        Does::Text(_) => false,
    }
}
