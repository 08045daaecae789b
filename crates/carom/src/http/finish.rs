//! What a client has begun is done to its end, though the client goes away meanwhile: a text that a
//! provider has is recorded, a call that was asked about ends.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::sync::Semaphore;

use super::api::Problem;

/// Requests under way at once, those of clients that are gone included.
const UNDER_WAY: usize = 512;

/// Has room for so many requests.
pub(super) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(UNDER_WAY))
}

/// Lets a request that may change something go on without its client; 503 where too many do.
pub(super) async fn to_its_end(
    State(places): State<Arc<Semaphore>>,
    request: Request,
    next: Next,
) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    let Ok(place) = places.try_acquire_owned() else {
        let message = "too many requests are under way; try again later";
        let busy = Problem::of(StatusCode::SERVICE_UNAVAILABLE, "busy", message);
        let mut busy = busy.into_response();
        busy.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        return busy;
    };
    let done = tokio::spawn(async move {
        let response = next.run(request).await;
        drop(place);
        response
    });
    done.await.unwrap_or_else(|error| {
        tracing::error!(%error, "HTTP: a request came to no end");
        let message = "the request came to no end; ask again";
        Problem::of(StatusCode::INTERNAL_SERVER_ERROR, "failed", message).into_response()
    })
}
