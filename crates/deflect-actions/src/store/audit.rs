//! Who did what to a node: rows of `audit`.

use sqlx::AnyConnection;
use uuid::Uuid;

use super::{Store, StoreError};

impl Store {
    /// Records what somebody did.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit(&self, who: &str, what: &str, detail: &str) -> Result<(), StoreError> {
        self.write(async |conn| audit(conn, self.now_ms(), who, what, detail).await).await
    }
}

/// Writes a row of `audit`.
pub(super) async fn audit(
    conn: &mut AnyConnection,
    now_ms: i64,
    who: &str,
    what: &str,
    detail: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO audit (audit_id, at_ms, who, what, detail) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(now_ms)
    .bind(who.to_owned())
    .bind(what.to_owned())
    .bind(detail.to_owned())
    .execute(conn)
    .await?;
    Ok(())
}
