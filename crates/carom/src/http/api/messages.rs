//! `GET /v1/messages/{id}`: what became of a text, for IVRs that want to tell the caller.

use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};

use super::Problem;
use crate::http::Site;

/// Its state and times; no number and no text.
pub(crate) async fn message(
    State(site): State<Site>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let Some(message) = site.store.message_with(&id).await? else {
        return Err(Problem::unknown("no such message"));
    };
    Ok(Json(json!({
        "message_id": message.message_id,
        "call_id": message.call_id,
        "state": message.state,
        "sender": message.sender,
        "segments": message.segments,
        "error_class": message.error_class,
        "created_ms": message.created_ms,
        "accepted_ms": message.accepted_ms,
        "delivered_ms": message.delivered_ms,
    })))
}
