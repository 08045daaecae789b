//! IC-06: texts that follow a call, over restarts, several nodes and opt-outs, on both databases.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::{sync::Arc, time::Duration};

use common::{Db, PUBLIC_URL, TOKEN, config, ended, eventually, mobile, order, service};
use deflect_actions::{
    Clock,
    provider::twilio::signature,
    store::{OutcomeRow, Row, Writer, rating_rows},
    text::{TextConfig, TextOrder, TextOutcome, TextService},
};
use provider_emulator::Twilio;

on_both!(
    ic_06_it_is_sent_when_it_is_due_and_not_before,
    ic_06_it_rests_on_a_consent_of_its_own,
    ic_06_restarts_and_several_nodes_send_it_once,
    ic_06_who_opts_out_meanwhile_gets_none,
    ic_06_what_nobody_could_send_in_time_is_taken_back,
    ic_06_the_same_call_and_the_same_day_bring_no_second,
    ic_06_what_a_node_promised_before_it_died_is_kept_once,
    ex_15_the_question_how_it_went_waits_for_its_moment_and_is_answered_once,
    ex_15_a_question_that_is_answered_or_asked_elsewhere_is_taken_back,
    ex_15_x_06_another_node_finds_the_question_of_a_dead_one_whose_link_was_opened_before,
);

const HOUR_MS: i64 = 3_600_000;

async fn ic_06_it_is_sent_when_it_is_due_and_not_before(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    let clock = Clock::default();
    let texts = node(&db, "n1", "b1", &clock, &config(&[base])).await;
    assert_eq!(in_an_hour(&texts, 1).await, TextOutcome::Queued);
    let worker = texts.start();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(twilio.posted().is_empty(), "not yet");
    clock.advance(HOUR_MS + 1_000);
    eventually("sent", async || twilio.taken().len() == 1).await;
    assert_eq!(twilio.posted()[0]["To"], mobile(1).as_str());
    // Not after eight in the evening, by the provider's queue either.
    assert!(twilio.posted()[0]["ValidityPeriod"].parse::<i64>().unwrap() <= 3_600);
    worker.abort();
}

async fn ic_06_it_rests_on_a_consent_of_its_own(db: Db) {
    let texts = service(&db, config(&["http://127.0.0.1:9".into()])).await;
    let requested = order(texts.store(), &mobile(1));
    texts.send(requested.clone()).await;
    let later = follow_up(&requested);
    let now = texts.store().clock().now_ms();
    let outcome = texts.follow_up(by(), later, now + HOUR_MS, now + 2 * HOUR_MS).await;
    assert_eq!(outcome, TextOutcome::Queued);
    let consents = db
        .texts(
            "SELECT k.purpose || ' ' || k.step || ' ' || k.pressed || ' ' || m.purpose || ' ' || \
             m.template FROM message m JOIN consent k ON k.consent_id = m.consent_id \
             ORDER BY m.created_ms",
        )
        .await;
    let expected = ["link welcome 1 link send_link", "follow_up bye 5 follow_up after_call.nudge"];
    assert_eq!(consents, expected.map(|it| Some(it.to_owned())));
    assert_eq!(db.number("SELECT COUNT(*) FROM call").await, Some(1), "the same call");
}

async fn ic_06_restarts_and_several_nodes_send_it_once(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    let clock = Clock::default();
    let by = config(&[base]);
    let first = node(&db, "n1", "b1", &clock, &by).await;
    for n in 0..10 {
        assert_eq!(in_an_hour(&first, n).await, TextOutcome::Queued);
    }
    // It dies; it comes up again, and so do two others.
    drop(first);
    let mut workers = Vec::new();
    for (name, boot) in [("n1", "b2"), ("n2", "b1"), ("n3", "b1")] {
        workers.push(node(&db, name, boot, &clock, &by).await.start());
    }
    clock.advance(HOUR_MS + 1_000);
    eventually("all sent", async || twilio.taken().len() >= 10).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let mut to: Vec<String> = twilio.posted().iter().map(|it| it["To"].clone()).collect();
    to.sort();
    let expected: Vec<String> = (0..10).map(|n| mobile(n).to_string()).collect();
    assert_eq!(to, expected, "each once");
    workers.iter().for_each(tokio::task::JoinHandle::abort);
}

async fn ic_06_who_opts_out_meanwhile_gets_none(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    let clock = Clock::default();
    let texts = node(&db, "n1", "b1", &clock, &config(&[base])).await;
    for n in 1..=3 {
        in_an_hour(&texts, n).await;
    }
    // Two about orders, of which the call itself tells nothing.
    let of_orders = |n| TextOrder {
        topic: "orders".to_owned(),
        ..follow_up(&order(texts.store(), &mobile(n)))
    };
    let now = texts.store().clock().now_ms();
    for later in [of_orders(4), TextOrder { purpose: "alert".to_owned(), ..of_orders(5) }] {
        let outcome = texts.follow_up(by(), later, now + HOUR_MS, now + 2 * HOUR_MS).await;
        assert_eq!(outcome, TextOutcome::Queued);
    }
    texts.store().opt_out("retail", &mobile(1), "", "text").await.unwrap();
    for n in [2, 4, 5] {
        texts.store().opt_out("retail", &mobile(n), "orders", "call").await.unwrap();
    }
    let worker = texts.start();
    clock.advance(HOUR_MS + 1_000);
    // The second's is about no topic, so that an opt-out from orders is about others.
    eventually("the others are sent", async || twilio.taken().len() == 2).await;
    eventually("taken back", async || {
        let ended = "SELECT state FROM message WHERE error_class = 'opted_out' ORDER BY state";
        db.texts(ended).await == ["canceled", "canceled", "failed"].map(|it| Some(it.to_owned()))
    })
    .await;
    let mut to: Vec<String> = twilio.posted().iter().map(|it| it["To"].clone()).collect();
    to.sort();
    assert_eq!(to, [mobile(2), mobile(3)].map(|it| it.to_string()));
    worker.abort();
    // What waited for them in vain says nothing of their other texts.
    assert_eq!(db.number("SELECT COUNT(*) FROM opt_out").await, Some(4));
    assert!(!texts.store().is_opted_out("retail", &mobile(5), "").await.unwrap());
}

async fn ic_06_what_nobody_could_send_in_time_is_taken_back(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    let clock = Clock::default();
    let texts = node(&db, "n1", "b1", &clock, &config(&[base])).await;
    in_an_hour(&texts, 1).await;
    clock.advance(2 * HOUR_MS + 1_000);
    let worker = texts.start();
    eventually("taken back", async || {
        db.texts("SELECT state FROM message").await == [Some("canceled".to_owned())]
    })
    .await;
    assert!(twilio.posted().is_empty());
    let keys = common::keys().caller_keys("retail", &mobile(1), clock.now_ms());
    let sql = format!(
        "SELECT COUNT(*) FROM message m JOIN call c ON c.call_id = m.call_id WHERE \
         c.caller_key = '{}' AND m.state IN ('failed','undelivered','ambiguous')",
        keys.0
    );
    assert_eq!(db.number(&sql).await, Some(0), "no promise is broken by it");
    worker.abort();
}

async fn ic_06_the_same_call_and_the_same_day_bring_no_second(db: Db) {
    let clock = Clock::default();
    let by = config(&["http://127.0.0.1:9".into()]);
    let texts = node(&db, "n1", "b1", &clock, &by).await;
    let later = follow_up(&order(texts.store(), &mobile(1)));
    let now = clock.now_ms();
    let other_node = node(&db, "n2", "b1", &clock, &by).await;
    for node in [&texts, &texts, &other_node] {
        let by = Arc::new(by.clone());
        let outcome = node.follow_up(by, later.clone(), now + HOUR_MS, now + 2 * HOUR_MS).await;
        assert_eq!(outcome, TextOutcome::Queued);
    }
    assert_eq!(in_an_hour(&texts, 1).await, TextOutcome::Queued, "another call of the same day");
    assert_eq!(db.number("SELECT COUNT(*) FROM message").await, Some(1));
}

async fn ic_06_what_a_node_promised_before_it_died_is_kept_once(db: Db) {
    let clock = Clock::default();
    let by = config(&["http://127.0.0.1:9".into()]);
    let first = node(&db, "n1", "b1", &clock, &by).await;
    let (writer, now) = (Writer::start(first.store().clone()), clock.now_ms());
    let (due_ms, until_ms) = (now + HOUR_MS, now + 2 * HOUR_MS);
    for n in 1..=3 {
        let later = follow_up(&order(first.store(), &mobile(n)));
        writer.try_write(Row::CallStarted(later.call.clone())).unwrap();
        writer.try_write(first.promise(&later, due_ms, until_ms).unwrap()).unwrap();
        writer.try_write(ended(&later.call, "no_human", "answered_in_ivr")).unwrap();
        if n == 3 {
            // This one got as far as the outbox.
            assert!(writer.flush(Duration::from_secs(5)).await);
            let outcome = first.follow_up(Arc::new(by.clone()), later, due_ms, until_ms).await;
            assert_eq!(outcome, TextOutcome::Queued);
        }
    }
    assert!(writer.flush(Duration::from_secs(5)).await);
    let promised = "SELECT COUNT(*) FROM follow_up";
    let queued = "SELECT COUNT(*) FROM message WHERE state = 'queued' AND next_try_ms = ";
    let queued = format!("{queued}{due_ms}");
    assert_eq!((db.number(promised).await, db.number(&queued).await), (Some(3), Some(1)));
    let open =
        "SELECT COUNT(*) FROM follow_up WHERE order_enc LIKE '%447400%' OR dest_key LIKE '+%'";
    assert_eq!(db.number(open).await, Some(0));
    first.store().erase_number("retail", &mobile(2)).await.unwrap();
    assert_eq!(db.number(promised).await, Some(2), "nothing follows for who was forgotten");

    // While it lives nobody takes its place.
    let other = node(&db, "n3", "b1", &clock, &by).await.start();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!((db.number(promised).await, db.number(&queued).await), (Some(1), Some(1)));
    other.abort();
    drop((first, writer));
    clock.advance(HOUR_MS / 2);
    let workers = [
        node(&db, "n2", "b1", &clock, &by).await.start(),
        node(&db, "n1", "b2", &clock, &by).await.start(),
    ];
    eventually("it is in the outbox", async || {
        db.number(promised).await == Some(0) && db.number(&queued).await == Some(2)
    })
    .await;
    let consents = "SELECT COUNT(*) FROM consent WHERE purpose = 'follow_up' AND pressed = '5'";
    assert_eq!(db.number(consents).await, Some(2));
    assert_eq!(db.number("SELECT COUNT(*) FROM call").await, Some(3));
    workers.iter().for_each(tokio::task::JoinHandle::abort);
}

async fn ex_15_the_question_how_it_went_waits_for_its_moment_and_is_answered_once(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    let clock = Clock::default();
    let texts = node(&db, "n1", "b1", &clock, &config(&[base])).await;
    let call_id = ask(&texts, 1).await;
    let (store, now) = (texts.store(), clock.now_ms());
    let question = store.question(&call_id).await.unwrap().unwrap();
    assert_eq!((question.step.as_str(), question.region.as_str()), ("after_call.how", "GB"));
    assert_eq!((question.opened_ms, question.closed_ms, question.settled), (None, None, None));
    assert!(!store.is_asked(&call_id).await.unwrap());
    let closed = outcome(&call_id, "closed", now);
    store.learn_outcome(&closed).await.unwrap();
    assert_eq!(store.question(&call_id).await.unwrap().unwrap().closed_ms, Some(now));
    for (due_ms, until_ms) in [(now + HOUR_MS, now + 2 * HOUR_MS), (now + 3 * HOUR_MS, 0)] {
        store.ask_at(&question.message_id, due_ms, until_ms).await.unwrap();
    }
    let worker = texts.start();
    let told = "SELECT kind || ' ' || COALESCE(csat, 0) FROM outcome WHERE source = 'text' \
                ORDER BY kind";
    writes(&texts, 1, "5").await;
    assert!(db.texts(told).await.is_empty(), "nobody has asked");
    clock.advance(HOUR_MS + 1_000);
    eventually("asked, at the earlier moment", async || twilio.taken().len() == 1).await;
    eventually("it is known", async || store.is_asked(&call_id).await.unwrap()).await;
    assert_eq!(store.question(&call_id).await.unwrap(), None, "it waits no more");
    writes(&texts, 2, "5").await;
    assert!(db.texts(told).await.is_empty(), "another number was not asked");
    writes(&texts, 1, "2, it was closed").await;
    writes(&texts, 1, "4 now").await;
    assert_eq!(db.texts(told).await, ["rated 2", "unresolved 0"].map(|it| Some(it.to_owned())));
    worker.abort();
}

async fn ex_15_a_question_that_is_answered_or_asked_elsewhere_is_taken_back(db: Db) {
    let clock = Clock::default();
    let by = config(&["http://127.0.0.1:9".into()]);
    let texts = node(&db, "n1", "b1", &clock, &by).await;
    let asked_on_page = ask(&texts, 1).await;
    let rated = ask(&texts, 2).await;
    let store = texts.store();
    store.ask_no_more(&asked_on_page, "asked_on_page").await.unwrap();
    let now = clock.now_ms();
    for row in rating_rows("r1", &rated, 4, now, "page") {
        store.learn_outcome(&row).await.unwrap();
    }
    let question = store.question(&rated).await.unwrap().unwrap();
    assert_eq!(question.settled, Some("rated"));
    assert!(store.is_asked(&rated).await.unwrap());
    // One that is due when it is rated already is not sent.
    store.ask_at(&question.message_id, now, now + HOUR_MS).await.unwrap();
    let worker = texts.start();
    let why = "SELECT error_class FROM message WHERE state = 'canceled' ORDER BY error_class";
    let expected = ["asked_on_page", "rated"].map(|it| Some(it.to_owned()));
    eventually("both are taken back", async || db.texts(why).await == expected).await;
    worker.abort();
    // One that nobody may send any more is taken back, not failed.
    let late = ask(&texts, 3).await;
    clock.advance(101 * HOUR_MS);
    let worker = texts.start();
    let state = format!("SELECT state FROM message WHERE call_id = '{late}'");
    eventually("it is over", async || db.texts(&state).await == [Some("canceled".to_owned())])
        .await;
    worker.abort();
}

async fn ex_15_x_06_another_node_finds_the_question_of_a_dead_one_whose_link_was_opened_before(
    db: Db,
) {
    let clock = Clock::default();
    let by = config(&["http://127.0.0.1:9".into()]);
    let first = node(&db, "n1", "b1", &clock, &by).await;
    let (writer, now) = (Writer::start(first.store().clone()), clock.now_ms());
    let mut calls = Vec::new();
    for n in 1..=3 {
        let asks = question(&first, n);
        writer.try_write(Row::CallStarted(asks.call.clone())).unwrap();
        let due_ms = now + 100 * HOUR_MS;
        writer.try_write(first.promise(&asks, due_ms, due_ms + 1).unwrap()).unwrap();
        calls.push(asks.call.call_id);
    }
    assert!(writer.flush(Duration::from_secs(5)).await);
    for (n, times) in ["2, NULL", "2, 3", "NULL, NULL"].iter().enumerate() {
        let call_id = &calls[n];
        let link = format!(
            "INSERT INTO link (link_id, call_id, destination, token_hash, level, created_ms, \
             expires_ms, redeemed_ms, asked_ms) \
             VALUES ('l{n}', '{call_id}', 'orders', 't{n}', 'L0', 1, {now}, {times})"
        );
        db.execute(&link).await.unwrap();
    }
    assert!(first.store().questions_left().await.unwrap().is_empty(), "none is in the outbox");
    drop((first, writer));
    clock.advance(HOUR_MS / 2);
    let other = node(&db, "n2", "b1", &clock, &by).await;
    let worker = other.start();
    let store = other.store();
    eventually("the other node has them", async || {
        db.number("SELECT COUNT(*) FROM message WHERE purpose = 'rating'").await == Some(3)
    })
    .await;
    let mut left = store.questions_left().await.unwrap();
    left.sort();
    assert_eq!(left, calls[..2], "the third's link was not opened");
    let opened = store.question(&calls[0]).await.unwrap().unwrap();
    assert_eq!((opened.opened_ms, opened.settled), (Some(2), None));
    store.ask_at(&opened.message_id, now + HOUR_MS, now + 2 * HOUR_MS).await.unwrap();
    let on_page = store.question(&calls[1]).await.unwrap().unwrap();
    assert_eq!(on_page.settled, Some("asked_on_page"));
    assert_eq!(store.questions_left().await.unwrap(), calls[1..2]);
    // One that is due although a page has asked is not sent.
    store.ask_at(&on_page.message_id, now, now + 2 * HOUR_MS).await.unwrap();
    let canceled = format!("SELECT error_class FROM message WHERE call_id = '{}'", calls[1]);
    eventually("it is taken back", async || {
        db.texts(&canceled).await == [Some("asked_on_page".to_owned())]
    })
    .await;
    assert!(store.questions_left().await.unwrap().is_empty());
    worker.abort();
}

/// The question after a call of `mobile(n)`.
fn question(texts: &TextService, n: u32) -> TextOrder {
    TextOrder {
        step: "after_call.how".to_owned(),
        purpose: "rating".to_owned(),
        ..follow_up(&order(texts.store(), &mobile(n)))
    }
}

/// A call of `mobile(n)` that just ended with a yes to the question; returns its id.
async fn ask(texts: &TextService, n: u32) -> String {
    let question = question(texts, n);
    let (call_id, now) = (question.call.call_id.clone(), texts.store().clock().now_ms());
    let (due_ms, until_ms) = (now + 100 * HOUR_MS, now + 100 * HOUR_MS + 1);
    assert_eq!(texts.follow_up(by(), question, due_ms, until_ms).await, TextOutcome::Queued);
    call_id
}

/// `mobile(n)` writes.
async fn writes(texts: &TextService, n: u32, body: &str) {
    let path = "/webhooks/twilio/twilio1/inbound";
    let (from, id) = (mobile(n).as_str().to_owned(), format!("SM{n}{}", body.len()));
    let form = [("MessageSid", &*id), ("From", &*from), ("To", "+447400123451"), ("Body", body)];
    let form = form.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let signature = signature(TOKEN, &format!("{PUBLIC_URL}{path}"), &form);
    let encoded = |value: &str| value.replace('+', "%2B").replace(' ', "+");
    let body = form.map(|(name, value)| format!("{name}={}", encoded(&value))).join("&");
    let headers = common::headers(&[("X-Twilio-Signature", &signature)]);
    let posted = common::posted("inbound", path, &headers, body.as_bytes());
    texts.webhook("twilio", "twilio1", posted).await.unwrap();
}

fn outcome(call_id: &str, kind: &str, at_ms: i64) -> OutcomeRow {
    OutcomeRow {
        outcome_id: format!("{call_id}-{kind}"),
        call_id: call_id.to_owned(),
        kind: kind.to_owned(),
        csat: None,
        at_ms,
        source: "bot".to_owned(),
    }
}

async fn node(db: &Db, name: &str, boot: &str, clock: &Clock, by: &TextConfig) -> TextService {
    TextService::new(db.store_with(name, boot, clock.clone()).await, by.clone())
}

/// A call of `mobile(n)` that just ended with a yes.
async fn in_an_hour(texts: &TextService, n: u32) -> TextOutcome {
    let later = follow_up(&order(texts.store(), &mobile(n)));
    let now = texts.store().clock().now_ms();
    texts.follow_up(by(), later, now + HOUR_MS, now + 2 * HOUR_MS).await
}

fn by() -> Arc<TextConfig> {
    Arc::new(config(&["http://127.0.0.1:9".into()]))
}

fn follow_up(requested: &TextOrder) -> TextOrder {
    TextOrder {
        offer: None,
        step: "after_call.nudge".to_owned(),
        asked_in: "bye".to_owned(),
        purpose: "follow_up".to_owned(),
        pressed: Some("5".to_owned()),
        repeat_after_minutes: 1_440,
        ..requested.clone()
    }
}
