//! What the store does by itself: it finds what is due by indexes, deletes in pieces, is brought up to
//! date whoever waits for it, and tells of clocks that differ.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{Db, info, keys, mobile, order, sandbox};
use deflect_actions::{
    Clock,
    store::{Cell, Store, Swept},
    text::TextService,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use sqlx::{AssertSqlSafe, Executor, Row as _};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

on_both!(
    what_is_old_is_deleted_in_pieces_with_all_that_refers_to_it,
    the_tables_are_made_though_nobody_waits_for_it_any_more,
);

const DAY_MS: i64 = 86_400_000;

/// Read whole all the same: they have few rows.
const SMALL: [&str; 4] = ["step_count", "follow_up", "protection", "opt_out_import"];

/// Statements that SQLite was asked, as sqlx logs them.
#[derive(Debug, Default, Clone)]
struct Statements(Arc<Mutex<BTreeSet<String>>>);

#[derive(Default)]
struct Logged {
    summary: String,
    whole: String,
}

impl Visit for Logged {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.trim().clone_into(&mut self.whole),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl Subscriber for Statements {
    fn enabled(&self, of: &Metadata<'_>) -> bool {
        of.target() == "sqlx::query"
    }

    fn event(&self, event: &Event<'_>) {
        let mut logged = Logged::default();
        event.record(&mut logged);
        let Logged { summary, whole } = logged;
        self.0.lock().unwrap().insert(if whole.is_empty() { summary } else { whole });
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

impl Db {
    /// How SQLite finds the rows of a statement.
    async fn plan(&self, sql: &str) -> Vec<String> {
        let mut conn = self.raw().await;
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let rows = sqlx::query(sql).fetch_all(&mut conn).await.unwrap();
        rows.iter().map(|row| row.try_get("detail").unwrap()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_all_the_time_reads_no_large_table_whole() {
    let statements = Statements::default();
    tracing::subscriber::set_global_default(statements.clone()).unwrap();
    let (db, clock) = (Db::sqlite(), Clock::default());
    let texts = TextService::new(db.store_with("n1", "b1", clock.clone()).await, sandbox());
    let store = texts.store();
    texts.send(order(store, &mobile(1))).await;
    db.execute("UPDATE call SET ended_ms = started_ms").await.unwrap();
    statements.0.lock().unwrap().clear();
    let worker = texts.start();
    texts.send(order(store, &mobile(2))).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    store.claim_callbacks(60_000, 4).await.unwrap();
    store.take_back_callbacks(&[]).await.unwrap();
    clock.advance(410 * DAY_MS);
    store.close_unfinished().await.unwrap();
    store.sweep().await.unwrap();
    worker.abort();
    let asked = statements.0.lock().unwrap().clone();
    let partial: BTreeSet<String> = db
        .texts("SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'")
        .await
        .into_iter()
        .flatten()
        .collect();
    let asked: Vec<_> = asked
        .iter()
        .filter(|sql| ["SELECT", "UPDATE", "DELETE", "WITH"].iter().any(|w| sql.starts_with(w)))
        .collect();
    for needed in ["DELETE FROM consent", "UPDATE link", "UPDATE call SET", "DELETE FROM receipt"] {
        assert!(asked.iter().any(|sql| sql.starts_with(needed)), "{needed}: {asked:#?}");
    }
    let mut whole = Vec::new();
    for sql in asked {
        for step in db.plan(sql).await {
            let words: Vec<_> = step.split(' ').collect();
            let ["SCAN", table, rest @ ..] = &words[..] else { continue };
            let by_partial = rest.last().is_some_and(|index| partial.contains(*index));
            if !by_partial && !SMALL.contains(table) {
                whole.push(format!("{step}: {sql}"));
            }
        }
    }
    assert!(whole.is_empty(), "{whole:#?}");
}

#[tokio::test]
async fn what_refers_to_a_row_that_goes_is_found_by_an_index() {
    let db = Db::sqlite();
    db.store().await;
    let references = "SELECT t.name || ' ' || f.\"from\" FROM sqlite_master t \
                      JOIN pragma_foreign_key_list(t.name) f WHERE t.type = 'table'";
    let references: Vec<String> = db.texts(references).await.into_iter().flatten().collect();
    assert_eq!(references.len(), 3, "{references:?}");
    for reference in references {
        let (table, column) = reference.split_once(' ').unwrap();
        let plan = db.plan(&format!("SELECT 1 FROM {table} WHERE {column} = 'x'")).await;
        assert!(plan[0].starts_with("SEARCH"), "{reference}: {plan:?}");
    }
}

async fn what_is_old_is_deleted_in_pieces_with_all_that_refers_to_it(db: Db) {
    const ROWS: u64 = 1_100;
    let clock = Clock::default();
    let store = db.store_with("n1", "b1", clock.clone()).await;
    let texts = TextService::new(store.clone(), sandbox());
    texts.send(order(&store, &mobile(1))).await;
    let now = clock.now_ms();
    let rows = format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {ROWS})"
    );
    let all = [
        "call (call_id, node_id, node_boot, business, flow, started_ms, ended_ms, local_date, \
         local_dow, local_hour, local_quarter) SELECT 'c' || n, 'n1', 'b1', 'retail', 'main', {now}, \
         {now}, '2026-11-24', 2, 12, 49 FROM n",
        "consent (consent_id, call_id, step, prompt_id, prompt_hash, language, purpose, dest_key, \
         at_ms) SELECT 'k' || n, 'c' || n, 'main', 'p', 'h', 'en-GB', 'link', 'd', {now} FROM n",
        "message (message_id, call_id, consent_id, idem_key, purpose, channel, dest_key, dest_enc, \
         state, created_ms, valid_until_ms, erase_after_ms) SELECT 'm' || n, 'c' || n, 'k' || n, \
         'i' || n, 'link', 'sms', 'd', 'sealed', 'delivered', {now}, {now}, {now} FROM n",
        "step (call_id, seq, step, kind, entered_ms, exit) \
         SELECT 'c' || n, 1, 'main', 'menu', {now} + n, '1' FROM n",
        "call_input (call_id, seq, at_ms, input) SELECT 'c' || n, 1, {now}, 'x' FROM n",
    ];
    for insert in all {
        let insert = insert.replace("{now}", &now.to_string());
        db.execute(&format!(
            "INSERT INTO {}",
            insert.replacen(" SELECT", &format!(" {rows} SELECT"), 1)
        ))
        .await
        .unwrap();
    }
    clock.advance(1_000);
    assert_eq!(store.erase_due().await.unwrap(), ROWS);
    clock.advance(100 * DAY_MS);
    assert_eq!(store.sweep().await.unwrap().steps, ROWS);
    let counted = db.number("SELECT CAST(SUM(n) AS BIGINT) FROM step_count").await;
    assert_eq!(counted, i64::try_from(ROWS).ok(), "each once");
    clock.advance(410 * DAY_MS);
    // The text's call never ended.
    assert_eq!(store.sweep().await.unwrap(), Swept { calls: ROWS, ..Swept::default() });
    for (table, left) in
        [("call", 1), ("consent", 1), ("message", 1), ("step", 0), ("call_input", 0)]
    {
        let count = db.number(&format!("SELECT COUNT(*) FROM {table}")).await;
        assert_eq!(count, Some(left), "{table}");
    }
}

/// PostgreSQL's tables may be large, or another node's program may be making them.
async fn the_tables_are_made_though_nobody_waits_for_it_any_more(db: Db) {
    let store = Store::connect(&db.url, keys(), info("n1", "b1"), Clock::default()).unwrap();
    let mut other = db.raw().await;
    if db.is_sqlite() {
        other.execute("BEGIN EXCLUSIVE").await.unwrap();
    } else {
        // As `migrate` locks it.
        other.execute("BEGIN; SELECT pg_advisory_xact_lock(426836651885)").await.unwrap();
    }
    let waited = tokio::time::timeout(Duration::from_millis(300), store.prepare()).await;
    assert!(waited.is_err(), "{waited:?}");
    assert!(!store.is_up().await, "it says so at once");
    other.execute("COMMIT").await.unwrap();
    common::eventually("they are made", async || store.is_up().await).await;
}

#[tokio::test]
async fn what_is_erased_cannot_be_read_from_the_file_any_more() {
    let (db, clock) = (Db::sqlite(), Clock::default());
    let texts = TextService::new(db.store_with("n1", "b1", clock.clone()).await, sandbox());
    for n in 1..=40 {
        texts.send(order(texts.store(), &mobile(n))).await;
    }
    let sealed = "SELECT body_enc FROM message WHERE body_enc IS NOT NULL";
    let sealed: Vec<String> = db.texts(sealed).await.into_iter().flatten().collect();
    let key = "SELECT dest_key FROM message LIMIT 1";
    let key = db.texts(key).await.remove(0).unwrap();
    let file = db.url.strip_prefix("sqlite:").unwrap();
    let has = async |what: &str| {
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
        let bytes = std::fs::read(file).unwrap();
        bytes.windows(what.len()).any(|window| window == what.as_bytes())
    };
    assert!(has(&sealed[0]).await && has(&key).await);
    db.execute("UPDATE message SET state = 'delivered', erase_after_ms = 1").await.unwrap();
    assert_eq!(texts.store().erase_due().await.unwrap(), sealed.len() as u64);
    for one in &sealed {
        assert!(!has(one).await, "a text is erased");
    }
    db.execute("UPDATE call SET ended_ms = started_ms").await.unwrap();
    clock.advance(410 * DAY_MS);
    texts.store().sweep().await.unwrap();
    assert_eq!(db.number("SELECT COUNT(*) FROM message").await, Some(0));
    assert!(!has(&key).await, "pages that are free are blank");
}

#[tokio::test]
async fn a_node_whose_clock_differs_from_the_database_s_says_so() {
    let metrics = PrometheusBuilder::new().install_recorder().unwrap();
    let ahead = || {
        let page = metrics.render();
        let line = page.lines().find_map(|line| line.strip_prefix("carom_store_clock_seconds "));
        line.and_then(|seconds| seconds.parse::<f64>().ok())
    };
    let (db, clock) = (Db::postgres().await, Clock::default());
    db.store_with("n1", "b1", clock.clone()).await;
    assert!(ahead().unwrap().abs() < 1.0, "{:?}", ahead());
    clock.advance(5_000);
    db.store_with("n1", "b2", clock).await;
    assert!((4.0..6.0).contains(&ahead().unwrap()), "{:?}", ahead());
}

/// A statement of a node ends after ten seconds, a report's does not.
#[tokio::test]
async fn a_report_of_a_large_database_has_its_time() {
    let db = Db::postgres().await;
    let store = db.store().await;
    db.execute(
        "DROP TABLE external_count; CREATE VIEW external_count AS SELECT '2026-11-24' AS \
         local_date, current_setting('statement_timeout') AS source, 'x' AS kind, \
         CAST(1 AS BIGINT) AS n",
    )
    .await
    .unwrap();
    let text = |text: &str| Cell::Text(text.to_owned());
    let asked = [text("2026-11-24"), text("2026-11-24"), Cell::Number(0), Cell::Number(1)];
    let report = store.report("channels", &asked).await.unwrap();
    assert_eq!(report.cell(0, "source"), Some(&text("5min")));
}
