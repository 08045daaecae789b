//! Whom the digital side may have called back: what is known of the call that led there.

use message_text::E164;
use sqlx::Row as _;

use super::{Store, StoreError, callback};

/// Where and on whose behalf somebody can be called back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The business that was called.
    pub business: String,
    /// The flow of that call.
    pub flow: Option<String>,
    /// The number called.
    pub called: String,
    /// Where the last text of that call went, while that is kept.
    pub number: Option<E164>,
}

impl Store {
    /// When the callback of this id is, or was, due; `None`: there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn callback_due_ms(&self, id: &str) -> Result<Option<i64>, StoreError> {
        let mut conn = self.conn().await?;
        callback::due_ms(&mut conn, id).await
    }

    /// Whether the callback of this id was made, has failed, or was canceled; `None`: there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn callback_is_over(&self, id: &str) -> Result<Option<bool>, StoreError> {
        let mut conn = self.conn().await?;
        let state: Option<String> =
            sqlx::query_scalar("SELECT state FROM callback WHERE callback_id = $1")
                .bind(id.to_owned())
                .fetch_optional(&mut *conn)
                .await?;
        Ok(state.map(|state| !matches!(state.as_str(), "booked" | "claimed" | "calling")))
    }

    /// What a callback is booked by that the person of a call asks for later; `None`: there is no
    /// such call.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reach(&self, call_id: &str) -> Result<Option<Reach>, StoreError> {
        let mut conn = self.conn().await?;
        let call = sqlx::query("SELECT business, flow, did FROM call WHERE call_id = $1")
            .bind(call_id.to_owned())
            .fetch_optional(&mut *conn)
            .await?;
        let Some(call) = call else { return Ok(None) };
        let text = sqlx::query(
            "SELECT message_id, dest_enc FROM message WHERE call_id = $1 \
             AND dest_enc IS NOT NULL ORDER BY created_ms DESC, message_id DESC LIMIT 1",
        )
        .bind(call_id.to_owned())
        .fetch_optional(&mut *conn)
        .await?;
        let number = match text {
            Some(text) => {
                let (id, sealed): (String, String) =
                    (text.try_get("message_id")?, text.try_get("dest_enc")?);
                self.keys().seal().open(&id, &sealed).ok()
            }
            None => None,
        };
        Ok(Some(Reach {
            business: call.try_get("business")?,
            flow: call.try_get("flow")?,
            called: call.try_get::<Option<String>, _>("did")?.unwrap_or_default(),
            number: number.and_then(|number| E164::parse(&number, "").ok()),
        }))
    }
}
