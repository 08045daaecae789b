//! `callback`: offers to call the caller back while there is room for it, confirms the number, and
//! books the next free slot. Only what is booked is promised, and only the number that the call came
//! from is called: else anybody could have anybody rung (requirements §7.2).

mod number;
mod prompts;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use number::{NUMBER, own_number};
use prompts::{booked, read_back};
pub(crate) use prompts::{next_slot, own_prompts};

use super::{Exit, Leave, Next, Turn};
use crate::{
    call::{
        CallbackOutcome, CallbackRequest, FreeSlot, Input, Output,
        desk::{Context, Playback, Played},
    },
    flow::model::{Callback, ConfirmNumber, Go, PromptList},
    key::Key,
};

/// From the end of a question to "no key".
pub(crate) const ANSWER: Duration = Duration::from_secs(8);
/// The store has so long to book.
pub(crate) const BOOK_WITHIN: Duration = Duration::from_secs(5);
/// And so long to find the slot, before anything is said.
pub(crate) const FIND_WITHIN: Duration = Duration::from_millis(1_500);
/// Questions that are asked in vain, until the caller is taken on.
pub(crate) const TRIES: u8 = 3;
/// When the caller is called: the day where it is not today, and the time.
pub(crate) const DAY: &str = "callback_day";
pub(crate) const TIME: &str = "callback_time";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Booking {
    tries: u8,
    /// The number of what the store was asked last; 0: nothing since the offer.
    booking: u32,
    /// The beginning of the slot that is offered, where it was told, ms UTC.
    from_ms: Option<i64>,
    /// Its end.
    before_ms: Option<i64>,
    stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// It is not known yet whether there is room; nothing is said.
    Finding {
        until: Duration,
    },
    /// "To be called back, press 1."
    Offering(Asking),
    /// "… If we should call you on this number, press 1. If not, press 2."
    Confirming(Asking),
    Booking {
        until: Duration,
    },
    /// It is booked, and the caller is told so.
    Telling(Playback),
}

/// A question and the wait for its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Asking {
    prompt: Option<Playback>,
    until: Option<Duration>,
}

impl Asking {
    fn begin(play: &PromptList, context: &mut Context<'_>) -> Self {
        context.keys.flush();
        let prompt = context.play(play, true);
        let until = prompt.is_none().then(|| context.now + ANSWER);
        Self { prompt, until }
    }

    /// Nothing is asked any more; the time for the answer runs.
    fn hush(&mut self, context: &mut Context<'_>) {
        if self.prompt.take().is_some() {
            context.desk.push(Output::StopPlay);
        }
        self.until.get_or_insert(context.now + ANSWER);
    }

    /// `Err`: the question can't be asked.
    fn heard(&mut self, context: &Context<'_>, input: &Input) -> Result<(), ()> {
        match self.prompt.as_ref().and_then(|prompt| prompt.input(input)) {
            Some(Played::Failed) => Err(()),
            Some(Played::ToTheEnd | Played::Stopped) => {
                self.prompt = None;
                self.until.get_or_insert(context.now + ANSWER);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn poll_timeout(&self) -> Duration {
        let playing = self.prompt.as_ref().map(Playback::poll_timeout);
        [playing, self.until].into_iter().flatten().min().unwrap_or(Duration::MAX)
    }
}

impl Booking {
    /// DP-06: what there is no room for is not spoken of, nor is it where we call nobody, or call this
    /// number no more; `Err`: why.
    pub fn find(step: &str, callback: &Callback, context: &mut Context<'_>) -> Result<Self, Leave> {
        if let Err(why) = own_number(context) {
            return Err(failed(callback, why));
        }
        let stage = Stage::Finding { until: context.now + FIND_WITHIN };
        let booking = context.desk.next_booking();
        let finding = Self { tries: 1, booking, from_ms: None, before_ms: None, stage };
        let request = finding.request(step, callback, context);
        context.desk.push(Output::FindSlot(request));
        Ok(finding)
    }

    /// There is room.
    pub fn begin(callback: &Callback, context: &mut Context<'_>) -> Self {
        let stage = Stage::Finding { until: context.now };
        let mut offering = Self { tries: 1, booking: 0, from_ms: None, before_ms: None, stage };
        if let Some(free) = context.progress.slot.take() {
            offering.offer(callback, context, free);
        }
        offering
    }

    fn offer(&mut self, callback: &Callback, context: &mut Context<'_>, free: FreeSlot) {
        self.from_ms = free.next.is_some().then_some(free.from_ms);
        self.before_ms = Some(free.until_ms);
        let (day, time) = free.next.clone().unwrap_or_default();
        context.facts.learn(DAY, &day.unwrap_or_default(), false);
        context.facts.learn(TIME, &time, false);
        let next = if free.next.is_some() { next_slot() } else { PromptList::new() };
        let play = [next, callback.play.clone()].concat();
        self.stage = Stage::Offering(Asking::begin(&play, context));
    }

    pub fn handle_input(
        &mut self,
        step: &str,
        callback: &Callback,
        context: &mut Context<'_>,
        input: &Input,
    ) -> Turn {
        match (&mut self.stage, input) {
            (Stage::Offering(asking) | Stage::Confirming(asking), Input::KeyDown(_)) => {
                asking.hush(context);
                Turn::Stay
            }
            (Stage::Offering(asking), Input::Key(key)) => {
                asking.hush(context);
                let key = *key;
                self.offered(step, callback, context, key)
            }
            (Stage::Confirming(asking), Input::Key(key)) => {
                asking.hush(context);
                let key = *key;
                self.confirmed(step, callback, context, key)
            }
            (Stage::Offering(asking) | Stage::Confirming(asking), _) => {
                match asking.heard(context, input) {
                    Ok(()) => Turn::Stay,
                    Err(()) => Turn::Leave(failed(callback, "prompt_failed")),
                }
            }
            (Stage::Finding { .. }, Input::Callback(told)) if told.is_of(self.booking) => {
                match &told.outcome {
                    CallbackOutcome::Free(free) => {
                        context.progress.slot = Some(free.clone());
                        Turn::Aloud
                    }
                    CallbackOutcome::Booked { .. } | CallbackOutcome::Full => {
                        Turn::Leave(failed(callback, "full"))
                    }
                    CallbackOutcome::NotCallable { why } | CallbackOutcome::Failed { why } => {
                        Turn::Leave(failed(callback, why))
                    }
                }
            }
            (Stage::Finding { .. }, _) => Turn::Stay,
            (Stage::Booking { .. }, Input::Callback(told)) if told.is_of(self.booking) => {
                self.settled(callback, context, told.outcome.clone())
            }
            (Stage::Booking { .. } | Stage::Telling(_), Input::Key(key)) => {
                context.keys.push(*key);
                Turn::Stay
            }
            (Stage::Telling(prompt), _) => match prompt.input(input) {
                Some(_) => Turn::Leave(Leave::next(callback.then)),
                None => Turn::Stay,
            },
            (Stage::Booking { .. }, _) => Turn::Stay,
        }
    }

    pub fn handle_timeout(&mut self, callback: &Callback, context: &mut Context<'_>) -> Turn {
        let now = context.now;
        match &mut self.stage {
            Stage::Finding { until } if *until <= now => {
                Turn::Leave(failed(callback, "no_slot_found"))
            }
            Stage::Finding { .. } => Turn::Stay,
            Stage::Offering(Asking { prompt, until })
            | Stage::Confirming(Asking { prompt, until }) => {
                if prompt.as_ref().is_some_and(|prompt| prompt.timeout(now).is_some()) {
                    return Turn::Leave(failed(callback, "prompt_failed"));
                }
                match until.is_some_and(|until| until <= now) {
                    true => self.missed(callback, context, Exit::Timeout),
                    false => Turn::Stay,
                }
            }
            Stage::Booking { until } if *until <= now => {
                // Who is told of none gets none.
                context.progress.callbacks_due.retain(|due| *due != self.booking);
                context.desk.push(Output::CancelCallback { booking: self.booking });
                Turn::Leave(failed(callback, "not_booked"))
            }
            Stage::Booking { .. } => Turn::Stay,
            Stage::Telling(prompt) => match prompt.timeout(now) {
                Some(_) => Turn::Leave(Leave::next(callback.then)),
                None => Turn::Stay,
            },
        }
    }

    pub fn poll_timeout(&self) -> Duration {
        match &self.stage {
            Stage::Offering(asking) | Stage::Confirming(asking) => asking.poll_timeout(),
            Stage::Finding { until } | Stage::Booking { until } => *until,
            Stage::Telling(prompt) => prompt.poll_timeout(),
        }
    }

    pub fn tries(&self) -> u8 {
        self.tries
    }

    /// The number of the booking that is under way.
    pub fn is_booking(&self) -> Option<u32> {
        matches!(self.stage, Stage::Booking { .. }).then_some(self.booking)
    }

    /// For the store.
    pub fn waits(&self) -> bool {
        matches!(self.stage, Stage::Finding { .. } | Stage::Booking { .. })
    }

    pub fn awaits_key(&self) -> bool {
        match self.stage {
            Stage::Offering(_) | Stage::Confirming(_) => true,
            Stage::Finding { .. } | Stage::Booking { .. } | Stage::Telling(_) => false,
        }
    }

    fn offered(
        &mut self,
        step: &str,
        callback: &Callback,
        context: &mut Context<'_>,
        key: Key,
    ) -> Turn {
        if key.label() != '1' {
            return self.other_key(callback, context, key);
        }
        let number = match own_number(context) {
            Ok(number) => number,
            Err(why) => return Turn::Leave(failed(callback, why)),
        };
        let mobile = context.facts.can_receive_text == Some(true);
        match callback.confirm_number {
            ConfirmNumber::Never => self.book(step, callback, context),
            ConfirmNumber::IfNotMobile if mobile => self.book(step, callback, context),
            ConfirmNumber::IfNotMobile | ConfirmNumber::Always => self.read_back(context, &number),
        }
    }

    fn other_key(&mut self, callback: &Callback, context: &mut Context<'_>, key: Key) -> Turn {
        if context.flow.operator_keys.contains(&key) {
            context.facts.learn(NUMBER, "", false);
            return Turn::Leave(Leave::by(Exit::Key(key), Next::Human));
        }
        self.missed(callback, context, Exit::Key(key))
    }

    /// No key, or another: once more, or on.
    fn missed(&mut self, callback: &Callback, context: &mut Context<'_>, why: Exit) -> Turn {
        if self.tries < TRIES && matches!(self.stage, Stage::Confirming(_)) {
            self.tries += 1;
            self.stage = Stage::Confirming(Asking::begin(&read_back(), context));
            return Turn::Stay;
        }
        Turn::Leave(not_wanted(callback, context, why))
    }

    fn book(&mut self, step: &str, callback: &Callback, context: &mut Context<'_>) -> Turn {
        context.facts.learn(NUMBER, "", false);
        self.booking = context.desk.next_booking();
        let request = self.request(step, callback, context);
        context.desk.push(Output::BookCallback(request));
        context.progress.callbacks_due.push(self.booking);
        self.stage = Stage::Booking { until: context.now + BOOK_WITHIN };
        Turn::Stay
    }

    fn request(&self, step: &str, callback: &Callback, context: &Context<'_>) -> CallbackRequest {
        CallbackRequest {
            step: step.to_owned(),
            booking: self.booking,
            target: callback.target.unwrap_or(context.flow.human),
            per_hour: callback.per_hour,
            tries: callback.max_tries(),
            from_ms: self.from_ms,
            before_ms: self.before_ms,
        }
    }

    fn settled(
        &mut self,
        callback: &Callback,
        context: &mut Context<'_>,
        outcome: CallbackOutcome,
    ) -> Turn {
        if !matches!(outcome, CallbackOutcome::Booked { .. }) {
            // Of this one only: what was booked before holds.
            context.progress.callbacks_due.retain(|due| *due != self.booking);
        }
        match outcome {
            CallbackOutcome::Booked { day, time } => {
                context.progress.callback_booked = true;
                context.facts.learn(DAY, &day.unwrap_or_default(), false);
                context.facts.learn(TIME, &time.unwrap_or_default(), false);
                match context.play(&booked(), false) {
                    Some(prompt) => {
                        self.stage = Stage::Telling(prompt);
                        Turn::Stay
                    }
                    None => Turn::Leave(Leave::next(callback.then)),
                }
            }
            // It was taken while the caller thought about it.
            CallbackOutcome::Free(free) if self.tries < TRIES => {
                self.tries += 1;
                self.offer(callback, context, free);
                Turn::Stay
            }
            CallbackOutcome::Free(_) | CallbackOutcome::Full => {
                Turn::Leave(failed(callback, "full"))
            }
            CallbackOutcome::NotCallable { why } | CallbackOutcome::Failed { why } => {
                Turn::Leave(failed(callback, &why))
            }
        }
    }
}

/// No is the caller's choice, and no failure where the step says where it leads.
fn not_wanted(callback: &Callback, context: &mut Context<'_>, why: Exit) -> Leave {
    context.facts.learn(NUMBER, "", false);
    let go: Option<Go> = callback.no_input;
    match go {
        Some(go) => Leave::by(why, Next::Go(go)),
        None => Leave {
            note: Some("not_wanted".into()),
            ..Leave::by(why, Next::WayOut(callback.if_fails))
        },
    }
}

fn failed(callback: &Callback, why: &str) -> Leave {
    Leave::failed(callback.if_fails, why)
}
