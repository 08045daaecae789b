//! The outbox: a message is a row, committed before a provider sees it, and moves forward only.

mod again;
mod commit;
mod many;
mod price;
mod progress;
mod queue;
mod read;

use message_text::E164;
use serde::{Deserialize, Serialize};

pub(super) use self::{
    commit::Commit,
    many::{Learned, Settle},
};
pub(crate) use self::{
    commit::{NewMessage, When},
    price::Unpriced,
    progress::{News, Writes},
    read::{LastText, NewText, Past, Standing},
};

/// Purpose of what follows a call; nobody waits for it, so that it is taken back where it cannot
/// be sent.
pub(crate) const FOLLOW_UP: &str = "follow_up";

/// What is encrypted in `body_enc`: all that a later attempt needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Letter {
    /// The text as it is sent.
    pub text: String,
    /// Senders, in the order tried.
    pub via: Vec<String>,
    /// One more send after an ambiguous one is allowed, and not used up.
    pub duplicate: bool,
    /// Budget of one attempt, ms.
    pub attempt_ms: u32,
    /// Its language.
    #[serde(default)]
    pub language: String,
    /// Address of its link.
    #[serde(default)]
    pub link: Option<String>,
    /// The token of that address.
    #[serde(default)]
    pub link_token: Option<String>,
    /// Who it is from.
    #[serde(default)]
    pub brand: String,
    /// Topic of an opt-out that forbids it; `None`: written by an earlier release.
    #[serde(default)]
    pub topic: Option<String>,
}

/// A message as an attempt needs it.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub message_id: String,
    pub call_id: String,
    pub business: String,
    /// `link`, `follow_up`, or what the step names.
    pub purpose: String,
    /// Topic of an opt-out that forbids it, besides a general one.
    pub topic: String,
    pub to: E164,
    pub letter: Letter,
    pub sender: Option<String>,
    /// How often it was claimed.
    pub attempt: i64,
    /// Number of the attempt that was written last.
    pub try_no: i64,
    pub write_ms: Option<i64>,
    pub created_ms: i64,
    pub valid_until_ms: i64,
}
