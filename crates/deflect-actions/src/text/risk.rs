//! What a provider thinks of a number: texts to numbers whose owners are paid for them are not sent
//! (requirements §7.1). A provider that says nothing in time changes nothing.

use message_text::E164;

use super::{
    TextConfig,
    told::{ANSWER, Told},
};
use crate::store::Store;

/// Kind of its rows.
pub(super) const KIND: &str = "risk";

/// Who is asked, and from which score on a number gets no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RiskCheck {
    /// The `X` of a `[provider.X]` that scores numbers.
    pub provider: String,
    /// 1 to 100.
    pub refuse_from: u8,
}

impl RiskCheck {
    /// Whether the number is so risky that it gets no text.
    pub(super) async fn refuses(
        &self,
        scores: &Told,
        store: &Store,
        config: &TextConfig,
        (to, dest_key): (&E164, &str),
    ) -> bool {
        let asked = async {
            let score = config.providers.get(&self.provider)?.risk(to, ANSWER).await;
            let result = if score.is_some() { "told" } else { "unknown" };
            metrics::counter!("carom_risk_lookups_total", "result" => result).increment(1);
            score
        };
        scores.of(store, dest_key, asked).await.is_some_and(|score| score >= self.refuse_from)
    }
}
