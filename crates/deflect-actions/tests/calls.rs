//! Calls in the store, on both databases: closed honestly, and with their true end.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::time::Duration;

use common::{Db, call, ended, mobile, offer};
use deflect_actions::{
    Clock,
    store::{CallProgress, CallStarted, FlowServed, OfferRow, OutcomeRow, Row, Writer},
};

on_both!(
    a_running_call_is_not_closed_by_its_own_node_whose_lease_came_late,
    a_call_that_another_node_closed_gets_its_true_end,
    unfinished_calls_of_an_earlier_start_are_closed_and_others_are_not,
    dp_22_the_control_group_is_known_from_the_start,
    a_flow_served_again_after_another_is_marked_as_changed,
    what_is_learned_of_a_call_in_one_batch_is_all_kept,
    many_calls_of_one_batch_all_have_their_own_end,
    all_that_is_known_of_a_caller_is_told_at_once,
);

async fn write(db: &Db, clock: &Clock, rows: impl IntoIterator<Item = Row>) {
    let writer = Writer::start(db.store_with("n1", "b1", clock.clone()).await);
    for row in rows {
        writer.try_write(row).unwrap();
    }
    assert!(writer.flush(Duration::from_secs(5)).await);
}

fn progress(call: &CallStarted) -> CallProgress {
    CallProgress {
        call_id: call.call_id.clone(),
        answered_ms: None,
        forward_target: None,
        forward_started_ms: None,
        human_answered_ms: None,
        holdout: false,
    }
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
    let progress = CallProgress { holdout: true, ..progress(&call) };
    write(&db, &clock, [Row::CallStarted(call), Row::CallProgress(progress)]).await;
    assert_eq!(db.texts("SELECT arm FROM call").await, [Some("holdout".to_owned())]);
}

async fn a_flow_served_again_after_another_is_marked_as_changed(db: Db) {
    let store = db.store().await;
    let of = |rev: &str, file: &str| FlowServed {
        rev: rev.to_owned(),
        flow: "main".to_owned(),
        file: file.to_owned(),
        source: format!("text of {rev}"),
        subs: [("pin.toml".to_owned(), format!("pin of {rev}"))].into(),
    };
    for (rev, author) in [("r1", "start"), ("r1", "start"), ("r2", "anna"), ("r1", "ben")] {
        store.served_flows(&[of(rev, "flows/main.toml")], author).await.unwrap();
    }
    let other = FlowServed { rev: "r3".to_owned(), flow: "other".to_owned(), ..of("r3", "o.toml") };
    store.served_flows(&[other, of("r1", "flows/main.toml")], "start").await.unwrap();
    assert_eq!(db.number("SELECT COUNT(*) FROM flow_rev").await, Some(3));
    let marks = "SELECT value FROM change_marker WHERE name = 'main' ORDER BY at_ms, marker_id";
    assert_eq!(db.texts(marks).await, ["r1", "r2", "r1"].map(|rev| Some(rev.to_owned())));

    // Its file is where it was read last.
    store.served_flows(&[of("r1", "flows/moved.toml")], "start").await.unwrap();
    let revisions = store.revisions().await.unwrap();
    let told: Vec<_> = revisions
        .iter()
        .map(|r| (&*r.served.flow, &*r.served.rev, &*r.by_whom, &*r.served.file))
        .collect();
    assert_eq!(
        told,
        [
            ("main", "r1", "start", "flows/moved.toml"),
            ("main", "r2", "anna", "flows/main.toml"),
            ("main", "r1", "ben", "flows/moved.toml"),
            ("other", "r3", "start", "o.toml"),
        ]
    );
    assert_eq!(revisions[1].served, of("r2", "flows/main.toml"));
    assert!(revisions[0].at_ms <= revisions[1].at_ms);
}

async fn what_is_learned_of_a_call_in_one_batch_is_all_kept(db: Db) {
    let clock = Clock::default();
    let (one, other) = (call(clock.now_ms(), None), call(clock.now_ms(), None));
    let answered = CallProgress { answered_ms: Some(7), ..progress(&one) };
    let target = Some("agents".to_owned());
    let forwarded = CallProgress {
        forward_target: target.clone(),
        forward_started_ms: Some(8),
        ..progress(&one)
    };
    let again = CallProgress { forward_started_ms: Some(9), ..progress(&one) };
    let elsewhere = CallProgress { answered_ms: Some(70), ..progress(&other) };
    let news = [answered, elsewhere, forwarded, again].map(Row::CallProgress);
    write(&db, &clock, [one.clone(), other].map(Row::CallStarted).into_iter().chain(news)).await;
    let of = |column: &str| format!("SELECT {column} FROM call WHERE call_id = '{}'", one.call_id);
    assert_eq!(db.number(&of("answered_ms")).await, Some(7));
    assert_eq!(db.texts(&of("forward_target")).await, [target]);
    assert_eq!(db.number(&of("forward_started_ms")).await, Some(8), "the first attempt counts");
    assert_eq!(db.number("SELECT CAST(SUM(answered_ms) AS BIGINT) AS n FROM call").await, Some(77));
}

async fn many_calls_of_one_batch_all_have_their_own_end(db: Db) {
    let clock = Clock::default();
    let calls: Vec<CallStarted> = (0..150).map(|n| call(1_000 + n, None)).collect();
    let rows = calls.iter().flat_map(|call| {
        let answered_ms = Some(call.started_ms + 1_000);
        let answered = CallProgress { answered_ms, ..progress(call) };
        let end = ended(call, "human", "forwarded");
        [Row::CallStarted(call.clone()), Row::CallProgress(answered), end]
    });
    write(&db, &clock, rows).await;
    let right = "SELECT COUNT(*) AS n FROM call WHERE answered_ms = started_ms + 1000 \
                 AND ended_ms = started_ms + 60000 AND end_reason = 'forwarded'";
    assert_eq!(db.number(right).await, Some(150));
}

async fn all_that_is_known_of_a_caller_is_told_at_once(db: Db) {
    let clock = Clock::default();
    let now = clock.now_ms();
    let (caller, stranger) = (mobile(1), mobile(2));
    let [old, deflected, declined, running] =
        [9_000_000, 3_000, 2_000, 0].map(|ago| call(now - ago, Some(&caller)));
    let theirs = call(now - 1_000, Some(&stranger));
    let no = OfferRow { response: "declined".to_owned(), ..offer(&declined) };
    let declined_ms = no.offered_ms;
    // Later ones that were not spoken, or were not this caller's.
    let silent = OfferRow {
        response: "suppressed".to_owned(),
        offered_ms: declined_ms + 500,
        ..offer(&declined)
    };
    let others = OfferRow { offered_ms: declined_ms + 700, ..offer(&theirs) };
    let present = OfferRow { offered_ms: declined_ms + 900, ..offer(&running) };
    let answered = OutcomeRow {
        outcome_id: "o1".to_owned(),
        call_id: deflected.call_id.clone(),
        kind: "answered_in_ivr".to_owned(),
        csat: None,
        at_ms: now,
        source: "call".to_owned(),
    };
    let end = ended(&deflected, "no_human", "answered_in_ivr");
    let calls = [&old, &deflected, &declined, &running, &theirs];
    let offers = [no, silent, others, present].map(Row::Offer);
    let rows = calls.map(|call| Row::CallStarted(call.clone())).into_iter();
    write(&db, &clock, rows.chain([end, Row::Outcome(answered)]).chain(offers)).await;
    let store = db.store_with("n1", "b1", clock.clone()).await;
    let ask = async |caller| {
        let limit = Duration::from_secs(5);
        let since = now - 1_000_000;
        store.history("retail", caller, &running.call_id, since, limit).await.unwrap()
    };

    let known = ask(&caller).await;
    assert_eq!(known.calls_ms, [declined.started_ms, deflected.started_ms]);
    assert_eq!(known.deflected_ms, [deflected.started_ms]);
    assert_eq!(known.declined_ms, Some(declined_ms));
    assert_eq!(known.offered_ms, Some(declined_ms), "what was suppressed was not offered");
    assert_eq!((known.failed_promise, known.opted_out), (false, false));

    store.opt_out("retail", &caller, "", "call").await.unwrap();
    assert!(ask(&caller).await.opted_out);
    assert!(!ask(&stranger).await.opted_out);
    assert_eq!(ask(&mobile(3)).await, deflect_actions::store::History::default());
}
