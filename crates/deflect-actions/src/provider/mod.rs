//! Those who carry messages. A provider says of each send: accepted, definitely not, or that it
//! cannot be known.

mod address;
mod answer;
pub mod bandwidth;
mod check;
mod class;
mod form;
pub mod gateway;
mod hook;
mod line;
mod mac;
mod outbound;
mod request;
pub mod smpp;
mod state;
pub mod telnyx;
pub mod twilio;
pub mod vonage;
pub mod whatsapp;

use std::time::Duration;

use message_text::{E164, Segments, segments};

pub use answer::{Accepted, Cost, Failure, Found, Receipt, SendError};
pub use check::{Checked, Reached, reach_webhook};
pub use class::Class;
pub use form::form;
pub use hook::{Event, Inbound, Malformed, Posted, Refused, Told};
pub use outbound::{Channel, Fill, LINK_TOKEN, OutboundMessage, Reference, Template, VARIABLES};
pub use state::State;

use self::{
    bandwidth::Bandwidth, gateway::Gateway, smpp::Smpp, telnyx::Telnyx, twilio::Twilio,
    vonage::Vonage, whatsapp::WhatsApp,
};

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
    /// Bandwidth's Messaging API.
    Bandwidth(Bandwidth),
    /// Vonage's SMS API.
    Vonage(Vonage),
    /// A message centre.
    Smpp(Smpp),
    /// Another gateway, as described.
    Gateway(Box<Gateway>),
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
            Self::Bandwidth(_) => "bandwidth",
            Self::Vonage(_) => "vonage",
            Self::Smpp(_) => "smpp",
            Self::Gateway(_) => "http",
        }
    }

    /// Whether its receipts name the message that they are of, so that one which overtakes the
    /// answer finds it.
    pub(crate) fn receipts_name_messages(&self) -> bool {
        match self {
            // Told with the request, and given back with each receipt.
            Self::Twilio(twilio) => twilio.calls_back(),
            Self::Bandwidth(_) | Self::Vonage(_) | Self::WhatsApp(_) => true,
            Self::Sandbox | Self::Telnyx(_) | Self::Smpp(_) | Self::Gateway(_) => false,
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
            Self::Bandwidth(bandwidth) => bandwidth.send(message, limit).await,
            Self::Vonage(vonage) => vonage.send(message, limit).await,
            Self::Smpp(smpp) => smpp.send(message, limit).await,
            Self::Gateway(gateway) => gateway.send(message, limit).await,
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
            Self::Telnyx(_)
            | Self::WhatsApp(_)
            | Self::Bandwidth(_)
            | Self::Vonage(_)
            | Self::Smpp(_)
            | Self::Gateway(_) => Found::Unknown,
        }
    }

    /// Whether the credentials are right, by a question that texts nobody. `from`: one of its
    /// senders, which some want to be asked about.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(&self, from: Option<&str>, limit: Duration) -> Result<Checked, SendError> {
        match self {
            Self::Sandbox => Ok(Checked::Right),
            Self::Twilio(twilio) => twilio.check(limit).await,
            Self::Telnyx(telnyx) => telnyx.check(limit).await,
            Self::WhatsApp(whatsapp) => whatsapp.check(from, limit).await,
            Self::Bandwidth(bandwidth) => bandwidth.check(limit).await,
            Self::Vonage(vonage) => vonage.check(limit).await,
            Self::Smpp(smpp) => smpp.check(limit).await.map(|()| Checked::Right),
            Self::Gateway(gateway) => gateway.check(limit).await,
        }
    }

    /// Whether it tells what a text cost to who asks for it only.
    pub(crate) fn is_asked_for_prices(&self) -> bool {
        matches!(self, Self::Twilio(_))
    }

    /// Whether a receipt tells the price of one part of a text, and each part has a receipt of its
    /// own.
    pub(crate) fn prices_parts(&self) -> bool {
        matches!(self, Self::Vonage(_))
    }

    /// What a message cost, by its id; `None`: it does not say, or not yet.
    pub(crate) async fn cost(&self, provider_id: &str, limit: Duration) -> Option<Cost> {
        match self {
            Self::Twilio(twilio) => twilio.cost(provider_id, limit).await,
            // They tell it unasked, or never.
            Self::Sandbox
            | Self::Telnyx(_)
            | Self::WhatsApp(_)
            | Self::Bandwidth(_)
            | Self::Vonage(_)
            | Self::Smpp(_)
            | Self::Gateway(_) => None,
        }
    }

    /// How risky a text to `number` is, 0 (harmless) to 100; `None`: it does not say.
    pub(crate) async fn risk(&self, number: &E164, limit: Duration) -> Option<u8> {
        match self {
            Self::Twilio(twilio) => twilio.risk(number, limit).await,
            Self::Sandbox
            | Self::Telnyx(_)
            | Self::WhatsApp(_)
            | Self::Bandwidth(_)
            | Self::Vonage(_)
            | Self::Smpp(_)
            | Self::Gateway(_) => None,
        }
    }

    /// Whether texts reach `number`, by the kind of its line; `None`: it does not say.
    pub(crate) async fn takes_texts(&self, number: &E164, limit: Duration) -> Option<bool> {
        match self {
            Self::Twilio(twilio) => twilio.takes_texts(number, limit).await,
            Self::Telnyx(telnyx) => telnyx.takes_texts(number, limit).await,
            Self::Gateway(gateway) => gateway.takes_texts(number, limit).await,
            Self::Sandbox
            | Self::WhatsApp(_)
            | Self::Bandwidth(_)
            | Self::Vonage(_)
            | Self::Smpp(_) => None,
        }
    }

    /// What follows the provider's name in the path of its webhooks; `None`: it has none.
    #[must_use]
    pub fn webhook(&self) -> Option<&'static str> {
        match self {
            Self::Sandbox | Self::Smpp(_) => None,
            Self::Twilio(_) => Some("/status"),
            Self::Telnyx(_)
            | Self::WhatsApp(_)
            | Self::Bandwidth(_)
            | Self::Vonage(_)
            | Self::Gateway(_) => Some(""),
        }
    }

    /// What a webhook tells, once it is proven to be the provider's.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn hear(&self, posted: &Posted<'_>) -> Result<Told, Refused> {
        match self {
            // What a centre tells comes by its session.
            Self::Sandbox | Self::Smpp(_) => Err(Refused::Nowhere),
            Self::Twilio(twilio) => twilio.hear(posted),
            Self::Telnyx(telnyx) => telnyx.hear(posted),
            Self::WhatsApp(whatsapp) => whatsapp.hear(posted),
            Self::Bandwidth(bandwidth) => bandwidth.hear(posted),
            Self::Vonage(vonage) => vonage.hear(posted),
            Self::Gateway(gateway) => gateway.hear(posted),
        }
    }

    /// How many SMS a text is as it is sent.
    pub(crate) fn segments(&self, text: &str) -> Segments {
        match self {
            Self::Smpp(smpp) => smpp.segments(text),
            _ => segments(text),
        }
    }

    /// How many of a sender's messages a second a text is.
    pub(crate) fn weight(&self, text: &str) -> u32 {
        match self {
            Self::Smpp(smpp) => u32::try_from(smpp.segments(text).count).unwrap_or(1),
            _ => 1,
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
