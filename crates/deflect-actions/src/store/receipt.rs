//! Receipts as they came, without numbers and bodies.

use sqlx::Row;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::provider::{Receipt, State};

impl Store {
    /// Keeps a receipt; `false` when it came before.
    pub(crate) async fn keep_receipt(
        &self,
        provider: &str,
        message_id: Option<&str>,
        receipt: &Receipt,
    ) -> Result<bool, StoreError> {
        let key = format!("{provider}|{}|{}", receipt.provider_id, receipt.state.as_str());
        let mut conn = self.conn().await?;
        let done = sqlx::query(
            "INSERT INTO receipt (receipt_id, provider, provider_id, message_id, dedup_key, \
             state, error_class, error_code, received_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (dedup_key) DO NOTHING",
        )
        .bind(Uuid::now_v7().to_string())
        .bind(provider.to_owned())
        .bind(receipt.provider_id.clone())
        .bind(message_id.map(str::to_owned))
        .bind(key)
        .bind(receipt.state.as_str())
        .bind(receipt.class.map(crate::provider::Class::as_str))
        .bind(receipt.code.clone())
        .bind(self.now_ms())
        .execute(&mut *conn)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// The message of a provider's id, or the one with `message_id` where that is ours and of
    /// this provider.
    pub(crate) async fn message_of(
        &self,
        provider: &str,
        provider_id: &str,
        message_id: Option<&str>,
    ) -> Result<Option<String>, StoreError> {
        let mut conn = self.conn().await?;
        let row = sqlx::query(
            "SELECT message_id FROM message WHERE provider = $1 AND (provider_id = $2 \
             OR (message_id = $3 AND provider_id IS NULL))",
        )
        .bind(provider.to_owned())
        .bind(provider_id.to_owned())
        .bind(message_id.map(str::to_owned))
        .fetch_optional(&mut *conn)
        .await?;
        Ok(row.map(|row| row.try_get("message_id")).transpose()?)
    }

    /// States of receipts that came before their message's id was known.
    pub(crate) async fn early_receipts(
        &self,
        provider: &str,
        provider_id: &str,
    ) -> Result<Vec<State>, StoreError> {
        let mut conn = self.conn().await?;
        let rows = sqlx::query(
            "SELECT state FROM receipt WHERE provider = $1 AND provider_id = $2 \
             AND message_id IS NULL ORDER BY received_ms",
        )
        .bind(provider.to_owned())
        .bind(provider_id.to_owned())
        .fetch_all(&mut *conn)
        .await?;
        let mut states = Vec::new();
        for row in rows {
            states.extend(State::parse(&row.try_get::<String, _>("state")?));
        }
        Ok(states)
    }
}
