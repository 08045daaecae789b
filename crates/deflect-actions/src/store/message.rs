//! The outbox: a message is a row, committed before a provider sees it, and moves forward only.

use std::{fmt::Write as _, time::Duration};

use message_text::E164;
use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, AssertSqlSafe, Row, any::AnyRow};

use super::{CallStarted, OfferRow, Store, StoreError, db::Dialect, write};
use crate::provider::{Class, State};

/// A message that nobody has seen yet, with all that is committed with it.
#[derive(Debug)]
pub(crate) struct NewMessage<'a> {
    pub message_id: String,
    pub idem_key: String,
    pub call: &'a CallStarted,
    pub offer: Option<&'a OfferRow>,
    pub step: &'a str,
    pub prompt_id: &'a str,
    pub prompt_hash: &'a str,
    pub language: &'a str,
    pub pressed: Option<&'a str>,
    pub purpose: &'a str,
    pub to: &'a E164,
    pub letter: Letter,
    pub encoding: &'a str,
    pub segments: i64,
    pub now_ms: i64,
    pub valid_until_ms: i64,
    pub lease_until_ms: i64,
}

/// What is encrypted in `body_enc`: all that a later attempt needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Letter {
    /// The text as it is sent.
    pub text: String,
    /// Senders, in the order tried.
    pub via: Vec<String>,
    /// One more send after an ambiguous one is allowed, and not used up.
    pub duplicate: bool,
    /// Budget of one attempt, ms.
    pub attempt_ms: u32,
}

/// A message as an attempt needs it.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub message_id: String,
    pub business: String,
    pub to: E164,
    pub letter: Letter,
    pub sender: Option<String>,
    pub attempt: i64,
    pub write_ms: Option<i64>,
    pub created_ms: i64,
    pub valid_until_ms: i64,
}

/// Something learned about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct News<'a> {
    pub state: State,
    pub class: Option<Class>,
    pub code: Option<&'a str>,
    pub provider_id: Option<&'a str>,
    pub segments: Option<i64>,
    pub price_micros: Option<i64>,
}

impl News<'_> {
    pub fn of(state: State) -> Self {
        News {
            state,
            class: None,
            code: None,
            provider_id: None,
            segments: None,
            price_micros: None,
        }
    }
}

impl Store {
    /// Commits call, offer, consent and message together; the message is claimed by us.
    pub(crate) async fn commit_message(&self, new: &NewMessage<'_>) -> Result<(), StoreError> {
        let seal = self.keys().seal();
        let dest_enc = seal.close(&new.message_id, new.to.as_str())?;
        let letter = serde_json::to_string(&new.letter).map_err(std::io::Error::other)?;
        let body_enc = seal.close(&new.message_id, &letter)?;
        let keys = self.keys().caller_keys(&new.call.business, new.to, new.now_ms);
        self.transaction(async |conn| {
            write::call(conn, self.node(), new.call).await?;
            if let Some(offer) = new.offer {
                write::offer_row(conn, offer).await?;
            }
            consent(conn, new, &keys).await?;
            message(conn, new, &keys, dest_enc, body_enc, self.claimer()).await
        })
        .await
    }

    /// Commits that the next byte of the request may be written, by `sender`; `false` when the
    /// message is not ours any more.
    pub(crate) async fn writing(
        &self,
        message_id: &str,
        sender: &str,
        provider: &str,
    ) -> Result<bool, StoreError> {
        let mut conn = self.conn().await?;
        let done = sqlx::query(
            "UPDATE message SET write_ms = $2, sender = $3, provider = $4 \
             WHERE message_id = $1 AND claimed_by = $5 AND state IN ('claimed','ambiguous')",
        )
        .bind(message_id.to_owned())
        .bind(self.now_ms())
        .bind(sender.to_owned())
        .bind(provider.to_owned())
        .bind(self.claimer())
        .execute(&mut *conn)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The attempt failed definitely: nothing was written, or an error answer came.
    pub(crate) async fn not_written(
        &self,
        message_id: &str,
        class: Class,
        code: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut conn = self.conn().await?;
        sqlx::query(
            "UPDATE message SET write_ms = NULL, error_class = $2, error_code = $3 \
             WHERE message_id = $1 AND state = 'claimed'",
        )
        .bind(message_id.to_owned())
        .bind(class.as_str())
        .bind(code.map(str::to_owned))
        .execute(&mut *conn)
        .await?;
        Ok(())
    }

    /// Takes news in where it is further than what is known; says whether it was.
    pub(crate) async fn take_news(
        &self,
        message_id: &str,
        news: &News<'_>,
    ) -> Result<bool, StoreError> {
        let now = self.now_ms();
        let mut sql = "UPDATE message SET state = $2, error_class = COALESCE($3, error_class), \
             error_code = COALESCE($4, error_code), provider_id = COALESCE($5, provider_id), \
             segments = COALESCE($6, segments), price_micros = COALESCE($7, price_micros)"
            .to_owned();
        if news.state.proves_acceptance() {
            sql.push_str(", accepted_ms = COALESCE(accepted_ms, $8)");
        }
        if let Some(column) = news.state.column() {
            let _ = write!(sql, ", {column} = COALESCE({column}, $8)");
        }
        if news.state.is_final() {
            sql.push_str(
                ", final_ms = COALESCE(final_ms, $8), erase_after_ms = COALESCE(erase_after_ms, $9)",
            );
        }
        // Both are always bound, so both are always named.
        let _ = write!(
            sql,
            " WHERE message_id = $1 AND $8 <= $9 AND state IN ({})",
            states(news.state.follows())
        );
        let mut conn = self.conn().await?;
        let done = sqlx::query(AssertSqlSafe(sql))
            .bind(message_id.to_owned())
            .bind(news.state.as_str())
            .bind(news.class.map(Class::as_str))
            .bind(news.code.map(str::to_owned))
            .bind(news.provider_id.map(str::to_owned))
            .bind(news.segments)
            .bind(news.price_micros)
            .bind(now)
            .bind(now + self.raw_number_ms())
            .execute(&mut *conn)
            .await?;
        if done.rows_affected() == 0
            && let Some(provider_id) = news.provider_id
        {
            // A receipt overtook the answer: the provider's id is news all the same.
            sqlx::query(
                "UPDATE message SET provider_id = $2 \
                 WHERE message_id = $1 AND provider_id IS NULL",
            )
            .bind(message_id.to_owned())
            .bind(provider_id.to_owned())
            .execute(&mut *conn)
            .await?;
        }
        Ok(done.rows_affected() > 0)
    }

    /// Written and unanswered; asked about at `next_ms`.
    pub(crate) async fn ambiguous(&self, message_id: &str, next_ms: i64) -> Result<(), StoreError> {
        let mut conn = self.conn().await?;
        sqlx::query(
            "UPDATE message SET state = 'ambiguous', next_try_ms = $2 \
             WHERE message_id = $1 AND state IN ('claimed','ambiguous')",
        )
        .bind(message_id.to_owned())
        .bind(next_ms)
        .execute(&mut *conn)
        .await?;
        Ok(())
    }

    /// Back into the queue after a definite failure, or when evidence says that it never
    /// arrived.
    pub(crate) async fn requeue(&self, message_id: &str, next_ms: i64) -> Result<(), StoreError> {
        let mut conn = self.conn().await?;
        sqlx::query(
            "UPDATE message SET state = 'queued', next_try_ms = $2, write_ms = NULL, \
             claimed_by = NULL, lease_until_ms = NULL \
             WHERE message_id = $1 AND state IN ('claimed','ambiguous')",
        )
        .bind(message_id.to_owned())
        .bind(next_ms)
        .execute(&mut *conn)
        .await?;
        Ok(())
    }

    /// The letter changed: its one duplicate is used up.
    pub(crate) async fn keep_letter(
        &self,
        message_id: &str,
        letter: &Letter,
    ) -> Result<(), StoreError> {
        let plain = serde_json::to_string(letter).map_err(std::io::Error::other)?;
        let body_enc = self.keys().seal().close(message_id, &plain)?;
        let mut conn = self.conn().await?;
        sqlx::query("UPDATE message SET body_enc = $2 WHERE message_id = $1")
            .bind(message_id.to_owned())
            .bind(body_enc)
            .execute(&mut *conn)
            .await?;
        Ok(())
    }

    /// Claims queued messages that are due; several nodes may do so at once.
    pub(crate) async fn claim(&self, lease: Duration, n: i64) -> Result<Vec<String>, StoreError> {
        let sql = match self.0.dialect {
            Dialect::Sqlite => {
                "UPDATE message SET state = 'claimed', claimed_by = $2, lease_until_ms = $3, \
                 attempt = attempt + 1 WHERE message_id IN (SELECT message_id FROM message \
                 WHERE state = 'queued' AND next_try_ms <= $1 ORDER BY next_try_ms LIMIT $4) \
                 AND state = 'queued' RETURNING message_id"
            }
            Dialect::Postgres => {
                "UPDATE message SET state = 'claimed', claimed_by = $2, lease_until_ms = $3, \
                 attempt = attempt + 1 WHERE message_id IN (SELECT message_id FROM message \
                 WHERE state = 'queued' AND next_try_ms <= $1 ORDER BY next_try_ms LIMIT $4 \
                 FOR UPDATE SKIP LOCKED) AND state = 'queued' RETURNING message_id"
            }
        };
        let now = self.now_ms();
        let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX / 4);
        let mut conn = self.conn().await?;
        let rows = sqlx::query(sql)
            .bind(now)
            .bind(self.claimer())
            .bind(now + lease)
            .bind(n)
            .fetch_all(&mut *conn)
            .await?;
        Ok(rows.iter().map(|row| row.try_get("message_id")).collect::<Result<_, _>>()?)
    }

    /// Takes back what dead claimers left: unwritten goes to the queue, written is ambiguous.
    /// A claim is dead when its lease has ended, or when an earlier start of this node made it.
    pub(crate) async fn take_back(&self) -> Result<u64, StoreError> {
        let now = self.now_ms();
        let node = self.node().node_id.clone();
        let done = self
            .transaction(async |conn| {
                let done = sqlx::query(
                    "UPDATE message SET \
                     state = CASE WHEN write_ms IS NULL THEN 'queued' ELSE 'ambiguous' END, \
                     next_try_ms = $1, claimed_by = NULL, lease_until_ms = NULL \
                     WHERE state = 'claimed' AND (lease_until_ms < $1 \
                       OR (claimed_by <> $2 AND SUBSTR(claimed_by, 1, LENGTH($3)) = $3))",
                )
                .bind(now)
                .bind(self.claimer())
                .bind(format!("{node}/"))
                .execute(&mut *conn)
                .await?;
                Ok(done.rows_affected())
            })
            .await?;
        Ok(done)
    }

    /// Ambiguous messages whose provider is to be asked now; the next time is put off by
    /// `again_ms`, so that one node asks.
    pub(crate) async fn unsettled(&self, again_ms: i64) -> Result<Vec<String>, StoreError> {
        let now = self.now_ms();
        let mut conn = self.conn().await?;
        let rows = sqlx::query(
            "UPDATE message SET next_try_ms = $2 WHERE state = 'ambiguous' \
             AND next_try_ms <= $1 RETURNING message_id",
        )
        .bind(now)
        .bind(now + again_ms)
        .fetch_all(&mut *conn)
        .await?;
        Ok(rows.iter().map(|row| row.try_get("message_id")).collect::<Result<_, _>>()?)
    }

    /// Nobody can say what became of it: it stays ambiguous and is not asked about again.
    pub(crate) async fn give_up_asking(&self, message_id: &str) -> Result<(), StoreError> {
        let now = self.now_ms();
        let mut conn = self.conn().await?;
        sqlx::query(
            "UPDATE message SET next_try_ms = NULL, final_ms = $2, erase_after_ms = $3 \
             WHERE message_id = $1 AND state = 'ambiguous'",
        )
        .bind(message_id.to_owned())
        .bind(now)
        .bind(now + self.raw_number_ms())
        .execute(&mut *conn)
        .await?;
        Ok(())
    }

    /// What is past its time: queued ones fail as expired, accepted ones without a receipt for
    /// `silent_ms` become unknown.
    pub(crate) async fn expire(&self, silent_ms: i64) -> Result<(), StoreError> {
        let now = self.now_ms();
        let erase = now + self.raw_number_ms();
        self.transaction(async |conn| {
            sqlx::query(
                "UPDATE message SET state = 'failed', error_class = COALESCE(error_class, \
                 'expired'), failed_ms = $1, final_ms = $1, erase_after_ms = $2 \
                 WHERE state = 'queued' AND valid_until_ms <= $1",
            )
            .bind(now)
            .bind(erase)
            .execute(&mut *conn)
            .await?;
            sqlx::query(
                "UPDATE message SET state = 'unknown', final_ms = $1, erase_after_ms = $2 \
                 WHERE state IN ('accepted','sent') AND accepted_ms <= $3",
            )
            .bind(now)
            .bind(erase)
            .bind(now - silent_ms)
            .execute(&mut *conn)
            .await?;
            Ok(())
        })
        .await
    }

    /// Reads a message; `None` when it is gone, or what is personal in it has been erased.
    pub(crate) async fn outgoing(&self, id: &str) -> Result<Option<Outgoing>, StoreError> {
        let mut conn = self.conn().await?;
        let row = sqlx::query(
            "SELECT c.business, m.dest_enc, m.body_enc, m.sender, m.attempt, \
             m.write_ms, m.created_ms, m.valid_until_ms FROM message m \
             JOIN call c ON c.call_id = m.call_id WHERE m.message_id = $1",
        )
        .bind(id.to_owned())
        .fetch_optional(&mut *conn)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let Some((to, letter)) = self.opened(id, &row)? else { return Ok(None) };
        Ok(Some(Outgoing {
            message_id: id.to_owned(),
            business: row.try_get("business")?,
            to,
            letter,
            sender: row.try_get("sender")?,
            attempt: row.try_get("attempt")?,
            write_ms: row.try_get("write_ms")?,
            created_ms: row.try_get("created_ms")?,
            valid_until_ms: row.try_get("valid_until_ms")?,
        }))
    }

    /// Number and text of a row, where they can still be read.
    pub(super) fn opened(
        &self,
        id: &str,
        row: &AnyRow,
    ) -> Result<Option<(E164, Letter)>, StoreError> {
        let (dest, body): (Option<String>, Option<String>) =
            (row.try_get("dest_enc")?, row.try_get("body_enc")?);
        let open = |sealed: Option<String>| self.keys().seal().open(id, &sealed?).ok();
        let to = open(dest).and_then(|number| number.parse().ok());
        let letter = open(body).and_then(|letter| serde_json::from_str(&letter).ok());
        Ok(to.zip(letter))
    }

    /// How many messages failed that would have had the same idempotency key.
    pub(crate) async fn failed_like(
        &self,
        call_id: &str,
        step: &str,
        dest_key: &str,
    ) -> Result<i64, StoreError> {
        let mut conn = self.conn().await?;
        let row = sqlx::query(
            "SELECT COUNT(*) AS n FROM message m JOIN consent k ON k.consent_id = m.consent_id \
             WHERE m.call_id = $1 AND k.step = $2 AND m.dest_key = $3 \
             AND m.state IN ('failed','undelivered','canceled')",
        )
        .bind(call_id.to_owned())
        .bind(step.to_owned())
        .bind(dest_key.to_owned())
        .fetch_one(&mut *conn)
        .await?;
        Ok(row.try_get("n")?)
    }

    /// State of the newest message of the same text to the same number since `since_ms` that
    /// has not failed.
    pub(crate) async fn same_since(
        &self,
        business: &str,
        step: &str,
        purpose: &str,
        dest: (&str, &str),
        since_ms: i64,
    ) -> Result<Option<State>, StoreError> {
        let mut conn = self.conn().await?;
        let row = sqlx::query(
            "SELECT m.state FROM message m JOIN consent k ON k.consent_id = m.consent_id \
             JOIN call c ON c.call_id = m.call_id WHERE m.dest_key IN ($1, $2) \
             AND m.created_ms >= $3 AND m.purpose = $4 AND k.step = $5 AND c.business = $6 \
             AND m.state NOT IN ('failed','undelivered','canceled') \
             ORDER BY m.created_ms DESC LIMIT 1",
        )
        .bind(dest.0.to_owned())
        .bind(dest.1.to_owned())
        .bind(since_ms)
        .bind(purpose.to_owned())
        .bind(step.to_owned())
        .bind(business.to_owned())
        .fetch_optional(&mut *conn)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(State::parse(&row.try_get::<String, _>("state")?))
    }

    /// Class under which the number was found to take no texts, since `since_ms`.
    pub(crate) async fn found_untextable(
        &self,
        dest: (&str, &str),
        since_ms: i64,
    ) -> Result<bool, StoreError> {
        let mut conn = self.conn().await?;
        let row = sqlx::query(
            "SELECT COUNT(*) AS n FROM message WHERE dest_key IN ($1, $2) AND created_ms >= $3 \
             AND error_class IN ('invalid','not_textable') AND state IN ('failed','undelivered')",
        )
        .bind(dest.0.to_owned())
        .bind(dest.1.to_owned())
        .bind(since_ms)
        .fetch_one(&mut *conn)
        .await?;
        Ok(row.try_get::<i64, _>("n")? > 0)
    }

    /// Where a message is.
    pub(crate) async fn state_of(&self, message_id: &str) -> Result<Option<State>, StoreError> {
        let mut conn = self.conn().await?;
        let row = sqlx::query("SELECT state FROM message WHERE message_id = $1")
            .bind(message_id.to_owned())
            .fetch_optional(&mut *conn)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(State::parse(&row.try_get::<String, _>("state")?))
    }

    /// Whether another message has this provider's id.
    pub(crate) async fn knows_provider_id(
        &self,
        provider: &str,
        provider_id: &str,
        but: &str,
    ) -> Result<bool, StoreError> {
        let mut conn = self.conn().await?;
        let row = sqlx::query(
            "SELECT COUNT(*) AS n FROM message \
             WHERE provider = $1 AND provider_id = $2 AND message_id <> $3",
        )
        .bind(provider.to_owned())
        .bind(provider_id.to_owned())
        .bind(but.to_owned())
        .fetch_one(&mut *conn)
        .await?;
        Ok(row.try_get::<i64, _>("n")? > 0)
    }
}

async fn consent(
    conn: &mut AnyConnection,
    new: &NewMessage<'_>,
    keys: &(String, String),
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO consent (consent_id, call_id, step, prompt_id, prompt_hash, language, \
         pressed, purpose, dest_key, dest_key_prev, at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    // One consent per message: they share the id.
    .bind(new.message_id.clone())
    .bind(new.call.call_id.clone())
    .bind(new.step.to_owned())
    .bind(new.prompt_id.to_owned())
    .bind(new.prompt_hash.to_owned())
    .bind(new.language.to_owned())
    .bind(new.pressed.map(str::to_owned))
    .bind(new.purpose.to_owned())
    .bind(keys.0.clone())
    .bind(keys.1.clone())
    .bind(new.now_ms)
    .execute(conn)
    .await?;
    Ok(())
}

async fn message(
    conn: &mut AnyConnection,
    new: &NewMessage<'_>,
    keys: &(String, String),
    dest_enc: String,
    body_enc: String,
    claimer: String,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO message (message_id, call_id, offer_id, consent_id, idem_key, purpose, \
         channel, dest_key, dest_key_prev, dest_region, dest_enc, body_enc, encoding, segments, \
         state, attempt, claimed_by, lease_until_ms, created_ms, valid_until_ms) \
         VALUES ($1, $2, $3, $1, $4, $5, 'sms', $6, $7, $8, $9, $10, $11, $12, 'claimed', 1, \
         $13, $14, $15, $16)",
    )
    .bind(new.message_id.clone())
    .bind(new.call.call_id.clone())
    .bind(new.offer.map(|offer| offer.offer_id.clone()))
    .bind(new.idem_key.clone())
    .bind(new.purpose.to_owned())
    .bind(keys.0.clone())
    .bind(keys.1.clone())
    .bind(new.to.region().to_owned())
    .bind(dest_enc)
    .bind(body_enc)
    .bind(new.encoding.to_owned())
    .bind(new.segments)
    .bind(claimer)
    .bind(new.lease_until_ms)
    .bind(new.now_ms)
    .bind(new.valid_until_ms)
    .execute(conn)
    .await?;
    Ok(())
}

fn states(list: &[State]) -> String {
    let quoted: Vec<_> = list.iter().map(|state| format!("'{}'", state.as_str())).collect();
    quoted.join(",")
}
