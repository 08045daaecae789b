//! Callbacks in the hands of the node that dials: claimed with a lease, put off, done.

use message_text::E164;
use sqlx::{Row as _, any::AnyRow};

use super::{CallbackDue, over};
use crate::store::{Store, StoreError, db::Dialect};

const CLAIM_SQLITE: &str = "UPDATE callback SET state = 'claimed', claimed_by = $2, \
     lease_until_ms = $3 WHERE callback_id IN (SELECT callback_id FROM callback \
     WHERE state = 'booked' AND due_ms <= $1 ORDER BY due_ms LIMIT $4) \
     AND state = 'booked' RETURNING callback_id";
/// An array is asked for once, an `IN` as often as the planner likes.
const CLAIM_POSTGRES: &str = "UPDATE callback SET state = 'claimed', claimed_by = $2, \
     lease_until_ms = $3 WHERE callback_id = ANY (ARRAY(SELECT callback_id FROM callback \
     WHERE state = 'booked' AND due_ms <= $1 ORDER BY due_ms LIMIT $4 \
     FOR UPDATE SKIP LOCKED)) AND state = 'booked' RETURNING callback_id";

impl Store {
    /// Claims callbacks that are due; several nodes may do so at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_callbacks(
        &self,
        lease_ms: i64,
        n: i64,
    ) -> Result<Vec<CallbackDue>, StoreError> {
        let sql = match self.0.dialect {
            Dialect::Sqlite => CLAIM_SQLITE,
            Dialect::Postgres => CLAIM_POSTGRES,
        };
        let now = self.now_ms();
        self.write(async |conn| {
            let claimed = sqlx::query(sql)
                .bind(now)
                .bind(self.claimer())
                .bind(now + lease_ms)
                .bind(n)
                .fetch_all(&mut *conn)
                .await?;
            let mut due = Vec::new();
            for row in claimed {
                let id: String = row.try_get("callback_id")?;
                let row = sqlx::query(
                    "SELECT b.callback_id, b.number_enc, b.target, b.tries, \
                 COALESCE(b.flow, c.flow) AS flow, c.trunk, COALESCE(b.called, c.did) AS called, \
                 c.language, b.call_id, c.intent, b.step, b.due_ms \
                 FROM callback b LEFT JOIN call c ON c.call_id = b.call_id \
                 WHERE b.callback_id = $1",
                )
                .bind(id.clone())
                .fetch_one(&mut *conn)
                .await?;
                match self.due(&row)? {
                    Some(one) => due.push(one),
                    // Its number is gone, or written under another key: nobody can be called.
                    None => {
                        over(conn, &id, "failed", now, now).await?;
                    }
                }
            }
            Ok(due)
        })
        .await
    }

    fn due(&self, row: &AnyRow) -> Result<Option<CallbackDue>, StoreError> {
        let callback_id: String = row.try_get("callback_id")?;
        let sealed: Option<String> = row.try_get("number_enc")?;
        let number = sealed.and_then(|sealed| self.keys().seal().open(&callback_id, &sealed).ok());
        let Some(number) = number.and_then(|number| E164::parse(&number, "").ok()) else {
            return Ok(None);
        };
        Ok(Some(CallbackDue {
            callback_id,
            number,
            target: row.try_get("target")?,
            tries: row.try_get("tries")?,
            flow: row.try_get::<Option<String>, _>("flow")?.unwrap_or_default(),
            trunk: row.try_get("trunk")?,
            called: row.try_get::<Option<String>, _>("called")?.unwrap_or_default(),
            language: row.try_get("language")?,
            call_id: row.try_get("call_id")?,
            intent: row.try_get("intent")?,
            step: row.try_get::<Option<String>, _>("step")?.unwrap_or_default(),
            due_ms: row.try_get("due_ms")?,
        }))
    }

    /// The claimer dials now; `false`: it is not the claimer's any more. It counts as a try.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn callback_calling(&self, id: &str, lease_ms: i64) -> Result<bool, StoreError> {
        self.hold(
            "UPDATE callback SET state = 'calling', tries = tries + 1, lease_until_ms = $3 \
             WHERE callback_id = $1 AND claimed_by = $2 AND state = 'claimed'",
            id,
            lease_ms,
        )
        .await
    }

    /// The claimer goes on; `false`: it is not the claimer's any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew_callback(&self, id: &str, lease_ms: i64) -> Result<bool, StoreError> {
        self.hold(
            "UPDATE callback SET lease_until_ms = $3 WHERE callback_id = $1 AND claimed_by = $2 \
             AND state IN ('claimed','calling')",
            id,
            lease_ms,
        )
        .await
    }

    async fn hold(&self, sql: &'static str, id: &str, lease_ms: i64) -> Result<bool, StoreError> {
        let now = self.now_ms();
        self.write(async |conn| {
            let done = sqlx::query(sql)
                .bind(id.to_owned())
                .bind(self.claimer())
                .bind(now + lease_ms)
                .execute(&mut *conn)
                .await?;
            Ok(done.rows_affected() == 1)
        })
        .await
    }

    /// The caller was reached: it is done, whatever becomes of the conversation; one that was taken
    /// back meanwhile stays so.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn callback_done(&self, id: &str) -> Result<(), StoreError> {
        let now = self.now_ms();
        let erase = now + self.raw_number_ms();
        self.write(async |conn| {
            sqlx::query(
                "UPDATE callback SET state = 'done', done_ms = $2, erase_after_ms = $3, \
                 claimed_by = NULL, lease_until_ms = NULL WHERE callback_id = $1 \
                 AND state <> 'canceled'",
            )
            .bind(id.to_owned())
            .bind(now)
            .bind(erase)
            .execute(&mut *conn)
            .await?;
            Ok(())
        })
        .await
    }

    /// It was not reached: once more at `due_ms`, unless the tries are used up. Returns whether
    /// it is tried again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn callback_again(&self, id: &str, due_ms: i64) -> Result<bool, StoreError> {
        let now = self.now_ms();
        let erase = now + self.raw_number_ms();
        let claimer = self.claimer();
        self.transaction(async |conn| {
            let again = sqlx::query(
                "UPDATE callback SET state = 'booked', due_ms = $3, claimed_by = NULL, \
                 lease_until_ms = NULL WHERE callback_id = $1 AND claimed_by = $2 \
                 AND tries < max_tries",
            )
            .bind(id.to_owned())
            .bind(claimer.clone())
            .bind(due_ms)
            .execute(&mut *conn)
            .await?;
            if again.rows_affected() == 1 {
                return Ok(true);
            }
            sqlx::query(
                "UPDATE callback SET state = 'failed', done_ms = $3, erase_after_ms = $4, \
                 lease_until_ms = NULL WHERE callback_id = $1 AND claimed_by = $2 \
                 AND state IN ('claimed','calling')",
            )
            .bind(id.to_owned())
            .bind(claimer)
            .bind(now)
            .bind(erase)
            .execute(&mut *conn)
            .await?;
            Ok(false)
        })
        .await
    }

    /// It is dialled later; `uncounted`: what was begun was no try.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_callback_off(
        &self,
        id: &str,
        due_ms: i64,
        uncounted: bool,
    ) -> Result<(), StoreError> {
        self.write(async |conn| {
            sqlx::query(
                "UPDATE callback SET state = 'booked', due_ms = $3, tries = tries - $4, \
             claimed_by = NULL, lease_until_ms = NULL WHERE callback_id = $1 AND claimed_by = $2",
            )
            .bind(id.to_owned())
            .bind(self.claimer())
            .bind(due_ms)
            .bind(i64::from(uncounted))
            .execute(&mut *conn)
            .await?;
            Ok(())
        })
        .await
    }

    /// Takes back what dead claimers left, but none of `held`, which this one makes however long
    /// the clock says that it has been silent: it is tried again at once, or has failed if it was
    /// tried often enough.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_back_callbacks(&self, held: &[String]) -> Result<u64, StoreError> {
        let held = format!(",{},", held.join(","));
        let now = self.now_ms();
        let erase = now + self.raw_number_ms();
        self.write(async |conn| {
            let done = sqlx::query(
                "UPDATE callback SET \
             state = CASE WHEN tries < max_tries THEN 'booked' ELSE 'failed' END, \
             done_ms = CASE WHEN tries < max_tries THEN NULL ELSE $1 END, \
             erase_after_ms = CASE WHEN tries < max_tries THEN NULL ELSE $4 END, \
             claimed_by = NULL, lease_until_ms = NULL \
             WHERE state IN ('claimed','calling') AND (lease_until_ms < $1 \
               OR (claimed_by <> $2 AND SUBSTR(claimed_by, 1, LENGTH($3)) = $3)) \
             AND $5 NOT LIKE '%,' || callback_id || ',%'",
            )
            .bind(now)
            .bind(self.claimer())
            .bind(format!("{}/", self.node().node_id))
            .bind(erase)
            .bind(held)
            .execute(&mut *conn)
            .await?;
            Ok(done.rows_affected())
        })
        .await
    }
}
