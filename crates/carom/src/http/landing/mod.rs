//! The pages that links in texts lead to (requirements §4.10).
//!
//! GET shows a page and changes nothing that matters: programs that preview links fetch it too.
//! A button, pressed, redeems the link and binds it to the browser.

mod call_back;
mod entry;
mod guesses;
mod html;
mod people;
mod press;
mod words;

use std::{net::IpAddr, sync::Arc};

use arc_swap::ArcSwap;
use axum::{
    Json, Router,
    extract::{ConnectInfo, Form, Path, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use deflect_actions::{
    destination::Destinations,
    link::{Page, Signer, Token},
    store::{LinkSeen, Row, StoredLink, rating_rows},
};
use serde::Deserialize;

use self::{
    guesses::{FREE, Guesses},
    html::{Notice, Owner, Refused, Shown},
};
use super::{Site, origin::origin, patience::Peer};
use crate::{config::Snapshot, node::clock::wall_ms};

/// Name of the cookie that binds a link to a browser; its path is the page's.
const COOKIE: &str = "carom_link";

/// What the pages need beside the store.
#[derive(Clone)]
pub struct Desk(Arc<Inner>);

struct Inner {
    /// Links, their secrets and providers as they are now.
    snapshot: Arc<ArcSwap<Snapshot>>,
    signer: Signer,
    destinations: Destinations,
    guesses: Guesses,
    /// Of entry points.
    visits: Guesses,
}

impl Desk {
    /// A desk for what `snapshot` holds at any time.
    #[must_use]
    pub fn new(
        snapshot: Arc<ArcSwap<Snapshot>>,
        signer: Signer,
        destinations: Destinations,
    ) -> Self {
        Self(Arc::new(Inner {
            snapshot,
            signer,
            destinations,
            guesses: Guesses::default(),
            visits: Guesses::default(),
        }))
    }
}

/// The routes; none of them needs a token of ours.
pub(super) fn routes() -> Router<Site> {
    Router::new()
        .route("/l/{token}", get(page).post(press::press))
        .route("/l/{token}/rating", post(rate))
        .route("/l/{token}/callback", post(call_back::call_back_me))
        .route("/e/{name}", get(entry::enter))
        .route("/.well-known/jwks.json", get(jwks))
}

/// A link that is there, and who asks for it.
struct Found {
    token: Token,
    link: StoredLink,
    /// Names the browser: what its cookie says, or is told to say from now on.
    browser: Token,
}

impl Found {
    /// It was redeemed in this browser.
    fn is_mine(&self) -> bool {
        self.link.browser.as_ref().is_some_and(|bound| *bound == self.browser.hash())
    }
}

/// `GET /l/{token}`.
async fn page(
    State(site): State<Site>,
    Path(token): Path<String>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let found = match find(&site, &token, asker(&site, from.ip(), &headers), &headers).await {
        Ok(found) => found,
        Err(refused) => return refused,
    };
    let Found { token, link, .. } = &found;
    let in_browser = people::is_browser(&method, &headers);
    if method == Method::GET {
        let seen = LinkSeen { link_id: link.link_id.clone(), at_ms: wall_ms() };
        let _ = site.writer.try_write(Row::LinkSeen(seen));
        let who = if in_browser { "browser" } else { "program" };
        metrics::counter!("carom_link_fetches_total", "by" => who).increment(1);
    }
    let page = match usable(&site, &found) {
        Ok(page) => page,
        Err(refused) => return *refused,
    };
    // Who comes back has been there: the moment to ask, and no text does so any more (EX-15).
    let ask = link.redeemed_ms.is_some() && found.is_mine() && is_unasked(&site, link).await;
    if ask && in_browser {
        if let Err(error) = site.store.asked_on_page(&link.link_id).await {
            tracing::warn!(%error, "that a page has asked how it went is not recorded");
        }
        ask_no_more(&site, link, "asked_on_page").await;
    }
    let calls_back = call_back::is_offered(&site, &found, page);
    let shown =
        html::shown(&Shown { page, path: &path(&site, token), ask, calls_back, notice: None });
    bound(shown, &site, &found)
}

#[derive(Debug, Deserialize)]
struct Rating {
    rating: i16,
}

/// `POST /l/{token}/rating`: whether it helped (EX-15), once.
async fn rate(
    State(site): State<Site>,
    Path(token): Path<String>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
    headers: HeaderMap,
    form: Result<Form<Rating>, axum::extract::rejection::FormRejection>,
) -> Response {
    let found = match find(&site, &token, asker(&site, from.ip(), &headers), &headers).await {
        Ok(found) => found,
        Err(refused) => return refused,
    };
    let page = match usable(&site, &found) {
        Ok(page) => page,
        Err(refused) => return *refused,
    };
    let rating = form.ok().map(|Form(form)| form.rating).filter(|rating| (1..=5).contains(rating));
    let may_rate = found.is_mine() && found.link.redeemed_ms.is_some();
    let (Some(rating), Some(call_id), true) = (rating, &found.link.call_id, may_rate) else {
        return html::keep_to_itself(StatusCode::BAD_REQUEST.into_response());
    };
    if is_unasked(&site, &found.link).await {
        for row in rating_rows(&found.link.link_id, call_id, rating, wall_ms(), "page") {
            let _ = site.writer.try_write(Row::Outcome(row));
        }
        ask_no_more(&site, &found.link, "rated").await;
    }
    let notice = Some(Notice::Thanks);
    let calls_back = call_back::is_offered(&site, &found, page);
    let path = path(&site, &found.token);
    html::shown(&Shown { page, path: &path, ask: false, calls_back, notice })
}

/// Whether nobody has asked how it went yet; where that is not known, nobody asks.
async fn is_unasked(site: &Site, link: &StoredLink) -> bool {
    match &link.call_id {
        Some(call_id) => !site.store.is_asked(call_id).await.unwrap_or(true),
        None => false,
    }
}

async fn ask_no_more(site: &Site, link: &StoredLink, why: &str) {
    let Some(call_id) = &link.call_id else { return };
    if let Err(error) = site.store.ask_no_more(call_id, why).await {
        tracing::warn!(%error, "a question that is asked already stays in the outbox");
    }
}

/// `GET /.well-known/jwks.json`: the public half of the key that statements are signed with.
async fn jwks(State(site): State<Site>) -> Response {
    let cache = [(header::CACHE_CONTROL, "public, max-age=3600")];
    (cache, Json(site.landing.0.signer.jwks())).into_response()
}

/// The link of a token; guesses are slowed down.
async fn find(
    site: &Site,
    token: &str,
    from: IpAddr,
    headers: &HeaderMap,
) -> Result<Found, Response> {
    let token = Token::parse(token);
    let link = match &token {
        None => None,
        Some(token) => match site.store.link(token).await {
            Ok(link) => link,
            Err(error) => {
                tracing::warn!(%error, "a link cannot be looked up");
                return Err(html::refused(Refused::Busy, &owner(site)));
            }
        },
    };
    let (Some(token), Some(link)) = (token, link) else {
        if site.landing.0.guesses.is_too_many(from, FREE, wall_ms()) {
            metrics::counter!("carom_link_guesses_total").increment(1);
            site.landing.0.guesses.pause().await;
            return Err(html::refused(Refused::Busy, &owner(site)));
        }
        return Err(html::refused(Refused::Unknown, &owner(site)));
    };
    let browser = cookie(headers).and_then(|cookie| Token::parse(&cookie));
    let Some(browser) = browser.or_else(|| Token::random().ok()) else {
        return Err(html::refused(Refused::Busy, &owner(site)));
    };
    Ok(Found { token, link, browser })
}

/// What stands on the page, for who may see it.
fn usable<'a>(site: &Site, found: &'a Found) -> Result<&'a Page, Box<Response>> {
    let link = &found.link;
    let Some(page) = &link.page else {
        return Err(html::refused(Refused::Gone, &owner(site)).into());
    };
    let owner = || Owner {
        brand: page.brand.clone(),
        language: page.language.clone(),
        phone: page.phone.clone(),
    };
    if link.expires_ms <= wall_ms() {
        return Err(html::refused(Refused::Gone, &owner()).into());
    }
    if link.redeemed_ms.is_some() && !found.is_mine() {
        return Err(html::refused(Refused::Elsewhere, &owner()).into());
    }
    Ok(page)
}

/// The browser is told its name: it may come back to this page.
fn bound(mut response: Response, site: &Site, found: &Found) -> Response {
    let left = (found.link.expires_ms - wall_ms()).max(0) / 1_000;
    let snapshot = site.landing.0.snapshot.load();
    let secure = snapshot.config.http.public_url.as_ref();
    let secure = if secure.is_some_and(|url| url.starts_with("https:")) { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE}={}; Path={}; Max-Age={left}; HttpOnly; SameSite=Lax{secure}",
        found.browser.as_str(),
        path(site, &found.token)
    );
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Whose page it would be, where that can only be one.
fn owner(site: &Site) -> Owner {
    let snapshot = site.landing.0.snapshot.load();
    let [business] = snapshot.config.businesses.as_slice() else { return Owner::default() };
    let mut numbers = snapshot.flows.iter().flat_map(|flow| &flow.numbers);
    // Of several lines nobody knows which.
    let only = numbers.next().filter(|first| numbers.all(|other| other == *first));
    let language = snapshot.flows.first().and_then(|flow| flow.languages.first());
    Owner {
        brand: business.brand.clone(),
        language: language.cloned().unwrap_or_default(),
        phone: only.cloned(),
    }
}

/// Of a page, as its browser knows it.
fn path(site: &Site, token: &Token) -> String {
    format!("{}/l/{}", site.snapshot.load().config.http.base_path(), token.as_str())
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == COOKIE).map(|(_, value)| value.trim().to_owned())
}

/// Who asks, behind a proxy of ours too.
fn asker(site: &Site, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    origin(peer, headers, &site.snapshot.load().config.http.proxies)
}
