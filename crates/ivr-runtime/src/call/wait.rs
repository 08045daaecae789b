//! `wait`: the caller is kept in line at a target, and may hear one offer meanwhile. The line is
//! the target's own queue where it takes the call; else it is ours: music, and another try now
//! and then. What the caller does meanwhile, the place is kept; it is given up only when the call
//! ends or goes somewhere else.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Call, EndReason, Input, OfferResponse, Output, Phase, Record, TargetOutcome, Visit,
    desk::Playback,
    route::{Mode, Way},
    targets::{self, Forwarding, Stage},
};
use crate::{
    flow::{
        model::{Does, Flow, Go, StepId, Target, TargetId, Wait},
        way_out::Failed,
    },
    step::{
        Exit, Leave, Next, Running,
        offer::{self, Settled},
    },
};

/// A caller's place in line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    step: StepId,
    target: TargetId,
    since: Duration,
    /// The one offer was made, or may not be made.
    offered: bool,
    /// Its destination says by then whether it can be made; meanwhile the caller hears the line.
    asking: Option<Duration>,
    /// It was said that the target answered.
    told: bool,
    leg: Leg,
}

/// The target leg of a place in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Leg {
    /// None; the target is tried again then.
    Gone { again: Duration },
    /// It rings.
    Calling { until: Duration },
    /// In the target's queue.
    Up,
}

/// The caller listens to the music, or to the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub visit: Visit,
    music: Option<Playback>,
}

impl Call {
    /// The step is entered, or returned to; the call is answered.
    pub(super) fn begin_wait(&mut self, now: Duration, visit: Visit, wait: &Wait) -> Option<Way> {
        let flow = Arc::clone(&self.flow);
        let target = flow.targets.get(usize::from(wait.target.0))?;
        self.state.keys.flush();
        // Who waits for a person was not served in the flow; a text that was sent is one.
        self.state.progress.answered_in_ivr = false;
        self.state.progress.served = false;
        let same = |place: &Place| place.step == visit.step && place.target == wait.target;
        if !self.state.place.as_ref().is_some_and(same) {
            self.leave_line();
            if targets::is_closed(&flow, target, self.state.desk.at_ms(now), &self.state.facts) {
                self.state.route.target_closed(&flow, wait.target);
                let leave = Leave::failed(wait.when_closed(target), "closed");
                return Some(self.left(now, &visit, 1, leave));
            }
            let name = target.name.clone();
            let at_ms = self.state.desk.at_ms(now);
            self.record(Record::ForwardStarted { target: name, at_ms });
            self.state.place = Some(Place {
                step: visit.step,
                target: wait.target,
                since: now,
                offered: false,
                asking: None,
                told: false,
                leg: Leg::Gone { again: now },
            });
        }
        let up = self.in_queue().is_some();
        if up {
            self.state.desk.push(Output::Rebridge);
        }
        self.state.phase = Phase::Waiting(Waiting { visit, music: None });
        if !up {
            self.music(now, wait);
        }
        self.wait_on(now);
        None
    }

    /// When something is due for the caller who waits.
    pub(super) fn wait_due(&self) -> Option<Duration> {
        let (place, wait) = (self.state.place.as_ref()?, self.wait_of_place()?);
        let gives_up = place.since + minutes(wait.give_up_minutes);
        let offer = wait.offer.filter(|_| !place.offered);
        let offer_at = place.since + seconds(wait.offer_after_seconds);
        let offer = offer.map(|_| place.asking.unwrap_or(offer_at));
        let leg = match place.leg {
            Leg::Gone { again: at } | Leg::Calling { until: at } => Some(at),
            Leg::Up => None,
        };
        [Some(gives_up), offer, leg].into_iter().flatten().min()
    }

    /// Does what is due in the line.
    pub(super) fn wait_on(&mut self, now: Duration) {
        let flow = Arc::clone(&self.flow);
        let Some(wait) = self.wait_of_place().cloned() else { return };
        let Some(place) = self.state.place.as_mut() else { return };
        if place.since + minutes(wait.give_up_minutes) <= now {
            let next = wait.then.map_or(Next::Human, Next::Go);
            return self.give_up_line(now, Leave::by(Exit::Timeout, next));
        }
        match place.leg {
            Leg::Calling { until } if until <= now => {
                place.leg = Leg::Gone { again: now + seconds(wait.retry_every_seconds) };
                self.state.desk.push(Output::StopForward);
            }
            Leg::Gone { again } if again <= now => {
                let Some(target) = flow.targets.get(usize::from(wait.target.0)) else { return };
                let Stage::Calling { until } = Forwarding::begin(now, wait.target, target).stage
                else {
                    return;
                };
                place.leg = Leg::Calling { until };
                self.state.desk.push(Output::Forward { target: wait.target, quiet: true });
            }
            Leg::Gone { .. } | Leg::Calling { .. } | Leg::Up => {}
        }
        let Some(place) = self.state.place.as_mut() else { return };
        let offer_at = place.since + seconds(wait.offer_after_seconds);
        if let Some(id) = wait.offer.filter(|_| !place.offered && offer_at <= now) {
            self.make_offer(now, &flow, id);
        }
    }

    /// The one offer, in place of what the caller hears; unless it may not be made.
    fn make_offer(&mut self, now: Duration, flow: &Flow, id: StepId) {
        let Some(step) = flow.steps.get(usize::from(id.0)) else { return };
        let Does::Offer(offer) = &step.does else { return };
        let settled = offer::settle(&step.name, offer, &mut self.context(now));
        let Some(place) = self.state.place.as_mut() else { return };
        match settled {
            Settled::Asking(until) => {
                place.asking = Some(until);
                return;
            }
            Settled::Skipped(_) => {
                place.offered = true;
                return;
            }
            Settled::Made => place.offered = true,
        }
        let up = self.in_queue().is_some();
        self.state.desk.push(if up { Output::Unbridge } else { Output::StopPlay });
        let Phase::Waiting(Waiting { visit, .. }) = &self.state.phase else { return };
        let visit = visit.clone();
        self.record_left(now, &visit, 1, Exit::Next, Some("offer".into()));
        self.advance(now, Way::Go(Go::Step(id)));
    }

    /// Something happened while the caller waits; keys are the queue's, or nobody's.
    pub(super) fn wait_input(&mut self, input: &Input) {
        let Phase::Waiting(Waiting { music, .. }) = &mut self.state.phase else { return };
        if music.as_ref().is_some_and(|music| music.input(input).is_some()) {
            *music = None;
        }
    }

    /// News of the target leg, whether the caller listens to it or to an offer meanwhile.
    pub(super) fn line_outcome(&mut self, now: Duration, outcome: TargetOutcome) {
        use TargetOutcome::{
            Answered, Busy, Ended, Failed, HandedOver, HumanAnswered, NoAnswer, Ringing, SignalLost,
        };
        let flow = Arc::clone(&self.flow);
        let Some(wait) = self.wait_of_place().cloned() else { return };
        let Some(target) = flow.targets.get(usize::from(wait.target.0)) else { return };
        let Some(place) = self.state.place.as_mut() else { return };
        let later = Leg::Gone { again: now + seconds(wait.retry_every_seconds) };
        match (place.leg, outcome) {
            (_, Ringing) => {}
            (Leg::Calling { .. }, Answered { human }) => {
                place.leg = Leg::Up;
                self.state.route.target_answered(wait.target);
                let first = !std::mem::replace(&mut place.told, true);
                self.line_answered(now, target, first);
                if human || targets::is_person(target) {
                    self.person_takes_over(now);
                } else if matches!(self.state.phase, Phase::Waiting(_)) {
                    self.state.desk.push(Output::Rebridge);
                }
            }
            (Leg::Up, HumanAnswered) => self.person_takes_over(now),
            (Leg::Up, SignalLost) => self.person_may_be_there(now),
            (Leg::Calling { .. }, Failed { status }) => {
                place.leg = later;
                self.state.route.target_failed(wait.target, status);
                if matches!(self.state.phase, Phase::Waiting(_)) {
                    self.give_up_line(now, Leave::failed(wait.if_fails, "failed"));
                }
            }
            (Leg::Calling { .. }, Busy { .. } | NoAnswer { .. } | Ended { by_caller: false }) => {
                place.leg = later;
            }
            (
                Leg::Up,
                Busy { .. } | NoAnswer { .. } | Failed { .. } | Ended { by_caller: false },
            ) => {
                // The queue has dropped the call: back to our own line.
                place.leg = later;
                if matches!(self.state.phase, Phase::Waiting(_)) {
                    self.music(now, &wait);
                }
            }
            (_, Ended { by_caller: true }) => self.hung_up(now),
            (_, HandedOver { answered }) => {
                self.close_step(now, Exit::Next, OfferResponse::Timeout, Some("handed_over"));
                self.handed_over(now, wait.target, answered);
            }
            (Leg::Gone { .. }, _)
            | (Leg::Calling { .. }, HumanAnswered | SignalLost)
            | (Leg::Up, Answered { .. }) => {}
        }
    }

    fn line_answered(&mut self, now: Duration, target: &Target, first: bool) {
        if first {
            let (target, at_ms) = (target.name.clone(), self.state.desk.at_ms(now));
            self.record(Record::ForwardAnswered { target, at_ms });
        }
    }

    /// A person is there: whatever the caller hears gives way (decisions §3).
    fn person_takes_over(&mut self, now: Duration) {
        self.give_way(now, Stage::Talking, "person_answered");
        self.human_answered(now);
    }

    /// Nobody tells any more when a person is there: the caller is left in the queue, as at a
    /// target that never tells.
    fn person_may_be_there(&mut self, now: Duration) {
        self.give_way(now, Stage::Unheard, "signal_lost");
        self.state.progress.maybe_human = true;
    }

    /// The caller hears the target, and nothing else any more.
    fn give_way(&mut self, now: Duration, stage: Stage, why: &str) {
        let listening = !matches!(self.state.phase, Phase::Waiting(_));
        if let Phase::InStep { running: Running::Callback(booking), .. } = &self.state.phase
            && let Some(booking) = booking.is_booking()
        {
            // Whoever is told of none gets none; what was booked before holds.
            self.state.progress.callbacks_due.retain(|due| *due != booking);
            self.state.desk.push(Output::CancelCallback { booking });
        }
        self.close_step(now, Exit::Next, OfferResponse::Timeout, Some(why));
        if listening {
            self.state.desk.push(Output::StopPlay);
        }
        self.state.desk.push(Output::Rebridge);
        let Some(place) = self.state.place.take() else { return };
        self.state.progress.text_sent = false;
        self.state.phase = Phase::Forwarding(Forwarding { target: place.target, stage });
    }

    /// The caller goes on to `id`: into the line of the same target the place comes along.
    pub(super) fn take_place_to(&mut self, id: TargetId) -> bool {
        let Some(place) = self.state.place.as_ref() else { return false };
        if place.target == id && place.leg == Leg::Up {
            self.state.place = None;
            self.state.desk.push(Output::Rebridge);
            self.state.phase = Phase::Forwarding(Forwarding { target: id, stage: Stage::Queued });
            return true;
        }
        self.leave_line();
        false
    }

    /// The place is given up.
    pub(super) fn leave_line(&mut self) {
        let Some(place) = self.state.place.take() else { return };
        if !matches!(place.leg, Leg::Gone { .. }) {
            self.state.desk.push(Output::StopForward);
        }
    }

    /// Waiting is over without a person. A place in the target's own queue is kept until there is
    /// something in its stead: a callback that is booked, another target, the end.
    fn give_up_line(&mut self, now: Duration, leave: Leave) {
        let Phase::Waiting(Waiting { visit, .. }) = &self.state.phase else { return };
        let visit = visit.clone();
        match self.state.place.as_mut().filter(|place| place.leg == Leg::Up) {
            Some(place) => {
                // Who comes back waits as long again.
                place.since = now;
                self.state.desk.push(Output::Unbridge);
            }
            None => {
                self.state.desk.push(Output::StopPlay);
                self.leave_line();
            }
        }
        let way = match leave.next {
            Next::WayOut(own) => {
                self.record_left(now, &visit, 1, leave.exit, leave.note);
                self.state.route.way_out(&self.flow, Failed::Step(visit.step), own)
            }
            _ => self.left(now, &visit, 1, leave),
        };
        self.advance(now, way);
    }

    /// `max_minutes` is over: a place in line at the human target is kept, any other given up.
    pub(super) fn wait_over_time(&mut self, now: Duration) {
        self.close_step(now, Exit::Timeout, OfferResponse::Timeout, Some("max_minutes"));
        self.record(Record::Bypassed { why: "max_minutes".into() });
        let human = self.flow.human;
        if self.in_queue() == Some(human) {
            return self.stay_in_queue(human);
        }
        self.state.desk.push(Output::StopPlay);
        self.leave_line();
        let way = self.state.route.exhausted(now, &self.flow);
        self.advance(now, way);
    }

    /// The node drains: who is in a queue stays there, others go straight to the human target.
    pub(super) fn wait_drains(&mut self, now: Duration) {
        self.close_step(now, Exit::Error, OfferResponse::Timeout, Some("drain"));
        if let Some(target) = self.in_queue() {
            return self.stay_in_queue(target);
        }
        self.state.desk.push(Output::StopPlay);
        self.leave_line();
        let way = self.bypassed("drain");
        self.advance(now, way);
    }

    /// How a call ends whose caller hangs up in line.
    pub(super) fn hung_up_in_line(&mut self) -> EndReason {
        let in_queue = self.in_queue().is_some();
        self.leave_line();
        if in_queue { EndReason::Forwarded } else { EndReason::CallerHangup }
    }

    /// Music until the target answers.
    fn music(&mut self, now: Duration, wait: &Wait) {
        let music = self.state.desk.hold(now, &self.state.facts, &wait.music);
        if let Phase::Waiting(waiting) = &mut self.state.phase {
            waiting.music = music;
        }
    }

    /// The target in whose own queue the caller is.
    fn in_queue(&self) -> Option<TargetId> {
        let place = self.state.place.as_ref().filter(|place| place.leg == Leg::Up)?;
        Some(place.target)
    }

    /// The flow is over for the caller; the place in the queue is not.
    fn stay_in_queue(&mut self, target: TargetId) {
        self.state.place = None;
        self.state.route.mode = Mode::Direct;
        self.state.phase = Phase::Forwarding(Forwarding { target, stage: Stage::Queued });
    }

    fn wait_of_place(&self) -> Option<&Wait> {
        let step = self.state.place.as_ref()?.step;
        match &self.flow.steps.get(usize::from(step.0))?.does {
            Does::Wait(wait) => Some(wait),
            _ => None,
        }
    }
}

fn seconds(n: u32) -> Duration {
    Duration::from_secs(u64::from(n))
}

fn minutes(n: u32) -> Duration {
    seconds(n * 60)
}
