//! Telnyx's number lookup: the kind of line of a number.

use std::time::Duration;

use message_text::E164;
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::{Telnyx, request};
use crate::{http::body, provider::line};

#[derive(Deserialize)]
struct Looked {
    data: Number,
}

#[derive(Deserialize)]
struct Number {
    carrier: Option<Carrier>,
}

#[derive(Deserialize)]
struct Carrier {
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Telnyx {
    /// Whether a number takes texts; `None`: it does not say.
    pub(in crate::provider) async fn takes_texts(
        &self,
        number: &E164,
        limit: Duration,
    ) -> Option<bool> {
        let url = format!("{}/v2/number_lookup/{}", self.base, number.as_str());
        let request = request::to(Method::GET, &url, limit).ok()?;
        let response = request.bearer_auth(&self.key).query(&[("type", "carrier")]).send();
        let response = response.await.ok()?;
        if response.status() != StatusCode::OK {
            return None;
        }
        let looked: Looked = serde_json::from_slice(&body(response).await?).ok()?;
        line::takes_texts(&looked.data.carrier?.kind?)
    }
}
