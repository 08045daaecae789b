//! What limits count: texts of the last day, as the outbox has them, so that a restart and
//! another node change nothing.

use sqlx::{AssertSqlSafe, Row, any::AnyRow};
use uuid::Uuid;

use super::{Store, StoreError};

/// The day that limits count, ms.
const DAY_MS: i64 = 86_400_000;

/// A text that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SentText {
    pub charge: Charge,
    /// Who called; `None`: no number came with the call.
    pub caller_key: Option<String>,
    pub dest_key: String,
    /// The number, sealed; `None` where it is erased, or known otherwise.
    pub dest_enc: Option<String>,
    pub line: String,
    /// Country of the number.
    pub region: String,
    /// Name of the token that ordered it; `None`: a caller did.
    pub client: Option<String>,
}

/// What a text costs, as far as is known; that may change after it was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Charge {
    pub message_id: String,
    /// Name of the sender that has or had it.
    pub sender: Option<String>,
    pub segments: i64,
    /// As the provider told it; its sign is the provider's.
    pub price_micros: Option<i64>,
}

impl SentText {
    /// Whether nobody knows who asked for it: a call without a number.
    pub fn is_nobodys(&self) -> bool {
        self.caller_key.is_none() && self.client.is_none()
    }
}

/// Ids of one statement.
const IDS: usize = 64;
const SENT: &str = "SELECT m.message_id, c.caller_key, m.dest_key, m.dest_enc, m.sender, \
    m.price_micros, CAST(COALESCE(m.segments, 1) AS BIGINT) AS segments, \
    COALESCE(c.did, '') AS line, COALESCE(m.dest_region, '') AS region, \
    CASE WHEN c.origin = 'api' THEN c.trunk END AS client \
    FROM message m JOIN call c ON c.call_id = m.call_id";

impl Store {
    /// Texts whose ids were made at `since_ms` or later, but for those of this
    /// start of the node, unless they are wanted too.
    pub(crate) async fn texts_since(
        &self,
        since_ms: i64,
        ours_too: bool,
    ) -> Result<Vec<SentText>, StoreError> {
        let mut conn = self.conn().await?;
        // The ids are in order of time, and the primary key is an index.
        let sql = format!(
            "{SENT} WHERE m.message_id >= $1 \
             AND ($2 = 1 OR c.node_id <> $3 OR c.node_boot <> $4)"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(first_id_of(since_ms))
            .bind(i64::from(ours_too))
            .bind(self.node().node_id.clone())
            .bind(self.node().node_boot.clone())
            .fetch_all(&mut *conn)
            .await?;
        rows.iter().map(sent).collect()
    }

    /// Those of these ids.
    pub(crate) async fn texts_named(&self, ids: &[String]) -> Result<Vec<SentText>, StoreError> {
        let mut texts = Vec::with_capacity(ids.len());
        for ids in ids.chunks(IDS) {
            let Some(last) = ids.last() else { break };
            // One statement, whatever their number: the last one fills it up.
            let sql = format!("{SENT} WHERE m.message_id IN ({})", places(IDS));
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for id in ids.iter().chain(std::iter::repeat(last)).take(IDS) {
                query = query.bind(id.clone());
            }
            let rows = query.fetch_all(&mut *self.conn().await?).await?;
            for row in &rows {
                texts.push(sent(row)?);
            }
        }
        Ok(texts)
    }

    /// All texts whose ids were made at `since_ms` or later, and those of the last day whose provider
    /// told their price since then, with what they cost.
    pub(crate) async fn charges_since(&self, since_ms: i64) -> Result<Vec<Charge>, StoreError> {
        let rows = sqlx::query(
            "SELECT message_id, sender, price_micros, \
             CAST(COALESCE(segments, 1) AS BIGINT) AS segments FROM message \
             WHERE message_id >= $1 OR (priced_ms >= $2 AND message_id >= $3)",
        )
        .bind(first_id_of(since_ms))
        .bind(since_ms)
        .bind(first_id_of(self.now_ms() - DAY_MS))
        .fetch_all(&mut *self.conn().await?)
        .await?;
        rows.iter().map(charge).collect()
    }

    /// How many of at most `N` texts lead over pages of ours, and of how many of those a person
    /// has opened one.
    pub(crate) async fn opened_of<const N: usize>(
        &self,
        messages: Vec<String>,
    ) -> Result<(usize, usize), StoreError> {
        let Some(last) = messages.last().cloned() else { return Ok((0, 0)) };
        // One statement, whatever their number: the last one fills it up.
        let sql = format!(
            "SELECT COUNT(*) AS tracked, COALESCE(SUM(opened), 0) AS opened FROM (SELECT \
             MAX(CASE WHEN first_human_ms IS NULL THEN 0 ELSE 1 END) AS opened FROM link \
             WHERE message_id IN ({}) GROUP BY message_id) AS texts",
            places(N)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for message in messages.into_iter().chain(std::iter::repeat(last)).take(N) {
            query = query.bind(message);
        }
        let mut conn = self.conn().await?;
        let row = query.fetch_one(&mut *conn).await?;
        let count = |name| -> Result<usize, StoreError> {
            Ok(usize::try_from(row.try_get::<i64, _>(name)?).unwrap_or(0))
        };
        Ok((count("tracked")?, count("opened")?))
    }
}

fn sent(row: &AnyRow) -> Result<SentText, StoreError> {
    Ok(SentText {
        charge: charge(row)?,
        caller_key: row.try_get("caller_key")?,
        dest_key: row.try_get("dest_key")?,
        dest_enc: row.try_get("dest_enc")?,
        line: row.try_get("line")?,
        region: row.try_get("region")?,
        client: row.try_get("client")?,
    })
}

fn charge(row: &AnyRow) -> Result<Charge, StoreError> {
    Ok(Charge {
        message_id: row.try_get("message_id")?,
        sender: row.try_get("sender")?,
        segments: row.try_get("segments")?,
        price_micros: row.try_get("price_micros")?,
    })
}

/// The places of so many values.
pub(super) fn places(count: usize) -> String {
    let places: Vec<String> = (1..=count).map(|n| format!("${n}")).collect();
    places.join(",")
}

/// The smallest UUIDv7 of a moment.
pub(crate) fn first_id_of(at_ms: i64) -> String {
    let at = u64::try_from(at_ms.max(0)).unwrap_or(0) & 0xffff_ffff_ffff;
    Uuid::from_u128(u128::from(at) << 80).to_string()
}
