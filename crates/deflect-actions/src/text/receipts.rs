//! Webhooks: receipts move messages on, STOP and START are heeded at once.

use message_text::E164;

use super::{
    TextConfig, TextService,
    reply::{self, Word},
};
use crate::{
    provider::{
        Class, Provider, State,
        twilio::{self, Malformed, Twilio},
    },
    store::{StoreError, message::News},
};

const NO_REPLY: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";

/// Why a webhook is refused.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// No provider of that name and kind.
    #[error("no such provider")]
    NoProvider,
    /// The signature is missing or wrong.
    #[error("not signed by the provider")]
    Untrusted,
    /// Signed, and not understood.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The store fails; the provider tries again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WebhookError {
    /// The HTTP status owed.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::NoProvider => 404,
            Self::Untrusted => 403,
            Self::Malformed(_) => 400,
            Self::Store(_) => 503,
        }
    }
}

impl TextService {
    /// Takes Twilio's status callback. `path` is path and query as received; `signature` the
    /// `X-Twilio-Signature`; nothing of `body` is believed before it is verified.
    ///
    /// # Errors
    /// Why it is refused, with the status owed.
    pub async fn twilio_status(
        &self,
        provider: &str,
        path: &str,
        signature: Option<&str>,
        body: &[u8],
    ) -> Result<(), WebhookError> {
        let config = self.config();
        let form = genuine(&config, provider, path, signature, body)?;
        let receipt = twilio::receipt(&form, message_of(path))?;
        let store = &self.0.store;
        let ours = receipt.message_id.as_deref();
        let message = store.message_of(provider, &receipt.provider_id, ours).await?;
        store.keep_receipt(provider, message.as_deref(), &receipt).await?;
        let Some(message) = message else { return Ok(()) };
        let news = News {
            class: receipt.class,
            code: receipt.code.as_deref(),
            provider_id: Some(&receipt.provider_id),
            ..News::of(receipt.state)
        };
        store.take_news(&message, &news).await?;
        self.0.news.notify_waiters();
        if receipt.class == Some(Class::OptedOut)
            && let Some(message) = store.outgoing(&message).await?
        {
            store.opt_out(&message.business, &message.to, "", "provider").await?;
        }
        if matches!(receipt.state, State::Failed | State::Undelivered) {
            tracing::info!(message, code = receipt.code, "text did not arrive");
        }
        Ok(())
    }

    /// Takes a text that Twilio received for one of our senders; returns the TwiML that
    /// answers it.
    ///
    /// # Errors
    /// Why it is refused, with the status owed.
    pub async fn twilio_inbound(
        &self,
        provider: &str,
        path: &str,
        signature: Option<&str>,
        body: &[u8],
    ) -> Result<String, WebhookError> {
        let config = self.config();
        let form = genuine(&config, provider, path, signature, body)?;
        let text = twilio::inbound(&form)?;
        let sender = config
            .senders
            .iter()
            .find(|sender| sender.provider == provider && sender.from == text.to);
        let replies_itself = sender.is_none_or(|sender| {
            let usual = config.providers.get(provider).is_some_and(Provider::replies_itself);
            sender.auto_reply.unwrap_or(usual)
        });
        let Ok(from) = text.from.parse::<E164>() else { return Ok(NO_REPLY.to_owned()) };
        let Some(word) = Word::of(&text.text) else { return Ok(NO_REPLY.to_owned()) };
        match word {
            Word::Stop => self.opt_out_everywhere(&from).await?,
            Word::Start => self.opt_in_everywhere(&from).await?,
            Word::Help => {}
        }
        if replies_itself {
            return Ok(NO_REPLY.to_owned());
        }
        let last = self.0.store.last_text_to(&from).await?;
        Ok(twiml(&reply::to(word, last.as_ref(), &config)))
    }

    /// A sender is not tied to a brand: who says STOP to it is left alone by all.
    async fn opt_out_everywhere(&self, number: &E164) -> Result<(), StoreError> {
        let keys = self.0.store.keys().clone();
        for business in keys.businesses() {
            self.0.store.opt_out(business, number, "", "text").await?;
        }
        Ok(())
    }

    async fn opt_in_everywhere(&self, number: &E164) -> Result<(), StoreError> {
        let keys = self.0.store.keys().clone();
        for business in keys.businesses() {
            self.0.store.opt_in(business, number).await?;
        }
        Ok(())
    }
}

/// The form, if its provider signed it; what is not believed is counted.
fn genuine(
    config: &TextConfig,
    provider: &str,
    path: &str,
    signature: Option<&str>,
    body: &[u8],
) -> Result<Vec<(String, String)>, WebhookError> {
    signed(config, provider, path, signature, body).inspect_err(|error| {
        if matches!(error, WebhookError::Untrusted) {
            metrics::counter!("carom_webhooks_untrusted_total").increment(1);
        }
    })
}

fn signed(
    config: &TextConfig,
    provider: &str,
    path: &str,
    signature: Option<&str>,
    body: &[u8],
) -> Result<Vec<(String, String)>, WebhookError> {
    let twilio: &Twilio = match config.providers.get(provider) {
        Some(Provider::Twilio(twilio)) => twilio,
        Some(Provider::Sandbox) | None => return Err(WebhookError::NoProvider),
    };
    let (Some(base), Some(claimed)) = (&config.public_url, signature) else {
        return Err(WebhookError::Untrusted);
    };
    // What is no form cannot have been signed as one.
    let form = twilio::form(body).map_err(|_| WebhookError::Untrusted)?;
    let url = format!("{}{path}", base.trim_end_matches('/'));
    let genuine = twilio::is_genuine(twilio.token(), &url, &form, claimed);
    genuine.then_some(form).ok_or(WebhookError::Untrusted)
}

/// Our id in the address of a callback.
fn message_of(path: &str) -> Option<&str> {
    let (_, query) = path.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix("message="))
}

fn twiml(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Message>{text}</Message></Response>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_escaped() {
        assert!(twiml("a < b & c").contains("<Message>a &lt; b &amp; c</Message>"));
    }
}
