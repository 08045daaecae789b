//! Any other gateway that speaks HTTP: its request, its answer and its receipts are described in
//! the configuration.

mod fill;
mod line;
pub mod plivo;
mod webhook;

use std::{collections::BTreeMap, time::Duration};

use reqwest::{
    Method, Response,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde_json::Value;

pub use fill::{FIELDS, FIELDS_OF_A_NUMBER, Style};
pub use line::Lines;
pub use webhook::{Algorithm, Hooks, Signing};

use self::fill::Filled;
use super::{Accepted, Class, Failure, OutboundMessage, Posted, Refused, SendError, Told, request};
use crate::http::body;

/// A gateway as the configuration describes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Description {
    /// `POST`, `PUT` or `GET`.
    pub method: Method,
    /// Address, with fields.
    pub url: String,
    /// Headers, with fields.
    pub headers: Vec<(String, String)>,
    /// Body, with fields.
    pub body: String,
    /// What `{secret}` stands for.
    pub secret: String,
    /// What `{account}` stands for.
    pub account: String,
    /// JSON pointer of the message's id in the answer; `None`: it is known by our reference.
    pub id_at: Option<String>,
    /// Classes of error answers, by status, where they say more than the status does.
    pub errors: BTreeMap<u16, Class>,
    /// How it tells of messages; `None`: not at all.
    pub hooks: Option<Hooks>,
    /// How it is asked what kind of line a number is; `None`: it knows none.
    pub lines: Option<Lines>,
}

/// A gateway.
#[derive(Clone)]
pub struct Gateway(Description);

impl Gateway {
    /// A gateway that is spoken to as described.
    #[must_use]
    pub fn new(description: Description) -> Self {
        Self(description)
    }

    pub(super) async fn send(
        &self,
        message: OutboundMessage<'_>,
        limit: Duration,
    ) -> Result<Accepted, SendError> {
        let is = &self.0;
        let filled = Filled::of(&message, &is.secret, &is.account);
        let url = filled.fill(&is.url, Style::Url);
        let headers = self.headers(&filled).ok_or_else(|| SendError::definite(Class::Config))?;
        let mut request = request::to(is.method.clone(), &url, limit)?;
        if !is.body.is_empty() {
            let style = Style::of(&is.body);
            if !headers.contains_key(CONTENT_TYPE) {
                request = request.header(CONTENT_TYPE, style.content_type());
            }
            request = request.body(filled.fill(&is.body, style));
        }
        let response = request::answer(request.headers(headers)).await?;
        if response.status().is_success() {
            self.accepted(response, &message).await
        } else {
            let (status, retry_after, _): (_, _, Value) = request::refusal(response).await;
            let class = is.errors.get(&status).copied().unwrap_or_else(|| request::class(status));
            Err(SendError::Definite(Failure { class, code: Some(status.to_string()), retry_after }))
        }
    }

    fn headers(&self, filled: &Filled<'_>) -> Option<HeaderMap> {
        let header = |(name, value): &(String, String)| {
            let name = name.parse::<HeaderName>().ok()?;
            Some((name, HeaderValue::from_str(&filled.fill(value, Style::Plain)).ok()?))
        };
        self.0.headers.iter().map(header).collect()
    }

    async fn accepted(
        &self,
        response: Response,
        message: &OutboundMessage<'_>,
    ) -> Result<Accepted, SendError> {
        let Some(pointer) = &self.0.id_at else {
            return Ok(Accepted::of(message.reference.to_string()));
        };
        let bytes = body(response).await.ok_or_else(SendError::unclear)?;
        let answer: Value = serde_json::from_slice(&bytes).map_err(|_| SendError::unclear())?;
        webhook::text_at(&answer, pointer).map(Accepted::of).ok_or_else(SendError::unclear)
    }

    pub(super) fn hear(&self, posted: &Posted<'_>) -> Result<Told, Refused> {
        let hooks = self.0.hooks.as_ref().filter(|_| !posted.asks).ok_or(Refused::Nowhere)?;
        hooks.signing.verify(posted)?;
        Ok(Told::Events(hooks.events(posted)?))
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("method", &self.0.method).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Description {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Description").field("method", &self.method).finish_non_exhaustive()
    }
}
