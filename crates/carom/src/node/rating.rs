//! When the text that asks how it went is sent (EX-15): the link has been used for a while, or the
//! session behind it is over, and it is not night where the person is.

use std::sync::Arc;

use deflect_actions::store::{Question, Store, StoreError};
use ivr_runtime::flow::model::{AfterCall, Flow};

use super::clock::wall_ms;

/// Gives the question of a call its moment, as far as that is known by now. A question that the
/// flow does not ask any more is never sent.
pub async fn ask_when_due(store: &Store, flows: &[Arc<Flow>], call_id: &str) {
    if let Err(error) = give_moment(store, flows, call_id).await {
        tracing::warn!(%error, call_id, "nobody is asked how it went");
    }
}

async fn give_moment(store: &Store, flows: &[Arc<Flow>], call_id: &str) -> Result<(), StoreError> {
    let Some(question) = store.question(call_id).await? else { return Ok(()) };
    if question.is_rated {
        return store.ask_no_more(call_id, "rated").await;
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
