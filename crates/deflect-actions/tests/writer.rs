//! The writer while the database does not write: kept up to a bound, counted beyond it, written
//! when it can be; and a database that is not ours to write to.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::time::Duration;

use common::{Db, call, ended, eventually, info, keys, mobile, order, sandbox};
use deflect_actions::{
    Clock,
    store::{OutcomeRow, Row, StepRow, Store, StoreError, Writer},
    text::{TextOrder, TextOutcome, TextService},
};
use sqlx::{AnyConnection, Executor};

on_both!(
    x_08_a_limit_that_bites_while_the_database_is_busy_is_recorded_and_nobody_waits_for_that,
    when_room_runs_out_steps_make_room_for_how_calls_ended,
    x_08_rows_wait_for_a_locked_database_up_to_a_bound_and_are_then_written,
    a_row_that_the_database_refuses_costs_no_other_row,
    a_database_of_a_newer_program_is_refused_and_left_alone,
    nodes_that_start_together_make_the_tables_once,
    a_store_at_rest_holds_no_connection_and_goes_on_when_needed,
);

/// Rows that wait at most, and those of the commit that is being tried.
const WAITING: usize = 16_384 + 512;

async fn x_08_rows_wait_for_a_locked_database_up_to_a_bound_and_are_then_written(db: Db) {
    let store = db.store().await;
    let call = call(store.clock().now_ms(), Some(&mobile(1)));
    let mut conn = locked(&db).await;
    let writer = Writer::start(store);
    writer.try_write(Row::CallStarted(call.clone())).unwrap();
    let mut taken = 0;
    for n in 0..20_000 {
        let row = OutcomeRow {
            outcome_id: format!("o{n}"),
            call_id: call.call_id.clone(),
            kind: "rated".to_owned(),
            csat: Some(5),
            at_ms: n,
            source: "test".to_owned(),
        };
        taken += usize::from(writer.try_write(Row::Outcome(row)).is_ok());
        if n % 100 == 0 {
            // The caller never waits; the writing task gets its turn all the same.
            tokio::task::yield_now().await;
        }
    }
    assert!((16_384 - 1..=WAITING).contains(&taken), "{taken}");
    let lost = 20_000 - u64::try_from(taken).unwrap();
    assert_eq!((writer.figures().lost, writer.figures().written), (lost, 0));
    assert!(!writer.flush(Duration::from_millis(200)).await, "nothing can be written yet");

    conn.execute(sqlx::raw_sql("ROLLBACK")).await.unwrap();
    assert!(writer.flush(Duration::from_secs(30)).await);
    let rows = db.number("SELECT COUNT(*) FROM outcome").await.unwrap();
    assert_eq!(usize::try_from(rows).unwrap(), taken);
    let figures = writer.figures();
    assert_eq!((figures.lost, figures.refused, figures.waiting), (lost, 0, 0));
    assert_eq!(figures.written, u64::try_from(taken).unwrap() + 1);
}

/// Nothing can be written until it rolls back.
async fn locked(db: &Db) -> AnyConnection {
    let mut conn = db.raw().await;
    let lock = if db.url.starts_with("sqlite") {
        "BEGIN EXCLUSIVE"
    } else {
        "BEGIN; LOCK TABLE call, outcome IN ACCESS EXCLUSIVE MODE"
    };
    conn.execute(sqlx::raw_sql(lock)).await.unwrap();
    conn
}

async fn x_08_a_limit_that_bites_while_the_database_is_busy_is_recorded_and_nobody_waits_for_that(
    db: Db,
) {
    let store = db.store().await;
    let writer = Writer::start(store.clone());
    let mut config = sandbox();
    config.limits.caller_hour = 1;
    let texts = TextService::new(store, config);
    let send = async || {
        let order = order(texts.store(), &mobile(1));
        let call = order.call.clone();
        writer.try_write(Row::CallStarted(call)).unwrap();
        texts.send(TextOrder { repeat_after_minutes: 0, ..order }).await
    };
    assert!(matches!(send().await, TextOutcome::Accepted { .. }));
    assert!(writer.flush(Duration::from_secs(10)).await);
    let mut conn = db.raw().await;
    let lock = match db.url.starts_with("sqlite") {
        true => "BEGIN EXCLUSIVE",
        false => "BEGIN; LOCK TABLE limit_hit IN ACCESS EXCLUSIVE MODE",
    };
    conn.execute(sqlx::raw_sql(lock)).await.unwrap();
    for _ in 0..18 {
        let told = tokio::time::timeout(Duration::from_secs(1), send()).await;
        let limited = TextOutcome::Limited { rule: "texts_per_caller".to_owned() };
        assert_eq!(told.expect("at once"), limited);
    }
    assert!(!writer.flush(Duration::from_millis(200)).await, "nothing can be written yet");
    conn.execute(sqlx::raw_sql("ROLLBACK")).await.unwrap();
    assert!(writer.flush(Duration::from_secs(30)).await);
    assert_eq!(db.number("SELECT COUNT(*) FROM limit_hit").await, Some(18));
    assert_eq!(db.number("SELECT COUNT(DISTINCT call_id) FROM limit_hit").await, Some(18));
    assert_eq!((writer.figures().lost, writer.figures().refused), (0, 0));
}

async fn when_room_runs_out_steps_make_room_for_how_calls_ended(db: Db) {
    let store = db.store().await;
    let call = call(store.clock().now_ms(), Some(&mobile(1)));
    let mut conn = locked(&db).await;
    let writer = Writer::start(store);
    writer.try_write(Row::CallStarted(call.clone())).unwrap();
    let step = |seq| StepRow {
        call_id: call.call_id.clone(),
        seq,
        step: "menu".to_owned(),
        kind: "menu".to_owned(),
        entered_ms: 0,
        left_ms: None,
        first_key_ms: None,
        exit: None,
        note: None,
        tries: 1,
    };
    let taken = (0..20_000).filter(|&seq| writer.try_write(Row::Step(step(seq))).is_ok()).count();
    assert!(taken <= WAITING - 16_384 / 4, "{taken}");
    writer.try_write(ended(&call, "human", "forwarded")).unwrap();
    conn.execute(sqlx::raw_sql("ROLLBACK")).await.unwrap();
    assert!(writer.flush(Duration::from_secs(30)).await);
    let ends = "SELECT COUNT(*) FROM call WHERE end_reason = 'forwarded'";
    assert_eq!(db.number(ends).await, Some(1));
    assert_eq!(writer.figures().lost, 20_000 - taken as u64);
}

async fn a_row_that_the_database_refuses_costs_no_other_row(db: Db) {
    let store = db.store().await;
    let now = store.clock().now_ms();
    let calls: Vec<_> = (0..20).map(|n| call(now, Some(&mobile(n)))).collect();
    let writer = Writer::start(store);
    for (n, call) in calls.iter().enumerate() {
        writer.try_write(Row::CallStarted(call.clone())).unwrap();
        let reason = if n == 7 { "of no kind that the schema knows" } else { "forwarded" };
        writer.try_write(ended(call, "human", reason)).unwrap();
    }
    assert!(writer.flush(Duration::from_secs(10)).await);
    let figures = writer.figures();
    assert_eq!((figures.refused, figures.lost, figures.written), (1, 0, 39));
    let over = "SELECT COUNT(*) FROM call WHERE end_reason = 'forwarded'";
    assert_eq!(db.number(over).await, Some(19));
    assert_eq!(db.number("SELECT COUNT(*) FROM call").await, Some(20));
}

async fn a_database_of_a_newer_program_is_refused_and_left_alone(db: Db) {
    drop(db.store().await);
    let newer = "INSERT INTO schema_version (version, applied_ms) VALUES (999, 0)";
    db.execute(newer).await.unwrap();
    let store = Store::connect(&db.url, keys(), info("n1", "b2"), Clock::default()).unwrap();
    let error = store.prepare().await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 999, known } if known < 999), "{error}");
    assert!(error.to_string().contains("run the newer program"), "{error}");
    assert!(!store.is_up().await);
    let starts = "SELECT COUNT(*) FROM node WHERE node_boot = 'b2'";
    assert_eq!(db.number(starts).await, Some(0));
}

async fn nodes_that_start_together_make_the_tables_once(db: Db) {
    let start = |node: &'static str| db.store_as(node, "b1");
    let (a, b, c, d) = tokio::join!(start("n1"), start("n2"), start("n3"), start("n4"));
    for store in [a, b, c, d] {
        assert!(store.is_up().await);
    }
    let versions = "SELECT MAX(version) - COUNT(*) FROM schema_version";
    assert_eq!(db.number(versions).await, Some(0), "each step once");
    assert_eq!(db.number("SELECT COUNT(*) FROM node").await, Some(4));
}

async fn a_store_at_rest_holds_no_connection_and_goes_on_when_needed(db: Db) {
    let store = db.store().await;
    let started = call(store.clock().now_ms(), Some(&mobile(1)));
    let writer = Writer::start(store.clone());
    writer.try_write(Row::CallStarted(started.clone())).unwrap();
    assert!(writer.flush(Duration::from_secs(30)).await);
    let file = db.url.strip_prefix("sqlite:");
    if let Some(file) = file {
        assert_ne!(open_files(file), 0, "the file is open while it is worked with");
    }

    // A connection is idle a moment after its work is done.
    eventually("no connection is left", async || {
        store.rest().await;
        file.is_none_or(|file| open_files(file) == 0)
    })
    .await;
    writer.try_write(ended(&started, "no_human", "deflected")).unwrap();
    assert!(writer.flush(Duration::from_secs(30)).await);
    assert_eq!(db.number("SELECT COUNT(*) FROM call WHERE ended_ms > 0").await, Some(1));
}

/// How often this process has `file`, or what belongs to it, open.
fn open_files(file: &str) -> usize {
    std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
        .filter(|path| path.to_string_lossy().starts_with(file))
        .count()
}
