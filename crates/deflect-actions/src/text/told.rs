//! What providers say of numbers, for money: each is asked once in a month, and all nodes know.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::store::{Protection, Store, StoreError};

/// A question takes no longer: a caller waits.
pub(super) const ANSWER: Duration = Duration::from_millis(400);
/// What was said is believed for so long, ms.
const KEPT_MS: i64 = 30 * 86_400_000;
/// Answers kept at most.
const MOST: usize = 100_000;

/// Answers of one kind, by the hash of the number.
#[derive(Debug)]
pub(super) struct Told {
    /// Of its rows.
    kind: &'static str,
    kept: Mutex<HashMap<String, (u8, i64)>>,
}

impl Told {
    pub fn new(kind: &'static str) -> Self {
        Self { kind, kept: Mutex::default() }
    }

    /// What is known of a number, else what `ask` finds out in time; `None`: nobody says.
    pub async fn of(
        &self,
        store: &Store,
        dest_key: &str,
        ask: impl Future<Output = Option<u8>>,
    ) -> Option<u8> {
        let now_ms = store.now_ms();
        let known = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get(dest_key).copied()
        };
        if let Some((said, _)) = known.filter(|(_, at_ms)| now_ms - at_ms < KEPT_MS) {
            return Some(said);
        }
        if let Some((said, at_ms)) = self.logged(self.stored(store, dest_key).await).flatten() {
            self.keep(dest_key, said, at_ms, now_ms);
            return Some(said);
        }
        let said = tokio::time::timeout(ANSWER, ask).await.ok().flatten()?;
        self.keep(dest_key, said, now_ms, now_ms);
        let until_ms = now_ms + KEPT_MS;
        self.logged(store.keep_protection(self.kind, dest_key, i64::from(said), until_ms).await);
        Some(said)
    }

    fn keep(&self, dest_key: &str, said: u8, at_ms: i64, now_ms: i64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.retain(|_, (_, at_ms)| now_ms - *at_ms < KEPT_MS);
        }
        if kept.len() < MOST {
            kept.insert(dest_key.to_owned(), (said, at_ms));
        }
    }

    /// What some node was told within its validity, and when.
    async fn stored(&self, store: &Store, key: &str) -> Result<Option<(u8, i64)>, StoreError> {
        let found = store.protections(self.kind, Some(key)).await?;
        let row = |row: &Protection| Some((u8::try_from(row.n).ok()?, row.until_ms - KEPT_MS));
        Ok(found.first().and_then(row))
    }

    /// A text is not held up by it.
    fn logged<T>(&self, result: Result<T, StoreError>) -> Option<T> {
        let kind = self.kind;
        result.inspect_err(|error| tracing::warn!(%error, kind, "the store fails")).ok()
    }
}
