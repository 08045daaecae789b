//! What protects people and money and is learned as it goes: rows that all nodes share and that
//! outlive restarts. Each is written when something changes, not with every text.

use sqlx::Row as _;

use super::{Store, StoreError, limits::first_id_of};

/// So long rows are kept after their time, ms: a pause that is over tells when it began.
const KEPT_MS: i64 = 3_600_000;

/// Kind of the rows of what a provider said of the line of a number: 1 takes texts, 0 none.
pub(crate) const LINE_TYPE: &str = "line_type";

/// Kind of the rows of a sender's texts that were taken for spam, each by the message's id.
fn spam_of(sender: &str) -> String {
    format!("spam {sender}")
}

/// What was taken for spam of a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spam {
    /// How many texts.
    pub blocked: i64,
    /// Since when, ms.
    pub since_ms: i64,
}

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
        rows.iter().map(protection).collect()
    }

    /// What holds now of a kind, for keys from `first` on.
    pub(crate) async fn protections_from(
        &self,
        kind: &str,
        first: &str,
    ) -> Result<Vec<Protection>, StoreError> {
        let mut conn = self.conn().await?;
        let rows = sqlx::query(
            "SELECT scope_key, n, until_ms FROM protection WHERE kind = $1 AND scope_key >= $2 \
             AND until_ms > $3",
        )
        .bind(kind.to_owned())
        .bind(first.to_owned())
        .bind(self.now_ms())
        .fetch_all(&mut *conn)
        .await?;
        rows.iter().map(protection).collect()
    }

    /// Notes that a text of `sender` was taken for spam, once however often it is told. Returns how
    /// many were in the last `window_ms`, or since the sender was paused.
    pub(crate) async fn count_spam(
        &self,
        sender: &str,
        message_id: &str,
        window_ms: i64,
    ) -> Result<Spam, StoreError> {
        let (now, kind) = (self.now_ms(), spam_of(sender));
        self.write(async |conn| {
            sqlx::query(
                "INSERT INTO protection (kind, scope_key, n, at_ms, until_ms) \
             VALUES ($1, $2, 1, $3, $4) ON CONFLICT (kind, scope_key) DO NOTHING",
            )
            .bind(kind.clone())
            .bind(message_id.to_owned())
            .bind(now)
            .bind(now + window_ms)
            .execute(&mut *conn)
            .await?;
            let paused = sqlx::query(
                "SELECT COALESCE(MAX(at_ms), 0) AS at_ms FROM protection \
             WHERE kind = 'pause' AND scope_key = $1",
            )
            .bind(sender.to_owned())
            .fetch_one(&mut *conn)
            .await?;
            let since_ms = paused.try_get::<i64, _>("at_ms")?.max(now - window_ms);
            let blocked =
                sqlx::query("SELECT COUNT(*) AS n FROM protection WHERE kind = $1 AND at_ms > $2")
                    .bind(kind.clone())
                    .bind(since_ms)
                    .fetch_one(&mut *conn)
                    .await?;
            Ok(Spam { blocked: blocked.try_get("n")?, since_ms })
        })
        .await
    }

    /// How many texts of `sender` providers took in the time of `spam` that were not taken for it;
    /// not more than `enough` are counted.
    pub(crate) async fn texts_of(
        &self,
        sender: &str,
        spam: &Spam,
        enough: i64,
    ) -> Result<i64, StoreError> {
        let mut conn = self.conn().await?;
        // The ids are in order of time, and the primary key is an index.
        let row = sqlx::query(
            "SELECT COUNT(*) AS n FROM (SELECT m.message_id FROM message m \
             WHERE m.message_id >= $1 AND m.sender = $2 AND m.accepted_ms IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM protection p \
             WHERE p.kind = $3 AND p.scope_key = m.message_id) \
             ORDER BY m.message_id DESC LIMIT $4) AS texts",
        )
        .bind(first_id_of(spam.since_ms))
        .bind(sender.to_owned())
        .bind(spam_of(sender))
        .bind(enough)
        .fetch_one(&mut *conn)
        .await?;
        Ok(row.try_get("n")?)
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

fn protection(row: &sqlx::any::AnyRow) -> Result<Protection, StoreError> {
    Ok(Protection {
        scope_key: row.try_get("scope_key")?,
        n: row.try_get("n")?,
        until_ms: row.try_get("until_ms")?,
    })
}
