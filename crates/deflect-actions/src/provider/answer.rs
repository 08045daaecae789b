//! What a provider answers, and what it says afterwards.

use std::time::Duration;

use super::{Class, State};

/// A provider has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The provider's id of the message.
    pub provider_id: String,
    /// Parts on the bill, where told.
    pub segments: Option<i64>,
    /// What it costs, in micros of the account's currency, where told.
    pub price_micros: Option<i64>,
    /// That currency (ISO 4217), where told.
    pub currency: Option<String>,
    /// What it says of it so far: never that it failed, for that is [`SendError::Definite`].
    pub state: State,
}

impl Accepted {
    /// Taken, with no more to say.
    #[must_use]
    pub fn of(provider_id: impl Into<String>) -> Self {
        Self {
            provider_id: provider_id.into(),
            segments: None,
            price_micros: None,
            currency: None,
            state: State::Accepted,
        }
    }
}

/// What a provider says that a message cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// Parts on the bill, where told.
    pub segments: Option<i64>,
    /// In micros of the account's currency.
    pub price_micros: i64,
    /// That currency (ISO 4217), where told.
    pub currency: Option<String>,
}

/// A provider does not have it, or nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Nothing of the request was written, or an error answer came.
    #[error("not sent: {0}")]
    Definite(Failure),
    /// The request was written and no answer came that says yes or no.
    #[error("may have been sent: {0}")]
    Ambiguous(Failure),
}

impl SendError {
    /// Definitely not sent.
    #[must_use]
    pub fn definite(class: Class) -> Self {
        Self::Definite(Failure::of(class))
    }

    /// Written, and what came is no answer.
    #[must_use]
    pub fn unclear() -> Self {
        Self::Ambiguous(Failure::of(Class::Unknown))
    }
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} {}", .class.as_str(), .code.as_deref().unwrap_or(""))]
pub struct Failure {
    /// Its kind.
    pub class: Class,
    /// The provider's code.
    pub code: Option<String>,
    /// When the provider wants to be tried again.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure of a kind, with no more to say.
    #[must_use]
    pub fn of(class: Class) -> Self {
        Self { class, code: None, retry_after: None }
    }
}

/// What a provider says about a message afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The provider's id.
    pub provider_id: String,
    /// What we named the attempt, where the provider gives it back.
    pub reference: Option<String>,
    /// What became of it.
    pub state: State,
    /// Why it failed.
    pub class: Option<Class>,
    /// The provider's code for that.
    pub code: Option<String>,
    /// Parts on the bill, where told.
    pub segments: Option<i64>,
    /// What it cost, in micros of the account's currency, where told.
    pub price_micros: Option<i64>,
    /// That currency (ISO 4217), where told.
    pub currency: Option<String>,
    /// That is what one part of the text cost, and each part has a receipt of its own.
    pub price_is_of_part: bool,
}

impl Receipt {
    /// A state, with no more to say.
    #[must_use]
    pub fn of(provider_id: impl Into<String>, state: State) -> Self {
        Self {
            provider_id: provider_id.into(),
            reference: None,
            state,
            class: None,
            code: None,
            segments: None,
            price_micros: None,
            currency: None,
            price_is_of_part: false,
        }
    }
}

/// What a provider answers when asked about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It has it; more than one where it was sent twice.
    Has(Vec<Receipt>),
    /// It looked and has none.
    HasNone,
    /// It cannot be asked, or did not answer.
    Unknown,
}

/// An amount as providers write it, such as `"-0.0075"`, in micros and without its sign.
pub(super) fn micros(amount: &str) -> Option<i64> {
    let amount = amount.trim().trim_start_matches('-');
    let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) {
        return None;
    }
    let part: String = part.chars().chain("000000".chars()).take(6).collect();
    let micros = part.parse::<i64>().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(micros)
}

#[cfg(test)]
mod tests {
    use super::micros;

    #[test]
    fn amounts_are_read_to_the_micro() {
        for (text, expected) in [
            ("0.0040", Some(4_000)),
            ("-0.00750", Some(7_500)),
            ("1", Some(1_000_000)),
            ("0.00000049", Some(0)),
            ("", None),
            (".5", None),
            ("1e3", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(micros(text), expected, "{text}");
        }
    }
}
