//! Who wants no texts.

mod import;
mod key;

use message_text::E164;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

pub use self::key::unknown_opt_out_keys;

use super::{Store, StoreError, audit::audit};
use crate::keys::Keys;

/// Rows of one statement.
const AT_ONCE: usize = 200;
/// So many are one commit, which others wait for some milliseconds.
const FEW: usize = 500;
/// A provider's clock may be behind ours by so much, and tells whole seconds, ms.
const CLOCK_MS: i64 = 3_000;

/// An opt-out in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptOutView {
    /// Whose texts are not wanted.
    pub brand: String,
    /// Of what; empty: of anything.
    pub topic: String,
    /// `call`, `text`, `provider`, `operator`, `api`, `import`.
    pub via: String,
    /// Since when, ms UTC.
    pub since_ms: i64,
    /// Country and last two digits, where they are known.
    pub to_masked: Option<String>,
    /// Since when it is found no more, ms UTC: the key it is hashed under was given up.
    pub lost_ms: Option<i64>,
}

/// Who wants no texts of what, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OptOutOrder {
    opt_key: String,
    brand: String,
    topic: String,
    shown: String,
    business: String,
}

impl OptOutOrder {
    /// `number` and the texts of a business; `topic` empty: any.
    #[must_use]
    pub fn new(keys: &Keys, business: &str, number: &E164, topic: &str) -> Self {
        Self {
            opt_key: keys.opt_key(business, number),
            brand: keys.brand(business).to_owned(),
            topic: topic.to_owned(),
            shown: number.masked(),
            business: business.to_owned(),
        }
    }

    /// What the list has of it once: businesses may share a brand, and a key.
    fn row(&self) -> (&str, &str, &str) {
        (&self.opt_key, &self.brand, &self.topic)
    }
}

impl Store {
    /// Whether `number` wants no texts of the business: none at all, or none on `topic`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_opted_out(
        &self,
        business: &str,
        number: &E164,
        topic: &str,
    ) -> Result<bool, StoreError> {
        let mut conn = self.conn().await?;
        let row = sqlx::query(
            "SELECT COUNT(*) AS n FROM opt_out WHERE opt_key = $1 AND brand = $2 \
             AND (topic = '' OR topic = $3) AND revoked_ms IS NULL",
        )
        .bind(self.keys().opt_key(business, number))
        .bind(self.keys().brand(business).to_owned())
        .bind(topic.to_owned())
        .fetch_one(&mut *conn)
        .await?;
        Ok(row.try_get::<i64, _>("n")? > 0)
    }

    /// Records that `number` wants no texts; effective at once. `topic` empty: none at all.
    /// `via`: `call`, `text`, `free_text`, `provider`, `operator`, `api`, `import`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn opt_out(
        &self,
        business: &str,
        number: &E164,
        topic: &str,
        via: &str,
    ) -> Result<(), StoreError> {
        let (listed, brand) = (self.listed_as(business, number)?, self.keys().brand(business));
        let (shown, now_ms) = (number.masked(), self.now_ms());
        self.write(async |conn| {
            enter(conn, (&listed, brand, topic), (via, &shown), now_ms).await.map(|_| ())
        })
        .await
    }

    /// Heeds a STOP that `number` wrote at `at_ms` and that was told under `noted`, a provider and
    /// a key of the text, unless it was heeded before. Whether the list has more than before.
    pub(crate) async fn opt_out_by_text(
        &self,
        businesses: &[&str],
        number: &E164,
        via: &str,
        noted: (&str, &str),
        at_ms: Option<i64>,
    ) -> Result<bool, StoreError> {
        let now_ms = self.now_ms();
        let since_ms = at_ms.map_or(now_ms, |at_ms| at_ms.min(now_ms));
        let listed = businesses.iter().map(|of| Ok((self.listed_as(of, number)?, *of)));
        let listed = listed.collect::<Result<Vec<_>, StoreError>>()?;
        let shown = number.masked();
        self.transaction(async |conn| {
            let mut has_more = false;
            if self.note_once(conn, noted.0, None, (noted.1, "stop")).await? {
                for (key, business) in &listed {
                    let row = (key.as_str(), self.keys().brand(business), "");
                    has_more |= enter(conn, row, (via, &shown), since_ms).await?;
                }
            }
            Ok(has_more)
        })
        .await
    }

    /// Heeds a START likewise: it ends what was said before it. A START that is told late, again
    /// or by who has recorded it, ends no STOP that came after it.
    pub(crate) async fn opt_in_by_text(
        &self,
        businesses: &[&str],
        number: &E164,
        noted: (&str, &str),
        at_ms: Option<i64>,
    ) -> Result<bool, StoreError> {
        let now_ms = self.now_ms();
        let upto_ms = at_ms.map_or(now_ms, |at_ms| at_ms + CLOCK_MS);
        let mut rows = Vec::new();
        for business in businesses {
            let brand = self.keys().brand(business).to_owned();
            rows.push((self.keys().opt_key(business, number), brand));
        }
        self.transaction(async |conn| {
            let is_new = self.note_once(conn, noted.0, None, (noted.1, "start")).await?;
            for row in rows.into_iter().filter(|_| is_new) {
                revoke(conn, row, None, (upto_ms, now_ms)).await?;
            }
            Ok(is_new)
        })
        .await
    }

    /// Records that these want no texts, all or none, and who said so: by whom, what, of whom.
    /// `via` as with [`Self::opt_out`].
    ///
    /// # Errors
    /// When the database fails; then nothing is recorded. [`StoreError::Unfinished`]: all will be.
    pub async fn opt_out_all(
        &self,
        mut orders: Vec<OptOutOrder>,
        via: &str,
        (who, what, detail): (&str, &str, &str),
    ) -> Result<(), StoreError> {
        self.are_lists_found(&orders)?;
        // One statement may not touch a row twice.
        orders.sort();
        orders.dedup_by(|one, other| one.row() == other.row());
        if self.has_one_writer() && orders.len() > FEW {
            return self.import_opt_outs(&orders, via, (who, what, detail)).await;
        }
        let now_ms = self.now_ms();
        self.long_transaction(async |conn| {
            for some in orders.chunks(AT_ONCE) {
                let sql = insert(some.len());
                let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(some.len() == AT_ONCE);
                query = query.bind(via.to_owned()).bind(now_ms);
                for OptOutOrder { opt_key, brand, topic, shown, .. } in some {
                    for text in [opt_key, brand, topic, shown] {
                        query = query.bind(text.clone());
                    }
                }
                query.execute(&mut *conn).await?;
            }
            audit(conn, now_ms, who, what, detail).await
        })
        .await
    }

    /// Records that these want texts again, of the topic or of any, all or none, and who said so.
    /// Returns how many opt-outs that ended; where it ended none, nothing is recorded.
    ///
    /// # Errors
    /// When the database fails; then nothing is recorded.
    pub async fn opt_in_all(
        &self,
        orders: Vec<OptOutOrder>,
        any_topic: bool,
        (who, what, detail): (&str, &str, &str),
    ) -> Result<u64, StoreError> {
        self.are_lists_found(&orders)?;
        let now_ms = self.now_ms();
        self.long_transaction(async |conn| {
            let mut ended = 0;
            for order in orders {
                let topic = (!any_topic).then_some(order.topic);
                ended +=
                    revoke(conn, (order.opt_key, order.brand), topic, (now_ms, now_ms)).await?;
            }
            if ended > 0 {
                audit(conn, now_ms, who, what, detail).await?;
            }
            Ok(ended)
        })
        .await
    }

    /// Records that `number` wants texts again: of the topic, or of all (`None`; START). Returns
    /// how many opt-outs that ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn opt_in(
        &self,
        business: &str,
        number: &E164,
        topic: Option<&str>,
    ) -> Result<u64, StoreError> {
        let key = (self.keys().opt_key(business, number), self.keys().brand(business).to_owned());
        let (topic, now_ms) = (topic.map(str::to_owned), self.now_ms());
        self.write(async |conn| revoke(conn, key, topic, (now_ms, now_ms)).await).await
    }

    /// The opt-outs that hold, of one brand or of all, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn opt_outs(
        &self,
        brand: Option<&str>,
        limit: u32,
    ) -> Result<Vec<OptOutView>, StoreError> {
        let mut conn = self.conn().await?;
        let rows = sqlx::query(
            "SELECT brand, topic, via, since_ms, shown, lost_ms FROM opt_out \
             WHERE revoked_ms IS NULL AND brand = COALESCE($1, brand) \
             ORDER BY since_ms DESC, opt_key LIMIT $2",
        )
        .bind(brand.map(str::to_owned))
        .bind(i64::from(limit))
        .fetch_all(&mut *conn)
        .await?;
        let view = |row: &sqlx::any::AnyRow| {
            Ok(OptOutView {
                brand: row.try_get("brand")?,
                topic: row.try_get("topic")?,
                via: row.try_get("via")?,
                since_ms: row.try_get("since_ms")?,
                to_masked: row.try_get("shown")?,
                lost_ms: row.try_get("lost_ms")?,
            })
        };
        rows.iter().map(view).collect()
    }
}

/// Enters one opt-out, unless it is there; whether it was not.
async fn enter(
    conn: &mut AnyConnection,
    (opt_key, brand, topic): (&str, &str, &str),
    (via, shown): (&str, &str),
    since_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO opt_out (opt_key, brand, topic, via, since_ms, shown) \
         SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS (SELECT 1 FROM opt_out \
         WHERE opt_key = $1 AND brand = $2 AND topic = $3 AND revoked_ms IS NULL) \
         ON CONFLICT (opt_key, brand, topic, since_ms) DO UPDATE SET revoked_ms = NULL",
    )
    .bind(opt_key.to_owned())
    .bind(brand.to_owned())
    .bind(topic.to_owned())
    .bind(via.to_owned())
    .bind(since_ms)
    .bind(shown.to_owned())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends the opt-outs of a key and brand that held at `upto_ms`: of a topic, or of any (`None`).
async fn revoke(
    conn: &mut AnyConnection,
    (opt_key, brand): (String, String),
    topic: Option<String>,
    (upto_ms, now_ms): (i64, i64),
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "UPDATE opt_out SET revoked_ms = $3 WHERE opt_key = $1 AND brand = $2 \
         AND topic = COALESCE($4, topic) AND revoked_ms IS NULL AND since_ms <= $5",
    )
    .bind(opt_key)
    .bind(brand)
    .bind(now_ms)
    .bind(topic)
    .bind(upto_ms)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Inserts so many, but those that are there. $1: `via`, $2: now; then key, brand, topic and what is
/// shown of each. Both databases call the columns of `VALUES` so.
fn insert(count: usize) -> String {
    let row = |n: usize| {
        let at = 3 + 4 * n;
        format!("(${at}, ${}, ${}, ${})", at + 1, at + 2, at + 3)
    };
    let rows: Vec<String> = (0..count).map(row).collect();
    format!(
        "INSERT INTO opt_out (opt_key, brand, topic, via, since_ms, shown) \
         SELECT v.column1, v.column2, v.column3, $1, $2, v.column4 FROM (VALUES {}) AS v \
         WHERE NOT EXISTS (SELECT 1 FROM opt_out o WHERE o.opt_key = v.column1 \
         AND o.brand = v.column2 AND o.topic = v.column3 AND o.revoked_ms IS NULL) \
         ON CONFLICT (opt_key, brand, topic, since_ms) DO UPDATE SET revoked_ms = NULL",
        rows.join(", ")
    )
}
