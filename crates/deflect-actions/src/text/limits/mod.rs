//! How many texts went to a number, to numbers like it, from a line.
//!
//! The outbox is the only record: the window is read from it and kept up with it, so that a
//! restart, or another node, changes nothing.

mod opened;
mod texts;

use std::sync::{Mutex, MutexGuard, PoisonError};

use message_text::E164;

use self::{opened::Opened, texts::Texts};
use super::{TextConfig, TextOrder};
use crate::store::{SentText, Store, StoreError};

const DAY_MS: i64 = 86_400_000;
/// What other nodes wrote is known this much later at most, ms.
const FRESH_MS: i64 = 250;
/// Their rows nearly always appear within this time, ms …
const SOON_MS: i64 = 2_000;
/// … and always within this one.
const LATE_MS: i64 = 10_000;

/// The texts of the last day.
#[derive(Debug, Default)]
pub(super) struct Window {
    texts: Mutex<Texts>,
    /// Held while the outbox is read, so that one reads for all.
    read: tokio::sync::Mutex<Option<Read>>,
    opened: Opened,
}

/// When the outbox was read.
#[derive(Debug, Clone, Copy)]
struct Read {
    at_ms: i64,
    /// … with all that may have appeared late.
    whole_ms: i64,
}

/// A limit that bit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub rule: &'static str,
    pub scope: &'static str,
    pub key: String,
}

impl Window {
    /// Counts the text in, or names the limit that forbids it.
    pub async fn reserve(
        &self,
        store: &Store,
        config: &TextConfig,
        order: &TextOrder,
        to: &E164,
        keys: &(String, String),
        message_id: &str,
    ) -> Result<Option<Rule>, StoreError> {
        let now = store.now_ms();
        self.keep_up(store, config, now).await?;
        let alike = self.lock().alike(to, config, now);
        if self.opened.by_nobody(store, &alike, now).await? {
            let prefix = to.prefix(usize::from(config.limits.prefix_digits)).to_owned();
            return Ok(Some(Rule { rule: "open_rate", scope: "prefix", key: prefix }));
        }
        let segments = message_text::segments(&order.text).count;
        let micros = config.price(&order.call.business, to.region(), &order.via, segments);
        let text = SentText {
            message_id: message_id.to_owned(),
            dest_key: keys.0.clone(),
            dest_enc: None,
            line: order.call.did.clone().unwrap_or_default(),
            region: to.region().to_owned(),
            client: order.call.trunk.clone().filter(|_| order.call.origin == "api"),
            sender: None,
            segments: i64::try_from(segments).unwrap_or(1),
            price_micros: Some(micros),
        };
        let (bites, told) = self.lock().take(&text, config, to, &keys.1, now);
        if let Some(percent) = told {
            tracing::error!(percent, "the texts of a day cost that much of `spend_per_day`");
            let (call, percent) = (&order.call.call_id, percent.to_string());
            if let Err(error) =
                store.limit_hit(Some(call), "spend_per_day", "alarm", &percent).await
            {
                tracing::warn!(%error, "the alarm of `spend_per_day` is not recorded");
            }
        }
        Ok(bites)
    }

    /// A provider tells what a text costs; the sign is its own.
    pub fn charged(&self, message_id: &str, price_micros: i64) {
        self.lock().charged(message_id, price_micros.abs());
    }

    /// The text was not committed, as far as is known.
    pub fn release(&self, message_id: &str) {
        self.lock().release(message_id);
    }

    /// Reads what others wrote since it was last read: at first all of the last day.
    pub async fn keep_up(
        &self,
        store: &Store,
        config: &TextConfig,
        now: i64,
    ) -> Result<(), StoreError> {
        let mut read = self.read.lock().await;
        let doubts = self.lock().take_doubts();
        let (since, whole) = match *read {
            None => (now - DAY_MS, true),
            Some(Read { at_ms, .. }) if !doubts && (0..FRESH_MS).contains(&(now - at_ms)) => {
                return Ok(());
            }
            Some(Read { at_ms, whole_ms }) if doubts || now - whole_ms >= LATE_MS => {
                (at_ms.min(whole_ms) - LATE_MS, true)
            }
            Some(Read { at_ms, .. }) => (at_ms - SOON_MS, false),
        };
        // What this node wrote is counted already; now and then it is looked at for prices, and for
        // what was in doubt.
        let news = match store.texts_since(since.max(now - DAY_MS), whole).await {
            Ok(news) => news,
            Err(error) => {
                if doubts {
                    self.lock().doubt();
                }
                return Err(error);
            }
        };
        self.lock().take_in(&news, store, config, now);
        let whole_ms = if whole { now } else { read.map_or(now, |read| read.whole_ms) };
        *read = Some(Read { at_ms: now, whole_ms });
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Texts> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
