//! Callbacks that callers ask for: whom we may call, and the slot that the store gives.

use std::sync::Arc;

use deflect_actions::store::{CallbackBooked, CallbackOrder, Room, Slot, Store, StoreError};
use ivr_runtime::{
    call::{CallbackOutcome, CallbackRequest, FreeSlot, Input, Report},
    flow::model::{Flow, Target, TargetId},
    hours::{Hours, openings, told},
};
use message_text::{E164, LineType};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{
    Switchboard,
    live::{CallNo, Live},
    local_time::{day_and_time, hours_of},
    tasks::{Done, Marks},
};
use crate::{config::Snapshot, node::clock::wall_ms};

/// What is offered can still be booked after the offer and the questions about the number: a slot
/// that ends sooner would be gone when the caller has said yes.
const TALK_MS: i64 = 120_000;

/// A callback that a call has asked for.
pub struct Booking {
    /// Which of the call's.
    number: u32,
    callback_id: String,
    /// Ends once it is booked, or is not.
    asked: JoinHandle<()>,
}

impl Switchboard {
    /// Whether this caller may have one and there is room for it, before it is spoken of.
    pub(super) fn find_slot(&mut self, no: CallNo, request: &CallbackRequest) {
        let Some(call) = self.calls.get(&no) else { return };
        let number = request.booking;
        let (order, calendar) = match order(call, request) {
            Ok(order) => order,
            Err(outcome) => return self.tell(no, Input::Callback(Report::new(number, outcome))),
        };
        let (store, done) = (self.services.store.clone(), self.done.clone());
        let marks = self.services.marks();
        tokio::spawn(async move {
            let outcome = match store.has_callbacks_enough(&order).await {
                Ok(true) => Ok(limited()),
                Ok(false) => calendar.free(&store, marks.as_deref()).await,
                Err(error) => Err(error),
            };
            let outcome = outcome.unwrap_or_else(|error| not_in_store(&order.call_id, &error));
            let told = Input::Callback(Report::new(number, outcome));
            let _ = done.send(Done::Input(no, told));
        });
    }

    pub(super) fn book_callback(&mut self, no: CallNo, request: CallbackRequest) {
        let Some(call) = self.calls.get(&no) else { return };
        let (mut order, calendar) = match order(call, &request) {
            Ok(order) => order,
            Err(outcome) => {
                return self.tell(no, Input::Callback(Report::new(request.booking, outcome)));
            }
        };
        let (store, done) = (self.services.store.clone(), self.done.clone());
        let marks = self.services.marks();
        let callback_id = order.callback_id.clone();
        let asked = tokio::spawn(async move {
            let now = wall_ms();
            order.room = calendar.room(now, marks.as_deref());
            order.room.slots = offered(order.room.slots, request.from_ms, request.before_ms);
            let booked = store.book_callback(&order).await;
            let outcome = match booked {
                Ok(CallbackBooked::Due(due)) => {
                    let (day, time) = calendar.told(now, due);
                    Ok(CallbackOutcome::Booked { day, time })
                }
                Ok(CallbackBooked::Limited) => Ok(limited()),
                // Somebody else has it; there may be another.
                Ok(CallbackBooked::Full) => calendar.free(&store, marks.as_deref()).await,
                Err(error) => Err(error),
            };
            let outcome = outcome.unwrap_or_else(|error| not_in_store(&order.call_id, &error));
            let _ = done.send(Done::Booked(no, request.booking, outcome));
        });
        if let Some(call) = self.calls.get_mut(&no) {
            call.bookings.push(Booking { number: request.booking, callback_id, asked });
        }
    }

    /// What became of a booking, unless it was taken back meanwhile.
    pub(super) fn booked(&mut self, no: CallNo, number: u32, outcome: CallbackOutcome) {
        let is_awaited = self
            .calls
            .get(&no)
            .is_some_and(|call| call.bookings.iter().any(|booking| booking.number == number));
        if is_awaited {
            self.tell(no, Input::Callback(Report::new(number, outcome)));
        }
    }

    /// The caller is with a person, or was told that nobody calls back. One that is being made by
    /// now, here or on another node, is stopped.
    pub(super) fn cancel_callback(&mut self, no: CallNo, number: u32) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        let canceled = call.bookings.extract_if(.., |booking| booking.number == number);
        for Booking { callback_id, asked, .. } in canceled.collect::<Vec<_>>() {
            self.stop_dial(&callback_id);
            let store = self.services.store.clone();
            tokio::spawn(async move {
                // One that panicked may have booked all the same.
                let _ = asked.await;
                match store.stop_callback(&callback_id).await {
                    Ok(true) => {}
                    Ok(false) => {
                        tracing::info!(
                            callback = callback_id,
                            "a callback to cancel is none any more"
                        );
                    }
                    Err(error) => {
                        tracing::error!(callback = callback_id, %error, "a callback is not canceled");
                    }
                }
            });
        }
    }
}

/// What is asked of the store, and when it can be; `Err`: the caller is not called back.
fn order(
    call: &Live,
    request: &CallbackRequest,
) -> Result<(CallbackOrder, Calendar), CallbackOutcome> {
    let refuse = |why: &str| CallbackOutcome::NotCallable { why: why.to_owned() };
    let number = call.ledger.caller.clone().filter(|_| !call.withheld);
    let number = number.ok_or_else(|| refuse("unknown"))?;
    if let Some(why) = refused(&call.snapshot, &number) {
        return Err(refuse(why));
    }
    let calendar = Calendar::of(call, request).ok_or_else(|| refuse("target"))?;
    let order = CallbackOrder {
        callback_id: Uuid::now_v7().to_string(),
        call_id: call.call_id.clone(),
        business: call.ledger.business.clone(),
        flow: call.flow.name.clone(),
        called: call.ledger.called.clone(),
        step: request.step.clone(),
        number,
        max_tries: request.tries,
        per_caller: callbacks_per_caller(&call.snapshot),
        room: calendar.room(wall_ms(), None),
    };
    Ok((order, calendar))
}

fn limited() -> CallbackOutcome {
    CallbackOutcome::NotCallable { why: "limited".to_owned() }
}

/// When a step's callbacks can be made.
struct Calendar {
    flow: Arc<Flow>,
    target: TargetId,
    called: String,
    country: String,
    per_hour: u32,
    in_all: u32,
}

impl Calendar {
    fn of(call: &Live, request: &CallbackRequest) -> Option<Self> {
        call.flow.targets.get(usize::from(request.target.0))?;
        let in_all = call.snapshot.config.limits.callbacks_per_hour;
        Some(Self {
            flow: Arc::clone(&call.flow),
            target: request.target,
            called: call.ledger.called.clone(),
            country: call.trunk.country.clone(),
            per_hour: request.per_hour.unwrap_or(in_all).min(in_all),
            in_all,
        })
    }

    fn target(&self) -> Option<&Target> {
        self.flow.targets.get(usize::from(self.target.0))
    }

    fn hours(&self) -> Option<&Hours> {
        let id = self.target()?.hours?;
        self.flow.hours.get(usize::from(id.0))
    }

    fn room(&self, now_ms: i64, marks: Option<&Marks>) -> Room {
        self.room_in(slots(self.hours(), now_ms, &self.called, marks))
    }

    fn room_in(&self, slots: Vec<Slot>) -> Room {
        Room {
            target: self.target().map_or_else(String::new, |target| target.name.clone()),
            per_hour: self.per_hour,
            in_all: self.in_all,
            slots,
        }
    }

    /// The day, where it is not today, and the time, as a caller is told them.
    fn told(&self, now_ms: i64, due_ms: i64) -> (Option<String>, Option<String>) {
        told(self.hours(), &self.called, now_ms, due_ms)
    }

    async fn free(
        &self,
        store: &Store,
        marks: Option<&Marks>,
    ) -> Result<CallbackOutcome, StoreError> {
        let now = wall_ms();
        let room = self.room_in(to_offer(self.hours(), now, &self.called, marks));
        let Some((slot, due)) = store.room_for_callback(&room).await? else {
            return Ok(CallbackOutcome::Full);
        };
        let next = (room.slots.first() != Some(&slot)).then(|| {
            let (day, time) = self.told(now, due);
            match time {
                Some(time) => (day, time),
                // Of a target that is always open, as the line's clock has it.
                None => {
                    let hours = hours_of(&self.flow);
                    day_and_time(now, due, &hours, &self.called, &self.country)
                }
            }
        });
        Ok(CallbackOutcome::Free(FreeSlot { from_ms: slot.from_ms, until_ms: slot.until_ms, next }))
    }
}

fn not_in_store(call_id: &str, error: &StoreError) -> CallbackOutcome {
    tracing::error!(call = call_id, %error, "a callback is not booked");
    CallbackOutcome::Failed { why: "store".to_owned() }
}

/// Callbacks to one number in an hour and in a day.
pub fn callbacks_per_caller(snapshot: &Snapshot) -> (u32, u32) {
    let limits = &snapshot.config.limits;
    (limits.callbacks_per_caller_hour, limits.callbacks_per_caller_day)
}

/// When callbacks of these hours can be made, from `from_ms` on.
pub fn slots(
    hours: Option<&Hours>,
    from_ms: i64,
    called: &str,
    marks: Option<&Marks>,
) -> Vec<Slot> {
    let found = openings(hours, from_ms, called, &super::facts::one_offs(marks)).into_iter();
    found.map(|one| Slot { from_ms: one.from_ms, until_ms: one.until_ms }).collect()
}

/// Of these, what the caller has agreed to: from the time that was told, if one was, to the end of what
/// was offered.
fn offered(slots: Vec<Slot>, from_ms: Option<i64>, before_ms: Option<i64>) -> Vec<Slot> {
    let from_ms = from_ms.unwrap_or(i64::MIN);
    let before_ms = before_ms.unwrap_or(i64::MAX);
    let in_time = slots.into_iter().filter(|s| s.until_ms > from_ms && s.from_ms < before_ms);
    in_time.map(|slot| Slot { from_ms: slot.from_ms.max(from_ms), ..slot }).collect()
}

/// Those that last until the caller has said yes.
fn to_offer(hours: Option<&Hours>, now_ms: i64, called: &str, marks: Option<&Marks>) -> Vec<Slot> {
    slots(hours, now_ms + TALK_MS, called, marks)
}

/// Why a number is not called, in one word; `None`: it may be.
pub fn refused(snapshot: &Snapshot, number: &E164) -> Option<&'static str> {
    let config = &snapshot.config;
    let is_ours = |line: &String| line.as_str() == number.as_str();
    let allowed =
        |region: &str| config.limits.callback_countries.iter().any(|country| country == region);
    if !matches!(number.line_type(), LineType::Mobile | LineType::Fixed | LineType::FixedOrMobile) {
        return Some("kind");
    }
    if !allowed(number.region()) {
        return Some("country");
    }
    snapshot.flows.iter().any(|flow| flow.numbers.iter().any(is_ours)).then_some("ours")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "+442079460018";

    /// Offered at 11:57:48 for the minute before noon, it was gone when the yes came at 11:58:00.
    #[test]
    fn what_is_offered_can_still_be_booked_when_the_caller_has_said_yes() {
        for second in (0..3_600).step_by(4) {
            let now_ms = 1_800_000_000_000 + second * 1_000;
            let offered = to_offer(None, now_ms, LINE, None)[0];
            for talk_ms in [0, 12_000, 60_000, 119_000] {
                let free = slots(None, now_ms + talk_ms, LINE, None);
                let found = super::offered(free, None, Some(offered.until_ms));
                assert!(!found.is_empty(), "offered at {now_ms}, accepted after {talk_ms} ms");
            }
        }
    }

    /// What came free before it meanwhile is at another time than the caller was told.
    #[test]
    fn dp_06_a_time_that_was_told_is_booked_or_none() {
        let now_ms = 1_800_000_000_000 + 17 * 60_000;
        let told = to_offer(None, now_ms, LINE, None)[2];
        for talk_ms in [0, 12_000, 119_000] {
            let free = slots(None, now_ms + talk_ms, LINE, None);
            let agreed = offered(free, Some(told.from_ms), Some(told.until_ms));
            assert_eq!(agreed, [told], "accepted after {talk_ms} ms");
        }
        // The operator has opened earlier meanwhile: the hour that was told begins as told.
        let opened = Slot { from_ms: told.from_ms - 60_000, ..told };
        assert_eq!(offered(vec![opened], Some(told.from_ms), Some(told.until_ms)), [told]);
    }
}
