//! A callback that a person asks for on the digital side (IC-12): booked as one that is asked for
//! in the call is, with that call as its context.

use deflect_actions::store::{CallbackOrder, Slot};
use ivr_runtime::{
    flow::model::{Callback, Does, Flow},
    hours::openings,
};
use message_text::E164;
use serde::Serialize;
use uuid::Uuid;

use super::Problem;
use crate::{
    http::Site,
    node::clock::wall_ms,
    switchboard::{one_off, refused},
};

/// Tries of a flow that has no `callback` step.
const TRIES: u8 = 3;

/// What became of it.
#[derive(Debug, Serialize)]
pub(super) struct Booked {
    callback_id: Option<String>,
    due_ms: Option<i64>,
    /// Why none is booked: `no_number`, `not_callable`, `no_flow`, `no_trunk`, `full`.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

impl Booked {
    fn not(why: &'static str) -> Self {
        Self { callback_id: None, due_ms: None, why: Some(why) }
    }
}

/// Books the next slot of the call's flow, under `id`, once.
pub(super) async fn call_back(
    site: &Site,
    id: Uuid,
    call_id: &str,
    number: Option<E164>,
) -> Result<Booked, Problem> {
    let id = id.to_string();
    if let Some(due) = site.store.callback_due_ms(&id).await? {
        return Ok(Booked { callback_id: Some(id), due_ms: Some(due), why: None });
    }
    let Some(reach) = site.store.reach(call_id).await? else {
        return Err(Problem::unknown("no such call, or it is too long ago"));
    };
    let snapshot = site.snapshot.load_full();
    let named = |flow: &&std::sync::Arc<Flow>| Some(&flow.name) == reach.flow.as_ref();
    let Some(flow) = snapshot.flows.iter().find(named) else { return Ok(Booked::not("no_flow")) };
    let step = flow.steps.iter().find_map(|step| match &step.does {
        Does::Callback(callback) => Some((step.name.as_str(), callback)),
        _ => None,
    });
    let delivers = step.is_some_and(|(_, callback)| callback.deliver.is_some());
    if !delivers && !snapshot.config.trunks.iter().any(|trunk| trunk.outbound.is_some()) {
        return Ok(Booked::not("no_trunk"));
    }
    let Some(number) = number.or(reach.number) else { return Ok(Booked::not("no_number")) };
    if refused(&snapshot, &number).is_some() {
        return Ok(Booked::not("not_callable"));
    }
    let target = step.and_then(|(_, callback)| callback.target).unwrap_or(flow.human);
    let Some(target) = flow.targets.get(usize::from(target.0)) else {
        return Ok(Booked::not("no_flow"));
    };
    let one_offs: Vec<_> = site.store.one_offs().await?.iter().map(one_off).collect();
    let hours = target.hours.and_then(|id| flow.hours.get(usize::from(id.0)));
    let slots = openings(hours, wall_ms(), &reach.called, &one_offs).into_iter();
    let in_all = snapshot.config.limits.callbacks_per_hour;
    let order = CallbackOrder {
        callback_id: id.clone(),
        call_id: call_id.to_owned(),
        business: reach.business,
        step: step.map_or_else(String::new, |(name, _)| name.to_owned()),
        number,
        target: target.name.clone(),
        max_tries: step.map_or(TRIES, |(_, callback)| callback.max_tries()),
        per_hour: step
            .and_then(|(_, callback): (&str, &Callback)| callback.per_hour)
            .unwrap_or(in_all)
            .min(in_all),
        in_all,
        slots: slots.map(|one| Slot { from_ms: one.from_ms, until_ms: one.until_ms }).collect(),
    };
    Ok(match site.store.book_callback(&order).await? {
        Some(due) => Booked { callback_id: Some(id), due_ms: Some(due), why: None },
        None => Booked::not("full"),
    })
}
