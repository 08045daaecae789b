//! A store that is slow at the worst moment: that a request is about to be written is committed when
//! nobody waits for it any more.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::time::Duration;

use common::{Db, config, eventually, mobile, order, service};
use deflect_actions::text::TextOutcome;
use provider_emulator::Twilio;
use sqlx::{AnyConnection, Executor};

on_both!(x_06_a_request_whose_commit_came_too_late_is_taken_back_and_sent_once);

/// Longer than an attempt, shorter than what is waited for to take one back.
const LOCKED: Duration = Duration::from_millis(2_200);

impl Db {
    /// Nobody writes to the messages until it is given back.
    async fn locked(&self) -> AnyConnection {
        let mut conn = self.raw().await;
        if self.url.starts_with("sqlite") {
            conn.execute("PRAGMA busy_timeout = 10000").await.unwrap();
            conn.execute("BEGIN EXCLUSIVE").await.unwrap();
        } else {
            conn.execute("BEGIN").await.unwrap();
            conn.execute("LOCK TABLE message IN EXCLUSIVE MODE").await.unwrap();
        }
        conn
    }
}

async fn x_06_a_request_whose_commit_came_too_late_is_taken_back_and_sent_once(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    let mut config = config(&[base]);
    // The second text waits a second for its turn, its row written and its request not.
    config.senders[0].per_second = Some(1);
    let texts = service(&db, config).await;
    let accepted = TextOutcome::Accepted { sender: "uk1".to_owned() };
    assert_eq!(texts.send(order(texts.store(), &mobile(1))).await, accepted);
    let mut second = order(texts.store(), &mobile(2));
    (second.accept_within_ms, second.attempt_ms) = (2_000, 1_600);
    let sending = tokio::spawn({
        let texts = texts.clone();
        async move { texts.send(second).await }
    });
    eventually("its row is there", async || {
        db.number("SELECT COUNT(*) FROM message").await == Some(2)
    })
    .await;
    let mut locked = db.locked().await;
    assert_eq!(twilio.posted().len(), 1, "it waits for its turn");
    tokio::time::sleep(LOCKED).await;
    locked.execute("COMMIT").await.unwrap();
    assert_eq!(sending.await.unwrap(), TextOutcome::Queued);
    let second = "SELECT state || ' ' || try_no FROM message WHERE accepted_ms IS NULL";
    assert_eq!(db.texts(second).await, [Some("queued 1".to_owned())]);
    // Nothing says that a byte of it was written, so the provider needn't be asked.
    let written = "SELECT COUNT(*) FROM message WHERE accepted_ms IS NULL AND write_ms IS NOT NULL";
    assert_eq!(db.number(written).await, Some(0));
    assert_eq!(twilio.posted().len(), 1);
    let working = texts.start();
    texts.store().clock().advance(31_000);
    eventually("it is sent", async || twilio.taken().len() == 2).await;
    texts.store().clock().advance(120_000);
    // What else were due would have gone before a text that is asked for later.
    assert_eq!(texts.send(order(texts.store(), &mobile(3))).await, accepted);
    working.abort();
    let posted: Vec<_> = twilio.posted().iter().map(|one| one["To"].clone()).collect();
    let second = posted.iter().filter(|to| **to == mobile(2).as_str()).count();
    assert_eq!((posted.len(), second), (3, 1), "once: {posted:?}");
    assert!(twilio.lists().is_empty(), "{:?}", twilio.lists());
}
