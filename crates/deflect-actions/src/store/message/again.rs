//! A message that an operator has sent again.

use sha2::{Digest, Sha256};

use super::Outgoing;
use crate::store::{Store, StoreError};

impl Store {
    /// A message that waits is due at once; `false`: it waits no more.
    pub(crate) async fn make_due(&self, message_id: &str) -> Result<bool, StoreError> {
        self.write(async |conn| {
            let done = sqlx::query(
                "UPDATE message SET next_try_ms = $2 WHERE message_id = $1 AND state = 'queued'",
            )
            .bind(message_id.to_owned())
            .bind(self.now_ms())
            .execute(&mut *conn)
            .await?;
            Ok(done.rows_affected() == 1)
        })
        .await
    }

    /// The text of a message that failed, as a new one by the same consent; its page leads the
    /// new one's person, too. `false`: it did not fail after all, or was sent again before.
    pub(crate) async fn commit_again(
        &self,
        failed: &Outgoing,
        new_id: &str,
    ) -> Result<bool, StoreError> {
        let (seal, now) = (self.keys().seal(), self.now_ms());
        let dest_enc = seal.close(new_id, failed.to.as_str())?;
        let letter = serde_json::to_string(&failed.letter).map_err(std::io::Error::other)?;
        let body_enc = seal.close(new_id, &letter)?;
        let idem_key = hex::encode(Sha256::digest(format!("{}|again", failed.message_id)));
        self.transaction(async |conn| {
            let done = sqlx::query(
                "INSERT INTO message (message_id, call_id, offer_id, consent_id, idem_key, \
                 purpose, channel, dest_key, dest_key_prev, dest_region, dest_enc, body_enc, \
                 template, encoding, segments, state, attempt, created_ms, valid_until_ms, \
                 next_try_ms) SELECT $2, call_id, offer_id, consent_id, $3, purpose, channel, \
                 dest_key, dest_key_prev, dest_region, $4, $5, template, encoding, segments, \
                 'queued', 0, $6, valid_until_ms, $6 FROM message WHERE message_id = $1 \
                 AND state IN ('failed','undelivered') ON CONFLICT (idem_key) DO NOTHING",
            )
            .bind(failed.message_id.clone())
            .bind(new_id.to_owned())
            .bind(idem_key)
            .bind(dest_enc)
            .bind(body_enc)
            .bind(now)
            .execute(&mut *conn)
            .await?;
            if done.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query("UPDATE link SET message_id = $2 WHERE message_id = $1")
                .bind(failed.message_id.clone())
                .bind(new_id.to_owned())
                .execute(&mut *conn)
                .await?;
            Ok(true)
        })
        .await
    }
}
