//! A new message: committed with its call, offer and consent before a provider sees it.

use message_text::E164;
use sqlx::{AnyConnection, AssertSqlSafe};

use super::{Letter, Writes};
use crate::{
    link::NewPage,
    provider::{Channel, State},
    store::{
        CallStarted, OfferRow, Sharing, Store, StoreError,
        bulk::{Arrays, Bulk},
        lane::Work,
        link,
        together::{Together, Value, bind, number, text},
        write::{self, CONSENT},
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
    pub when: When<'a>,
}

/// When a new message is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When<'a> {
    /// By us, at once: it is ours until `lease_until_ms`, and worth sending until `until_ms`. `by`:
    /// who is about to write it as its first attempt; nothing else is committed before the first
    /// byte.
    Now { lease_until_ms: i64, until_ms: i64, by: Option<Writes<'a>> },
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
        let mut rows = vec![write::call(self.node(), new.call)];
        rows.extend(new.offer.map(write::offer_row));
        rows.push((&CONSENT, consent(new, &keys)));
        rows.push((
            &MESSAGE,
            message(new, keys, (dest_enc, body_enc), (self.claimer(), self.now_ms())),
        ));
        if let Some(page) = new.page {
            let of = (Some(new.message_id.as_str()), new.call.call_id.as_str());
            rows.push(link::row(self, of, page, new.now_ms)?);
        }
        match &self.0.sharing {
            Sharing::Lanes(lanes) => lanes.commits.run(self, Commit(rows)).await,
            Sharing::Turns(group) => {
                let mut together = Together::default();
                for (bulk, values) in rows {
                    together.and(bulk.one(), values);
                }
                self.write_together(group, together).await.map(|_| ())
            }
        }
    }
}

/// A new message with all that is committed with it, the call's row first.
#[derive(Debug)]
pub(in crate::store) struct Commit(Vec<(&'static Bulk, Vec<Value>)>);

impl Work for Commit {
    type Done = ();

    /// The call's id.
    fn key(&self) -> Option<&str> {
        match self.0.first().and_then(|(_, values)| values.first()) {
            Some(Value::Text(id)) => id.as_deref(),
            _ => None,
        }
    }

    async fn do_all(conn: &mut AnyConnection, all: &[Self]) -> Result<Vec<()>, StoreError> {
        let (mut inserts, mut arrays) = (Vec::new(), Arrays::default());
        // What is referred to first; each table's rows in the order of their ids, as the writer's.
        for bulk in [&write::CALL, &write::OFFER, &CONSENT, &MESSAGE, &link::LINK] {
            let rows = all.iter().flat_map(|commit| &commit.0);
            let mut rows: Vec<&[Value]> = rows
                .filter(|(of, _)| std::ptr::eq(*of, bulk))
                .map(|(_, values)| &values[..])
                .collect();
            if !rows.is_empty() {
                rows.sort_unstable_by_key(|row| row.first());
                let insert = bulk.of_arrays(&mut arrays, &rows);
                inserts.push(format!("s{} AS ({insert})", inserts.len()));
            }
        }
        let sql = format!("WITH {} SELECT 1", inserts.join(", "));
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = arrays.values().into_iter().fold(query, bind);
        query.execute(&mut *conn).await?;
        Ok(vec![(); all.len()])
    }
}

static MESSAGE: Bulk = Bulk::new(
    "INSERT INTO message (message_id, call_id, offer_id, consent_id, idem_key, purpose, \
     channel, dest_key, dest_key_prev, dest_region, dest_enc, body_enc, template, encoding, \
     segments, state, attempt, claimed_by, lease_until_ms, created_ms, valid_until_ms, \
     next_try_ms, sender, provider, write_ms, try_no) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    "",
);

fn consent(new: &NewMessage<'_>, keys: &(String, String)) -> Vec<Value> {
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
    ]
}

fn message(
    new: &NewMessage<'_>,
    keys: (String, String),
    (dest_enc, body_enc): (String, String),
    (claimer, now_ms): (String, i64),
) -> Vec<Value> {
    let (state, attempt, claimed_by, lease_until_ms, due_ms, until_ms, by) = match new.when {
        When::Now { lease_until_ms, until_ms, by } => {
            (State::Claimed, 1, Some(claimer), Some(lease_until_ms), None, until_ms, by)
        }
        When::Due { due_ms, until_ms } => {
            (State::Queued, 0, None, None, Some(due_ms), until_ms, None)
        }
    };
    let channel = by.map_or(new.channel, |by| by.channel);
    vec![
        text(&new.message_id),
        text(&new.call.call_id),
        Value::Text(new.offer.map(|offer| offer.offer_id.clone())),
        text(&new.message_id),
        text(&new.idem_key),
        text(new.purpose),
        text(channel.as_str()),
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
        Value::Text(by.map(|by| by.sender.to_owned())),
        Value::Text(by.map(|by| by.provider.to_owned())),
        Value::Number(by.map(|_| now_ms)),
        number(i64::from(by.is_some())),
    ]
}
