//! How long a call may stay in its flow, and where it goes when something fails.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::flow::{
    model::{Flow, Go, TargetId},
    way_out::{self, Exit, Failed},
};

/// After `max_minutes` or `max_steps` the way to the human target may still take so long …
pub(crate) const OVERTIME: Duration = Duration::from_secs(300);
/// … and so many steps.
const OVERTIME_STEPS: u32 = 10;

/// What still binds the call to its flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Mode {
    /// The flow is played.
    Flow,
    /// Its bounds are used up; the human route is taken with its own steps.
    Overtime,
    /// Straight to the human target, then `[fallback]`, then the apology: no step, no hours.
    Direct,
}

/// Bounds and failures of one call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Route {
    pub mode: Mode,
    steps_left: u32,
    until: Duration,
    /// Targets that failed since the caller last chose something.
    failed: Vec<TargetId>,
    /// The human target was found closed: steps of its `when_closed` route fall back to
    /// `[fallback]`.
    human_closed: bool,
    /// The last final code a target gave.
    pub last_status: Option<u16>,
}

/// Where the way out leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Go(Go),
    Apology,
}

impl Route {
    pub fn new(now: Duration, flow: &Flow, direct: bool) -> Self {
        Self {
            mode: if direct { Mode::Direct } else { Mode::Flow },
            steps_left: flow.max_steps,
            until: now + Duration::from_secs(60 * u64::from(flow.max_minutes)),
            failed: Vec::new(),
            human_closed: false,
            last_status: None,
        }
    }

    /// Takes one of the steps left; `false`: there is none.
    pub fn take_step(&mut self) -> bool {
        let Some(left) = self.steps_left.checked_sub(1) else { return false };
        self.steps_left = left;
        true
    }

    pub fn is_over_time(&self, now: Duration) -> bool {
        self.until <= now && self.mode != Mode::Direct
    }

    /// When the flow's time is over; the apology has a deadline of its own.
    pub fn poll_timeout(&self) -> Option<Duration> {
        (self.mode != Mode::Direct).then_some(self.until)
    }

    /// The bounds are used up: first the human route with a little more of both, then direct.
    pub fn exhausted(&mut self, now: Duration, flow: &Flow) -> Way {
        match self.mode {
            Mode::Flow => {
                self.overtime(now);
                self.failed.clear();
                Way::Go(Go::Target(flow.human))
            }
            Mode::Overtime | Mode::Direct => self.direct(flow),
        }
    }

    /// When a wait in the queue of `at` is over. `None`: it has no end but the queue's, because
    /// `max_minutes` has been kept already, or a place in line is better than nobody.
    pub fn leave_queue_at(&self, flow: &Flow, at: TargetId) -> Option<Duration> {
        let leaves = self.mode == Mode::Flow && self.persons_besides(flow, at).next().is_some();
        leaves.then_some(self.until)
    }

    /// The bounds are used up in the queue of `at`, which is not tried again.
    pub fn leave_queue(&mut self, now: Duration, flow: &Flow, at: TargetId) -> Option<Way> {
        let next = self.persons_besides(flow, at).next()?;
        self.overtime(now);
        self.failed.push(at);
        Some(Way::Go(Go::Target(next)))
    }

    /// Where a person may still be reached but at `at`: the human target, then `[fallback]`.
    pub fn persons_besides(&self, flow: &Flow, at: TargetId) -> impl Iterator<Item = TargetId> {
        let persons = [Some(flow.human), flow.fallback].into_iter().flatten();
        persons.filter(move |id| *id != at && !self.failed.contains(id))
    }

    fn overtime(&mut self, now: Duration) {
        self.mode = Mode::Overtime;
        self.steps_left = OVERTIME_STEPS;
        self.until = now + OVERTIME;
    }

    /// No more flow for this call.
    pub fn direct(&mut self, flow: &Flow) -> Way {
        self.mode = Mode::Direct;
        let targets = [Some(flow.human), flow.fallback];
        let next = targets.into_iter().flatten().find(|id| !self.failed.contains(id));
        next.map_or(Way::Apology, |id| Way::Go(Go::Target(id)))
    }

    /// The next exit of the way out that has not failed yet.
    pub fn way_out(&self, flow: &Flow, failed: Failed, own: Option<Go>) -> Way {
        let usable = |exit: &Exit| match exit {
            Exit::Human(id) => !self.human_closed && !self.failed.contains(id),
            Exit::Fallback(id) => !self.failed.contains(id),
            Exit::Own(_) | Exit::Apology => true,
        };
        // Back to a target that failed a moment ago is no exit.
        let own = own.filter(|go| !matches!(go, Go::Target(id) if self.failed.contains(id)));
        match way_out::exits(flow, failed, own).find(usable) {
            Some(Exit::Own(go)) => Way::Go(go),
            Some(Exit::Human(id) | Exit::Fallback(id)) => Way::Go(Go::Target(id)),
            Some(Exit::Apology) | None => Way::Apology,
        }
    }

    pub fn target_failed(&mut self, id: TargetId, status: Option<u16>) {
        self.last_status = status.or(self.last_status);
        if !self.failed.contains(&id) {
            self.failed.push(id);
        }
    }

    /// It failed once, and has taken the call since.
    pub fn target_answered(&mut self, id: TargetId) {
        self.failed.retain(|failed| *failed != id);
    }

    pub fn target_closed(&mut self, flow: &Flow, id: TargetId) {
        self.human_closed |= id == flow.human;
    }

    /// The human target failed since the caller last chose, or was found closed.
    pub fn is_past_human(&self, flow: &Flow) -> bool {
        self.human_closed || self.failed.contains(&flow.human)
    }

    /// The caller chose by key: what failed before may be tried again.
    pub fn forgive(&mut self) {
        self.failed.clear();
    }
}
