//! Texts that follow a call: committed now, sent when they are due, and taken back when the
//! number wants no texts by then, or nobody could send them in time.

use std::{sync::Arc, time::Duration};

use super::{TextConfig, TextOrder, TextOutcome, TextService, attempt};
use crate::store::message::When;

/// While the database fails, it is tried again after so long.
const PAUSES: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(10), Duration::from_secs(60)];

impl TextService {
    /// Commits a text that is due at `due_ms` and not sent from `until_ms` on (ms UTC).
    /// [`TextOutcome::Queued`]: it is in the outbox, now or since before.
    pub async fn follow_up(
        &self,
        config: Arc<TextConfig>,
        order: TextOrder,
        due_ms: i64,
        until_ms: i64,
    ) -> TextOutcome {
        let when = When::Due { due_ms, until_ms };
        for pause in PAUSES {
            match self.put_off(&config, &order, when).await {
                Some(outcome) => return outcome,
                None => tokio::time::sleep(pause).await,
            }
        }
        let outcome = self.put_off(&config, &order, when).await;
        outcome.unwrap_or_else(|| TextOutcome::failed("store"))
    }

    /// `None`: the database fails. What was committed although its answer was lost is found by
    /// the check of the next try.
    async fn put_off(
        &self,
        config: &TextConfig,
        order: &TextOrder,
        when: When<'_>,
    ) -> Option<TextOutcome> {
        let now = self.0.store.now_ms();
        let message_id = attempt::new_id(now);
        let cleared = match self.check(order, config, message_id.clone(), now).await {
            Ok(cleared) => cleared,
            Err(outcome) => return Some(outcome).filter(|it| *it != TextOutcome::failed("store")),
        };
        match self.commit(order, config, &cleared, when, now).await {
            Ok(()) => Some(TextOutcome::Queued),
            Err(error) => {
                tracing::warn!(%error, call = order.call.call_id, "follow-up not committed");
                self.0.window.release(&message_id);
                None
            }
        }
    }
}
