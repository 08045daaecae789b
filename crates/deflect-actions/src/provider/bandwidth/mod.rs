//! Bandwidth's Messaging API v2: JSON, a name and a password both ways, events in lists.

mod codes;
mod webhook;

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, Response};
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq;

use super::{
    Accepted, Checked, Failure, OutboundMessage, Posted, Refused, SendError, Told, check, request,
};

/// Where Bandwidth is.
const API: &str = "https://messaging.bandwidth.com";

/// Who we are there.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Id of the account.
    pub id: String,
    /// Of the API's user.
    pub username: String,
    /// Of the API's user.
    pub password: String,
    /// Id of the application that the senders belong to.
    pub application: String,
    /// `name:password` that the application's webhooks bear.
    pub webhooks: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("id", &self.id).finish_non_exhaustive()
    }
}

/// An account at Bandwidth.
#[derive(Clone)]
pub struct Bandwidth {
    account: Account,
    base: String,
}

#[derive(Deserialize)]
struct Created {
    id: String,
    #[serde(rename = "segmentCount")]
    segment_count: Option<i64>,
}

#[derive(Deserialize, Default)]
struct ErrorBody {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default, rename = "fieldErrors")]
    fields: Vec<FieldError>,
}

#[derive(Deserialize)]
struct FieldError {
    #[serde(default, rename = "fieldName")]
    name: String,
}

impl Bandwidth {
    /// An account; `base` replaces the API's address.
    #[must_use]
    pub fn new(account: Account, base: Option<&str>) -> Self {
        Self { account, base: base.unwrap_or(API).trim_end_matches('/').to_owned() }
    }

    pub(super) async fn send(
        &self,
        message: OutboundMessage<'_>,
        limit: Duration,
    ) -> Result<Accepted, SendError> {
        let valid = SignedDuration::try_from(message.valid_for).unwrap_or(SignedDuration::ZERO);
        let mut body = json!({
            "applicationId": self.account.application, "from": message.from,
            "to": [message.to.as_str()], "text": message.text,
            "tag": message.reference.to_string(),
        });
        // Not the store's clock, which tests put forward: the provider's is the real one.
        if let Ok(until) = Timestamp::now().checked_add(valid) {
            body["expiration"] = until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
        }
        let url = format!("{}/api/v2/users/{}/messages", self.base, self.account.id);
        let request = request::to(Method::POST, &url, limit)?
            .basic_auth(&self.account.username, Some(&self.account.password))
            .json(&body);
        let response = request::answer(request).await?;
        if response.status().is_success() {
            accepted(response).await
        } else {
            refused(response).await
        }
    }

    pub(super) async fn check(&self, limit: Duration) -> Result<Checked, SendError> {
        let url = format!("{}/api/v2/users/{}/media", self.base, self.account.id);
        let (name, password) = (&self.account.username, &self.account.password);
        check::ask(check::get(&url, limit)?.basic_auth(name, Some(password)), "").await
    }

    pub(super) fn hear(&self, posted: &Posted<'_>) -> Result<Told, Refused> {
        if posted.asks {
            return Err(Refused::Nowhere);
        }
        let given = posted.header("Authorization").ok_or(Refused::NoPassword)?;
        let wanted = format!("Basic {}", STANDARD.encode(&self.account.webhooks));
        if !bool::from(given.as_bytes().ct_eq(wanted.as_bytes())) {
            return Err(Refused::NoPassword);
        }
        Ok(Told::Events(webhook::events(posted.body)?))
    }
}

impl std::fmt::Debug for Bandwidth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bandwidth").field("base", &self.base).finish_non_exhaustive()
    }
}

async fn accepted(response: Response) -> Result<Accepted, SendError> {
    let created: Created = request::success(response).await?;
    if created.id.is_empty() {
        return Err(SendError::unclear());
    }
    Ok(Accepted { segments: created.segment_count, ..Accepted::of(created.id) })
}

async fn refused(response: Response) -> Result<Accepted, SendError> {
    let (status, retry_after, error): (_, _, ErrorBody) = request::refusal(response).await;
    let field = error.fields.first().map(|field| field.name.as_str());
    let class = codes::refusal(status, &error.kind, field);
    let code = if error.kind.is_empty() { status.to_string() } else { error.kind };
    Err(SendError::Definite(Failure { class, code: Some(code), retry_after }))
}
