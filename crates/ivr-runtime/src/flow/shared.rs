//! What `carom.toml` contributes to every flow.

use std::collections::{BTreeMap, BTreeSet};

use message_text::Alphabet;
use serde::{Deserialize, Serialize};

use super::{model::HumanSignal, tables::TargetDraft, way::Socket};
use crate::hours::Hours;

/// The shared tables of `carom.toml`, already read. The default is a flow file on its own.
#[derive(Debug, Clone, Default)]
pub struct Shared {
    /// Names of senders and sources that can't be used: what is wrong with them is told elsewhere, and
    /// who names them is not told that they are not there.
    pub broken: Vec<String>,
    /// `[target.X]`, in file order.
    pub targets: Vec<TargetDraft>,
    /// `[hours.X]`, in file order.
    pub hours: Vec<Hours>,
    /// `[sender.X]`, in file order.
    pub senders: Vec<Sender>,
    /// `[provider.X]` with their kinds.
    pub providers: Vec<(String, String)>,
    /// `[http] public_url`: where pages of ours are.
    pub public_url: Option<String>,
    /// `[source.X]`, by name.
    pub sources: Vec<String>,
    /// `[system.X]`.
    pub systems: Vec<System>,
    /// By which signals they tell that a person answers.
    pub signals: Vec<HumanSignal>,
    /// `[business.X]`.
    pub businesses: Vec<Business>,
    /// `[fallback] target`.
    pub fallback: Option<String>,
    /// Some trunk can carry callbacks.
    pub calls_back: bool,
    /// Some trunk has callers say that their number is right (`caller_id = "confirm"`).
    pub confirms: bool,
    /// `[[listener]]`; empty: not known.
    pub sockets: Vec<Socket>,
    /// `[limits] countries`, ISO codes; empty: not known.
    pub countries: Vec<String>,
    /// Contents of the sub-flow files that a flow names, by the name written there.
    pub sub_files: BTreeMap<String, String>,
    /// Contents of the holiday files that flow files name, by the name written there.
    pub holiday_files: BTreeMap<String, String>,
}

/// A sender, as far as flows are concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// `X` of `[sender.X]`.
    pub name: String,
    /// Number or id that messages come from.
    pub from: String,
    /// Countries it serves, ISO codes.
    pub regions: Vec<String>,
    /// `sms` or `whatsapp`.
    pub channel: String,
    /// Its channel carries pictures.
    pub media: bool,
    /// What its texts are written in where they can be, which says how many SMS they are.
    #[serde(default)]
    pub alphabet: Alphabet,
    /// `X` of the `[business.X]` whose it is; `None`: any may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business: Option<String>,
}

impl Sender {
    /// Whether texts of a business may come from it; `None`: there is only one.
    #[must_use]
    pub fn serves(&self, business: Option<&str>) -> bool {
        match (self.business.as_deref(), business) {
            (Some(own), Some(business)) => own == business,
            _ => true,
        }
    }
}

/// A system of the business, as far as flows are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// `X` of `[system.X]`.
    pub name: String,
    /// What the addresses of its requests begin with.
    pub url: String,
    /// It has tokens of its own.
    pub has_tokens: bool,
}

/// A business, as far as flows are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Business {
    /// `X` of `[business.X]`.
    pub key: String,
    /// Stands in every message.
    pub brand: String,
}

/// A prompt, as far as flows are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptFacts {
    /// How long it lasts.
    pub len_ms: u32,
    /// Samples a second of its master.
    pub rate: u32,
    /// 1 for mono.
    pub channels: u16,
}

/// The prompts there are.
pub trait PromptIndex {
    /// The facts of a prompt, by language and by name without suffix; `None`: there is none.
    fn has(&self, language: &str, name: &str) -> Option<PromptFacts>;

    /// The names of the prompts in a folder; `None`: whatever is asked for is there.
    fn in_folder(&self, language: &str, folder: &str) -> Option<BTreeSet<String>>;

    /// Makes the sound of a text that a program speaks; else why it can't be made.
    fn render(&self, _language: &str, _text: &str) -> Result<(), String> {
        Ok(())
    }

    /// What is said in a prompt, where it was written down.
    fn transcript(&self, _language: &str, _name: &str) -> Option<String> {
        None
    }

    /// The name of a prompt that may have been meant by one that is not there.
    fn nearest(&self, _language: &str, _name: &str) -> Option<String> {
        None
    }
}

/// Takes every prompt as there: for flows looked at without a prompt set.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnyPrompt;

impl PromptIndex for AnyPrompt {
    fn has(&self, _language: &str, _name: &str) -> Option<PromptFacts> {
        Some(PromptFacts { len_ms: 1_000, rate: 8_000, channels: 1 })
    }

    fn in_folder(&self, _language: &str, _folder: &str) -> Option<BTreeSet<String>> {
        None
    }
}
