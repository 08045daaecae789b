//! Many opt-outs at once: all or none, and callers' texts go meanwhile.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::time::{Duration, Instant};

use common::{Db, eventually, keys, mobile, number, order, sandbox};
use deflect_actions::{
    store::{OptOutOrder, Store},
    text::{TextOutcome, TextService},
};
use tokio::task::JoinHandle;

on_both!(
    x_05_texts_go_while_many_opt_outs_are_imported_and_all_of_these_hold,
    x_05_an_import_that_dies_half_way_is_none_or_whole_after_the_next_start,
);

/// One import, and who asked for it.
const BY: (&str, &str, &str) = ("olivia", "opt-out import", "many");
const HELD: &str = "SELECT COUNT(*) FROM opt_out WHERE revoked_ms IS NULL";
const STAGED: &str = "SELECT COUNT(*) FROM opt_out_staged";
/// There is no list beside the list on PostgreSQL: its one transaction is under way.
const INSERTING: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
     AND state <> 'idle' AND query LIKE 'INSERT INTO opt_out %'";

/// The first `count` mobile numbers beyond those that are texted.
fn many(count: u32) -> Vec<OptOutOrder> {
    let keys = keys();
    let of = |n| number(&format!("+44740{:07}", 5_000_000 + n));
    (0..count).map(|n| OptOutOrder::new(&keys, "retail", &of(n), "")).collect()
}

fn import(store: &Store, orders: Vec<OptOutOrder>) -> JoinHandle<()> {
    let store = store.clone();
    tokio::spawn(async move {
        store.opt_out_all(orders, "import", BY).await.unwrap();
    })
}

#[expect(clippy::disallowed_methods, reason = "a test measures how long a caller waits")]
fn now() -> Instant {
    Instant::now()
}

async fn x_05_texts_go_while_many_opt_outs_are_imported_and_all_of_these_hold(db: Db) {
    // `tests/run --long`: a list such as a carrier hands over.
    let count =
        if std::env::var("CAROM_LONG").is_ok_and(|long| long == "1") { 200_000 } else { 10_000 };
    let mut config = sandbox();
    (config.limits.line_minute, config.limits.prefix_hour) = (1_000_000, 1_000_000);
    let texts = TextService::new(db.store().await, config);
    // One is there already, and is not there twice.
    let orders = many(count);
    texts.store().opt_out_all(orders[..1].to_vec(), "operator", BY).await.unwrap();
    let importing = import(texts.store(), orders);
    let started = now();
    let (mut sent, mut longest) = (0, Duration::ZERO);
    while !importing.is_finished() {
        sent += 1;
        let begun = now();
        let outcome = texts.send(order(texts.store(), &mobile(sent))).await;
        longest = longest.max(begun.elapsed());
        assert!(matches!(outcome, TextOutcome::Accepted { .. }), "text {sent}: {outcome:?}");
    }
    importing.await.unwrap();
    let took = started.elapsed();
    println!("{count} opt-outs in {took:?}; {sent} texts meanwhile, the slowest took {longest:?}");
    assert!(sent > 1, "the import was over at once");
    // A caller's text that has no turn within two seconds is not sent.
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    assert_eq!(db.number(HELD).await, Some(i64::from(count)));
    assert_eq!(db.number(STAGED).await, Some(0));
    let audited = "SELECT COUNT(*) FROM audit WHERE what = 'opt-out import'";
    assert_eq!(db.number(audited).await, Some(2));
}

async fn x_05_an_import_that_dies_half_way_is_none_or_whole_after_the_next_start(db: Db) {
    let count = 5_000;
    let store = db.store().await;
    // Killed while it gathers: nothing of it holds, now or later.
    let importing = import(&store, many(count));
    let begun = if db.url.starts_with("postgres") { INSERTING } else { STAGED };
    eventually("it has begun", async || {
        importing.is_finished() || db.number(begun).await != Some(0)
    })
    .await;
    importing.abort();
    let _ = importing.await;
    let held = db.number(HELD).await.unwrap();
    let decided = "SELECT COUNT(*) FROM opt_out_import WHERE decided_ms IS NOT NULL";
    let was_decided = held > 0 || db.number(decided).await != Some(0);
    let again = db.store_as("n1", "b2").await;
    let whole = if was_decided { i64::from(count) } else { 0 };
    assert_eq!(db.number(HELD).await, Some(whole));
    // What nobody gathers any more is thrown away by the first sweep an hour later.
    db.execute("UPDATE opt_out_import SET begun_ms = begun_ms - 3700000").await.unwrap();
    again.sweep().await.unwrap();
    assert_eq!(db.number(STAGED).await, Some(0));
    assert_eq!(db.number("SELECT COUNT(*) FROM opt_out_import").await, Some(0));
    assert_eq!(db.number(HELD).await, Some(whole));

    // Killed after it was decided on: the next start puts it in force before anybody is texted.
    db.execute(
        "INSERT INTO opt_out_import (import_id, via, begun_ms, decided_ms) VALUES ('i', 'import', 1, 2); \
         INSERT INTO opt_out_staged (import_id, n, opt_key, brand, topic, shown) \
         VALUES ('i', 0, 'k0', 'Example', '', 'GB …00'), ('i', 1, 'k1', 'Example', '', 'GB …01'); \
         INSERT INTO opt_out (opt_key, brand, topic, via, since_ms, revoked_ms) \
         VALUES ('k1', 'Example', '', 'text', 1, 3)",
    )
    .await
    .unwrap();
    db.store_as("n1", "b3").await;
    let held = "SELECT opt_key FROM opt_out WHERE revoked_ms IS NULL AND opt_key IN ('k0', 'k1')";
    // The second has asked for texts again after the decision.
    assert_eq!(db.texts(held).await, [Some("k0".to_owned())]);
    assert_eq!(db.number(STAGED).await, Some(0));
}
