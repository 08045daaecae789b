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
/// Shares of the day's money that are told, in percent.
const ALARMS: [u8; 3] = [50, 80, 100];
/// The guard of opened links looks back so far, ms.
const OPEN_MS: i64 = 30 * MINUTE_MS;
/// It says nothing of fewer texts.
const OPEN_TEXTS: usize = 30;
/// So many of a hundred must be opened.
const OPEN_PERCENT: usize = 3;
/// Rows of other nodes appear at most this late, ms.
const LATE_MS: i64 = 10_000;

/// The texts of the last day.
#[derive(Debug, Default)]
pub(super) struct Window(Mutex<Texts>);

#[derive(Debug, Default)]
struct Texts {
    by_id: HashMap<String, SentText>,
    known_until_ms: i64,
    /// The share of the day's money, in percent, that was told last; 0: none.
    alarmed: u8,
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
        let alike = {
            let mut texts = self.lock();
            texts.take_in(news, now);
            texts.alike(to.prefix(usize::from(config.limits.prefix_digits)), now)
        };
        if let Some(rule) = nobody_opens(store, config, to, &alike, now).await? {
            return Ok(Some(rule));
        }
        let segments = message_text::segments(&order.text).count;
        let micros = config.price(to.region(), &order.via, segments);
        let text = SentText {
            message_id: message_id.to_owned(),
            dest_key: keys.0.clone(),
            dest_key_prev: Some(keys.1.clone()),
            number: Some(to.as_str().to_owned()),
            line: order.call.did.clone().unwrap_or_default(),
            region: to.region().to_owned(),
            client: order.call.trunk.clone().filter(|_| order.call.origin == "api"),
            created_ms: now,
            sender: None,
            segments: i64::try_from(segments).unwrap_or(1),
            price_micros: Some(micros),
        };
        let (bites, told) = self.lock().take(text, config, to, now);
        if let Some(percent) = told {
            tracing::error!(percent, "the texts of a day cost that much of `spend_per_day`");
            let percent = percent.to_string();
            store.limit_hit(&order.call.call_id, "spend_per_day", "alarm", &percent).await?;
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

    /// Counts a text in, or names the limit that forbids it; and the share of the day's money that
    /// is to be told.
    fn take(
        &mut self,
        text: SentText,
        config: &TextConfig,
        to: &E164,
        now: i64,
    ) -> (Option<Rule>, Option<u8>) {
        let mut bites = self.bites(&text, config, to, now);
        let cost = self.spent(config) + text.price_micros.unwrap_or(0);
        if bites.is_none() && config.limits.spend_day.is_some_and(|most| cost > most) {
            bites = Some(Rule { rule: "spend_per_day", scope: "all", key: "day".to_owned() });
        }
        if bites.is_none() {
            self.by_id.insert(text.message_id.clone(), text);
        }
        (bites, self.alarm(config, cost))
    }

    /// What the texts of the last day cost, in millionths.
    fn spent(&self, config: &TextConfig) -> i64 {
        if config.limits.spend_day.is_none() {
            return 0;
        }
        self.by_id.values().map(|text| config.cost(text)).sum()
    }

    /// The share that was passed since it was last told.
    fn alarm(&mut self, config: &TextConfig, spent: i64) -> Option<u8> {
        let most = config.limits.spend_day?;
        let passed = |percent: &&u8| spent.saturating_mul(100) >= most * i64::from(**percent);
        let now = ALARMS.iter().rev().find(passed).copied().unwrap_or(0);
        let before = std::mem::replace(&mut self.alarmed, now);
        (now > before).then_some(now)
    }

    /// Ids of texts to numbers that begin alike, as far as the guard looks back.
    fn alike(&self, prefix: &str, now: i64) -> Vec<String> {
        let alike = self.by_id.values().filter(|text| {
            let begins = text.number.as_ref().is_some_and(|number| number.starts_with(prefix));
            begins && now - text.created_ms < OPEN_MS
        });
        alike.map(|text| text.message_id.clone()).collect()
    }

    fn bites(&self, new: &SentText, config: &TextConfig, to: &E164, now: i64) -> Option<Rule> {
        let limits = &config.limits;
        let prefix = to.prefix(usize::from(limits.prefix_digits));
        let (mut hour, mut day, mut alike, mut line) = (0, 0, 0, 0);
        let (mut country, mut client) = (0, 0);
        for text in self.by_id.values() {
            let age = now - text.created_ms;
            if text.is_to(new) {
                day += 1;
                hour += u32::from(age < HOUR_MS);
            }
            let begins = text.number.as_ref().is_some_and(|number| number.starts_with(prefix));
            alike += u32::from(age < HOUR_MS && begins);
            line += u32::from(age < MINUTE_MS && text.line == new.line);
            country += u32::from(age < HOUR_MS && text.region == new.region);
            let same = new.client.is_some() && text.client == new.client;
            client += u32::from(age < MINUTE_MS && same);
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
        if limits.country_hour.is_some_and(|most| country >= most) {
            return rule("texts_per_country", "country", &new.region);
        }
        if let Some(name) = new.client.as_ref().filter(|_| client >= limits.client_minute) {
            return rule("texts_per_client", "client", name);
        }
        None
    }
}

/// Many texts to numbers that begin alike, and nearly nobody opens them: somebody is paid for the
/// texts, not for what they say (requirements §7.1). Texts without a page of ours say nothing.
async fn nobody_opens(
    store: &Store,
    config: &TextConfig,
    to: &E164,
    alike: &[String],
    now: i64,
) -> Result<Option<Rule>, StoreError> {
    if alike.len() <= OPEN_TEXTS {
        return Ok(None);
    }
    let opened = store.opened_since(now - OPEN_MS).await?;
    let tracked: Vec<bool> = alike.iter().filter_map(|id| opened.get(id).copied()).collect();
    let by_people = tracked.iter().filter(|opened| **opened).count();
    let paused = tracked.len() > OPEN_TEXTS && by_people * 100 < tracked.len() * OPEN_PERCENT;
    let prefix = to.prefix(usize::from(config.limits.prefix_digits));
    Ok(paused.then(|| Rule { rule: "open_rate", scope: "prefix", key: prefix.to_owned() }))
}

impl SentText {
    /// A later text is to the same number as an earlier one when its key, or its key under the
    /// previous epoch's secret, is the earlier one's.
    fn is_to(&self, later: &Self) -> bool {
        self.dest_key == later.dest_key || later.dest_key_prev.as_ref() == Some(&self.dest_key)
    }
}
