//! How many texts went to a number, to numbers like it, from a line.
//!
//! The outbox is the only record: the window is read from it and kept up with it, so that a
//! restart, or another node, changes nothing.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use message_text::E164;

use super::{TextConfig, TextOrder};
use crate::store::{SentText, Store, StoreError};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;
/// Rows of other nodes appear at most this late, ms.
const LATE_MS: i64 = 10_000;

/// The texts of the last day.
#[derive(Debug, Default)]
pub(super) struct Window(Mutex<Texts>);

#[derive(Debug, Default)]
struct Texts {
    by_id: HashMap<String, SentText>,
    known_until_ms: i64,
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
        let since = (self.lock().known_until_ms - LATE_MS).max(now - DAY_MS);
        let news = store.texts_since(since).await?;
        let text = SentText {
            message_id: message_id.to_owned(),
            dest_key: keys.0.clone(),
            dest_key_prev: Some(keys.1.clone()),
            number: Some(to.as_str().to_owned()),
            line: order.call.did.clone().unwrap_or_default(),
            created_ms: now,
        };
        let mut texts = self.lock();
        texts.take_in(news, now);
        let bites = texts.bites(&text, config, to, now);
        if bites.is_none() {
            texts.by_id.insert(text.message_id.clone(), text);
        }
        Ok(bites)
    }

    /// The text was not committed after all.
    pub fn release(&self, message_id: &str) {
        self.lock().by_id.remove(message_id);
    }

    fn lock(&self) -> MutexGuard<'_, Texts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Texts {
    fn take_in(&mut self, news: Vec<SentText>, now: i64) {
        for text in news {
            self.by_id.entry(text.message_id.clone()).or_insert(text);
        }
        self.by_id.retain(|_, text| text.created_ms > now - DAY_MS);
        self.known_until_ms = self.known_until_ms.max(now);
    }

    fn bites(&self, new: &SentText, config: &TextConfig, to: &E164, now: i64) -> Option<Rule> {
        let limits = &config.limits;
        let prefix = to.prefix(usize::from(limits.prefix_digits));
        let (mut hour, mut day, mut alike, mut line) = (0, 0, 0, 0);
        for text in self.by_id.values() {
            let age = now - text.created_ms;
            if text.is_to(new) {
                day += 1;
                hour += u32::from(age < HOUR_MS);
            }
            let begins = text.number.as_ref().is_some_and(|number| number.starts_with(prefix));
            alike += u32::from(age < HOUR_MS && begins);
            line += u32::from(age < MINUTE_MS && text.line == new.line);
        }
        let rule = |rule, scope, key: &str| Some(Rule { rule, scope, key: key.to_owned() });
        if hour >= limits.caller_hour || day >= limits.caller_day {
            return rule("texts_per_caller", "caller", &new.dest_key);
        }
        if alike >= limits.prefix_hour {
            return rule("texts_per_prefix", "prefix", prefix);
        }
        if line >= limits.line_minute {
            return rule("texts_per_line", "line", &new.line);
        }
        None
    }
}

impl SentText {
    /// A later text is to the same number as an earlier one when its key, or its key under the
    /// previous epoch's secret, is the earlier one's.
    fn is_to(&self, later: &Self) -> bool {
        self.dest_key == later.dest_key || later.dest_key_prev.as_ref() == Some(&self.dest_key)
    }
}
