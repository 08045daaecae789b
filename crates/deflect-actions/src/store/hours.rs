//! One-off closures and openings of opening hours: rows of `change_marker` beside the flags.
//!
//! The name of such a row is `hours:NAME`. Its value is JSON, or `0` where all rows before it are
//! taken back. At any moment the newest row that holds then counts.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::Row;

use super::{Store, StoreError, audit::audit, flags::mark};

/// What the name of such a row begins with; no flag's does.
pub const HOURS_PREFIX: &str = "hours:";
/// A change ends at most so long after it was made: older rows need not be read.
pub const LONGEST_ONE_OFF: Duration = Duration::from_secs(366 * 86_400);

/// Takes all of a name back.
const NONE: &str = "0";

/// From one moment to another some hours are closed, or open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOff {
    /// Name of the hours.
    pub hours: String,
    /// What they are.
    pub change: HoursChange,
    /// When that was decided, ms UTC.
    pub at_ms: i64,
    /// By whom.
    pub by_whom: String,
}

/// What hours are for once: the value of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoursChange {
    /// Open, or closed.
    pub open: bool,
    /// First moment, ms UTC.
    pub from_ms: i64,
    /// End, which does not belong to it, ms UTC.
    pub until_ms: i64,
    /// What for; may be empty.
    pub because: String,
}

impl Store {
    /// Closes or opens hours for once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_hours(
        &self,
        hours: &str,
        change: &HoursChange,
        by_whom: &str,
    ) -> Result<(), StoreError> {
        let what = if change.open { "hours open" } else { "hours close" };
        let value = serde_json::json!(change).to_string();
        self.mark_hours(hours, &value, by_whom, what).await
    }

    /// Takes back what was closed or opened for once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clear_hours(&self, hours: &str, by_whom: &str) -> Result<(), StoreError> {
        self.mark_hours(hours, NONE, by_whom, "hours clear").await
    }

    /// What is closed or opened for once, now or later; oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn one_offs(&self) -> Result<Vec<OneOff>, StoreError> {
        let now_ms = self.now_ms();
        let longest_ms = i64::try_from(LONGEST_ONE_OFF.as_millis()).unwrap_or(i64::MAX);
        let mut conn = self.conn().await?;
        let rows = sqlx::query(
            "SELECT name, value, at_ms, by_whom FROM change_marker \
             WHERE kind = 'flag' AND name LIKE 'hours:%' AND at_ms >= $1 \
             ORDER BY at_ms, marker_id",
        )
        .bind(now_ms.saturating_sub(longest_ms))
        .fetch_all(&mut *conn)
        .await?;
        let mut one_offs: Vec<OneOff> = Vec::new();
        for row in rows {
            let name: String = row.try_get("name")?;
            let Some(hours) = name.strip_prefix(HOURS_PREFIX) else { continue };
            let value: Option<String> = row.try_get("value")?;
            match serde_json::from_str::<HoursChange>(value.as_deref().unwrap_or(NONE)) {
                Ok(change) => one_offs.push(OneOff {
                    hours: hours.to_owned(),
                    change,
                    at_ms: row.try_get("at_ms")?,
                    by_whom: row.try_get::<Option<String>, _>("by_whom")?.unwrap_or_default(),
                }),
                Err(_) => one_offs.retain(|earlier| earlier.hours != hours),
            }
        }
        one_offs.retain(|one_off| one_off.change.until_ms > now_ms);
        Ok(one_offs)
    }

    /// The row and its audit, both or neither.
    async fn mark_hours(
        &self,
        hours: &str,
        value: &str,
        by_whom: &str,
        what: &str,
    ) -> Result<(), StoreError> {
        let (name, now_ms) = (format!("{HOURS_PREFIX}{hours}"), self.now_ms());
        let detail = match value {
            NONE => hours.to_owned(),
            value => format!("{hours} {value}"),
        };
        self.transaction(async |tx| {
            mark(tx, now_ms, "flag", &name, Some(value), by_whom).await?;
            audit(tx, now_ms, by_whom, what, &detail).await?;
            Ok(())
        })
        .await
    }
}
