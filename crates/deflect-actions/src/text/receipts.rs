//! Webhooks: receipts move messages on, STOP and START are heeded at once.

use message_text::E164;

use super::{TextConfig, TextService};
use crate::{
    provider::{
        Class, Provider, State,
        twilio::{self, Malformed, Twilio},
    },
    store::{StoreError, message::News},
};

/// Words that mean STOP, without punctuation, lower case.
const STOP: [&str; 14] = [
    "stop",
    "stopall",
    "stop all",
    "quit",
    "end",
    "revoke",
    "opt out",
    "optout",
    "cancel",
    "unsubscribe",
    "baja",
    "alto",
    "parar",
    "cancelar",
];
const START: [&str; 5] = ["start", "unstop", "yes", "alta", "si"];
const HELP: [&str; 4] = ["help", "info", "ayuda", "informacion"];
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
        let reply = match Word::of(&text.text) {
            Some(Word::Stop) => {
                self.opt_out_everywhere(&from).await?;
                Some("You will get no more messages from us. Text START to get them again.".into())
            }
            Some(Word::Start) => {
                self.opt_in_everywhere(&from).await?;
                Some("You may get messages from us again. Text STOP to end them.".into())
            }
            Some(Word::Help) => Some(help(&config)),
            None => None,
        };
        Ok(reply.filter(|_| !replies_itself).map_or_else(|| NO_REPLY.to_owned(), |r| twiml(&r)))
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Stop,
    Start,
    Help,
}

impl Word {
    fn of(text: &str) -> Option<Self> {
        let kept = |c: &char| c.is_alphanumeric() || c.is_whitespace();
        let text: String = text.chars().filter(kept).collect();
        let words: Vec<_> = text.split_whitespace().map(str::to_lowercase).collect();
        let text = words.join(" ");
        if STOP.contains(&text.as_str()) {
            Some(Self::Stop)
        } else if START.contains(&text.as_str()) {
            Some(Self::Start)
        } else if HELP.contains(&text.as_str()) {
            Some(Self::Help)
        } else {
            None
        }
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

fn help(config: &TextConfig) -> String {
    let texts: Vec<_> = config.help.values().map(String::as_str).collect();
    if texts.is_empty() {
        "You asked for this text in a call to us. Text STOP to get no more.".to_owned()
    } else {
        texts.join(" ")
    }
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
    fn stop_is_understood_however_it_is_written() {
        for text in ["STOP", "stop", " Stop. ", "STOP!", "Stop all", "opt-out", "OPT OUT", "Baja"] {
            assert_eq!(Word::of(text), Some(Word::Stop), "{text}");
        }
        assert_eq!(Word::of("Start"), Some(Word::Start));
        assert_eq!(Word::of("HELP?"), Some(Word::Help));
        assert_eq!(Word::of("please do not stop"), None);
        assert_eq!(Word::of(""), None);
    }

    #[test]
    fn a_reply_is_escaped() {
        assert!(twiml("a < b & c").contains("<Message>a &lt; b &amp; c</Message>"));
    }
}
