//! Calls as an operator sees them.

use sqlx::{Row, any::AnyRow};

use super::{MessageView, OfferRow, StepRow, Store, StoreError};

/// A call of the past, or one that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRow {
    /// Its id.
    pub call_id: String,
    /// Where it came from.
    pub trunk: Option<String>,
    /// The number called.
    pub did: Option<String>,
    /// The flow.
    pub flow: Option<String>,
    /// Its revision.
    pub flow_rev: Option<String>,
    /// Country of the caller.
    pub caller_region: Option<String>,
    /// Arrival.
    pub started_ms: i64,
    /// Our 200.
    pub answered_ms: Option<i64>,
    /// The end.
    pub ended_ms: Option<i64>,
    /// The call's intent.
    pub intent: Option<String>,
    /// The last step.
    pub last_step: Option<String>,
    /// The target it was forwarded to.
    pub forward_target: Option<String>,
    /// `human`, `no_human`, `unknown`.
    pub handled: Option<String>,
    /// `deflected`, `forwarded`, …
    pub end_reason: Option<String>,
    /// Call-ID of the caller leg.
    pub sip_call_id_a: Option<String>,
    /// Call-ID of the target leg.
    pub sip_call_id_b: Option<String>,
}

/// All that the store has of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallTimeLine {
    /// The call.
    pub call: CallRow,
    /// Its steps, in order.
    pub steps: Vec<StepRow>,
    /// Its offers, in order.
    pub offers: Vec<OfferRow>,
    /// Its messages, in order.
    pub messages: Vec<MessageView>,
}

const CALL: &str = "SELECT call_id, trunk, did, flow, flow_rev, caller_region, started_ms, \
    answered_ms, ended_ms, intent, last_step, forward_target, handled, end_reason, sip_call_id_a, \
    sip_call_id_b FROM call ";

impl Store {
    /// The newest calls, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn calls(&self, limit: u32) -> Result<Vec<CallRow>, StoreError> {
        let mut conn = self.conn().await?;
        let sql = format!("{CALL} ORDER BY started_ms DESC, call_id DESC LIMIT $1");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(i64::from(limit))
            .fetch_all(&mut *conn)
            .await?;
        rows.iter().map(call).collect()
    }

    /// Ids of the calls whose id begins with `like`, or of which a leg has it as its Call-ID; the
    /// newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn calls_like(&self, like: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let mut conn = self.conn().await?;
        let ids = sqlx::query_scalar(
            "SELECT call_id FROM call WHERE SUBSTR(call_id, 1, LENGTH($1)) = $1 \
             OR sip_call_id_a = $1 OR sip_call_id_b = $1 \
             ORDER BY started_ms DESC, call_id DESC LIMIT $2",
        )
        .bind(like.to_owned())
        .bind(i64::from(limit))
        .fetch_all(&mut *conn)
        .await?;
        Ok(ids)
    }

    /// All of a call.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn call_time_line(&self, id: &str) -> Result<Option<CallTimeLine>, StoreError> {
        let mut conn = self.conn().await?;
        let sql = format!("{CALL} WHERE call_id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id.to_owned())
            .fetch_optional(&mut *conn)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let call = call(&row)?;
        let steps = sqlx::query(
            "SELECT call_id, seq, step, kind, entered_ms, left_ms, first_key_ms, exit, note, \
             tries FROM step WHERE call_id = $1 ORDER BY seq",
        )
        .bind(call.call_id.clone())
        .fetch_all(&mut *conn)
        .await?;
        let offers = sqlx::query(
            "SELECT offer_id, call_id, step, stage, intent, offered_ms, response, pressed, \
             reason, channel FROM offer WHERE call_id = $1 ORDER BY offered_ms, offer_id",
        )
        .bind(call.call_id.clone())
        .fetch_all(&mut *conn)
        .await?;
        drop(conn);
        let messages = self.messages_of(&call.call_id).await?;
        Ok(Some(CallTimeLine {
            call,
            steps: steps.iter().map(step).collect::<Result<_, _>>()?,
            offers: offers.iter().map(offer).collect::<Result<_, _>>()?,
            messages,
        }))
    }
}

impl Store {
    /// What the call machine of a call was told, with its moments, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn call_inputs(&self, call_id: &str) -> Result<Vec<(i64, String)>, StoreError> {
        let mut conn = self.conn().await?;
        let rows =
            sqlx::query("SELECT at_ms, input FROM call_input WHERE call_id = $1 ORDER BY seq")
                .bind(call_id.to_owned())
                .fetch_all(&mut *conn)
                .await?;
        rows.iter().map(|row| Ok((row.try_get("at_ms")?, row.try_get("input")?))).collect()
    }
}

fn call(row: &AnyRow) -> Result<CallRow, StoreError> {
    Ok(CallRow {
        call_id: row.try_get("call_id")?,
        trunk: row.try_get("trunk")?,
        did: row.try_get("did")?,
        flow: row.try_get("flow")?,
        flow_rev: row.try_get("flow_rev")?,
        caller_region: row.try_get("caller_region")?,
        started_ms: row.try_get("started_ms")?,
        answered_ms: row.try_get("answered_ms")?,
        ended_ms: row.try_get("ended_ms")?,
        intent: row.try_get("intent")?,
        last_step: row.try_get("last_step")?,
        forward_target: row.try_get("forward_target")?,
        handled: row.try_get("handled")?,
        end_reason: row.try_get("end_reason")?,
        sip_call_id_a: row.try_get("sip_call_id_a")?,
        sip_call_id_b: row.try_get("sip_call_id_b")?,
    })
}

fn step(row: &AnyRow) -> Result<StepRow, StoreError> {
    Ok(StepRow {
        call_id: row.try_get("call_id")?,
        seq: u32::try_from(row.try_get::<i64, _>("seq")?).unwrap_or(0),
        step: row.try_get("step")?,
        kind: row.try_get("kind")?,
        entered_ms: row.try_get("entered_ms")?,
        left_ms: row.try_get("left_ms")?,
        first_key_ms: row.try_get("first_key_ms")?,
        exit: row.try_get("exit")?,
        note: row.try_get("note")?,
        tries: u8::try_from(row.try_get::<i64, _>("tries")?).unwrap_or(u8::MAX),
    })
}

fn offer(row: &AnyRow) -> Result<OfferRow, StoreError> {
    Ok(OfferRow {
        offer_id: row.try_get("offer_id")?,
        call_id: row.try_get("call_id")?,
        step: row.try_get("step")?,
        stage: row.try_get("stage")?,
        intent: row.try_get("intent")?,
        offered_ms: row.try_get("offered_ms")?,
        response: row.try_get("response")?,
        pressed: row.try_get("pressed")?,
        reason: row.try_get("reason")?,
        channel: row.try_get("channel")?,
    })
}
