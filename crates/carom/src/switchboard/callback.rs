//! Callbacks that callers ask for: whom we may call, and the slot that the store gives.

use deflect_actions::store::{CallbackOrder, Slot};
use ivr_runtime::{
    call::{CallbackOutcome, CallbackRequest, Input},
    hours::{Hours, openings, told},
};
use message_text::{E164, LineType};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{
    Switchboard,
    live::CallNo,
    tasks::{Done, Marks},
};
use crate::{config::Snapshot, node::clock::wall_ms};

/// A callback that a call has asked for.
pub struct Booking {
    callback_id: String,
    /// Ends once it is booked, or is not.
    asked: JoinHandle<()>,
}

impl Switchboard {
    pub(super) fn book_callback(&mut self, no: CallNo, request: CallbackRequest) {
        let Some(call) = self.calls.get(&no) else { return };
        let number = match &request.number {
            Some(typed) => E164::parse(&typed.0, &call.trunk.country).ok(),
            None => call.ledger.caller.clone().filter(|_| !call.withheld),
        };
        let refused = match &number {
            None => Some("unknown"),
            Some(number) => refused(&call.snapshot, number),
        };
        let target = call.flow.targets.get(usize::from(request.target.0)).cloned();
        let (Some(number), Some(target), None) = (number, target, refused) else {
            let why = refused.unwrap_or("target").to_owned();
            return self.tell(no, Input::Callback(CallbackOutcome::NotCallable { why }));
        };
        let in_all = call.snapshot.config.limits.callbacks_per_hour;
        let mut order = CallbackOrder {
            callback_id: Uuid::now_v7().to_string(),
            call_id: call.call_id.clone(),
            business: call.ledger.business.clone(),
            flow: call.flow.name.clone(),
            called: call.ledger.called.clone(),
            step: request.step,
            number,
            target: target.name.clone(),
            max_tries: request.tries,
            per_hour: request.per_hour.unwrap_or(in_all).min(in_all),
            in_all,
            slots: Vec::new(),
        };
        let (store, done) = (self.services.store.clone(), self.done.clone());
        let (flow, called) = (call.flow.clone(), call.ledger.called.clone());
        let marks = self.services.marks();
        let callback_id = order.callback_id.clone();
        let asked = tokio::spawn(async move {
            let hours = target.hours.and_then(|id| flow.hours.get(usize::from(id.0)));
            let now = wall_ms();
            order.slots = slots(hours, now, &called, marks.as_deref());
            let outcome = match store.book_callback(&order).await {
                Ok(Some(due)) => {
                    let (day, time) = told(hours, &called, now, due);
                    CallbackOutcome::Booked { day, time }
                }
                Ok(None) => CallbackOutcome::Full,
                Err(error) => {
                    tracing::error!(call = order.call_id, %error, "a callback is not booked");
                    CallbackOutcome::Failed { why: "store".to_owned() }
                }
            };
            let _ = done.send(Done::Input(no, Input::Callback(outcome)));
        });
        if let Some(call) = self.calls.get_mut(&no) {
            call.bookings.push(Booking { callback_id, asked });
        }
    }

    /// The caller is with a person, or was told that nobody calls back.
    pub(super) fn cancel_callbacks(&mut self, no: CallNo) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        for booking in std::mem::take(&mut call.bookings) {
            let store = self.services.store.clone();
            tokio::spawn(async move {
                // One that panicked may have booked all the same.
                let _ = booking.asked.await;
                if let Err(error) = store.cancel_callback(&booking.callback_id).await {
                    tracing::error!(callback = booking.callback_id, %error, "a callback is not canceled");
                }
            });
        }
    }
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

/// Why a number is not called, in one word; `None`: it may be.
pub fn refused(snapshot: &Snapshot, number: &E164) -> Option<&'static str> {
    let config = &snapshot.config;
    let is_ours = |line: &String| line.as_str() == number.as_str();
    let allowed = |region: &str| match config.limits.countries.as_slice() {
        [] => config.trunks.iter().any(|trunk| {
            trunk.country == region || trunk.number_countries.values().any(|it| it == region)
        }),
        countries => countries.iter().any(|country| country == region),
    };
    if !matches!(number.line_type(), LineType::Mobile | LineType::Fixed | LineType::FixedOrMobile) {
        return Some("kind");
    }
    if !allowed(number.region()) {
        return Some("country");
    }
    snapshot.flows.iter().any(|flow| flow.numbers.iter().any(is_ours)).then_some("ours")
}
