//! What Prometheus reads.

use std::time::Duration;

use axum::{extract::State, http::header, response::IntoResponse};
use metrics::gauge;
use tokio::sync::oneshot;

use super::Site;
use crate::switchboard::{Ask, Gauges};

/// A switchboard that is busier than this tells its figures another time.
const PATIENCE: Duration = Duration::from_secs(1);

/// `GET /metrics`. Figures that are only of interest when somebody looks are taken now.
pub(super) async fn page(State(site): State<Site>) -> impl IntoResponse {
    if let Ok(Some(gauges)) = tokio::time::timeout(PATIENCE, figures(&site)).await {
        gauge!("carom_sip_legs").set(gauges.legs as f64);
        gauge!("carom_sip_transactions").set(gauges.transactions as f64);
        gauge!("carom_media_sessions").set(gauges.sessions as f64);
    }
    gauge!("carom_store_rows_waiting").set(site.writer.figures().waiting as f64);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], site.metrics.render())
}

async fn figures(site: &Site) -> Option<Gauges> {
    let (reply, gauges) = oneshot::channel();
    site.asks.upgrade()?.send(Ask::Gauges(reply)).await.ok()?;
    gauges.await.ok()
}
