//! A new message: committed with its call, offer and consent before a provider sees it.

use message_text::E164;

use super::Letter;
use crate::{
    link::NewPage,
    provider::{Channel, State},
    store::{
        CallStarted, OfferRow, Store, StoreError, link,
        together::{Together, Value, number, text},
        write,
    },
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
        let mut together = Together::default();
        write::call(&mut together, self.node(), new.call);
        if let Some(offer) = new.offer {
            write::offer_row(&mut together, offer);
        }
        consent(&mut together, new, &keys);
        message(&mut together, new, keys, (dest_enc, body_enc), self.claimer());
        if let Some(page) = new.page {
            let of = (Some(new.message_id.as_str()), new.call.call_id.as_str());
            link::insert(&mut together, self, of, page, new.now_ms)?;
        }
        self.write_together(together).await?;
        Ok(())
    }
}

fn consent(together: &mut Together, new: &NewMessage<'_>, keys: &(String, String)) {
    together.and(
        "INSERT INTO consent (consent_id, call_id, step, prompt_id, prompt_hash, language, \
         pressed, purpose, dest_key, dest_key_prev, at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        vec![
            // One consent per message: they share the id.
            text(&new.message_id),
            text(&new.call.call_id),
            text(new.asked_in),
            text(new.prompt_id),
            text(new.prompt_hash),
            text(new.language),
            Value::Text(new.pressed.map(str::to_owned)),
            text(new.purpose),
            text(&keys.0),
            text(&keys.1),
            number(new.agreed_ms),
        ],
    );
}

fn message(
    together: &mut Together,
    new: &NewMessage<'_>,
    keys: (String, String),
    (dest_enc, body_enc): (String, String),
    claimer: String,
) {
    let (state, attempt, claimed_by, lease_until_ms, due_ms, until_ms) = match new.when {
        When::Now { lease_until_ms, until_ms } => {
            (State::Claimed, 1, Some(claimer), Some(lease_until_ms), None, until_ms)
        }
        When::Due { due_ms, until_ms } => (State::Queued, 0, None, None, Some(due_ms), until_ms),
    };
    together.and(
        "INSERT INTO message (message_id, call_id, offer_id, consent_id, idem_key, purpose, \
         channel, dest_key, dest_key_prev, dest_region, dest_enc, body_enc, template, encoding, \
         segments, state, attempt, claimed_by, lease_until_ms, created_ms, valid_until_ms, \
         next_try_ms) VALUES ($1, $2, $3, $1, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
         $15, $16, $17, $18, $19, $20, $21)",
        vec![
            text(&new.message_id),
            text(&new.call.call_id),
            Value::Text(new.offer.map(|offer| offer.offer_id.clone())),
            text(&new.idem_key),
            text(new.purpose),
            text(new.channel.as_str()),
            text(keys.0),
            text(keys.1),
            text(new.to.region()),
            text(dest_enc),
            text(body_enc),
            text(new.step),
            text(new.encoding),
            number(new.segments),
            text(state.as_str()),
            number(attempt),
            Value::Text(claimed_by),
            Value::Number(lease_until_ms),
            number(new.now_ms),
            number(until_ms),
            Value::Number(due_ms),
        ],
    );
}
