//! Any other gateway that speaks HTTP: its request, its answer and its receipts are described in
//! the configuration.

mod answer;
mod fill;
mod line;
pub mod plivo;
mod signing;
mod webhook;

use std::{collections::BTreeMap, time::Duration};

use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};

pub use answer::{Answer, Currency, Price, is_currency};
pub use fill::{FIELDS, FIELDS_OF_A_NUMBER, FIELDS_OF_AN_ACCOUNT, Style};
pub use line::Lines;
pub use signing::{Algorithm, SIGNED, Signing};
pub use webhook::Hooks;

use self::fill::Filled;
use super::{
    Accepted, Checked, Class, OutboundMessage, Posted, Refused, SendError, Told, check, request,
};

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
    /// What stands where in its answers.
    pub answer: Answer,
    /// Classes of error answers, by status, where they say more than the status does.
    pub errors: BTreeMap<u16, Class>,
    /// How it tells of messages; `None`: not at all.
    pub hooks: Option<Hooks>,
    /// How it is asked what kind of line a number is; `None`: it knows none.
    pub lines: Option<Lines>,
    /// Address, with the fields of the account, whose answer to GET says whether it knows us;
    /// `None`: there is none.
    pub check_url: Option<String>,
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
            is.accepted(response, &message).await
        } else {
            Err(is.refused(response).await)
        }
    }

    pub(super) async fn check(&self, limit: Duration) -> Result<Checked, SendError> {
        let is = &self.0;
        let Some(url) = &is.check_url else { return Ok(Checked::NotAskable) };
        let filled = Filled::of_account(&is.secret, &is.account);
        let headers = self.headers(&filled).ok_or_else(check::no_sender)?;
        let question = check::get(&filled.fill(url, Style::Url), limit)?.headers(headers);
        is.knows_us(request::answer(question).await?).await
    }

    fn headers(&self, filled: &Filled<'_>) -> Option<HeaderMap> {
        let header = |(name, value): &(String, String)| {
            let name = name.parse::<HeaderName>().ok()?;
            Some((name, HeaderValue::from_str(&filled.fill(value, Style::Plain)).ok()?))
        };
        self.0.headers.iter().map(header).collect()
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
