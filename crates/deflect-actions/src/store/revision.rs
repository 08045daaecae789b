//! Revisions of flows: rows of `flow_rev`, and of `change_marker` for each time one began to be
//! served.

use std::collections::BTreeMap;

use sqlx::{AnyConnection, Row, any::AnyRow};

use super::{Store, StoreError, flags::mark};

/// A flow as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowServed {
    /// Hash of its texts; the name of the revision.
    pub rev: String,
    /// The flow's name.
    pub flow: String,
    /// The file it was read from; empty where that was not recorded.
    pub file: String,
    /// The text of that file.
    pub source: String,
    /// Its sub-flow files, by the name that the flow calls them by.
    pub subs: BTreeMap<String, String>,
}

/// A revision, as it began to be served once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// What was served.
    pub served: FlowServed,
    /// From when on, ms UTC.
    pub at_ms: i64,
    /// Who had it served.
    pub by_whom: String,
}

impl Store {
    /// Records flows as they are served from now on, and by whom, where they were not already: all
    /// of them or none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn served_flows(
        &self,
        served: &[FlowServed],
        by_whom: &str,
    ) -> Result<(), StoreError> {
        let now_ms = self.now_ms();
        self.transaction(async |tx| {
            for flow in served {
                served_flow(tx, now_ms, flow, by_whom).await?;
            }
            Ok(())
        })
        .await
    }

    /// What was served, flow by flow, each in the order it began to be.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revisions(&self) -> Result<Vec<Revision>, StoreError> {
        let mut conn = self.conn().await?;
        let rows = sqlx::query(
            "SELECT m.at_ms, m.by_whom, r.flow_rev, r.flow, r.source, r.file, r.subs \
             FROM change_marker m JOIN flow_rev r ON r.flow_rev = m.value \
             WHERE m.kind = 'flow_rev' ORDER BY m.name, m.at_ms, m.marker_id",
        )
        .fetch_all(&mut *conn)
        .await?;
        rows.iter().map(revision).collect()
    }
}

async fn served_flow(
    tx: &mut AnyConnection,
    now_ms: i64,
    served: &FlowServed,
    by_whom: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO flow_rev (flow_rev, flow, source, first_served_ms, file, subs) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (flow_rev) \
         DO UPDATE SET file = excluded.file, subs = excluded.subs",
    )
    .bind(served.rev.clone())
    .bind(served.flow.clone())
    .bind(served.source.clone())
    .bind(now_ms)
    .bind(served.file.clone())
    .bind(serde_json::json!(served.subs).to_string())
    .execute(&mut *tx)
    .await?;
    let last: Option<String> = sqlx::query_scalar(
        "SELECT value FROM change_marker WHERE kind = 'flow_rev' AND name = $1 \
         ORDER BY at_ms DESC, marker_id DESC LIMIT 1",
    )
    .bind(served.flow.clone())
    .fetch_optional(&mut *tx)
    .await?;
    // An older revision that is served again is a change, too.
    if last.as_deref() == Some(&served.rev) {
        return Ok(());
    }
    mark(tx, now_ms, "flow_rev", &served.flow, Some(&served.rev), by_whom).await
}

fn revision(row: &AnyRow) -> Result<Revision, StoreError> {
    let text = |column| Ok::<_, StoreError>(row.try_get::<Option<String>, _>(column)?);
    // Written above: an object of texts, or NULL in rows of before.
    let subs = text("subs")?.and_then(|subs| serde_json::from_str(&subs).ok());
    Ok(Revision {
        served: FlowServed {
            rev: row.try_get("flow_rev")?,
            flow: row.try_get("flow")?,
            file: text("file")?.unwrap_or_default(),
            source: row.try_get("source")?,
            subs: subs.unwrap_or_default(),
        },
        at_ms: row.try_get("at_ms")?,
        by_whom: text("by_whom")?.unwrap_or_default(),
    })
}
