//! How many texts a caller asked for, went to a number, to numbers like it, from a line.
//!
//! The outbox is the only record: the window is read from it and kept up with it, so that a
//! restart, or another node, changes nothing.

mod counted;
mod opened;
mod texts;

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use message_text::{E164, segments};

use self::{
    opened::Opened,
    texts::{Answer, Before, Texts},
};
use super::{Sender, TextConfig, TextOrder};
use crate::store::{Charge, SentText, Store, StoreError, first_id_of};

const DAY_MS: i64 = 86_400_000;
/// What other nodes wrote is read so often, ms …
const FRESH_MS: i64 = 1_000;
/// … and what is older is not gone by.
const STALE_MS: i64 = 2_500;
/// Their rows nearly always appear within this time, ms …
const SOON_MS: i64 = 400;
/// … and always within this one, where clocks agree.
const LATE_MS: i64 = 10_000;
/// Clocks of nodes may differ by so much and no text is missed, ms …
const SKEW_MS: i64 = 120_000;
/// … but one counts so much later.
const DEEP_EVERY_MS: i64 = 60_000;

/// Kind of the rows of answers: id and country of each, and what it cost.
const ANSWERED: &str = "answered";

/// The texts of the last day.
#[derive(Debug, Default)]
pub(super) struct Window {
    texts: Mutex<Texts>,
    /// Held while the outbox is read, so that one reads for all.
    read: tokio::sync::Mutex<Option<Read>>,
    /// When the outbox was read last, ms UTC; 0: never.
    read_ms: AtomicI64,
    opened: Opened,
}

/// How old what is known is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    Fresh,
    /// It is good enough for this text, and is to be read again beside it.
    Old,
    /// It is read before anything is sent.
    Stale,
}

/// When the outbox was read.
#[derive(Debug, Clone, Copy)]
struct Read {
    at_ms: i64,
    /// … with all that may have appeared late.
    whole_ms: i64,
    /// … with all of nodes whose clock is behind.
    deep_ms: i64,
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
        let prefix = Texts::prefix_of(to, config);
        let alike = || self.lock().alike(prefix, now);
        if self.opened.by_nobody(store, prefix, alike, now).await? {
            let prefix = texts::prefix(to.as_str(), config.limits.prefix_digits).to_owned();
            return Ok(Some(Rule { rule: "open_rate", scope: "prefix", key: prefix }));
        }
        let segments = i64::try_from(config.segments(order, to).0.count).unwrap_or(1);
        let micros = config.price(order, to, segments);
        let text = SentText {
            charge: Charge {
                message_id: message_id.to_owned(),
                sender: None,
                segments,
                price_micros: Some(micros),
            },
            caller_key: order.call.caller_key.clone(),
            dest_key: keys.0.clone(),
            dest_enc: None,
            line: order.call.did.clone().unwrap_or_default(),
            region: to.region().to_owned(),
            client: order.call.trunk.clone().filter(|_| order.call.origin == "api"),
        };
        let caller = order.call.caller_key_prev.as_deref();
        let before = Before { caller, number: &keys.1, many: None };
        let (mut bites, mut told) = self.lock().take(&text, config, to, before, now);
        let many = bites.as_ref().and_then(|rule| many_people(rule, store, config, order));
        if many.is_some() {
            let before = Before { many, ..before };
            let (bites_now, told_now) = self.lock().take(&text, config, to, before, now);
            // What was told by the first look is not told again.
            (bites, told) = (bites_now, told.or(told_now));
        }
        if let Some(percent) = told {
            alarm(store, Some(&order.call.call_id), percent).await;
        }
        Ok(bites)
    }

    /// Counts an answer of `sender` to somebody's text in, for all nodes, or names the limit that
    /// forbids it.
    pub async fn reserve_answer(
        &self,
        store: &Store,
        config: &TextConfig,
        sender: &Sender,
        (to, text): (&E164, &str),
    ) -> Result<Option<Rule>, StoreError> {
        let now = store.now_ms();
        let provider = config.providers.get(&sender.provider);
        let counted = provider.map_or_else(|| segments(text), |provider| provider.segments(text));
        let parts = i64::try_from(counted.count).unwrap_or(1);
        let answer = Answer {
            id: super::attempt::new_id(now),
            region: to.region().to_owned(),
            cost: sender.price_of(parts).unwrap_or(0),
        };
        let (bites, told) = self.lock().take_answer(&answer, config, to, now);
        if let Some(percent) = told {
            alarm(store, None, percent).await;
        }
        if bites.is_none() {
            let named = format!("{} {}", answer.id, answer.region);
            store.keep_protection(ANSWERED, &named, answer.cost, now + DAY_MS).await?;
        }
        Ok(bites)
    }

    /// How old what is known is; who is told [`Age::Old`] reads.
    pub fn age(&self, now: i64) -> Age {
        if self.lock().has_doubts() {
            return Age::Stale;
        }
        match now - self.read_ms.load(Ordering::Relaxed) {
            0..FRESH_MS => Age::Fresh,
            FRESH_MS..STALE_MS if self.read.try_lock().is_ok() => Age::Old,
            FRESH_MS..STALE_MS => Age::Fresh,
            _ => Age::Stale,
        }
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
            Some(Read { deep_ms, .. }) if now - deep_ms >= DEEP_EVERY_MS => {
                (deep_ms - SKEW_MS, true)
            }
            Some(Read { at_ms, whole_ms, .. }) if doubts || now - whole_ms >= LATE_MS => {
                (at_ms.min(whole_ms) - LATE_MS, true)
            }
            Some(Read { at_ms, .. }) => (at_ms - SOON_MS, false),
        };
        // What this node wrote is counted already; now and then it is looked at for prices, and for
        // what was in doubt.
        let since = since.max(now - DAY_MS);
        let news = match (*read, whole) {
            (Some(_), true) => self.unknown_since(store, config, since).await,
            _ => store.texts_since(since, whole).await,
        };
        let news = match news {
            Ok(news) => news,
            Err(error) => {
                if doubts {
                    self.lock().doubt();
                }
                return Err(error);
            }
        };
        if whole {
            let answers = store.protections_from(ANSWERED, &first_id_of(since)).await?;
            let answers = answers.into_iter().filter_map(|row| {
                let (id, region) = row.scope_key.split_once(' ')?;
                Some(Answer { id: id.to_owned(), region: region.to_owned(), cost: row.n })
            });
            let answers: Vec<_> = answers.collect();
            self.lock().take_in_answers(&answers);
        }
        self.lock().take_in(&news, store, config, now);
        let whole_ms = if whole { now } else { read.map_or(now, |read| read.whole_ms) };
        let is_deep = read.is_none_or(|read| now - read.deep_ms >= DEEP_EVERY_MS);
        let deep_ms = if is_deep { now } else { read.map_or(now, |read| read.deep_ms) };
        *read = Some(Read { at_ms: now, whole_ms, deep_ms });
        self.read_ms.store(now, Ordering::Relaxed);
        Ok(())
    }

    /// Learns what the texts since then cost; those that are not counted yet.
    async fn unknown_since(
        &self,
        store: &Store,
        config: &TextConfig,
        since_ms: i64,
    ) -> Result<Vec<SentText>, StoreError> {
        let charges = store.charges_since(since_ms).await?;
        let unknown = self.lock().take_charges(charges, config);
        store.texts_named(&unknown).await
    }

    fn lock(&self) -> MutexGuard<'_, Texts> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn alarm(store: &Store, call: Option<&str>, percent: u8) {
    tracing::error!(percent, "the texts of a day cost that much of `spend_per_day`");
    if let Err(error) = store.limit_hit(call, "spend_per_day", "alarm", &percent.to_string()).await
    {
        tracing::warn!(%error, "the alarm of `spend_per_day` is not recorded");
    }
}

/// A caller's number that is not one person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Many {
    /// One of our own, as behind a PBX that puts its number in the place of every caller's; or as
    /// anybody can forge it. They have a limit together.
    Together,
    /// The operator says that many people call from it.
    Free,
}

/// Whether the caller whom a limit bites is many people.
fn many_people(rule: &Rule, store: &Store, config: &TextConfig, order: &TextOrder) -> Option<Many> {
    if rule.scope != "caller" {
        return None;
    }
    let call = &order.call;
    let is_one_of = |numbers: &mut dyn Iterator<Item = &String>| {
        let mut numbers = numbers.filter_map(|own| own.parse().ok());
        let key = |own: E164| store.keys().caller_keys(&call.business, &own, call.started_ms).0;
        numbers.any(|own| key(own) == rule.key)
    };
    if is_one_of(&mut config.shared_callers.iter()) {
        Some(Many::Free)
    } else if is_one_of(&mut config.own_numbers.iter().chain(&call.did)) {
        Some(Many::Together)
    } else {
        None
    }
}
