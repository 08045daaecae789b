//! What is encrypted moves to the newest key, row by row, while the node works.

use sqlx::{AssertSqlSafe, Row};

use super::{Store, StoreError};

/// Rows looked at in one go.
const BATCH: i64 = 200;

/// Columns that are encrypted, with what each is bound to.
const SEALED: [(&str, &str, &str); 7] = [
    ("message", "message_id", "dest_enc"),
    ("message", "message_id", "body_enc"),
    ("callback", "callback_id", "number_enc"),
    ("link", "link_id", "context_ref"),
    ("event", "event_id || '|' || hook", "body_enc"),
    ("follow_up", "call_id || '|' || step", "order_enc"),
    ("remote_offer", "offer_id", "question_enc"),
];

/// What became of the encrypted values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Written under the newest key.
    pub renewed: u64,
    /// Under the newest key already.
    pub current: u64,
    /// Under no key of ours, or damaged; left as they are.
    pub unreadable: u64,
}

impl Store {
    /// Writes every encrypted value that is under an older key anew under the newest.
    ///
    /// # Errors
    /// When the database fails; what was done stays done.
    pub async fn reseal(&self) -> Result<Resealed, StoreError> {
        let mut done = Resealed::default();
        for (table, id, column) in SEALED {
            let mut after = String::new();
            while let Some(last) = self.reseal_batch((table, id, column), &after, &mut done).await?
            {
                after = last;
            }
        }
        self.reseal_opt_outs(&mut done).await?;
        Ok(done)
    }

    /// Returns the id of the last row; `None`: there was none.
    async fn reseal_batch(
        &self,
        (table, id, column): (&str, &str, &str),
        after: &str,
        done: &mut Resealed,
    ) -> Result<Option<String>, StoreError> {
        let mut conn = self.conn().await?;
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {id} AS id, {column} AS sealed FROM {table} \
             WHERE {id} > $1 AND {column} IS NOT NULL ORDER BY {id} LIMIT $2"
        )))
        .bind(after.to_owned())
        .bind(BATCH)
        .fetch_all(&mut *conn)
        .await?;
        drop(conn);
        let mut last = None;
        let mut renewed = Vec::new();
        for row in &rows {
            let (bound, sealed): (String, String) = (row.try_get("id")?, row.try_get("sealed")?);
            match self.keys().seal().renew(&bound, &sealed) {
                Ok(None) => done.current += 1,
                Ok(Some(new)) => renewed.push((bound.clone(), sealed, new)),
                Err(_) => done.unreadable += 1,
            }
            last = Some(bound);
        }
        if renewed.is_empty() {
            return Ok(last);
        }
        // Only where nobody has written meanwhile: whoever did, did so under the newest key.
        let sql = format!("UPDATE {table} SET {column} = $3 WHERE {id} = $1 AND {column} = $2");
        done.renewed += self
            .transaction(async |conn| {
                let mut n = 0;
                for (bound, old, new) in renewed {
                    let query = sqlx::query(AssertSqlSafe(sql.clone())).bind(bound).bind(old);
                    n += query.bind(new).execute(&mut *conn).await?.rows_affected();
                }
                Ok(n)
            })
            .await?;
        Ok(last)
    }

    /// Names of other nodes that are alive.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn other_nodes(&self) -> Result<Vec<String>, StoreError> {
        let mut conn = self.conn().await?;
        let names = sqlx::query_scalar(
            "SELECT DISTINCT node_id FROM node WHERE node_id <> $1 AND stopped_ms IS NULL \
             AND lease_until_ms > $2 ORDER BY node_id",
        )
        .bind(self.node().node_id.clone())
        .bind(self.now_ms())
        .fetch_all(&mut *conn)
        .await?;
        Ok(names)
    }
}
