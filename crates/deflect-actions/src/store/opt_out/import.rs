//! Many opt-outs, all or none, without holding the one writing connection of a file for as long as
//! they take: callers wait for their texts meanwhile.
//!
//! They are gathered beside the list, in pieces. One short commit decides on them; from then on they
//! are put into the list, in pieces again, by this start or the next one. What was not decided on
//! is thrown away.

use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::{super::audit::audit, OptOutOrder, Store, StoreError};

/// Rows of one commit: some milliseconds.
const PIECE: usize = 250;
/// Whoever gathers for longer has died, ms.
const STALE_MS: i64 = 3_600_000;

impl Store {
    /// Records these, which are sorted and each there once, piece by piece.
    pub(super) async fn import_opt_outs(
        &self,
        orders: &[OptOutOrder],
        via: &str,
        by: (&str, &str, &str),
    ) -> Result<(), StoreError> {
        let id = Uuid::now_v7().to_string();
        if let Err(error) = self.decide_on(&id, orders, via, by).await {
            match self.discard_import(&id).await {
                Ok(true) => return Err(error),
                // Its commit was there, and only the word of it was lost.
                Ok(false) => {}
                Err(later) => {
                    tracing::warn!(error = %later, "what was gathered of opt-outs waits for the next sweep");
                    return Err(StoreError::Unfinished(Box::new(error)));
                }
            }
        }
        self.finish_import(&id).await.map_err(|why| StoreError::Unfinished(Box::new(why)))
    }

    /// Gathers all of them, then says so by one commit.
    async fn decide_on(
        &self,
        id: &str,
        orders: &[OptOutOrder],
        via: &str,
        (who, what, detail): (&str, &str, &str),
    ) -> Result<(), StoreError> {
        let now_ms = self.now_ms();
        self.write(async |conn| {
            sqlx::query(
                "INSERT INTO opt_out_import (import_id, via, begun_ms) VALUES ($1, $2, $3)",
            )
            .bind(id.to_owned())
            .bind(via.to_owned())
            .bind(now_ms)
            .execute(&mut *conn)
            .await?;
            Ok(())
        })
        .await?;
        for (piece, some) in (0_i64..).zip(orders.chunks(PIECE)) {
            let first = piece * PIECE as i64;
            self.write(async |conn| {
                let sql = staged(some.len());
                let query = sqlx::query(AssertSqlSafe(sql)).persistent(some.len() == PIECE);
                let mut query = query.bind(id.to_owned()).bind(first);
                for OptOutOrder { opt_key, brand, topic, shown, .. } in some {
                    for text in [opt_key, brand, topic, shown] {
                        query = query.bind(text.clone());
                    }
                }
                query.execute(&mut *conn).await?;
                Ok(())
            })
            .await?;
        }
        let now_ms = self.now_ms();
        self.transaction(async |conn| {
            sqlx::query("UPDATE opt_out_import SET decided_ms = $2 WHERE import_id = $1")
                .bind(id.to_owned())
                .bind(now_ms)
                .execute(&mut *conn)
                .await?;
            audit(conn, now_ms, who, what, detail).await
        })
        .await
    }

    /// Puts what was decided on into the list, and forgets it.
    async fn finish_import(&self, id: &str) -> Result<(), StoreError> {
        // What is gone is not looked through again: PostgreSQL keeps it a while.
        let mut moved = -1;
        loop {
            let last = self
                .transaction(async |conn| {
                    let last = sqlx::query(
                        "SELECT MAX(n) AS n FROM (SELECT n FROM opt_out_staged \
                         WHERE import_id = $1 AND n > $3 ORDER BY n LIMIT $2) AS piece",
                    )
                    .bind(id.to_owned())
                    .bind(PIECE as i64)
                    .bind(moved)
                    .fetch_one(&mut *conn)
                    .await?
                    .try_get::<Option<i64>, _>("n")?;
                    let Some(last) = last else { return Ok(None) };
                    // Who has asked for texts since then wants them.
                    sqlx::query(
                        "INSERT INTO opt_out (opt_key, brand, topic, via, since_ms, shown) \
                         SELECT s.opt_key, s.brand, s.topic, i.via, i.decided_ms, NULLIF(s.shown, '') \
                         FROM opt_out_staged s JOIN opt_out_import i ON i.import_id = s.import_id \
                         WHERE s.import_id = $1 AND s.n > $3 AND s.n <= $2 AND NOT EXISTS (SELECT 1 FROM opt_out o \
                         WHERE o.opt_key = s.opt_key AND o.brand = s.brand AND o.topic = s.topic \
                         AND (o.revoked_ms IS NULL OR o.revoked_ms > i.decided_ms)) \
                         ON CONFLICT (opt_key, brand, topic, since_ms) DO UPDATE SET revoked_ms = NULL",
                    )
                    .bind(id.to_owned())
                    .bind(last)
                    .bind(moved)
                    .execute(&mut *conn)
                    .await?;
                    forget(conn, id, (moved, last)).await?;
                    Ok(Some(last))
                })
                .await?;
            match last {
                Some(last) => moved = last,
                None => return self.forget_import(id).await,
            }
        }
    }

    /// Goes on with what was decided on before a crash. Until it is done, nobody is texted.
    pub(crate) async fn finish_imports(&self) -> Result<(), StoreError> {
        for id in self.imports("decided_ms IS NOT NULL AND begun_ms <= $1", self.now_ms()).await? {
            self.finish_import(&id).await?;
        }
        Ok(())
    }

    /// Throws away what nobody gathers any more.
    pub(in crate::store) async fn discard_imports(&self) -> Result<(), StoreError> {
        let before_ms = self.now_ms() - STALE_MS;
        for id in self.imports("decided_ms IS NULL AND begun_ms <= $1", before_ms).await? {
            self.discard_import(&id).await?;
        }
        Ok(())
    }

    async fn imports(&self, which: &str, at_ms: i64) -> Result<Vec<String>, StoreError> {
        let sql = format!("SELECT import_id FROM opt_out_import WHERE {which}");
        let mut conn = self.conn().await?;
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(at_ms).fetch_all(&mut *conn).await?;
        Ok(rows.iter().map(|row| row.try_get("import_id")).collect::<Result<_, _>>()?)
    }

    /// Throws an import away unless it was decided on.
    async fn discard_import(&self, id: &str) -> Result<bool, StoreError> {
        let sql =
            "UPDATE opt_out_import SET begun_ms = 0 WHERE import_id = $1 AND decided_ms IS NULL";
        let open = self
            .execute(async |conn| {
                Ok(sqlx::query(sql).bind(id.to_owned()).execute(&mut *conn).await?.rows_affected())
            })
            .await?;
        if open == 0 {
            return Ok(false);
        }
        // One that died of it has left the rest.
        let sql =
            "SELECT COALESCE(MIN(n), 0) - 1 AS first FROM opt_out_staged WHERE import_id = $1";
        let row = sqlx::query(sql).bind(id.to_owned()).fetch_one(&mut *self.conn().await?).await?;
        let mut first: i64 = row.try_get("first")?;
        while self.write(async |conn| forget(conn, id, (first, first + PIECE as i64)).await).await?
            > 0
        {
            first += PIECE as i64;
        }
        self.forget_import(id).await?;
        Ok(true)
    }

    async fn forget_import(&self, id: &str) -> Result<(), StoreError> {
        self.write(async |conn| {
            sqlx::query("DELETE FROM opt_out_import WHERE import_id = $1")
                .bind(id.to_owned())
                .execute(&mut *conn)
                .await?;
            Ok(())
        })
        .await
    }
}

/// Forgets what was gathered after a number and up to another; returns how many.
async fn forget(
    conn: &mut sqlx::AnyConnection,
    id: &str,
    (after, last): (i64, i64),
) -> Result<u64, StoreError> {
    let sql = "DELETE FROM opt_out_staged WHERE import_id = $1 AND n > $2 AND n <= $3";
    let done = sqlx::query(sql).bind(id.to_owned()).bind(after).bind(last).execute(conn).await?;
    Ok(done.rows_affected())
}

/// Gathers so many. $1: the import, $2: the number of the first; then key, brand, topic and what is
/// shown of each.
fn staged(count: usize) -> String {
    let row = |n: usize| {
        let at = 3 + 4 * n;
        format!("($1, $2 + {n}, ${at}, ${}, ${}, ${})", at + 1, at + 2, at + 3)
    };
    let rows: Vec<String> = (0..count).map(row).collect();
    format!(
        "INSERT INTO opt_out_staged (import_id, n, opt_key, brand, topic, shown) VALUES {}",
        rows.join(", ")
    )
}
