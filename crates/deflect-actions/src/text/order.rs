//! What is ordered, and what came of it.

use message_text::{E164, NumberProblem};

use crate::{
    link::NewPage,
    store::{CallStarted, OfferRow},
};

/// A text that a caller asked for.
#[derive(Debug, Clone)]
pub struct TextOrder {
    /// The call; committed with the message where the writer has not done so yet.
    pub call: CallStarted,
    /// The offer it fulfils; committed with the message.
    pub offer: Option<OfferRow>,
    /// Where to, or why there is no number.
    pub to: Result<E164, NumberProblem>,
    /// Senders in the order tried; empty: all, in file order.
    pub via: Vec<String>,
    /// The text as it is sent, links and brand filled in.
    pub text: String,
    /// Who it is from.
    pub brand: String,
    /// Address of the link in it, for channels that have a place of their own for one.
    pub link: Option<String>,
    /// The token of that address; `None`: its last segment.
    pub link_token: Option<String>,
    /// Its language.
    pub language: String,
    /// Name of the `text` step: says which text it is.
    pub step: String,
    /// Name of the step whose prompt the caller said yes to.
    pub asked_in: String,
    /// `link`, or what the step names.
    pub purpose: String,
    /// Names of the links in it.
    pub links: Vec<String>,
    /// The page that the text leads to; committed with the message.
    pub page: Option<NewPage>,
    /// It is of no use any more then, ms UTC.
    pub not_after_ms: Option<i64>,
    /// Topic of an opt-out that forbids it, besides a general one.
    pub topic: String,
    /// The key that asked for it.
    pub pressed: Option<String>,
    /// The prompt the caller said yes to.
    pub prompt_id: String,
    /// Hash of what that prompt says.
    pub prompt_hash: String,
    /// Where a system of the business orders it; `None`: a caller did.
    pub ordered: Option<Ordered>,
    /// Budget of all attempts together, ms.
    pub accept_within_ms: u32,
    /// Budget of one attempt, ms.
    pub attempt_ms: u32,
    /// One more send after an ambiguous one is allowed.
    pub allow_one_duplicate: bool,
    /// Minutes it is worth sending.
    pub valid_minutes: u32,
    /// Minutes within which the same text is not sent again.
    pub repeat_after_minutes: u32,
    /// SMS that it may be long at most.
    pub max_segments: u8,
}

/// An order by a system of the business, which has the person's consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// Two orders with the same are one.
    pub idem_key: String,
    /// When the person agreed, ms UTC.
    pub agreed_ms: i64,
}

/// What became of a text while the caller listened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextOutcome {
    /// A provider has accepted it.
    Accepted {
        /// Name of the sender that took it.
        sender: String,
    },
    /// Durably queued and tried again; no provider has it yet. Not an end for a step that waits
    /// for more.
    Queued,
    /// No provider took it, definitely, and none will.
    Failed {
        /// Class of the last failure; `store` when the database failed, `too_long`.
        class: String,
    },
    /// Written and unanswered: it may still arrive.
    Ambiguous,
    /// The number wants no texts.
    OptedOut,
    /// A limit bit.
    Limited {
        /// Name of the limit.
        rule: String,
    },
    /// The number can't be texted.
    NotTextable {
        /// `withheld`, `short`, `invalid`, `own`, `landline`, `toll_free`, `premium`,
        /// `country_not_allowed`, `no_sender`, …
        reason: String,
    },
    /// A provider has the same text to the same number already, within the window.
    Duplicate,
}

impl TextOutcome {
    pub(super) fn failed(class: &str) -> Self {
        Self::Failed { class: class.to_owned() }
    }

    pub(super) fn not_textable(reason: &str) -> Self {
        Self::NotTextable { reason: reason.to_owned() }
    }
}
