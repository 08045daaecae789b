//! What a caller is called back by.

use serde::{Deserialize, Serialize};

use super::{ConfirmNumber, Go, PromptList, TargetId};

/// `do = "callback"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Callback {
    /// The offer, which key 1 accepts.
    pub play: PromptList,
    /// Callbacks of the target in an hour; `None`: as `[limits] callbacks_per_hour`.
    pub per_hour: Option<u32>,
    /// Whether the caller confirms the number.
    pub confirm_number: ConfirmNumber,
    /// Whom the caller is connected to; `None`: [`super::Flow::human`].
    pub target: Option<TargetId>,
    /// How often it is tried.
    pub tries: u8,
    /// Who calls; `None`: we do.
    pub deliver: Option<Deliver>,
    /// After it was booked.
    pub then: Go,
    /// No or another key; `None`: as `if_fails`.
    pub no_input: Option<Go>,
    /// It could not be booked, or the next hours are full; `None`: the way out.
    pub if_fails: Option<Go>,
}

/// A system of the business that is told whom to call, and calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliver {
    /// Where it is told.
    pub url: String,
    /// What signs it, as it is named.
    pub secret: String,
}

/// Tries of a system that takes nothing: for about three days.
const DELIVER_TRIES: u8 = 80;

impl Callback {
    /// How often it is tried at most.
    #[must_use]
    pub fn max_tries(&self) -> u8 {
        if self.deliver.is_some() { DELIVER_TRIES } else { self.tries }
    }
}
