//! An opt-out list whose key is another: nothing is sent, and who opts out meanwhile is found later.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{Db, config, eventually, info, mobile, order};
use deflect_actions::{
    Clock,
    keys::{BusinessKeys, Keys, NumberKey, Seal, StoreKeys},
    store::{OptOutOrder, Resealed, Store, StoreError},
    text::{NotDone, TextOutcome, TextService},
};
use provider_emulator::{Does, Twilio};

on_both!(
    x_05_who_opts_out_while_the_key_is_another_is_found_with_the_right_one,
    x_05_who_opts_out_at_a_node_with_another_key_is_found_by_one_that_has_the_right_one,
    x_05_nothing_is_put_on_a_list_whose_key_is_another_but_by_who_opts_out,
    x_05_what_waits_is_not_sent_while_nobody_knows_who_wants_none,
    x_05_two_businesses_of_one_brand_have_keys_of_their_own,
    x_05_a_key_that_was_given_up_is_no_key_any_more,
    x_05_a_new_key_of_the_store_seals_anew_who_opted_out_while_the_list_was_lost,
    x_05_a_list_stays_lost_while_somebody_on_it_cannot_be_read,
);

/// A store whose businesses have these keys.
async fn store(db: &Db, businesses: &[(&str, &str)], clock: &Clock) -> Store {
    let store = Store::connect(&db.url, keys_of(businesses), info("n1", "b1"), clock.clone());
    let store = store.unwrap();
    store.prepare().await.unwrap();
    store
}

fn keys(key: &str) -> Keys {
    keys_of(&[("retail", key)])
}

fn keys_of(businesses: &[(&str, &str)]) -> Keys {
    let of = |(name, key): &(&str, &str)| {
        let keys = BusinessKeys {
            brand: "Example".to_owned(),
            number_key: NumberKey::from_secret(b"number"),
            opt_out_key: key.as_bytes().to_vec(),
        };
        ((*name).to_owned(), keys)
    };
    let businesses: BTreeMap<_, _> = businesses.iter().map(of).collect();
    Keys::new(Seal::from_secret(b"seal"), 90, businesses)
}

async fn x_05_who_opts_out_while_the_key_is_another_is_found_with_the_right_one(db: Db) {
    let clock = Clock::default();
    let right = store(&db, &[("retail", "a")], &clock).await;
    right.opt_out("retail", &mobile(1), "", "call").await.unwrap();
    let wrong = store(&db, &[("retail", "b")], &clock).await;
    assert!(wrong.is_opt_out_list_lost("retail"));
    wrong.opt_out("retail", &mobile(2), "", "text").await.unwrap();
    wrong.opt_out("retail", &mobile(3), "billing", "call").await.unwrap();
    let open = "SELECT COUNT(*) FROM opt_out WHERE opt_key LIKE '%447400%'";
    assert_eq!(db.number(open).await, Some(0), "nobody's number is in the open");
    let right = store(&db, &[("retail", "a")], &clock).await;
    assert!(!right.is_opt_out_list_lost("retail"));
    let wants_none =
        async |n, topic| right.is_opted_out("retail", &mobile(n), topic).await.unwrap();
    assert!(wants_none(1, "").await && wants_none(2, "").await);
    assert!(wants_none(3, "billing").await && !wants_none(3, "").await);
    assert_eq!(db.number("SELECT COUNT(*) FROM opt_out").await, Some(3));
}

async fn x_05_who_opts_out_at_a_node_with_another_key_is_found_by_one_that_has_the_right_one(
    db: Db,
) {
    let clock = Clock::default();
    let right = TextService::new(store(&db, &[("retail", "a")], &clock).await, config(&[]));
    let wrong = store(&db, &[("retail", "b")], &clock).await;
    wrong.opt_out("retail", &mobile(2), "", "text").await.unwrap();
    let stopped_ms = db.number("SELECT since_ms FROM opt_out").await;
    clock.advance(60_000);
    let worker = right.start();
    eventually("it is found", async || {
        right.store().is_opted_out("retail", &mobile(2), "").await.unwrap()
    })
    .await;
    worker.abort();
    // When they said it is known all the same.
    eventually("it is there once", async || {
        db.number("SELECT COUNT(*) FROM opt_out").await == Some(1)
    })
    .await;
    assert_eq!(db.number("SELECT since_ms FROM opt_out").await, stopped_ms);
}

async fn x_05_nothing_is_put_on_a_list_whose_key_is_another_but_by_who_opts_out(db: Db) {
    let clock = Clock::default();
    store(&db, &[("care", "c"), ("retail", "a")], &clock).await;
    let wrong = store(&db, &[("care", "c"), ("retail", "b")], &clock).await;
    let of = |business| vec![OptOutOrder::new(wrong.keys(), business, &mobile(1), "")];
    let by = ("operator", "opt-out add", "");
    for refused in [
        wrong.opt_out_all(of("retail"), "import", by).await,
        wrong.opt_in_all(of("retail"), true, by).await.map(|_| ()),
    ] {
        assert!(matches!(refused, Err(StoreError::ListLost(_))), "{refused:?}");
    }
    assert_eq!(db.number("SELECT COUNT(*) FROM opt_out").await, Some(0));
    wrong.opt_out_all(of("care"), "import", by).await.unwrap();
}

async fn x_05_what_waits_is_not_sent_while_nobody_knows_who_wants_none(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    twilio.always(Does::Refuse(503, 20_503, None));
    let clock = Clock::default();
    let of = std::slice::from_ref(&base);
    let texts = TextService::new(store(&db, &[("retail", "a")], &clock).await, config(of));
    let mut waiting = order(texts.store(), &mobile(1));
    waiting.accept_within_ms = 300;
    assert_eq!(texts.send(waiting).await, TextOutcome::Queued);
    let asked = twilio.posted().len();
    let wrong = TextService::new(store(&db, &[("retail", "b")], &clock).await, config(of));
    let worker = wrong.start();
    clock.advance(70_000);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(twilio.posted().len(), asked);
    let id = wrong.store().messages(1).await.unwrap()[0].message_id.clone();
    let by_hand = wrong.retry_by_hand(&id, false).await;
    assert!(matches!(by_hand, Err(NotDone::Refused(_))), "{by_hand:?}");
    worker.abort();
    // With the right key it goes, as long as it is good.
    twilio.always(Does::Accept);
    let worker = texts.start();
    clock.advance(70_000);
    eventually("it is sent", async || !twilio.taken().is_empty()).await;
    worker.abort();
}

async fn x_05_two_businesses_of_one_brand_have_keys_of_their_own(db: Db) {
    let clock = Clock::default();
    let both = [("care", "a"), ("retail", "b")];
    let one = store(&db, &both, &clock).await;
    one.opt_out("care", &mobile(1), "", "call").await.unwrap();
    // As a program left it that knew no check values.
    db.execute("DELETE FROM opt_out_key").await.unwrap();
    let other = store(&db, &both, &clock).await;
    assert!(!other.is_opt_out_list_lost("care") && !other.is_opt_out_list_lost("retail"));
}

async fn x_05_a_key_that_was_given_up_is_no_key_any_more(db: Db) {
    let clock = Clock::default();
    let first = store(&db, &[("retail", "a")], &clock).await;
    let second = store(&db, &[("retail", "b")], &clock).await;
    second.accept_opt_out_key("retail", "operator").await.unwrap();
    assert!(!second.is_opt_out_list_lost("retail"));
    // The node that still has the first finds out by itself.
    let node = TextService::new(first, config(&[]));
    let worker = node.start();
    eventually("it is told", async || node.store().is_opt_out_list_lost("retail")).await;
    worker.abort();
    let back = store(&db, &[("retail", "a")], &clock).await;
    assert!(back.is_opt_out_list_lost("retail"));
}

async fn x_05_a_new_key_of_the_store_seals_anew_who_opted_out_while_the_list_was_lost(db: Db) {
    let clock = Clock::default();
    store(&db, &[("retail", "a")], &clock).await;
    let wrong = store(&db, &[("retail", "b")], &clock).await;
    wrong.opt_out("retail", &mobile(2), "", "text").await.unwrap();
    let both = StoreKeys::parse(b"seal").unwrap().with_new().unwrap();
    wrong.keys().seal().take(&both);
    let done = wrong.reseal().await.unwrap();
    assert_eq!(done, Resealed { renewed: 1, current: 0, unreadable: 0 });
    assert_eq!(wrong.reseal().await.unwrap().current, 1);
    // The old key is gone when the right one of the list is back.
    let right = Store::connect(&db.url, keys("a"), info("n1", "b1"), clock.clone()).unwrap();
    right.keys().seal().take(&both.newest());
    right.prepare().await.unwrap();
    assert!(!right.is_opt_out_list_lost("retail"));
    assert!(right.is_opted_out("retail", &mobile(2), "").await.unwrap());
}

async fn x_05_a_list_stays_lost_while_somebody_on_it_cannot_be_read(db: Db) {
    let clock = Clock::default();
    let first = store(&db, &[("retail", "a")], &clock).await;
    first.opt_out("retail", &mobile(1), "", "call").await.unwrap();
    let wrong = store(&db, &[("retail", "b")], &clock).await;
    wrong.opt_out("retail", &mobile(2), "", "text").await.unwrap();
    let other = async || {
        let store = Store::connect(&db.url, keys("a"), info("n1", "b2"), clock.clone()).unwrap();
        store.keys().seal().take(&StoreKeys::parse(b"another").unwrap());
        store.prepare().await.unwrap();
        store
    };
    let unread = other().await;
    assert!(unread.is_opt_out_list_lost("retail"), "nobody knows who has said STOP");
    // Whoever has the key finds it all.
    let right = store(&db, &[("retail", "a")], &clock).await;
    assert!(!right.is_opt_out_list_lost("retail"));
    assert!(right.is_opted_out("retail", &mobile(2), "").await.unwrap());
    // It is lost for good, and with it only who was sealed under it.
    wrong.opt_out("retail", &mobile(3), "", "text").await.unwrap();
    let unread = other().await;
    unread.accept_opt_out_key("retail", "operator").await.unwrap();
    assert!(!unread.is_opt_out_list_lost("retail"));
    assert!(!other().await.is_opt_out_list_lost("retail"));
    assert!(unread.is_opted_out("retail", &mobile(1), "").await.unwrap());
    assert_eq!(db.number("SELECT COUNT(*) FROM opt_out WHERE lost_ms > 0").await, Some(1));
    // What was given up keeps no key from being retired.
    assert_eq!(unread.reseal().await.unwrap().unreadable, 0);
}
