//! What is sent after a call.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{LinkId, RuleId};
use crate::hours::{QuietHours, Waking};

/// What could not be sent for so long after its time is not sent any more.
const WORTH: Duration = Duration::from_secs(4 * 3_600);

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
    /// It is the question how it went (EX-15): it follows the first opening of a link of the call,
    /// not the call, and a digit from 1 to 5 answers it.
    #[serde(default)]
    pub asks_rating: bool,
    /// From the end of the call, or from that opening, minutes.
    pub delay_minutes: u32,
    /// When it waits.
    pub quiet_hours: QuietHours,
    /// Sender names in the order tried.
    pub via: Vec<String>,
    /// The link in it; several make one page. A question needs none.
    pub links: Vec<LinkId>,
    /// Text by language; one entry under `""` serves all languages.
    pub message: BTreeMap<String, String>,
    /// SMS that it may be long at most, 1–10; a longer one is not sent.
    pub max_segments: u8,
}

impl AfterCall {
    /// When it may be sent to a number of `country`, `delay_minutes` after `at_ms` or when the quiet
    /// hours are over; `None`: no such time is known.
    pub fn waking(&self, at_ms: i64, country: &str) -> Option<Waking> {
        self.waking_at(at_ms + i64::from(self.delay_minutes) * 60_000, country)
    }

    /// The same without the delay.
    pub fn waking_at(&self, at_ms: i64, country: &str) -> Option<Waking> {
        self.quiet_hours.waking(at_ms, country, WORTH)
    }
}
