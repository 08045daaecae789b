//! Calls in the store, on both databases: closed honestly, and with their true end.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::time::Duration;

use common::{Db, call, ended, mobile};
use deflect_actions::{
    Clock,
    store::{CallProgress, CallStarted, Row, Writer},
};

on_both!(
    a_running_call_is_not_closed_by_its_own_node_whose_lease_came_late,
    a_call_that_another_node_closed_gets_its_true_end,
    unfinished_calls_of_an_earlier_start_are_closed_and_others_are_not,
    dp_22_the_control_group_is_known_from_the_start,
    a_flow_served_again_after_another_is_marked_as_changed,
);

async fn write(db: &Db, clock: &Clock, rows: impl IntoIterator<Item = Row>) {
    let writer = Writer::start(db.store_with("n1", "b1", clock.clone()).await);
    for row in rows {
        writer.try_write(row).unwrap();
    }
    assert!(writer.flush(Duration::from_secs(5)).await);
}

async fn end_of(db: &Db, call: &CallStarted) -> Option<String> {
    let sql = format!("SELECT end_reason FROM call WHERE call_id = '{}'", call.call_id);
    db.texts(&sql).await.remove(0)
}

async fn a_running_call_is_not_closed_by_its_own_node_whose_lease_came_late(db: Db) {
    let clock = Clock::default();
    let call = call(clock.now_ms(), Some(&mobile(1)));
    write(&db, &clock, [Row::CallStarted(call.clone())]).await;
    let store = db.store_with("n1", "b1", clock.clone()).await;
    clock.advance(600_000);
    assert_eq!(store.close_unfinished().await.unwrap(), 0);
    assert_eq!(end_of(&db, &call).await, None);
}

async fn a_call_that_another_node_closed_gets_its_true_end(db: Db) {
    let clock = Clock::default();
    let call = call(clock.now_ms(), Some(&mobile(1)));
    write(&db, &clock, [Row::CallStarted(call.clone())]).await;
    clock.advance(600_000);
    let other = db.store_with("n2", "b1", clock.clone()).await;
    assert_eq!(other.close_unfinished().await.unwrap(), 0, "it did so when it started");
    assert_eq!(end_of(&db, &call).await.as_deref(), Some("error"));
    write(&db, &clock, [ended(&call, "no_human", "deflected")]).await;
    assert_eq!(end_of(&db, &call).await.as_deref(), Some("deflected"));
}

async fn unfinished_calls_of_an_earlier_start_are_closed_and_others_are_not(db: Db) {
    let clock = Clock::default();
    let (left, over) = (call(clock.now_ms(), None), call(clock.now_ms(), None));
    let rows = [left.clone(), over.clone()].map(Row::CallStarted);
    write(&db, &clock, rows.into_iter().chain([ended(&over, "human", "forwarded")])).await;
    db.store_with("n2", "b1", clock.clone()).await;
    assert_eq!(end_of(&db, &left).await, None, "its node may be alive");
    db.store_with("n1", "b2", clock.clone()).await;
    assert_eq!(end_of(&db, &left).await.as_deref(), Some("error"));
    assert_eq!(end_of(&db, &over).await.as_deref(), Some("forwarded"));
}

async fn dp_22_the_control_group_is_known_from_the_start(db: Db) {
    let clock = Clock::default();
    let call = call(clock.now_ms(), None);
    let progress = CallProgress {
        call_id: call.call_id.clone(),
        answered_ms: None,
        forward_target: None,
        forward_started_ms: None,
        human_answered_ms: None,
        holdout: true,
    };
    write(&db, &clock, [Row::CallStarted(call), Row::CallProgress(progress)]).await;
    assert_eq!(db.texts("SELECT arm FROM call").await, [Some("holdout".to_owned())]);
}

async fn a_flow_served_again_after_another_is_marked_as_changed(db: Db) {
    let store = db.store().await;
    for rev in ["r1", "r1", "r2", "r1"] {
        store.served_flow(rev, "main", "text").await.unwrap();
    }
    assert_eq!(db.number("SELECT COUNT(*) FROM flow_rev").await, Some(2));
    let marks = "SELECT value FROM change_marker ORDER BY at_ms, marker_id";
    assert_eq!(db.texts(marks).await, ["r1", "r2", "r1"].map(|rev| Some(rev.to_owned())));
}
