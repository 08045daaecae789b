//! Whether a provider knows us, and whether it can reach us, without texting anybody.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::{Class, Failure, SendError, request};
use crate::http::body;

/// What a provider was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// It knows us.
    Right,
    /// There is no question that sends nothing.
    NotAskable,
}

/// Who answers at the address of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// A node of ours, which refuses what is not signed.
    Us,
    /// Somebody else, with this status.
    Other(u16),
    /// Nobody.
    Nobody,
}

/// Sends a question whose answer says no more than that we may ask it: JSON that has something at
/// this place (RFC 6901).
pub(super) async fn ask(question: RequestBuilder, place: &str) -> Result<Checked, SendError> {
    let response = request::answer(question).await?;
    if response.status().is_success() {
        let told: Value = request::success(response).await?;
        // A page that asks for a password, or an error in the body.
        return told.pointer(place).map(|_| Checked::Right).ok_or_else(SendError::unclear);
    }
    let (status, retry_after, _): (_, _, Value) = request::refusal(response).await;
    let (class, code) = (request::class(status), Some(status.to_string()));
    Err(SendError::Definite(Failure { class, code, retry_after }))
}

/// A question by GET.
pub(super) fn get(url: &str, limit: Duration) -> Result<RequestBuilder, SendError> {
    request::to(Method::GET, url, limit)
}

/// Asks at the address of a webhook as anybody may, to see whether a node of ours is there.
pub async fn reach_webhook(url: &str, limit: Duration) -> Reached {
    let Ok(question) = request::to(Method::POST, url, limit) else { return Reached::Nobody };
    let Ok(response) = question.send().await else { return Reached::Nobody };
    let status = response.status().as_u16();
    let told = body(response).await.unwrap_or_default();
    let refusals = [super::Refused::Untrusted, super::Refused::NoPassword].map(|r| r.to_string());
    let ours = refusals.iter().any(|refusal| told.trim_ascii() == refusal.as_bytes());
    if ours && matches!(status, 401 | 403) { Reached::Us } else { Reached::Other(status) }
}

/// What a wrong address of the API comes to.
pub(super) fn no_sender() -> SendError {
    SendError::definite(Class::Config)
}
