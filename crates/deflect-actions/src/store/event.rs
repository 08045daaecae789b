//! Events for the webhooks of the configuration: committed with what they tell of, told
//! afterwards, deleted when they were taken.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sqlx::{AnyConnection, Row as _};

use super::{Store, StoreError, db::Dialect};
use crate::provider::State;

/// Version of the events' form.
const VERSION: i64 = 1;

/// Something that the systems of the business may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `call.ended`, `callback.booked`, …
    pub kind: &'static str,
    /// What makes it one of its kind: the id of what it tells of, and its state where there are
    /// several. The same event has the same id however often it is written.
    pub subject: String,
    /// When it happened.
    pub at_ms: i64,
    /// What else it says; no number, no digit, no text of a message.
    pub data: Map<String, Value>,
    /// What a person wrote to us; an event with this is kept encrypted.
    pub text: Option<String>,
    /// Who wrote it, as `caller_key` of the tables: it is erased with them.
    pub from_key: Option<String>,
}

/// Who wants to know what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Names the webhook over restarts and on all nodes.
    pub hook: String,
    /// Kinds that it wants; `*` for all.
    pub kinds: Vec<String>,
}

impl Subscription {
    /// That of the webhook at `url`.
    ///
    /// One that wants nothing by itself is another than the webhook of the same address that does.
    #[must_use]
    pub fn of(url: &str, kinds: &[String]) -> Self {
        let named = if kinds.is_empty() { format!("reply {url}") } else { url.to_owned() };
        let hook = hex::encode(&Sha256::digest(named)[..8]);
        Self { hook, kinds: kinds.to_vec() }
    }

    fn wants(&self, kind: &str) -> bool {
        self.kinds.iter().any(|wanted| wanted == kind || wanted == "*")
    }
}

/// An event on its way to a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub event_id: String,
    pub hook: String,
    pub body: String,
    pub created_ms: i64,
    pub attempt: i64,
}

impl Event {
    /// The same for the same event.
    fn id(&self) -> String {
        let digest = Sha256::digest(format!("{}|{}", self.kind, self.subject));
        format!("evt_{}", hex::encode(&digest[..16]))
    }

    /// As it is sent.
    fn body(&self, id: &str) -> String {
        let mut body = self.data.clone();
        let own = [
            ("id", json!(id)),
            ("type", json!(self.kind)),
            ("version", json!(VERSION)),
            ("at_ms", json!(self.at_ms)),
        ];
        body.extend(own.map(|(name, value)| (name.to_owned(), value)));
        body.extend(self.text.as_ref().map(|text| ("text".to_owned(), json!(text))));
        Value::Object(body).to_string()
    }
}

impl Store {
    /// From now on events are kept for these webhooks.
    pub fn subscribe(&self, subscriptions: Vec<Subscription>) {
        *self.0.subscriptions.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(subscriptions);
    }

    fn subscriptions(&self) -> Arc<Vec<Subscription>> {
        Arc::clone(&self.0.subscriptions.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether some webhook wants events of this kind.
    pub(crate) fn is_wanted(&self, kind: &str) -> bool {
        self.subscriptions().iter().any(|hook| hook.wants(kind))
    }

    /// Keeps an event for the webhooks that want its kind.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tell(&self, event: &Event) -> Result<(), StoreError> {
        if !self.is_wanted(event.kind) {
            return Ok(());
        }
        self.write(async |conn| self.tell_with(conn, event).await).await
    }

    /// The same, in a transaction of the caller's.
    pub(crate) async fn tell_with(
        &self,
        conn: &mut AnyConnection,
        event: &Event,
    ) -> Result<(), StoreError> {
        let subscriptions = self.subscriptions();
        for hook in subscriptions.iter().filter(|hook| hook.wants(event.kind)) {
            self.tell_hook(conn, &hook.hook, event).await?;
        }
        Ok(())
    }

    /// Keeps an event for one webhook, whatever it wants.
    pub(crate) async fn tell_hook(
        &self,
        conn: &mut AnyConnection,
        hook: &str,
        event: &Event,
    ) -> Result<(), StoreError> {
        let id = event.id();
        let (mut body, mut body_enc) = (event.body(&id), None);
        if event.text.is_some() {
            body_enc = Some(self.keys().seal().close(&format!("{id}|{hook}"), &body)?);
            body = String::new();
        }
        sqlx::query(
            "INSERT INTO event (event_id, hook, type, body, body_enc, created_ms, next_try_ms, \
             caller_key) VALUES ($1, $2, $3, $4, $5, $6, $6, $7) \
             ON CONFLICT (event_id, hook) DO NOTHING",
        )
        .bind(id)
        .bind(hook.to_owned())
        .bind(event.kind)
        .bind(body)
        .bind(body_enc)
        .bind(self.now_ms())
        .bind(event.from_key.clone())
        .execute(&mut *conn)
        .await?;
        Ok(())
    }

    /// Its body, where that can be read.
    fn body_of(&self, row: &sqlx::any::AnyRow) -> Result<String, sqlx::Error> {
        let sealed: Option<String> = row.try_get("body_enc")?;
        let Some(sealed) = sealed else { return row.try_get("body") };
        let bound: String = format!(
            "{}|{}",
            row.try_get::<String, _>("event_id")?,
            row.try_get::<String, _>("hook")?
        );
        let opened = self.keys().seal().open(&bound, &sealed);
        Ok(opened.unwrap_or_else(|error| {
            tracing::error!(%error, "an event is told without its words");
            "{}".to_owned()
        }))
    }

    /// Claims events that are due, of these webhooks.
    pub(crate) async fn claim_events(
        &self,
        hook: &str,
        lease: Duration,
        n: i64,
    ) -> Result<Vec<Waiting>, StoreError> {
        let due = match self.0.dialect {
            Dialect::Sqlite => CLAIM_SQLITE,
            Dialect::Postgres => CLAIM_POSTGRES,
        };
        let now = self.now_ms();
        let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX / 4);
        self.write(async |conn| {
            let rows = sqlx::query(due)
                .bind(now)
                .bind(self.claimer())
                .bind(now + lease)
                .bind(n)
                .bind(hook.to_owned())
                .fetch_all(&mut *conn)
                .await?;
            let waiting = rows.iter().map(|row| {
                Ok(Waiting {
                    event_id: row.try_get("event_id")?,
                    hook: row.try_get("hook")?,
                    body: self.body_of(row)?,
                    created_ms: row.try_get("created_ms")?,
                    attempt: row.try_get::<i64, _>("attempt")?,
                })
            });
            waiting.collect::<Result<_, sqlx::Error>>().map_err(StoreError::from)
        })
        .await
    }

    /// The webhook has taken it, or never will.
    pub(crate) async fn drop_event(&self, event: &Waiting) -> Result<(), StoreError> {
        self.write(async |conn| {
            sqlx::query("DELETE FROM event WHERE event_id = $1 AND hook = $2")
                .bind(event.event_id.clone())
                .bind(event.hook.clone())
                .execute(&mut *conn)
                .await?;
            Ok(())
        })
        .await
    }

    /// It is told again at `next_ms`.
    pub(crate) async fn put_event_off(
        &self,
        event: &Waiting,
        next_ms: i64,
    ) -> Result<(), StoreError> {
        self.write(async |conn| {
            sqlx::query(
                "UPDATE event SET next_try_ms = $3, claimed_by = NULL, lease_until_ms = NULL \
             WHERE event_id = $1 AND hook = $2",
            )
            .bind(event.event_id.clone())
            .bind(event.hook.clone())
            .bind(next_ms)
            .execute(&mut *conn)
            .await?;
            Ok(())
        })
        .await
    }

    /// Deletes what is older than `before_ms`: nobody takes it, or its webhook is gone.
    pub(crate) async fn expire_events(&self, before_ms: i64) -> Result<u64, StoreError> {
        self.write(async |conn| {
            let done = sqlx::query("DELETE FROM event WHERE created_ms < $1")
                .bind(before_ms)
                .execute(&mut *conn)
                .await?;
            Ok(done.rows_affected())
        })
        .await
    }

    /// `message.state` of a message that has just come to `state`.
    pub(crate) async fn tell_state(
        &self,
        conn: &mut AnyConnection,
        message_id: &str,
        state: State,
    ) -> Result<(), StoreError> {
        if !self.is_wanted(MESSAGE_STATE) {
            return Ok(());
        }
        let row = sqlx::query(
            "SELECT call_id, purpose, sender, error_class, try_no FROM message \
             WHERE message_id = $1",
        )
        .bind(message_id.to_owned())
        .fetch_one(&mut *conn)
        .await?;
        let text = |name: &str| row.try_get::<Option<String>, _>(name);
        let data = [
            ("message_id", json!(message_id)),
            ("call_id", json!(text("call_id")?)),
            ("purpose", json!(text("purpose")?)),
            ("sender", json!(text("sender")?)),
            ("state", json!(state.as_str())),
            ("error_class", json!(text("error_class")?)),
        ];
        // A text that fell over to another sender may come to a state twice.
        let try_no: i64 = row.try_get("try_no")?;
        let event = Event {
            kind: MESSAGE_STATE,
            subject: format!("{message_id}|{try_no}|{}", state.as_str()),
            at_ms: self.now_ms(),
            data: data.map(|(name, value)| (name.to_owned(), value)).into_iter().collect(),
            text: None,
            from_key: None,
        };
        self.tell_with(conn, &event).await
    }

    /// `call.ended` of these calls, from their rows.
    pub(super) async fn tell_ended(
        &self,
        conn: &mut AnyConnection,
        call_ids: &[String],
    ) -> Result<(), StoreError> {
        if !self.is_wanted(CALL_ENDED) {
            return Ok(());
        }
        for call_id in call_ids {
            let row = sqlx::query(ENDED).bind(call_id.clone()).fetch_optional(&mut *conn).await?;
            let Some(row) = row else { continue };
            let mut data = Map::new();
            for name in TEXTS {
                let value: Option<String> = row.try_get(name)?;
                data.insert(name.to_owned(), json!(value));
            }
            for name in TIMES {
                let value: Option<i64> = row.try_get(name)?;
                data.insert(name.to_owned(), json!(value));
            }
            let at_ms = row.try_get("ended_ms")?;
            let event = Event {
                kind: CALL_ENDED,
                subject: call_id.clone(),
                at_ms,
                data,
                text: None,
                from_key: None,
            };
            self.tell_with(conn, &event).await?;
        }
        Ok(())
    }
}

const CALL_ENDED: &str = "call.ended";
pub(super) const MESSAGE_STATE: &str = "message.state";
const TEXTS: [&str; 15] = [
    "call_id",
    "origin",
    "trunk",
    "did",
    "business",
    "flow",
    "flow_rev",
    "caller_region",
    "language",
    "intent",
    "arm",
    "last_step",
    "forward_target",
    "handled",
    "end_reason",
];
const TIMES: [&str; 6] = [
    "started_ms",
    "answered_ms",
    "ended_ms",
    "forward_started_ms",
    "human_answered_ms",
    "human_ended_ms",
];
const ENDED: &str = "SELECT call_id, origin, trunk, did, business, flow, flow_rev, caller_region, \
    language, intent, arm, last_step, forward_target, handled, end_reason, started_ms, \
    answered_ms, ended_ms, forward_started_ms, human_answered_ms, human_ended_ms \
    FROM call WHERE call_id = $1 AND ended_ms IS NOT NULL";
/// A claim whose lease has ended is another's.
const CLAIM_SQLITE: &str = "UPDATE event SET claimed_by = $2, lease_until_ms = $3, \
    attempt = attempt + 1 WHERE hook = $5 AND event_id IN (SELECT event_id FROM event \
    WHERE hook = $5 AND next_try_ms <= $1 AND (claimed_by IS NULL OR lease_until_ms < $1) \
    ORDER BY next_try_ms LIMIT $4) \
    RETURNING event_id, hook, body, body_enc, created_ms, CAST(attempt AS BIGINT) AS attempt";
/// As an array what is due is asked once: a planner may ask an `IN` again for each row, and would claim
/// more than there is room for.
const CLAIM_POSTGRES: &str = "UPDATE event SET claimed_by = $2, lease_until_ms = $3, \
    attempt = attempt + 1 WHERE hook = $5 AND event_id = ANY (ARRAY(SELECT event_id FROM event \
    WHERE hook = $5 AND next_try_ms <= $1 AND (claimed_by IS NULL OR lease_until_ms < $1) \
    ORDER BY next_try_ms LIMIT $4 FOR UPDATE SKIP LOCKED)) \
    RETURNING event_id, hook, body, body_enc, created_ms, CAST(attempt AS BIGINT) AS attempt";
