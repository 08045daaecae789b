//! A button is pressed: the link is redeemed, and leads on.

use std::time::Duration;

use axum::{
    extract::{ConnectInfo, Form, Path, State, rejection::FormRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use deflect_actions::{
    destination,
    link::{Button, Does, Page, Statement},
};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Found, asker, bound, call_back, find,
    html::{self, Notice, Shown},
    path, usable,
};
use crate::{config, http::Site, http::patience::Peer, node::clock::wall_ms};

/// A provider that invites is waited for this long.
const INVITE: Duration = Duration::from_secs(5);

#[derive(Debug, Default, Deserialize)]
pub(super) struct Pressed {
    /// Number of the button.
    to: Option<usize>,
    /// Number of the button whose app is meant.
    app: Option<usize>,
}

/// `POST /l/{token}`.
pub(super) async fn press(
    State(site): State<Site>,
    Path(token): Path<String>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
    headers: HeaderMap,
    form: Result<Form<Pressed>, FormRejection>,
) -> Response {
    let found = match find(&site, &token, asker(&site, from.ip(), &headers), &headers).await {
        Ok(found) => found,
        Err(refused) => return refused,
    };
    let page = match usable(&site, &found) {
        Ok(page) => page,
        Err(refused) => return *refused,
    };
    let pressed = form.map(|Form(pressed)| pressed).unwrap_or_default();
    let app = pressed.app.and_then(|n| page.buttons.get(n)?.app_url.clone());
    let button = pressed.to.or(pressed.app).and_then(|n| page.buttons.get(n));
    let Some(button) = button else {
        return html::keep_to_itself(StatusCode::BAD_REQUEST.into_response());
    };
    let first = match redeem(&site, &found, button).await {
        Ok(first) => first,
        Err(refused) => return refused,
    };
    let response = match app {
        Some(app) => {
            metrics::counter!("carom_link_apps_total", "link" => button.link.clone()).increment(1);
            if let Err(error) = site.store.app_opened(&found.link.link_id).await {
                tracing::warn!(%error, "the opening of an app is not recorded");
            }
            see(&app)
        }
        None => lead_on(&site, &found, page, button, first).await,
    };
    bound(response, &site, &found)
}

/// `Ok(true)`: this press is the first.
async fn redeem(site: &Site, found: &Found, button: &Button) -> Result<bool, Response> {
    if found.link.redeemed_ms.is_some() {
        return Ok(false);
    }
    let (link_id, browser) = (&found.link.link_id, found.browser.hash());
    match site.store.redeem_link(link_id, &button.link, &browser).await {
        Ok(true) => {
            metrics::counter!("carom_links_redeemed_total", "link" => button.link.clone())
                .increment(1);
            if let Some(call_id) = &found.link.call_id {
                site.ask_how_it_went(call_id).await;
            }
            Ok(true)
        }
        // Pressed twice; or another browser was faster by a moment.
        Ok(false) => match site.store.link(&found.token).await {
            Ok(Some(link)) if link.browser == Some(browser) => Ok(false),
            _ => Err(html::refused(html::Refused::Elsewhere, &super::owner(site))),
        },
        Err(error) => {
            tracing::warn!(%error, "a link cannot be redeemed");
            Err(html::refused(html::Refused::Busy, &super::owner(site)))
        }
    }
}

async fn lead_on(
    site: &Site,
    found: &Found,
    page: &Page,
    button: &Button,
    first: bool,
) -> Response {
    match button.does {
        Does::Go | Does::Telegram | Does::Messenger | Does::Whatsapp | Does::Apple => {
            see(&button.address(&found.token))
        }
        Does::HandOver => match statement(site, page, button) {
            Some(statement) => html::hand_over(page, &button.url, &statement),
            None => see(&button.url),
        },
        Does::Invite => {
            let notice = match invite_once(site, found, page, button).await {
                true => Notice::Invited,
                false => {
                    // It may be tried again; what another button led to stays.
                    if first && let Err(error) = site.store.unredeem_link(&found.link.link_id).await
                    {
                        tracing::warn!(%error, "a link stays redeemed though it led nowhere");
                    }
                    Notice::NotInvited
                }
            };
            let path = path(site, &found.token);
            let calls_back = call_back::is_offered(site, found, page);
            html::shown(&Shown { page, path: &path, ask: false, calls_back, notice: Some(notice) })
        }
    }
}

/// Who comes, signed with the link's secret where it has one, else with our key.
fn statement(site: &Site, page: &Page, button: &Button) -> Option<String> {
    let desk = &site.landing.0;
    let snapshot = desk.snapshot.load();
    let secret = config::link(&snapshot, &page.flow, &button.link).and_then(|l| l.secret.clone());
    let issuer = snapshot.config.http.public_url.clone().unwrap_or_default();
    let audience = html::origin(&button.url)?;
    let id = Uuid::now_v7().to_string();
    let statement = Statement {
        issuer: &issuer,
        audience: &audience,
        id: &id,
        now: wall_ms() / 1_000,
        level: &button.level,
        topic: page.topic.as_deref(),
        language: &page.language,
        context: &button.context,
    };
    match secret {
        None => {
            let signed = desk.signer.sign(&statement);
            if signed.is_none() {
                tracing::error!(link = button.link, "a statement of a link could not be signed");
            }
            signed
        }
        Some(named) => {
            let secret = snapshot.secrets.get(&named)?;
            Some(statement.sign_with_secret(secret.reveal().as_bytes()))
        }
    }
}

/// Whether the business has taken it to write, by this button, now or before.
async fn invite_once(site: &Site, found: &Found, page: &Page, button: &Button) -> bool {
    let link_id = &found.link.link_id;
    let _turn = site.turns.turn(&format!("invite {link_id}")).await;
    let invited = match site.store.link(&found.token).await {
        Ok(link) => link.is_some_and(|link| link.invited.contains(&button.link)),
        Err(error) => {
            tracing::warn!(%error, "nobody knows whether somebody was asked to write");
            return false;
        }
    };
    if invited || !invite(site, found, page, button).await {
        return invited;
    }
    if let Err(error) = site.store.invited(link_id, &button.link).await {
        tracing::warn!(%error, "that the business writes is not recorded");
    }
    true
}

/// The provider writes to the caller.
async fn invite(site: &Site, found: &Found, page: &Page, button: &Button) -> bool {
    let desk = &site.landing.0;
    let snapshot = desk.snapshot.load_full();
    let link = config::link(&snapshot, &page.flow, &button.link);
    let Some(destination) = link.and_then(|link| config::destination(&snapshot.config, link))
    else {
        tracing::warn!(link = button.link, "a link that is pressed is not there any more");
        return false;
    };
    let caller = match &found.link.message_id {
        Some(message) => site.store.number_of(message).await.unwrap_or_default(),
        None => None,
    };
    let context = destination::Context {
        call_id: found.link.call_id.clone().unwrap_or_default(),
        caller: caller.map(|caller| caller.to_string()),
        called: page.phone.clone().unwrap_or_default(),
        language: page.language.clone(),
        topic: page.topic.clone(),
        path: page.path.clone(),
        wait_seconds: None,
        handed: button.context.clone(),
    };
    let reference = button.reference.as_deref();
    match desk.destinations.invite(&destination, reference, &context, INVITE).await {
        Ok(()) => true,
        Err(why) => {
            tracing::warn!(link = button.link, why, "the provider does not invite");
            false
        }
    }
}

fn see(url: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(url) else {
        return html::keep_to_itself(StatusCode::BAD_GATEWAY.into_response());
    };
    html::keep_to_itself((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}
