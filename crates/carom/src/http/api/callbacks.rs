//! `POST /v1/callbacks`: another system has somebody called back, who need not have called.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use deflect_actions::store::{CallStarted, OutcomeRow, Row};
use message_text::E164;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Body, Problem,
    call_back::{Booked, Wanted, book, steps},
    number, once,
};
use crate::{
    http::{Site, guard::Client},
    node::{clock::wall_ms, on_paper},
};

/// Somebody wants to be called.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallbackWanted {
    /// With + and country code; left out: where the last text of the call went.
    number: Option<String>,
    /// The call that it goes back to.
    call_id: Option<String>,
    /// The text that it goes back to.
    message_id: Option<String>,
    /// The line whose flow says who is rung, and when; left out: that of the call.
    called: Option<String>,
    /// A `callback` step of that flow; left out: its first.
    step: Option<String>,
    /// Not before, ms since 1970.
    not_before_ms: Option<i64>,
}

/// It is booked.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CallbackTold {
    callback_id: String,
    /// When it is dialled, ms since 1970.
    due_ms: i64,
}

/// Books the next slot that has room; told again with the same `Idempotency-Key` it is booked
/// once. A call that it goes back to counts as escalated, never as contained.
pub(crate) async fn callback(
    State(site): State<Site>,
    Extension(Client(client)): Extension<Client>,
    headers: HeaderMap,
    Body(wanted): Body<CallbackWanted>,
) -> Result<(StatusCode, Json<CallbackTold>), Problem> {
    let once = once::Once::of("callbacks", &client, &headers)?;
    let id = once::id(once.as_ref());
    let _turn = site.turns.turn(&id).await;
    let booked_before = site.store.callback_due_ms(&id).await?;
    let of_call = match (&wanted.call_id, &wanted.message_id) {
        (Some(call), _) => Some(call.clone()),
        (None, Some(message)) => {
            let call = site.store.call_of_message(message).await?;
            if call.is_none() && booked_before.is_none() {
                return Err(Problem::unknown("no such message"));
            }
            call
        }
        (None, None) => None,
    };
    if let Some(due_ms) = booked_before {
        // What a failure left undone the first time is done now.
        escalate(&site, &id, of_call, client).await?;
        return Ok(told(id, due_ms));
    }
    let reach = match &of_call {
        Some(call) => {
            Some(site.store.reach(call).await?.ok_or_else(|| Problem::unknown("no such call"))?)
        }
        None => None,
    };
    let given = wanted.number.as_deref().map(number).transpose()?;
    let texted = reach.as_ref().and_then(|reach| reach.number.clone());
    let person = given.or(texted).ok_or_else(|| {
        Problem::bad("no_number", "nobody knows the number, or any more: give `number`")
    })?;
    let line = reach.map_or_else(String::new, |reach| reach.called);
    let called = wanted.called.unwrap_or(line);
    let snapshot = site.snapshot.load_full();
    let flow = snapshot.flow_for(&called);
    let mut all = steps(flow);
    let step = match &wanted.step {
        None => all.next(),
        Some(named) => Some(all.find(|(name, _)| name == named).ok_or_else(|| {
            let message = format!("the flow of that line has no callback step `{named}`");
            Problem::bad("no_step", message)
        })?),
    };
    let business = snapshot.config.business(flow.business.as_deref());
    let business = business.map_or("", |business| business.key.as_str());
    let escalated = of_call.clone();
    let (call_id, own) = match of_call {
        Some(call_id) => (call_id, None),
        None => {
            let call = on_its_own(&site, &client, business, &person);
            (call.call_id.clone(), Some(call))
        }
    };
    let wanted = Wanted {
        id: id.clone(),
        call_id,
        business: business.to_owned(),
        called: &called,
        flow,
        step,
        number: person,
        from_ms: wanted.not_before_ms.unwrap_or(0).max(wall_ms()),
    };
    let Booked { due_ms, why, .. } = book(&site, wanted).await?;
    let Some(due_ms) = due_ms else { return Err(not_booked(why.unwrap_or_default())) };
    if let Some(call) = own {
        let ended = on_paper::ended(&call, "callback_booked");
        for row in [Row::CallStarted(call), ended] {
            let _ = site.writer.try_write(row);
        }
    }
    escalate(&site, &id, escalated, client).await?;
    Ok(told(id, due_ms))
}

/// A call that a callback goes back to was not contained.
async fn escalate(
    site: &Site,
    id: &str,
    call_id: Option<String>,
    source: String,
) -> Result<(), Problem> {
    let Some(call_id) = call_id else { return Ok(()) };
    let outcome = OutcomeRow {
        outcome_id: format!("{id}-asked"),
        call_id,
        kind: "callback_requested".to_owned(),
        csat: None,
        at_ms: wall_ms(),
        source,
    };
    Ok(site.store.learn_outcome(&outcome).await?)
}

fn told(callback_id: String, due_ms: i64) -> (StatusCode, Json<CallbackTold>) {
    (StatusCode::CREATED, Json(CallbackTold { callback_id, due_ms }))
}

fn not_booked(why: &'static str) -> Problem {
    match why {
        "full" => Problem::of(StatusCode::CONFLICT, "full", "no slot has room"),
        "limited" => {
            let message = "the number has had its callbacks (`[limits] callbacks_per_caller`)";
            Problem::of(StatusCode::TOO_MANY_REQUESTS, why, message)
        }
        "no_trunk" => Problem::bad(why, "no trunk has `outbound = true`"),
        "not_callable" => Problem::bad(why, "the number may not be called"),
        _ => Problem::bad("no_flow", "the flow of that line has nobody to ring"),
    }
}

/// Nobody called: the callback has a call of its own, which is written once it is booked.
fn on_its_own(site: &Site, client: &str, business: &str, person: &E164) -> CallStarted {
    let keys = site.store.keys().caller_keys(business, person, wall_ms());
    let snapshot = site.snapshot.load();
    on_paper::started("api", Some(client), business, person, &snapshot, keys)
}
