//! A person is forgotten.

use message_text::E164;
use sqlx::{AnyConnection, Row as _};

use super::{Store, StoreError, callback, voicemail};
use crate::provider::State;

/// What a number was found in, and was taken out of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Calls that nobody can be told to be of the same person any more.
    pub calls: u64,
    /// Messages whose number and text are gone; those not sent yet never will be.
    pub messages: u64,
    /// Pages of links whose content is gone.
    pub links: u64,
    /// Callbacks whose number is gone; booked ones are canceled.
    pub callbacks: u64,
    /// Messages of callers whose sound is erased at the next look, within the minute.
    pub voicemails: u64,
    /// Contacts before a call.
    pub contacts: u64,
    /// Texts of theirs that no webhook has taken yet.
    pub events: u64,
}

impl Store {
    /// Blanks what is known of `number` at a business under the keys of the live epochs. Its
    /// opt-out stays: it is kept under a hash, and nothing else of it can be read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn erase_number(&self, business: &str, number: &E164) -> Result<Erased, StoreError> {
        let now = self.now_ms();
        let (key, previous) = self.keys().caller_keys(business, number, now);
        let keys = (key.as_str(), previous.as_str());
        let opt_key = self.keys().opt_key(business, number);
        self.transaction(async |conn| {
            self.cancel_queued(conn, keys, now).await?;
            let mut done = async |sql: &'static str| {
                let query = sqlx::query(sql).bind(keys.0.to_owned()).bind(keys.1.to_owned());
                let query = if sql.contains("$3") { query.bind(now) } else { query };
                Ok::<_, StoreError>(query.execute(&mut *conn).await?.rows_affected())
            };
            let links = done(LINKS).await?;
            done(FOLLOW_UPS).await?;
            done(OFFERS).await?;
            done(PROTECTIONS).await?;
            let messages = done(MESSAGES).await?;
            done(CONSENTS).await?;
            done(LIMITS).await?;
            let contacts = done(CONTACTS).await?;
            let events = done(EVENTS).await?;
            sqlx::query(PREFIXES)
                .bind(keys.0.to_owned())
                .bind(keys.1.to_owned())
                .bind(number.as_str().to_owned())
                .execute(&mut *conn)
                .await?;
            for sql in SHOWN {
                sqlx::query(sql).bind(opt_key.clone()).execute(&mut *conn).await?;
            }
            let voicemails = voicemail::erase_of_number(conn, keys, now).await?;
            let callbacks = callback::forget_number(conn, keys, now).await?;
            // Last: what callers left is found by their calls.
            let calls = sqlx::query(CALLS)
                .bind(keys.0.to_owned())
                .bind(keys.1.to_owned())
                .execute(&mut *conn)
                .await?
                .rows_affected();
            Ok(Erased { calls, messages, links, callbacks, voicemails, contacts, events })
        })
        .await
    }

    /// What waits to be sent never will be.
    async fn cancel_queued(
        &self,
        conn: &mut AnyConnection,
        keys: (&str, &str),
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let canceled = sqlx::query(QUEUED)
            .bind(keys.0.to_owned())
            .bind(keys.1.to_owned())
            .bind(now_ms)
            .fetch_all(&mut *conn)
            .await?;
        for row in &canceled {
            let id: String = row.try_get("message_id")?;
            self.tell_state(conn, &id, State::Canceled).await?;
        }
        Ok(())
    }
}

const LINKS: &str = "UPDATE link SET context_ref = NULL WHERE context_ref IS NOT NULL \
     AND (message_id IN (SELECT message_id FROM message WHERE dest_key IN ($1, $2)) \
     OR (message_id IS NULL AND call_id IN (SELECT call_id FROM call WHERE caller_key IN ($1, $2))))";
const QUEUED: &str = "UPDATE message SET state = 'canceled', error_class = 'erased', \
     final_ms = $3 WHERE dest_key IN ($1, $2) AND state = 'queued' RETURNING message_id";
const FOLLOW_UPS: &str = "DELETE FROM follow_up WHERE dest_key IN ($1, $2)";
const OFFERS: &str = "UPDATE remote_offer SET question_enc = NULL WHERE offer_id IN \
     (SELECT call_id FROM call WHERE caller_key IN ($1, $2))";
const PROTECTIONS: &str = "DELETE FROM protection WHERE scope_key IN ($1, $2)";
const MESSAGES: &str = "UPDATE message SET dest_enc = NULL, body_enc = NULL, dest_key = '', \
     dest_key_prev = NULL WHERE dest_key IN ($1, $2)";
const CONSENTS: &str =
    "UPDATE consent SET dest_key = '', dest_key_prev = NULL WHERE dest_key IN ($1, $2)";
const LIMITS: &str = "UPDATE limit_hit SET scope_key = NULL WHERE scope IN ('caller','destination') AND scope_key IN ($1, $2)";
/// What numbers begin like it says of nobody else that it was theirs; and one that names more digits
/// than a setting may is of an earlier release.
const PREFIXES: &str = "UPDATE limit_hit SET scope_key = NULL WHERE scope = 'prefix' \
     AND scope_key = SUBSTR($3, 1, LENGTH(scope_key)) AND (LENGTH(scope_key) > 9 \
     OR call_id IN (SELECT call_id FROM call WHERE caller_key IN ($1, $2)))";
const CONTACTS: &str = "UPDATE precall_contact SET caller_key = NULL, caller_key_prev = NULL \
     WHERE caller_key IN ($1, $2)";
/// In the list, and in what is being put into it.
const SHOWN: [&str; 2] = [
    "UPDATE opt_out SET shown = NULL WHERE opt_key = $1",
    "UPDATE opt_out_staged SET shown = '' WHERE opt_key = $1",
];
const EVENTS: &str = "DELETE FROM event WHERE caller_key IN ($1, $2)";
const CALLS: &str =
    "UPDATE call SET caller_key = NULL, caller_key_prev = NULL WHERE caller_key IN ($1, $2)";
