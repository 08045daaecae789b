//! What an attempt and its provider say moves a message on, and forward only.

use std::fmt::Write as _;

use sqlx::AssertSqlSafe;

use super::Letter;
use crate::{
    provider::{Class, State},
    store::{Store, StoreError},
};

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
}

fn states(list: &[State]) -> String {
    let quoted: Vec<_> = list.iter().map(|state| format!("'{}'", state.as_str())).collect();
    quoted.join(",")
}
