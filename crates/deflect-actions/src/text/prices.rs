//! Providers that tell what a text cost only to who asks for it, some time after it is done.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet};

use super::TextService;
use crate::{
    provider::Provider,
    store::{StoreError, message::Unpriced},
};

/// One question takes no longer.
const QUESTION: Duration = Duration::from_secs(5);
/// Questions at once.
const AT_ONCE: i64 = 8;

impl TextService {
    /// Asks beside the outbox's work, unless it is being asked.
    pub(super) fn ask_prices(&self, asking: &Arc<Semaphore>) {
        let Ok(alone) = Arc::clone(asking).try_acquire_owned() else { return };
        let service = self.clone();
        tokio::spawn(async move {
            if let Err(error) = service.learn_prices().await {
                tracing::warn!(%error, "prices are not asked for: the store fails");
            }
            drop(alone);
        });
    }

    async fn learn_prices(&self) -> Result<(), StoreError> {
        let config = self.config();
        let asked = config.providers.iter().filter(|(_, provider)| provider.is_asked_for_prices());
        for (name, provider) in asked {
            loop {
                let texts = self.0.store.take_unpriced(name, AT_ONCE).await?;
                if texts.is_empty() {
                    break;
                }
                let mut questions = JoinSet::new();
                for text in texts {
                    let (service, name, provider) = (self.clone(), name.clone(), provider.clone());
                    questions
                        .spawn(async move { service.learn_price(&name, &provider, text).await });
                }
                while let Some(learned) = questions.join_next().await {
                    learned.map_err(std::io::Error::other)??;
                }
            }
        }
        Ok(())
    }

    async fn learn_price(
        &self,
        name: &str,
        provider: &Provider,
        text: Unpriced,
    ) -> Result<(), StoreError> {
        let Some(cost) = provider.cost(&text.provider_id, QUESTION).await else { return Ok(()) };
        let told = (Some(cost.price_micros), cost.currency.as_deref());
        let price_micros = self.config().price_told(name, told);
        self.0.store.price_told(&text.message_id, &cost, price_micros).await?;
        if let Some(micros) = price_micros {
            self.0.window.charged(&text.message_id, micros);
        }
        Ok(())
    }
}
