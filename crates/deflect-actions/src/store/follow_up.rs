//! Follow-ups that calls promised, from the end of the call until they are in the outbox: written
//! with that end, so that a node that dies between the two loses none.

use sqlx::Row as _;

use super::{CallStarted, LocalTime, Store, StoreError};

/// A text that is to follow a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowUpRow {
    /// The call.
    pub call_id: String,
    /// Name of the text, such as `after_call.nudge`.
    pub step: String,
    /// Hash of the number.
    pub dest_key: String,
    /// What is to be sent, encrypted.
    pub order_enc: String,
    /// When it was promised, milliseconds UTC.
    pub at_ms: i64,
}

impl FollowUpRow {
    /// What its text is bound to.
    pub(crate) fn bound_to(call_id: &str, step: &str) -> String {
        format!("{call_id}|{step}")
    }
}

impl Store {
    /// Follow-ups that somebody else promised and nobody will see to: an earlier start of this
    /// node, a node whose lease has ended, or this start longer than `stale_ms` ago. They are this
    /// start's from now on; what is in the outbox already is left out.
    pub(crate) async fn claim_follow_ups(
        &self,
        stale_ms: i64,
    ) -> Result<Vec<FollowUpRow>, StoreError> {
        let (node, now) = (self.node(), self.now_ms());
        self.transaction(async |conn| {
            sqlx::query(
                "DELETE FROM follow_up WHERE EXISTS (SELECT 1 FROM message m \
                 WHERE m.call_id = follow_up.call_id AND m.template = follow_up.step)",
            )
            .execute(&mut *conn)
            .await?;
            let rows = sqlx::query(
                "UPDATE follow_up SET node_id = $1, node_boot = $2, at_ms = $3 \
                 WHERE (node_id = $1 AND (node_boot <> $2 OR at_ms < $4)) OR EXISTS ( \
                   SELECT 1 FROM node n WHERE n.node_id = follow_up.node_id \
                   AND n.node_boot = follow_up.node_boot AND n.node_id <> $1 \
                   AND n.lease_until_ms < $3) \
                 RETURNING call_id, step, dest_key, order_enc, at_ms",
            )
            .bind(node.node_id.clone())
            .bind(node.node_boot.clone())
            .bind(now)
            .bind(now - stale_ms)
            .fetch_all(&mut *conn)
            .await?;
            let row = |row: &sqlx::any::AnyRow| {
                Ok(FollowUpRow {
                    call_id: row.try_get("call_id")?,
                    step: row.try_get("step")?,
                    dest_key: row.try_get("dest_key")?,
                    order_enc: row.try_get("order_enc")?,
                    at_ms: row.try_get("at_ms")?,
                })
            };
            rows.iter().map(row).collect()
        })
        .await
    }

    /// A follow-up is in the outbox, or never will be.
    pub(crate) async fn drop_follow_up(&self, call_id: &str, step: &str) -> Result<(), StoreError> {
        self.write(async |conn| {
            sqlx::query("DELETE FROM follow_up WHERE call_id = $1 AND step = $2")
                .bind(call_id.to_owned())
                .bind(step.to_owned())
                .execute(&mut *conn)
                .await?;
            Ok(())
        })
        .await
    }

    /// A call as it began.
    pub(crate) async fn call_started(
        &self,
        call_id: &str,
    ) -> Result<Option<CallStarted>, StoreError> {
        let mut conn = self.conn().await?;
        let row = sqlx::query(
            "SELECT origin, trunk, did, business, flow, flow_rev, sip_call_id_a, started_ms, \
             local_date, CAST(local_dow AS BIGINT) AS dow, CAST(local_hour AS BIGINT) AS hour, \
             CAST(local_quarter AS BIGINT) AS quarter, caller_key, caller_key_prev, \
             caller_region, caller_line_type, language FROM call WHERE call_id = $1",
        )
        .bind(call_id.to_owned())
        .fetch_optional(&mut *conn)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let small = |name: &str| -> Result<i16, StoreError> {
            Ok(i16::try_from(row.try_get::<i64, _>(name)?).unwrap_or(0))
        };
        Ok(Some(CallStarted {
            call_id: call_id.to_owned(),
            origin: match row.try_get::<String, _>("origin")?.as_str() {
                "api" => "api",
                "callback" => "callback",
                _ => "trunk",
            },
            trunk: row.try_get("trunk")?,
            did: row.try_get("did")?,
            business: row.try_get("business")?,
            flow: row.try_get("flow")?,
            flow_rev: row.try_get("flow_rev")?,
            sip_call_id_a: row.try_get("sip_call_id_a")?,
            started_ms: row.try_get("started_ms")?,
            local: LocalTime {
                date: row.try_get("local_date")?,
                dow: small("dow")?,
                hour: small("hour")?,
                quarter: small("quarter")?,
            },
            caller_key: row.try_get("caller_key")?,
            caller_key_prev: row.try_get("caller_key_prev")?,
            caller_region: row.try_get("caller_region")?,
            caller_line_type: row.try_get("caller_line_type")?,
            language: row.try_get("language")?,
        }))
    }
}
