//! Many texts at once share statements and commits: each is sent once, counts once, and fails alone.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::{collections::BTreeSet, time::Duration};

use common::{Db, PUBLIC_URL, TOKEN, config, mobile, order, service};
use deflect_actions::{
    provider::twilio::signature,
    store::Store,
    text::{TextOrder, TextOutcome, TextService},
};
use provider_emulator::{Does, Twilio};
use tokio::task::JoinSet;

on_both!(
    kh_19_many_texts_at_once_go_out_once_each_and_their_receipts_count_once,
    x_06_of_many_texts_at_once_one_that_cannot_be_stored_fails_alone,
    x_06_the_same_text_asked_for_many_times_at_once_goes_out_once,
    x_06_a_text_whose_turn_is_later_is_kept_unwritten_until_then,
);

/// Texts at once.
const TEXTS: usize = 60;

/// What arrays of a database give a meaning to.
const PROMPT: &str = r#"{"we",\'l\\come} NULL é"#;

fn orders(store: &Store) -> Vec<TextOrder> {
    let one = |n| order(store, &mobile(u32::try_from(n).unwrap()));
    (0..TEXTS).map(|n| TextOrder { prompt_id: PROMPT.to_owned(), ..one(n) }).collect()
}

/// Asks for all of them at once; how many were accepted.
async fn send_all(texts: &TextService, orders: Vec<TextOrder>) -> usize {
    let mut all = JoinSet::new();
    for order in orders {
        let texts = texts.clone();
        all.spawn(async move { texts.send(order).await });
    }
    let outcomes = all.join_all().await;
    outcomes.iter().filter(|outcome| matches!(outcome, TextOutcome::Accepted { .. })).count()
}

async fn post(texts: &TextService, message_id: &str, sid: &str, status: &str) {
    let path = format!("/webhooks/twilio/twilio1/status?message={message_id}");
    let form = [("MessageSid", sid), ("MessageStatus", status)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let signature = signature(TOKEN, &format!("{PUBLIC_URL}{path}"), &form);
    let body = format!("MessageSid={sid}&MessageStatus={status}");
    let headers = common::headers(&[("X-Twilio-Signature", &signature)]);
    let posted = common::posted("status", &path, &headers, body.as_bytes());
    texts.webhook("twilio", "twilio1", posted).await.unwrap();
}

async fn kh_19_many_texts_at_once_go_out_once_each_and_their_receipts_count_once(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    let texts = service(&db, config(&[base])).await;
    assert_eq!(send_all(&texts, orders(texts.store())).await, TEXTS);
    let sent: BTreeSet<_> = twilio.posted().iter().map(|posted| posted["To"].clone()).collect();
    assert_eq!((twilio.posted().len(), sent.len()), (TEXTS, TEXTS));
    // All receipts at once, each twice, in whatever order they come.
    let mut receipts = JoinSet::new();
    for message in texts.store().messages(100).await.unwrap() {
        for status in ["delivered", "sent", "delivered", "sent"] {
            let (texts, id) = (texts.clone(), message.message_id.clone());
            let sid = message.provider_id.clone().unwrap();
            receipts.spawn(async move { post(&texts, &id, &sid, status).await });
        }
    }
    receipts.join_all().await;
    let count = i64::try_from(TEXTS).ok();
    let delivered = "SELECT COUNT(*) FROM message WHERE state = 'delivered' AND \
                     accepted_ms IS NOT NULL AND delivered_ms IS NOT NULL AND try_no = 1";
    assert_eq!(db.number(delivered).await, count);
    for state in ["sent", "delivered"] {
        let kept = format!(
            "SELECT COUNT(DISTINCT message_id) FROM receipt WHERE state = '{state}' \
             AND message_id IS NOT NULL"
        );
        assert_eq!(db.number(&kept).await, count, "{state}");
    }
    assert_eq!(db.number("SELECT COUNT(*) FROM receipt").await, count.map(|count| 2 * count));
    assert_eq!(db.number("SELECT COUNT(*) FROM consent").await, count);
    let prompts = db.texts("SELECT DISTINCT prompt_id FROM consent").await;
    assert_eq!(prompts, [Some(PROMPT.to_owned())]);
    assert_eq!(db.number("SELECT COUNT(*) FROM offer").await, count);
}

async fn x_06_of_many_texts_at_once_one_that_cannot_be_stored_fails_alone(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    let texts = service(&db, config(&[base])).await;
    let mut orders = orders(texts.store());
    // No database takes a response that is none.
    let bad = orders[TEXTS / 2].offer.as_mut().unwrap();
    bad.response = "perhaps".to_owned();
    assert_eq!(send_all(&texts, orders).await, TEXTS - 1);
    assert_eq!(twilio.posted().len(), TEXTS - 1);
    let stored = db.number("SELECT COUNT(*) FROM message WHERE state = 'accepted'").await;
    assert_eq!(stored, i64::try_from(TEXTS - 1).ok());
    assert_eq!(db.number("SELECT COUNT(*) FROM message").await, stored);
}

async fn x_06_the_same_text_asked_for_many_times_at_once_goes_out_once(db: Db) {
    let (twilio, base) = Twilio::start(&[Does::Slow(Duration::from_millis(100))]);
    let texts = service(&db, config(&[base])).await;
    let one = order(texts.store(), &mobile(1));
    assert_eq!(send_all(&texts, vec![one; 20]).await, 1);
    assert_eq!(twilio.posted().len(), 1);
    assert_eq!(db.number("SELECT COUNT(*) FROM message").await, Some(1));
}

async fn x_06_a_text_whose_turn_is_later_is_kept_unwritten_until_then(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    let mut config = config(&[base]);
    config.senders[0].per_second = Some(1);
    let texts = service(&db, config).await;
    let first = order(texts.store(), &mobile(1));
    let accepted = TextOutcome::Accepted { sender: "uk1".to_owned() };
    assert_eq!(texts.send(first).await, accepted);
    let second = {
        let (texts, order) = (texts.clone(), order(texts.store(), &mobile(2)));
        tokio::spawn(async move { texts.send(order).await })
    };
    let unwritten = "SELECT COUNT(*) FROM message WHERE state = 'claimed' AND write_ms IS NULL \
                     AND sender IS NULL AND try_no = 0";
    common::eventually("kept", async || db.number(unwritten).await == Some(1)).await;
    assert_eq!(twilio.posted().len(), 1);
    assert_eq!(second.await.unwrap(), accepted);
    let written = "SELECT COUNT(*) FROM message WHERE write_ms IS NOT NULL AND sender = 'uk1' \
                   AND provider = 'twilio1' AND try_no = 1";
    assert_eq!(db.number(written).await, Some(2));
}
