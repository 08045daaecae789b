//! What all providers that speak HTTP have in common.

use std::time::Duration;

use jiff::fmt::rfc2822;
use reqwest::{Method, RequestBuilder, Response, header::RETRY_AFTER};
use serde::de::DeserializeOwned;

use super::{Class, Failure, SendError};
use crate::{
    clock::Clock,
    http::{body, client_within},
};

/// A request within `limit`.
pub(super) fn to(method: Method, url: &str, limit: Duration) -> Result<RequestBuilder, SendError> {
    let client = client_within(limit).ok_or_else(|| SendError::definite(Class::Config))?;
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
    let after = after.and_then(|text| retry_after(text, Clock::default().now_ms()));
    let bytes = body(response).await.unwrap_or_default();
    (status, after, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// Nobody waits for longer, whatever is asked for.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// `Retry-After`: seconds, or a moment (RFC 9110 §10.2.3); a day at most.
fn retry_after(text: &str, now_ms: i64) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds).min(LONGEST_WAIT));
    }
    let at_ms = rfc2822::parse(text).ok()?.timestamp().as_millisecond();
    let wait = Duration::from_millis(u64::try_from(at_ms - now_ms).unwrap_or(0));
    Some(wait.min(LONGEST_WAIT))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_to_try_again_is_told_by_seconds_or_by_a_moment() {
        // Sun, 06 Nov 1994 08:49:37 GMT.
        let at_ms = 784_111_777_000;
        let moment = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (text, now_ms, expected) in [
            ("120", 0, Some(Duration::from_secs(120))),
            (" 0 ", 0, Some(Duration::ZERO)),
            (moment, at_ms - 2_500, Some(Duration::from_millis(2_500))),
            (moment, at_ms + 1, Some(Duration::ZERO)),
            ("18446744073709551615", 0, Some(LONGEST_WAIT)),
            ("Thu, 01 Jan 9998 00:00:00 GMT", 0, Some(LONGEST_WAIT)),
            ("soon", 0, None),
            ("-1", 0, None),
        ] {
            assert_eq!(retry_after(text, now_ms), expected, "{text}");
        }
    }
}
