//! Callbacks that are due are dialled, whichever node has time; and what the CLI asks of them.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use deflect_actions::{
    hooks,
    store::{CallbackDue, Store, StoreError},
};
use ivr_runtime::{
    flow::model::{Deliver, Does, Step},
    hours::{Hours, OneOff, openings},
};
use serde_json::json;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    clock::wall_ms,
    desk::{Desk, data},
};
use crate::{
    config::Snapshot,
    control::Reply,
    switchboard::{Ask, DialOrder, Dialled, Services, one_offs},
};

/// Between two looks at what is due.
const LOOK: Duration = Duration::from_secs(2);
/// A node that is silent for longer has lost its callback to another.
const LEASE_MS: i64 = 60_000;
const RENEW: Duration = Duration::from_secs(15);
/// Callbacks at once.
const AT_ONCE: usize = 10;
/// After the first try, ms; three times as much after each further one.
const BACKOFF_MS: i64 = 5 * 60_000;
/// What this node can't take on is offered again after this, ms.
const LATER_MS: i64 = 30_000;
/// One whose target has no opening that is near is looked at again after this at the latest, ms: the
/// operator may have opened by then.
const DAY_MS: i64 = 86_400_000;
/// A store that does not take that a callback is done is asked again after this.
const DONE_AGAIN: Duration = Duration::from_secs(2);

/// Callbacks that this node makes, and whether their caller was reached, which the store may have
/// yet to learn: they are not made again, whatever the store and the clock say of their lease.
#[derive(Debug, Clone, Default)]
struct InHand(Arc<Mutex<HashMap<String, bool>>>);

/// One of them, until it is dropped.
struct Held<'a> {
    in_hand: &'a InHand,
    id: &'a str,
}

impl InHand {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ids(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Takes one; `Err`: it is in hand, and whether its caller was reached.
    fn take<'a>(&'a self, id: &'a str) -> Result<Held<'a>, bool> {
        match self.lock().entry(id.to_owned()) {
            Entry::Occupied(held) => Err(*held.get()),
            Entry::Vacant(free) => {
                free.insert(false);
                Ok(Held { in_hand: self, id })
            }
        }
    }
}

impl Held<'_> {
    /// Tells the store until it has taken it, and keeps the lease meanwhile.
    async fn done(&self, store: &Store) {
        let id = self.id;
        self.in_hand.lock().insert(id.to_owned(), true);
        loop {
            match tokio::time::timeout(RENEW, store.callback_done(id)).await {
                Ok(Ok(())) => break,
                Ok(Err(error)) => tracing::warn!(%error, callback = id, "callback: done, not told"),
                Err(_) => tracing::warn!(callback = id, "callback: done, not told in time"),
            }
            // If it is lost, what another node has begun ends once the store has learnt.
            let _ = tokio::time::timeout(RENEW, store.renew_callback(id, LEASE_MS)).await;
            tokio::time::sleep(DONE_AGAIN).await;
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.in_hand.lock().remove(self.id);
    }
}

/// Dials what is due until the node is not ready any more.
pub(super) async fn dial_due(
    services: Services,
    snapshot: Arc<ArcSwap<Snapshot>>,
    asks: mpsc::WeakSender<Ask>,
    ready: watch::Receiver<bool>,
) {
    let at_once = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    let in_hand = InHand::default();
    let mut every = tokio::time::interval(LOOK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        if asks.strong_count() == 0 {
            return;
        }
        let free = i64::try_from(at_once.available_permits()).unwrap_or(0);
        if !*ready.borrow() || free == 0 {
            continue;
        }
        let due = match look(&services.store, &in_hand, free).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "callbacks: the store fails");
                continue;
            }
        };
        for due in due {
            let Ok(permit) = Arc::clone(&at_once).try_acquire_owned() else { break };
            let (services, asks, in_hand) = (services.clone(), asks.clone(), in_hand.clone());
            let snapshot = snapshot.load_full();
            tokio::spawn(async move {
                let id = due.callback_id.clone();
                if let Err(error) = dial(&services, &snapshot, &asks, &in_hand, due).await {
                    tracing::warn!(%error, callback = id, "callback: the store fails");
                }
                drop(permit);
            });
        }
    }
}

async fn look(store: &Store, in_hand: &InHand, free: i64) -> Result<Vec<CallbackDue>, StoreError> {
    store.prepare().await?;
    store.take_back_callbacks(&in_hand.ids()).await?;
    store.claim_callbacks(LEASE_MS, free).await
}

async fn dial(
    services: &Services,
    snapshot: &Snapshot,
    asks: &mpsc::WeakSender<Ask>,
    in_hand: &InHand,
    due: CallbackDue,
) -> Result<(), StoreError> {
    let (store, id) = (&services.store, due.callback_id.clone());
    let held = match in_hand.take(&id) {
        Ok(held) => held,
        // Another node had taken it back. Being claimed has renewed its lease, and who makes it
        // keeps that.
        Err(was_reached) => {
            return if was_reached { store.callback_done(&id).await } else { Ok(()) };
        }
    };
    let not_before = |at_ms: i64| {
        let one_offs = one_offs(services.marks().as_deref());
        open_from(hours(snapshot, &due), at_ms, &due.called, &one_offs)
    };
    let now = wall_ms();
    let open = not_before(now);
    if open > now {
        return store.put_callback_off(&id, open, false).await;
    }
    if !store.callback_calling(&id, LEASE_MS).await? {
        return Ok(()); // another node has it
    }
    if let Some(deliver) = deliver(snapshot, &due) {
        return tell(store, snapshot, deliver, &held, &due).await;
    }
    let (reply, dialled) = oneshot::channel();
    if let Some(asks) = asks.upgrade() {
        let _ = asks.send(Ask::Dial(Box::new(DialOrder { due: due.clone(), reply }))).await;
    }
    let came = hold_on(store, asks, &id, dialled).await;
    metrics::counter!("carom_callbacks_total", "outcome" => word(came)).increment(1);
    match came {
        Dialled::Reached => {
            held.done(store).await;
            Ok(())
        }
        Dialled::Later => store.put_callback_off(&id, wall_ms() + LATER_MS, true).await,
        Dialled::NotReached => {
            let tries = u32::try_from(due.tries).unwrap_or(0).min(5);
            let next = not_before(wall_ms() + BACKOFF_MS * 3_i64.pow(tries));
            let again = store.callback_again(&id, next).await?;
            tracing::info!(callback = id, again, "callback: not reached");
            Ok(())
        }
    }
}

/// The first moment from `at_ms` on at which its target may be rung, ms UTC: hours that are not known
/// are open.
fn open_from(hours: Option<&Hours>, at_ms: i64, called: &str, one_offs: &[OneOff]) -> i64 {
    let Some(hours) = hours else { return at_ms };
    if hours.is_open(at_ms, called, one_offs) != Some(false) {
        return at_ms;
    }
    let next = openings(Some(hours), at_ms, called, one_offs);
    let next = next.first().map(|opening| opening.from_ms);
    let change = || hours.next_change(at_ms, called, one_offs);
    next.unwrap_or_else(|| change().map_or(at_ms + DAY_MS, |change| change.min(at_ms + DAY_MS)))
}

/// The system that calls in our place, as the flow is served now.
fn deliver<'a>(snapshot: &'a Snapshot, due: &CallbackDue) -> Option<&'a Deliver> {
    let flow = snapshot.flows.iter().find(|flow| flow.name == due.flow)?;
    // One that the digital side asked for goes the way of the flow's own.
    let own = |step: &&Step| due.step.is_empty() || step.name == due.step;
    flow.steps.iter().filter(own).find_map(|step| match &step.does {
        Does::Callback(callback) => Some(callback.deliver.as_ref()),
        _ => None,
    })?
}

/// Tells that system whom to call: the number goes with it, and only there.
async fn tell(
    store: &Store,
    snapshot: &Snapshot,
    deliver: &Deliver,
    held: &Held<'_>,
    due: &CallbackDue,
) -> Result<(), StoreError> {
    let id = &due.callback_id;
    let body = json!({
        "id": id,
        "type": "callback.due",
        "version": 1,
        "at_ms": wall_ms(),
        "number": due.number.as_str(),
        "due_ms": due.due_ms,
        "call_id": due.call_id,
        "called": due.called,
        "flow": due.flow,
        "target": due.target,
        "intent": due.intent,
        "language": due.language,
        "context_url": snapshot.config.http.context_url(&due.call_id),
    });
    let secret = snapshot.secrets.get(&deliver.secret);
    let key = secret.and_then(|secret| hooks::key(secret.reveal()).ok());
    let told = match key {
        Some(key) => {
            hooks::post(&deliver.url, &key, id, &body.to_string(), wall_ms() / 1_000).await
        }
        None => Err("its secret is not there".to_owned()),
    };
    let outcome = if told.is_ok() { "delivered" } else { "not_delivered" };
    metrics::counter!("carom_callbacks_total", "outcome" => outcome).increment(1);
    match told {
        Ok(()) => {
            held.done(store).await;
            Ok(())
        }
        Err(why) => {
            let again = store.callback_again(id, wall_ms() + hooks::again_ms(due.tries)).await?;
            tracing::warn!(callback = id, why, again, "callback: its system did not take it");
            Ok(())
        }
    }
}

/// Waits for the outcome and keeps the lease. Without it the call is ended, unless the caller has
/// answered: another node may ring already.
async fn hold_on(
    store: &Store,
    asks: &mpsc::WeakSender<Ask>,
    id: &str,
    mut dialled: oneshot::Receiver<Dialled>,
) -> Dialled {
    let mut held_until = tokio::time::Instant::now() + Duration::from_millis(LEASE_MS as u64);
    loop {
        tokio::select! {
            came = &mut dialled => return came.unwrap_or(Dialled::NotReached),
            () = tokio::time::sleep(RENEW) => {}
        }
        let asked = tokio::time::Instant::now();
        let renewed = tokio::time::timeout(RENEW, store.renew_callback(id, LEASE_MS)).await;
        let lost = match renewed {
            Ok(Ok(true)) => {
                held_until = asked + Duration::from_millis(LEASE_MS as u64);
                false
            }
            Ok(Ok(false)) => true,
            Ok(Err(_)) | Err(_) => asked + 2 * RENEW >= held_until,
        };
        if lost && let Some(asks) = asks.upgrade() {
            let _ = asks.send(Ask::StopDial(id.to_owned())).await;
        }
    }
}

fn word(dialled: Dialled) -> &'static str {
    match dialled {
        Dialled::Reached => "reached",
        Dialled::NotReached => "not_reached",
        Dialled::Later => "later",
    }
}

/// Of the target, as its flow is served now.
fn hours<'a>(snapshot: &'a Snapshot, due: &CallbackDue) -> Option<&'a Hours> {
    let flow = snapshot.flows.iter().find(|flow| flow.name == due.flow)?;
    let target = flow.targets.iter().find(|target| target.name == due.target)?;
    flow.hours.get(usize::from(target.hours?.0))
}

impl Desk {
    pub(super) async fn callbacks(&self, limit: u32) -> Reply {
        match self.services.store.callbacks(limit).await {
            Ok(list) => {
                let views = list.iter().map(|one| {
                    json!({
                        "callback_id": one.callback_id,
                        "call_id": one.call_id,
                        "target": one.target,
                        "to": one.to_masked,
                        "state": one.state,
                        "tries": one.tries,
                        "due_ms": one.due_ms,
                        "created_ms": one.created_ms,
                        "done_ms": one.done_ms,
                    })
                });
                data(&views.collect::<Vec<_>>())
            }
            Err(error) => Reply::Error(format!("the store does not tell: {error}")),
        }
    }

    pub(super) async fn cancel_callback(&self, like: &str, who: &str) -> Reply {
        match self.services.store.cancel_callback(like).await {
            Ok(Some(id)) => {
                self.audited(who, "callback cancel", &id, format!("{id} is canceled")).await
            }
            Ok(None) => {
                Reply::Error(format!("no booked callback, or more than one, begins with `{like}`"))
            }
            Err(error) => Reply::Error(format!("not recorded: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ivr_runtime::hours::{Schedule, Week, parse_spans};

    use super::*;

    const LINE: &str = "+442079460018";
    const MINUTE_MS: i64 = 60_000;
    /// A Monday, 00:00.
    const MONDAY: i64 = 1_800_230_400_000;

    #[test]
    fn dp_06_a_callback_that_is_due_is_made_until_its_target_closes() {
        let hours = hours_of("09:00-17:00");
        let from = |at_ms| open_from(Some(&hours), at_ms, LINE, &[]);
        let (nine, five) = (MONDAY + 9 * 60 * MINUTE_MS, MONDAY + 17 * 60 * MINUTE_MS);
        for at_ms in [nine, five - 2 * MINUTE_MS, five - 1] {
            assert_eq!(from(at_ms), at_ms, "{} ms before it closes", five - at_ms);
        }
        assert_eq!(from(five), nine + DAY_MS);
        assert_eq!(from(nine - 10 * MINUTE_MS), nine);
        assert_eq!(open_from(None, five, LINE, &[]), five, "no hours, always open");
    }

    #[test]
    fn dp_06_a_target_that_is_closed_for_weeks_is_not_rung_as_if_it_were_open() {
        let mut hours = hours_of("09:00-17:00");
        let closed = |until_ms| OneOff {
            hours: "desk".into(),
            open: false,
            from_ms: 0,
            until_ms,
            because: String::new(),
        };
        let noon = MONDAY + 12 * 60 * MINUTE_MS;
        for until_ms in [noon + 30 * DAY_MS, i64::MAX] {
            let from = open_from(Some(&hours), noon, LINE, &[closed(until_ms)]);
            assert_eq!(from, noon + DAY_MS, "looked at again the next day");
        }
        let soon = noon + 15 * DAY_MS;
        assert_eq!(
            open_from(Some(&hours), soon - MINUTE_MS, LINE, &[closed(soon)]),
            soon + MINUTE_MS
        );
        hours.schedule = Schedule::ByCalledNumber(BTreeMap::new());
        assert_eq!(open_from(Some(&hours), noon, LINE, &[]), noon, "no hours for the number");
    }

    fn hours_of(day: &str) -> Hours {
        let days = std::array::from_fn(|_| parse_spans(day).unwrap());
        let week = Week { zone: "UTC".into(), days, holidays: Default::default() };
        Hours { name: "desk".into(), schedule: Schedule::Week(week) }
    }
}
