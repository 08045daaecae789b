//! The call machine: one call through one flow, without I/O.
//!
//! Feed it with [`Call::handle_input`] and, when [`Call::poll_timeout`] has passed, with
//! [`Call::handle_timeout`]; after each, drain [`Call::poll_output`]. The state is plain data:
//! [`Call::state`] can be written away at any moment and [`Call::resume`]d with the same flow.

mod asked;
pub(crate) mod comfort;
pub(crate) mod desk;
pub(crate) mod emergency;
mod ending;
mod facts;
mod few;
mod follow_up;
mod forward;
mod io;
pub mod keys;
pub(crate) mod offers;
mod records;
mod report;
pub(crate) mod route;
mod send_link;
pub(crate) mod speak;
mod state;
pub(crate) mod targets;
#[cfg(test)]
mod tests;
mod typed_ahead;
mod wait;

pub(crate) use targets::never_tells;

pub use facts::{Bypass, Facts, History, Told};
pub(crate) use facts::{FIELD_LEN, NO_TEXTS};
pub use few::Few;
pub use io::{
    AgentRequest, CallbackOutcome, CallbackRequest, FetchOutcome, FetchRequest, FreeSlot, Hidden,
    Input, Output, ResolvedLink, TargetOutcome, TextOutcome, TextRequest, VoiceOutcome,
};
pub use records::{EndReason, Handled, OfferResponse, Record};
pub use report::Report;
pub use send_link::AGENT_INITIATED;
pub use state::{CallState, OtherRevision};

use std::{sync::Arc, time::Duration};

use self::{
    comfort::Comfort,
    desk::{Context, Desk, Progress},
    keys::KeyBuffer,
    route::{Route, Way},
    state::{Aloud, Leaves, Phase, Visit},
    targets::{Failure, Forwarding, Stage},
};
use crate::{
    flow::{
        model::{Does, Flow, Go, StepId},
        way_out::Failed,
    },
    step::{self, Exit, Leave, Next, Running, Silent, Turn, fetch},
};

/// Our 200 is repeated for 64·T1 (RFC 3261 §13.3.1.4); then the leg is given up.
const ANSWER_WITHIN: Duration = Duration::from_secs(35);

/// One call in its flow.
#[derive(Debug, Clone)]
pub struct Call {
    flow: Arc<Flow>,
    state: CallState,
}

impl Call {
    /// A call arrives. Nothing is answered yet; drain [`Call::poll_output`].
    pub fn new(now: Duration, flow: Arc<Flow>, mut facts: Facts) -> Self {
        facts.bound(&flow);
        if facts.language.is_empty() {
            facts.language = flow.languages.first().cloned().unwrap_or_default();
        }
        facts.channels_barred = flow.channels_barred(facts.intent.as_deref());
        let why = facts.bypassed();
        let mut call = Self::waiting_to_begin(now, flow, facts);
        let way = match why {
            Some(why) => call.bypassed(why),
            None => {
                let flow = Arc::clone(&call.flow);
                fetch::ask_early(&flow, &mut call.context(now));
                Way::Go(Go::Step(call.flow.start))
            }
        };
        call.advance(now, way);
        call
    }

    fn waiting_to_begin(now: Duration, flow: Arc<Flow>, facts: Facts) -> Self {
        let direct = facts.bypassed().is_some();
        let mut desk = Desk::new(now, facts.start_ms);
        desk.record(Record::Arm { holdout: offers::is_holdout(&flow, &facts) });
        let state = CallState {
            flow_rev: flow.rev.clone(),
            progress: Progress::default(),
            keys: KeyBuffer::default(),
            dialled: emergency::Dialled::default(),
            route: Route::new(now, &flow, direct),
            place: None,
            comfort: Comfort::default(),
            phase: Phase::Over,
            facts,
            desk,
        };
        Self { flow, state }
    }

    /// A call whose caller left before its flow began: it is on record, and nothing else happens.
    pub fn left_at_once(now: Duration, flow: Arc<Flow>, mut facts: Facts) -> Self {
        facts.bound(&flow);
        let mut call = Self::waiting_to_begin(now, flow, facts);
        call.end_at_once(now);
        call
    }

    /// The next thing to do; `None`: nothing until the next input or time-out.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.state.desk.pop()
    }

    /// The moment of [`Call::handle_timeout`]. `None` once over or bridged, unless the caller
    /// waits there for a person.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let earlier = |until: Duration| match self.state.route.poll_timeout() {
            Some(over) => until.min(over),
            None => until,
        };
        match &self.state.phase {
            Phase::Answering { until, .. } => Some(*until),
            Phase::InStep { running, .. } => {
                let until = earlier(running.poll_timeout());
                let until = self.dialled_alone_at().map_or(until, |at| at.min(until));
                Some(self.comfort_due().map_or(until, |due| due.min(until)))
            }
            Phase::Waiting(_) => self.wait_due().map(earlier),
            Phase::Forwarding(forwarding) => {
                forwarding.poll_timeout().or_else(|| self.leave_queue_at(forwarding))
            }
            Phase::Saying(saying) => Some(saying.poll_timeout()),
            Phase::Apologising(playback) => Some(playback.poll_timeout()),
            Phase::Parting { until, .. } => Some(*until),
            Phase::Over => None,
        }
    }

    /// Something happened.
    pub fn handle_input(&mut self, now: Duration, input: Input) {
        self.state.desk.heard(&input);
        self.take_input(now, input);
        self.comfort(now);
    }

    fn take_input(&mut self, now: Duration, input: Input) {
        match input {
            Input::KeyDown(key) if self.state.keys.is_idle(now, key) => return,
            Input::Key(key) => {
                let idle = self.state.keys.is_idle(now, key);
                self.state.keys.took();
                if idle {
                    return;
                }
            }
            _ => {}
        }
        if let Input::Fetched { id, outcome } = &input {
            if fetch::keep_early(&mut self.state.progress.early, *id, outcome) {
                return;
            }
            self.state.progress.checks.take(now, *id, outcome);
        }
        if let (Phase::InStep { .. }, Input::Key(key)) = (&self.state.phase, &input)
            && self.dials_emergency(now, *key)
        {
            return;
        }
        match (&mut self.state.phase, &input) {
            (Phase::Over, _) | (Phase::Parting { .. }, Input::HungUp) => {}
            (_, Input::HungUp) => self.hung_up(now),
            (_, Input::OperatorBridge) => self.operator_bridge(now),
            (_, Input::SendLink) => self.send_link(now, false),
            (_, Input::SendLinkConfirmed) => self.send_link(now, true),
            (Phase::Answering { .. }, Input::Answered) => self.answered(now),
            (Phase::Answering { .. }, Input::AnswerFailed) => self.answer_failed(now),
            (Phase::Answering { .. } | Phase::Saying(_), Input::Key(key)) => {
                self.state.keys.push(*key);
            }
            (
                Phase::InStep { .. } | Phase::Waiting(_) | Phase::Saying(_),
                Input::Target(outcome),
            ) if self.state.place.is_some() => self.line_outcome(now, *outcome),
            (Phase::Saying(saying), _) => {
                if saying.input(&input) {
                    self.said(now);
                }
            }
            (
                Phase::InStep { running: Running::Agent(_), .. },
                Input::Target(TargetOutcome::Ended { by_caller: true }),
            ) => self.hung_up(now),
            (Phase::InStep { .. }, _) => self.step_input(now, &input),
            (Phase::Waiting(_), Input::Fetched { .. }) => self.wait_on(now),
            (Phase::Waiting(_), _) => self.wait_input(&input),
            (Phase::Forwarding(forwarding), Input::Target(outcome)) => {
                let id = forwarding.target;
                let Some(target) = self.flow.targets.get(usize::from(id.0)) else { return };
                let step = forwarding.handle_outcome(target, *outcome);
                self.target_step(now, id, step);
            }
            (Phase::Apologising(playback), _) => {
                if playback.input(&input).is_some() {
                    self.apologised(now);
                }
            }
            (Phase::Parting { leaves: Leaves::Message, .. }, Input::Voice(outcome)) => {
                self.parted(now, Some(outcome));
            }
            (Phase::Parting { leaves: Leaves::Booking(number), .. }, Input::Callback(told))
                if told.is_of(*number) =>
            {
                self.parted_booking(now, Some(&told.outcome));
            }
            // Reports of what is no longer going on; keys nobody listens to.
            (Phase::Answering { .. } | Phase::Forwarding(_) | Phase::Parting { .. }, _) => {}
        }
    }

    /// A deadline may have passed; early and late calls are harmless.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.poll_timeout().is_none_or(|until| until > now) {
            return;
        }
        self.pass_time(now);
        self.comfort(now);
    }

    fn pass_time(&mut self, now: Duration) {
        match &self.state.phase {
            Phase::InStep { .. } if self.state.route.is_over_time(now) => {
                let way = self.state.route.exhausted(now, &self.flow);
                self.leave_flow(now, "max_minutes", way);
            }
            Phase::InStep { .. } => match self.dialled_alone(now) {
                Some(number) => self.emergency_typed(now, &number),
                None => self.step_timeout(now),
            },
            Phase::Waiting(_) if self.state.route.is_over_time(now) => self.wait_over_time(now),
            Phase::Waiting(_) => self.wait_on(now),
            Phase::Answering { .. } => self.answer_failed(now),
            Phase::Saying(saying) if saying.is_over(now) => self.said(now),
            Phase::Saying(_) => {}
            Phase::Forwarding(Forwarding { target, stage: Stage::Queued }) => {
                self.leave_queue(now, *target);
            }
            Phase::Forwarding(forwarding) => {
                let id = forwarding.target;
                self.state.desk.push(Output::StopForward);
                self.target_failed(now, id, Failure::NoAnswer { status: None });
            }
            Phase::Apologising(_) => self.apologised(now),
            Phase::Parting { leaves: Leaves::Message, .. } => self.parted(now, None),
            Phase::Parting { leaves: Leaves::Booking(_), .. } => self.parted_booking(now, None),
            Phase::Over => {}
        }
    }

    // ---------------------------------------------------------------- ways

    fn advance(&mut self, now: Duration, way: Way) {
        let mut next = Some(way);
        while let Some(way) = next {
            next = match way {
                Way::Go(Go::Step(id)) => self.enter_step(now, id),
                Way::Go(Go::Target(id)) => self.enter_target(now, id),
                Way::Go(Go::HangUp) => {
                    self.end_in_flow(now);
                    None
                }
                Way::Apology => {
                    self.apologise(now);
                    None
                }
            };
        }
    }

    fn enter_step(&mut self, now: Duration, id: StepId) -> Option<Way> {
        let flow = Arc::clone(&self.flow);
        let Some(step) = flow.steps.get(usize::from(id.0)) else { return Some(Way::Apology) };
        if !self.state.route.take_step() {
            self.record(Record::Bypassed { why: "max_steps".into() });
            return Some(self.state.route.exhausted(now, &flow));
        }
        let visit = self.entered(now, id);
        match step::silent(id, step, &mut self.context(now)) {
            Silent::Left(leave) => return Some(self.left(now, &visit, 1, leave)),
            Silent::Stays(running) => {
                self.state.phase = Phase::InStep { visit, running };
                return None;
            }
            Silent::Done => {}
        }
        if !self.state.progress.answered {
            self.answer(now, Aloud::Step(visit));
            return None;
        }
        self.begin_aloud(now, visit)
    }

    fn begin_aloud(&mut self, now: Duration, visit: Visit) -> Option<Way> {
        let flow = Arc::clone(&self.flow);
        let step = flow.steps.get(usize::from(visit.step.0))?;
        if let Some(number) = self.dialled_before(now, &step.does) {
            self.state.phase = Phase::Answering { then: Aloud::Step(visit), until: now };
            self.emergency_typed(now, &number);
            return None;
        }
        if let Does::Wait(wait) = &step.does {
            return self.begin_wait(now, visit, wait);
        }
        if let Does::Agent(_) = &step.does {
            self.leave_line(); // a call has one target leg
        }
        fetch::ask_early(&flow, &mut self.context(now));
        match step::aloud(step, &mut self.context(now)) {
            Ok(running) => {
                self.state.phase = Phase::InStep { visit, running };
                // Typed ahead.
                if let Some(number) = self.state.progress.emergency.take() {
                    self.emergency_typed(now, &number);
                }
                None
            }
            Err(leave) => Some(self.left(now, &visit, 1, leave)),
        }
    }

    fn step_input(&mut self, now: Duration, input: &Input) {
        let at_ms = self.state.desk.at_ms(now);
        let turn = self
            .with_step(now, |running, step, context| running.handle_input(step, context, input));
        if let Input::Callback(Report { outcome: CallbackOutcome::Booked { .. }, .. }) = input
            && self.state.progress.callback_booked
        {
            // The place was kept until then; from now on the caller is waited for.
            self.leave_line();
        }
        if let (Phase::InStep { visit, .. }, Input::Key(_)) = (&mut self.state.phase, input) {
            visit.first_key_ms.get_or_insert(at_ms);
        }
        self.take_turn(now, turn);
    }

    fn step_timeout(&mut self, now: Duration) {
        let turn =
            self.with_step(now, |running, step, context| running.handle_timeout(step, context));
        self.take_turn(now, turn);
    }

    fn with_step(
        &mut self,
        now: Duration,
        act: impl FnOnce(&mut Running, &crate::flow::model::Step, &mut Context<'_>) -> Turn,
    ) -> Turn {
        let CallState { facts, progress, keys, desk, phase, .. } = &mut self.state;
        let Phase::InStep { visit, running } = phase else { return Turn::Stay };
        let Some(step) = self.flow.steps.get(usize::from(visit.step.0)) else { return Turn::Stay };
        let mut context = Context { now, flow: &self.flow, facts, keys, desk, progress };
        act(running, step, &mut context)
    }

    fn take_turn(&mut self, now: Duration, turn: Turn) {
        if let Some(number) = self.state.progress.emergency.take() {
            return self.emergency_typed(now, &number);
        }
        if turn != Turn::Stay {
            self.end_music();
        }
        let Phase::InStep { visit, running } = &self.state.phase else { return };
        let (visit, tries) = (visit.clone(), running.tries());
        let way = match turn {
            Turn::Stay => return,
            Turn::Aloud if self.state.progress.answered => self.begin_aloud(now, visit),
            Turn::Aloud => return self.answer(now, Aloud::Step(visit)),
            Turn::Leave(leave) => Some(self.left(now, &visit, tries, leave)),
        };
        if let Some(way) = way {
            self.advance(now, way);
        }
    }

    /// Records that a step is over, and finds where to.
    fn left(&mut self, now: Duration, visit: &Visit, tries: u8, leave: Leave) -> Way {
        if matches!(leave.exit, Exit::Key(_)) {
            self.state.route.forgive();
        }
        self.record_left(now, visit, tries, leave.exit, leave.note);
        match leave.next {
            Next::Go(go) => Way::Go(go),
            Next::HumanOr(go) if self.state.route.is_past_human(&self.flow) => Way::Go(go),
            Next::Human | Next::HumanOr(_) => Way::Go(Go::Target(self.flow.human)),
            Next::WayOut(own) => {
                self.state.route.way_out(&self.flow, Failed::Step(visit.step), own)
            }
        }
    }

    // ---------------------------------------------------------------- records

    fn entered(&mut self, now: Duration, id: StepId) -> Visit {
        let (seq, at_ms) = (self.state.desk.next_step(), self.state.desk.at_ms(now));
        if let Some(step) = self.flow.steps.get(usize::from(id.0)) {
            let (step, kind) = (step.name.clone(), step::kind(&step.does).into());
            self.record(Record::StepEntered { seq, step, kind, at_ms });
        }
        self.state.progress.path.push(id);
        Visit { step: id, seq, first_key_ms: None }
    }

    fn record_left(
        &mut self,
        now: Duration,
        visit: &Visit,
        tries: u8,
        exit: Exit,
        note: Option<String>,
    ) {
        let (seq, first_key_ms) = (visit.seq, visit.first_key_ms);
        let (exit, at_ms) = (exit.label(), self.state.desk.at_ms(now));
        self.record(Record::StepLeft { seq, exit, first_key_ms, note, tries, at_ms });
    }

    fn record(&mut self, record: Record) {
        self.state.desk.record(record);
    }

    fn context(&mut self, now: Duration) -> Context<'_> {
        let CallState { facts, progress, keys, desk, .. } = &mut self.state;
        Context { now, flow: &self.flow, facts, keys, desk, progress }
    }
}
