//! What a gateway answers: where in its JSON what stands.

use std::collections::BTreeMap;

use reqwest::Response;
use serde_json::Value;

use super::{Description, request, webhook::text_at};
use crate::{
    http::body,
    provider::{Accepted, Checked, Class, Failure, OutboundMessage, SendError, answer::micros},
};

/// Stands in [`Answer::error_codes`] for codes that are not listed.
const ANY_OTHER: &str = "*";

/// Where a gateway says what stands in its answers. Places are JSON pointers (RFC 6901).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The message's id; `None`: it is known by our reference.
    pub id_at: Option<String>,
    /// Parts on the bill.
    pub parts_at: Option<String>,
    /// What it costs.
    pub price: Price,
    /// The code of an error, in answers whose status is one of success too.
    pub error_at: Option<String>,
    /// What its codes mean, `*` all others; `None`: no error.
    pub error_codes: BTreeMap<String, Option<Class>>,
}

/// Where a gateway says what a message costs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Price {
    /// JSON pointer of the amount, a text or a number; a sign counts for nothing.
    pub amount_at: Option<String>,
    /// The currency; `None`: it is not told.
    pub currency: Option<Currency>,
}

/// Where the currency of an amount is known from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Currency {
    /// It is always this (ISO 4217).
    Is(String),
    /// JSON pointer of it.
    At(String),
}

/// What the code of an error says.
enum Error {
    None,
    /// Of this kind.
    Is(Class, String),
    /// A code that nobody listed.
    Unknown(String),
}

impl Answer {
    /// Whether anything of an answer's body is asked for.
    fn is_read(&self) -> bool {
        let Self { id_at, parts_at, price, error_at, error_codes: _ } = self;
        [id_at, parts_at, &price.amount_at, error_at].iter().any(|place| place.is_some())
    }

    fn error(&self, answer: &Value) -> Error {
        let Some(code) = self.error_at.as_deref().and_then(|place| text_at(answer, place)) else {
            return Error::None;
        };
        match self.error_codes.get(&code).or_else(|| self.error_codes.get(ANY_OTHER)) {
            Some(None) => Error::None,
            Some(Some(class)) => Error::Is(*class, code),
            None => Error::Unknown(code),
        }
    }
}

impl Price {
    /// Micros and currency, as far as they are told.
    pub(super) fn of(&self, told: &Value) -> (Option<i64>, Option<String>) {
        let amount = self.amount_at.as_deref().and_then(|place| match told.pointer(place)? {
            Value::String(text) => micros(text),
            // Written without an exponent.
            Value::Number(number) => micros(&number.as_f64()?.to_string()),
            _ => None,
        });
        let Some(currency) = amount.and(self.currency.as_ref()) else { return (amount, None) };
        let currency = match currency {
            Currency::Is(code) => Some(code.clone()),
            Currency::At(place) => text_at(told, place)
                .map(|code| code.to_ascii_uppercase())
                .filter(|code| is_currency(code)),
        };
        // What nobody knows the worth of is no price.
        (amount.filter(|_| currency.is_some()), currency)
    }
}

/// Whether it is written as a currency of ISO 4217 is.
#[must_use]
pub fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Parts of a message, where they are told.
pub(super) fn parts(told: &Value, place: Option<&str>) -> Option<i64> {
    text_at(told, place?)?.parse().ok().filter(|parts| (1..=255).contains(parts))
}

impl Description {
    /// What an answer with a status of success says of a message.
    pub(super) async fn accepted(
        &self,
        response: Response,
        message: &OutboundMessage<'_>,
    ) -> Result<Accepted, SendError> {
        let says = &self.answer;
        let ours = || message.reference.to_string();
        if !says.is_read() {
            return Ok(Accepted::of(ours()));
        }
        let bytes = body(response).await.ok_or_else(SendError::unclear)?;
        let answer: Value = serde_json::from_slice(&bytes).map_err(|_| SendError::unclear())?;
        match says.error(&answer) {
            Error::None => {}
            Error::Is(class, code) => return Err(failed(class, code, SendError::Definite)),
            Error::Unknown(code) => {
                return Err(failed(Class::Unknown, code, SendError::Ambiguous));
            }
        }
        let id = match says.id_at.as_deref() {
            Some(place) => text_at(&answer, place).ok_or_else(SendError::unclear)?,
            None => ours(),
        };
        let (price_micros, currency) = says.price.of(&answer);
        let segments = parts(&answer, says.parts_at.as_deref());
        Ok(Accepted { segments, price_micros, currency, ..Accepted::of(id) })
    }

    /// Why an answer with a status of failure came.
    pub(super) async fn refused(&self, response: Response) -> SendError {
        let (status, retry_after, answer): (_, _, Value) = request::refusal(response).await;
        let by_status = self.errors.get(&status).copied().unwrap_or_else(|| request::class(status));
        let (class, code) = match self.answer.error(&answer) {
            Error::Is(class, code) => (class, code),
            Error::Unknown(code) => (by_status, code),
            Error::None => (by_status, status.to_string()),
        };
        SendError::Definite(Failure { class, code: Some(code), retry_after })
    }

    /// Whether the answer to a question says that we may ask it.
    pub(super) async fn knows_us(&self, response: Response) -> Result<Checked, SendError> {
        if !response.status().is_success() {
            return Err(self.refused(response).await);
        }
        if self.answer.error_at.is_none() {
            return Ok(Checked::Right);
        }
        let bytes = body(response).await.ok_or_else(SendError::unclear)?;
        let answer: Value = serde_json::from_slice(&bytes).map_err(|_| SendError::unclear())?;
        match self.answer.error(&answer) {
            Error::None => Ok(Checked::Right),
            Error::Is(class, code) => Err(failed(class, code, SendError::Definite)),
            Error::Unknown(code) => Err(failed(Class::Unknown, code, SendError::Definite)),
        }
    }
}

fn failed(class: Class, code: String, error: fn(Failure) -> SendError) -> SendError {
    error(Failure { code: Some(code), ..Failure::of(class) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn prices_are_texts_or_numbers_and_a_currency_is_one_of_iso_4217() {
        let at = |currency| Price { amount_at: Some("/cost".to_owned()), currency };
        let eur = || Some("EUR".to_owned());
        let told = || at(Some(Currency::At("/unit".to_owned())));
        for (price, told, expected) in [
            (told(), json!({ "cost": "-0.0075", "unit": "EUR" }), (Some(7_500), eur())),
            (told(), json!({ "cost": 0.000_012, "unit": "EUR" }), (Some(12), eur())),
            (told(), json!({ "cost": 2, "unit": "eur" }), (Some(2_000_000), eur())),
            (told(), json!({ "cost": 2, "unit": "euro" }), (None, None)),
            (told(), json!({ "cost": 2 }), (None, None)),
            (told(), json!({ "unit": "EUR" }), (None, None)),
            (
                at(Some(Currency::Is("EUR".to_owned()))),
                json!({ "cost": 1 }),
                (Some(1_000_000), eur()),
            ),
            (at(None), json!({ "cost": "x" }), (None, None)),
            (Price::default(), json!({ "cost": 1 }), (None, None)),
        ] {
            assert_eq!(price.of(&told), expected, "{told}");
        }
        for (told, expected) in
            [(json!(2), Some(2)), (json!("3"), Some(3)), (json!(0), None), (json!(1.5), None)]
        {
            assert_eq!(parts(&json!({ "n": told }), Some("/n")), expected, "{told}");
        }
    }
}
