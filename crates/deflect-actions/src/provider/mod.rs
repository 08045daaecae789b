//! Those who carry messages. A provider says of each send: accepted, definitely not, or that it
//! cannot be known.

mod answer;
mod class;
mod form;
mod hook;
mod outbound;
mod request;
mod state;
pub mod telnyx;
pub mod twilio;
pub mod whatsapp;

use std::time::Duration;

pub use answer::{Accepted, Failure, Found, Receipt, SendError};
pub use class::Class;
pub use form::form;
pub use hook::{Event, Inbound, Malformed, Posted, Refused, Told};
pub use outbound::{Channel, Fill, LINK_TOKEN, OutboundMessage, Reference, Template, VARIABLES};
pub use state::State;

use self::{telnyx::Telnyx, twilio::Twilio, whatsapp::WhatsApp};

/// A provider.
#[derive(Debug, Clone)]
pub enum Provider {
    /// A local inbox that never leaves the machine: the outbox's rows are what was received.
    Sandbox,
    /// Twilio's Messaging API.
    Twilio(Twilio),
    /// Telnyx's Messaging API.
    Telnyx(Telnyx),
    /// WhatsApp's Cloud API.
    WhatsApp(WhatsApp),
}

impl Provider {
    /// The word of its `kind`, in `carom.toml` and in the path of its webhooks.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Twilio(_) => "twilio",
            Self::Telnyx(_) => "telnyx",
            Self::WhatsApp(_) => "whatsapp-cloud",
        }
    }

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
                state: State::Delivered,
                ..Accepted::of(format!("sandbox-{}", message.reference))
            }),
            Self::Twilio(twilio) => twilio.send(message, limit).await,
            Self::Telnyx(telnyx) => telnyx.send(message, limit).await,
            Self::WhatsApp(whatsapp) => whatsapp.send(message, limit).await,
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
            // They tell of a message by their own id only, which the lost answer held.
            Self::Telnyx(_) | Self::WhatsApp(_) => Found::Unknown,
        }
    }

    /// What a webhook tells, once it is proven to be the provider's.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn hear(&self, posted: &Posted<'_>) -> Result<Told, Refused> {
        match self {
            Self::Sandbox => Err(Refused::Nowhere),
            Self::Twilio(twilio) => twilio.hear(posted),
            Self::Telnyx(telnyx) => telnyx.hear(posted),
            Self::WhatsApp(whatsapp) => whatsapp.hear(posted),
        }
    }

    /// Whether the provider itself answers STOP and HELP unless told otherwise.
    #[must_use]
    pub fn replies_itself(&self) -> bool {
        matches!(self, Self::Twilio(_) | Self::Telnyx(_))
    }

    /// Whether the answer to the webhook of an inbound text is sent to whom it came from.
    pub(crate) fn answers_in_webhook(&self) -> bool {
        matches!(self, Self::Twilio(_))
    }
}
