//! `POST /l/{token}/callback`: whoever would rather talk is called back.

use axum::{
    extract::{ConnectInfo, Path, State},
    http::HeaderMap,
    response::Response,
};
use deflect_actions::{
    link::Page,
    store::{OutcomeRow, Row, StoreError},
};
use ivr_runtime::flow::model::Does;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{
    Found, asker, find,
    html::{self, Notice, Shown},
    path, usable,
};
use crate::{
    http::{Site, api::call_back, patience::Peer},
    node::clock::wall_ms,
};

/// Callbacks that the button of one link books, one after the other.
const PER_LINK: u32 = 20;

/// Whether the flow of the call books callbacks.
pub(super) fn is_offered(site: &Site, found: &Found, page: &Page) -> bool {
    let snapshot = site.landing.0.snapshot.load();
    let flow = snapshot.flows.iter().find(|flow| flow.name == page.flow);
    let books = |step: &ivr_runtime::flow::model::Step| matches!(step.does, Does::Callback(_));
    found.link.call_id.is_some() && flow.is_some_and(|flow| flow.steps.iter().any(books))
}

/// Books one callback for a link, however often its button is pressed until that one is over.
pub(super) async fn call_back_me(
    State(site): State<Site>,
    Path(token): Path<String>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
    headers: HeaderMap,
) -> Response {
    let found = match find(&site, &token, asker(&site, from.ip(), &headers), &headers).await {
        Ok(found) => found,
        Err(refused) => return refused,
    };
    let page = match usable(&site, &found) {
        Ok(page) => page,
        Err(refused) => return *refused,
    };
    let notice = match &found.link.call_id {
        Some(call_id) if is_offered(&site, &found, page) => book(&site, &found, call_id).await,
        _ => Notice::NoCallBack,
    };
    let calls_back = matches!(notice, Notice::NoCallBack) && is_offered(&site, &found, page);
    let path = path(&site, &found.token);
    html::shown(&Shown { page, path: &path, ask: false, calls_back, notice: Some(notice) })
}

async fn book(site: &Site, found: &Found, call_id: &str) -> Notice {
    let Ok(Some(id)) = next_id(site, &found.link.link_id).await else { return Notice::NoCallBack };
    match call_back(site, id, call_id, None).await {
        Ok(booked) if booked.due_ms.is_some() => {
            let outcome = OutcomeRow {
                outcome_id: id.simple().to_string(),
                call_id: call_id.to_owned(),
                kind: "callback_requested".to_owned(),
                csat: None,
                at_ms: wall_ms(),
                source: "page".to_owned(),
            };
            // The callback stands in its own row; this one is for the reports.
            let _ = site.writer.try_write(Row::Outcome(outcome));
            Notice::CallBack
        }
        Ok(_) | Err(_) => Notice::NoCallBack,
    }
}

/// The id of the callback that the link's button books: that of the one that is to come, as long as it
/// is; `None`: there were enough.
async fn next_id(site: &Site, link_id: &str) -> Result<Option<Uuid>, StoreError> {
    for n in 0..PER_LINK {
        let mut id = [0; 16];
        let digest = Sha256::digest(match n {
            0 => format!("callback|{link_id}"),
            _ => format!("callback|{link_id}|{n}"),
        });
        id.copy_from_slice(&digest[..16]);
        let id = Uuid::from_bytes(id);
        if site.store.callback_is_over(&id.to_string()).await? != Some(true) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}
