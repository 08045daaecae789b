//! Targets: how a call is forwarded, what an unreached target leads to, and the ways that
//! leave the flow for the human target.

use std::{sync::Arc, time::Duration};

use super::{
    Aloud, Call, OfferResponse, Output, Phase, Record,
    route::{Mode, Way},
    targets::{self, Failure, Forwarding, Stage},
};
use crate::{
    flow::{model::TargetId, way_out::Failed},
    step::Exit,
};

impl Call {
    pub(super) fn enter_target(&mut self, now: Duration, id: TargetId) -> Option<Way> {
        let flow = Arc::clone(&self.flow);
        let Some(target) = flow.targets.get(usize::from(id.0)) else { return Some(Way::Apology) };
        let at_ms = self.state.desk.at_ms(now);
        self.state.keys.flush();
        // Whoever asks for a person was not served in the flow.
        self.state.progress.answered_in_ivr = false;
        self.state.progress.served = false;
        self.state.progress.text_sent = false;
        self.state.progress.message_left = false;
        self.state.progress.callback_booked = false;
        if self.take_place_to(id) {
            return None;
        }
        if self.state.route.mode != Mode::Direct {
            if !self.state.route.take_step() {
                self.record(Record::Bypassed { why: "max_steps".into() });
                return Some(self.state.route.exhausted(now, &flow));
            }
            if targets::is_closed(&flow, target, at_ms, &self.state.facts) {
                self.state.route.target_closed(&flow, id);
                return Some(self.after_target(now, id, Failure::Closed));
            }
        }
        self.record(Record::ForwardStarted { target: target.name.clone(), at_ms });
        self.state.desk.push(Output::Forward { target: id, quiet: false });
        self.state.phase = Phase::Forwarding(Forwarding::begin(now, id, target));
        None
    }

    pub(super) fn target_step(&mut self, now: Duration, id: TargetId, step: targets::Step) {
        match step {
            targets::Step::Stay => {}
            targets::Step::Answered { human } => self.target_answered(now, id, human),
            targets::Step::HumanAnswered => self.human_answered(now),
            targets::Step::SignalLost => self.state.progress.maybe_human = true,
            targets::Step::HandedOver { answered } => self.handed_over(now, id, answered),
            targets::Step::Failed(failure) => self.target_failed(now, id, failure),
            targets::Step::Ended { by_caller: true } => self.hung_up(now),
            targets::Step::Ended { by_caller: false } => self.end_forwarded(now, false),
        }
    }

    fn target_answered(&mut self, now: Duration, id: TargetId, human: bool) {
        let Some(target) = self.flow.targets.get(usize::from(id.0)) else { return };
        let (name, never_tells) = (target.name.clone(), targets::never_tells(target));
        let at_ms = self.state.desk.at_ms(now);
        if !self.state.progress.answered {
            self.state.progress.answered = true;
            self.record(Record::Answered { at_ms });
        }
        self.record(Record::ForwardAnswered { target: name, at_ms });
        if human {
            self.human_answered(now);
        } else if never_tells {
            self.state.progress.maybe_human = true;
        }
    }

    /// The call goes on at the target without us; who talks there, and how long, nobody tells.
    pub(super) fn handed_over(&mut self, now: Duration, id: TargetId, answered: bool) {
        let is_bridged = !matches!(
            self.state.phase,
            Phase::Forwarding(Forwarding { stage: Stage::Calling { .. }, .. })
        );
        if answered && !is_bridged {
            let human = self.flow.targets.get(usize::from(id.0)).is_some_and(targets::is_person);
            self.target_answered(now, id, human);
        }
        self.state.progress.maybe_human = true;
        self.end_handed_over(now, answered);
    }

    pub(super) fn human_answered(&mut self, now: Duration) {
        self.state.progress.human = true;
        self.cancel_callbacks();
        let at_ms = self.state.desk.at_ms(now);
        self.record(Record::HumanAnswered { at_ms });
    }

    /// Who is with a person now is not rung later.
    pub(super) fn cancel_callbacks(&mut self) {
        for booking in std::mem::take(&mut self.state.progress.callbacks_due) {
            self.state.desk.push(Output::CancelCallback { booking });
        }
    }

    pub(super) fn target_failed(&mut self, now: Duration, id: TargetId, failure: Failure) {
        let way = self.after_target(now, id, failure);
        self.advance(now, way);
    }

    /// Where a target that was not reached leads.
    fn after_target(&mut self, now: Duration, id: TargetId, failure: Failure) -> Way {
        let flow = Arc::clone(&self.flow);
        let Some(target) = flow.targets.get(usize::from(id.0)) else { return Way::Apology };
        let (why, status, at_ms) =
            (failure.word().into(), failure.status(), self.state.desk.at_ms(now));
        self.record(Record::ForwardFailed { target: target.name.clone(), why, status, at_ms });
        self.state.route.target_failed(id, status);
        match self.state.route.mode {
            Mode::Direct => self.state.route.direct(&flow),
            Mode::Flow | Mode::Overtime => {
                let own = failure.own_exit(target);
                self.state.route.way_out(&flow, Failed::Target(id), own)
            }
        }
    }

    /// When a caller for whom the target has no person yet is taken on to somebody else.
    pub(super) fn leave_queue_at(&self, forwarding: &Forwarding) -> Option<Duration> {
        let target = self.flow.targets.get(usize::from(forwarding.target.0))?;
        let waits = forwarding.stage == Stage::Queued && !targets::never_tells(target);
        waits.then(|| self.state.route.leave_queue_at(&self.flow, forwarding.target)).flatten()
    }

    pub(super) fn leave_queue(&mut self, now: Duration, id: TargetId) {
        let Some(way) = self.state.route.leave_queue(now, &self.flow, id) else { return };
        self.state.desk.push(Output::StopForward);
        self.record(Record::Bypassed { why: "max_minutes".into() });
        self.advance(now, way);
    }

    pub(super) fn operator_bridge(&mut self, now: Duration) {
        match &mut self.state.phase {
            Phase::Answering { then, .. } => {
                if let Aloud::Step(visit) = std::mem::replace(then, Aloud::Direct) {
                    self.record_left(now, &visit, 1, Exit::Error, Some("drain".into()));
                }
            }
            Phase::InStep { .. } => {
                let way = self.state.route.direct(&self.flow);
                self.leave_flow(now, "drain", way);
            }
            Phase::Waiting(_) => self.wait_drains(now),
            Phase::Forwarding(Forwarding { target, stage: Stage::Calling { .. } })
                if *target != self.flow.human =>
            {
                self.state.desk.push(Output::StopForward);
                let way = self.bypassed("drain");
                self.advance(now, way);
            }
            Phase::Forwarding(_) => self.state.route.mode = Mode::Direct,
            // It is short, and leads to the flow or to a person.
            Phase::Saying(_) | Phase::Apologising(_) | Phase::Parting { .. } | Phase::Over => {}
        }
    }

    /// No more flow: straight to the human target.
    pub(super) fn bypassed(&mut self, why: &str) -> Way {
        self.record(Record::Bypassed { why: why.into() });
        self.state.route.direct(&self.flow)
    }

    /// The step the call is in is taken away from it.
    pub(super) fn leave_flow(&mut self, now: Duration, why: &str, way: Way) {
        self.close_step(now, Exit::Timeout, OfferResponse::Timeout, Some(why));
        self.state.desk.push(Output::StopPlay);
        self.record(Record::Bypassed { why: why.into() });
        self.advance(now, way);
    }
}
