//! `POST /v1/outcomes`: the digital side tells what became of a person.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use deflect_actions::store::OutcomeRow;
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Body, Problem, call_back::call_back, number};
use crate::{
    http::{Site, guard::Client},
    node::clock::wall_ms,
};

/// What it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OutcomeKind {
    /// The person's question is answered.
    Resolved,
    /// It is not.
    Unresolved,
    /// The digital side handed the person over to somebody who speaks.
    Escalated,
    /// The person asked to be called.
    CallbackRequested,
    /// The person has begun to use what the link led to.
    Engaged,
    /// A rating, in `csat`.
    Rated,
    /// The person has left what the link led to.
    Closed,
}

impl OutcomeKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::Unresolved => "unresolved",
            Self::Escalated => "escalated",
            Self::CallbackRequested => "callback_requested",
            Self::Engaged => "engaged",
            Self::Rated => "rated",
            Self::Closed => "closed",
        }
    }
}

/// What became of a person: `call_id` or `message_id` says of which.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outcome {
    call_id: Option<String>,
    message_id: Option<String>,
    kind: OutcomeKind,
    /// 1 (bad) to 5 (good).
    csat: Option<i16>,
    /// When, ms since 1970; left out: now.
    at_ms: Option<i64>,
    /// Of a callback: whom to call; left out: where the text of the call went.
    number: Option<String>,
}

/// 204 when it is stored, 200 with what became of a callback that is asked for; told again with
/// the same `Idempotency-Key` it is stored, and booked, once.
pub(crate) async fn outcome(
    State(site): State<Site>,
    Extension(Client(client)): Extension<Client>,
    headers: HeaderMap,
    Body(outcome): Body<Outcome>,
) -> Result<Response, Problem> {
    if outcome.csat.is_some_and(|csat| !(1..=5).contains(&csat)) {
        return Err(Problem::bad("invalid_csat", "`csat` is a number from 1 to 5"));
    }
    if outcome.kind == OutcomeKind::Rated && outcome.csat.is_none() {
        return Err(Problem::bad("invalid_csat", "`rated` needs a `csat` from 1 to 5"));
    }
    if outcome.number.is_some() && outcome.kind != OutcomeKind::CallbackRequested {
        return Err(Problem::bad("invalid_request", "`number` goes with `callback_requested`"));
    }
    let number = outcome.number.as_deref().map(number).transpose()?;
    let call_id = match (&outcome.call_id, &outcome.message_id) {
        (Some(call), None) => site.store.has_call(call).await?.then(|| call.clone()),
        (None, Some(message)) => site.store.call_of_message(message).await?,
        _ => {
            return Err(Problem::bad("invalid_request", "give `call_id` or `message_id`"));
        }
    };
    let Some(call_id) = call_id else {
        return Err(Problem::unknown("no such call, or it is too long ago"));
    };
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let id = match key {
        Some(key) => {
            let mut id = [0; 16];
            id.copy_from_slice(&Sha256::digest(format!("{client}|{key}"))[..16]);
            Uuid::from_bytes(id)
        }
        None => Uuid::now_v7(),
    };
    // Before the outcome: told again after a failure in between, both are there.
    let booked = match outcome.kind {
        OutcomeKind::CallbackRequested => Some(call_back(&site, id, &call_id, number).await?),
        _ => None,
    };
    let row = OutcomeRow {
        outcome_id: if key.is_some() { id.simple().to_string() } else { id.to_string() },
        call_id,
        kind: outcome.kind.as_str().to_owned(),
        csat: outcome.csat,
        at_ms: outcome.at_ms.unwrap_or_else(wall_ms),
        source: client,
    };
    site.store.learn_outcome(&row).await?;
    site.ask_how_it_went(&row.call_id).await;
    Ok(match booked {
        Some(booked) => Json(booked).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}
