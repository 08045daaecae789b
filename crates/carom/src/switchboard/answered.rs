//! A person has taken a call, as somebody else than its SIP leg tells: a PBX's own interface, or a
//! client of ours.

use deflect_actions::queue::Taken;
use ivr_runtime::{
    call::{Input, TargetOutcome},
    flow::model::HumanSignal,
};
use tokio::sync::oneshot;

use super::{
    Switchboard,
    live::{CallNo, Live, TargetState},
};
use crate::node::clock::wall_ms;

/// A person has taken a call.
#[derive(Debug)]
pub struct Answered {
    /// Which.
    pub call: Taken,
    /// By which signal it is told; a target that waits for another is not moved by it.
    pub by: HumanSignal,
    /// Whether there is such a call.
    pub reply: Option<oneshot::Sender<bool>>,
}

impl Switchboard {
    pub(super) fn on_answered(&mut self, answered: Answered) {
        let Answered { call, by, reply } = answered;
        let found = self.calls.iter().find(|(_, live)| is_meant(live, &call, &by));
        let found = found.map(|(no, _)| *no);
        if let Some(reply) = reply {
            let _ = reply.send(found.is_some());
        }
        let Some(no) = found else { return };
        self.person_told(no, &by);
        self.reschedule(no);
    }

    /// Who told of persons is not heard any more.
    pub(super) fn on_signal_lost(&mut self, by: &HumanSignal) {
        let waiting = self.calls.iter().filter(|(_, live)| waits_for(live, by));
        let waiting: Vec<_> = waiting.map(|(no, _)| *no).collect();
        for no in waiting {
            let target = self.calls.get_mut(&no).and_then(|call| call.target.as_mut());
            let Some(target) = target else { continue };
            target.unheard = true;
            if target.state == TargetState::Answered {
                self.if_unheard(no);
                self.reschedule(no);
            }
        }
    }

    /// Tells the flow of an answered call that a person may be there unheard of.
    pub(super) fn if_unheard(&mut self, no: CallNo) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(target) = &call.target else { return };
        let Some(facts) = call.flow.targets.get(usize::from(target.id.0)) else { return };
        let by = &facts.human_signal;
        let unheard = target.unheard || self.services.sources.misses(by);
        if !unheard || target.person || target.agent.is_some() {
            return;
        }
        let words = format!("{} is not heard: nobody knows who may be there", by.word());
        call.line.note(wall_ms(), "forward", words);
        self.tell(no, Input::Target(TargetOutcome::SignalLost));
    }

    fn person_told(&mut self, no: CallNo, by: &HumanSignal) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(target) = call.target.as_mut() else { return };
        if std::mem::replace(&mut target.person, true) {
            return;
        }
        let words = format!("a person took the call, by {}", by.word());
        call.line.note(wall_ms(), "forward", words);
        // A 200 that is still on its way says so itself (`hears_human`).
        if target.state == TargetState::Answered {
            self.tell(no, Input::Target(TargetOutcome::HumanAnswered));
        }
    }
}

/// The target's leg waits for this signal.
fn waits_for(live: &Live, by: &HumanSignal) -> bool {
    live.target.as_ref().is_some_and(|target| {
        let facts = live.flow.targets.get(usize::from(target.id.0));
        target.agent.is_none() && facts.is_some_and(|facts| facts.human_signal == *by)
    })
}

fn is_meant(live: &Live, call: &Taken, by: &HumanSignal) -> bool {
    waits_for(live, by)
        && match call {
            Taken::Call(id) => live.call_id == *id,
            Taken::SipCallId(id) => live.ledger.sip_call_id_b.as_ref() == Some(id),
        }
}
