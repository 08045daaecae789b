//! When the text that asks how it went is sent (EX-15): the link has been used for a while, or the
//! session behind it is over, and it is not night where the person is.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use deflect_actions::store::{Question, Store, StoreError};
use ivr_runtime::flow::model::{AfterCall, Flow};

use super::clock::wall_ms;
use crate::config::Snapshot;

/// Between two looks for questions whose moment nobody saw.
const LOOK: Duration = Duration::from_secs(5);

/// Gives a moment to the questions that came into the outbox after somebody was at their link, and
/// to those whose node died as somebody was. Ends with the node.
pub(super) async fn ask_what_was_left(store: Store, served: Arc<ArcSwap<Snapshot>>) {
    let mut every = tokio::time::interval(LOOK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        match left(&store).await {
            Ok(calls) => {
                let flows = &served.load_full().flows;
                for call_id in calls {
                    ask_when_due(&store, flows, &call_id).await;
                }
            }
            Err(error) => tracing::warn!(%error, "questions how it went: the store fails"),
        }
    }
}

async fn left(store: &Store) -> Result<Vec<String>, StoreError> {
    store.prepare().await?;
    store.questions_left().await
}

/// Gives the question of a call its moment, as far as that is known by now. A question that the
/// flow does not ask any more is never sent.
pub async fn ask_when_due(store: &Store, flows: &[Arc<Flow>], call_id: &str) {
    if let Err(error) = give_moment(store, flows, call_id).await {
        tracing::warn!(%error, call_id, "nobody is asked how it went");
    }
}

async fn give_moment(store: &Store, flows: &[Arc<Flow>], call_id: &str) -> Result<(), StoreError> {
    let Some(question) = store.question(call_id).await? else { return Ok(()) };
    if let Some(why) = question.settled {
        return store.ask_no_more(call_id, why).await;
    }
    let Some(after) = asked_by(flows, &question) else { return Ok(()) };
    let Some(opened_ms) = question.opened_ms else { return Ok(()) };
    let waking = match question.closed_ms {
        Some(_) => after.waking_at(wall_ms(), &question.region),
        None => after.waking(opened_ms, &question.region),
    };
    let Some(waking) = waking else { return Ok(()) };
    store.ask_at(&question.message_id, waking.from_ms, waking.until_ms).await
}

fn asked_by<'a>(flows: &'a [Arc<Flow>], question: &Question) -> Option<&'a AfterCall> {
    let name = question.step.strip_prefix("after_call.")?;
    let flow = flows.iter().find(|flow| flow.name == question.flow)?;
    flow.after_call.iter().find(|after| after.name == name && after.asks_rating)
}
