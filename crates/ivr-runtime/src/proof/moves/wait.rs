//! What can become of a caller in line.

use super::From;
use crate::{
    flow::{
        model::{Go, Step, StepId, Wait},
        way_out::Failed,
    },
    proof::state::{Cause, Place},
};

impl From<'_> {
    /// In line: a person answers, the offer is made, time runs out, or nobody can be reached.
    pub(super) fn wait(&mut self, id: StepId, step: &Step, wait: &Wait) {
        let Some(target) = self.flow.targets.get(usize::from(wait.target.0)) else { return };
        self.to(Cause::So("in line"), 0, Place::Line(wait.target));
        let mut lost = self.state.clone();
        lost.route.target_failed(wait.target, None);
        if let Some(offer) = wait.offer.filter(|_| !self.state.offered) {
            let after = u64::from(wait.offer_after_seconds) * 1_000;
            // The target may fail while the offer is heard.
            for route in [&self.state.route, &lost.route] {
                self.to(Cause::So("offer in line"), after, Place::Step(offer));
                if let Some(made) = self.moves.last_mut() {
                    made.to.offered = true;
                    made.to.route = route.clone();
                }
            }
        }
        let gives_up = u64::from(wait.give_up_minutes) * 60_000;
        let then = wait.then.unwrap_or(Go::Target(self.flow.human));
        self.go(Cause::Failure("nobody in time"), gives_up, step, then);
        // At the last of its tries.
        let way = lost.route.way_out(self.flow, Failed::Step(id), wait.if_fails);
        self.failed(Cause::Failure("line fails"), gives_up, way, lost);
        if target.hours.is_some() {
            let mut closed = self.state.clone();
            closed.route.target_closed(self.flow, wait.target);
            let own = wait.when_closed(target);
            let way = closed.route.way_out(self.flow, Failed::Step(id), own);
            self.failed(Cause::Failure("line closed"), 0, way, closed);
        }
    }
}
