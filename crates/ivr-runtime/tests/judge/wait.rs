//! `wait`, by requirements §6 and the table of the flow language: the target is rung, and again
//! while it is busy; one offer is made meanwhile, and whoever comes back has the same place.

use toml::{Table, Value};

use super::{At, Call, Judge, NOWHERE, word};

/// A place in line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    step: String,
    /// The one offer was made.
    offered: bool,
}

impl Judge<'_> {
    pub(super) fn enter_line(&self, call: &Call, name: &str, step: &Table) -> Vec<Call> {
        if word(step, "target").is_none_or(|target| !self.is_target(target)) {
            return vec![Call { at: At::Named(NOWHERE.to_owned()), ..call.clone() }];
        }
        let place = call.line.as_ref().filter(|place| place.step == name).cloned();
        let came_back = place.is_some();
        let place = place.unwrap_or(Place { step: name.to_owned(), offered: false });
        let at = At::Waits(name.to_owned());
        let waits = Call { at, line: Some(place), ..call.clone() };
        let mut after = vec![waits.clone()];
        if !came_back {
            after.extend(self.line_fails(&waits, step));
        }
        after
    }

    /// What ends the waiting, or interrupts it; that the target is busy does not.
    pub(super) fn wait(&self, call: &Call, step: &Table) -> Vec<Call> {
        let mut after = self.line_fails(call, step);
        // Who is in the target's own queue keeps the place there.
        for line in [None, call.line.clone()] {
            let gives_up = Call { trouble: true, unasked: true, line, ..call.clone() };
            after.push(self.go(&gives_up, step, word(step, "then").or(Some(self.human()))));
        }
        if let (Some(place), Some(offer)) = (&call.line, word(step, "offer"))
            && !place.offered
        {
            let line = Some(Place { offered: true, ..place.clone() });
            after.push(self.go(&Call { line, ..call.clone() }, step, Some(offer)));
        }
        after
    }

    /// The target can't be reached, or is closed: then the target says what the step does not.
    fn line_fails(&self, call: &Call, step: &Table) -> Vec<Call> {
        let target = word(step, "target").unwrap_or(NOWHERE);
        let is_human = target == self.human();
        let call = Call { line: None, ..call.clone() };
        let lost = Call { human_failed: call.human_failed || is_human, ..call.clone() };
        let mut after = vec![self.fails(&lost, step, "if_fails")];
        if self.word("target", Some(target), "hours").is_some() {
            let closed = Call { human_closed: call.human_closed || is_human, ..call };
            let mut step = step.clone();
            let own = word(&step, "if_fails").or(self.word("target", Some(target), "when_closed"));
            if let Some(own) = own.map(Value::from) {
                step.insert("chosen".to_owned(), own);
            }
            after.push(self.fails(&closed, &step, "chosen"));
        }
        after
    }
}
