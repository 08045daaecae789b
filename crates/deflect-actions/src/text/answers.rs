//! How many texts somebody gets in answer to texts: each costs money, and no order stands behind it.
//! The count is the store's: it is that of all nodes, and a restart begins none anew. They count in
//! what the texts of a day may cost, and in the limits of numbers that are alike and of countries.

use message_text::E164;

use super::{Sender, TextConfig, TextService, limits::Rule};
use crate::store::StoreError;

/// Answers to one number in an hour.
const MOST: i64 = 5;
const HOUR_MS: i64 = 3_600_000;
/// Kind of its rows.
const KIND: &str = "answer";

impl TextService {
    /// Counts `answer` of a sender to `number` in; whether it may be given. One that may not leaves
    /// a row in `limit_hit`.
    pub(super) async fn may_answer(
        &self,
        config: &TextConfig,
        sender: Option<&Sender>,
        (number, answer): (&E164, &str),
    ) -> Result<bool, StoreError> {
        let (store, now) = (&self.0.store, self.0.store.now_ms());
        let of = sender.and_then(|sender| sender.business.as_deref());
        let business = of.or_else(|| store.keys().businesses().next()).unwrap_or_default();
        let key = store.keys().caller_keys(business, number, now).0;
        let count = store.count_protection(KIND, &key, HOUR_MS).await?;
        if count > MOST {
            tracing::warn!(
                to = number.masked(),
                count,
                "a text is not answered: {MOST} were within the hour"
            );
            store.limit_hit(None, "answers_per_hour", "caller", &key).await?;
            return Ok(false);
        }
        let Some(sender) = sender else { return Ok(true) };
        self.keep_up_with_others(config, now).await?;
        let bites = self.0.window.reserve_answer(store, config, sender, (number, answer)).await?;
        let Some(Rule { rule, scope, key }) = bites else { return Ok(true) };
        tracing::warn!(to = number.masked(), rule, "a text is not answered");
        store.limit_hit(None, rule, scope, &key).await?;
        Ok(false)
    }
}
