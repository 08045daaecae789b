//! The queue: who claims what, what dead claimers left, what is past its time.

use std::time::Duration;

use sqlx::Row;

use super::FOLLOW_UP;
use crate::{
    provider::State,
    store::{RATING, Store, StoreError, db::Dialect},
};

impl Store {
    /// Claims queued messages that are due; several nodes may do so at once.
    pub(crate) async fn claim(&self, lease: Duration, n: i64) -> Result<Vec<String>, StoreError> {
        let sql = match self.0.dialect {
            Dialect::Sqlite => {
                "UPDATE message SET state = 'claimed', claimed_by = $2, lease_until_ms = $3, \
                 attempt = attempt + 1 WHERE message_id IN (SELECT message_id FROM message \
                 WHERE state = 'queued' AND next_try_ms <= $1 ORDER BY next_try_ms LIMIT $4) \
                 AND state = 'queued' RETURNING message_id"
            }
            // An array is asked for once, an `IN` as often as the planner likes.
            Dialect::Postgres => {
                "UPDATE message SET state = 'claimed', claimed_by = $2, lease_until_ms = $3, \
                 attempt = attempt + 1 WHERE message_id = ANY (ARRAY(SELECT message_id FROM message \
                 WHERE state = 'queued' AND next_try_ms <= $1 ORDER BY next_try_ms LIMIT $4 \
                 FOR UPDATE SKIP LOCKED)) AND state = 'queued' RETURNING message_id"
            }
        };
        let now = self.now_ms();
        let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX / 4);
        self.write(async |conn| {
            let rows = sqlx::query(sql)
                .bind(now)
                .bind(self.claimer())
                .bind(now + lease)
                .bind(n)
                .fetch_all(&mut *conn)
                .await?;
            Ok(rows.iter().map(|row| row.try_get("message_id")).collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Takes back what dead claimers left: unwritten goes to the queue, written is ambiguous.
    /// A claim is dead when its lease has ended, or when an earlier start of this node made it.
    pub(crate) async fn take_back(&self) -> Result<u64, StoreError> {
        let now = self.now_ms();
        let node = self.node().node_id.clone();
        let done = self
            .transaction(async |conn| {
                let taken = sqlx::query(
                    "UPDATE message SET \
                     state = CASE WHEN write_ms IS NULL THEN 'queued' ELSE 'ambiguous' END, \
                     next_try_ms = $1, claimed_by = NULL, lease_until_ms = NULL \
                     WHERE state = 'claimed' AND (lease_until_ms < $1 \
                       OR (claimed_by <> $2 AND SUBSTR(claimed_by, 1, LENGTH($3)) = $3)) \
                     RETURNING message_id, state",
                )
                .bind(now)
                .bind(self.claimer())
                .bind(format!("{node}/"))
                .fetch_all(&mut *conn)
                .await?;
                for row in &taken {
                    if row.try_get::<String, _>("state")? == State::Ambiguous.as_str() {
                        let id: String = row.try_get("message_id")?;
                        self.tell_state(conn, &id, State::Ambiguous).await?;
                    }
                }
                Ok(taken.len() as u64)
            })
            .await?;
        Ok(done)
    }

    /// At most `limit` ambiguous messages whose provider is to be asked now, those due longest
    /// first; the next time is put off by `again_ms`, so that one node asks.
    pub(crate) async fn unsettled(
        &self,
        again_ms: i64,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        let now = self.now_ms();
        self.write(async |conn| {
            let rows = sqlx::query(
                "UPDATE message SET next_try_ms = $2 WHERE state = 'ambiguous' \
             AND next_try_ms <= $1 AND message_id IN (SELECT message_id FROM message \
             WHERE state = 'ambiguous' AND next_try_ms <= $1 ORDER BY next_try_ms LIMIT $3) \
             RETURNING message_id",
            )
            .bind(now)
            .bind(now + again_ms)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await?;
            Ok(rows.iter().map(|row| row.try_get("message_id")).collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Nobody can say what became of it: it stays ambiguous and is not asked about again.
    pub(crate) async fn give_up_asking(&self, message_id: &str) -> Result<(), StoreError> {
        let now = self.now_ms();
        self.write(async |conn| {
            sqlx::query(
                "UPDATE message SET next_try_ms = NULL, final_ms = $2, erase_after_ms = $3 \
             WHERE message_id = $1 AND state = 'ambiguous'",
            )
            .bind(message_id.to_owned())
            .bind(now)
            .bind(now + self.raw_number_ms())
            .execute(&mut *conn)
            .await?;
            Ok(())
        })
        .await
    }

    /// Takes back a message of which nothing was written; `false` where something was, or it is
    /// over.
    pub(crate) async fn cancel(&self, message_id: &str, why: &str) -> Result<bool, StoreError> {
        let now = self.now_ms();
        self.write_told(async |conn| {
            let done = sqlx::query(
                "UPDATE message SET state = 'canceled', error_class = $2, final_ms = $3, \
             erase_after_ms = $4, claimed_by = NULL, lease_until_ms = NULL \
             WHERE message_id = $1 AND state IN ('queued','claimed') AND write_ms IS NULL",
            )
            .bind(message_id.to_owned())
            .bind(why.to_owned())
            .bind(now)
            .bind(now + self.raw_number_ms())
            .execute(&mut *conn)
            .await?;
            let canceled = done.rows_affected() == 1;
            if canceled {
                self.tell_state(conn, message_id, State::Canceled).await?;
            }
            Ok(canceled)
        })
        .await
    }

    /// What is past its time: queued ones fail as expired, follow-ups are taken back, accepted ones without a receipt for
    /// `silent_ms` become unknown.
    pub(crate) async fn expire(&self, silent_ms: i64) -> Result<(), StoreError> {
        let now = self.now_ms();
        let erase = now + self.raw_number_ms();
        self.transaction(async |conn| {
            let late = sqlx::query(
                "UPDATE message SET \
                 state = CASE WHEN purpose IN ($3, $4) THEN 'canceled' ELSE 'failed' END, \
                 failed_ms = CASE WHEN purpose IN ($3, $4) THEN NULL ELSE $1 END, \
                 error_class = COALESCE(error_class, 'expired'), final_ms = $1, \
                 erase_after_ms = $2 WHERE state = 'queued' AND valid_until_ms <= $1 \
                 RETURNING message_id, state",
            )
            .bind(now)
            .bind(erase)
            .bind(FOLLOW_UP)
            .bind(RATING)
            .fetch_all(&mut *conn)
            .await?;
            // The attempt that a later failure led to is younger than the first acceptance.
            let silent = sqlx::query(
                "UPDATE message SET state = 'unknown', final_ms = $1, erase_after_ms = $2 \
                 WHERE state IN ('accepted','sent') AND accepted_ms <= $3 \
                 AND COALESCE(write_ms, accepted_ms) <= $3 \
                 RETURNING message_id, state",
            )
            .bind(now)
            .bind(erase)
            .bind(now - silent_ms)
            .fetch_all(&mut *conn)
            .await?;
            for row in late.iter().chain(&silent) {
                let (id, state): (String, String) =
                    (row.try_get("message_id")?, row.try_get("state")?);
                if let Some(state) = State::parse(&state) {
                    self.tell_state(conn, &id, state).await?;
                }
            }
            Ok(())
        })
        .await
    }
}
