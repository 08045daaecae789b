//! Steps that play a prompt and take one key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Go, LinkId, PromptList, RuleId, Share};
use crate::{flow::play, key::Key};

/// Keys shared by `menu`, `answer` and `offer`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Menu {
    /// What is played.
    pub play: PromptList,
    /// What is played in its place at the second try, the third and so on, the last at all later
    /// ones; empty: `play` each time.
    pub play_again: Vec<PromptList>,
    /// Key → where to. Operator keys not listed here go to the flow's human.
    pub press: BTreeMap<Key, Go>,
    /// How often it is played, 1–5.
    pub tries: u8,
    /// From the end of the prompt to "no key", in ms.
    pub timeout_ms: u32,
    /// Plays the prompt again without counting a try.
    pub repeat_key: Option<Key>,
    /// After all tries in silence.
    pub no_input: Go,
    /// After all tries with wrong keys.
    pub wrong: Go,
    /// A key stops the prompt.
    pub barge_in: bool,
    /// Forgets keys typed ahead.
    pub flush: bool,
    /// Sets the call's intent when entered.
    pub intent: Option<String>,
}

impl Menu {
    /// What is played at the `n`th try, counted from 1.
    pub fn prompt(&self, n: u8) -> &PromptList {
        play::of_try(&self.play, &self.play_again, n)
    }
}

/// `do = "offer"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// Prompt and keys.
    pub menu: Menu,
    /// Where in the call, e.g. `use-case`.
    pub stage: String,
    /// The link offered.
    pub link: LinkId,
    /// All must hold.
    pub only_if: Vec<RuleId>,
    /// None may hold.
    pub never_if: Vec<RuleId>,
    /// Suppressed with `no_intent` while the intent is unknown.
    pub needs_intent: bool,
    /// Made also to who chose the phone before, in the same call.
    pub again: bool,
    /// Ramp: percent of callers by day.
    pub share: Share,
    /// Keys of `press` that accept; the others decline.
    pub accept: Vec<Key>,
    /// Where a suppressed offer goes, without a sound.
    pub if_not_offered: Go,
}
