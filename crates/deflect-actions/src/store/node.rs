//! Nodes: who is alive, and closing what the dead left open.

use sqlx::{AnyConnection, Row as _};

use super::{Store, StoreError};

const RENEW: &str = "UPDATE node SET lease_until_ms = $3 WHERE node_id = $1 AND node_boot = $2";
const DRAIN: &str = "UPDATE node SET draining = $3 WHERE node_id = $1 AND node_boot = $2";
const STOP: &str = "UPDATE node SET stopped_ms = $3, lease_until_ms = $3 \
    WHERE node_id = $1 AND node_boot = $2";

impl Store {
    /// Writes this start's row and closes what earlier ones left open.
    pub(super) async fn register(&self) -> Result<(), StoreError> {
        let (node, now) = (self.node(), self.now_ms());
        self.transaction(async |conn| {
            sqlx::query(
                "INSERT INTO node (node_id, node_boot, version, started_ms, lease_until_ms) \
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (node_id, node_boot) DO NOTHING",
            )
            .bind(node.node_id.clone())
            .bind(node.node_boot.clone())
            .bind(node.version.clone())
            .bind(now)
            .bind(now + self.lease_ms())
            .execute(&mut *conn)
            .await?;
            self.close_unfinished_with(conn, now).await
        })
        .await?;
        Ok(())
    }

    /// Closes the unfinished calls of this node's earlier starts and of nodes whose lease has
    /// ended, never others', and never its own running ones, however late the lease is renewed;
    /// returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close_unfinished(&self) -> Result<u64, StoreError> {
        let now = self.now_ms();
        self.transaction(async |conn| self.close_unfinished_with(conn, now).await).await
    }

    /// Says that this start is alive.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew_lease(&self) -> Result<(), StoreError> {
        self.set_node(RENEW, self.now_ms() + self.lease_ms()).await
    }

    /// Says that this node takes no new calls.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_draining(&self) -> Result<(), StoreError> {
        self.set_node(DRAIN, 1).await
    }

    /// Says that this start is over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stop(&self) -> Result<(), StoreError> {
        self.set_node(STOP, self.now_ms()).await
    }

    pub(super) fn lease_ms(&self) -> i64 {
        i64::try_from(self.node().lease.as_millis()).unwrap_or(i64::MAX / 4)
    }

    async fn set_node(&self, sql: &'static str, value: i64) -> Result<(), StoreError> {
        self.write(async |conn| {
            sqlx::query(sql)
                .bind(self.node().node_id.clone())
                .bind(self.node().node_boot.clone())
                .bind(value)
                .execute(&mut *conn)
                .await?;
            Ok(())
        })
        .await
    }

    /// An unfinished call ended, at the latest, when its node last said that it was alive; what
    /// a target's agent heard nobody knows.
    async fn close_unfinished_with(
        &self,
        conn: &mut AnyConnection,
        now: i64,
    ) -> Result<u64, StoreError> {
        let (node, lease) = (self.node(), self.lease_ms());
        let closed = sqlx::query(
            // By node: the index of open calls is asked for each that is not alive.
            "UPDATE call SET end_reason = 'error', \
             handled = CASE WHEN human_answered_ms IS NOT NULL THEN 'human' \
               WHEN forward_started_ms IS NOT NULL THEN 'unknown' ELSE 'no_human' END, \
             ended_ms = CASE WHEN gone.lease_until_ms - $1 > call.started_ms \
               THEN gone.lease_until_ms - $1 ELSE call.started_ms END \
             FROM (SELECT node_id, node_boot, lease_until_ms FROM node \
               WHERE (node_id = $2 AND node_boot <> $3) OR (node_id <> $2 AND lease_until_ms < $4)) \
               AS gone \
             WHERE call.ended_ms IS NULL AND call.node_id = gone.node_id \
             AND call.node_boot = gone.node_boot RETURNING call_id",
        )
        .bind(lease)
        .bind(node.node_id.clone())
        .bind(node.node_boot.clone())
        .bind(now)
        .fetch_all(&mut *conn)
        .await?;
        let closed = closed.iter().map(|row| row.try_get("call_id"));
        let closed = closed.collect::<Result<Vec<String>, _>>()?;
        self.tell_ended(conn, &closed).await?;
        Ok(closed.len() as u64)
    }
}
