//! One-off closures and openings on both databases: what was decided last counts, on every node
//! and after a restart, none of it is a flag, and each change is audited.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use common::Db;
use deflect_actions::{
    Clock,
    store::{HoursChange, LONGEST_ONE_OFF, Store},
};

on_both!(
    kh_07_one_offs_outlive_restarts_and_reach_other_nodes,
    kh_07_what_is_taken_back_or_over_is_gone_and_the_rest_is_in_order,
    kh_07_hours_are_no_flags_and_flags_no_hours,
    kh_07_each_change_of_hours_is_audited,
);

const HOUR_MS: i64 = 3_600_000;

async fn kh_07_one_offs_outlive_restarts_and_reach_other_nodes(db: Db) {
    let store = db.store().await;
    let closed = change(&store, false, 0, 2);
    store.change_hours("london", &closed, "operator").await.unwrap();
    for other in [db.store_as("n1", "b2").await, db.store_as("n2", "b1").await] {
        let [one_off] = &other.one_offs().await.unwrap()[..] else { panic!() };
        assert_eq!((one_off.hours.as_str(), &one_off.change), ("london", &closed));
        assert_eq!(one_off.by_whom, "operator");
    }
}

async fn kh_07_what_is_taken_back_or_over_is_gone_and_the_rest_is_in_order(db: Db) {
    let clock = Clock::default();
    let store = db.store_with("n1", "b1", clock.clone()).await;
    for (hours, open, until) in [("london", false, 1), ("paris", false, 5), ("london", true, 3)] {
        let change = change(&store, open, 0, until);
        store.change_hours(hours, &change, "operator").await.unwrap();
        clock.advance(1);
    }
    assert_eq!(told(&store).await, ["london closed", "paris closed", "london open"]);
    clock.advance(HOUR_MS);
    assert_eq!(told(&store).await, ["paris closed", "london open"]);
    store.clear_hours("london", "operator").await.unwrap();
    assert_eq!(told(&store).await, ["paris closed"]);
    clock.advance(1);
    let later = change(&store, true, 10, 12);
    store.change_hours("london", &later, "operator").await.unwrap();
    assert_eq!(told(&store).await, ["paris closed", "london open"]);
    clock.advance(12 * HOUR_MS);
    assert!(told(&store).await.is_empty());
    // The longest is read to its end.
    let longest = i64::try_from(LONGEST_ONE_OFF.as_millis()).unwrap();
    let change = change(&store, true, 0, longest / HOUR_MS);
    store.change_hours("rome", &change, "operator").await.unwrap();
    clock.advance(longest - HOUR_MS);
    assert_eq!(told(&store).await, ["rome open"]);
}

async fn kh_07_hours_are_no_flags_and_flags_no_hours(db: Db) {
    let clock = Clock::default();
    let store = db.store_with("n1", "b1", clock.clone()).await;
    store.set_flag("outage", true, "operator").await.unwrap();
    let closed = change(&store, false, 0, 2);
    store.change_hours("london", &closed, "operator").await.unwrap();
    store.change_hours("outage", &closed, "operator").await.unwrap();
    clock.advance(2);
    store.clear_hours("outage", "operator").await.unwrap();
    assert_eq!(store.flags().await.unwrap(), ["outage"]);
    assert_eq!(told(&store).await, ["london closed"]);
    store.set_flag("london", true, "operator").await.unwrap();
    assert_eq!(told(&store).await, ["london closed"]);
}

async fn kh_07_each_change_of_hours_is_audited(db: Db) {
    let store = db.store().await;
    let because = "fire \"alarm\"; 'sorry'".to_owned();
    let closed = HoursChange { open: false, from_ms: 5, until_ms: i64::MAX, because };
    store.change_hours("london", &closed, "operator").await.unwrap();
    let open = HoursChange { open: true, from_ms: 5, until_ms: 6, because: String::new() };
    store.change_hours("london", &open, "operator").await.unwrap();
    store.clear_hours("london", "somebody").await.unwrap();
    let rows = db.texts("SELECT who || '|' || what || '|' || detail FROM audit ORDER BY audit_id");
    let rows: Vec<String> = rows.await.into_iter().flatten().collect();
    let because = r#""because":"fire \"alarm\"; 'sorry'""#;
    let end = r#""from_ms":5,"open":false,"until_ms":9223372036854775807"#;
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0], format!("operator|hours close|london {{{because},{end}}}"));
    assert!(rows[1].starts_with("operator|hours open|london {"), "{rows:?}");
    assert_eq!(rows[2], "somebody|hours clear|london");
}

fn change(store: &Store, open: bool, from_hours: i64, until_hours: i64) -> HoursChange {
    let at_ms = |hours: i64| store.clock().now_ms() + hours * HOUR_MS;
    HoursChange {
        open,
        from_ms: at_ms(from_hours),
        until_ms: at_ms(until_hours),
        because: String::new(),
    }
}

async fn told(store: &Store) -> Vec<String> {
    let one_offs = store.one_offs().await.unwrap().into_iter();
    one_offs
        .map(|one_off| {
            format!("{} {}", one_off.hours, if one_off.change.open { "open" } else { "closed" })
        })
        .collect()
}
