//! Many texts to numbers that begin alike, and nearly nobody opens them: somebody is paid for the
//! texts, not for what they say (requirements §7.1).

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use uuid::Uuid;

use super::texts::first_id_after;
use crate::store::{Store, StoreError};

/// Nothing is said of fewer texts.
pub(super) const TEXTS: usize = 30;
/// So many of a hundred must be opened.
const PERCENT: usize = 3;
/// Texts of one prefix that are looked at, spread over the time looked back.
const SAMPLE: usize = 200;
/// What was found holds for so long, ms.
const FRESH_MS: i64 = 1_000;
/// A text that nobody has opened counts when it is this old, ms: before, it says nothing.
pub(super) const RIPE_MS: i64 = 30 * 60_000;

/// What was found of each prefix, by its hash, and when.
#[derive(Debug, Default)]
pub(super) struct Opened(Mutex<HashMap<u64, (i64, bool)>>);

impl Opened {
    /// Whether the texts to numbers with this prefix are many and unopened. Texts without a page of
    /// ours say nothing. `alike` lists them, oldest first; none, where too few are old enough.
    pub async fn by_nobody(
        &self,
        store: &Store,
        prefix: u64,
        alike: impl FnOnce() -> Vec<u128>,
        now: i64,
    ) -> Result<bool, StoreError> {
        let fresh = |at: i64| (0..FRESH_MS).contains(&(now - at));
        if let Some((_, found)) = self.lock().get(&prefix).filter(|(at, _)| fresh(*at)) {
            return Ok(*found);
        }
        let ids = alike();
        let (ripe, young) =
            ids.split_at(ids.partition_point(|id| *id < first_id_after(now - RIPE_MS)));
        if ripe.len() <= TEXTS {
            return Ok(false);
        }
        let few = |tracked: usize, by_people: usize| {
            tracked > TEXTS && by_people * 100 < tracked * PERCENT
        };
        let (tracked, by_people) = store.opened_of::<SAMPLE>(sample(ripe)).await?;
        let mut found = few(tracked, by_people);
        if found {
            // Of those that are younger, the opened ones count.
            let (_, young) = store.opened_of::<SAMPLE>(sample(young)).await?;
            found = few(tracked + young, by_people + young);
        }
        let mut all = self.lock();
        all.retain(|_, (at, _)| fresh(*at));
        all.insert(prefix, (now, found));
        Ok(found)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, (i64, bool)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Some of many, evenly spread.
fn sample(ids: &[u128]) -> Vec<String> {
    let count = ids.len().min(SAMPLE);
    (0..count).map(|n| Uuid::from_u128(ids[n * ids.len() / count]).to_string()).collect()
}
