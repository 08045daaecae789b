//! How each sender fares. One that needs the operator, whose provider does not answer, or whose
//! texts are taken for spam, is left alone for a while: callers are spared the wait, and its name
//! the rest.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::TextService;
use crate::{provider::Class, store::StoreError};

/// So long ago a text was taken that counts for a pause, ms.
const WINDOW_MS: i64 = 3_600_000;
/// Of fewer texts nothing is concluded.
const LEAST: i64 = 20;
/// Of so many texts one may be taken for spam.
const ONE_IN: i64 = 5;
/// A sender whose texts are taken for spam is left alone for this long, ms.
const SPAM_MS: i64 = 30 * 60_000;
/// One that needs the operator for this long at first, and twice as long each time, ms.
const REST_MS: i64 = 60_000;
/// But no longer than this, ms.
const LONGEST_MS: i64 = 15 * 60_000;
/// Attempts in a row that a provider must leave without an answer, or be too broken for.
const OUTAGE: u32 = 5;
/// Then it is left alone for this long at first, and twice as long each time a text finds it so
/// still, ms …
const OUTAGE_MS: i64 = 10_000;
/// … but no longer than this, ms.
const LONGEST_OUTAGE_MS: i64 = 2 * 60_000;

/// The senders of a service.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<HashMap<String, Fares>>);

#[derive(Debug, Default)]
struct Fares {
    /// Attempts in a row that found its provider down.
    down: u32,
    rests: Option<Rest>,
}

#[derive(Debug, Clone, Copy)]
struct Rest {
    until_ms: i64,
    why: Class,
    /// How long the rest was; the next is twice as long.
    for_ms: i64,
    /// It is over, and a text tries the sender.
    tried: bool,
}

/// A sender that is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestingSender {
    /// `X` of `[sender.X]`.
    pub name: String,
    /// What is wrong: `blocked`, `auth`, `config`, `funds`, `provider_down`.
    pub why: &'static str,
    /// Until when, ms; then one text tries it.
    pub until_ms: i64,
}

impl Health {
    /// Why the sender is left alone, if it is, and for how long still. Who is let through after a
    /// rest is alone until it is known how it went.
    pub fn rests(&self, sender: &str, now_ms: i64) -> Option<(Class, Duration)> {
        let mut all = self.lock();
        let rest = all.get_mut(sender)?.rests.as_mut()?;
        if now_ms < rest.until_ms {
            let left = u64::try_from(rest.until_ms - now_ms).unwrap_or(0);
            return Some((rest.why, Duration::from_millis(left)));
        }
        rest.until_ms = now_ms + rest.for_ms;
        rest.tried = true;
        None
    }

    /// A provider took a text of the sender, or did not; one that left it unanswered is
    /// [`Class::ProviderDown`].
    pub fn note(&self, sender: &str, failed: Option<Class>, now_ms: i64) {
        let mut all = self.lock();
        let fares = all.entry(sender.to_owned()).or_default();
        if failed == Some(Class::ProviderDown) {
            fares.found_down(now_ms, sender);
        } else {
            fares.down = 0;
        }
        match failed {
            Some(Class::ProviderDown) => {}
            // What was on its way when a pause began says nothing about it.
            None => {
                fares.rests = fares.rests.filter(|rest| rest.why == Class::Blocked && !rest.tried);
            }
            Some(why) if why.needs_operator() => {
                let before = fares.rests.filter(|rest| rest.why == why);
                let for_ms = before.map_or(REST_MS, |rest| (rest.for_ms * 2).min(LONGEST_MS));
                fares.rests = Some(Rest { until_ms: now_ms + for_ms, why, for_ms, tried: false });
            }
            // It was something else this time.
            Some(_) => fares.rests = fares.rests.filter(|rest| rest.why == Class::Blocked),
        }
        tell(sender, fares.rests.is_some());
    }

    /// A node, this one, another or an earlier start, paused the sender until `until_ms`.
    pub fn take_pause(&self, sender: &str, until_ms: i64) {
        let mut all = self.lock();
        let fares = all.entry(sender.to_owned()).or_default();
        if fares.rests.is_none_or(|rest| rest.until_ms < until_ms && !rest.tried) {
            let why = Class::Blocked;
            fares.rests = Some(Rest { until_ms, why, for_ms: SPAM_MS, tried: false });
            tell(sender, true);
        }
    }

    /// Who is left alone.
    pub fn resting(&self, now_ms: i64) -> Vec<RestingSender> {
        let all = self.lock();
        let resting = all.iter().filter_map(|(name, fares)| {
            let rest = fares.rests.filter(|rest| now_ms < rest.until_ms)?;
            Some(RestingSender {
                name: name.clone(),
                why: rest.why.as_str(),
                until_ms: rest.until_ms,
            })
        });
        let mut resting: Vec<_> = resting.collect();
        resting.sort_by(|a, b| a.name.cmp(&b.name));
        resting
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Fares>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fares {
    fn found_down(&mut self, now_ms: i64, sender: &str) {
        self.down += 1;
        let for_ms = match self.rests {
            Some(Rest { why: Class::ProviderDown, tried: true, for_ms, .. }) => {
                (for_ms * 2).min(LONGEST_OUTAGE_MS)
            }
            // It was on its way when the rest began, or something else is worse.
            Some(Rest { why: Class::ProviderDown | Class::Blocked, .. }) => return,
            _ if self.down >= OUTAGE => OUTAGE_MS,
            _ => return self.rests = None,
        };
        tracing::error!(sender, for_ms, "sender left alone: its provider is down");
        let (until_ms, why) = (now_ms + for_ms, Class::ProviderDown);
        self.rests = Some(Rest { until_ms, why, for_ms, tried: false });
    }
}

/// Kind of the rows of senders that are paused.
const KIND: &str = "pause";

impl TextService {
    /// Notes how a text of a sender went.
    pub(super) async fn note_health(&self, sender: &str, message_id: &str, failed: Option<Class>) {
        self.0.health.note(sender, failed, self.0.store.now_ms());
        if failed == Some(Class::Blocked) {
            self.note_spam(sender, message_id).await;
        }
    }

    /// A text was taken for spam, at once or after the provider had taken it. Whether that were too
    /// many is judged by what is stored, so that all nodes and starts count together; a pause holds
    /// for all of them.
    pub(super) async fn note_spam(&self, sender: &str, message_id: &str) {
        match self.is_spam(sender, message_id).await {
            Ok(false) => {}
            Ok(true) => {
                let until_ms = self.0.store.now_ms() + SPAM_MS;
                self.0.health.take_pause(sender, until_ms);
                if let Err(error) = self.0.store.keep_protection(KIND, sender, 1, until_ms).await {
                    tracing::warn!(%error, sender, "only this node pauses the sender");
                }
            }
            Err(error) => tracing::warn!(%error, sender, "a text taken for spam is not counted"),
        }
    }

    async fn is_spam(&self, sender: &str, message_id: &str) -> Result<bool, StoreError> {
        let store = &self.0.store;
        let spam = store.count_spam(sender, message_id, WINDOW_MS).await?;
        let enough = LEAST.max(spam.blocked * ONE_IN);
        let all = spam.blocked + store.texts_of(sender, &spam, enough).await?;
        let too_many = all >= LEAST && spam.blocked * ONE_IN > all;
        if too_many {
            let blocked = spam.blocked;
            tracing::error!(sender, blocked, "sender paused: its texts are taken for spam");
        }
        Ok(too_many)
    }

    /// Takes over the pauses of all nodes.
    pub(super) async fn take_pauses(&self) -> Result<(), StoreError> {
        for pause in self.0.store.protections(KIND, None).await? {
            self.0.health.take_pause(&pause.scope_key, pause.until_ms);
        }
        Ok(())
    }
}

fn tell(sender: &str, rests: bool) {
    metrics::gauge!("carom_sender_paused", "sender" => sender.to_owned()).set(if rests {
        1.0
    } else {
        0.0
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn rests(health: &Health, now_ms: i64) -> Option<Class> {
        health.rests("uk", now_ms).map(|(why, _)| why)
    }

    #[test]
    fn a_provider_found_down_five_times_in_a_row_is_left_alone_and_then_tried_by_one_text() {
        let (health, down) = (Health::default(), Some(Class::ProviderDown));
        let finds = |found, times: u32, now| {
            for _ in 0..times {
                health.note("uk", found, now);
            }
        };
        finds(down, 4, 0);
        finds(None, 1, 0);
        finds(down, 4, 0);
        finds(Some(Class::Invalid), 1, 0);
        finds(down, 4, 0);
        assert_eq!(rests(&health, 0), None, "whoever answers is up");
        finds(down, 1, 0);
        let left = Duration::from_millis(7_000);
        assert_eq!(health.rests("uk", 3_000), Some((Class::ProviderDown, left)));
        finds(down, 3, 4_000);
        assert_eq!(rests(&health, 9_999), down, "those were on their way");
        assert_eq!(rests(&health, 10_000), None);
        assert_eq!(rests(&health, 10_000), down, "one only");
        finds(down, 1, 12_500);
        assert_eq!(rests(&health, 32_499), down, "twice as long");
        assert_eq!(rests(&health, 32_500), None);
        finds(None, 1, 32_500);
        assert_eq!((rests(&health, 32_500), health.resting(32_500)), (None, vec![]));
        // What its operator must mend is left for longer.
        finds(Some(Class::Auth), 1, MINUTE);
        assert_eq!(rests(&health, MINUTE), Some(Class::Auth));
    }

    #[test]
    fn a_sender_that_needs_the_operator_rests_longer_each_time_until_a_text_is_taken() {
        let health = Health::default();
        health.note("uk", Some(Class::RateLimited), 0);
        assert_eq!(rests(&health, 0), None, "that passes by itself");
        health.note("uk", Some(Class::Auth), 0);
        assert_eq!(rests(&health, MINUTE - 1), Some(Class::Auth));
        assert_eq!(health.rests("us", 0), None, "another one");
        assert_eq!(rests(&health, MINUTE), None);
        assert_eq!(rests(&health, MINUTE), Some(Class::Auth), "one only");
        health.note("uk", Some(Class::Auth), MINUTE);
        assert_eq!(rests(&health, 3 * MINUTE - 1), Some(Class::Auth), "twice as long");
        let resting = &health.resting(2 * MINUTE)[0];
        assert_eq!((resting.why, resting.until_ms), ("auth", 3 * MINUTE));
        assert_eq!(rests(&health, 3 * MINUTE), None);
        health.note("uk", None, 3 * MINUTE);
        assert_eq!(rests(&health, 3 * MINUTE), None);
        assert_eq!(health.resting(3 * MINUTE), []);
    }

    #[test]
    fn a_pause_ends_by_a_text_that_was_sent_after_it() {
        let health = Health::default();
        health.take_pause("uk", 30 * MINUTE);
        assert_eq!(rests(&health, MINUTE), Some(Class::Blocked));
        health.note("uk", None, MINUTE);
        assert_eq!(rests(&health, MINUTE), Some(Class::Blocked), "it was on its way");
        assert_eq!(rests(&health, 30 * MINUTE), None);
        health.take_pause("uk", 30 * MINUTE);
        assert_eq!(rests(&health, 31 * MINUTE), Some(Class::Blocked), "one only");
        health.note("uk", None, 31 * MINUTE);
        assert_eq!(rests(&health, 31 * MINUTE), None);
    }
}
