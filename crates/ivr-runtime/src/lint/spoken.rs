//! E07: the fragments of what is spoken, and the sounds of `clip:{field}`, are there.

use std::collections::BTreeSet;

use super::{Lint, prompts::unfit};
use crate::{
    diagnose::{Code, Span},
    flow::model::{Clip, Spoken},
    speech::{self, Language, Way},
};

/// A short word, well trimmed.
const LEAST_MS: u32 = 50;
/// So many missing fragments are named.
const NAMED: usize = 3;

/// What is spoken in the same way at several places is told at the first of them.
pub(super) fn say(
    lint: &Lint<'_>,
    languages: &[String],
    way: Way,
    value: &Spoken,
    told: &mut BTreeSet<String>,
    place: impl Fn() -> Span,
) {
    for tag in languages {
        let Some(language) = Language::parse(tag) else {
            if told.insert(format!("say: in {tag}")) {
                let known = Language::ALL.map(Language::tag).join(", ");
                let message = format!("nothing can be spoken by `say:` in {tag}");
                let help = format!("it knows the grammar of {known}");
                lint.note(Code::E07, place(), message, help);
            }
            continue;
        };
        if let Spoken::Text(text) = value
            && speech::say(language, way, text).is_none()
        {
            let message = format!("`{text}` can't be spoken in this way in {tag}");
            let help = "docs/flow-language.md says what each way takes";
            lint.note(Code::E07, place(), message, help);
        } else if told.insert(format!("say:{} in {tag}", way.name())) {
            fragments(lint, language, way, &place);
        }
    }
}

fn fragments(lint: &Lint<'_>, language: Language, way: Way, place: &impl Fn() -> Span) {
    let tag = language.tag();
    let needed = speech::needed(language, way);
    let mut missing = Vec::new();
    for name in needed {
        match lint.prompts.has(tag, name) {
            None => missing.push(format!("`{name}`")),
            Some(facts) => {
                if let Some(why) = unfit(facts, LEAST_MS) {
                    let message = format!("the fragment `{name}` in {tag} {why}");
                    let help = format!("make it again: carom prompts fragments --language {tag}");
                    lint.note(Code::E07, place(), message, help);
                }
            }
        }
    }
    if !missing.is_empty() {
        let first = missing.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        let more = if missing.len() > NAMED { ", …" } else { "" };
        let message = format!(
            "{} of {} fragments that this may need are missing in {tag}: {first}{more}",
            missing.len(),
            needed.len(),
        );
        let help = format!("make them: carom prompts fragments --language {tag}");
        lint.note(Code::E07, place(), message, help);
    }
}

pub(super) fn clip(
    lint: &Lint<'_>,
    languages: &[String],
    clip: &Clip,
    told: &mut BTreeSet<String>,
    place: impl Fn() -> Span,
) {
    let Clip { field, there } = clip;
    for language in languages {
        let none = there.get(language).is_some_and(BTreeSet::is_empty);
        if none && told.insert(format!("clip:{field} in {language}")) {
            let message = format!("there is no sound `{field}/…` in {language}");
            let help = format!(
                "add one for each value: carom prompts import VALUE.wav --name {field}/VALUE \
                 --language {language}"
            );
            lint.note(Code::E07, place(), message, help);
        }
    }
}

/// In the first of `languages`: the one that the text stands under, or the flow's first.
pub(super) fn tts(
    lint: &Lint<'_>,
    languages: &[String],
    text: &str,
    told: &mut BTreeSet<String>,
    place: impl Fn() -> Span,
) {
    let Some(language) = languages.first() else { return };
    if !told.insert(format!("tts:{text} in {language}")) {
        return;
    }
    if let Err(why) = lint.prompts.render(language, text) {
        let message = format!("the text `{text}` can't be spoken in {language}: {why}");
        let help = "see `tts_command` in docs/configuration.md, or record it";
        lint.note(Code::E07, place(), message, help);
    }
}
