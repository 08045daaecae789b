//! What a provider thinks of a number: texts to numbers whose owners are paid for them are not sent
//! (requirements §7.1). A provider that says nothing in time changes nothing. What one said is paid
//! for: the store keeps it for all nodes.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use message_text::E164;

use super::TextConfig;
use crate::store::{Store, StoreError};

/// A question takes no longer: a caller waits.
const ANSWER: Duration = Duration::from_millis(400);
/// What was said is believed for so long, ms.
const KEPT_MS: i64 = 30 * 86_400_000;
/// Kind of its rows.
const KIND: &str = "risk";
/// Answers kept at most.
const MOST: usize = 100_000;

/// Who is asked, and from which score on a number gets no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RiskCheck {
    /// The `X` of a `[provider.X]` that scores numbers.
    pub provider: String,
    /// 1 to 100.
    pub refuse_from: u8,
}

/// Scores by the hash of the number.
#[derive(Debug, Default)]
pub(super) struct Scores(Mutex<HashMap<String, (u8, i64)>>);

impl Scores {
    /// The score of a number, 0 (harmless) to 100; `None`: nobody says.
    pub async fn of(
        &self,
        store: &Store,
        config: &TextConfig,
        check: &RiskCheck,
        to: &E164,
        dest_key: &str,
    ) -> Option<u8> {
        let now_ms = store.now_ms();
        let known = {
            let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get(dest_key).copied()
        };
        if let Some((score, _)) = known.filter(|(_, at_ms)| now_ms - at_ms < KEPT_MS) {
            return Some(score);
        }
        if let Some((score, at_ms)) = logged(stored(store, dest_key).await).flatten() {
            self.keep(dest_key, score, at_ms, now_ms);
            return Some(score);
        }
        let provider = config.providers.get(&check.provider)?;
        let asked = tokio::time::timeout(ANSWER, provider.risk(to, ANSWER)).await;
        let score = asked.ok().flatten();
        let result = if score.is_some() { "told" } else { "unknown" };
        metrics::counter!("carom_risk_lookups_total", "result" => result).increment(1);
        let score = score?;
        self.keep(dest_key, score, now_ms, now_ms);
        let until_ms = now_ms + KEPT_MS;
        logged(store.keep_protection(KIND, dest_key, i64::from(score), until_ms).await);
        Some(score)
    }

    fn keep(&self, dest_key: &str, score: u8, at_ms: i64, now_ms: i64) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.retain(|_, (_, at_ms)| now_ms - *at_ms < KEPT_MS);
        }
        if kept.len() < MOST {
            kept.insert(dest_key.to_owned(), (score, at_ms));
        }
    }
}

/// The score that some node was told within its validity, and when.
async fn stored(store: &Store, dest_key: &str) -> Result<Option<(u8, i64)>, StoreError> {
    let found = store.protections(KIND, Some(dest_key)).await?;
    let row =
        |row: &crate::store::Protection| Some((u8::try_from(row.n).ok()?, row.until_ms - KEPT_MS));
    Ok(found.first().and_then(row))
}

/// A text is not held up by it.
fn logged<T>(result: Result<T, StoreError>) -> Option<T> {
    result.inspect_err(|error| tracing::warn!(%error, "risk scores: the store fails")).ok()
}
