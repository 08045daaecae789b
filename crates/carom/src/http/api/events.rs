//! `POST /v1/events`: what happens before a call: who was on a page, came by an entry point, was
//! helped there (EX-17, EX-20, IC-14).

use axum::{Extension, Json, extract::State, http::HeaderMap};
use deflect_actions::store::{Became, Contact};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Body, Problem, business, number, once};
use crate::{
    http::{Site, guard::Client},
    node::clock::wall_ms,
};

/// Bytes of a name.
const LONGEST: usize = 64;
/// Clocks of others may be ahead by so much, ms.
const AHEAD_MS: i64 = 60_000;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EventKind {
    /// Somebody looked at a page. Flows know how often within the last hour, as `site_visits`.
    Visit,
    /// Somebody came by an entry point: a tracked link, a push message, the checkout.
    Contact,
    /// They use what they found: a chat has begun.
    Engaged,
    /// Their question is answered.
    Solved,
}

/// Something that happened before a call.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Event {
    kind: EventKind,
    /// Where: `help-page`, `app`, `checkout`, … Needed without `contact_id`.
    entry_point: Option<String>,
    /// Of what `engaged` or `solved` tells, where that was told before.
    contact_id: Option<String>,
    /// Who, with + and country code; left out where nobody knows.
    number: Option<String>,
    /// Whose: `X` of `[business.X]`; needed where there are several.
    business: Option<String>,
    /// When, ms since 1970; left out: now.
    at_ms: Option<i64>,
}

/// It is kept.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EventKept {
    /// By which `engaged` and `solved` are told later.
    contact_id: String,
}

/// Keeps an event; told again with the same `Idempotency-Key` it is kept once.
pub(crate) async fn event(
    State(site): State<Site>,
    Extension(Client(client)): Extension<Client>,
    headers: HeaderMap,
    Body(event): Body<Event>,
) -> Result<Json<EventKept>, Problem> {
    let now = wall_ms();
    let at_ms = event.at_ms.unwrap_or(now);
    if !(0..=now + AHEAD_MS).contains(&at_ms) {
        return Err(Problem::bad("invalid_time", "`at_ms` is no moment of the past"));
    }
    let became = match event.kind {
        EventKind::Visit | EventKind::Contact => None,
        EventKind::Engaged => Some(Became::Engaged),
        EventKind::Solved => Some(Became::Solved),
    };
    if let Some(contact_id) = event.contact_id {
        let Some(became) = became else {
            let message = "`contact_id` is for `engaged` and `solved`";
            return Err(Problem::bad("invalid_request", message));
        };
        if !site.store.contact_became(&contact_id, became, at_ms).await? {
            return Err(Problem::unknown("no such contact, or it is too long ago"));
        }
        return Ok(Json(EventKept { contact_id }));
    }
    let named =
        |name: &String| (1..=LONGEST).contains(&name.len()) && !name.contains(char::is_control);
    let Some(entry_point) = event.entry_point.filter(named) else {
        let message = format!("`entry_point` is a name of 1 to {LONGEST} bytes");
        return Err(Problem::bad("invalid_name", message));
    };
    let contact = Contact {
        contact_id: once::id(once::Once::of("events", &client, &headers)?.as_ref()),
        kind: if event.kind == EventKind::Visit { "visit" } else { "contact" },
        entry_point,
        business: business(&site, event.business.as_deref())?,
        number: event.number.as_deref().map(number).transpose()?,
        at_ms,
        engaged_ms: became.map(|_| at_ms),
        solved_ms: became.filter(|became| *became == Became::Solved).map(|_| at_ms),
    };
    site.store.keep_contact(&contact).await?;
    Ok(Json(EventKept { contact_id: contact.contact_id }))
}
