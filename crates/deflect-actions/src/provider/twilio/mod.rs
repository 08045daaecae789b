//! Twilio's Messaging API: its REST form, its errors, its list of messages.

mod codes;
mod list;
mod lookup;
mod signature;
mod webhook;

use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;

use signature::body_hash;
pub use signature::{is_genuine, is_genuine_body, signature};

use super::{
    Accepted, Channel, Checked, Class, Cost, Failure, Found, OutboundMessage, Posted, Refused,
    SendError, Told, check, form, request,
};
use crate::http::body;

/// Where Twilio is.
const API: &str = "https://api.twilio.com";
/// Where it looks numbers up.
const LOOKUPS: &str = "https://lookups.twilio.com";
/// What a number on WhatsApp begins with.
const WHATSAPP: &str = "whatsapp:";

/// An account at Twilio.
#[derive(Clone)]
pub struct Twilio {
    account: String,
    token: String,
    base: String,
    /// Where numbers are looked up.
    lookups: String,
    /// Status callbacks go to this address, with our reference; `None`: none are asked for.
    callback: Option<String>,
}

#[derive(Deserialize)]
struct Created {
    sid: String,
    status: Option<String>,
    num_segments: Option<String>,
    error_code: Option<i64>,
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
            lookups: base.unwrap_or(LOOKUPS).trim_end_matches('/').to_owned(),
            callback,
        }
    }

    /// Whether it is told where receipts go.
    pub(super) fn calls_back(&self) -> bool {
        self.callback.is_some()
    }

    pub(super) async fn send(
        &self,
        message: OutboundMessage<'_>,
        limit: Duration,
    ) -> Result<Accepted, SendError> {
        let mut form = vec![
            ("To", address(message.channel, message.to.as_str())),
            sender(message),
            ("ValidityPeriod", message.valid_for.as_secs().clamp(1, 36_000).to_string()),
        ];
        content(message, &mut form);
        if let Some(callback) = &self.callback {
            form.push(("StatusCallback", format!("{callback}?message={}", message.reference)));
        }
        let request = request::to(Method::POST, &self.messages(), limit)?
            .basic_auth(&self.account, Some(&self.token))
            .form(&form);
        let response = request::answer(request).await?;
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
        // What a template became is not known here, so its messages cannot be told apart.
        if message.template.is_some() {
            return Found::Unknown;
        }
        let Ok(request) = request::to(Method::GET, &self.messages(), limit) else {
            return Found::Unknown;
        };
        let request = request
            .basic_auth(&self.account, Some(&self.token))
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

    /// What a message cost; `None`: it does not say, or not yet.
    pub(super) async fn cost(&self, sid: &str, limit: Duration) -> Option<Cost> {
        let is_sid = !sid.is_empty() && sid.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let account = format!("{}/2010-04-01/Accounts/{}", self.base, self.account);
        let url = is_sid.then(|| format!("{account}/Messages/{sid}.json"))?;
        let request = request::to(Method::GET, &url, limit).ok()?;
        let response = request.basic_auth(&self.account, Some(&self.token)).send().await.ok()?;
        if response.status() != StatusCode::OK {
            return None;
        }
        list::cost(&body(response).await?)
    }

    pub(super) async fn check(&self, limit: Duration) -> Result<Checked, SendError> {
        let url = format!("{}/2010-04-01/Accounts/{}.json", self.base, self.account);
        check::ask(check::get(&url, limit)?.basic_auth(&self.account, Some(&self.token)), "/sid")
            .await
    }

    pub(super) fn hear(&self, posted: &Posted<'_>) -> Result<Told, Refused> {
        if posted.asks || !["status", "inbound"].contains(&posted.what) {
            return Err(Refused::Nowhere);
        }
        let claimed = posted.header("X-Twilio-Signature").ok_or(Refused::Untrusted)?;
        let base = posted.public_url.ok_or(Refused::Untrusted)?;
        let url = format!("{base}{}", posted.path);
        let form = if posted.is_form() || body_hash(posted.query()).is_none() {
            // What is no form cannot have been signed as one.
            let form = form(posted.body).map_err(|_| Refused::Untrusted)?;
            if !is_genuine(&self.token, &url, &form, claimed) {
                return Err(Refused::Untrusted);
            }
            form
        } else {
            if !is_genuine_body(&self.token, &url, posted.body, claimed) {
                return Err(Refused::Untrusted);
            }
            webhook::fields(posted.body)?
        };
        Ok(Told::Events(vec![webhook::event(posted.what, posted.query(), &form)?]))
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

/// Whether a sender is a Messaging Service, which picks the number itself.
#[must_use]
pub fn is_service(from: &str) -> bool {
    let id = from.strip_prefix("MG").unwrap_or_default();
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn sender(message: OutboundMessage<'_>) -> (&'static str, String) {
    match is_service(message.from) {
        true => ("MessagingServiceSid", message.from.to_owned()),
        false => ("From", address(message.channel, message.from)),
    }
}

fn address(channel: Channel, number: &str) -> String {
    match channel {
        Channel::Sms => number.to_owned(),
        Channel::WhatsApp => format!("{WHATSAPP}{number}"),
    }
}

/// The text, or the template with its variables by number.
fn content(message: OutboundMessage<'_>, form: &mut Vec<(&'static str, String)>) {
    let Some(template) = message.template else {
        return form.push(("Body", message.text.to_owned()));
    };
    let filled = template.variables.iter().map(|variable| message.fill.variable(variable).into());
    let numbered =
        (1..).zip(filled).map(|(n, value): (u32, serde_json::Value)| (n.to_string(), value));
    let variables = serde_json::Value::Object(numbered.collect());
    // Each language is a template of its own there.
    let id = template.languages.get(message.language).unwrap_or(&template.name);
    form.push(("ContentSid", id.clone()));
    form.push(("ContentVariables", variables.to_string()));
}

async fn accepted(response: Response) -> Result<Accepted, SendError> {
    let created: Created = request::success(response).await?;
    if created.sid.is_empty() {
        return Err(SendError::unclear());
    }
    if created.status.as_deref() == Some("failed") {
        let code = created.error_code;
        let class = code.map_or(Class::Unknown, |code| codes::class(200, Some(code)));
        let code = code.map(|code| code.to_string());
        return Err(SendError::Definite(Failure { class, code, retry_after: None }));
    }
    Ok(Accepted {
        segments: created.num_segments.and_then(|n| n.parse().ok()),
        ..Accepted::of(created.sid)
    })
}

async fn refused(response: Response) -> Result<Accepted, SendError> {
    let (status, retry_after, error): (_, _, ErrorBody) = request::refusal(response).await;
    let code = error.code.map_or_else(|| status.to_string(), |code| code.to_string());
    let class = codes::class(status, error.code);
    Err(SendError::Definite(Failure { class, code: Some(code), retry_after }))
}
