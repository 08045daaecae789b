//! Those who carry messages. A provider says of each send: accepted, definitely not, or that it
//! cannot be known.

mod class;
mod state;
pub mod twilio;

use std::time::Duration;

use message_text::E164;

pub use class::Class;
pub use state::State;

use self::twilio::Twilio;

/// A message as a provider gets it.
#[derive(Debug, Clone, Copy)]
pub struct OutboundMessage<'a> {
    /// Ours; the provider reports with it.
    pub message_id: &'a str,
    /// The sender's number or id.
    pub from: &'a str,
    /// Where it goes.
    pub to: &'a E164,
    /// The text.
    pub text: &'a str,
    /// After this much time it is worth nothing.
    pub valid_for: Duration,
}

/// A provider has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The provider's id of the message.
    pub provider_id: String,
    /// Parts on the bill, where told.
    pub segments: Option<i64>,
    /// What it says of it so far.
    pub state: State,
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
    /// Ours, where the provider gives it back.
    pub message_id: Option<String>,
    /// What became of it.
    pub state: State,
    /// Why it failed.
    pub class: Option<Class>,
    /// The provider's code for that.
    pub code: Option<String>,
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

/// A provider.
#[derive(Debug, Clone)]
pub enum Provider {
    /// A local inbox that never leaves the machine: the outbox's rows are what was received.
    Sandbox,
    /// Twilio's Messaging API.
    Twilio(Twilio),
}

impl Provider {
    /// Hands a message over, within `limit`.
    ///
    /// # Errors
    /// Whether it failed definitely, and why.
    pub async fn send(
        &self,
        message: OutboundMessage<'_>,
        limit: Duration,
    ) -> Result<Accepted, SendError> {
        match self {
            Self::Sandbox => Ok(Accepted {
                provider_id: format!("sandbox-{}", message.message_id),
                segments: None,
                state: State::Delivered,
            }),
            Self::Twilio(twilio) => twilio.send(message, limit).await,
        }
    }

    /// Asks for a message that was written at `written_ms` and never answered.
    pub async fn find(
        &self,
        message: OutboundMessage<'_>,
        written_ms: i64,
        limit: Duration,
    ) -> Found {
        match self {
            // Nothing stands between the outbox and its inbox.
            Self::Sandbox => Found::HasNone,
            Self::Twilio(twilio) => twilio.find(message, written_ms, limit).await,
        }
    }

    /// Whether the provider itself answers STOP and HELP unless told otherwise.
    #[must_use]
    pub fn replies_itself(&self) -> bool {
        matches!(self, Self::Twilio(_))
    }
}
