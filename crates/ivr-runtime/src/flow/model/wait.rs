//! A step that keeps the caller in line.

use serde::{Deserialize, Serialize};

use super::{Go, PromptList, StepId, Target, TargetId};

/// `do = "wait"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// Whose line.
    pub target: TargetId,
    /// What is heard while the target has not taken the call.
    pub music: PromptList,
    /// From one try to the next, seconds.
    pub retry_every_seconds: u32,
    /// So long in line at most, minutes.
    pub give_up_minutes: u32,
    /// The offer step made once meanwhile.
    pub offer: Option<StepId>,
    /// So long in line until then, seconds.
    pub offer_after_seconds: u32,
    /// On giving up; `None`: human.
    pub then: Option<Go>,
    /// The target can't be reached at all; `None`: the way out, and while it is closed its
    /// `when_closed` first.
    pub if_fails: Option<Go>,
}

impl Wait {
    /// Where a closed target leads; the target says what the step does not.
    pub(crate) fn when_closed(&self, target: &Target) -> Option<Go> {
        self.if_fails.or(target.when_closed)
    }
}
