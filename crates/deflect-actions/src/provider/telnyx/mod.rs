//! Telnyx's Messaging API: JSON, a bearer key, webhooks signed by Ed25519.

mod codes;
mod lookup;
mod signature;
mod webhook;

use std::time::Duration;

use reqwest::{Method, Response};
use serde::Deserialize;
use serde_json::json;

pub use signature::{BadKey, PublicKey};

use self::codes::TelnyxError;
use super::{
    Accepted, Checked, Class, Failure, OutboundMessage, Posted, Refused, SendError, Told,
    answer::micros, check, request,
};

/// Where Telnyx is.
const API: &str = "https://api.telnyx.com";

/// An account at Telnyx.
#[derive(Clone)]
pub struct Telnyx {
    key: String,
    public_key: PublicKey,
    /// The messaging profile of senders that are names.
    profile: Option<String>,
    base: String,
    /// Webhooks of a message go to this address, with our reference; `None`: to the profile's.
    callback: Option<String>,
}

#[derive(Deserialize)]
struct Created {
    data: Message,
}

#[derive(Deserialize)]
struct Message {
    id: String,
    #[serde(default)]
    to: Vec<To>,
    parts: Option<i64>,
    cost: Option<Cost>,
}

#[derive(Deserialize)]
struct To {
    #[serde(default)]
    phone_number: String,
    #[serde(default)]
    status: String,
    line_type: Option<String>,
}

#[derive(Deserialize)]
struct Cost {
    amount: Option<String>,
    currency: Option<String>,
}

/// Micros and currency of what a message costs, as far as they are told.
fn price(cost: Option<Cost>) -> (Option<i64>, Option<String>) {
    cost.map_or((None, None), |cost| (cost.amount.as_deref().and_then(micros), cost.currency))
}

#[derive(Deserialize, Default)]
struct Errors {
    #[serde(default)]
    errors: Vec<TelnyxError>,
}

/// Whether a sender is a name, and neither a number nor a short code.
#[must_use]
pub fn is_name(from: &str) -> bool {
    from.contains(|c: char| c.is_alphabetic())
}

impl Telnyx {
    /// An account; `public_key` proves its webhooks, `base` replaces the API's address,
    /// `callback` is where webhooks go.
    #[must_use]
    pub fn new(
        key: &str,
        public_key: PublicKey,
        base: Option<&str>,
        callback: Option<String>,
    ) -> Self {
        Self {
            key: key.to_owned(),
            public_key,
            profile: None,
            base: base.unwrap_or(API).trim_end_matches('/').to_owned(),
            callback,
        }
    }

    /// The same, with the messaging profile that senders which are names belong to.
    #[must_use]
    pub fn with_profile(self, profile: Option<String>) -> Self {
        Self { profile, ..self }
    }

    pub(super) async fn send(
        &self,
        message: OutboundMessage<'_>,
        limit: Duration,
    ) -> Result<Accepted, SendError> {
        let mut body = json!({
            "from": message.from, "to": message.to.as_str(), "text": message.text,
        });
        if let Some(callback) = &self.callback {
            body["webhook_url"] = format!("{callback}?message={}", message.reference).into();
        }
        if let Some(profile) = self.profile.as_ref().filter(|_| is_name(message.from)) {
            body["messaging_profile_id"] = profile.as_str().into();
        }
        let request = request::to(Method::POST, &format!("{}/v2/messages", self.base), limit)?
            .bearer_auth(&self.key)
            .json(&body);
        let response = request::answer(request).await?;
        if response.status().is_success() {
            accepted(response).await
        } else {
            refused(response).await
        }
    }

    pub(super) async fn check(&self, limit: Duration) -> Result<Checked, SendError> {
        let url = format!("{}/v2/messaging_profiles", self.base);
        check::ask(check::get(&url, limit)?.bearer_auth(&self.key), "/data").await
    }

    pub(super) fn hear(&self, posted: &Posted<'_>) -> Result<Told, Refused> {
        if posted.asks {
            return Err(Refused::Nowhere);
        }
        let signature = posted.header("telnyx-signature-ed25519").ok_or(Refused::Untrusted)?;
        let timestamp = posted.header("telnyx-timestamp").ok_or(Refused::Untrusted)?;
        if !self.public_key.signed(timestamp, posted.body, signature) {
            return Err(Refused::Untrusted);
        }
        let at_ms = timestamp.parse::<i64>().ok().and_then(|at| at.checked_mul(1_000));
        if !at_ms.is_some_and(|at_ms| posted.is_fresh(at_ms)) {
            return Err(Refused::Untrusted);
        }
        Ok(Told::Events(webhook::events(posted.body)?))
    }
}

impl std::fmt::Debug for Telnyx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Telnyx").field("base", &self.base).finish_non_exhaustive()
    }
}

async fn accepted(response: Response) -> Result<Accepted, SendError> {
    let created: Created = request::success(response).await?;
    let message = created.data;
    if message.id.is_empty() {
        return Err(SendError::unclear());
    }
    if message.to.first().is_some_and(|to| to.status == "sending_failed") {
        return Err(SendError::Definite(Failure::of(Class::Unknown)));
    }
    let (price_micros, currency) = price(message.cost);
    Ok(Accepted { segments: message.parts, price_micros, currency, ..Accepted::of(message.id) })
}

async fn refused(response: Response) -> Result<Accepted, SendError> {
    let (status, retry_after, told): (_, _, Errors) = request::refusal(response).await;
    let code = told.errors.first().and_then(|error| error.code());
    let class = codes::class(status, code);
    let code = Some(code.map_or_else(|| status.to_string(), |code| code.to_string()));
    Err(SendError::Definite(Failure { class, code, retry_after }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_that_calls_the_text_failed_is_a_refusal() {
        let answer = async |status: &str| {
            let body =
                format!("{{\"data\":{{\"id\":\"m1\",\"to\":[{{\"status\":\"{status}\"}}]}}}}");
            accepted(axum::http::Response::new(body).into()).await
        };
        assert!(matches!(answer("sending_failed").await, Err(SendError::Definite(_))));
        assert_eq!(answer("queued").await.unwrap().provider_id, "m1");
    }
}
