//! Messages that callers left: where the sound lies, who has heard it, when it goes.

use serde_json::json;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _, any::AnyRow};

use super::{Event, Store, StoreError};

const DAY_MS: i64 = 86_400_000;
const COLUMNS: &str = "SELECT v.voicemail_id, v.call_id, v.step, v.file, v.length_ms, \
     v.created_ms, v.heard_ms, v.erase_after_ms, c.node_id, c.flow, c.did, c.caller_region \
     FROM voicemail v LEFT JOIN call c ON c.call_id = v.call_id";

/// A message that was just left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoicemailLeft {
    /// UUIDv7.
    pub voicemail_id: String,
    /// The call it was left in.
    pub call_id: String,
    /// The step that took it.
    pub step: String,
    /// Where the sound lies, on this node.
    pub file: String,
    /// How long it is.
    pub length_ms: i64,
    /// Where webhooks fetch the sound, with a token.
    pub sound_url: Option<String>,
}

/// A message that was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoicemailView {
    /// UUIDv7.
    pub voicemail_id: String,
    /// The call it was left in.
    pub call_id: String,
    /// The step that took it.
    pub step: String,
    /// Where the sound lies; `None` once erased.
    pub file: Option<String>,
    /// How long it is.
    pub length_ms: i64,
    /// When it was left.
    pub created_ms: i64,
    /// When somebody said that it was heard.
    pub heard_ms: Option<i64>,
    /// When the sound is erased.
    pub erase_after_ms: Option<i64>,
    /// The node where the sound lies; `None` where the call is not known any more.
    pub node_id: Option<String>,
    /// The flow.
    pub flow: Option<String>,
    /// The number called.
    pub did: Option<String>,
    /// Country of the caller.
    pub caller_region: Option<String>,
}

impl VoicemailLeft {
    /// What the webhooks are told of it.
    fn event(&self, at_ms: i64) -> Event {
        let data = [
            ("voicemail_id", json!(self.voicemail_id)),
            ("call_id", json!(self.call_id)),
            ("step", json!(self.step)),
            ("length_ms", json!(self.length_ms)),
        ];
        let sound = self.sound_url.as_ref().map(|url| ("sound_url", json!(url)));
        let data = data.into_iter().chain(sound).map(|(name, value)| (name.to_owned(), value));
        let subject = self.voicemail_id.clone();
        Event {
            kind: "voicemail.left",
            subject,
            at_ms,
            data: data.collect(),
            text: None,
            from_key: None,
        }
    }
}

impl Store {
    /// Takes a message down whose sound is stored.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_voicemail(&self, left: &VoicemailLeft) -> Result<(), StoreError> {
        let now = self.now_ms();
        let days = i64::from(self.retention().voicemail_days);
        self.transaction(async |conn| {
            sqlx::query(
                "INSERT INTO voicemail (voicemail_id, call_id, step, file, length_ms, \
                 created_ms, erase_after_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(left.voicemail_id.clone())
            .bind(left.call_id.clone())
            .bind(left.step.clone())
            .bind(left.file.clone())
            .bind(left.length_ms)
            .bind(now)
            .bind(now + days * DAY_MS)
            .execute(&mut *conn)
            .await?;
            self.tell_with(conn, &left.event(now)).await
        })
        .await
    }

    /// The newest messages whose sound is there, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn voicemails(&self, limit: u32) -> Result<Vec<VoicemailView>, StoreError> {
        let sql = format!("{COLUMNS} WHERE v.file IS NOT NULL ORDER BY v.created_ms DESC LIMIT $1");
        let mut conn = self.conn().await?;
        let rows =
            sqlx::query(AssertSqlSafe(sql)).bind(i64::from(limit)).fetch_all(&mut *conn).await?;
        rows.iter().map(view).collect()
    }

    /// The message of this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn voicemail(&self, id: &str) -> Result<Option<VoicemailView>, StoreError> {
        let sql = format!("{COLUMNS} WHERE v.voicemail_id = $1");
        let mut conn = self.conn().await?;
        let query = sqlx::query(AssertSqlSafe(sql)).bind(id.to_owned());
        query.fetch_optional(&mut *conn).await?.as_ref().map(view).transpose()
    }

    /// The messages whose id begins so, two at most: enough to know whether it is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn voicemails_like(&self, like: &str) -> Result<Vec<VoicemailView>, StoreError> {
        let sql = format!(
            "{COLUMNS} WHERE v.file IS NOT NULL AND SUBSTR(v.voicemail_id, 1, LENGTH($1)) = $1 \
             ORDER BY v.voicemail_id LIMIT 2"
        );
        let mut conn = self.conn().await?;
        let rows =
            sqlx::query(AssertSqlSafe(sql)).bind(like.to_owned()).fetch_all(&mut *conn).await?;
        rows.iter().map(view).collect()
    }

    /// Somebody has heard it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn voicemail_heard(&self, id: &str) -> Result<(), StoreError> {
        let now = self.now_ms();
        self.write(async |conn| {
            sqlx::query(
                "UPDATE voicemail SET heard_ms = COALESCE(heard_ms, $2) WHERE voicemail_id = $1",
            )
            .bind(id.to_owned())
            .bind(now)
            .execute(&mut *conn)
            .await?;
            Ok(())
        })
        .await
    }

    /// Its sound is to be erased at once, by the node that has it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn erase_voicemail(&self, id: &str) -> Result<(), StoreError> {
        let now = self.now_ms();
        self.write(async |conn| {
            sqlx::query("UPDATE voicemail SET erase_after_ms = $2 WHERE voicemail_id = $1")
                .bind(id.to_owned())
                .bind(now)
                .execute(&mut *conn)
                .await?;
            Ok(())
        })
        .await
    }

    /// Messages whose time has come: id, file, and whether this node wrote it; the sound of another
    /// node is here only where the nodes share their folder.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn voicemails_to_erase(&self) -> Result<Vec<(String, String, bool)>, StoreError> {
        let mut conn = self.conn().await?;
        let rows = sqlx::query(
            "SELECT v.voicemail_id, v.file, CAST(CASE WHEN c.node_id = $2 OR c.node_id IS NULL \
             THEN 1 ELSE 0 END AS BIGINT) FROM voicemail v LEFT JOIN call c \
             ON c.call_id = v.call_id WHERE v.erase_after_ms <= $1 AND v.file IS NOT NULL",
        )
        .bind(self.now_ms())
        .bind(self.node().node_id.clone())
        .fetch_all(&mut *conn)
        .await?;
        let due =
            |row: &AnyRow| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get::<i64, _>(2)? == 1));
        rows.iter().map(due).collect()
    }

    /// The sound of a message is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn voicemail_erased(&self, id: &str) -> Result<(), StoreError> {
        self.write(async |conn| {
            sqlx::query(
                "UPDATE voicemail SET file = NULL, erase_after_ms = NULL WHERE voicemail_id = $1",
            )
            .bind(id.to_owned())
            .execute(&mut *conn)
            .await?;
            Ok(())
        })
        .await
    }
}

/// What the callers of a number left is to be erased; before the number is forgotten.
pub(super) async fn erase_of_number(
    conn: &mut AnyConnection,
    keys: (&str, &str),
    now_ms: i64,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "UPDATE voicemail SET erase_after_ms = $3 WHERE file IS NOT NULL AND call_id IN \
         (SELECT call_id FROM call WHERE caller_key IN ($1, $2))",
    )
    .bind(keys.0.to_owned())
    .bind(keys.1.to_owned())
    .bind(now_ms)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

fn view(row: &AnyRow) -> Result<VoicemailView, StoreError> {
    Ok(VoicemailView {
        voicemail_id: row.try_get("voicemail_id")?,
        call_id: row.try_get("call_id")?,
        step: row.try_get("step")?,
        file: row.try_get("file")?,
        length_ms: row.try_get::<Option<i64>, _>("length_ms")?.unwrap_or(0),
        created_ms: row.try_get("created_ms")?,
        heard_ms: row.try_get("heard_ms")?,
        erase_after_ms: row.try_get("erase_after_ms")?,
        node_id: row.try_get("node_id")?,
        flow: row.try_get("flow")?,
        did: row.try_get("did")?,
        caller_region: row.try_get("caller_region")?,
    })
}
