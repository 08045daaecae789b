//! Callbacks that are due are dialled, whichever node has time; and what the CLI asks of them.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use deflect_actions::{
    hooks,
    store::{CallbackDue, Store, StoreError},
};
use ivr_runtime::{
    flow::model::{Deliver, Does, Step},
    hours::{Hours, openings},
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

/// Dials what is due until the node is not ready any more.
pub(super) async fn dial_due(
    services: Services,
    snapshot: Arc<ArcSwap<Snapshot>>,
    asks: mpsc::WeakSender<Ask>,
    ready: watch::Receiver<bool>,
) {
    let at_once = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
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
        let due = match look(&services.store, free).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "callbacks: the store fails");
                continue;
            }
        };
        for due in due {
            let Ok(permit) = Arc::clone(&at_once).try_acquire_owned() else { break };
            let (services, asks) = (services.clone(), asks.clone());
            let snapshot = snapshot.load_full();
            tokio::spawn(async move {
                let id = due.callback_id.clone();
                if let Err(error) = dial(&services, &snapshot, &asks, due).await {
                    tracing::warn!(%error, callback = id, "callback: the store fails");
                }
                drop(permit);
            });
        }
    }
}

async fn look(store: &Store, free: i64) -> Result<Vec<CallbackDue>, StoreError> {
    store.prepare().await?;
    store.take_back_callbacks().await?;
    store.claim_callbacks(LEASE_MS, free).await
}

async fn dial(
    services: &Services,
    snapshot: &Snapshot,
    asks: &mpsc::WeakSender<Ask>,
    due: CallbackDue,
) -> Result<(), StoreError> {
    let (store, id) = (&services.store, due.callback_id.clone());
    let opening = |after_ms: i64| {
        let at_ms = wall_ms() + after_ms;
        let one_offs = one_offs(services.marks().as_deref());
        let next = openings(hours(snapshot, &due), at_ms, &due.called, &one_offs);
        next.first().map_or(at_ms + LATER_MS, |opening| opening.from_ms)
    };
    let is_open = opening(0) <= wall_ms() + 2 * 60_000;
    if !is_open {
        return store.put_callback_off(&id, opening(0), false).await;
    }
    if !store.callback_calling(&id, LEASE_MS).await? {
        return Ok(()); // another node has it
    }
    if let Some(deliver) = deliver(snapshot, &due) {
        return tell(store, snapshot, deliver, &due).await;
    }
    let (reply, dialled) = oneshot::channel();
    if let Some(asks) = asks.upgrade() {
        let _ = asks.send(Ask::Dial(Box::new(DialOrder { due: due.clone(), reply }))).await;
    }
    let came = hold_on(store, asks, &id, dialled).await;
    metrics::counter!("carom_callbacks_total", "outcome" => word(came)).increment(1);
    match came {
        Dialled::Reached => store.callback_done(&id).await,
        Dialled::Later => store.put_callback_off(&id, wall_ms() + LATER_MS, true).await,
        Dialled::NotReached => {
            let tries = u32::try_from(due.tries).unwrap_or(0).min(5);
            let again = store.callback_again(&id, opening(BACKOFF_MS * 3_i64.pow(tries))).await?;
            tracing::info!(callback = id, again, "callback: not reached");
            Ok(())
        }
    }
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
        Ok(()) => store.callback_done(id).await,
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
