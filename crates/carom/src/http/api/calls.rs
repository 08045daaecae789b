//! `/v1/calls/{call_id}/…`: what those who have a running call tell of it.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use deflect_actions::queue::Taken;
use ivr_runtime::flow::model::HumanSignal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::Problem;
use crate::{
    http::Site,
    switchboard::{Answered, Ask, LinkOrder},
};

/// What the person knows who wants a link sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkOrdered {
    /// The caller has said that their number is right.
    #[serde(default)]
    number_confirmed: bool,
}

/// `POST /v1/calls/{call_id}/human`: a person has taken the call. 204 also where that was known.
pub(crate) async fn human(
    State(site): State<Site>,
    Path(call): Path<String>,
) -> Result<StatusCode, Problem> {
    let (reply, found) = oneshot::channel();
    let by = HumanSignal::Api;
    let answered = Answered { call: Taken::Call(call), by, reply: Some(reply) };
    match ask(&site, Ask::Answered(answered), found).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => {
            Err(Problem::unknown("no such call waits at a target with `human_signal = \"api\"`"))
        }
    }
}

/// A link is on its way to the caller.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LinkSent {
    call_id: String,
}

/// `POST /v1/calls/{call_id}/send-link`: the person who talks with the caller has the link of the
/// call's target sent. 202: it is on its way; what became of it is on the call's record.
pub(crate) async fn send_link(
    State(site): State<Site>,
    Path(call): Path<String>,
    Query(ordered): Query<LinkOrdered>,
) -> Result<(StatusCode, Json<LinkSent>), Problem> {
    let (reply, told) = oneshot::channel();
    let order = Ask::SendLink(call.clone(), ordered.number_confirmed, reply);
    match ask(&site, order, told).await? {
        LinkOrder::Sent => Ok((StatusCode::ACCEPTED, Json(LinkSent { call_id: call }))),
        LinkOrder::Refused(why) => Err(Problem::refused(why)),
        LinkOrder::NoCall => Err(Problem::unknown("no such call is running here")),
    }
}

/// What the switchboard says.
async fn ask<T>(site: &Site, ask: Ask, reply: oneshot::Receiver<T>) -> Result<T, Problem> {
    let stopping = || Problem::unknown("the node is stopping");
    let board = site.asks.upgrade().ok_or_else(stopping)?;
    board.send(ask).await.map_err(|_| stopping())?;
    drop(board);
    reply.await.map_err(|_| stopping())
}
