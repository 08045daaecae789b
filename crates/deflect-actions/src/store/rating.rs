//! The question how it went (EX-15): asked once of a call, on its page or by a text, and answered
//! once.

use message_text::E164;
use sqlx::{AssertSqlSafe, Row as _, any::AnyRow};

use super::{OutcomeRow, Store, StoreError, write};

/// Purpose of the text that asks.
pub(crate) const RATING: &str = "rating";

/// A text that asks, and has not been sent yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// UUIDv7.
    pub message_id: String,
    /// Name of the flow that the call went through.
    pub flow: String,
    /// `after_call.X`.
    pub step: String,
    /// Country of the number it goes to; empty: none.
    pub region: String,
    /// When a link of the call was first opened, ms UTC.
    pub opened_ms: Option<i64>,
    /// When the session behind it was over, ms UTC.
    pub closed_ms: Option<i64>,
    /// Why it is not texted any more: it is answered, or asked on a page.
    pub settled: Option<&'static str>,
}

/// Whether the call `$1` is rated, and whether a page has asked.
const SETTLED: &str = "\
    (SELECT COUNT(*) FROM outcome o WHERE o.call_id = $1 AND o.kind = 'rated') AS rated, \
    (SELECT COUNT(*) FROM link l WHERE l.call_id = $1 AND l.asked_ms IS NOT NULL) AS on_page";

/// What [`SETTLED`] found.
fn settled(row: &AnyRow) -> Result<Option<&'static str>, StoreError> {
    let is_rated = row.try_get::<i64, _>("rated")? > 0;
    let is_asked = row.try_get::<i64, _>("on_page")? > 0;
    Ok(is_rated.then_some("rated").or(is_asked.then_some("asked_on_page")))
}

/// What a rating of 1 (bad) to 5 (good) tells of a call. Stored again under the same
/// `outcome_id` it changes nothing.
#[must_use]
pub fn rating_rows(
    outcome_id: &str,
    call_id: &str,
    rating: i16,
    at_ms: i64,
    source: &str,
) -> Vec<OutcomeRow> {
    let row = |part: &str, kind: &str, csat| OutcomeRow {
        outcome_id: format!("{outcome_id}-{part}"),
        call_id: call_id.to_owned(),
        kind: kind.to_owned(),
        csat,
        at_ms,
        source: source.to_owned(),
    };
    let solved = match rating {
        4.. => Some("resolved"),
        ..=2 => Some("unresolved"),
        _ => None,
    };
    let rated = row("rated", "rated", Some(rating));
    std::iter::once(rated).chain(solved.map(|kind| row("solved", kind, None))).collect()
}

impl Store {
    /// The text of a call that waits for its moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn question(&self, call_id: &str) -> Result<Option<Question>, StoreError> {
        let mut conn = self.conn().await?;
        let sql = format!(
            "SELECT m.message_id, COALESCE(c.flow, '') AS flow, m.template, \
             COALESCE(m.dest_region, '') AS region, \
             (SELECT MIN(l.redeemed_ms) FROM link l WHERE l.call_id = c.call_id) AS opened_ms, \
             (SELECT MIN(o.at_ms) FROM outcome o WHERE o.call_id = c.call_id \
              AND o.kind IN ('closed','resolved','unresolved')) AS closed_ms, {SETTLED} \
             FROM message m JOIN call c ON c.call_id = m.call_id WHERE m.call_id = $1 \
             AND m.purpose = $2 AND m.state = 'queued' AND m.write_ms IS NULL"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(call_id.to_owned()).bind(RATING);
        let row = query.fetch_optional(&mut *conn).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Question {
            message_id: row.try_get("message_id")?,
            flow: row.try_get("flow")?,
            step: row.try_get("template")?,
            region: row.try_get("region")?,
            opened_ms: row.try_get("opened_ms")?,
            closed_ms: row.try_get("closed_ms")?,
            settled: settled(&row)?,
        }))
    }

    /// Calls whose question still waits as it was committed, though somebody was at the link by then
    /// or a page has asked: who was to see to it died, or was there before the question.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn questions_left(&self) -> Result<Vec<String>, StoreError> {
        let mut conn = self.conn().await?;
        // Until its moment is known, a question may be sent within 1 ms.
        let rows = sqlx::query(
            "SELECT m.call_id FROM message m WHERE m.purpose = 'rating' AND m.state = 'queued' \
             AND m.write_ms IS NULL AND m.valid_until_ms <= m.next_try_ms + 1 \
             AND EXISTS (SELECT 1 FROM link l WHERE l.call_id = m.call_id \
               AND l.redeemed_ms IS NOT NULL)",
        )
        .fetch_all(&mut *conn)
        .await?;
        rows.iter().map(|row| Ok(row.try_get("call_id")?)).collect()
    }

    /// A question is sent from `due_ms` on, and not from `until_ms` on; one that is due earlier
    /// stays so.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ask_at(
        &self,
        message_id: &str,
        due_ms: i64,
        until_ms: i64,
    ) -> Result<(), StoreError> {
        self.write(async |conn| {
            sqlx::query(
                "UPDATE message SET next_try_ms = $2, valid_until_ms = $3 WHERE message_id = $1 \
             AND state = 'queued' AND write_ms IS NULL AND next_try_ms > $2",
            )
            .bind(message_id.to_owned())
            .bind(due_ms)
            .bind(until_ms)
            .execute(&mut *conn)
            .await?;
            Ok(())
        })
        .await
    }

    /// The question of a call is not texted any more: it is answered, or asked on a page.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ask_no_more(&self, call_id: &str, why: &str) -> Result<(), StoreError> {
        if let Some(question) = self.question(call_id).await? {
            self.cancel(&question.message_id, why).await?;
        }
        Ok(())
    }

    /// Whether a call has been rated, or a text has asked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_asked(&self, call_id: &str) -> Result<bool, StoreError> {
        let mut conn = self.conn().await?;
        let found = sqlx::query(
            "SELECT 1 AS found FROM outcome WHERE call_id = $1 AND kind = 'rated' \
             UNION ALL SELECT 1 FROM message \
             WHERE call_id = $1 AND purpose = $2 AND write_ms IS NOT NULL",
        )
        .bind(call_id.to_owned())
        .bind(RATING)
        .fetch_optional(&mut *conn)
        .await?;
        Ok(found.is_some())
    }

    /// Why the question of a call is not texted any more; `None`: it may be.
    pub(crate) async fn is_settled(
        &self,
        call_id: &str,
    ) -> Result<Option<&'static str>, StoreError> {
        let mut conn = self.conn().await?;
        let sql = format!("SELECT {SETTLED}");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(call_id.to_owned());
        settled(&query.fetch_one(&mut *conn).await?)
    }

    /// Message and call of the newest question texted to a number since `since_ms`, of one
    /// business or of whichever, that is not answered.
    pub(crate) async fn question_to(
        &self,
        to: &E164,
        of: Option<&str>,
        since_ms: i64,
    ) -> Result<Option<(String, String)>, StoreError> {
        let (now, keys) = (self.now_ms(), self.keys().clone());
        let mut conn = self.conn().await?;
        let mut newest: Option<(i64, (String, String))> = None;
        for business in keys.businesses().filter(|one| of.is_none_or(|of| of == *one)) {
            let (key, previous) = keys.caller_keys(business, to, now);
            let row = sqlx::query(
                "SELECT m.message_id, m.call_id, m.write_ms FROM message m \
                 JOIN call c ON c.call_id = m.call_id \
                 WHERE m.dest_key IN ($1, $2) AND c.business = $3 AND m.purpose = $4 \
                 AND m.write_ms >= $5 AND NOT EXISTS (SELECT 1 FROM outcome o \
                   WHERE o.call_id = m.call_id AND o.kind = 'rated') \
                 ORDER BY m.write_ms DESC LIMIT 1",
            )
            .bind(key)
            .bind(previous)
            .bind(business.to_owned())
            .bind(RATING)
            .bind(since_ms)
            .fetch_optional(&mut *conn)
            .await?;
            let Some(row) = row else { continue };
            let asked_ms: i64 = row.try_get("write_ms")?;
            if newest.as_ref().is_none_or(|(last_ms, _)| asked_ms > *last_ms) {
                newest = Some((asked_ms, (row.try_get("message_id")?, row.try_get("call_id")?)));
            }
        }
        Ok(newest.map(|(_, found)| found))
    }

    /// Stores the answer to a texted question, once.
    pub(crate) async fn rate(
        &self,
        (message_id, call_id): (&str, &str),
        rating: i16,
    ) -> Result<(), StoreError> {
        let rows = rating_rows(message_id, call_id, rating, self.now_ms(), "text");
        self.transaction(async |conn| {
            for row in &rows {
                write::outcome_row(conn, row).await?;
            }
            Ok(())
        })
        .await
    }
}
