//! What protects people and money and is learned as it goes: rows that all nodes share and that
//! outlive restarts. Each is written when something changes, not with every text.

use sqlx::Row as _;

use super::{Store, StoreError};

/// So long rows are kept after their time, ms: a pause that is over tells when it began.
const KEPT_MS: i64 = 3_600_000;

/// A row of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Protection {
    pub scope_key: String,
    pub n: i64,
    pub until_ms: i64,
}

impl Store {
    /// Counts one more of `kind` for `scope_key`; the count begins anew `window_ms` after its first.
    /// Returns the count, this one among it.
    pub(crate) async fn count_protection(
        &self,
        kind: &str,
        scope_key: &str,
        window_ms: i64,
    ) -> Result<i64, StoreError> {
        let now = self.now_ms();
        self.write(async |conn| {
            let row = sqlx::query(
                "INSERT INTO protection (kind, scope_key, n, at_ms, until_ms) \
             VALUES ($1, $2, 1, $3, $4) ON CONFLICT (kind, scope_key) DO UPDATE SET \
             n = CASE WHEN protection.until_ms <= $3 THEN 1 ELSE protection.n + 1 END, \
             at_ms = CASE WHEN protection.until_ms <= $3 THEN $3 ELSE protection.at_ms END, \
             until_ms = CASE WHEN protection.until_ms <= $3 THEN $4 ELSE protection.until_ms END \
             RETURNING n",
            )
            .bind(kind.to_owned())
            .bind(scope_key.to_owned())
            .bind(now)
            .bind(now + window_ms)
            .fetch_one(&mut *conn)
            .await?;
            Ok(row.try_get("n")?)
        })
        .await
    }

    /// Keeps `n` of `kind` for `scope_key` until `until_ms`.
    pub(crate) async fn keep_protection(
        &self,
        kind: &str,
        scope_key: &str,
        n: i64,
        until_ms: i64,
    ) -> Result<(), StoreError> {
        self.write(async |conn| {
            sqlx::query(
                "INSERT INTO protection (kind, scope_key, n, at_ms, until_ms) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (kind, scope_key) DO UPDATE SET \
             n = excluded.n, at_ms = excluded.at_ms, until_ms = excluded.until_ms",
            )
            .bind(kind.to_owned())
            .bind(scope_key.to_owned())
            .bind(n)
            .bind(self.now_ms())
            .bind(until_ms)
            .execute(&mut *conn)
            .await?;
            Ok(())
        })
        .await
    }

    /// What holds now of a kind, for one key or for all.
    pub(crate) async fn protections(
        &self,
        kind: &str,
        scope_key: Option<&str>,
    ) -> Result<Vec<Protection>, StoreError> {
        let mut conn = self.conn().await?;
        let rows = sqlx::query(
            "SELECT scope_key, n, until_ms FROM protection WHERE kind = $1 AND until_ms > $2 \
             AND scope_key = COALESCE($3, scope_key)",
        )
        .bind(kind.to_owned())
        .bind(self.now_ms())
        .bind(scope_key.map(str::to_owned))
        .fetch_all(&mut *conn)
        .await?;
        let row = |row: &sqlx::any::AnyRow| {
            Ok(Protection {
                scope_key: row.try_get("scope_key")?,
                n: row.try_get("n")?,
                until_ms: row.try_get("until_ms")?,
            })
        };
        rows.iter().map(row).collect()
    }

    /// Deletes what held until long ago.
    pub(super) async fn expire_protections(&self) -> Result<(), StoreError> {
        self.write(async |conn| {
            sqlx::query("DELETE FROM protection WHERE until_ms <= $1")
                .bind(self.now_ms() - KEPT_MS)
                .execute(&mut *conn)
                .await?;
            Ok(())
        })
        .await
    }
}
