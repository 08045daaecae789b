//! Messages as an operator sees them.

use sqlx::{Row, any::AnyRow};

use super::{Store, StoreError};

/// A message with what can still be read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageView {
    /// Its id.
    pub message_id: String,
    /// The call it was asked for in.
    pub call_id: String,
    /// `queued`, `accepted`, …
    pub state: String,
    /// Name of the sender that has it.
    pub sender: Option<String>,
    /// Name of the provider.
    pub provider: Option<String>,
    /// The provider's id.
    pub provider_id: Option<String>,
    /// Country and last two digits; `None` once erased.
    pub to_masked: Option<String>,
    /// The number; `None` once erased. Only for the sandbox's inbox, which shows what a phone
    /// would.
    pub to: Option<String>,
    /// The text; `None` once erased.
    pub text: Option<String>,
    /// `gsm7`, `ucs2`.
    pub encoding: Option<String>,
    /// Parts of the text.
    pub segments: Option<i64>,
    /// Attempts so far.
    pub attempt: i64,
    /// Why the last attempt failed.
    pub error_class: Option<String>,
    /// The provider's code for it.
    pub error_code: Option<String>,
    /// When it was committed.
    pub created_ms: i64,
    /// When a provider had it.
    pub accepted_ms: Option<i64>,
    /// When it was delivered.
    pub delivered_ms: Option<i64>,
}

/// A receipt of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptView {
    /// What it says: `sent`, `delivered`, …
    pub state: String,
    /// Why it failed, where it says so.
    pub error_class: Option<String>,
    /// The provider's code for it.
    pub error_code: Option<String>,
    /// When it came, ms UTC.
    pub received_ms: i64,
}

/// All that an operator may know of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageDetail {
    /// As in a list.
    pub view: MessageView,
    /// `link`, `follow_up`, or what the step names.
    pub purpose: String,
    /// The step that sent it.
    pub step: Option<String>,
    /// Where the person agreed to it, and by which key.
    pub asked_in: String,
    /// The key.
    pub pressed: Option<String>,
    /// `sms`, `whatsapp`.
    pub channel: String,
    /// What it cost, in millionths: by the sender's price, until the provider tells.
    pub price_micros: Option<i64>,
    /// When it is tried, or asked about, next.
    pub next_try_ms: Option<i64>,
    /// From then on it is not worth sending.
    pub valid_until_ms: i64,
    /// When a person first opened its page.
    pub opened_ms: Option<i64>,
    /// Receipts, in the order they came.
    pub receipts: Vec<ReceiptView>,
}

const COLUMNS: &str = "SELECT m.message_id, m.call_id, m.state, m.sender, m.provider, \
    m.provider_id, m.dest_enc, m.body_enc, m.encoding, m.segments, m.attempt, m.error_class, \
    m.error_code, m.created_ms, m.accepted_ms, m.delivered_ms FROM message m ";

impl Store {
    /// The newest messages, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn messages(&self, limit: u32) -> Result<Vec<MessageView>, StoreError> {
        self.views("ORDER BY m.created_ms DESC, m.message_id DESC LIMIT $1", i64::from(limit)).await
    }

    /// The newest messages that `provider` has, newest first: the sandbox's inbox.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn inbox(&self, provider: &str, limit: u32) -> Result<Vec<MessageView>, StoreError> {
        let sql = format!(
            "{COLUMNS} WHERE m.provider = $1 AND m.accepted_ms IS NOT NULL \
             ORDER BY m.accepted_ms DESC, m.message_id DESC LIMIT $2"
        );
        let mut conn = self.conn().await?;
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(provider.to_owned())
            .bind(i64::from(limit))
            .fetch_all(&mut *conn)
            .await?;
        rows.iter().map(|row| self.view(row)).collect()
    }

    /// Ids of messages that begin with `like`, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn messages_like(&self, like: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let mut conn = self.conn().await?;
        let ids = sqlx::query_scalar(
            "SELECT message_id FROM message WHERE SUBSTR(message_id, 1, LENGTH($1)) = $1 \
             ORDER BY message_id DESC LIMIT $2",
        )
        .bind(like.to_owned())
        .bind(i64::from(limit))
        .fetch_all(&mut *conn)
        .await?;
        Ok(ids)
    }

    /// All of the message of this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn message_detail(&self, id: &str) -> Result<Option<MessageDetail>, StoreError> {
        let Some(view) = self.message_with(id).await? else { return Ok(None) };
        let mut conn = self.conn().await?;
        let row = sqlx::query(
            "SELECT m.purpose, m.template, m.channel, m.price_micros, m.next_try_ms, \
             m.valid_until_ms, k.step AS asked_in, k.pressed, \
             (SELECT MIN(l.first_human_ms) FROM link l WHERE l.message_id = m.message_id) \
             AS opened_ms FROM message m JOIN consent k ON k.consent_id = m.consent_id \
             WHERE m.message_id = $1",
        )
        .bind(id.to_owned())
        .fetch_one(&mut *conn)
        .await?;
        let receipts = sqlx::query(
            "SELECT state, error_class, error_code, received_ms FROM receipt \
             WHERE message_id = $1 ORDER BY received_ms, receipt_id",
        )
        .bind(id.to_owned())
        .fetch_all(&mut *conn)
        .await?;
        Ok(Some(MessageDetail {
            view,
            purpose: row.try_get("purpose")?,
            step: row.try_get("template")?,
            asked_in: row.try_get("asked_in")?,
            pressed: row.try_get("pressed")?,
            channel: row.try_get("channel")?,
            price_micros: row.try_get("price_micros")?,
            next_try_ms: row.try_get("next_try_ms")?,
            valid_until_ms: row.try_get("valid_until_ms")?,
            opened_ms: row.try_get("opened_ms")?,
            receipts: receipts.iter().map(receipt).collect::<Result<_, _>>()?,
        }))
    }

    /// The message of this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn message_with(&self, id: &str) -> Result<Option<MessageView>, StoreError> {
        let found = self.views("WHERE m.message_id = $1", id.to_owned()).await?;
        Ok(found.into_iter().next())
    }

    /// Id of the newest message of a call.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_message_of(&self, call_id: &str) -> Result<Option<String>, StoreError> {
        let mut conn = self.conn().await?;
        let id = sqlx::query_scalar(
            "SELECT message_id FROM message WHERE call_id = $1 ORDER BY created_ms DESC LIMIT 1",
        )
        .bind(call_id.to_owned())
        .fetch_optional(&mut *conn)
        .await?;
        Ok(id)
    }

    /// The messages of a call, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn messages_of(&self, call_id: &str) -> Result<Vec<MessageView>, StoreError> {
        self.views("WHERE m.call_id = $1 ORDER BY m.created_ms", call_id.to_owned()).await
    }

    async fn views<T>(&self, rest: &str, value: T) -> Result<Vec<MessageView>, StoreError>
    where
        T: for<'q> sqlx::Encode<'q, sqlx::Any> + sqlx::Type<sqlx::Any>,
    {
        let mut conn = self.conn().await?;
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} {rest}")))
            .bind(value)
            .fetch_all(&mut *conn)
            .await?;
        rows.iter().map(|row| self.view(row)).collect()
    }

    fn view(&self, row: &AnyRow) -> Result<MessageView, StoreError> {
        let message_id: String = row.try_get("message_id")?;
        let (to, letter) = self.opened(&message_id, row)?.unzip();
        Ok(MessageView {
            to_masked: to.as_ref().map(message_text::E164::masked),
            to: to.map(|to| to.to_string()),
            text: letter.map(|letter| letter.text),
            message_id,
            call_id: row.try_get("call_id")?,
            state: row.try_get("state")?,
            sender: row.try_get("sender")?,
            provider: row.try_get("provider")?,
            provider_id: row.try_get("provider_id")?,
            encoding: row.try_get("encoding")?,
            segments: row.try_get("segments")?,
            attempt: row.try_get("attempt")?,
            error_class: row.try_get("error_class")?,
            error_code: row.try_get("error_code")?,
            created_ms: row.try_get("created_ms")?,
            accepted_ms: row.try_get("accepted_ms")?,
            delivered_ms: row.try_get("delivered_ms")?,
        })
    }
}

fn receipt(row: &AnyRow) -> Result<ReceiptView, StoreError> {
    Ok(ReceiptView {
        state: row.try_get("state")?,
        error_class: row.try_get("error_class")?,
        error_code: row.try_get("error_code")?,
        received_ms: row.try_get("received_ms")?,
    })
}
