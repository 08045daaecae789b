//! What all providers that speak HTTP have in common.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, header::RETRY_AFTER};
use serde::de::DeserializeOwned;

use super::{Class, Failure, SendError};
use crate::http::{body, client};

/// A request within `limit`.
pub(super) fn to(method: Method, url: &str, limit: Duration) -> Result<RequestBuilder, SendError> {
    let client = client().ok_or_else(|| SendError::definite(Class::Config))?;
    Ok(client.request(method, url).timeout(limit))
}

/// Sends a request. Not connected, nothing was written; else nobody knows what was read.
pub(super) async fn answer(request: RequestBuilder) -> Result<Response, SendError> {
    request.send().await.map_err(|error| {
        if error.is_connect() || error.is_builder() {
            SendError::definite(Class::ProviderDown)
        } else {
            SendError::Ambiguous(Failure::of(Class::ProviderDown))
        }
    })
}

/// The JSON of a success. Anything else there is no evidence: something between us may have
/// said it.
pub(super) async fn success<T: DeserializeOwned>(response: Response) -> Result<T, SendError> {
    let bytes = body(response).await.ok_or_else(SendError::unclear)?;
    serde_json::from_slice(&bytes).map_err(|_| SendError::unclear())
}

/// An error answer: its status, when to try again, and its JSON where it is that.
pub(super) async fn refusal<T: DeserializeOwned + Default>(
    response: Response,
) -> (u16, Option<Duration>, T) {
    let status = response.status().as_u16();
    let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let bytes = body(response).await.unwrap_or_default();
    (status, after, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// The class of an error answer that says no more than its status.
pub(super) fn class(status: u16) -> Class {
    match status {
        429 => Class::RateLimited,
        401 | 403 => Class::Auth,
        402 => Class::Funds,
        404 => Class::Config,
        300..=399 => Class::Config,
        408 | 500..=599 => Class::ProviderDown,
        _ => Class::Unknown,
    }
}
