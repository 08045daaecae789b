//! What a worker that runs erases and deletes by itself.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use super::*;
use crate::{
    Clock,
    keys::{Keys, Seal},
    store::{NodeInfo, Store},
    text::TextConfig,
};

const DAY_MS: i64 = 86_400_000;

async fn run(store: &Store, sql: &str) {
    let done =
        sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut *store.conn().await.unwrap()).await;
    done.unwrap();
}

/// What is there: calls, steps, and messages whose number is still in them.
async fn left(store: &Store) -> [i64; 3] {
    let mut left = [0; 3];
    for (count, of) in left.iter_mut().zip(["call", "step", "message WHERE dest_enc IS NOT NULL"]) {
        let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM {of}"));
        *count =
            sqlx::query_scalar(sql).fetch_one(&mut *store.conn().await.unwrap()).await.unwrap();
    }
    left
}

/// A call, a step and a text of so long ago.
async fn past(store: &Store, id: &str, days: i64) {
    let at_ms = store.now_ms() - days * DAY_MS;
    let (over_ms, erase_ms) = (at_ms + 1_000, at_ms + DAY_MS);
    for sql in [
        format!(
            "INSERT INTO call (call_id, node_id, node_boot, business, started_ms, ended_ms, \
             local_date, local_dow, local_hour, local_quarter, handled, end_reason) VALUES \
             ('{id}', 'n1', 'b0', 'retail', {at_ms}, {over_ms}, '2026-11-24', 2, 12, 49, \
             'no_human', 'deflected')"
        ),
        format!(
            "INSERT INTO step (call_id, seq, step, kind, entered_ms) \
             VALUES ('{id}', 1, 'main', 'menu', {at_ms})"
        ),
        format!(
            "INSERT INTO consent (consent_id, call_id, step, prompt_id, prompt_hash, language, \
             purpose, dest_key, at_ms) VALUES ('{id}', '{id}', 'main', 'p', 'h', 'en-GB', 'link', \
             'd', {at_ms})"
        ),
        format!(
            "INSERT INTO message (message_id, call_id, consent_id, idem_key, purpose, channel, \
             dest_key, dest_enc, body_enc, state, created_ms, valid_until_ms, final_ms, \
             erase_after_ms) VALUES ('{id}', '{id}', '{id}', '{id}', 'link', 'sms', 'd', 'x', 'x', \
             'delivered', {at_ms}, {over_ms}, {over_ms}, {erase_ms})"
        ),
    ] {
        run(store, &sql).await;
    }
}

async fn becomes(store: &Store, expected: [i64; 3], what: &str) {
    for _ in 0..200 {
        if left(store).await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: {:?}", left(store).await);
}

/// At its 60th look it erases, at its 3,600th it deletes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_erases_each_minute_and_deletes_each_hour_what_is_past_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/carom.db", folder.path().display());
    let node = NodeInfo {
        node_id: "n1".to_owned(),
        node_boot: "b1".to_owned(),
        version: "1".to_owned(),
        lease: Duration::from_secs(30),
    };
    let keys = Keys::new(Seal::from_secret(b"seal"), 90, BTreeMap::new());
    let store = Store::connect(&url, keys, node, Clock::default()).unwrap();
    store.prepare().await.unwrap();
    for (id, days) in [("new", 0), ("older", 2), ("old", 91), ("oldest", 14 * 31)] {
        past(&store, id, days).await;
    }
    let texts = TextService::new(store.clone(), TextConfig::default());
    for (looks, before, after, what) in [
        (0, [4, 4, 4], [4, 4, 4], "at its first looks"),
        (ERASE_EVERY - 2, [4, 4, 4], [4, 4, 1], "numbers and texts go after a day"),
        (SWEEP_EVERY - 2, [4, 4, 1], [3, 2, 1], "steps after 90 days, calls after 13 months"),
    ] {
        assert_eq!(left(&store).await, before, "{what}");
        let worker = texts.watch(looks);
        if before == after {
            tokio::time::sleep(Duration::from_millis(1_300)).await;
        }
        becomes(&store, after, what).await;
        worker.abort();
    }
}
