//! Offers made to callers of other IVRs: any node takes them up, and one does.

use std::time::Duration;

use sqlx::Row as _;

use super::{Store, StoreError};

/// A node that has claimed an offer and sent nothing in this time has died of it, ms.
const STALE_MS: i64 = 60_000;
/// What came of an invite is told again for so long, ms.
const KEPT_MS: i64 = 24 * 3_600_000;

/// What a claim of an offer found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfferClaim {
    /// It is the claimer's: what was asked when it was made.
    Ours(String),
    /// It was taken up by the same key: what came of it.
    Answered(String),
    /// It is being taken up by the same key.
    UnderWay,
    /// It is unknown, too old, or taken up by another key.
    Gone,
}

impl Store {
    /// Keeps what was asked for an offer; `offer_id` is its call's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_offer(
        &self,
        offer_id: &str,
        question: &str,
        good_for: Duration,
    ) -> Result<(), StoreError> {
        let now = self.now_ms();
        let until = now + i64::try_from(good_for.as_millis()).unwrap_or(0);
        let sealed = self.keys().seal().close(offer_id, question)?;
        self.execute(async |conn| {
            sqlx::query(
                "INSERT INTO remote_offer (offer_id, question_enc, created_ms, expires_ms) \
                 VALUES ($1, $2, $3, $4)",
            )
            .bind(offer_id.to_owned())
            .bind(sealed.clone())
            .bind(now)
            .bind(until)
            .execute(&mut *conn)
            .await?;
            Ok(())
        })
        .await
    }

    /// Takes an offer up by a key, over all nodes once, as the call `call_id`: its own, or that of
    /// another matter. One that was claimed by a node that died before anything was sent may be
    /// claimed again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_offer(
        &self,
        offer_id: &str,
        key: &str,
        call_id: &str,
    ) -> Result<OfferClaim, StoreError> {
        let now = self.now_ms();
        let claimed = self
            .write(async |conn| {
                let claimed = sqlx::query(
                    "UPDATE remote_offer SET taken_key = $2, taken_ms = $3 WHERE offer_id = $1 \
                     AND expires_ms > $3 AND question_enc IS NOT NULL AND answer IS NULL \
                     AND (taken_ms IS NULL OR (taken_ms < $4 \
                       AND NOT EXISTS (SELECT 1 FROM message m WHERE m.call_id IN ($1, $5)))) \
                     RETURNING question_enc",
                )
                .bind(offer_id.to_owned())
                .bind(key.to_owned())
                .bind(now)
                .bind(now - STALE_MS)
                .bind(call_id.to_owned())
                .fetch_all(&mut *conn)
                .await?;
                Ok(claimed)
            })
            .await?;
        if let Some(row) = claimed.first() {
            let sealed: String = row.try_get("question_enc")?;
            let opened = self.keys().seal().open(offer_id, &sealed);
            return Ok(OfferClaim::Ours(opened.map_err(std::io::Error::other)?));
        }
        let sql = "SELECT answer FROM remote_offer WHERE offer_id = $1 AND taken_key = $2";
        let taken = sqlx::query(sql).bind(offer_id.to_owned()).bind(key.to_owned());
        let row = taken.fetch_optional(&mut *self.conn().await?).await?;
        let Some(row) = row else { return Ok(OfferClaim::Gone) };
        let answer: Option<String> = row.try_get("answer")?;
        Ok(answer.map_or(OfferClaim::UnderWay, OfferClaim::Answered))
    }

    /// Keeps what came of a claimed offer; who it was for is forgotten.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn answer_offer(
        &self,
        offer_id: &str,
        key: &str,
        answer: &str,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE remote_offer SET answer = $2, question_enc = NULL \
                   WHERE offer_id = $1 AND taken_key = $3";
        self.execute(async |conn| {
            let query = sqlx::query(sql)
                .bind(offer_id.to_owned())
                .bind(answer.to_owned())
                .bind(key.to_owned());
            query.execute(&mut *conn).await?;
            Ok(())
        })
        .await
    }

    /// A claimed offer could not be had as wanted: it waits on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_offer(&self, offer_id: &str, key: &str) -> Result<(), StoreError> {
        let sql = "UPDATE remote_offer SET taken_key = NULL, taken_ms = NULL \
                   WHERE offer_id = $1 AND taken_key = $2 AND answer IS NULL";
        self.execute(async |conn| {
            let query = sqlx::query(sql).bind(offer_id.to_owned()).bind(key.to_owned());
            query.execute(&mut *conn).await?;
            Ok(())
        })
        .await
    }

    /// Whether somebody has taken an offer up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_offer_taken(&self, offer_id: &str) -> Result<bool, StoreError> {
        let mut conn = self.conn().await?;
        let sql = "SELECT offer_id FROM remote_offer WHERE offer_id = $1 AND taken_ms IS NOT NULL";
        let row = sqlx::query(sql).bind(offer_id.to_owned()).fetch_optional(&mut *conn).await?;
        Ok(row.is_some())
    }

    /// Forgets whom offers were for that are over, and what came of old ones.
    pub(super) async fn expire_offers(&self) -> Result<(), StoreError> {
        let now = self.now_ms();
        self.write(async |conn| {
            for (sql, at_ms) in [(UNTAKEN, now), (OVER, now), (OLD, now - KEPT_MS)] {
                sqlx::query(sql).bind(at_ms).execute(&mut *conn).await?;
            }
            Ok(())
        })
        .await
    }
}

const UNTAKEN: &str = "DELETE FROM remote_offer WHERE expires_ms <= $1 \
     AND question_enc IS NOT NULL AND taken_ms IS NULL";
const OVER: &str = "UPDATE remote_offer SET question_enc = NULL WHERE expires_ms <= $1 \
     AND question_enc IS NOT NULL";
const OLD: &str = "DELETE FROM remote_offer WHERE created_ms <= $1";
