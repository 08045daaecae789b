//! What the PBX's people may know of a forwarded call: the URL of `X-Carom-Context` (DP-08).

use std::time::Duration;

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use deflect_actions::{link::Token, store::CallTimeLine};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Site, api::Problem};
use crate::{
    config::Scope,
    node::clock::wall_ms,
    switchboard::{Ask, Known},
};

/// The switchboard answers at once; one that does not is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// `GET /v1/context/{call_id}`: the caller's way so far; no number, no text, and of what was typed
/// the last digits while the call lasts.
pub(super) async fn context(
    State(site): State<Site>,
    Extension(scope): Extension<Scope>,
    method: Method,
    Path(id): Path<String>,
) -> Response {
    if let Some(token) = Token::parse(&id) {
        if method == Method::HEAD && scope == Scope::Context {
            // Its answer has no body: the one reading is not spent on it.
            let told = Problem::of(StatusCode::METHOD_NOT_ALLOWED, "get_only", "ask by GET");
            return ([(header::ALLOW, "GET")], told).into_response();
        }
        return of_link(&site, &token, scope).await;
    }
    match site.store.call_time_line(&id).await {
        Ok(Some(line)) => {
            let known = known(&site, &line.call.call_id).await;
            let mut told = told(&line);
            if let Some(known) = known {
                told["intent"] = json!(known.intent);
                told["language"] = json!(known.language);
                told["known"] = json!(known.fields);
            }
            ([(header::CACHE_CONTROL, "no-store")], Json(told)).into_response()
        }
        Ok(None) => Problem::unknown("no such call").into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}

/// What the flow of a running call has learnt; `None` once it is over: it is written nowhere.
async fn known(site: &Site, call_id: &str) -> Option<Known> {
    let (reply, known) = oneshot::channel();
    site.asks.upgrade()?.send(Ask::Known(call_id.to_owned(), reply)).await.ok()?;
    tokio::time::timeout(PATIENCE, known).await.ok()?.ok()?
}

/// `GET /v1/context/{token}`: a bot that a link led to asks who comes, once (KH-16); who may read calls,
/// as often as they like while the link is good.
async fn of_link(site: &Site, token: &Token, scope: Scope) -> Response {
    let unknown = || Problem::unknown("no such link").into_response();
    let failed = |error| Problem::from(error).into_response();
    let link = match site.store.link(token).await {
        Ok(Some(link)) => link,
        Ok(None) => return unknown(),
        Err(error) => return failed(error),
    };
    let Some(page) = &link.page else { return unknown() };
    let may_read = match scope {
        Scope::Read => Ok(wall_ms() < link.expires_ms),
        _ => site.store.take_context(&link.link_id).await,
    };
    match may_read {
        Ok(true) => {}
        Ok(false) => {
            let told = Problem::of(StatusCode::GONE, "gone", "asked before, or too late");
            return told.into_response();
        }
        Err(error) => return failed(error),
    }
    let button = page.buttons.iter().find(|button| button.link == link.destination);
    let told = json!({
        "call_id": link.call_id,
        "link": link.destination,
        "topic": page.topic,
        "language": page.language,
        "path": page.path,
        "called": page.phone,
        "level": button.map_or("L0", |button| button.level.as_str()),
        "context": button.map(|button| &button.context),
    });
    ([(header::CACHE_CONTROL, "no-store")], Json(told)).into_response()
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
