//! Vonage's SMS API: a form, an answer that is always 200, receipts signed over their parameters.

mod codes;
mod signature;
mod webhook;

use std::time::Duration;

use message_text::{Encoding, segments};
use reqwest::{Method, Response};
use serde::Deserialize;

pub use signature::Method as SignatureMethod;

use super::{
    Accepted, Checked, Class, Failure, OutboundMessage, Posted, Refused, SendError, Told,
    answer::micros, check, form, request,
};

/// Where the SMS API is.
const API: &str = "https://rest.nexmo.com";

/// Its prices are in euros, whatever the account is kept in.
const CURRENCY: &str = "EUR";

/// An account at Vonage.
#[derive(Clone)]
pub struct Vonage {
    key: String,
    secret: String,
    signing: (SignatureMethod, String),
    base: String,
    /// Receipts go to this address; `None`: to the account's.
    callback: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    messages: Vec<Part>,
}

/// One part of a text.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Part {
    status: String,
    #[serde(default)]
    message_id: String,
    message_price: Option<String>,
}

impl Vonage {
    /// An account; webhooks are signed by `signing`, `base` replaces the API's address, `callback`
    /// is where receipts go.
    #[must_use]
    pub fn new(
        key: &str,
        secret: &str,
        signing: (SignatureMethod, &str),
        base: Option<&str>,
        callback: Option<String>,
    ) -> Self {
        Self {
            key: key.to_owned(),
            secret: secret.to_owned(),
            signing: (signing.0, signing.1.to_owned()),
            base: base.unwrap_or(API).trim_end_matches('/').to_owned(),
            callback,
        }
    }

    pub(super) async fn send(
        &self,
        message: OutboundMessage<'_>,
        limit: Duration,
    ) -> Result<Accepted, SendError> {
        let mut form = vec![
            ("api_key", self.key.clone()),
            ("api_secret", self.secret.clone()),
            ("from", message.from.trim_start_matches('+').to_owned()),
            ("to", message.to.as_str().trim_start_matches('+').to_owned()),
            ("text", message.text.to_owned()),
            ("client-ref", message.reference.to_string()),
            // The least that it takes is 20 s.
            ("ttl", message.valid_for.as_millis().max(20_000).to_string()),
        ];
        if segments(message.text).encoding == Encoding::Ucs2 {
            form.push(("type", "unicode".to_owned()));
        }
        if let Some(callback) = &self.callback {
            form.push(("callback", callback.clone()));
        }
        let url = format!("{}/sms/json", self.base);
        let request = request::to(Method::POST, &url, limit)?.form(&form);
        let response = request::answer(request).await?;
        if response.status().is_success() {
            taken(response).await
        } else {
            let (status, retry_after, _): (_, _, serde_json::Value) =
                request::refusal(response).await;
            let (class, code) = (request::class(status), Some(status.to_string()));
            Err(SendError::Definite(Failure { class, code, retry_after }))
        }
    }

    pub(super) async fn check(&self, limit: Duration) -> Result<Checked, SendError> {
        let question = check::get(&format!("{}/account/get-balance", self.base), limit)?;
        let credentials = [("api_key", &self.key), ("api_secret", &self.secret)];
        check::ask(question.query(&credentials), "/value").await
    }

    pub(super) fn hear(&self, posted: &Posted<'_>) -> Result<Told, Refused> {
        // It is told by GET, by form or by JSON, as the account says.
        let parameters = if posted.asks {
            form(posted.query().as_bytes()).map_err(|_| Refused::Untrusted)?
        } else if posted.body.trim_ascii_start().starts_with(b"{") {
            webhook::parameters(posted.body).map_err(|_| Refused::Untrusted)?
        } else {
            form(posted.body).map_err(|_| Refused::Untrusted)?
        };
        let (method, secret) = &self.signing;
        if !method.signed(secret, &parameters) {
            return Err(Refused::Untrusted);
        }
        let seconds = super::form::field(&parameters, "timestamp").and_then(|at| at.parse().ok());
        let at_ms = seconds.and_then(|seconds: i64| seconds.checked_mul(1_000));
        if !at_ms.is_some_and(|at_ms| posted.is_fresh(at_ms)) {
            return Err(Refused::Untrusted);
        }
        Ok(Told::Events(vec![webhook::event(&parameters)?]))
    }
}

impl std::fmt::Debug for Vonage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vonage").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Each part has a status of its own; only the HTTP status says nothing.
async fn taken(response: Response) -> Result<Accepted, SendError> {
    told(request::success(response).await?)
}

fn told(answer: Answer) -> Result<Accepted, SendError> {
    let first = answer.messages.first().ok_or_else(SendError::unclear)?;
    if let Some(part) = answer.messages.iter().find(|part| part.status != "0") {
        let class = part.status.parse().map_or(Class::Unknown, codes::class);
        let code = Some(part.status.clone());
        let failure = Failure { class, code, retry_after: None };
        // Of which a part was taken, nobody may send the whole again.
        let is_part_taken = answer.messages.iter().any(|part| part.status == "0");
        return Err(if is_part_taken {
            SendError::Ambiguous(failure)
        } else {
            SendError::Definite(failure)
        });
    }
    if first.message_id.is_empty() {
        return Err(SendError::unclear());
    }
    let prices = answer.messages.iter().map(|part| micros(part.message_price.as_deref()?));
    Ok(Accepted {
        segments: i64::try_from(answer.messages.len()).ok(),
        price_micros: prices.sum(),
        currency: Some(CURRENCY.to_owned()),
        ..Accepted::of(first.message_id.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_06_a_text_of_which_a_part_was_taken_is_not_refused() {
        for (statuses, expected) in
            [(["1", "1"], "definite"), (["0", "1"], "ambiguous"), (["9", "0"], "ambiguous")]
        {
            let parts =
                statuses.map(|status| serde_json::json!({ "status": status, "message-id": "a" }));
            let answer = serde_json::from_value(serde_json::json!({ "messages": parts })).unwrap();
            let came = match told(answer) {
                Ok(_) => "accepted",
                Err(SendError::Definite(_)) => "definite",
                Err(SendError::Ambiguous(_)) => "ambiguous",
            };
            assert_eq!(came, expected, "{statuses:?}");
        }
    }
}
