//! Webhooks: receipts move messages on, STOP and START are heeded at once.

use std::sync::Arc;

use super::{TextConfig, TextService};
use crate::{
    provider::{Class, Event, Posted, Provider, Receipt, Reference, Refused, State, Told},
    store::StoreError,
};

/// Why a webhook is refused.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// No provider of that name and kind.
    #[error("no such provider")]
    NoProvider,
    /// It is not the provider's, or not understood.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store fails; the provider tries again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WebhookError {
    /// The HTTP status owed.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::NoProvider | Self::Refused(Refused::Nowhere) => 404,
            Self::Refused(Refused::Untrusted) => 403,
            Self::Refused(Refused::NoPassword) => 401,
            Self::Refused(Refused::Malformed(_)) => 400,
            Self::Store(_) => 503,
        }
    }
}

/// What a webhook is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookAnswer {
    /// That it was taken.
    Taken,
    /// Plain text.
    Text(String),
    /// TwiML.
    Twiml(String),
}

impl TextService {
    /// Takes what a provider posts. Nothing of it is believed before it is proven to come from
    /// the provider.
    ///
    /// # Errors
    /// Why it is refused, with the status owed.
    pub async fn webhook(
        &self,
        kind: &str,
        name: &str,
        posted: Posted<'_>,
    ) -> Result<WebhookAnswer, WebhookError> {
        let config = self.config();
        let provider = config.providers.get(name).filter(|provider| provider.kind() == kind);
        let provider = provider.ok_or(WebhookError::NoProvider)?;
        let posted = Posted {
            public_url: config.public_url.as_deref(),
            now_ms: self.0.store.now_ms(),
            ..posted
        };
        let told = provider.hear(&posted).inspect_err(|refused| {
            if matches!(refused, Refused::Untrusted | Refused::NoPassword) {
                metrics::counter!("carom_webhooks_untrusted_total").increment(1);
            }
        })?;
        match told {
            Told::Handshake(answer) => Ok(WebhookAnswer::Text(answer)),
            Told::Events(events) => self.take_events(&config, name, provider, events).await,
        }
    }

    /// Takes events in; the answer holds what is to be written back to who texted us.
    pub(super) async fn take_events(
        &self,
        config: &Arc<TextConfig>,
        name: &str,
        provider: &Provider,
        events: Vec<Event>,
    ) -> Result<WebhookAnswer, WebhookError> {
        let mut answer = WebhookAnswer::Taken;
        for event in events {
            match event {
                Event::Receipt(receipt) => self.note_receipt(name, &receipt).await?,
                Event::Inbound(text) => {
                    let reply = self.take_text(config, name, provider, &text).await?;
                    if provider.answers_in_webhook() {
                        answer = WebhookAnswer::Twiml(twiml(reply.as_deref()));
                    } else if let Some(reply) = reply {
                        // The provider is not to wait for it.
                        let (service, config) = (self.clone(), Arc::clone(config));
                        let name = name.to_owned();
                        tokio::spawn(async move {
                            service.write_back(&config, &name, &text, &reply).await;
                        });
                    }
                }
            }
        }
        Ok(answer)
    }

    /// Keeps a receipt and moves its message on, where that is known; else it is found when the
    /// answer comes that the receipt overtook.
    pub(super) async fn note_receipt(
        &self,
        provider: &str,
        receipt: &Receipt,
    ) -> Result<(), StoreError> {
        let receipt = &self.priced(provider, receipt.clone());
        let store = &self.0.store;
        let reference = receipt.reference.as_deref().map(Reference::parse);
        // What a failure, or somebody who wants no more texts, leads to is more than one statement.
        let plain = !matches!(receipt.state, State::Failed | State::Undelivered)
            && receipt.class != Some(Class::OptedOut);
        if plain && store.settle(provider, receipt, reference).await? {
            self.0.news.notify_waiters();
            if let Some(late) = reference.filter(|_| receipt.state == State::Accepted) {
                let this = (late.message_id, late.attempt);
                self.take_early(this, provider, &receipt.provider_id).await;
            }
            return Ok(());
        }
        let message = store.message_of(provider, &receipt.provider_id, reference).await?;
        let id = message.as_ref().map(|(id, _)| id.as_str());
        store.keep_receipt(provider, id, receipt).await?;
        let message = match message {
            Some(message) => Some(message),
            // Asked once more: whoever took the answer in meanwhile did not see the receipt.
            None => store.message_of(provider, &receipt.provider_id, reference).await?,
        };
        match message {
            Some((message, try_no)) => {
                self.take_receipt((&message, try_no), receipt).await?;
                if receipt.state == State::Accepted {
                    self.take_early((&message, try_no), provider, &receipt.provider_id).await;
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The receipt without a price that is of another currency than ours, and of how much its price
    /// is.
    pub(super) fn priced(&self, provider: &str, receipt: Receipt) -> Receipt {
        let (config, told) = (self.config(), (receipt.price_micros, receipt.currency.as_deref()));
        let price_micros = config.price_told(provider, told);
        let is_of_part = config.providers.get(provider).is_some_and(Provider::prices_parts);
        Receipt { price_micros, price_is_of_part: is_of_part, ..receipt }
    }

    /// Takes in what came of a provider's id before it was known whose it is.
    pub(super) async fn take_early(
        &self,
        (message_id, try_no): (&str, i64),
        provider: &str,
        provider_id: &str,
    ) {
        let early = match self.0.store.early_receipts(provider, provider_id).await {
            Ok(early) => early,
            Err(error) => {
                return tracing::warn!(%error, message_id, "early receipts are not looked at");
            }
        };
        for receipt in early {
            let receipt = self.priced(provider, receipt);
            if let Err(error) = self.take_receipt((message_id, try_no), &receipt).await {
                tracing::warn!(%error, message_id, "receipt not recorded");
            }
        }
    }
}

fn twiml(text: Option<&str>) -> String {
    const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    let Some(text) = text else { return format!("{HEAD}<Response/>") };
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("{HEAD}<Response><Message>{text}</Message></Response>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_escaped() {
        assert!(twiml(Some("a < b & c")).contains("<Message>a &lt; b &amp; c</Message>"));
        assert!(twiml(None).ends_with("<Response/>"));
    }
}
