//! `POST /v1/sources/NAME`: a queue tells us how long it is.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Site,
    api::{Body, Problem},
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Facts {
    wait_seconds: Option<u32>,
    agents_available: Option<u32>,
}

/// 204 when it is taken.
pub(super) async fn tell(
    State(site): State<Site>,
    Path(name): Path<String>,
    Body(facts): Body<Facts>,
) -> Result<StatusCode, Problem> {
    match site.sources.tell(&name, facts.wait_seconds, facts.agents_available) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::unknown("no source of that name that is told")),
    }
}
