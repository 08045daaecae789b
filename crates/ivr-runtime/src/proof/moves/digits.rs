//! What can become of digits that a caller types.

use super::{From, KEY_MS};
use crate::{
    flow::{
        model::{Check, Collect, Step, StepId},
        way_out::Failed,
    },
    proof::state::{Cause, Move, Place},
};

impl From<'_> {
    pub(super) fn asking_digits(&mut self, id: StepId, collect: &Collect, n: u8) {
        let ended = collect.end_key.is_some() && collect.min < collect.max;
        self.push(Move {
            keys: u32::from(collect.min) + u32::from(ended),
            ms: KEY_MS * (u64::from(collect.min) + u64::from(ended)),
            ..self.plain(Cause::Digits, Place::Doing(id, n))
        });
        let can_be_wrong =
            collect.end_key.is_some() || collect.min > 1 || collect.check != Check::Digits;
        let waited = u64::from(collect.timeout_ms);
        // Too few digits, and then nothing more.
        let too_few = KEY_MS + u64::from(collect.gap_ms);
        let step = self.flow.steps.get(usize::from(id.0));
        for (cause, ms, to, may) in [
            (Cause::Wrong, too_few, collect.wrong, can_be_wrong),
            (Cause::Silence, waited, collect.no_input, true),
        ] {
            match step.filter(|_| may) {
                Some(_) if n < collect.tries => self.to(cause, ms, Place::Playing(id, n + 1)),
                Some(step) => self.go(cause, ms, step, to),
                None => {}
            }
        }
    }

    /// Whether the caller has the right digits is not the caller's choice.
    pub(super) fn checked(&mut self, id: StepId, step: &Step, collect: &Collect, n: u8) {
        let read_back = collect.confirm.as_ref().map(|list| self.lengths.of(list));
        // A key says that what is read back is right.
        self.go(
            Cause::So("digits taken"),
            read_back.map_or(0, |ms| ms + KEY_MS),
            step,
            collect.then,
        );
        if let (Some(lasts), Some(taken)) = (read_back, self.moves.last_mut()) {
            taken.keys = 1;
            self.way_out(Cause::Failure("prompt fails"), lasts, Failed::Step(id), None);
        }
        if collect.check == Check::Digits {
            return;
        }
        let refused = Cause::So("digits refused");
        if n < collect.tries {
            self.to(refused, 0, Place::Playing(id, n + 1));
        } else {
            self.go(refused, 0, step, collect.wrong);
        }
    }
}
