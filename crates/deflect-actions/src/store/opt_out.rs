//! Who wants no texts.

use message_text::E164;
use sqlx::Row;

use super::{Store, StoreError};

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
    /// `via`: `call`, `text`, `provider`, `operator`.
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
            "INSERT INTO opt_out (opt_key, brand, topic, via, since_ms) \
             SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT 1 FROM opt_out \
             WHERE opt_key = $1 AND brand = $2 AND topic = $3 AND revoked_ms IS NULL) \
             ON CONFLICT (opt_key, brand, topic, since_ms) DO UPDATE SET revoked_ms = NULL",
        )
        .bind(self.keys().opt_key(business, number))
        .bind(self.keys().brand(business).to_owned())
        .bind(topic.to_owned())
        .bind(via.to_owned())
        .bind(self.now_ms())
        .execute(&mut *conn)
        .await?;
        Ok(())
    }

    /// Records that `number` wants texts again (START).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn opt_in(&self, business: &str, number: &E164) -> Result<(), StoreError> {
        let mut conn = self.conn().await?;
        sqlx::query(
            "UPDATE opt_out SET revoked_ms = $3 \
             WHERE opt_key = $1 AND brand = $2 AND revoked_ms IS NULL",
        )
        .bind(self.keys().opt_key(business, number))
        .bind(self.keys().brand(business).to_owned())
        .bind(self.now_ms())
        .execute(&mut *conn)
        .await?;
        Ok(())
    }
}
