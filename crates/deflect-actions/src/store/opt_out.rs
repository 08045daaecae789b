//! Who wants no texts.

use message_text::E164;
use sqlx::Row;

use super::{Store, StoreError};

/// An opt-out in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptOutView {
    /// Whose texts are not wanted.
    pub brand: String,
    /// Of what; empty: of anything.
    pub topic: String,
    /// `call`, `text`, `provider`, `operator`, `api`, `import`.
    pub via: String,
    /// Since when, ms UTC.
    pub since_ms: i64,
    /// Country and last two digits, where they are known.
    pub to_masked: Option<String>,
}

impl Store {
    /// Whether `number` wants no texts of the business: none at all, or none on `topic`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_opted_out(
        &self,
        business: &str,
        number: &E164,
        topic: &str,
    ) -> Result<bool, StoreError> {
        let mut conn = self.conn().await?;
        let row = sqlx::query(
            "SELECT COUNT(*) AS n FROM opt_out WHERE opt_key = $1 AND brand = $2 \
             AND (topic = '' OR topic = $3) AND revoked_ms IS NULL",
        )
        .bind(self.keys().opt_key(business, number))
        .bind(self.keys().brand(business).to_owned())
        .bind(topic.to_owned())
        .fetch_one(&mut *conn)
        .await?;
        Ok(row.try_get::<i64, _>("n")? > 0)
    }

    /// Records that `number` wants no texts; effective at once. `topic` empty: none at all.
    /// `via`: `call`, `text`, `provider`, `operator`, `api`, `import`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn opt_out(
        &self,
        business: &str,
        number: &E164,
        topic: &str,
        via: &str,
    ) -> Result<(), StoreError> {
        let mut conn = self.conn().await?;
        sqlx::query(
            "INSERT INTO opt_out (opt_key, brand, topic, via, since_ms, shown) \
             SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS (SELECT 1 FROM opt_out \
             WHERE opt_key = $1 AND brand = $2 AND topic = $3 AND revoked_ms IS NULL) \
             ON CONFLICT (opt_key, brand, topic, since_ms) DO UPDATE SET revoked_ms = NULL",
        )
        .bind(self.keys().opt_key(business, number))
        .bind(self.keys().brand(business).to_owned())
        .bind(topic.to_owned())
        .bind(via.to_owned())
        .bind(self.now_ms())
        .bind(number.masked())
        .execute(&mut *conn)
        .await?;
        Ok(())
    }

    /// Records that `number` wants texts again: of the topic, or of all (`None`; START). Returns
    /// how many opt-outs that ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn opt_in(
        &self,
        business: &str,
        number: &E164,
        topic: Option<&str>,
    ) -> Result<u64, StoreError> {
        let mut conn = self.conn().await?;
        let done = sqlx::query(
            "UPDATE opt_out SET revoked_ms = $3 WHERE opt_key = $1 AND brand = $2 \
             AND topic = COALESCE($4, topic) AND revoked_ms IS NULL",
        )
        .bind(self.keys().opt_key(business, number))
        .bind(self.keys().brand(business).to_owned())
        .bind(self.now_ms())
        .bind(topic.map(str::to_owned))
        .execute(&mut *conn)
        .await?;
        Ok(done.rows_affected())
    }

    /// The opt-outs that hold, of one brand or of all, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn opt_outs(
        &self,
        brand: Option<&str>,
        limit: u32,
    ) -> Result<Vec<OptOutView>, StoreError> {
        let mut conn = self.conn().await?;
        let rows = sqlx::query(
            "SELECT brand, topic, via, since_ms, shown FROM opt_out \
             WHERE revoked_ms IS NULL AND brand = COALESCE($1, brand) \
             ORDER BY since_ms DESC, opt_key LIMIT $2",
        )
        .bind(brand.map(str::to_owned))
        .bind(i64::from(limit))
        .fetch_all(&mut *conn)
        .await?;
        let view = |row: &sqlx::any::AnyRow| {
            Ok(OptOutView {
                brand: row.try_get("brand")?,
                topic: row.try_get("topic")?,
                via: row.try_get("via")?,
                since_ms: row.try_get("since_ms")?,
                to_masked: row.try_get("shown")?,
            })
        };
        rows.iter().map(view).collect()
    }
}
