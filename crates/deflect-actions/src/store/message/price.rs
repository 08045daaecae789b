//! What texts cost whose provider tells it only to who asks.

use sqlx::{AssertSqlSafe, Row as _};

use crate::{
    provider::Cost,
    store::{Store, StoreError, limits::first_id_of},
};

/// How old a text is when it is asked about for the first time, the second, …, ms.
const ASKED_AT_MS: [i64; 5] = [60_000, 300_000, 1_800_000, 10_800_000, 72_000_000];
/// None is asked about that is older, ms.
const OLDEST_MS: i64 = 26 * 3_600_000;
/// `price_asked` of one that is asked about no more.
const TOLD: i64 = 9;
/// Of one whose provider may still be asked; an index holds them.
const OPEN: &str = "price_asked < 5";

/// A text whose price is not told yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unpriced {
    pub message_id: String,
    pub provider_id: String,
}

impl Store {
    /// Takes texts of `provider` that it is to be asked about now; no other node asks about them.
    pub(crate) async fn take_unpriced(
        &self,
        provider: &str,
        limit: i64,
    ) -> Result<Vec<Unpriced>, StoreError> {
        let now = self.now_ms();
        // The ids are in order of time.
        let sql = format!(
            "SELECT message_id, provider_id, created_ms, CAST(price_asked AS BIGINT) AS asked \
             FROM message WHERE {OPEN} AND message_id >= $1 AND message_id <= CASE price_asked WHEN 0 THEN $2 \
             WHEN 1 THEN $3 WHEN 2 THEN $4 WHEN 3 THEN $5 WHEN 4 THEN $6 ELSE '' END \
             AND provider = $7 AND provider_id IS NOT NULL AND accepted_ms IS NOT NULL \
             ORDER BY message_id LIMIT $8",
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(first_id_of(now - OLDEST_MS));
        for age_ms in ASKED_AT_MS {
            query = query.bind(first_id_of(now - age_ms));
        }
        let rows =
            query.bind(provider.to_owned()).bind(limit).fetch_all(&mut *self.conn().await?).await?;
        let mut taken = Vec::with_capacity(rows.len());
        for row in rows {
            let text = Unpriced {
                message_id: row.try_get("message_id")?,
                provider_id: row.try_get("provider_id")?,
            };
            let asked: i64 = row.try_get("asked")?;
            // One that nobody could ask about in time is not asked about time after time.
            let age_ms = now - row.try_get::<i64, _>("created_ms")?;
            let due = ASKED_AT_MS.iter().filter(|at_ms| **at_ms <= age_ms).count();
            let now_asked = i64::try_from(due).unwrap_or(TOLD).max(asked + 1);
            if self.note_asked(&text.message_id, (asked, now_asked)).await? {
                taken.push(text);
            }
        }
        Ok(taken)
    }

    /// Notes that the provider told what a text cost; `price_micros` is left out where it is of
    /// another currency than ours.
    pub(crate) async fn price_told(
        &self,
        message_id: &str,
        cost: &Cost,
        price_micros: Option<i64>,
    ) -> Result<(), StoreError> {
        let now_ms = self.now_ms();
        self.execute(async |conn| {
            sqlx::query(
                "UPDATE message SET price_micros = COALESCE($2, price_micros), \
                 segments = COALESCE($3, segments), price_asked = $4, priced_ms = $5 \
                 WHERE message_id = $1",
            )
            .bind(message_id.to_owned())
            .bind(price_micros)
            .bind(cost.segments)
            .bind(TOLD)
            .bind(now_ms)
            .execute(&mut *conn)
            .await?;
            Ok(())
        })
        .await
    }

    /// Whether nobody else asked meanwhile.
    async fn note_asked(
        &self,
        message_id: &str,
        (before, now): (i64, i64),
    ) -> Result<bool, StoreError> {
        self.execute(async |conn| {
            let done = sqlx::query(
                "UPDATE message SET price_asked = $3 WHERE message_id = $1 AND price_asked = $2",
            )
            .bind(message_id.to_owned())
            .bind(before)
            .bind(now)
            .execute(&mut *conn)
            .await?;
            Ok(done.rows_affected() == 1)
        })
        .await
    }
}
