//! What other systems tell: outcomes, counts of other channels.

use sqlx::Row as _;

use super::{OutcomeRow, Store, StoreError, write};

/// Contacts of another channel on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalCount {
    /// `YYYY-MM-DD`.
    pub local_date: String,
    /// Who counted.
    pub source: String,
    /// What was counted.
    pub kind: String,
    /// How many.
    pub n: i64,
}

impl Store {
    /// Whether there is a call of this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_call(&self, call_id: &str) -> Result<bool, StoreError> {
        let mut conn = self.conn().await?;
        let found = sqlx::query("SELECT call_id FROM call WHERE call_id = $1")
            .bind(call_id.to_owned())
            .fetch_optional(&mut *conn)
            .await?;
        Ok(found.is_some())
    }

    /// The call that a message was asked for in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn call_of_message(&self, message_id: &str) -> Result<Option<String>, StoreError> {
        let mut conn = self.conn().await?;
        let found = sqlx::query("SELECT call_id FROM message WHERE message_id = $1")
            .bind(message_id.to_owned())
            .fetch_optional(&mut *conn)
            .await?;
        Ok(found.map(|row| row.try_get("call_id")).transpose()?)
    }

    /// Stores an outcome at once, and once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn learn_outcome(&self, row: &OutcomeRow) -> Result<(), StoreError> {
        self.write(async |conn| write::outcome_row(conn, row).await).await
    }

    /// Stores counts, all or none; what was told of the same day, source and kind is replaced.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_external_counts(&self, counts: &[ExternalCount]) -> Result<(), StoreError> {
        self.transaction(async |conn| {
            for count in counts {
                sqlx::query(
                    "INSERT INTO external_count (local_date, source, kind, n) \
                     VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (local_date, source, kind) DO UPDATE SET n = excluded.n",
                )
                .bind(count.local_date.clone())
                .bind(count.source.clone())
                .bind(count.kind.clone())
                .bind(count.n)
                .execute(&mut *conn)
                .await?;
            }
            Ok(())
        })
        .await
    }
}
