//! Checks of destinations, a row each.

use super::{Store, StoreError};
use crate::destination::Probe;

impl Store {
    /// Keeps a check of a link.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn destination_checked(&self, link: &str, probe: &Probe) -> Result<(), StoreError> {
        self.write(async |conn| {
            sqlx::query(
            "INSERT INTO destination_check (link, at_ms, ok, status, took_ms, cert_until_ms, note) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (link, at_ms) DO NOTHING",
        )
        .bind(link.to_owned())
        .bind(self.now_ms())
        .bind(i32::from(probe.ok))
        .bind(probe.status.map(i32::from))
        .bind(i64::try_from(probe.took.as_millis()).unwrap_or(i64::MAX))
        .bind(probe.cert_until_ms)
        .bind(probe.note)
        .execute(&mut *conn)
        .await?;
            Ok(())
        })
        .await
    }
}
