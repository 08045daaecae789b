//! What is sent after a call.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{LinkId, RuleId};
use crate::hours::QuietHours;

/// `[after_call.X]`: a message after a call in which the caller said yes to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AfterCall {
    /// `X`.
    pub name: String,
    /// Intents of the calls it follows; empty: any, known or not.
    pub when_intent: Vec<String>,
    /// The consent without which there is none.
    pub needs_consent: String,
    /// All must hold when the call ends.
    pub only_if: Vec<RuleId>,
    /// None may hold then.
    pub never_if: Vec<RuleId>,
    /// From the end of the call, minutes.
    pub delay_minutes: u32,
    /// When it waits.
    pub quiet_hours: QuietHours,
    /// Sender names in the order tried.
    pub via: Vec<String>,
    /// The link in it; several make one page.
    pub links: Vec<LinkId>,
    /// Text by language; one entry under `""` serves all languages.
    pub message: BTreeMap<String, String>,
}
