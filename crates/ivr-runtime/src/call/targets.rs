//! A forward: the target that is called, until it answers, fails or the call ends.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{facts::Facts, io::TargetOutcome};
use crate::flow::model::{AnsweredMeans, Flow, Go, HumanSignal, Target, TargetId, TargetMode};

/// The switchboard keeps the target's own times; this much later it is taken for dead.
const GRACE: Duration = Duration::from_secs(5);
/// So long a carrier may take to say that it takes a REFER, and that it calls.
const REFER: Duration = Duration::from_secs(10);

/// A target that is being called or is bridged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Forwarding {
    pub target: TargetId,
    pub stage: Stage,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// No final answer yet.
    Calling { until: Duration },
    /// Bridged to music, or to we do not know whom.
    Queued,
    /// As queued, but a person may have come unheard of.
    Unheard,
    /// Bridged to a person.
    Talking,
}

/// What an outcome means for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Stay,
    /// It answered; `human`: with a person.
    Answered {
        human: bool,
    },
    /// A person took a queued call.
    HumanAnswered,
    /// A person may have taken it.
    SignalLost,
    /// It has the call without us.
    HandedOver {
        answered: bool,
    },
    /// It could not be reached.
    Failed(Failure),
    /// The bridge is over.
    Ended {
        by_caller: bool,
    },
}

/// Why a target was not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    Busy { status: u16 },
    NoAnswer { status: Option<u16> },
    Failed { status: Option<u16> },
    Closed,
}

impl Forwarding {
    pub fn begin(now: Duration, id: TargetId, target: &Target) -> Self {
        Self { target: id, stage: Stage::Calling { until: now + rings_at_most(target) } }
    }

    pub fn handle_outcome(&mut self, target: &Target, outcome: TargetOutcome) -> Step {
        use TargetOutcome::{
            Answered, Busy, Ended, Failed, HandedOver, HumanAnswered, NoAnswer, Ringing, SignalLost,
        };
        match (self.stage, outcome) {
            (Stage::Calling { .. }, Answered { human }) => {
                let human = human || is_person(target);
                self.stage = if human { Stage::Talking } else { Stage::Queued };
                Step::Answered { human }
            }
            (_, HandedOver { answered }) => Step::HandedOver { answered },
            (Stage::Queued, SignalLost) => {
                self.stage = Stage::Unheard;
                Step::SignalLost
            }
            (Stage::Queued | Stage::Unheard, HumanAnswered) => {
                self.stage = Stage::Talking;
                Step::HumanAnswered
            }
            (Stage::Calling { .. }, Busy { status }) => Step::Failed(Failure::Busy { status }),
            (Stage::Calling { .. }, NoAnswer { status }) => {
                Step::Failed(Failure::NoAnswer { status })
            }
            (Stage::Calling { .. }, Failed { status }) => Step::Failed(Failure::Failed { status }),
            // The target took the call and dropped it before we saw its answer.
            (Stage::Calling { .. }, Ended { by_caller: false }) => {
                Step::Failed(Failure::Failed { status: None })
            }
            // A failure after the answer is an end.
            (
                Stage::Queued | Stage::Unheard | Stage::Talking,
                Busy { .. } | NoAnswer { .. } | Failed { .. },
            ) => Step::Ended { by_caller: false },
            (_, Ended { by_caller }) => Step::Ended { by_caller },
            (Stage::Calling { .. }, Ringing | HumanAnswered | SignalLost)
            | (Stage::Queued, Ringing | Answered { .. })
            | (Stage::Unheard, Ringing | Answered { .. } | SignalLost)
            | (Stage::Talking, Ringing | Answered { .. } | HumanAnswered | SignalLost) => {
                Step::Stay
            }
        }
    }

    /// `None` once bridged: the bridge ends with the legs, a wait in it with `max_minutes`.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match self.stage {
            Stage::Calling { until } => Some(until),
            Stage::Queued | Stage::Unheard | Stage::Talking => None,
        }
    }
}

impl Failure {
    /// The target's own exit: a missing `if_busy` or `if_no_answer` means `if_fails`.
    pub fn own_exit(self, target: &Target) -> Option<Go> {
        let special = match self {
            Self::Busy { .. } => target.if_busy,
            Self::NoAnswer { .. } => target.if_no_answer,
            Self::Closed => target.when_closed,
            Self::Failed { .. } => None,
        };
        special.or(target.if_fails)
    }

    pub fn status(self) -> Option<u16> {
        match self {
            Self::Busy { status } => Some(status),
            Self::NoAnswer { status } | Self::Failed { status } => status,
            Self::Closed => None,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Busy { .. } => "busy",
            Self::NoAnswer { .. } => "no-answer",
            Self::Failed { .. } => "failed",
            Self::Closed => "closed",
        }
    }
}

/// So long it takes at most until something becomes of a call there.
pub(crate) fn rings_at_most(target: &Target) -> Duration {
    let each = Duration::from_millis(u64::from(target.no_reply_ms))
        + Duration::from_secs(u64::from(target.ring_seconds));
    let addresses = u32::try_from(target.addresses.len().max(1)).unwrap_or(u32::MAX);
    // A REFER that comes to nothing is followed by a call of ours.
    let referred = match target.mode {
        TargetMode::Refer => REFER + Duration::from_secs(u64::from(target.ring_seconds)),
        TargetMode::Bridge | TargetMode::Redirect => Duration::ZERO,
    };
    referred + each * addresses + GRACE
}

/// Its 200 is a person.
pub(super) fn is_person(target: &Target) -> bool {
    target.answered_means == AnsweredMeans::Human || target.human_signal == HumanSignal::Answer
}

/// Its 200 says nothing, and nothing else ever will (decisions §3).
pub(crate) fn never_tells(target: &Target) -> bool {
    !is_person(target) && target.human_signal == HumanSignal::None
}

/// Outside its hours. Hours that can't be told count as open: better a call that rings.
pub(crate) fn is_closed(flow: &Flow, target: &Target, now_ms: i64, facts: &Facts) -> bool {
    let hours = target.hours.and_then(|id| flow.hours.get(usize::from(id.0)));
    let open = hours.and_then(|hours| hours.is_open(now_ms, &facts.called, &facts.one_offs));
    open == Some(false)
}
