//! What a prompt list comes to in one call: fields are spoken, and what can't be is left out.

use super::facts::Facts;
use crate::{
    flow::{
        model::{PromptItem, Spoken},
        play::in_language,
        tts_name,
    },
    speech::{self, Language},
};

/// An item of a list, as it is played.
pub(crate) struct Heard {
    label: String,
    /// The names of its prompts.
    pub names: Vec<String>,
}

/// What the caller heard, for the record. A spoken value stands there by its field: it may be a
/// number that is nobody else's business.
pub(crate) fn for_record(prompts: &[PromptItem], facts: &Facts) -> String {
    let labels: Vec<_> = heard(prompts, facts).into_iter().map(|heard| heard.label).collect();
    labels.join("+")
}

/// Nothing of a group is heard unless all of it can be: never half a sentence.
pub(crate) fn heard(prompts: &[PromptItem], facts: &Facts) -> Vec<Heard> {
    let mut all = Vec::new();
    for prompt in in_language(prompts, &facts.language) {
        match prompt {
            PromptItem::Group { play, needs } => {
                let known = needs.iter().all(|field| facts.field(field).is_some());
                let play = in_language(play, &facts.language).into_iter();
                let whole: Option<Vec<_>> = play.map(|item| one(item, facts)).collect();
                all.extend(whole.filter(|_| known).into_iter().flatten());
            }
            _ => all.extend(one(prompt, facts)),
        }
    }
    all
}

/// `None`: the field is unknown, or its value has no words.
fn one(item: &PromptItem, facts: &Facts) -> Option<Heard> {
    match item {
        PromptItem::Sound(name) => Some(Heard { label: name.clone(), names: vec![name.clone()] }),
        PromptItem::Tts(text) => {
            let name = tts_name(text);
            Some(Heard { label: name.clone(), names: vec![name] })
        }
        PromptItem::Say { way, value } => {
            let value = match value {
                Spoken::Field(field) => facts.field(field)?,
                Spoken::Text(text) => text,
            };
            let names = speech::say(Language::parse(&facts.language)?, *way, value)?;
            Some(Heard { label: item.written(), names })
        }
        PromptItem::Clip(clip) => {
            let sound = clip.sound(&facts.language, facts.field(&clip.field)?)?;
            Some(Heard { label: sound.clone(), names: vec![sound] })
        }
        // The reader refuses a group in a group, and a list by language in one of its lists.
        PromptItem::Group { .. } | PromptItem::ByLanguage(_) => None,
    }
}
