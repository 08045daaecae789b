//! Receipts as they came, without numbers and bodies.

use std::sync::atomic::Ordering;

use message_text::E164;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use uuid::Uuid;

use super::{
    Store, StoreError,
    together::{Value, bind, number, text},
};
use crate::provider::{Class, Receipt, Reference, State};

/// A receipt that overtakes the answer is matched with it within this time (requirements §4.9), ms.
const EARLY_MS: i64 = 10 * 60_000;
/// No receipt is of a message that was sent longer ago, ms: a centre may begin its ids anew, and no provider waits for
/// longer than a week before it gives up.
const OLDEST_MS: i64 = 8 * 86_400_000;

/// The newest message of a provider's id; or that of an id, where `attempt` is its last and the
/// provider's id of that is not known yet. `now`: when it is asked, ms.
pub(super) fn message_of(id: &str, [provider, message, attempt]: [&str; 3], now: &str) -> String {
    let found = found(id, [provider, message, attempt], now);
    format!("(SELECT message_id FROM ({found}) AS found ORDER BY message_id DESC LIMIT 1)")
}

/// Two questions, each with an index: one with OR looks at all messages of the provider.
fn found(id: &str, [provider, message, attempt]: [&str; 3], now: &str) -> String {
    format!(
        "SELECT message_id, try_no FROM message WHERE provider = {provider} \
         AND provider_id = {id} \
         AND COALESCE(write_ms, accepted_ms, created_ms) + {OLDEST_MS} >= {now} \
         UNION ALL SELECT message_id, try_no FROM message WHERE message_id = {message} \
         AND provider = {provider} AND try_no = {attempt} AND provider_id IS NULL"
    )
}

/// The same for the same receipt.
pub(super) fn dedup_key(provider: &str, receipt: &Receipt) -> String {
    format!("{provider}|{}|{}", receipt.provider_id, receipt.state.as_str())
}

/// The columns of a receipt.
pub(super) const COLUMNS: &str = "receipt_id, provider, provider_id, message_id, dedup_key, state, \
     error_class, error_code, received_ms, segments, price_micros";

/// The values of [`COLUMNS`].
pub(super) fn values(
    now_ms: i64,
    provider: &str,
    message_id: Option<&str>,
    receipt: &Receipt,
) -> Vec<Value> {
    vec![
        text(Uuid::now_v7().to_string()),
        text(provider),
        text(&receipt.provider_id),
        Value::Text(message_id.map(str::to_owned)),
        text(dedup_key(provider, receipt)),
        text(receipt.state.as_str()),
        Value::Text(receipt.class.map(|class| class.as_str().to_owned())),
        Value::Text(receipt.code.clone()),
        number(now_ms),
        Value::Number(receipt.segments),
        Value::Number(receipt.price_micros),
    ]
}

/// The statement that keeps a receipt, once; `$3` is the provider's id, `$4` the message.
pub(super) fn row(
    now_ms: i64,
    provider: &str,
    message_id: Option<&str>,
    receipt: &Receipt,
) -> (String, Vec<Value>) {
    let sql = format!(
        "INSERT INTO receipt ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
         ON CONFLICT (dedup_key) DO NOTHING"
    );
    (sql, values(now_ms, provider, message_id, receipt))
}

impl Store {
    /// Keeps a receipt; `false` when it came before.
    pub(crate) async fn keep_receipt(
        &self,
        provider: &str,
        message_id: Option<&str>,
        receipt: &Receipt,
    ) -> Result<bool, StoreError> {
        if message_id.is_none() {
            self.0.strays.store(true, Ordering::Relaxed);
        }
        let (sql, values) = row(self.now_ms(), provider, message_id, receipt);
        self.execute(async |conn| {
            let done = values
                .into_iter()
                .fold(sqlx::query(AssertSqlSafe(sql)), bind)
                .execute(&mut *conn)
                .await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    /// The newest message, and the number of its last attempt, of a provider's id, or the one whose
    /// last attempt `reference` names, where the provider's id of that is not known yet.
    pub(crate) async fn message_of(
        &self,
        provider: &str,
        provider_id: &str,
        reference: Option<Reference<'_>>,
    ) -> Result<Option<(String, i64)>, StoreError> {
        let mut conn = self.conn().await?;
        let found = found("$2", ["$1", "$3", "$4"], "$5");
        let sql = format!(
            "SELECT message_id, try_no FROM ({found}) AS found ORDER BY message_id DESC LIMIT 1"
        );
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(provider.to_owned())
            .bind(provider_id.to_owned())
            .bind(reference.map(|reference| reference.message_id.to_owned()))
            .bind(reference.map(|reference| reference.attempt))
            .bind(self.now_ms())
            .fetch_optional(&mut *conn)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some((row.try_get("message_id")?, row.try_get("try_no")?)))
    }

    /// Whether this start has kept a receipt of which nobody knew whose it is.
    pub(crate) fn has_strays(&self) -> bool {
        self.0.strays.load(Ordering::Relaxed)
    }

    /// Receipts that came before their message's id was known.
    pub(crate) async fn early_receipts(
        &self,
        provider: &str,
        provider_id: &str,
    ) -> Result<Vec<Receipt>, StoreError> {
        let mut conn = self.conn().await?;
        let rows = sqlx::query(
            "SELECT state, error_class, error_code, CAST(segments AS BIGINT) AS segments, \
             price_micros FROM receipt WHERE provider = $1 AND provider_id = $2 \
             AND message_id IS NULL AND received_ms >= $3 ORDER BY received_ms",
        )
        .bind(provider.to_owned())
        .bind(provider_id.to_owned())
        .bind(self.now_ms() - EARLY_MS)
        .fetch_all(&mut *conn)
        .await?;
        let mut receipts = Vec::new();
        for row in rows {
            let Some(state) = State::parse(&row.try_get::<String, _>("state")?) else { continue };
            let class: Option<String> = row.try_get("error_class")?;
            receipts.push(Receipt {
                class: class.as_deref().and_then(Class::parse),
                code: row.try_get("error_code")?,
                segments: row.try_get("segments")?,
                price_micros: row.try_get("price_micros")?,
                ..Receipt::of(provider_id, state)
            });
        }
        Ok(receipts)
    }

    /// Notes something that happened to a message, once: `false` when it was noted before.
    pub(crate) async fn note_once(
        &self,
        conn: &mut AnyConnection,
        provider: &str,
        message_id: Option<&str>,
        (key, state): (&str, &str),
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO receipt (receipt_id, provider, message_id, dedup_key, state, \
             received_ms) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (dedup_key) DO NOTHING",
        )
        .bind(Uuid::now_v7().to_string())
        .bind(provider.to_owned())
        .bind(message_id.map(str::to_owned))
        .bind(key.to_owned())
        .bind(state.to_owned())
        .bind(self.now_ms())
        .execute(conn)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Whether a person wrote to us by a provider since `since_ms`.
    pub(crate) async fn wrote_since(
        &self,
        provider: &str,
        business: &str,
        who: &E164,
        since_ms: i64,
    ) -> Result<bool, StoreError> {
        let keys = self.keys().caller_keys(business, who, self.now_ms());
        let mut conn = self.conn().await?;
        let found = sqlx::query(
            "SELECT 1 FROM receipt r JOIN message m ON m.message_id = r.message_id \
             WHERE m.dest_key IN ($1, $2) AND r.provider = $3 AND r.state = 'received' \
             AND r.received_ms >= $4 LIMIT 1",
        )
        .bind(keys.0)
        .bind(keys.1)
        .bind(provider.to_owned())
        .bind(since_ms)
        .fetch_optional(&mut *conn)
        .await?;
        Ok(found.is_some())
    }
}
