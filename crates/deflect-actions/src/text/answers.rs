//! How many texts somebody gets in answer to texts: each costs money, and no order stands behind it.
//! The count is the store's: it is that of all nodes, and a restart begins none anew.

use message_text::E164;

use super::TextService;
use crate::store::StoreError;

/// Answers to one number in an hour.
const MOST: i64 = 5;
const HOUR_MS: i64 = 3_600_000;
/// Kind of its rows.
const KIND: &str = "answer";

impl TextService {
    /// Counts an answer to `number` in; whether it may be given. `business` is that of the sender,
    /// where it is of one. One that may not leaves a row in `limit_hit`.
    pub(super) async fn may_answer(
        &self,
        business: Option<&str>,
        number: &E164,
    ) -> Result<bool, StoreError> {
        let (store, now) = (&self.0.store, self.0.store.now_ms());
        let first = store.keys().businesses().next().unwrap_or_default();
        let key = store.keys().caller_keys(business.unwrap_or(first), number, now).0;
        let count = store.count_protection(KIND, &key, HOUR_MS).await?;
        if count <= MOST {
            return Ok(true);
        }
        tracing::warn!(
            to = number.masked(),
            count,
            "a text is not answered: {MOST} were within the hour"
        );
        store.limit_hit(None, "answers_per_hour", "caller", &key).await?;
        Ok(false)
    }
}
