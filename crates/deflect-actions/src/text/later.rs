//! What is learned of a message after a provider has taken it, and what is done when it did not
//! arrive: the next sender has its turn, by itself and once, while the text is worth sending.

use super::TextService;
use crate::{
    provider::{Channel, Class, Receipt, State},
    store::{
        StoreError,
        message::{News, Outgoing},
    },
};

impl TextService {
    /// Takes what a receipt says of an attempt at a message, if that is still the last one.
    pub(super) async fn take_receipt(
        &self,
        (message_id, try_no): (&str, i64),
        receipt: &Receipt,
    ) -> Result<(), StoreError> {
        let store = &self.0.store;
        if matches!(receipt.state, State::Failed | State::Undelivered) {
            tracing::info!(message = message_id, code = receipt.code, "text did not arrive");
            if self.falls_over(message_id, try_no, receipt).await? {
                self.0.due.notify_one();
                self.0.news.notify_waiters();
                return Ok(());
            }
        }
        let news = News { try_no: Some(try_no), ..News::from(receipt) };
        store.take_news(message_id, &news).await?;
        self.0.news.notify_waiters();
        if receipt.class == Some(Class::OptedOut)
            && let Some(message) = store.outgoing(message_id).await?
        {
            store.opt_out(&message.business, &message.to, "", "provider").await?;
        }
        Ok(())
    }

    /// Hands a message that did not arrive to the senders after the one that had it.
    async fn falls_over(
        &self,
        message_id: &str,
        try_no: i64,
        receipt: &Receipt,
    ) -> Result<bool, StoreError> {
        let store = &self.0.store;
        let Some(mut message) = store.outgoing(message_id).await? else { return Ok(false) };
        let class = receipt.class.unwrap_or(Class::Unknown);
        if let (Class::Blocked, Some(sender)) = (class, &message.sender) {
            self.note_spam(sender, message_id).await;
        }
        let rest = self.rest(&message, class);
        if rest.is_empty() || message.try_no != try_no {
            return Ok(false);
        }
        message.letter.via = rest;
        let why = (class, receipt.code.as_deref());
        let fell = store.fall_over(message_id, try_no, &message.letter, why).await?;
        if fell {
            let sender = message.sender.unwrap_or_default();
            metrics::counter!("carom_texts_fallen_over_total", "sender" => sender).increment(1);
        }
        Ok(fell)
    }

    /// The senders that have not had their turn and may have more luck after a failure of `class`.
    fn rest(&self, message: &Outgoing, class: Class) -> Vec<String> {
        let config = self.config();
        let all = config.senders_for(&message.business, message.to.region(), &message.letter.via);
        let had = all.iter().position(|(sender, _)| Some(&sender.name) == message.sender.as_ref());
        let Some(had) = had else { return Vec::new() };
        let channel = all[had].0.channel;
        let after = all[had + 1..].iter().map(|(sender, _)| *sender);
        after.filter(|s| may_follow(class, channel, s.channel)).map(|s| s.name.clone()).collect()
    }
}

/// Whether a sender by `next` may have more luck after a failure by `channel`.
fn may_follow(class: Class, channel: Channel, next: Channel) -> bool {
    class.others_may_try() || (class.is_of_the_channel() && channel != next)
}
