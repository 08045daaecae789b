//! Contacts before a call: who was on a page, came by a link, was helped there.

use message_text::E164;

use super::{Store, StoreError};

/// What a system of the business saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The same for the same event, however often it is told.
    pub contact_id: String,
    /// `visit`: somebody looked at a page; `contact`: somebody came by an entry point.
    pub kind: &'static str,
    /// Where: `help-page`, `app`, `checkout`, …
    pub entry_point: String,
    /// Whose.
    pub business: String,
    /// Who, where that is known.
    pub number: Option<E164>,
    /// When, ms UTC.
    pub at_ms: i64,
    /// When they began to use what they found.
    pub engaged_ms: Option<i64>,
    /// When their question was answered.
    pub solved_ms: Option<i64>,
}

/// What became of a contact afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// The person uses what they found.
    Engaged,
    /// Their question is answered.
    Solved,
}

impl Store {
    /// Keeps a contact, once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_contact(&self, contact: &Contact) -> Result<(), StoreError> {
        let keys = contact
            .number
            .as_ref()
            .map(|number| self.keys().caller_keys(&contact.business, number, self.now_ms()))
            .unzip();
        self.write(async |conn| {
            sqlx::query(
                "INSERT INTO precall_contact (contact_id, kind, entry_point, business, caller_key, \
             caller_key_prev, at_ms, engaged_ms, solved_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (contact_id) DO NOTHING",
            )
            .bind(contact.contact_id.clone())
            .bind(contact.kind)
            .bind(contact.entry_point.clone())
            .bind(contact.business.clone())
            .bind(keys.0)
            .bind(keys.1)
            .bind(contact.at_ms)
            .bind(contact.engaged_ms)
            .bind(contact.solved_ms)
            .execute(&mut *conn)
            .await?;
            Ok(())
        })
        .await
    }

    /// Notes what became of a contact; `false`: there is none of that id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contact_became(
        &self,
        contact_id: &str,
        became: Became,
        at_ms: i64,
    ) -> Result<bool, StoreError> {
        let sql = match became {
            Became::Engaged => {
                "UPDATE precall_contact SET engaged_ms = COALESCE(engaged_ms, $2) \
                 WHERE contact_id = $1"
            }
            // Who was helped has used it.
            Became::Solved => {
                "UPDATE precall_contact SET engaged_ms = COALESCE(engaged_ms, $2), \
                 solved_ms = COALESCE(solved_ms, $2) WHERE contact_id = $1"
            }
        };
        self.write(async |conn| {
            let done = sqlx::query(sql)
                .bind(contact_id.to_owned())
                .bind(at_ms)
                .execute(&mut *conn)
                .await?;
            Ok(done.rows_affected() == 1)
        })
        .await
    }

    /// The message that was ordered by this key before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ordered_before(&self, idem_key: &str) -> Result<Option<String>, StoreError> {
        let mut conn = self.conn().await?;
        let id = sqlx::query_scalar("SELECT message_id FROM message WHERE idem_key = $1")
            .bind(idem_key.to_owned())
            .fetch_optional(&mut *conn)
            .await?;
        Ok(id)
    }
}
