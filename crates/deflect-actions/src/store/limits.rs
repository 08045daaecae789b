//! What limits count: texts of the last day, as the outbox has them, so that a restart and
//! another node change nothing.

use std::collections::HashMap;

use sqlx::Row;
use uuid::Uuid;

use super::{Store, StoreError};

/// A text that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SentText {
    pub message_id: String,
    pub dest_key: String,
    pub dest_key_prev: Option<String>,
    /// E.164, where it is not erased yet.
    pub number: Option<String>,
    pub line: String,
    /// Country of the number.
    pub region: String,
    /// Name of the token that ordered it; `None`: a caller did.
    pub client: Option<String>,
    pub created_ms: i64,
    /// Name of the sender that has or had it.
    pub sender: Option<String>,
    pub segments: i64,
    /// As the provider told it; its sign is the provider's.
    pub price_micros: Option<i64>,
}

impl Store {
    /// Texts whose ids were made at `since_ms` or later.
    pub(crate) async fn texts_since(&self, since_ms: i64) -> Result<Vec<SentText>, StoreError> {
        let mut conn = self.conn().await?;
        // The ids are in order of time, and the primary key is an index.
        let rows = sqlx::query(
            "SELECT m.message_id, m.dest_key, m.dest_key_prev, m.dest_enc, m.created_ms, \
             m.sender, m.price_micros, CAST(COALESCE(m.segments, 1) AS BIGINT) AS segments, \
             COALESCE(c.did, '') AS line, COALESCE(m.dest_region, '') AS region, \
             CASE WHEN c.origin = 'api' THEN c.trunk END AS client FROM message m JOIN call c ON c.call_id = m.call_id \
             WHERE m.message_id >= $1",
        )
        .bind(first_id_of(since_ms))
        .fetch_all(&mut *conn)
        .await?;
        let mut texts = Vec::with_capacity(rows.len());
        for row in rows {
            let message_id: String = row.try_get("message_id")?;
            let sealed: Option<String> = row.try_get("dest_enc")?;
            let number = sealed.and_then(|it| self.keys().seal().open(&message_id, &it).ok());
            texts.push(SentText {
                dest_key: row.try_get("dest_key")?,
                dest_key_prev: row.try_get("dest_key_prev")?,
                number,
                line: row.try_get("line")?,
                region: row.try_get("region")?,
                client: row.try_get("client")?,
                created_ms: row.try_get("created_ms")?,
                sender: row.try_get("sender")?,
                segments: row.try_get("segments")?,
                price_micros: row.try_get("price_micros")?,
                message_id,
            });
        }
        Ok(texts)
    }

    /// The texts since `since_ms` whose links lead over pages of ours, each with whether a person
    /// has opened one.
    pub(crate) async fn opened_since(
        &self,
        since_ms: i64,
    ) -> Result<HashMap<String, bool>, StoreError> {
        let mut conn = self.conn().await?;
        let rows = sqlx::query(
            "SELECT message_id, MAX(CASE WHEN first_human_ms IS NULL THEN 0 ELSE 1 END) AS opened \
             FROM link WHERE created_ms >= $1 AND message_id IS NOT NULL GROUP BY message_id",
        )
        .bind(since_ms)
        .fetch_all(&mut *conn)
        .await?;
        let opened = rows.iter().map(|row| {
            let opened: i32 = row.try_get("opened")?;
            Ok((row.try_get("message_id")?, opened != 0))
        });
        opened.collect()
    }

    /// Records that a limit bit.
    pub(crate) async fn limit_hit(
        &self,
        call_id: &str,
        rule: &str,
        scope: &str,
        scope_key: &str,
    ) -> Result<(), StoreError> {
        let mut conn = self.conn().await?;
        sqlx::query(
            "INSERT INTO limit_hit (hit_id, at_ms, call_id, rule, scope, scope_key) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(Uuid::now_v7().to_string())
        .bind(self.now_ms())
        .bind(call_id.to_owned())
        .bind(rule.to_owned())
        .bind(scope.to_owned())
        .bind(scope_key.to_owned())
        .execute(&mut *conn)
        .await?;
        Ok(())
    }
}

/// The smallest UUIDv7 of a moment.
fn first_id_of(at_ms: i64) -> String {
    let at = u64::try_from(at_ms.max(0)).unwrap_or(0) & 0xffff_ffff_ffff;
    Uuid::from_u128(u128::from(at) << 80).to_string()
}
