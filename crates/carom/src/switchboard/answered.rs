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

fn is_meant(live: &Live, call: &Taken, by: &HumanSignal) -> bool {
    let waits = live.target.as_ref().is_some_and(|target| {
        let facts = live.flow.targets.get(usize::from(target.id.0));
        target.agent.is_none() && facts.is_some_and(|facts| facts.human_signal == *by)
    });
    waits
        && match call {
            Taken::Call(id) => live.call_id == *id,
            Taken::SipCallId(id) => live.ledger.sip_call_id_b.as_ref() == Some(id),
        }
}
