//! A callback that a person asks for on the digital side (IC-12): booked as one that is asked for
//! in a call is, in the hours and the capacity of its flow.

use deflect_actions::store::{CallbackBooked, CallbackOrder, Room};
use ivr_runtime::flow::model::{Callback, Does, Flow};
use message_text::E164;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::Problem;
use crate::{
    http::Site,
    node::clock::wall_ms,
    switchboard::{callbacks_per_caller, refused, slots},
};

/// Tries of a flow that has no `callback` step.
const TRIES: u8 = 3;

/// What became of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CallbackBooked")]
pub(crate) struct Booked {
    pub(super) callback_id: Option<String>,
    /// When it is dialled, ms since 1970.
    pub(crate) due_ms: Option<i64>,
    /// Why none is booked: `no_number`, `not_callable`, `no_flow`, `no_trunk`, `full`,
    /// `limited`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<&'static str>,
}

/// Who is to be called back, on whose behalf.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub id: String,
    pub call_id: String,
    pub business: String,
    /// The line.
    pub called: &'a str,
    pub flow: &'a Flow,
    /// A `callback` step of the flow; `None`: its first, if it has one.
    pub step: Option<(&'a str, &'a Callback)>,
    pub number: E164,
    /// Not before, ms UTC.
    pub from_ms: i64,
}

impl Booked {
    fn not(why: &'static str) -> Self {
        Self { callback_id: None, due_ms: None, why: Some(why) }
    }

    /// As it was booked before.
    pub(super) fn already(id: String, due_ms: i64) -> Self {
        Self { callback_id: Some(id), due_ms: Some(due_ms), why: None }
    }
}

/// Books the next slot of the call's flow, under `id`, once.
pub(in crate::http) async fn call_back(
    site: &Site,
    id: Uuid,
    call_id: &str,
    number: Option<E164>,
) -> Result<Booked, Problem> {
    let id = id.to_string();
    if let Some(due) = site.store.callback_due_ms(&id).await? {
        return Ok(Booked::already(id, due));
    }
    let Some(reach) = site.store.reach(call_id).await? else {
        return Err(Problem::unknown("no such call, or it is too long ago"));
    };
    let snapshot = site.snapshot.load_full();
    let named = |flow: &&std::sync::Arc<Flow>| Some(&flow.name) == reach.flow.as_ref();
    let Some(flow) = snapshot.flows.iter().find(named) else { return Ok(Booked::not("no_flow")) };
    let Some(number) = number.or(reach.number) else { return Ok(Booked::not("no_number")) };
    let wanted = Wanted {
        id,
        call_id: call_id.to_owned(),
        business: reach.business,
        called: &reach.called,
        flow,
        step: steps(flow).next(),
        number,
        from_ms: wall_ms(),
    };
    book(site, wanted).await
}

/// The `callback` steps of a flow, in order.
pub(super) fn steps(flow: &Flow) -> impl Iterator<Item = (&str, &Callback)> {
    flow.steps.iter().filter_map(|step| match &step.does {
        Does::Callback(callback) => Some((step.name.as_str(), callback)),
        _ => None,
    })
}

/// Books the next slot that has room.
pub(super) async fn book(site: &Site, wanted: Wanted<'_>) -> Result<Booked, Problem> {
    let Wanted { id, call_id, business, called, flow, step, number, from_ms } = wanted;
    let snapshot = site.snapshot.load_full();
    let delivers = step.is_some_and(|(_, callback)| callback.deliver.is_some());
    if !delivers && !snapshot.config.trunks.iter().any(|trunk| trunk.outbound.is_some()) {
        return Ok(Booked::not("no_trunk"));
    }
    if refused(&snapshot, &number).is_some() {
        return Ok(Booked::not("not_callable"));
    }
    let target = step.and_then(|(_, callback)| callback.target).unwrap_or(flow.human);
    let Some(target) = flow.targets.get(usize::from(target.0)) else {
        return Ok(Booked::not("no_flow"));
    };
    let hours = target.hours.and_then(|id| flow.hours.get(usize::from(id.0)));
    let in_all = snapshot.config.limits.callbacks_per_hour;
    let per_hour = step.and_then(|(_, callback)| callback.per_hour).unwrap_or(in_all).min(in_all);
    let order = CallbackOrder {
        callback_id: id.clone(),
        call_id,
        business,
        flow: flow.name.clone(),
        called: called.to_owned(),
        step: step.map_or_else(String::new, |(name, _)| name.to_owned()),
        number,
        max_tries: step.map_or(TRIES, |(_, callback)| callback.max_tries()),
        per_caller: callbacks_per_caller(&snapshot),
        room: Room {
            target: target.name.clone(),
            per_hour,
            in_all,
            slots: slots(hours, from_ms, called, site.marks().as_deref()),
        },
    };
    Ok(match site.store.book_callback(&order).await? {
        CallbackBooked::Due(due) => Booked::already(id, due),
        CallbackBooked::Full => Booked::not("full"),
        CallbackBooked::Limited => Booked::not("limited"),
    })
}
