//! Tables are brought up to date, forward only.

use sqlx::{AnyConnection, Connection, Row};

use super::{StoreError, db::Dialect};

/// The steps, oldest first; their number is the version after them.
const STEPS: [&str; 25] = [
    include_str!("../../migrations/0001_schema.sql"),
    include_str!("../../migrations/0002_event.sql"),
    include_str!("../../migrations/0003_attempts.sql"),
    include_str!("../../migrations/0004_callback.sql"),
    include_str!("../../migrations/0005_link.sql"),
    include_str!("../../migrations/0006_flow_rev.sql"),
    include_str!("../../migrations/0007_opt_out_shown.sql"),
    include_str!("../../migrations/0008_contact_kind.sql"),
    include_str!("../../migrations/0009_event_sealed.sql"),
    include_str!("../../migrations/0010_callback_flow.sql"),
    include_str!("../../migrations/0011_receipt_index.sql"),
    include_str!("../../migrations/0012_follow_up.sql"),
    include_str!("../../migrations/0013_protection.sql"),
    include_str!("../../migrations/0014_receipt_price.sql"),
    include_str!("../../migrations/0015_asked.sql"),
    include_str!("../../migrations/0016_opt_out_import.sql"),
    include_str!("../../migrations/0017_step_count.sql"),
    include_str!("../../migrations/0018_remote_offer.sql"),
    include_str!("../../migrations/0019_sweep_index.sql"),
    include_str!("../../migrations/0020_opt_out_key.sql"),
    include_str!("../../migrations/0021_offer_call.sql"),
    include_str!("../../migrations/0022_link_invited.sql"),
    include_str!("../../migrations/0023_opt_out_lost.sql"),
    include_str!("../../migrations/0024_price_asked.sql"),
    include_str!("../../migrations/0025_indexes.sql"),
];
/// Any number that nobody else locks.
const LOCK: i64 = 0x63_6172_6f6d;

/// Runs the steps that the database lacks, in one transaction.
pub(super) async fn run(
    conn: &mut AnyConnection,
    dialect: Dialect,
    now_ms: i64,
) -> Result<(), StoreError> {
    let mut tx = match dialect {
        Dialect::Sqlite => conn.begin_with("BEGIN IMMEDIATE").await?,
        Dialect::Postgres => {
            let mut tx = conn.begin().await?;
            // A step over large tables, and the wait for it, takes as long as it takes.
            sqlx::raw_sql("SET LOCAL statement_timeout = 0").execute(&mut *tx).await?;
            // Nodes that start together wait here for the first.
            sqlx::query("SELECT COUNT(*) FROM (SELECT pg_advisory_xact_lock($1)) AS l")
                .bind(LOCK)
                .execute(&mut *tx)
                .await?;
            tx
        }
    };
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY, applied_ms BIGINT NOT NULL)",
    )
    .execute(&mut *tx)
    .await?;
    let found: i64 = sqlx::query("SELECT COALESCE(MAX(version), 0) AS version FROM schema_version")
        .fetch_one(&mut *tx)
        .await?
        .try_get("version")?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for (version, step) in (1..).zip(STEPS).skip(usize::try_from(found).unwrap_or(0)) {
        sqlx::raw_sql(step).execute(&mut *tx).await?;
        sqlx::query("INSERT INTO schema_version (version, applied_ms) VALUES ($1, $2)")
            .bind::<i64>(version)
            .bind(now_ms)
            .execute(&mut *tx)
            .await?;
    }
    Ok(tx.commit().await?)
}
