//! Twilio's Messaging API: its REST form, its errors, its list of messages.

mod codes;
mod list;
mod signature;
mod webhook;

use std::time::Duration;

use reqwest::{Response, StatusCode, header::RETRY_AFTER};
use serde::Deserialize;

pub use signature::{is_genuine, signature};
pub use webhook::{Inbound, Malformed, form, inbound, receipt};

use super::{Accepted, Class, Failure, Found, OutboundMessage, SendError, State};
use crate::http::{body, client};

/// Where Twilio is.
const API: &str = "https://api.twilio.com";

/// An account at Twilio.
#[derive(Clone)]
pub struct Twilio {
    account: String,
    token: String,
    base: String,
    /// Status callbacks go to this address, with our id; `None`: none are asked for.
    callback: Option<String>,
}

#[derive(Deserialize)]
struct Created {
    sid: String,
    status: Option<String>,
    num_segments: Option<String>,
}

#[derive(Deserialize, Default)]
struct ErrorBody {
    code: Option<i64>,
}

impl Twilio {
    /// An account; `base` replaces the API's address, `callback` is where status callbacks go.
    #[must_use]
    pub fn new(account: &str, token: &str, base: Option<&str>, callback: Option<String>) -> Self {
        Self {
            account: account.to_owned(),
            token: token.to_owned(),
            base: base.unwrap_or(API).trim_end_matches('/').to_owned(),
            callback,
        }
    }

    /// What webhooks are signed with.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(super) async fn send(
        &self,
        message: OutboundMessage<'_>,
        limit: Duration,
    ) -> Result<Accepted, SendError> {
        let client = client().ok_or_else(|| definite(Class::Config))?;
        let mut form = vec![
            ("To", message.to.as_str().to_owned()),
            ("From", message.from.to_owned()),
            ("Body", message.text.to_owned()),
            ("ValidityPeriod", message.valid_for.as_secs().clamp(1, 36_000).to_string()),
        ];
        if let Some(callback) = &self.callback {
            form.push(("StatusCallback", format!("{callback}?message={}", message.message_id)));
        }
        let request = client
            .post(self.messages())
            .basic_auth(&self.account, Some(&self.token))
            .timeout(limit)
            .form(&form);
        let response = request.send().await.map_err(|error| {
            // Not connected, nothing was written; else nobody knows what was read.
            if error.is_connect() || error.is_builder() {
                definite(Class::ProviderDown)
            } else {
                SendError::Ambiguous(Failure::of(Class::ProviderDown))
            }
        })?;
        if response.status().is_success() {
            accepted(response).await
        } else {
            refused(response).await
        }
    }

    pub(super) async fn find(
        &self,
        message: OutboundMessage<'_>,
        written_ms: i64,
        limit: Duration,
    ) -> Found {
        let Some(client) = client() else { return Found::Unknown };
        let request = client
            .get(self.messages())
            .basic_auth(&self.account, Some(&self.token))
            .timeout(limit)
            .query(&list::query(message, written_ms));
        let Ok(response) = request.send().await else { return Found::Unknown };
        if response.status() != StatusCode::OK {
            return Found::Unknown;
        }
        match body(response).await {
            Some(bytes) => list::find(&bytes, message, written_ms),
            None => Found::Unknown,
        }
    }

    fn messages(&self) -> String {
        format!("{}/2010-04-01/Accounts/{}/Messages.json", self.base, self.account)
    }
}

impl std::fmt::Debug for Twilio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Twilio").field("base", &self.base).finish_non_exhaustive()
    }
}

/// A success that names no message is no evidence: something between us may have said it.
async fn accepted(response: Response) -> Result<Accepted, SendError> {
    let unclear = || SendError::Ambiguous(Failure::of(Class::Unknown));
    let bytes = body(response).await.ok_or_else(unclear)?;
    let created: Created = serde_json::from_slice(&bytes).map_err(|_| unclear())?;
    if created.sid.is_empty() {
        return Err(unclear());
    }
    let state = created.status.as_deref().and_then(codes::state).unwrap_or(State::Accepted);
    Ok(Accepted {
        provider_id: created.sid,
        segments: created.num_segments.and_then(|n| n.parse().ok()),
        // A first answer says no more than that it is taken.
        state: if matches!(state, State::Failed | State::Undelivered) {
            state
        } else {
            State::Accepted
        },
    })
}

async fn refused(response: Response) -> Result<Accepted, SendError> {
    let status = response.status().as_u16();
    let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let bytes = body(response).await.unwrap_or_default();
    let error: ErrorBody = serde_json::from_slice(&bytes).unwrap_or_default();
    let code = error.code.map_or_else(|| status.to_string(), |code| code.to_string());
    Err(SendError::Definite(Failure {
        class: codes::class(status, error.code),
        code: Some(code),
        retry_after,
    }))
}

fn definite(class: Class) -> SendError {
    SendError::Definite(Failure::of(class))
}
