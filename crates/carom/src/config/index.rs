//! What the check of a flow asks about prompts.

use std::collections::BTreeSet;

use ivr_runtime::{
    diagnose,
    flow::{PromptFacts, PromptIndex},
};

use super::{Prompts, voice::Voice};

/// The prompts that there are, and those that are spoken while flows are loaded.
pub(super) struct Index<'a> {
    pub prompts: &'a Prompts,
    pub voice: Voice<'a>,
}

impl PromptIndex for Prompts {
    fn has(&self, language: &str, name: &str) -> Option<PromptFacts> {
        let len_ms = self.set.len_ms(language, name)?;
        let rate = self.set.rate_hz(language, name)?;
        Some(PromptFacts { len_ms, rate, channels: 1 })
    }

    fn in_folder(&self, language: &str, folder: &str) -> Option<BTreeSet<String>> {
        let within = |name: &str| Some(name.strip_prefix(folder)?.strip_prefix('/')?.to_owned());
        Some(self.set.names(language).filter_map(within).collect())
    }

    fn transcript(&self, language: &str, name: &str) -> Option<String> {
        self.transcript(language, name).map(str::to_owned)
    }

    fn nearest(&self, language: &str, name: &str) -> Option<String> {
        let names = self.names().filter(|(of, _)| *of == language).map(|(_, name)| name);
        diagnose::nearest(name, names).map(str::to_owned)
    }
}

impl PromptIndex for Index<'_> {
    fn has(&self, language: &str, name: &str) -> Option<PromptFacts> {
        self.prompts.has(language, name)
    }

    fn in_folder(&self, language: &str, folder: &str) -> Option<BTreeSet<String>> {
        self.prompts.in_folder(language, folder)
    }

    fn transcript(&self, language: &str, name: &str) -> Option<String> {
        PromptIndex::transcript(self.prompts, language, name)
    }

    fn nearest(&self, language: &str, name: &str) -> Option<String> {
        self.prompts.nearest(language, name)
    }

    fn render(&self, language: &str, text: &str) -> Result<(), String> {
        self.voice.speak(language, text)
    }
}
