//! `POST /v1/sources/NAME`: a queue tells us how long it is.

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Site;

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
    facts: Result<Json<Facts>, JsonRejection>,
) -> Response {
    let Json(facts) = match facts {
        Ok(facts) => facts,
        Err(why) => return (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
    };
    if site.sources.tell(&name, facts.wait_seconds, facts.agents_available) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        (StatusCode::NOT_FOUND, "no source of that name that is told\n").into_response()
    }
}
