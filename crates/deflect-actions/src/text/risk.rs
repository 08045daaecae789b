//! What a provider thinks of a number: texts to numbers whose owners are paid for them are not sent
//! (requirements §7.1). A provider that says nothing in time changes nothing.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use message_text::E164;

use super::TextConfig;

/// A question takes no longer: a caller waits.
const ANSWER: Duration = Duration::from_millis(400);
/// What was said is believed for so long, ms.
const KEPT_MS: i64 = 30 * 86_400_000;
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
        config: &TextConfig,
        check: &RiskCheck,
        to: &E164,
        (dest_key, now_ms): (&str, i64),
    ) -> Option<u8> {
        let known = {
            let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get(dest_key).copied()
        };
        if let Some((score, _)) = known.filter(|(_, at_ms)| now_ms - at_ms < KEPT_MS) {
            return Some(score);
        }
        let provider = config.providers.get(&check.provider)?;
        let asked = tokio::time::timeout(ANSWER, provider.risk(to, ANSWER)).await;
        let score = asked.ok().flatten();
        let result = if score.is_some() { "told" } else { "unknown" };
        metrics::counter!("carom_risk_lookups_total", "result" => result).increment(1);
        let score = score?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.retain(|_, (_, at_ms)| now_ms - *at_ms < KEPT_MS);
        }
        if kept.len() < MOST {
            kept.insert(dest_key.to_owned(), (score, now_ms));
        }
        Some(score)
    }
}
