//! The HTTP side of a node: health, metrics, the sandbox's inbox, and the providers' webhooks.
//!
//! It listens on loopback unless told otherwise. What shows calls, numbers or texts needs a token
//! (see [`guard`]). Webhooks are authenticated by their provider's
//! signature or password before anything is parsed.

mod api;
mod context;
mod dialect;
mod finish;
mod front;
mod guard;
mod inbox;
mod landing;
mod metrics;
mod origin;
mod patience;
mod sources;
mod webhooks;
mod xml;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, RwLock},
};

use arc_swap::ArcSwap;
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    middleware::from_fn_with_state,
    response::IntoResponse,
    routing::get,
    serve::Listener,
};
use deflect_actions::{
    store::{Store, Writer},
    text::TextService,
};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{mpsc, watch};

pub use self::{api::Turns, guard::Tokens, landing::Desk as Landing};
use self::{
    dialect::Dialect,
    guard::Gate,
    patience::{Patient, Peer},
};
use crate::{
    config::{Scope, Snapshot},
    node::{Sources, rating},
    switchboard::{Ask, Marks, RemoteCalls},
};

/// Largest webhook body, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// What the routes need.
#[derive(Clone)]
pub struct Site {
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    /// The store; readiness asks it.
    pub store: Store,
    /// Takes receipts and inbound texts.
    pub texts: TextService,
    /// Takes what queues tell.
    pub sources: Sources,
    /// Its rows wait for the store.
    pub writer: Writer,
    /// Asks the switchboard, which ends when nobody else can.
    pub asks: mpsc::WeakSender<Ask>,
    /// Whether new calls are taken.
    pub ready: watch::Receiver<bool>,
    /// Who may see calls and texts.
    pub tokens: Tokens,
    /// The pages of links.
    pub landing: Landing,
    /// The configuration that is served.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Calls of other IVRs.
    pub remote: RemoteCalls,
    /// Requests with one key take turns.
    pub turns: Turns,
    /// What operators have set.
    pub marks: Arc<RwLock<Option<Arc<Marks>>>>,
}

impl Site {
    /// What operators have set; `None` while the store can't say.
    fn marks(&self) -> Option<Arc<Marks>> {
        self.marks.read().ok().and_then(|marks| marks.clone())
    }

    /// Something became of a call that may be the moment to ask how it went (EX-15).
    async fn ask_how_it_went(&self, call_id: &str) {
        rating::ask_when_due(&self.store, &self.snapshot.load().flows, call_id).await;
    }
}

/// Serves until the process ends; returns the address it listens on.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(listen: SocketAddr, site: Site) -> io::Result<SocketAddr> {
    let listener = Patient::bind(listen, Arc::clone(&site.snapshot)).await?;
    let at = Listener::local_addr(&listener)?;
    let router = router(site).into_make_service_with_connect_info::<Peer>();
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "HTTP server ended");
        }
    });
    Ok(at)
}

fn router(site: Site) -> Router {
    let webhooks = get(webhooks::take).post(webhooks::take);
    let guarded = |routes: Router<Site>, scope, dialect| {
        let gate = Gate { site: site.clone(), scope: Some(scope), dialect };
        routes.route_layer(from_fn_with_state(gate, guard::guard))
    };
    let read =
        Router::new().route("/metrics", get(metrics::page)).route("/sandbox", get(inbox::page));
    let api = api::operations().into_iter().fold(Router::new(), |all, operation| {
        let route = Router::new()
            .route(operation.path, operation.route)
            .route_layer(from_fn_with_state(operation.dialect, dialect::as_documented));
        let guarded = match operation.scope {
            Some(scope) => guarded(route, scope, operation.dialect),
            None => route.route_layer(from_fn_with_state(site.clone(), guard::of_context)),
        };
        all.merge(match operation.xml {
            Some(root) => guarded.route_layer(from_fn_with_state(root, xml::as_asked)),
            None => guarded,
        })
    });
    let document = Router::new()
        .route("/v1/openapi.json", get(|| async { Json(api::document()) }))
        .route_layer(from_fn_with_state(site.clone(), guard::of_any));
    guarded(read, Scope::Read, Dialect::Plain)
        .merge(api)
        .merge(document)
        .merge(landing::routes())
        .route("/", get(front::page))
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .route("/webhooks/{kind}/{provider}", webhooks.clone())
        .route("/webhooks/{kind}/{provider}/{*tail}", webhooks)
        .fallback(front::nothing)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(finish::places(), finish::to_its_end))
        .with_state(site)
}

async fn readyz(State(site): State<Site>) -> impl IntoResponse {
    // A database that is down takes deflection away, not the node's calls: it is said in
    // the body, but the node stays ready.
    let store = if site.store.is_up().await { "up" } else { "down: calls go to the fallback" };
    if *site.ready.borrow() {
        (StatusCode::OK, format!("ready, store {store}\n"))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("draining, store {store}\n"))
    }
}
