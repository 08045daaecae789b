//! What is personal is erased on time, what is old is deleted.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use sqlx::{AnyConnection, Row as _};

use super::{Store, StoreError};

const DAY_MS: i64 = 86_400_000;

/// How long what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Numbers and bodies, after a message's state is final.
    pub raw_number: Duration,
    /// Calls, messages and consents, in months of 31 days.
    pub call_months: u32,
    /// Steps and inputs of calls, in days.
    pub step_days: u32,
    /// The sound of messages that callers left, in days.
    pub voicemail_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            raw_number: Duration::from_secs(24 * 3_600),
            call_months: 13,
            step_days: 90,
            voicemail_days: 30,
        }
    }
}

/// What one sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Messages whose number and body were erased.
    pub erased: u64,
    /// Steps deleted, which `step_count` has counted.
    pub steps: u64,
    /// Calls deleted.
    pub calls: u64,
}

impl Store {
    /// From now on kept so long.
    pub fn set_retention(&self, retention: Retention) {
        *self.0.retention.write().unwrap_or_else(std::sync::PoisonError::into_inner) = retention;
    }

    pub(super) fn retention(&self) -> Retention {
        *self.0.retention.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn raw_number_ms(&self) -> i64 {
        i64::try_from(self.retention().raw_number.as_millis()).unwrap_or(i64::MAX / 4)
    }

    /// Erases numbers and bodies whose time has come.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn erase_due(&self) -> Result<u64, StoreError> {
        self.expire_offers().await?;
        self.write(async |conn| {
            sqlx::query(
                "UPDATE callback SET number_enc = NULL WHERE erase_after_ms <= $1 \
             AND number_enc IS NOT NULL",
            )
            .bind(self.now_ms())
            .execute(&mut *conn)
            .await?;
            let done = sqlx::query(
                "UPDATE message SET dest_enc = NULL, body_enc = NULL WHERE erase_after_ms <= $1 \
             AND (dest_enc IS NOT NULL OR body_enc IS NOT NULL)",
            )
            .bind(self.now_ms())
            .execute(&mut *conn)
            .await?;
            sqlx::query(
            "UPDATE link SET context_ref = NULL WHERE expires_ms <= $1 AND context_ref IS NOT NULL",
        )
        .bind(self.now_ms() - self.raw_number_ms())
        .execute(&mut *conn)
        .await?;
            Ok(done.rows_affected())
        })
        .await
    }

    /// Erases, deletes what is past its time, and destroys old keys.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let (now, keep) = (self.now_ms(), self.retention());
        self.keys().rotate(now);
        let erased = self.erase_due().await?;
        self.expire_protections().await?;
        self.finish_imports().await?;
        self.discard_imports().await?;
        let steps_before = now - i64::from(keep.step_days) * DAY_MS;
        let calls_before = now - i64::from(keep.call_months) * 31 * DAY_MS;
        let (steps, calls) = self
            .long_transaction(async |conn| {
                if !self.sweeps_alone(conn).await? {
                    return Ok((0, 0));
                }
                delete(conn, COUNTED, steps_before).await?;
                let steps = delete(conn, STEPS, steps_before).await?;
                delete(conn, INPUTS, steps_before).await?;
                delete(conn, CHECKS, steps_before).await?;
                sqlx::query("DELETE FROM step_count WHERE local_date < $1")
                    .bind(date(calls_before))
                    .execute(&mut *conn)
                    .await?;
                for sql in OF_CALLS {
                    delete(conn, sql, calls_before).await?;
                }
                Ok((steps, delete(conn, CALLS, calls_before).await?))
            })
            .await?;
        Ok(Swept { erased, steps, calls })
    }

    /// Of nodes that sweep at once one does it, for each would count the same steps.
    async fn sweeps_alone(&self, conn: &mut AnyConnection) -> Result<bool, StoreError> {
        // The file has one writer.
        if self.has_one_writer() {
            return Ok(true);
        }
        let lock = sqlx::query("SELECT pg_try_advisory_xact_lock($1) AS got").bind(LOCK);
        Ok(lock.fetch_one(conn).await?.try_get("got")?)
    }
}

/// Any number that nobody else locks.
const LOCK: i64 = 0x63_6172_6f6e;

/// What goes is counted before.
const COUNTED: &str = "INSERT INTO step_count (flow, flow_rev, step, exit, local_date, n) \
    SELECT c.flow, COALESCE(c.flow_rev, ''), s.step, s.exit, c.local_date, COUNT(*) \
    FROM step s JOIN call c ON c.call_id = s.call_id \
    WHERE s.entered_ms < $1 AND s.exit IS NOT NULL AND c.flow IS NOT NULL AND c.local_date IS NOT NULL \
    GROUP BY c.flow, COALESCE(c.flow_rev, ''), s.step, s.exit, c.local_date \
    ON CONFLICT (flow, flow_rev, step, exit, local_date) DO UPDATE SET n = step_count.n + excluded.n";
const STEPS: &str = "DELETE FROM step WHERE entered_ms < $1";
const CHECKS: &str = "DELETE FROM destination_check WHERE at_ms < $1";
const INPUTS: &str = "DELETE FROM call_input WHERE at_ms < $1";
const CALLS: &str = "DELETE FROM call WHERE started_ms < $1 AND ended_ms IS NOT NULL";
/// What refers to calls goes before them.
const OF_CALLS: [&str; 10] = [
    "DELETE FROM link WHERE call_id IN (SELECT call_id FROM call WHERE started_ms < $1 AND ended_ms IS NOT NULL)",
    "DELETE FROM message WHERE call_id IN (SELECT call_id FROM call WHERE started_ms < $1 AND ended_ms IS NOT NULL)",
    "DELETE FROM consent WHERE call_id IN (SELECT call_id FROM call WHERE started_ms < $1 AND ended_ms IS NOT NULL)",
    "DELETE FROM offer WHERE call_id IN (SELECT call_id FROM call WHERE started_ms < $1 AND ended_ms IS NOT NULL)",
    "DELETE FROM outcome WHERE call_id IN (SELECT call_id FROM call WHERE started_ms < $1 AND ended_ms IS NOT NULL)",
    // The sound is erased first.
    "DELETE FROM voicemail WHERE file IS NULL AND created_ms < $1",
    "DELETE FROM callback WHERE done_ms IS NOT NULL AND created_ms < $1",
    "DELETE FROM receipt WHERE received_ms < $1",
    "DELETE FROM limit_hit WHERE at_ms < $1",
    "DELETE FROM precall_contact WHERE at_ms < $1",
];

/// A day, as it is called in UTC.
fn date(at_ms: i64) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or_default();
    at.to_zoned(TimeZone::UTC).date().to_string()
}

async fn delete(
    conn: &mut AnyConnection,
    sql: &'static str,
    before_ms: i64,
) -> Result<u64, StoreError> {
    Ok(sqlx::query(sql).bind(before_ms).execute(conn).await?.rows_affected())
}
