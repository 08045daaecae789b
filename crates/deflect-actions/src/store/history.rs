//! What is known of a caller.

use std::time::Duration;

use message_text::E164;
use sqlx::Row;

use super::{
    Store, StoreError, queries,
    together::{number, text},
};

/// Broken promises are remembered this long.
const PROMISE_MS: i64 = 24 * 3_600_000;

/// Visits to pages count this long (EX-17), ms.
const VISITS_MS: i64 = 3_600_000;

/// What was found out about a line is believed for this long, ms.
pub(crate) const LINE_MS: i64 = 30 * 86_400_000;

/// Earlier calls of a caller to one business, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// When they began.
    pub calls_ms: Vec<i64>,
    /// When those began that needed no person.
    pub deflected_ms: Vec<i64>,
    /// A text of the last day failed, or nobody knows whether it came.
    pub failed_promise: bool,
    /// When the caller last declined an offer.
    pub declined_ms: Option<i64>,
    /// When an offer was last spoken to the caller.
    pub offered_ms: Option<i64>,
    /// The caller wants no texts.
    pub opted_out: bool,
    /// Visits to pages of the business within the last hour, as its systems told them.
    pub site_visits: i64,
    /// A provider said of the number, or of a text to it, in the last 30 days that it takes none.
    pub untextable: bool,
}

impl Store {
    /// What is known of `caller` since `since_ms`, besides call `call_id`; `None` when the
    /// database does not tell within `limit`.
    pub async fn history(
        &self,
        business: &str,
        caller: &E164,
        call_id: &str,
        since_ms: i64,
        limit: Duration,
    ) -> Option<History> {
        let asked = self.ask_history(business, caller, call_id, since_ms);
        match tokio::time::timeout(limit, asked).await {
            Ok(Ok(history)) => Some(history),
            Ok(Err(error)) => {
                tracing::warn!(%error, "store: history unknown");
                None
            }
            Err(_) => {
                tracing::warn!("store: history unknown, the database is slow");
                None
            }
        }
    }

    async fn ask_history(
        &self,
        business: &str,
        caller: &E164,
        call_id: &str,
        since_ms: i64,
    ) -> Result<History, StoreError> {
        let now = self.now_ms();
        let (key, previous) = self.keys().caller_keys(business, caller, now);
        let values = vec![
            text(key),
            text(previous),
            number(now - PROMISE_MS),
            text(business),
            text(call_id),
            number(since_ms),
            text(self.keys().opt_key(business, caller)),
            text(self.keys().brand(business)),
            number(now - LINE_MS),
            number(now - VISITS_MS),
            number(now),
        ];
        let rows = self.ask(|lanes| &lanes.histories, &queries::HISTORY, values).await?;
        let mut history = History::default();
        for row in &rows {
            let value: i64 = row.try_get("value")?;
            match row.try_get("what")? {
                "call" => history.calls_ms.push(value),
                "deflected" => history.deflected_ms.push(value),
                "declined" => history.declined_ms = history.declined_ms.max(Some(value)),
                "offered" => history.offered_ms = Some(value),
                "broken promises" => history.failed_promise = value > 0,
                "visits" => history.site_visits = value,
                "opted out" => history.opted_out = value > 0,
                _ => history.untextable |= value > 0,
            }
        }
        history.calls_ms.sort_unstable_by(|a, b| b.cmp(a));
        history.deflected_ms.sort_unstable_by(|a, b| b.cmp(a));
        Ok(history)
    }
}
