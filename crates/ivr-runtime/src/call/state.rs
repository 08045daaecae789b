//! What a call remembers and where it stands: saved, and gone on with.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Call,
    comfort::Comfort,
    desk::{Desk, Playback, Progress},
    emergency,
    facts::Facts,
    keys::KeyBuffer,
    route::Route,
    targets::Forwarding,
    wait::{Place, Waiting},
};
use crate::{
    flow::model::{Flow, StepId},
    step::Running,
};

/// All that a call remembers; plain data, a few KiB at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallState {
    pub(super) flow_rev: String,
    pub(super) facts: Facts,
    pub(super) progress: Progress,
    pub(super) keys: KeyBuffer,
    /// What was pressed lately, where an emergency number may be among it.
    pub(super) dialled: emergency::Dialled,
    pub(super) desk: Desk,
    pub(super) route: Route,
    /// The caller's place in line, kept through what the caller does meanwhile.
    pub(super) place: Option<Place>,
    /// What the caller hears who waits for somebody else.
    pub(super) comfort: Comfort,
    pub(super) phase: Phase,
}

/// A saved call belongs to another revision of its flow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the call runs flow revision {saved}, not {given}")]
pub struct OtherRevision {
    /// The revision the call began with.
    pub saved: String,
    /// The revision it was to be resumed with.
    pub given: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// Our 200 is on its way; nothing may be played yet.
    Answering { then: Aloud, until: Duration },
    /// A step plays, listens or waits.
    InStep { visit: Visit, running: Running },
    /// The caller is in line at a target.
    Waiting(Waiting),
    /// A target is called or bridged.
    Forwarding(Forwarding),
    /// The caller is told what to do in an emergency.
    Saying(emergency::Saying),
    /// Nobody can be reached; the caller is told so.
    Apologising(Playback),
    /// The caller left, and what they have said or asked for is being kept.
    Parting { visit: Visit, until: Duration, leaves: Leaves },
    /// Nothing follows.
    Over,
}

/// What a caller leaves behind who hangs up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Leaves {
    /// A message.
    Message,
    /// A callback, by its number.
    Booking(u32),
}

/// What the answered call begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Aloud {
    Step(Visit),
    Direct,
    Apology,
}

/// One stay in one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Visit {
    pub(super) step: StepId,
    pub(super) seq: u32,
    pub(super) first_key_ms: Option<i64>,
}

impl Call {
    /// All that [`Call::resume`] needs. What was collected as a secret is in it: it may be handed
    /// over, and is not to be stored.
    pub fn state(&self) -> &CallState {
        &self.state
    }

    /// Goes on with a saved call.
    pub fn resume(flow: Arc<Flow>, state: CallState) -> Result<Self, OtherRevision> {
        if flow.rev != state.flow_rev {
            return Err(OtherRevision { saved: state.flow_rev, given: flow.rev.clone() });
        }
        Ok(Self { flow, state })
    }
}
