//! Ambiguous messages are settled by evidence: a receipt, or the provider's own list.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time::Instant};

use super::{Sender, TextService, attempt::Tried, round::outbound};
use crate::{
    provider::{Class, Failure, Found, Provider, Receipt, State},
    store::{
        StoreError,
        message::{News, Outgoing, Standing},
    },
};

/// One question takes no longer.
const QUESTION: Duration = Duration::from_secs(5);
/// While the caller listens it is asked this often.
const ASK: Duration = Duration::from_millis(500);
/// A message that a provider has is in its list after this long, ms.
const LISTED_MS: i64 = 60_000;
/// Between two questions, ms.
const AGAIN_MS: i64 = 20_000;
/// After its time is over it is asked about for this long, ms.
const PATIENCE_MS: i64 = 15 * 60_000;

impl TextService {
    /// Waits until evidence comes that the message arrived or failed, at most until `until`.
    pub(super) async fn evidence(
        &self,
        message: &Outgoing,
        sender: &Sender,
        provider: &Provider,
        until: Instant,
    ) -> Option<Tried> {
        let written = message.write_ms.unwrap_or(message.created_ms);
        loop {
            let news = self.0.news.notified();
            let found = match self.0.store.standing(&message.message_id).await {
                Ok(Some(Standing { state, class, try_no, .. })) => match state {
                    State::Ambiguous | State::Claimed | State::Queued => None,
                    State::Failed | State::Undelivered | State::Canceled => {
                        let failure = Failure::of(class.unwrap_or(Class::Unknown));
                        let own = try_no == message.try_no;
                        Some(if own { Tried::Failed(failure) } else { Tried::Ended(failure) })
                    }
                    _ => Some(Tried::Accepted { sender: sender.name.clone() }),
                },
                Ok(None) | Err(_) => None,
            };
            if found.is_some() {
                return found;
            }
            if tokio::time::timeout_at(until.min(Instant::now() + ASK), news).await.is_err() {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return None;
                }
                let now = self.0.store.now_ms();
                let question = outbound(message, sender, now);
                if let Found::Has(list) = provider.find(question, written, left.min(QUESTION)).await
                {
                    let _ = self.take_found(message, &sender.provider, list).await;
                }
            }
        }
    }

    /// Begins to ask about what is ambiguous and due, as many as `questions` has permits for; what
    /// has waited longest comes first.
    pub(super) async fn settle_due(&self, questions: &Arc<Semaphore>) -> Result<(), StoreError> {
        let free = i64::try_from(questions.available_permits()).unwrap_or(0);
        if free == 0 {
            return Ok(());
        }
        for id in self.0.store.unsettled(AGAIN_MS, free).await? {
            // Only this task takes permits, so each has one.
            let Ok(permit) = Arc::clone(questions).try_acquire_owned() else { break };
            let service = self.clone();
            tokio::spawn(async move {
                if let Err(error) = service.settle_one(&id).await {
                    tracing::warn!(%error, message = id, "settling: the store fails");
                }
                drop(permit);
            });
        }
        Ok(())
    }

    async fn settle_one(&self, id: &str) -> Result<(), StoreError> {
        match self.0.store.outgoing(id).await? {
            Some(message) => self.settle(&message).await,
            None => self.0.store.give_up_asking(id).await,
        }
    }

    async fn settle(&self, message: &Outgoing) -> Result<(), StoreError> {
        let (config, store, now) = (self.config(), &self.0.store, self.0.store.now_ms());
        let sender = config.senders.iter().find(|s| Some(&s.name) == message.sender.as_ref());
        let provider = sender.and_then(|sender| config.providers.get(&sender.provider));
        let written = message.write_ms.unwrap_or(message.created_ms);
        let found = match (sender, provider) {
            (Some(sender), Some(provider)) => {
                let question = outbound(message, sender, now);
                match provider.find(question, written, QUESTION).await {
                    Found::Has(list) => {
                        let name = &sender.provider;
                        if self.take_found(message, name, list).await? {
                            return Ok(());
                        }
                        Found::HasNone
                    }
                    other => other,
                }
            }
            _ => Found::Unknown,
        };
        let listed = matches!(provider, Some(Provider::Sandbox)) || now - written >= LISTED_MS;
        match found {
            Found::HasNone if listed && now < message.valid_until_ms => {
                tracing::info!(message = message.message_id, "never arrived, sent again");
                self.0.due.notify_one();
                store.requeue(&message.message_id, message.try_no, now).await.map(|_| ())
            }
            Found::HasNone if listed => {
                let news = News { class: Some(Class::Expired), ..News::of(State::Failed) };
                store.take_news(&message.message_id, &news).await.map(|_| ())
            }
            Found::HasNone | Found::Unknown | Found::Has(_) => {
                if now > message.valid_until_ms + PATIENCE_MS {
                    store.give_up_asking(&message.message_id).await?;
                }
                Ok(())
            }
        }
    }

    /// Takes what a provider's list says, leaving out what belongs to other messages.
    async fn take_found(
        &self,
        message: &Outgoing,
        provider: &str,
        list: Vec<Receipt>,
    ) -> Result<bool, StoreError> {
        let store = &self.0.store;
        for receipt in list {
            let receipt = self.priced(provider, receipt);
            let id = &receipt.provider_id;
            if store.knows_provider_id(provider, id, &message.message_id).await? {
                continue;
            }
            let this = News { try_no: Some(message.try_no), ..News::of(State::Accepted) };
            let price_micros = receipt.price_micros;
            let accepted =
                News { provider_id: Some(id), segments: receipt.segments, price_micros, ..this };
            self.insist(&message.message_id, &accepted).await;
            let this = (message.message_id.as_str(), message.try_no);
            if receipt.state != State::Accepted {
                self.take_receipt(this, &receipt).await?;
            }
            self.take_early(this, provider, id).await;
            return Ok(true);
        }
        Ok(false)
    }
}
