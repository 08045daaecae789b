//! Events: told to those who want them, signed, until they are taken, over restarts and nodes.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use common::{Db, call, info, keys};
use deflect_actions::{
    Clock,
    hooks::{Hook, Hooks},
    store::{CallEnded, Event, Row, Store, Writer},
};
use hmac::{Hmac, KeyInit, Mac};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::{Map, Value, json};
use sha2::Sha256;

const SECRET: &[u8] = b"hook secret";
const DAY_MS: i64 = 86_400_000;

on_both! {
    a_call_that_ended_is_told_once_it_is_stored,
    ic_14_a_call_whose_node_died_is_told_by_the_next_start_or_another_node,
    what_is_refused_is_told_again_with_the_same_id,
    only_what_is_wanted_is_told,
    an_event_outlives_the_node_that_saw_it,
    two_nodes_share_what_waits,
    a_webhook_that_takes_events_at_once_does_not_fall_behind,
    the_same_event_written_twice_is_one,
    ic_14_a_refused_event_is_told_ever_later_and_given_up_after_three_days,
    ic_14_what_waits_for_webhooks_that_are_gone_is_given_up_too,
}

/// What a webhook was posted; the first `refuse` posts are answered 500.
#[derive(Debug, Default)]
struct Inbox {
    refuse: usize,
    posts: Vec<(String, Value)>,
}

type Shared = Arc<Mutex<Inbox>>;

async fn webhook(refuse: usize) -> (String, Shared) {
    let inbox: Shared = Arc::new(Mutex::new(Inbox { refuse, posts: Vec::new() }));
    let router = Router::new().route("/hook", post(take)).with_state(Arc::clone(&inbox));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, inbox)
}

async fn take(State(inbox): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let of = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, at) = (of("webhook-id"), of("webhook-timestamp"));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(&body);
    let genuine = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(of("webhook-signature"), genuine);
    assert_eq!(of("content-type"), "application/json");
    let mut inbox = inbox.lock().unwrap();
    let told: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(told["id"], json!(id));
    inbox.posts.push((id, told));
    let refused = inbox.posts.len() <= inbox.refuse;
    if refused { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::NO_CONTENT }
}

fn hook(url: &str, kinds: &[&str]) -> Hook {
    let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    Hook { url: url.to_owned(), secret: SECRET.to_vec(), kinds }
}

async fn until_posts(inbox: &Shared, n: usize) -> Vec<(String, Value)> {
    for _ in 0..400 {
        let posts = inbox.lock().unwrap().posts.clone();
        if posts.len() >= n {
            return posts;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let posts = &inbox.lock().unwrap().posts;
    panic!("{} of {n} posts came; the last: {:?}", posts.len(), posts.last());
}

fn booked(n: u32) -> Event {
    let data = Map::from_iter([("n".to_owned(), json!(n))]);
    Event {
        kind: "callback.booked",
        subject: format!("cb{n}"),
        at_ms: 1_000 + i64::from(n),
        data,
        text: None,
        from_key: None,
    }
}

async fn a_call_that_ended_is_told_once_it_is_stored(db: Db) {
    let (url, inbox) = webhook(0).await;
    let store = db.store().await;
    let hooks = Hooks::new(store.clone(), vec![hook(&url, &["call.ended"])]);
    hooks.start();
    let writer = Writer::start(store);
    let started = call(1_700_000_000_000, None);
    let end = ended(&started.call_id);
    writer.try_write(Row::CallStarted(started.clone())).unwrap();
    writer.try_write(Row::CallEnded(end)).unwrap();
    let posts = until_posts(&inbox, 1).await;
    let told = &posts[0].1;
    assert_eq!(told["type"], "call.ended");
    assert_eq!(told["version"], 1);
    assert_eq!(told["call_id"], json!(started.call_id));
    assert_eq!(told["end_reason"], "deflected");
    assert_eq!(told["handled"], "no_human");
    assert_eq!(told["business"], "retail");
    assert_eq!(told["at_ms"], told["ended_ms"]);
    for _ in 0..400 {
        if db.number("SELECT COUNT(*) FROM event").await == Some(0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("what was taken is kept");
}

async fn ic_14_a_call_whose_node_died_is_told_by_the_next_start_or_another_node(db: Db) {
    let clock = Clock::default();
    let (own, others) = (call(clock.now_ms(), None), call(clock.now_ms(), None));
    for (node, call) in [("n1", &own), ("n2", &others)] {
        let writer = Writer::start(db.store_with(node, "b1", clock.clone()).await);
        writer.try_write(Row::CallStarted(call.clone())).unwrap();
        assert!(writer.flush(Duration::from_secs(5)).await);
    }
    let (url, inbox) = webhook(0).await;
    let next = Store::connect(&db.url, keys(), info("n1", "b2"), clock.clone()).unwrap();
    Hooks::new(next.clone(), vec![hook(&url, &["call.ended"])]).start();
    next.prepare().await.unwrap();
    let told = &until_posts(&inbox, 1).await[0].1;
    assert_eq!((&told["call_id"], &told["end_reason"]), (&json!(own.call_id), &json!("error")));
    clock.advance(600_000);
    assert_eq!(next.close_unfinished().await.unwrap(), 1);
    let told = &until_posts(&inbox, 2).await[1].1;
    assert_eq!((&told["call_id"], &told["handled"]), (&json!(others.call_id), &json!("no_human")));
}

async fn what_is_refused_is_told_again_with_the_same_id(db: Db) {
    let (url, inbox) = webhook(1).await;
    let store = db.store().await;
    Hooks::new(store.clone(), vec![hook(&url, &["*"])]).start();
    // Writing waits for the subscription, which `new` has made.
    store.tell(&booked(1)).await.unwrap();
    let posts = until_posts(&inbox, 2).await;
    assert_eq!(posts[0], posts[1]);
}

async fn only_what_is_wanted_is_told(db: Db) {
    let (url, inbox) = webhook(0).await;
    let (other_url, other) = webhook(0).await;
    let store = db.store().await;
    let hooks = vec![hook(&url, &["callback.booked"]), hook(&other_url, &["voicemail.left"])];
    Hooks::new(store.clone(), hooks).start();
    store.tell(&Event { kind: "voicemail.left", ..booked(1) }).await.unwrap();
    store.tell(&booked(2)).await.unwrap();
    store.tell(&Event { kind: "call.ended", ..booked(3) }).await.unwrap();
    assert_eq!(until_posts(&inbox, 1).await[0].1["n"], 2);
    assert_eq!(until_posts(&other, 1).await[0].1["n"], 1);
    assert_eq!(db.number("SELECT COUNT(*) FROM event WHERE type = 'call.ended'").await, Some(0));
}

async fn an_event_outlives_the_node_that_saw_it(db: Db) {
    let (url, inbox) = webhook(0).await;
    let dead = db.store_as("n1", "b1").await;
    // Subscribed, and never started: it saw the event and died.
    let _ = Hooks::new(dead.clone(), vec![hook(&url, &["*"])]);
    dead.tell(&booked(1)).await.unwrap();
    let next = db.store_as("n1", "b2").await;
    Hooks::new(next, vec![hook(&url, &["*"])]).start();
    assert_eq!(until_posts(&inbox, 1).await[0].1["n"], 1);
}

async fn two_nodes_share_what_waits(db: Db) {
    let (url, inbox) = webhook(0).await;
    let (one, two) = (db.store_as("n1", "b1").await, db.store_as("n2", "b1").await);
    let hooks = [&one, &two].map(|store| Hooks::new(store.clone(), vec![hook(&url, &["*"])]));
    for n in 0..60 {
        one.tell(&booked(n)).await.unwrap();
    }
    hooks.iter().for_each(|hooks| drop(hooks.start()));
    let posts = until_posts(&inbox, 60).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(inbox.lock().unwrap().posts.len(), 60, "each was told once");
    let ids: BTreeMap<_, _> = posts.into_iter().collect();
    assert_eq!(ids.len(), 60);
}

/// 16 a second were told at most, however fast they were taken.
async fn a_webhook_that_takes_events_at_once_does_not_fall_behind(db: Db) {
    let (url, inbox) = webhook(0).await;
    let store = db.store().await;
    let hooks = Hooks::new(store.clone(), vec![hook(&url, &["*"])]);
    for n in 0..400 {
        store.tell(&booked(n)).await.unwrap();
    }
    hooks.start();
    assert_eq!(until_posts(&inbox, 400).await.len(), 400);
}

async fn the_same_event_written_twice_is_one(db: Db) {
    let store = db.store().await;
    let _ = Hooks::new(store.clone(), vec![hook("http://127.0.0.1:9/hook", &["*"])]);
    store.tell(&booked(1)).await.unwrap();
    store.tell(&booked(1)).await.unwrap();
    assert_eq!(db.number("SELECT COUNT(*) FROM event").await, Some(1));
}

async fn ic_14_a_refused_event_is_told_ever_later_and_given_up_after_three_days(db: Db) {
    let metrics = metrics();
    let (url, inbox) = webhook(usize::MAX).await;
    let clock = Clock::default();
    let store = db.store_with("n1", "b1", clock.clone()).await;
    let lost_before = lost(&metrics);
    Hooks::new(store.clone(), vec![hook(&url, &["*"])]).start();
    let began_ms = clock.now_ms();
    let mut before_ms = began_ms;
    store.tell(&booked(1)).await.unwrap();
    for (failures, pause_s) in (1..).zip([2, 10, 60, 300, 1_200, 3_600, 3_600]) {
        let next_ms = put_off(&db, failures).await;
        let earliest_ms = before_ms + pause_s * 1_000;
        let latest_ms = clock.now_ms() + pause_s * 1_000;
        let expected = earliest_ms..=latest_ms;
        assert!(expected.contains(&next_ms), "after {failures}: {next_ms}, not {expected:?}");
        // Not a moment earlier.
        assert_eq!(inbox.lock().unwrap().posts.len(), failures);
        clock.advance(next_ms - clock.now_ms());
        before_ms = next_ms;
    }
    // It is tried to the end of the three days, and no longer.
    put_off(&db, 8).await;
    clock.advance(3 * DAY_MS - 60_000 - (clock.now_ms() - began_ms));
    put_off(&db, 9).await;
    assert_eq!(db.number("SELECT COUNT(*) FROM event").await, Some(1));
    assert_eq!(lost(&metrics), lost_before);
    clock.advance(11 * 60_000);
    none_waits(&db).await;
    assert_eq!(lost(&metrics), lost_before + 1);
}

async fn ic_14_what_waits_for_webhooks_that_are_gone_is_given_up_too(db: Db) {
    let metrics = metrics();
    let clock = Clock::default();
    let store = db.store_with("n1", "b1", clock.clone()).await;
    let lost_before = lost(&metrics);
    let hooks = Hooks::new(store.clone(), vec![hook("http://127.0.0.1:9/hook", &["*"])]);
    store.tell(&booked(1)).await.unwrap();
    hooks.reconfigure(Vec::new());
    hooks.start();
    clock.advance(3 * DAY_MS + 11 * 60_000);
    none_waits(&db).await;
    assert_eq!(lost(&metrics), lost_before + 1);
}

/// When the only event is tried again, once it was refused so often.
async fn put_off(db: &Db, failures: usize) -> i64 {
    let sql = format!(
        "SELECT MAX(next_try_ms) FROM event WHERE claimed_by IS NULL AND attempt = {failures}"
    );
    for _ in 0..400 {
        if let Some(next_ms) = db.number(&sql).await {
            return next_ms;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it is not refused for the {failures}th time");
}

async fn none_waits(db: &Db) {
    for _ in 0..400 {
        if db.number("SELECT COUNT(*) FROM event").await == Some(0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it is not given up");
}

/// The metrics of this process.
fn metrics() -> PrometheusHandle {
    static METRICS: LazyLock<PrometheusHandle> =
        LazyLock::new(|| PrometheusBuilder::new().install_recorder().unwrap());
    METRICS.clone()
}

/// `carom_webhook_events_lost_total`.
fn lost(metrics: &PrometheusHandle) -> u64 {
    let page = metrics.render();
    let line = page.lines().find_map(|line| line.strip_prefix("carom_webhook_events_lost_total "));
    line.map_or(0, |count| count.parse().unwrap())
}

fn ended(call_id: &str) -> CallEnded {
    CallEnded {
        call_id: call_id.to_owned(),
        sip_call_id_b: None,
        answered_ms: Some(1_700_000_000_100),
        ended_ms: 1_700_000_009_000,
        language: None,
        intent: Some("orders".to_owned()),
        holdout: false,
        last_step: Some("goodbye".to_owned()),
        forward_target: None,
        forward_started_ms: None,
        human_answered_ms: None,
        human_ended_ms: None,
        handled: "no_human".to_owned(),
        end_reason: "deflected".to_owned(),
        sip_final: Some(200),
    }
}
