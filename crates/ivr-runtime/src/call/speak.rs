//! What a prompt list comes to in one call: fields are spoken, and what can't be is left out.

use super::facts::Facts;
use crate::{
    flow::{
        model::{PromptItem, Spoken},
        play::{counts, in_language},
        tts_name,
    },
    speech::{self, Language, Way},
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
    for run in phrases(&in_language(prompts, &facts.language)) {
        match run {
            [PromptItem::Group { play, needs }] => {
                let known = needs.iter().all(|field| facts.field(field).is_some());
                let play = in_language(play, &facts.language);
                let whole: Option<Vec<_>> =
                    phrases(&play).into_iter().map(|phrase| said(phrase, facts)).collect();
                all.extend(whole.filter(|_| known).into_iter().flatten().flatten());
            }
            phrase => all.extend(said(phrase, facts).into_iter().flatten()),
        }
    }
    all
}

/// Fields that a list would say, but whose values have no words; in a group that is left out none is.
pub(crate) fn unsaid<'a>(prompts: &'a [PromptItem], facts: &Facts) -> Vec<&'a str> {
    let items = in_language(prompts, &facts.language).into_iter();
    let unsaid = items.filter_map(|item| match item {
        PromptItem::Say { value: Spoken::Field(field), .. } => Some((item, field)),
        PromptItem::Clip(clip) => Some((item, &clip.field)),
        _ => None,
    });
    unsaid.filter(|(item, _)| one(item, facts).is_none()).map(|(_, field)| field.as_str()).collect()
}

/// Items one by one, but a number with the noun after it.
fn phrases<'a, 'i>(items: &'a [&'i PromptItem]) -> Vec<&'a [&'i PromptItem]> {
    items.chunk_by(|item, next| counts(item, next)).collect()
}

/// A number and `minutes` agree: "one minute", "veintiún minutos". `None`: it can't all be said.
fn said(phrase: &[&PromptItem], facts: &Facts) -> Option<Vec<Heard>> {
    if let [number @ PromptItem::Say { value, .. }, noun] = phrase
        && let Some(names) = spoken(Way::Minutes, value, facts)
    {
        let label = format!("{}+{}", number.written(), noun.written());
        return Some(vec![Heard { label, names }]);
    }
    phrase.iter().map(|item| one(item, facts)).collect()
}

fn spoken(way: Way, value: &Spoken, facts: &Facts) -> Option<Vec<String>> {
    let value = match value {
        Spoken::Field(field) => facts.field(field)?,
        Spoken::Text(text) => text,
    };
    speech::say(Language::parse(&facts.language)?, way, value)
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
            Some(Heard { label: item.written(), names: spoken(*way, value, facts)? })
        }
        PromptItem::Clip(clip) => {
            let sound = clip.sound(&facts.language, facts.field(&clip.field)?)?;
            Some(Heard { label: sound.clone(), names: vec![sound] })
        }
        // The reader refuses a group in a group, and a list by language in one of its lists.
        PromptItem::Group { .. } | PromptItem::ByLanguage(_) => None,
    }
}
