//! What a gateway knows of numbers: the kind of their lines.

use std::{collections::BTreeMap, time::Duration};

use message_text::E164;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{Gateway, Style, fill::Filled, request, webhook::text_at};
use crate::{http::body, provider::line};

/// How a gateway is asked of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    /// Address that is asked by GET, with the fields of the number and of the account.
    pub url: String,
    /// JSON pointer of the kind of line in its answer.
    pub kind_at: String,
    /// Its words for kinds that texts reach (`true`) or do not; others are read as those of Twilio and
    /// Telnyx are.
    pub kinds: BTreeMap<String, bool>,
}

impl Gateway {
    /// Whether a number takes texts; `None`: it does not say.
    pub(in crate::provider) async fn takes_texts(
        &self,
        number: &E164,
        limit: Duration,
    ) -> Option<bool> {
        let lines = self.0.lines.as_ref()?;
        let filled = Filled::of_number(number, &self.0.secret, &self.0.account);
        let url = filled.fill(&lines.url, Style::Url);
        let request = request::to(Method::GET, &url, limit).ok()?;
        let response = request.headers(self.headers(&filled)?).send().await.ok()?;
        if response.status() != StatusCode::OK {
            return None;
        }
        let answer: Value = serde_json::from_slice(&body(response).await?).ok()?;
        let kind = text_at(&answer, &lines.kind_at)?;
        lines.kinds.get(&kind).copied().or_else(|| line::takes_texts(&kind))
    }
}
