//! Whether this node's clock says what the database's says: leases, claims and limits of several
//! nodes are compared by their clocks.

use sqlx::Row as _;

use super::{Store, StoreError, db::Dialect};

/// A clock that is further off is told, ms.
const OFF_MS: i64 = 2_000;

impl Store {
    /// Looks at how far this node's clock is ahead of the database's; PostgreSQL only, for a file
    /// has the same.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn compare_clocks(&self) -> Result<(), StoreError> {
        if self.0.dialect == Dialect::Sqlite {
            return Ok(());
        }
        let mut conn = self.conn().await?;
        let before_ms = self.now_ms();
        let row = sqlx::query(
            "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now_ms",
        )
        .fetch_one(&mut *conn)
        .await?;
        let theirs: i64 = row.try_get("now_ms")?;
        // It answered at some moment between the two.
        let ahead = ((before_ms - theirs).max(0), (self.now_ms() - theirs).min(0));
        let ahead_ms = ahead.0 + ahead.1;
        metrics::gauge!("carom_store_clock_seconds").set(ahead_ms as f64 / 1_000.0);
        if ahead_ms.abs() > OFF_MS {
            tracing::error!(
                ahead_ms,
                "the clocks of this node and of the database differ: other nodes may take what this \
                 one is doing for left, and limits miss texts. Set them by NTP"
            );
        }
        Ok(())
    }
}
