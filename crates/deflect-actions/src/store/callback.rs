//! Callbacks: booked into hours that have room, claimed by the node that dials, done once.

mod claimed;

use message_text::E164;
use serde_json::json;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _, any::AnyRow};

use super::{Event, Store, StoreError};

const HOUR_MS: i64 = 3_600_000;

/// A callback that a caller asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackOrder {
    /// UUIDv7.
    pub callback_id: String,
    /// The call it was asked for in.
    pub call_id: String,
    /// On whose behalf that call was taken.
    pub business: String,
    /// The flow whose target is rung; it need not be that of the call.
    pub flow: String,
    /// The line that it is for; empty: that of the call.
    pub called: String,
    /// The step that books it.
    pub step: String,
    /// Whom to call.
    pub number: E164,
    /// How often it is tried.
    pub max_tries: u8,
    /// Callbacks to the number in an hour and in a day, canceled ones apart.
    pub per_caller: (u32, u32),
    /// The target that is rung first, and when it can be.
    pub room: Room,
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackBooked {
    /// It is due then, ms UTC.
    Due(i64),
    /// No slot has room.
    Full,
    /// The number has been called back, or is to be, often enough.
    Limited,
}

/// What there is room for: callbacks of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// The target that is rung first.
    pub target: String,
    /// Its callbacks in an hour.
    pub per_hour: u32,
    /// Callbacks of all targets in an hour.
    pub in_all: u32,
    /// When the target is open, in order of time; each within one hour of the clock.
    pub slots: Vec<Slot>,
}

/// A part of an hour in which calls can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Its first moment.
    pub from_ms: i64,
    /// Its end.
    pub until_ms: i64,
}

/// A callback to be dialled now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackDue {
    /// UUIDv7.
    pub callback_id: String,
    /// Whom to call.
    pub number: E164,
    /// The target that is rung first.
    pub target: String,
    /// How often it was tried before.
    pub tries: i64,
    /// The flow whose target is rung.
    pub flow: String,
    /// The trunk of the call it was asked for in.
    pub trunk: Option<String>,
    /// The line that it is for.
    pub called: String,
    /// The language of that call.
    pub language: Option<String>,
    /// That call, and what it was about.
    pub call_id: String,
    /// Its intent.
    pub intent: Option<String>,
    /// The step that booked it; empty where the digital side asked for it.
    pub step: String,
    /// When it is due.
    pub due_ms: i64,
}

/// A callback in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackView {
    /// UUIDv7.
    pub callback_id: String,
    /// The call it was asked for in.
    pub call_id: String,
    /// The target that is rung first.
    pub target: String,
    /// When it is dialled.
    pub due_ms: i64,
    /// How often it was tried.
    pub tries: i64,
    /// `booked`, `claimed`, `calling`, `done`, `failed`, `canceled`.
    pub state: String,
    /// Country and last digits of the number, while it is known.
    pub to_masked: Option<String>,
    /// When it was booked.
    pub created_ms: i64,
    /// When it was over.
    pub done_ms: Option<i64>,
}

impl CallbackOrder {
    /// What the webhooks are told of it.
    fn event(&self, at_ms: i64, due_ms: i64) -> Event {
        let data = [
            ("callback_id", json!(self.callback_id)),
            ("call_id", json!(self.call_id)),
            ("step", json!(self.step)),
            ("target", json!(self.room.target)),
            ("due_ms", json!(due_ms)),
            ("caller_region", json!(self.number.region())),
        ];
        let data = data.map(|(name, value)| (name.to_owned(), value));
        let subject = self.callback_id.clone();
        Event {
            kind: "callback.booked",
            subject,
            at_ms,
            data: data.into_iter().collect(),
            text: None,
            from_key: None,
        }
    }
}

impl Store {
    /// Books the first slot that has room, over all nodes. One of this id is booked once, whoever asks
    /// at the same time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn book_callback(&self, order: &CallbackOrder) -> Result<CallbackBooked, StoreError> {
        let now = self.now_ms();
        let number = self.keys().seal().close(&order.callback_id, order.number.as_str())?;
        let keys = self.keys().caller_keys(&order.business, &order.number, now);
        let booked = self.transaction(async |conn| {
            one_at_a_time(conn).await?;
            if let Some(due) = due_ms(conn, &order.callback_id).await? {
                return Ok(CallbackBooked::Due(due));
            }
            if is_limited(conn, order.per_caller, &keys, now).await? {
                return Ok(CallbackBooked::Limited);
            }
            let Some((_, due)) = free_slot(conn, &order.room).await? else {
                return Ok(CallbackBooked::Full);
            };
            sqlx::query(
                "INSERT INTO callback (callback_id, call_id, caller_key, caller_key_prev, \
                 number_enc, target, due_ms, state, created_ms, step, max_tries, \
                 flow, called) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, 'booked', $8, $9, $10, $11, NULLIF($12, ''))",
            )
            .bind(order.callback_id.clone())
            .bind(order.call_id.clone())
            .bind(keys.0.clone())
            .bind(keys.1.clone())
            .bind(number.clone())
            .bind(order.room.target.clone())
            .bind(due)
            .bind(now)
            .bind(order.step.clone())
            .bind(i64::from(order.max_tries))
            .bind(order.flow.clone())
            .bind(order.called.clone())
            .execute(&mut *conn)
            .await?;
            self.tell_with(conn, &order.event(now, due)).await?;
            Ok(CallbackBooked::Due(due))
        });
        let booked = booked.await?;
        if booked == CallbackBooked::Limited {
            self.callbacks_limited(&order.call_id, &keys.0).await?;
        }
        Ok(booked)
    }

    /// Whether a number has its callbacks of the hour or of the day, so that none is to be offered; then
    /// the limit is recorded as one that bit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_callbacks_enough(&self, order: &CallbackOrder) -> Result<bool, StoreError> {
        let now = self.now_ms();
        let keys = self.keys().caller_keys(&order.business, &order.number, now);
        let mut conn = self.conn().await?;
        let enough = is_limited(&mut conn, order.per_caller, &keys, now).await?;
        drop(conn);
        if enough {
            self.callbacks_limited(&order.call_id, &keys.0).await?;
        }
        Ok(enough)
    }

    async fn callbacks_limited(&self, call_id: &str, caller_key: &str) -> Result<(), StoreError> {
        self.limit_hit(Some(call_id), "callbacks_per_caller", "caller", caller_key).await
    }

    /// Takes a callback back, though it is being made: `false` where it is over, or was none. Who
    /// makes it is told that it is its no more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stop_callback(&self, id: &str) -> Result<bool, StoreError> {
        let now = self.now_ms();
        let erase = now + self.raw_number_ms();
        self.execute(async |conn| {
            let stopped = sqlx::query(
                "UPDATE callback SET state = 'canceled', done_ms = $2, erase_after_ms = $3, \
                 claimed_by = NULL, lease_until_ms = NULL WHERE callback_id = $1 \
                 AND state IN ('booked','claimed','calling')",
            )
            .bind(id.to_owned())
            .bind(now)
            .bind(erase)
            .execute(&mut *conn)
            .await?;
            Ok(stopped.rows_affected() > 0)
        })
        .await
    }

    /// The first slot that has room now, and when a callback would be due in it; `None`: there is
    /// none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn room_for_callback(&self, room: &Room) -> Result<Option<(Slot, i64)>, StoreError> {
        let mut conn = self.conn().await?;
        free_slot(&mut conn, room).await
    }

    /// The newest callbacks, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn callbacks(&self, limit: u32) -> Result<Vec<CallbackView>, StoreError> {
        let sql = format!("{COLUMNS} ORDER BY created_ms DESC LIMIT $1");
        let mut conn = self.conn().await?;
        let rows =
            sqlx::query(AssertSqlSafe(sql)).bind(i64::from(limit)).fetch_all(&mut *conn).await?;
        rows.iter().map(|row| self.view_callback(row)).collect()
    }

    /// Cancels a booked callback whose id begins so; `None`: there is no such one, or several.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel_callback(&self, like: &str) -> Result<Option<String>, StoreError> {
        let now = self.now_ms();
        let erase = now + self.raw_number_ms();
        self.transaction(async |conn| {
            let rows = sqlx::query(
                "SELECT callback_id FROM callback WHERE state = 'booked' \
                 AND SUBSTR(callback_id, 1, LENGTH($1)) = $1 LIMIT 2",
            )
            .bind(like.to_owned())
            .fetch_all(&mut *conn)
            .await?;
            let [row] = rows.as_slice() else { return Ok(None) };
            let id: String = row.try_get("callback_id")?;
            over(conn, &id, "canceled", now, erase).await?;
            Ok(Some(id))
        })
        .await
    }

    fn view_callback(&self, row: &AnyRow) -> Result<CallbackView, StoreError> {
        let callback_id: String = row.try_get("callback_id")?;
        let sealed: Option<String> = row.try_get("number_enc")?;
        let number = sealed.and_then(|sealed| self.keys().seal().open(&callback_id, &sealed).ok());
        let number = number.and_then(|number| E164::parse(&number, "").ok());
        Ok(CallbackView {
            callback_id,
            call_id: row.try_get("call_id")?,
            target: row.try_get("target")?,
            due_ms: row.try_get("due_ms")?,
            tries: row.try_get("tries")?,
            state: row.try_get("state")?,
            to_masked: number.map(|number| number.masked()),
            created_ms: row.try_get("created_ms")?,
            done_ms: row.try_get("done_ms")?,
        })
    }
}

const COLUMNS: &str = "SELECT callback_id, call_id, number_enc, target, due_ms, tries, state, \
     created_ms, done_ms FROM callback";

/// Whoever books waits here for who is booking: slots are counted over all nodes. The row is one
/// that every database has and nobody else writes; in SQLite the transaction is enough.
async fn one_at_a_time(conn: &mut AnyConnection) -> Result<(), StoreError> {
    sqlx::query("UPDATE schema_version SET applied_ms = applied_ms WHERE version = 1")
        .execute(conn)
        .await?;
    Ok(())
}

/// When the callback of this id is due; `None`: there is none.
pub(super) async fn due_ms(conn: &mut AnyConnection, id: &str) -> Result<Option<i64>, StoreError> {
    let due = sqlx::query_scalar("SELECT due_ms FROM callback WHERE callback_id = $1")
        .bind(id.to_owned())
        .fetch_optional(conn)
        .await?;
    Ok(due)
}

/// Whether a number has its callbacks of the hour or of the day.
async fn is_limited(
    conn: &mut AnyConnection,
    (per_hour, per_day): (u32, u32),
    keys: &(String, String),
    now_ms: i64,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS in_day, \
         CAST(COALESCE(SUM(CASE WHEN created_ms > $4 THEN 1 ELSE 0 END), 0) AS BIGINT) AS in_hour \
         FROM callback WHERE state <> 'canceled' AND caller_key IN ($1, $2) AND created_ms > $3",
    )
    .bind(keys.0.clone())
    .bind(keys.1.clone())
    .bind(now_ms - 24 * HOUR_MS)
    .bind(now_ms - HOUR_MS)
    .fetch_one(conn)
    .await?;
    let (in_day, in_hour): (i64, i64) = (row.try_get("in_day")?, row.try_get("in_hour")?);
    Ok(in_day >= i64::from(per_day) || in_hour >= i64::from(per_hour))
}

async fn free_slot(
    conn: &mut AnyConnection,
    room: &Room,
) -> Result<Option<(Slot, i64)>, StoreError> {
    for slot in &room.slots {
        let hour = slot.from_ms - slot.from_ms.rem_euclid(HOUR_MS);
        let row = sqlx::query(
            "SELECT COUNT(*) AS in_hour, \
             CAST(COALESCE(SUM(CASE WHEN target = $3 THEN 1 ELSE 0 END), 0) AS BIGINT) AS own, \
             CAST(COALESCE(SUM(CASE WHEN target = $3 AND due_ms >= $4 AND due_ms < $5 \
               THEN 1 ELSE 0 END), 0) AS BIGINT) AS in_slot \
             FROM callback WHERE state <> 'canceled' AND due_ms >= $1 AND due_ms < $2",
        )
        .bind(hour)
        .bind(hour + HOUR_MS)
        .bind(room.target.clone())
        .bind(slot.from_ms)
        .bind(slot.until_ms)
        .fetch_one(&mut *conn)
        .await?;
        let (in_hour, own, in_slot): (i64, i64, i64) =
            (row.try_get("in_hour")?, row.try_get("own")?, row.try_get("in_slot")?);
        let step = HOUR_MS / i64::from(room.per_hour.max(1));
        // Spread over the slot, so that those who answer get one after the other.
        let due = slot.from_ms + in_slot * step;
        let has_room = in_hour < i64::from(room.in_all) && own < i64::from(room.per_hour);
        if has_room && due < slot.until_ms {
            return Ok(Some((*slot, due)));
        }
    }
    Ok(None)
}

async fn over(
    conn: &mut AnyConnection,
    id: &str,
    state: &'static str,
    now_ms: i64,
    erase_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE callback SET state = $2, done_ms = $3, erase_after_ms = $4, claimed_by = NULL, \
         lease_until_ms = NULL WHERE callback_id = $1",
    )
    .bind(id.to_owned())
    .bind(state)
    .bind(now_ms)
    .bind(erase_ms)
    .execute(conn)
    .await?;
    Ok(())
}

/// What is known of a number at callbacks goes; nobody calls it any more.
pub(super) async fn forget_number(
    conn: &mut AnyConnection,
    keys: (&str, &str),
    now_ms: i64,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "UPDATE callback SET number_enc = NULL, caller_key = NULL, caller_key_prev = NULL, \
         state = CASE WHEN state = 'booked' THEN 'canceled' ELSE state END, \
         done_ms = COALESCE(done_ms, $3) WHERE caller_key IN ($1, $2)",
    )
    .bind(keys.0.to_owned())
    .bind(keys.1.to_owned())
    .bind(now_ms)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
