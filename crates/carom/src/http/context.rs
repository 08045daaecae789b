//! What the PBX's people may know of a forwarded call: the URL of `X-Carom-Context` (DP-08).

use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use deflect_actions::store::CallTimeLine;
use serde_json::{Value, json};

use super::Site;

/// `GET /v1/context/{call_id}`: the caller's way so far; no number, no digit, no text.
pub(super) async fn context(State(site): State<Site>, Path(id): Path<String>) -> Response {
    match site.store.call_time_line(&id).await {
        Ok(Some(line)) => {
            ([(header::CACHE_CONTROL, "no-store")], Json(told(&line))).into_response()
        }
        Ok(None) => (StatusCode::NOT_FOUND, "no such call\n").into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

fn told(line: &CallTimeLine) -> Value {
    let call = &line.call;
    let steps = line.steps.iter().map(|step| {
        json!({
            "step": step.step,
            "kind": step.kind,
            "entered_ms": step.entered_ms,
            "left_ms": step.left_ms,
            "exit": step.exit,
        })
    });
    let offers = line.offers.iter().map(|offer| {
        json!({
            "step": offer.step,
            "stage": offer.stage,
            "intent": offer.intent,
            "response": offer.response,
            "reason": offer.reason,
            "offered_ms": offer.offered_ms,
        })
    });
    let messages = line.messages.iter().map(|message| {
        json!({ "state": message.state, "sender": message.sender, "created_ms": message.created_ms })
    });
    json!({
        "call_id": call.call_id,
        "trunk": call.trunk,
        "called": call.did,
        "caller_region": call.caller_region,
        "flow": call.flow,
        "intent": call.intent,
        "started_ms": call.started_ms,
        "answered_ms": call.answered_ms,
        "forward_target": call.forward_target,
        "steps": steps.collect::<Vec<_>>(),
        "offers": offers.collect::<Vec<_>>(),
        "messages": messages.collect::<Vec<_>>(),
    })
}
