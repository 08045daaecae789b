//! What is old goes, what must stay stays, and a caller can be forgotten.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::time::Duration;

use common::{Db, call, ended, mobile, order, sandbox};
use deflect_actions::{
    Clock,
    store::{CallInput, Cell, Erased, OutcomeRow, Row, StepRow, Store, Swept, Writer},
    text::{TextOutcome, TextService},
};

on_both!(
    steps_go_after_ninety_days_and_calls_with_all_that_refers_to_them_after_thirteen_months,
    dp_11_steps_are_counted_before_they_go_and_the_reports_say_the_same_as_before,
    a_caller_is_forgotten_and_the_opt_out_is_not,
);

const DAY_MS: i64 = 86_400_000;

/// A call with a text, an offer, a consent, a step, an input and an outcome.
async fn texted(store: &Store, n: u32) -> String {
    let texts = TextService::new(store.clone(), sandbox());
    let order = order(store, &mobile(n));
    let call = order.call.clone();
    assert!(matches!(texts.send(order).await, TextOutcome::Accepted { .. }));
    let id = call.call_id.clone();
    let writer = Writer::start(store.clone());
    let step = StepRow {
        call_id: id.clone(),
        seq: 1,
        step: "main".to_owned(),
        kind: "menu".to_owned(),
        entered_ms: call.started_ms,
        left_ms: Some(call.started_ms + 5),
        first_key_ms: None,
        exit: Some("1".to_owned()),
        note: None,
        tries: 1,
    };
    let input = CallInput {
        call_id: id.clone(),
        seq: 1,
        at_ms: call.started_ms,
        input: "\"Start\"".to_owned(),
    };
    let outcome = OutcomeRow {
        outcome_id: id.clone(),
        call_id: id.clone(),
        kind: "resolved".to_owned(),
        csat: None,
        at_ms: call.started_ms,
        source: "page".to_owned(),
    };
    for row in [Row::Step(step), Row::CallInput(input), Row::Outcome(outcome)] {
        writer.try_write(row).unwrap();
    }
    writer.try_write(ended(&call, "no_human", "deflected")).unwrap();
    assert!(writer.flush(Duration::from_secs(5)).await);
    id
}

async fn count(db: &Db, table: &str) -> i64 {
    db.number(&format!("SELECT COUNT(*) FROM {table}")).await.unwrap()
}

async fn steps_go_after_ninety_days_and_calls_with_all_that_refers_to_them_after_thirteen_months(
    db: Db,
) {
    let clock = Clock::default();
    let store = db.store_with("n1", "b1", clock.clone()).await;
    texted(&store, 1).await;
    // One that never ended stays, whatever its age: its node may be alive.
    let running = call(clock.now_ms(), Some(&mobile(2)));
    let writer = Writer::start(store.clone());
    writer.try_write(Row::CallStarted(running)).unwrap();
    assert!(writer.flush(Duration::from_secs(5)).await);
    store.opt_out("retail", &mobile(3), "", "text").await.unwrap();
    assert_eq!(store.sweep().await.unwrap(), Swept::default());

    clock.advance(91 * DAY_MS);
    let swept = store.sweep().await.unwrap();
    assert_eq!(swept, Swept { erased: 1, steps: 1, calls: 0 });
    for (table, rows) in
        [("step", 0), ("step_count", 1), ("call_input", 0), ("call", 2), ("message", 1)]
    {
        assert_eq!(count(&db, table).await, rows, "{table}");
    }

    let newer = texted(&store, 4).await;
    clock.advance(13 * 31 * DAY_MS - 90 * DAY_MS);
    assert_eq!(store.sweep().await.unwrap().calls, 1);
    for table in ["message", "consent", "offer", "outcome"] {
        assert_eq!(count(&db, table).await, 1, "{table}: only the newer call's");
    }
    let mut left = db.texts("SELECT call_id FROM call WHERE ended_ms IS NOT NULL").await;
    assert_eq!(left.pop(), Some(Some(newer)));
    assert_eq!(count(&db, "call").await, 2);
    assert_eq!(count(&db, "opt_out").await, 1, "they stay");
    let opted_out = store.is_opted_out("retail", &mobile(3), "").await.unwrap();
    assert!(opted_out, "and are found under their own key");
}

async fn dp_11_steps_are_counted_before_they_go_and_the_reports_say_the_same_as_before(db: Db) {
    let clock = Clock::default();
    let store = db.store_with("n1", "b1", clock.clone()).await;
    for n in 1..=3 {
        texted(&store, n).await;
    }
    let visits = async |store: &Store| {
        let dates = ["2000-01-01", "2999-12-31"].map(|date| Cell::Text(date.to_owned()));
        let range = [dates.to_vec(), vec![Cell::Number(0), Cell::Number(i64::MAX)]].concat();
        store.report("step_visits", &range).await.unwrap().rows
    };
    let text = |text: &str| Cell::Text(text.to_owned());
    let expected = |n| vec![vec![text("main"), text("main"), text("1"), Cell::Number(n)]];
    assert_eq!(visits(&store).await, expected(3));
    // Half of them are old: what is counted and what is there are one sum.
    clock.advance(50 * DAY_MS);
    texted(&store, 4).await;
    clock.advance(41 * DAY_MS);
    let other = db.store_with("n2", "b1", clock.clone()).await;
    // Nodes that sweep at once count nothing twice.
    let (one, two) = tokio::join!(store.sweep(), other.sweep());
    assert_eq!(one.unwrap().steps + two.unwrap().steps, 3);
    assert_eq!(count(&db, "step").await, 1);
    assert_eq!(visits(&store).await, expected(4));
    clock.advance(60 * DAY_MS);
    store.sweep().await.unwrap();
    assert_eq!(count(&db, "step").await, 0);
    assert_eq!(visits(&store).await, expected(4));
    let rows = "SELECT flow_rev || ' ' || local_date || ' ' || exit FROM step_count";
    assert_eq!(db.texts(rows).await, [Some("abc 2026-11-24 1".to_owned())]);
    // As long as calls are kept.
    clock.advance(14 * 31 * DAY_MS);
    store.sweep().await.unwrap();
    assert_eq!(count(&db, "step_count").await, 0);
}

async fn a_caller_is_forgotten_and_the_opt_out_is_not(db: Db) {
    let clock = Clock::default();
    let store = db.store_with("n1", "b1", clock.clone()).await;
    texted(&store, 1).await;
    texted(&store, 2).await;
    store.opt_out("retail", &mobile(1), "", "call").await.unwrap();
    let erased = store.erase_number("retail", &mobile(1)).await.unwrap();
    assert_eq!(erased, Erased { calls: 1, messages: 1, ..Erased::default() });
    assert_eq!(store.erase_number("retail", &mobile(1)).await.unwrap(), Erased::default());
    let sealed = "SELECT COUNT(*) FROM message WHERE dest_enc IS NOT NULL AND dest_key <> ''";
    assert_eq!(db.number(sealed).await, Some(1), "the other caller's");
    let known = "SELECT COUNT(*) FROM call WHERE caller_key IS NOT NULL";
    assert_eq!(db.number(known).await, Some(1));
    let since = clock.now_ms() - DAY_MS;
    let history = async |n| {
        let limit = Duration::from_secs(5);
        store.history("retail", &mobile(n), "none", since, limit).await.unwrap()
    };
    // A page whose link another IVR texts has no message of ours.
    let elsewhere = call(clock.now_ms(), Some(&mobile(3)));
    let writer = Writer::start(store.clone());
    writer.try_write(Row::CallStarted(elsewhere.clone())).unwrap();
    assert!(writer.flush(Duration::from_secs(5)).await);
    let page = common::page();
    store.keep_page(&elsewhere.call_id, &page).await.unwrap();
    assert!(store.link(&page.token).await.unwrap().unwrap().page.is_some());
    let erased = store.erase_number("retail", &mobile(3)).await.unwrap();
    assert_eq!(erased, Erased { calls: 1, links: 1, ..Erased::default() });
    assert!(store.link(&page.token).await.unwrap().unwrap().page.is_none());
    let (forgotten, other) = (history(1).await, history(2).await);
    assert!(forgotten.calls_ms.is_empty() && forgotten.opted_out);
    assert_eq!((other.calls_ms.len(), other.opted_out), (1, false));
}
