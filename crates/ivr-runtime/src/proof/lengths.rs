//! How long prompts last, in the language in which they last longest, all groups played.

use crate::flow::{PromptIndex, model::PromptItem};

/// A spoken value lasts no longer.
const SPOKEN_MS: u64 = 10_000;
/// A sound that is not known before the call.
const SOUND_MS: u64 = 10_000;

/// The prompts there are, in the languages of a flow.
#[derive(Clone, Copy)]
pub(super) struct Lengths<'a> {
    pub prompts: &'a dyn PromptIndex,
    pub languages: &'a [String],
}

impl Lengths<'_> {
    /// In ms; nothing for what is not there.
    pub fn of(self, play: &[PromptItem]) -> u64 {
        let in_language = |language: &String| self.in_language(play, language);
        self.languages.iter().map(in_language).max().unwrap_or(0)
    }

    /// As [`Lengths::of`] of one sound.
    pub fn of_sound(self, name: &str) -> u64 {
        self.of(&[PromptItem::Sound(name.to_owned())])
    }

    fn in_language(self, play: &[PromptItem], language: &str) -> u64 {
        play.iter()
            .map(|item| match item {
                PromptItem::Sound(name) => {
                    self.prompts.has(language, name).map_or(0, |facts| u64::from(facts.len_ms))
                }
                // However long the value is: a phone number and more.
                PromptItem::Say { .. } => SPOKEN_MS,
                PromptItem::Clip(_) | PromptItem::Tts(_) => SOUND_MS,
                PromptItem::ByLanguage(lists) => {
                    lists.get(language).map_or(0, |list| self.in_language(list, language))
                }
                PromptItem::Group { play, .. } => self.in_language(play, language),
            })
            .sum()
    }
}
