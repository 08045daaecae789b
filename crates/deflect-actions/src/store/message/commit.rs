//! A new message: committed with its call, offer and consent before a provider sees it.

use message_text::E164;
use sqlx::AnyConnection;

use super::Letter;
use crate::{
    link::NewPage,
    provider::{Channel, State},
    store::{CallStarted, OfferRow, Store, StoreError, link, write},
};

/// A message that nobody has seen yet, with all that is committed with it.
#[derive(Debug)]
pub(crate) struct NewMessage<'a> {
    pub message_id: String,
    pub idem_key: String,
    pub call: &'a CallStarted,
    pub offer: Option<&'a OfferRow>,
    /// The `text` step.
    pub step: &'a str,
    /// The step that was agreed to.
    pub asked_in: &'a str,
    pub prompt_id: &'a str,
    pub prompt_hash: &'a str,
    pub language: &'a str,
    pub pressed: Option<&'a str>,
    pub purpose: &'a str,
    pub to: &'a E164,
    /// That of the first sender; the one that takes it counts.
    pub channel: Channel,
    pub letter: Letter,
    /// The page that its text leads to.
    pub page: Option<&'a NewPage>,
    pub encoding: &'a str,
    pub segments: i64,
    pub now_ms: i64,
    /// When it was agreed to.
    pub agreed_ms: i64,
    pub when: When,
}

/// When a new message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// By us, at once: it is ours until `lease_until_ms`, and worth sending until `until_ms`.
    Now { lease_until_ms: i64, until_ms: i64 },
    /// By whoever claims it from `due_ms` on, and not from `until_ms` on.
    Due { due_ms: i64, until_ms: i64 },
}

impl Store {
    /// Commits call, offer, consent and message together.
    pub(crate) async fn commit_message(&self, new: &NewMessage<'_>) -> Result<(), StoreError> {
        let seal = self.keys().seal();
        let dest_enc = seal.close(&new.message_id, new.to.as_str())?;
        let letter = serde_json::to_string(&new.letter).map_err(std::io::Error::other)?;
        let body_enc = seal.close(&new.message_id, &letter)?;
        let keys = self.keys().caller_keys(&new.call.business, new.to, new.now_ms);
        self.transaction(async |conn| {
            write::call(conn, self.node(), new.call).await?;
            if let Some(offer) = new.offer {
                write::offer_row(conn, offer).await?;
            }
            consent(conn, new, &keys).await?;
            message(conn, new, &keys, dest_enc, body_enc, self.claimer()).await?;
            if let Some(page) = new.page {
                let of = (Some(new.message_id.as_str()), new.call.call_id.as_str());
                link::insert(conn, self, of, page, new.now_ms).await?;
            }
            Ok(())
        })
        .await
    }
}

async fn consent(
    conn: &mut AnyConnection,
    new: &NewMessage<'_>,
    keys: &(String, String),
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO consent (consent_id, call_id, step, prompt_id, prompt_hash, language, \
         pressed, purpose, dest_key, dest_key_prev, at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    // One consent per message: they share the id.
    .bind(new.message_id.clone())
    .bind(new.call.call_id.clone())
    .bind(new.asked_in.to_owned())
    .bind(new.prompt_id.to_owned())
    .bind(new.prompt_hash.to_owned())
    .bind(new.language.to_owned())
    .bind(new.pressed.map(str::to_owned))
    .bind(new.purpose.to_owned())
    .bind(keys.0.clone())
    .bind(keys.1.clone())
    .bind(new.agreed_ms)
    .execute(conn)
    .await?;
    Ok(())
}

async fn message(
    conn: &mut AnyConnection,
    new: &NewMessage<'_>,
    keys: &(String, String),
    dest_enc: String,
    body_enc: String,
    claimer: String,
) -> Result<(), StoreError> {
    let (state, attempt, claimed_by, lease_until_ms, due_ms, until_ms) = match new.when {
        When::Now { lease_until_ms, until_ms } => {
            (State::Claimed, 1, Some(claimer), Some(lease_until_ms), None, until_ms)
        }
        When::Due { due_ms, until_ms } => (State::Queued, 0, None, None, Some(due_ms), until_ms),
    };
    sqlx::query(
        "INSERT INTO message (message_id, call_id, offer_id, consent_id, idem_key, purpose, \
         channel, dest_key, dest_key_prev, dest_region, dest_enc, body_enc, template, encoding, \
         segments, state, attempt, claimed_by, lease_until_ms, created_ms, valid_until_ms, \
         next_try_ms) VALUES ($1, $2, $3, $1, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
         $15, $16, $17, $18, $19, $20, $21)",
    )
    .bind(new.message_id.clone())
    .bind(new.call.call_id.clone())
    .bind(new.offer.map(|offer| offer.offer_id.clone()))
    .bind(new.idem_key.clone())
    .bind(new.purpose.to_owned())
    .bind(new.channel.as_str())
    .bind(keys.0.clone())
    .bind(keys.1.clone())
    .bind(new.to.region().to_owned())
    .bind(dest_enc)
    .bind(body_enc)
    .bind(new.step.to_owned())
    .bind(new.encoding.to_owned())
    .bind(new.segments)
    .bind(state.as_str())
    .bind(attempt)
    .bind(claimed_by)
    .bind(lease_until_ms)
    .bind(new.now_ms)
    .bind(until_ms)
    .bind(due_ms)
    .execute(conn)
    .await?;
    Ok(())
}
