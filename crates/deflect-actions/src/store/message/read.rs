//! What is known of a message, and of earlier ones to the same number.

use std::sync::LazyLock;

use message_text::E164;
use sqlx::{Row, any::AnyRow};

use super::{Letter, Outgoing};
use crate::{
    provider::{Class, State},
    store::{
        LINE_MS, LINE_TYPE, Store, StoreError,
        queries::UNTEXTABLE,
        together::{number, text},
    },
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

/// A text that is about to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewText<'a> {
    pub business: &'a str,
    pub to: &'a E164,
    /// Keys of the number.
    pub dest: (&'a str, &'a str),
    pub topic: &'a str,
    pub purpose: &'a str,
    pub step: &'a str,
    pub call_id: &'a str,
    /// The same text counts from then on.
    pub same_since_ms: i64,
}

/// What speaks against a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Past {
    /// The number wants none.
    pub opted_out: bool,
    /// A provider said that the number takes none.
    pub untextable: bool,
    /// State of the newest message of the same text to it that has not failed.
    pub same: Option<State>,
    /// How many messages failed that would have had the same idempotency key.
    pub failed: i64,
}

// The business of a message is asked last: by its calls nothing is found fast.
static PAST: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT 'opted out' AS what, COUNT(*) AS value, '' AS state FROM opt_out \
         WHERE opt_key = $1 AND brand = $2 AND (topic = '' OR topic = $3) AND revoked_ms IS NULL \
         UNION ALL SELECT 'untextable', COUNT(*), '' FROM message \
         WHERE dest_key IN ($4, $5) AND created_ms >= $6 AND {UNTEXTABLE} \
         UNION ALL SELECT 'untextable', COUNT(*), '' FROM protection \
         WHERE kind = '{LINE_TYPE}' AND scope_key IN ($4, $5) AND n = 0 AND until_ms > $12 \
         UNION ALL SELECT 'failed', COUNT(*), '' FROM message \
         WHERE call_id = $11 AND template = $9 AND dest_key = $4 \
         AND state IN ('failed','undelivered','canceled') \
         UNION ALL SELECT 'same', m.created_ms, m.state FROM message m \
         WHERE m.dest_key IN ($4, $5) AND m.created_ms >= $7 AND m.purpose = $8 \
         AND m.template = $9 AND m.state NOT IN ('failed','undelivered','canceled') \
         AND (SELECT c.business FROM call c WHERE c.call_id = m.call_id) = $10"
    )
});

/// How far a message is, for who wants it sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub state: State,
    pub class: Option<Class>,
    pub valid_until_ms: i64,
    /// How often it was claimed.
    pub attempt: i64,
    /// Its last try.
    pub try_no: i64,
    /// When it is tried next, where that is known.
    pub next_try_ms: Option<i64>,
}

impl Store {
    /// How far a message is.
    pub(crate) async fn standing(&self, message_id: &str) -> Result<Option<Standing>, StoreError> {
        let mut conn = self.conn().await?;
        let row = sqlx::query(
            "SELECT state, error_class, valid_until_ms, CAST(attempt AS BIGINT) AS attempt, \
             CAST(try_no AS BIGINT) AS try_no, next_try_ms FROM message WHERE message_id = $1",
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
        Ok(Some(Standing {
            state,
            class,
            valid_until_ms: row.try_get("valid_until_ms")?,
            attempt: row.try_get("attempt")?,
            try_no: row.try_get("try_no")?,
            next_try_ms: row.try_get("next_try_ms")?,
        }))
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
        let topic = match &letter.topic {
            Some(topic) => topic.clone(),
            None => row.try_get("topic")?,
        };
        Ok(Some(Outgoing {
            message_id: id.to_owned(),
            call_id: row.try_get("call_id")?,
            business: row.try_get("business")?,
            purpose: row.try_get("purpose")?,
            topic,
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

    /// What earlier messages and opt-outs say of a new text; one question, for a caller waits.
    pub(crate) async fn past(&self, new: &NewText<'_>) -> Result<Past, StoreError> {
        let values = vec![
            text(self.keys().opt_key(new.business, new.to)),
            text(self.keys().brand(new.business)),
            text(new.topic),
            text(new.dest.0),
            text(new.dest.1),
            number(self.now_ms() - LINE_MS),
            number(new.same_since_ms),
            text(new.purpose),
            text(new.step),
            text(new.business),
            text(new.call_id),
            number(self.now_ms()),
        ];
        let rows = self.ask(|lanes| &lanes.pasts, &PAST, values).await?;
        let mut past = Past::default();
        let mut newest = i64::MIN;
        for row in &rows {
            let value: i64 = row.try_get("value")?;
            match row.try_get("what")? {
                "opted out" => past.opted_out = value > 0,
                "untextable" => past.untextable |= value > 0,
                "failed" => past.failed = value,
                _ if value >= newest => {
                    newest = value;
                    past.same = State::parse(row.try_get("state")?);
                }
                _ => {}
            }
        }
        Ok(past)
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
