//! What a step plays: sounds, spoken values, and groups of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    slice,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{PromptIndex, model::Does};
use crate::speech::Way;

/// Longer values name no sound.
const MAX_CLIP_BYTES: usize = 64;

/// Prompts played one after the other, without a gap.
pub type PromptList = Vec<PromptItem>;

/// One entry of a `play` list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PromptItem {
    /// A sound of the prompt set, by name without suffix.
    Sound(String),
    /// A value spoken by fragments, in the language of the call.
    Say {
        /// How.
        way: Way,
        /// What.
        value: Spoken,
    },
    /// The sound `field/value`.
    Clip(Clip),
    /// A text that a program speaks when the flow is loaded: in the language that it stands under,
    /// else in the flow's first.
    Tts(String),
    /// What is played in each language of the flow.
    ByLanguage(BTreeMap<String, PromptList>),
    /// A group that is skipped whole when a field is not known, or a value has no words.
    Group {
        /// What is played.
        play: PromptList,
        /// Fields it needs.
        needs: Vec<String>,
    },
}

/// What `say:` speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Spoken {
    /// The value of a field.
    Field(String),
    /// What stands in the flow.
    Text(String),
}

/// `clip:{field}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clip {
    /// The field whose value names the sound; also the folder of the sounds.
    pub field: String,
    /// The values that have a sound, by language; every value in languages that are not listed.
    pub there: BTreeMap<String, BTreeSet<String>>,
}

impl PromptItem {
    /// What stands in the flow for it.
    pub(crate) fn written(&self) -> String {
        match self {
            Self::Sound(name) => name.clone(),
            Self::Say { way, value } => {
                let value = match value {
                    Spoken::Field(field) => format!("{{{field}}}"),
                    Spoken::Text(text) => text.clone(),
                };
                match way.name() {
                    "" => format!("say:{value}"),
                    way => format!("say:{way}:{value}"),
                }
            }
            Self::Clip(clip) => format!("clip:{{{}}}", clip.field),
            Self::Tts(text) => format!("tts:{text}"),
            Self::ByLanguage(lists) => lists.values().flatten().map(Self::written).collect(),
            Self::Group { play, .. } => play.iter().map(Self::written).collect(),
        }
    }
}

impl Clip {
    /// The name of the sound for `value`; `None` where there can't be one.
    pub fn sound(&self, language: &str, value: &str) -> Option<String> {
        let value = value.trim().to_lowercase();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let fits = (1..=MAX_CLIP_BYTES).contains(&value.len()) && value.chars().all(plain);
        let known = self.there.get(language).is_none_or(|there| there.contains(&value));
        (fits && known).then(|| format!("{}/{value}", self.field))
    }
}

/// The name of the prompt that a text of `tts:` becomes.
pub fn tts_name(text: &str) -> String {
    let hash = hex::encode(Sha256::digest(text));
    format!("tts/{}", &hash[..16])
}

/// The items of a list in all languages, those of groups in the place of the groups.
pub(crate) fn items(play: &[PromptItem]) -> Vec<&PromptItem> {
    let each = play.iter().flat_map(|item| match item {
        PromptItem::Group { play, .. } => items(play),
        PromptItem::ByLanguage(lists) => lists.values().flat_map(|list| items(list)).collect(),
        _ => vec![item],
    });
    each.collect()
}

/// As [`items`], each with those of `languages` in which it is played.
pub(crate) fn items_with_languages<'a>(
    play: &'a [PromptItem],
    languages: &'a [String],
) -> Vec<(&'a PromptItem, &'a [String])> {
    let each = play.iter().flat_map(|item| match item {
        PromptItem::Group { play, .. } => items_with_languages(play, languages),
        PromptItem::ByLanguage(lists) => {
            let own = languages.iter().filter_map(|tag| Some((lists.get(tag)?, tag)));
            own.flat_map(|(list, tag)| items_with_languages(list, slice::from_ref(tag))).collect()
        }
        _ => vec![(item, languages)],
    });
    each.collect()
}

/// The items of a list that are played in one language; groups stay whole.
pub(crate) fn in_language<'a>(play: &'a [PromptItem], language: &str) -> Vec<&'a PromptItem> {
    let each = play.iter().flat_map(|item| match item {
        PromptItem::ByLanguage(lists) => lists.get(language).into_iter().flatten().collect(),
        _ => vec![item],
    });
    each.collect()
}

/// The noun that is spoken with the number before it, by fragments, so that both agree.
const NOUN: &str = "minutes";

/// Whether `number` counts what `noun` names, the sound right after it.
pub(crate) fn counts(number: &PromptItem, noun: &PromptItem) -> bool {
    let is_number = matches!(number, PromptItem::Say { way: Way::Plain | Way::Number, .. });
    is_number && matches!(noun, PromptItem::Sound(name) if name == NOUN)
}

/// What is played at the `n`th try, counted from 1: first `play`, then one of `again` after the
/// other, and the last of them from then on.
pub(super) fn of_try<'a>(play: &'a PromptList, again: &'a [PromptList], n: u8) -> &'a PromptList {
    let later = usize::from(n).checked_sub(2);
    later.and_then(|nth| again.get(nth).or(again.last())).unwrap_or(play)
}

/// Notes which values of a step's clips have a sound.
pub(crate) fn look_up_clips(does: &mut Does, languages: &[String], prompts: &dyn PromptIndex) {
    for list in does.prompt_lists_mut() {
        look_up(list, languages, prompts);
    }
}

fn look_up(play: &mut PromptList, languages: &[String], prompts: &dyn PromptIndex) {
    for item in play {
        match item {
            PromptItem::Clip(clip) => {
                for language in languages {
                    if let Some(there) = prompts.in_folder(language, &clip.field) {
                        clip.there.insert(language.clone(), there);
                    }
                }
            }
            PromptItem::Group { play, .. } => look_up(play, languages, prompts),
            PromptItem::ByLanguage(lists) => {
                lists.values_mut().for_each(|list| look_up(list, languages, prompts));
            }
            PromptItem::Sound(_) | PromptItem::Say { .. } | PromptItem::Tts(_) => {}
        }
    }
}
