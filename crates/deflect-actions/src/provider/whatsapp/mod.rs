//! WhatsApp's Cloud API: templates out, statuses and texts in.
//!
//! A call opens no window for free text, so every message that we begin is a template; plain text
//! answers somebody who has just written.

mod codes;
mod webhook;

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use self::codes::GraphError;
use super::{
    Accepted, Checked, Failure, LINK_TOKEN, OutboundMessage, Posted, Refused, SendError, Template,
    Told, check, form, form::field, request,
};

/// Where the Graph API is, with the version spoken.
const API: &str = "https://graph.facebook.com/v23.0";
/// Length of a challenge, at most.
const MAX_CHALLENGE: usize = 200;

/// An app with access to WhatsApp phone numbers.
#[derive(Clone)]
pub struct WhatsApp {
    token: String,
    app_secret: String,
    verify_token: String,
    base: String,
}

#[derive(Deserialize)]
struct Created {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    id: String,
}

#[derive(Deserialize, Default)]
struct ErrorBody {
    error: Option<GraphError>,
}

impl WhatsApp {
    /// An app; `base` replaces the API's address with its version.
    #[must_use]
    pub fn new(token: &str, app_secret: &str, verify_token: &str, base: Option<&str>) -> Self {
        Self {
            token: token.to_owned(),
            app_secret: app_secret.to_owned(),
            verify_token: verify_token.to_owned(),
            base: base.unwrap_or(API).trim_end_matches('/').to_owned(),
        }
    }

    pub(super) async fn send(
        &self,
        message: OutboundMessage<'_>,
        limit: Duration,
    ) -> Result<Accepted, SendError> {
        let mut body = json!({
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": message.to.as_str().trim_start_matches('+'),
            "biz_opaque_callback_data": message.reference.to_string(),
        });
        match message.template {
            Some(template) => {
                body["type"] = "template".into();
                body["template"] = written(template, &message);
            }
            None => {
                body["type"] = "text".into();
                body["text"] = json!({ "body": message.text });
            }
        }
        let url = format!("{}/{}/messages", self.base, message.from);
        let request = request::to(Method::POST, &url, limit)?.bearer_auth(&self.token).json(&body);
        let response = request::answer(request).await?;
        if response.status().is_success() {
            accepted(response).await
        } else {
            refused(response).await
        }
    }

    pub(super) async fn check(
        &self,
        from: Option<&str>,
        limit: Duration,
    ) -> Result<Checked, SendError> {
        let url = format!("{}/{}", self.base, from.ok_or_else(check::no_sender)?);
        check::ask(check::get(&url, limit)?.bearer_auth(&self.token), "/id").await
    }

    pub(super) fn hear(&self, posted: &Posted<'_>) -> Result<Told, Refused> {
        if posted.asks {
            return self.shake_hands(posted);
        }
        let claimed = posted.header("X-Hub-Signature-256").ok_or(Refused::Untrusted)?;
        let claimed = claimed.strip_prefix("sha256=").ok_or(Refused::Untrusted)?;
        let claimed = hex::decode(claimed).map_err(|_| Refused::Untrusted)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(self.app_secret.as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(posted.body);
        mac.verify_slice(&claimed).map_err(|_| Refused::Untrusted)?;
        Ok(Told::Events(webhook::events(posted.body)?))
    }

    /// Meta asks once, when the address is entered, whether it is ours.
    fn shake_hands(&self, posted: &Posted<'_>) -> Result<Told, Refused> {
        let query = form(posted.query().as_bytes()).map_err(|_| Refused::Untrusted)?;
        let token = field(&query, "hub.verify_token").unwrap_or_default();
        let known = bool::from(token.as_bytes().ct_eq(self.verify_token.as_bytes()));
        if field(&query, "hub.mode") != Some("subscribe") || !known {
            return Err(Refused::Untrusted);
        }
        let challenge = field(&query, "hub.challenge").unwrap_or_default();
        let plain = challenge.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if !plain || challenge.len() > MAX_CHALLENGE {
            return Err(Refused::Untrusted);
        }
        Ok(Told::Handshake(challenge.to_owned()))
    }
}

impl std::fmt::Debug for WhatsApp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WhatsApp").field("base", &self.base).finish_non_exhaustive()
    }
}

/// A template with its variables: a token is the end of a button's address, the others stand in
/// the body.
fn written(template: &Template, message: &OutboundMessage<'_>) -> Value {
    let (tokens, texts): (Vec<_>, Vec<_>) =
        template.variables.iter().partition(|variable| *variable == LINK_TOKEN);
    let parameter =
        |variable: &String| json!({ "type": "text", "text": message.fill.variable(variable) });
    let mut components = Vec::new();
    if !texts.is_empty() {
        let parameters: Vec<_> = texts.into_iter().map(parameter).collect();
        components.push(json!({ "type": "body", "parameters": parameters }));
    }
    for (index, variable) in tokens.into_iter().enumerate() {
        components.push(json!({
            "type": "button", "sub_type": "url", "index": index.to_string(),
            "parameters": [parameter(variable)],
        }));
    }
    json!({
        "name": template.name,
        "language": { "code": template.language(message.language) },
        "components": components,
    })
}

async fn accepted(response: Response) -> Result<Accepted, SendError> {
    let created: Created = request::success(response).await?;
    match created.messages.into_iter().next() {
        Some(message) if !message.id.is_empty() => Ok(Accepted::of(message.id)),
        _ => Err(SendError::unclear()),
    }
}

async fn refused(response: Response) -> Result<Accepted, SendError> {
    let (status, retry_after, told): (_, _, ErrorBody) = request::refusal(response).await;
    let code = told.error.map(|error| error.code);
    let class = codes::class(status, code);
    let code = Some(code.map_or_else(|| status.to_string(), |code| code.to_string()));
    Err(SendError::Definite(Failure { class, code, retry_after }))
}
