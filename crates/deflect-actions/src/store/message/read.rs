//! What is known of a message, and of earlier ones to the same number.

use message_text::E164;
use sqlx::{AssertSqlSafe, Row, any::AnyRow};

use super::{Letter, Outgoing};
use crate::{
    provider::{Class, State},
    store::{Store, StoreError, queries::UNTEXTABLE},
};

/// A text that somebody may be answering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastText {
    pub message_id: String,
    pub call_id: String,
    pub created_ms: i64,
    pub business: String,
    pub language: String,
}

/// How far a message is, for who wants it sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub state: State,
    pub class: Option<Class>,
    pub valid_until_ms: i64,
}

impl Store {
    /// How far a message is.
    pub(crate) async fn standing(&self, message_id: &str) -> Result<Option<Standing>, StoreError> {
        let mut conn = self.conn().await?;
        let row = sqlx::query(
            "SELECT state, error_class, valid_until_ms FROM message WHERE message_id = $1",
        )
        .bind(message_id.to_owned())
        .fetch_optional(&mut *conn)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let Some(state) = State::parse(&row.try_get::<String, _>("state")?) else {
            return Ok(None);
        };
        let class: Option<String> = row.try_get("error_class")?;
        let class = class.as_deref().and_then(Class::parse);
        Ok(Some(Standing { state, class, valid_until_ms: row.try_get("valid_until_ms")? }))
    }

    /// Reads a message; `None` when it is gone, or what is personal in it has been erased.
    pub(crate) async fn outgoing(&self, id: &str) -> Result<Option<Outgoing>, StoreError> {
        let mut conn = self.conn().await?;
        let row = sqlx::query(
            "SELECT m.call_id, c.business, COALESCE(c.intent, '') AS topic, m.purpose, m.dest_enc, \
             m.body_enc, m.sender, m.attempt, m.try_no, m.write_ms, m.created_ms, \
             m.valid_until_ms FROM message m \
             JOIN call c ON c.call_id = m.call_id WHERE m.message_id = $1",
        )
        .bind(id.to_owned())
        .fetch_optional(&mut *conn)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let Some((to, letter)) = self.opened(id, &row)? else { return Ok(None) };
        Ok(Some(Outgoing {
            message_id: id.to_owned(),
            call_id: row.try_get("call_id")?,
            business: row.try_get("business")?,
            purpose: row.try_get("purpose")?,
            topic: row.try_get("topic")?,
            to,
            letter,
            sender: row.try_get("sender")?,
            attempt: row.try_get("attempt")?,
            try_no: row.try_get("try_no")?,
            write_ms: row.try_get("write_ms")?,
            created_ms: row.try_get("created_ms")?,
            valid_until_ms: row.try_get("valid_until_ms")?,
        }))
    }

    /// Number and text of a row, where they can still be read.
    pub(in crate::store) fn opened(
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
            "SELECT COUNT(*) AS n FROM message \
             WHERE call_id = $1 AND template = $2 AND dest_key = $3 \
             AND state IN ('failed','undelivered','canceled')",
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
            "SELECT m.state FROM message m \
             JOIN call c ON c.call_id = m.call_id WHERE m.dest_key IN ($1, $2) \
             AND m.created_ms >= $3 AND m.purpose = $4 AND m.template = $5 AND c.business = $6 \
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

    /// Whether a provider said since `since_ms` that the number takes no texts.
    pub(crate) async fn found_untextable(
        &self,
        dest: (&str, &str),
        since_ms: i64,
    ) -> Result<bool, StoreError> {
        let mut conn = self.conn().await?;
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT COUNT(*) AS n FROM message \
             WHERE dest_key IN ($1, $2) AND created_ms >= $3 AND {UNTEXTABLE}"
        )))
        .bind(dest.0.to_owned())
        .bind(dest.1.to_owned())
        .bind(since_ms)
        .fetch_one(&mut *conn)
        .await?;
        Ok(row.try_get::<i64, _>("n")? > 0)
    }

    /// The newest text to a number, of one business or of whichever.
    pub(crate) async fn last_text_to(
        &self,
        to: &E164,
        of: Option<&str>,
    ) -> Result<Option<LastText>, StoreError> {
        let (now, keys) = (self.now_ms(), self.keys().clone());
        let mut conn = self.conn().await?;
        let mut last: Option<LastText> = None;
        for business in keys.businesses().filter(|one| of.is_none_or(|of| of == *one)) {
            let (key, previous) = keys.caller_keys(business, to, now);
            // Businesses of one brand know a person by the same key.
            let row = sqlx::query(
                "SELECT m.message_id, m.call_id, m.created_ms, k.language FROM message m \
                 JOIN consent k ON k.consent_id = m.consent_id \
                 JOIN call c ON c.call_id = m.call_id \
                 WHERE m.dest_key IN ($1, $2) AND c.business = $3 \
                 ORDER BY m.created_ms DESC LIMIT 1",
            )
            .bind(key)
            .bind(previous)
            .bind(business.to_owned())
            .fetch_optional(&mut *conn)
            .await?;
            let Some(row) = row else { continue };
            let found = LastText {
                message_id: row.try_get("message_id")?,
                call_id: row.try_get("call_id")?,
                created_ms: row.try_get("created_ms")?,
                business: business.to_owned(),
                language: row.try_get("language")?,
            };
            if last.as_ref().is_none_or(|newest| found.created_ms > newest.created_ms) {
                last = Some(found);
            }
        }
        Ok(last)
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
