//! What one may ask of a call: where it is, and what it takes now.

use std::sync::Arc;

use super::{Aloud, Call, Facts, Phase, targets::Stage, wait::Waiting};
use crate::{
    flow::model::{Does, Flow, TargetId},
    step::Running,
};

impl Call {
    /// The flow the call began with.
    pub fn flow(&self) -> &Arc<Flow> {
        &self.flow
    }

    /// What is known about the call by now.
    pub fn facts(&self) -> &Facts {
        &self.state.facts
    }

    /// Whether [`Record::End`] was given out or waits to be.
    pub fn is_over(&self) -> bool {
        self.state.phase == Phase::Over
    }

    /// The target that is called or bridged.
    pub fn forwarding(&self) -> Option<TargetId> {
        match &self.state.phase {
            Phase::Forwarding(forwarding) => Some(forwarding.target),
            _ => None,
        }
    }

    /// Targets of the way out where a person may still be reached if `at` is not to be had.
    pub fn persons_besides(&self, at: TargetId) -> impl Iterator<Item = TargetId> {
        self.state.route.persons_besides(&self.flow, at)
    }

    /// Whether the legs are bridged.
    pub fn is_bridged(&self) -> bool {
        let Phase::Forwarding(forwarding) = &self.state.phase else { return false };
        match forwarding.stage {
            Stage::Calling { .. } => false,
            Stage::Queued | Stage::Unheard | Stage::Talking => true,
        }
    }

    /// Whether a voice bot has the caller.
    pub fn is_with_agent(&self) -> bool {
        let Phase::InStep { running, .. } = &self.state.phase else { return false };
        matches!(running, Running::Agent(talking) if talking.is_connected())
    }

    /// Whether the step the call is in takes a key now.
    pub fn awaits_key(&self) -> bool {
        matches!(&self.state.phase, Phase::InStep { running, .. } if running.awaits_key())
    }

    /// Whether the keys that come now are digits of a field, and no choice.
    pub fn collects(&self) -> bool {
        let Phase::InStep { running, .. } = &self.state.phase else { return false };
        match running {
            Running::Collect(_) => true,
            Running::Text(sending) => sending.asks(),
            _ => false,
        }
    }

    /// Whether keys that come now are not to be kept: they are digits of a field, may be those of
    /// one that is asked for next, or are meant for somebody else.
    pub fn hides_keys(&self) -> bool {
        match &self.state.phase {
            _ if self.collects() => true,
            Phase::InStep { running, .. } if running.awaits_key() => false,
            Phase::InStep { .. } | Phase::Answering { .. } => {
                self.flow.steps.iter().any(|step| match &step.does {
                    Does::Collect(_) => true,
                    Does::Text(text) => text.ask.is_some(),
                    _ => false,
                })
            }
            Phase::Saying(_)
            | Phase::Waiting(_)
            | Phase::Forwarding(_)
            | Phase::Apologising(_)
            | Phase::Parting { .. }
            | Phase::Over => true,
        }
    }

    /// Name of the step the call is in.
    pub fn step(&self) -> Option<&str> {
        let (Phase::InStep { visit, .. }
        | Phase::Parting { visit, .. }
        | Phase::Waiting(Waiting { visit, .. })
        | Phase::Answering { then: Aloud::Step(visit), .. }) = &self.state.phase
        else {
            return None;
        };
        self.flow.steps.get(usize::from(visit.step.0)).map(|step| step.name.as_str())
    }
}
