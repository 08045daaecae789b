//! What is personal is erased on time, what is old is deleted.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::{
    Store, StoreError,
    limits::{first_id_of, places},
};

const DAY_MS: i64 = 86_400_000;
/// Rows of one commit: some milliseconds.
const PIECE: i64 = 500;
/// Calls of one commit, with all that refers to them.
const CALLS: usize = 64;
/// Between two pieces others have their turns.
const PAUSE: Duration = Duration::from_millis(5);

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
        let now = self.now_ms();
        self.in_pieces(&CALLBACK_NUMBERS, now).await?;
        let erased = self.in_pieces(&TEXTS, now).await?;
        self.in_pieces(&PAGES, now - self.raw_number_ms()).await?;
        Ok(erased)
    }

    /// Erases, deletes what is past its time, and destroys old keys. What it did stays done, however
    /// it ends.
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
        let mut swept = Swept { erased, ..Swept::default() };
        while let Some(steps @ 1..) = self.delete_steps(steps_before).await? {
            swept.steps += steps;
            tokio::time::sleep(PAUSE).await;
        }
        for old in &OF_STEPS {
            self.in_pieces(old, steps_before).await?;
        }
        while let Some(calls @ 1..) = self.delete_calls(calls_before).await? {
            swept.calls += calls;
            tokio::time::sleep(PAUSE).await;
        }
        for old in &OF_CALLS {
            self.in_pieces(old, calls_before).await?;
        }
        self.write(async |conn| delete_counts(conn, calls_before).await).await?;
        Ok(swept)
    }

    /// Counts some old steps and deletes them; `None`: another node does.
    async fn delete_steps(&self, before_ms: i64) -> Result<Option<u64>, StoreError> {
        self.long_transaction(async |conn| {
            if !self.sweeps_alone(conn).await? {
                return Ok(None);
            }
            let last = sqlx::query(LAST_STEP).bind(before_ms).bind(PIECE);
            let last = last.fetch_one(&mut *conn).await?.try_get::<Option<i64>, _>("last")?;
            let Some(last) = last else { return Ok(Some(0)) };
            sqlx::query(COUNTED).bind(last).execute(&mut *conn).await?;
            let steps = sqlx::query("DELETE FROM step WHERE entered_ms <= $1").bind(last);
            Ok(Some(steps.execute(&mut *conn).await?.rows_affected()))
        })
        .await
    }

    /// Deletes some old calls, and before them what refers to them; `None`: another node does.
    async fn delete_calls(&self, before_ms: i64) -> Result<Option<u64>, StoreError> {
        self.long_transaction(async |conn| {
            if !self.sweeps_alone(conn).await? {
                return Ok(None);
            }
            let old = sqlx::query(OLD_CALLS).bind(before_ms).bind(CALLS as i64);
            let old = old.fetch_all(&mut *conn).await?;
            let old = old.iter().map(|row| row.try_get("call_id"));
            let old = old.collect::<Result<Vec<String>, _>>()?;
            let Some(last) = old.last() else { return Ok(Some(0)) };
            let mut calls = 0;
            for table in WITH_CALLS {
                // One statement, whatever their number: the last one fills it up.
                let sql = format!("DELETE FROM {table} WHERE call_id IN ({})", places(CALLS));
                let mut query = sqlx::query(AssertSqlSafe(sql));
                for id in old.iter().chain(std::iter::repeat(last)).take(CALLS) {
                    query = query.bind(id.clone());
                }
                calls = query.execute(&mut *conn).await?.rows_affected();
            }
            Ok(Some(calls))
        })
        .await
    }

    /// Does what is to be done with all that is old, in pieces; returns how many rows that were.
    async fn in_pieces(&self, old: &Old, before_ms: i64) -> Result<u64, StoreError> {
        let sql = old.sql();
        let mut all = 0;
        loop {
            let done = self
                .write(async |conn| {
                    let mut query = sqlx::query(AssertSqlSafe(sql.clone())).bind(before_ms);
                    if sql.contains("$2") {
                        query = query.bind(first_id_of(before_ms));
                    }
                    Ok(query.execute(&mut *conn).await?.rows_affected())
                })
                .await?;
            all += done;
            if done < PIECE.unsigned_abs() {
                return Ok(all);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Of nodes that sweep at once one does it, for each would count the same steps.
    async fn sweeps_alone(&self, conn: &mut AnyConnection) -> Result<bool, StoreError> {
        // The file has one writer.
        if self.has_one_writer() {
            return Ok(true);
        }
        // Planned by how few rows a piece has.
        sqlx::raw_sql("SET LOCAL plan_cache_mode = force_custom_plan").execute(&mut *conn).await?;
        let lock = sqlx::query("SELECT pg_try_advisory_xact_lock($1) AS got").bind(LOCK);
        Ok(lock.fetch_one(conn).await?.try_get("got")?)
    }
}

/// Rows whose time has come.
struct Old {
    /// What is done with them.
    does: &'static str,
    table: &'static str,
    /// Pieces are cut by this column.
    by: &'static str,
    /// Which; `$1`: what is older, `$2`: ids made before that.
    which: &'static str,
}

impl Old {
    /// The statement for one piece: an index finds it.
    fn sql(&self) -> String {
        let Self { does, table, by, which } = self;
        format!(
            "{does} WHERE {which} AND {by} <= (SELECT MAX({by}) FROM (SELECT {by} FROM {table} \
             WHERE {which} ORDER BY {by} LIMIT {PIECE}) AS piece)"
        )
    }
}

/// Any number that nobody else locks.
const LOCK: i64 = 0x63_6172_6f6e;

const LAST_STEP: &str = "SELECT MAX(entered_ms) AS last FROM (SELECT entered_ms FROM step \
    WHERE entered_ms < $1 ORDER BY entered_ms LIMIT $2) AS piece";
/// What goes is counted before.
const COUNTED: &str = "INSERT INTO step_count (flow, flow_rev, step, exit, local_date, n) \
    SELECT c.flow, COALESCE(c.flow_rev, ''), s.step, s.exit, c.local_date, COUNT(*) \
    FROM step s JOIN call c ON c.call_id = s.call_id \
    WHERE s.entered_ms <= $1 AND s.exit IS NOT NULL AND c.flow IS NOT NULL AND c.local_date IS NOT NULL \
    GROUP BY c.flow, COALESCE(c.flow_rev, ''), s.step, s.exit, c.local_date \
    ON CONFLICT (flow, flow_rev, step, exit, local_date) DO UPDATE SET n = step_count.n + excluded.n";
const OLD_CALLS: &str = "SELECT call_id FROM call WHERE started_ms < $1 AND ended_ms IS NOT NULL \
    ORDER BY started_ms LIMIT $2";
/// What refers to calls goes before them.
const WITH_CALLS: [&str; 7] =
    ["link", "message", "consent", "offer", "outcome", "call_input", "call"];

const CALLBACK_NUMBERS: Old = Old {
    does: "UPDATE callback SET number_enc = NULL",
    table: "callback",
    by: "erase_after_ms",
    which: "erase_after_ms <= $1 AND number_enc IS NOT NULL",
};
const TEXTS: Old = Old {
    does: "UPDATE message SET dest_enc = NULL, body_enc = NULL",
    table: "message",
    by: "erase_after_ms",
    which: "erase_after_ms <= $1 AND (dest_enc IS NOT NULL OR body_enc IS NOT NULL)",
};
const PAGES: Old = Old {
    does: "UPDATE link SET context_ref = NULL",
    table: "link",
    by: "expires_ms",
    which: "expires_ms <= $1 AND context_ref IS NOT NULL",
};
/// What goes with steps.
const OF_STEPS: [Old; 2] = [
    Old { does: "DELETE FROM call_input", table: "call_input", by: "at_ms", which: "at_ms < $1" },
    Old {
        does: "DELETE FROM destination_check",
        table: "destination_check",
        by: "at_ms",
        which: "at_ms < $1",
    },
];
/// What goes when calls go.
const OF_CALLS: [Old; 5] = [
    // The sound is erased first.
    Old {
        does: "DELETE FROM voicemail",
        table: "voicemail",
        by: "created_ms",
        which: "created_ms < $1 AND file IS NULL",
    },
    Old {
        does: "DELETE FROM callback",
        table: "callback",
        by: "created_ms",
        which: "created_ms < $1 AND done_ms IS NOT NULL",
    },
    // Its ids are in order of time, which saves each an index.
    Old {
        does: "DELETE FROM receipt",
        table: "receipt",
        by: "receipt_id",
        which: "receipt_id < $2 AND received_ms < $1",
    },
    Old { does: "DELETE FROM limit_hit", table: "limit_hit", by: "at_ms", which: "at_ms < $1" },
    Old {
        does: "DELETE FROM precall_contact",
        table: "precall_contact",
        by: "at_ms",
        which: "at_ms < $1",
    },
];

/// A day, as it is called in UTC.
fn date(at_ms: i64) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or_default();
    at.to_zoned(TimeZone::UTC).date().to_string()
}

async fn delete_counts(conn: &mut AnyConnection, before_ms: i64) -> Result<(), StoreError> {
    let query = sqlx::query("DELETE FROM step_count WHERE local_date < $1");
    query.bind(date(before_ms)).execute(conn).await?;
    Ok(())
}
