//! Offers made to callers of other IVRs: any node takes them up, and one does.

use std::{collections::HashMap, time::Duration};

use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::{
    Sharing, Store, StoreError,
    bulk::{Arrays, Bulk},
    lane::Work,
    lanes::Insert,
    together::{Value, bind, number, renamed, text},
};

/// A node that has claimed an offer and sent nothing in this time has died of it, ms.
const STALE_MS: i64 = 60_000;
/// What came of an invite is told again for so long, ms.
const KEPT_MS: i64 = 24 * 3_600_000;

/// What came of an invite, told again to who asks again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferAnswered {
    /// The offer.
    pub offer_id: String,
    /// By which it was claimed.
    pub key: String,
    /// In words of the caller's.
    pub answer: String,
}

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
        let values = vec![text(offer_id), text(sealed), number(now), number(until)];
        match &self.0.sharing {
            Sharing::Lanes(lanes) => lanes.offers.run(self, Insert::of(&KEPT, values)).await,
            Sharing::Turns(_) => {
                self.execute(async |conn| KEPT.write(conn, vec![values]).await).await
            }
        }
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
        let claim = Claim::of(offer_id, key, call_id, self.now_ms());
        let claimed = match &self.0.sharing {
            Sharing::Lanes(lanes) => lanes.claims.run(self, claim).await?,
            Sharing::Turns(_) => self.write(async |conn| claim.run(conn).await).await?,
        };
        if let Some(sealed) = claimed {
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
    pub async fn answer_offer(&self, answer: &OfferAnswered) -> Result<(), StoreError> {
        let values = answered(answer);
        self.execute(async |conn| ANSWERED.write(conn, vec![values]).await).await
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

static KEPT: Bulk = Bulk::new(
    "INSERT INTO remote_offer (offer_id, question_enc, created_ms, expires_ms) VALUES ",
    "(?,?,?,?)",
    "",
);

pub(super) static ANSWERED: Bulk = Bulk::new(
    "WITH new (offer_id, taken_key, answer) AS (VALUES ",
    "(CAST(? AS TEXT),CAST(? AS TEXT),CAST(? AS TEXT))",
    ") UPDATE remote_offer SET answer = new.answer, question_enc = NULL FROM new \
     WHERE remote_offer.offer_id = new.offer_id AND remote_offer.taken_key = new.taken_key",
);

/// The values of [`ANSWERED`].
pub(super) fn answered(row: &OfferAnswered) -> Vec<Value> {
    vec![text(&row.offer_id), text(&row.key), text(&row.answer)]
}

// By its id: no index of all that wait is to look useful.
const CLAIM: &str = "UPDATE remote_offer SET taken_key = $2, taken_ms = $3, taken_call = $5 WHERE offer_id = $1 \
     AND expires_ms > $3 AND COALESCE(question_enc, '') <> '' AND answer IS NULL \
     AND (taken_ms IS NULL OR (taken_ms < $4 \
       AND NOT EXISTS (SELECT 1 FROM message m WHERE \
         m.call_id IN ($1, COALESCE(remote_offer.taken_call, $1))))) \
     RETURNING offer_id, question_enc";

/// A claim of an offer; what was asked when it was made, sealed, where it is had.
#[derive(Debug)]
pub(super) struct Claim {
    offer_id: String,
    values: [Value; 5],
}

impl Claim {
    fn of(offer_id: &str, key: &str, call_id: &str, now_ms: i64) -> Self {
        let [now, stale] = [now_ms, now_ms - STALE_MS].map(number);
        let values = [text(offer_id), text(key), now, stale, text(call_id)];
        Self { offer_id: offer_id.to_owned(), values }
    }

    async fn run(self, conn: &mut AnyConnection) -> Result<Option<String>, StoreError> {
        let query = self.values.into_iter().fold(sqlx::query(CLAIM), bind);
        // All rows: a statement is over only then.
        let claimed = query.fetch_all(conn).await?;
        Ok(claimed.first().map(|row| row.try_get("question_enc")).transpose()?)
    }
}

impl Work for Claim {
    type Done = Option<String>;

    fn key(&self) -> Option<&str> {
        Some(&self.offer_id)
    }

    async fn do_all(
        conn: &mut AnyConnection,
        all: &[Self],
    ) -> Result<Vec<Option<String>>, StoreError> {
        let rows: Vec<&[Value]> = all.iter().map(|claim| &claim.values[..]).collect();
        let mut arrays = Arrays::default();
        let table = arrays.table(&rows);
        let sql = renamed(CLAIM, |number| format!("u.c{number}"));
        let sql = sql.replacen(" WHERE ", &format!(" FROM {table} WHERE "), 1);
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = arrays.values().into_iter().fold(query, bind);
        let mut claimed = HashMap::new();
        for row in query.fetch_all(&mut *conn).await? {
            let id: String = row.try_get("offer_id")?;
            claimed.insert(id, row.try_get("question_enc")?);
        }
        Ok(all.iter().map(|claim| claimed.remove(&claim.offer_id)).collect())
    }
}

const UNTAKEN: &str = "DELETE FROM remote_offer WHERE expires_ms <= $1 \
     AND question_enc IS NOT NULL AND taken_ms IS NULL";
const OVER: &str = "UPDATE remote_offer SET question_enc = NULL WHERE expires_ms <= $1 \
     AND question_enc IS NOT NULL";
const OLD: &str = "DELETE FROM remote_offer WHERE created_ms <= $1";
