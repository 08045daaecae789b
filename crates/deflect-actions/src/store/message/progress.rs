//! What an attempt and its provider say moves a message on, and forward only.

use std::fmt::Write as _;

use sqlx::{AnyConnection, AssertSqlSafe};

use super::{Learned, Letter, Settle};
use crate::{
    provider::{Channel, Class, Receipt, Reference, State},
    store::{
        Sharing, Store, StoreError,
        event::MESSAGE_STATE,
        receipt::{self, message_of},
        together::{Together, Value, bind, number, text},
    },
    text::Sender,
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
    /// That price is of one part of the text.
    pub price_is_of_part: bool,
    /// News of this attempt only; `None`: of whichever is the last.
    pub try_no: Option<i64>,
}

/// Who is about to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writes<'a> {
    pub sender: &'a str,
    pub provider: &'a str,
    pub channel: Channel,
}

impl<'a> Writes<'a> {
    pub fn by(sender: &'a Sender) -> Self {
        Writes { sender: &sender.name, provider: &sender.provider, channel: sender.channel }
    }
}

impl<'a> News<'a> {
    pub fn of(state: State) -> Self {
        News {
            state,
            class: None,
            code: None,
            provider_id: None,
            segments: None,
            price_micros: None,
            price_is_of_part: false,
            try_no: None,
        }
    }
}

impl<'a> From<&'a Receipt> for News<'a> {
    fn from(receipt: &'a Receipt) -> Self {
        let known = Some(&receipt.provider_id).filter(|id| !id.is_empty());
        News {
            class: receipt.class,
            code: receipt.code.as_deref(),
            provider_id: known.map(String::as_str),
            segments: receipt.segments,
            price_micros: receipt.price_micros,
            price_is_of_part: receipt.price_is_of_part,
            ..News::of(receipt.state)
        }
    }
}

impl Store {
    /// Commits that the next byte of the request may be written; returns the number of the
    /// attempt, `None` when the message is not ours any more.
    pub(crate) async fn writing(
        &self,
        message_id: &str,
        try_no: i64,
        by: Writes<'_>,
    ) -> Result<Option<i64>, StoreError> {
        self.execute(async |conn| {
            let done = sqlx::query(
                "UPDATE message SET write_ms = $2, sender = $3, provider = $4, channel = $5, \
             provider_id = NULL, try_no = try_no + 1 \
             WHERE message_id = $1 AND claimed_by = $6 AND try_no = $7 \
             AND state IN ('claimed','ambiguous')",
            )
            .bind(message_id.to_owned())
            .bind(self.now_ms())
            .bind(by.sender.to_owned())
            .bind(by.provider.to_owned())
            .bind(by.channel.as_str())
            .bind(self.claimer())
            .bind(try_no)
            .execute(&mut *conn)
            .await?;
            Ok((done.rows_affected() == 1).then_some(try_no + 1))
        })
        .await
    }

    /// Nobody waited for [`Self::writing`] after all, and no byte was written, whether it is
    /// committed or not; returns the number of that attempt, `None` when the message is not ours
    /// any more.
    pub(crate) async fn never_wrote(
        &self,
        message_id: &str,
        try_no: i64,
    ) -> Result<Option<i64>, StoreError> {
        self.execute(async |conn| {
            let done = sqlx::query(
                "UPDATE message SET try_no = $2 + 1, \
             write_ms = CASE state WHEN 'claimed' THEN NULL ELSE write_ms END \
             WHERE message_id = $1 AND claimed_by = $3 AND try_no IN ($2, $2 + 1) \
             AND state IN ('claimed','ambiguous')",
            )
            .bind(message_id.to_owned())
            .bind(try_no)
            .bind(self.claimer())
            .execute(&mut *conn)
            .await?;
            Ok((done.rows_affected() == 1).then_some(try_no + 1))
        })
        .await
    }

    /// The attempt failed definitely: nothing was written, or an error answer came.
    pub(crate) async fn not_written(
        &self,
        message_id: &str,
        try_no: i64,
        class: Class,
        code: Option<&str>,
    ) -> Result<(), StoreError> {
        self.write(async |conn| {
            sqlx::query(
                "UPDATE message SET write_ms = NULL, error_class = $2, error_code = $3 \
             WHERE message_id = $1 AND try_no = $4 AND state = 'claimed'",
            )
            .bind(message_id.to_owned())
            .bind(class.as_str())
            .bind(code.map(str::to_owned))
            .bind(try_no)
            .execute(&mut *conn)
            .await?;
            Ok(())
        })
        .await
    }

    /// Takes news in where it is further than what is known; says whether it was.
    pub(crate) async fn take_news(
        &self,
        message_id: &str,
        news: &News<'_>,
    ) -> Result<bool, StoreError> {
        let values = self.values(news, message_id);
        if let (Sharing::Lanes(lanes), false) = (&self.0.sharing, self.is_wanted(MESSAGE_STATE)) {
            return lanes.news.run(self, Learned::of(message_id, news, values)).await;
        }
        let sql = update(news.state, "$1");
        let work = async |conn: &mut AnyConnection| {
            let query = sqlx::query(AssertSqlSafe(sql));
            let done = values.into_iter().fold(query, bind).execute(&mut *conn).await?;
            if done.rows_affected() > 0 {
                self.tell_state(conn, message_id, news.state).await?;
                return Ok(true);
            }
            if let Some(provider_id) = news.provider_id {
                // A receipt overtook the answer: the provider's id is news all the same.
                sqlx::query(
                    "UPDATE message SET provider_id = $2 \
                 WHERE message_id = $1 AND provider_id IS NULL \
                 AND COALESCE($3, try_no) = try_no",
                )
                .bind(message_id.to_owned())
                .bind(provider_id.to_owned())
                .bind(news.try_no)
                .execute(&mut *conn)
                .await?;
            }
            Ok(false)
        };
        // Only what is told of is committed with something else.
        if self.is_wanted(MESSAGE_STATE) {
            self.transaction(work).await
        } else {
            self.execute(work).await
        }
    }

    /// Runs `work`, which changes a message by one statement and tells its state: both are one
    /// commit where somebody is told.
    pub(super) async fn write_told<T>(
        &self,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.is_wanted(MESSAGE_STATE) {
            self.transaction(work).await
        } else {
            self.write(work).await
        }
    }

    /// Keeps a receipt and takes what it says in, both at once; `false`: it says nothing new, or its
    /// message is not known, or somebody is to be told of it.
    pub(crate) async fn settle(
        &self,
        provider: &str,
        receipt: &Receipt,
        reference: Option<Reference<'_>>,
    ) -> Result<bool, StoreError> {
        if self.is_wanted(MESSAGE_STATE) {
            return Ok(false);
        }
        let group = match &self.0.sharing {
            Sharing::Turns(group) => group,
            Sharing::Lanes(lanes) => {
                let now = self.now_ms();
                let times = (now, now + self.raw_number_ms());
                let settle = Settle::of(provider, receipt, reference, times);
                return lanes.receipts.run(self, settle).await;
            }
        };
        let which = [
            text(provider),
            Value::Text(reference.map(|reference| reference.message_id.to_owned())),
            Value::Number(reference.map(|reference| reference.attempt)),
        ];
        let mut together = Together::default();
        let (sql, mut values) = receipt::row(self.now_ms(), provider, None, receipt);
        // Its message comes of the same question; the id is `$3`, of the provider `$12`, now `$9`.
        values.extend(which.clone());
        let of = message_of("$3", ["$12", "$13", "$14"], "$9");
        together.and(&sql.replace("$4", &of), values);
        let mut values = self.values(&News::from(receipt), &receipt.provider_id);
        values.extend(which);
        let sql = update(receipt.state, &message_of("$1", ["$12", "$13", "$14"], "$8"));
        together.and(&sql, values);
        self.write_together(group, together).await
    }

    /// The values of [`update`].
    fn values(&self, news: &News<'_>, id: &str) -> Vec<Value> {
        let now = self.now_ms();
        vec![
            text(id),
            text(news.state.as_str()),
            Value::Text(news.class.map(|class| class.as_str().to_owned())),
            Value::Text(news.code.map(str::to_owned)),
            Value::Text(news.provider_id.map(str::to_owned)),
            Value::Number(news.segments),
            Value::Number(news.price_micros),
            number(now),
            number(now + self.raw_number_ms()),
            Value::Number(news.try_no),
            number(news.price_is_of_part),
        ]
    }

    /// Written and unanswered; asked about at `next_ms`.
    pub(crate) async fn ambiguous(
        &self,
        message_id: &str,
        try_no: i64,
        next_ms: i64,
    ) -> Result<(), StoreError> {
        let work = async |conn: &mut AnyConnection| {
            let done = sqlx::query(
                "UPDATE message SET state = 'ambiguous', next_try_ms = $2 \
                 WHERE message_id = $1 AND try_no = $3 AND state IN ('claimed','ambiguous')",
            )
            .bind(message_id.to_owned())
            .bind(next_ms)
            .bind(try_no)
            .execute(&mut *conn)
            .await?;
            if done.rows_affected() > 0 {
                self.tell_state(conn, message_id, State::Ambiguous).await?;
            }
            Ok(())
        };
        self.write_told(work).await
    }

    /// Back into the queue after a definite failure, or when evidence says that it never
    /// arrived; `false`: it is somebody else's by now, or further.
    pub(crate) async fn requeue(
        &self,
        message_id: &str,
        try_no: i64,
        next_ms: i64,
    ) -> Result<bool, StoreError> {
        self.write(async |conn| {
            let done = sqlx::query(
                "UPDATE message SET state = 'queued', next_try_ms = $2, write_ms = NULL, \
             claimed_by = NULL, lease_until_ms = NULL \
             WHERE message_id = $1 AND try_no = $3 AND state IN ('claimed','ambiguous')",
            )
            .bind(message_id.to_owned())
            .bind(next_ms)
            .bind(try_no)
            .execute(&mut *conn)
            .await?;
            Ok(done.rows_affected() == 1)
        })
        .await
    }

    /// The attempt was taken and failed later: back into the queue for the senders of `letter`.
    /// `false` when it is another attempt's turn, too late, or no failure any more.
    pub(crate) async fn fall_over(
        &self,
        message_id: &str,
        try_no: i64,
        letter: &Letter,
        (class, code): (Class, Option<&str>),
    ) -> Result<bool, StoreError> {
        let plain = serde_json::to_string(letter).map_err(std::io::Error::other)?;
        let body_enc = self.keys().seal().close(message_id, &plain)?;
        self.write(async |conn| {
            let done = sqlx::query(
                "UPDATE message SET state = 'queued', try_no = try_no + 1, next_try_ms = $3, \
             body_enc = $4, error_class = $5, error_code = $6, provider = NULL, \
             provider_id = NULL, write_ms = NULL, claimed_by = NULL, lease_until_ms = NULL, \
             final_ms = NULL, erase_after_ms = NULL \
             WHERE message_id = $1 AND try_no = $2 AND valid_until_ms > $3 \
             AND state IN ('claimed','accepted','sent','ambiguous','unknown')",
            )
            .bind(message_id.to_owned())
            .bind(try_no)
            .bind(self.now_ms())
            .bind(body_enc)
            .bind(class.as_str())
            .bind(code.map(str::to_owned))
            .execute(&mut *conn)
            .await?;
            Ok(done.rows_affected() == 1)
        })
        .await
    }

    /// The letter changed: its one duplicate is used up.
    pub(crate) async fn keep_letter(
        &self,
        message_id: &str,
        letter: &Letter,
    ) -> Result<(), StoreError> {
        let plain = serde_json::to_string(letter).map_err(std::io::Error::other)?;
        let body_enc = self.keys().seal().close(message_id, &plain)?;
        self.write(async |conn| {
            sqlx::query("UPDATE message SET body_enc = $2 WHERE message_id = $1")
                .bind(message_id.to_owned())
                .bind(body_enc)
                .execute(&mut *conn)
                .await?;
            Ok(())
        })
        .await
    }
}

/// The statement that takes news of a message in, where they are further than what is known;
/// `which` is the message's id.
pub(super) fn update(state: State, which: &str) -> String {
    let mut sql = "UPDATE message SET state = $2, error_class = COALESCE($3, error_class), \
         error_code = COALESCE($4, error_code), provider_id = COALESCE($5, provider_id), \
         segments = COALESCE($6, segments)"
        .to_owned();
    // What the answer told of all parts stands; a price that is news counts on all nodes.
    let parts = "COALESCE($6, segments, 1)";
    let price = format!(
        "CASE WHEN $11 = 1 AND {parts} > 1 THEN COALESCE(price_micros, $7 * {parts}) \
         ELSE COALESCE($7, price_micros) END"
    );
    let _ = write!(
        sql,
        ", price_micros = {price}, \
         priced_ms = CASE WHEN {price} <> COALESCE(price_micros, -1) THEN $8 ELSE priced_ms END"
    );
    if state.proves_acceptance() {
        sql.push_str(", accepted_ms = COALESCE(accepted_ms, $8)");
    }
    if let Some(column) = state.column() {
        let _ = write!(sql, ", {column} = COALESCE({column}, $8)");
    }
    if state.is_final() {
        sql.push_str(
            ", final_ms = COALESCE(final_ms, $8), erase_after_ms = COALESCE(erase_after_ms, $9)",
        );
    }
    // Both are always bound, so both are always named.
    let _ = write!(
        sql,
        " WHERE message_id = {which} AND $8 <= $9 AND COALESCE($10, try_no) = try_no \
         AND state IN ({})",
        states(state.follows())
    );
    sql
}

fn states(list: &[State]) -> String {
    let quoted: Vec<_> = list.iter().map(|state| format!("'{}'", state.as_str())).collect();
    quoted.join(",")
}
