//! What an operator does to the outbox, the opt-out list and the store's key, on both databases.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use common::{Db, config, eventually, mobile, order, service};
use deflect_actions::{
    keys::StoreKeys,
    store::Resealed,
    text::{NotDone, Retried, TextOrder, TextOutcome},
};
use provider_emulator::{Does, Twilio};

on_both!(
    a_text_that_failed_is_sent_again_as_a_new_one_by_the_same_consent_and_once,
    x_06_an_ambiguous_text_is_sent_again_only_where_a_duplicate_is_allowed_by_name,
    a_text_that_waits_is_made_due_or_taken_back_and_one_that_is_over_stays_so,
    ic_06_a_text_that_waits_for_its_moment_is_not_sent_before_it_by_hand_either,
    who_opted_out_is_listed_by_brand_with_country_and_last_digits_only,
    all_that_is_encrypted_moves_to_a_new_key_and_the_old_one_opens_nothing,
);

async fn a_text_that_failed_is_sent_again_as_a_new_one_by_the_same_consent_and_once(db: Db) {
    let (twilio, base) = Twilio::start(&[Does::Refuse(400, 21606, None)]);
    let texts = service(&db, config(&[base])).await;
    let order = order(texts.store(), &mobile(1));
    assert!(matches!(texts.send(order.clone()).await, TextOutcome::Failed { .. }));
    let failed = texts.store().messages(1).await.unwrap().remove(0).message_id;
    // The sender rests after what its operator must mend.
    db.execute("UPDATE message SET error_class = 'provider_down'").await.unwrap();
    let again = texts.retry_by_hand(&failed, false).await.unwrap();
    let Retried::Again(id) = again else { panic!("{again:?}") };
    let told = texts.retry_by_hand(&failed, true).await.unwrap_err().to_string();
    assert!(told.contains("moved on"), "{told}");
    let consents = "SELECT COUNT(DISTINCT consent_id) FROM message";
    assert_eq!(db.number(consents).await, Some(1));
    assert_eq!(db.number("SELECT COUNT(*) FROM message WHERE state = 'failed'").await, Some(1));
    let fresh = deflect_actions::text::TextService::new(texts.store().clone(), config(&[]));
    drop(texts);
    let (second, base) = Twilio::start(&[]);
    fresh.reconfigure(config(&[base]));
    let working = fresh.start();
    eventually("it is sent", async || !second.taken().is_empty()).await;
    working.abort();
    assert_eq!(second.taken()[0]["body"], order.text);
    assert_eq!(second.taken().len(), 1);
    assert_eq!(twilio.posted().len(), 1);
    let view = fresh.store().message_detail(&id).await.unwrap().unwrap();
    assert_eq!((view.asked_in.as_str(), view.pressed.as_deref()), ("welcome", Some("1")));
}

async fn x_06_an_ambiguous_text_is_sent_again_only_where_a_duplicate_is_allowed_by_name(db: Db) {
    let (twilio, base) = Twilio::start(&[Does::TakeAndReset]);
    twilio.hides_its_list(true);
    let texts = service(&db, config(&[base])).await;
    assert_eq!(texts.send(order(texts.store(), &mobile(1))).await, TextOutcome::Ambiguous);
    let id = texts.store().messages(1).await.unwrap().remove(0).message_id;
    let Err(NotDone::Refused(why)) = texts.retry_by_hand(&id, false).await else {
        panic!("it was sent again");
    };
    assert!(why.contains("--allow-duplicate"), "{why}");
    assert!(texts.cancel_by_hand(&id).await.is_err(), "it may have arrived");
    assert_eq!(texts.retry_by_hand(&id, true).await.unwrap(), Retried::Doubled);
    let working = texts.start();
    eventually("it is sent", async || twilio.taken().len() == 2).await;
    working.abort();
    let state = "SELECT COUNT(*) FROM message WHERE state = 'accepted'";
    eventually("it is accepted", async || db.number(state).await == Some(1)).await;
    assert!(texts.retry_by_hand(&id, true).await.is_err(), "a provider has it");
}

async fn a_text_that_waits_is_made_due_or_taken_back_and_one_that_is_over_stays_so(db: Db) {
    let (twilio, base) = Twilio::start(&[Does::Refuse(500, 0, Some(300)); 2]);
    let texts = service(&db, config(&[base])).await;
    for n in [1, 2] {
        assert_eq!(texts.send(order(texts.store(), &mobile(n))).await, TextOutcome::Queued);
    }
    let mut ids = texts.store().messages(2).await.unwrap().into_iter().map(|m| m.message_id);
    let (second, first) = (ids.next().unwrap(), ids.next().unwrap());
    texts.cancel_by_hand(&first).await.unwrap();
    assert!(texts.cancel_by_hand(&first).await.is_err(), "once");
    assert!(texts.retry_by_hand(&first, true).await.is_err(), "it was taken back");
    assert_eq!(texts.retry_by_hand(&second, false).await.unwrap(), Retried::Due);
    let working = texts.start();
    eventually("the other is sent", async || twilio.taken().len() == 1).await;
    working.abort();
    db.execute("UPDATE message SET state = 'failed', valid_until_ms = 1").await.unwrap();
    let told = texts.retry_by_hand(&second, true).await.unwrap_err().to_string();
    assert!(told.contains("too late"), "{told}");
    assert!(texts.retry_by_hand("nobody", true).await.is_err());
}

async fn ic_06_a_text_that_waits_for_its_moment_is_not_sent_before_it_by_hand_either(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    let by = std::sync::Arc::new(config(&[base]));
    let texts = deflect_actions::text::TextService::new(db.store().await, by.clone());
    let now = texts.store().clock().now_ms();
    for (n, purpose) in (1..).zip(["follow_up", "rating", "alert"]) {
        let order = TextOrder { purpose: purpose.to_owned(), ..order(texts.store(), &mobile(n)) };
        let sent = texts.follow_up(by.clone(), order, now + 3_600_000, now + 7_200_000).await;
        assert_eq!(sent, TextOutcome::Queued);
        let id = texts.store().messages(1).await.unwrap().remove(0).message_id;
        let told = texts.retry_by_hand(&id, true).await.unwrap_err().to_string();
        assert!(told.contains("goes out by itself: 2"), "{told}");
        // What is due already does no harm.
        texts.store().clock().advance(3_600_000);
        assert_eq!(texts.retry_by_hand(&id, false).await.unwrap(), Retried::Due);
        texts.store().clock().advance(-3_600_000);
    }
    assert!(twilio.posted().is_empty());
}

async fn who_opted_out_is_listed_by_brand_with_country_and_last_digits_only(db: Db) {
    let store = db.store().await;
    store.opt_out("retail", &mobile(1), "", "import").await.unwrap();
    store.opt_out("retail", &mobile(1), "orders", "operator").await.unwrap();
    store.opt_out("retail", &mobile(2), "orders", "operator").await.unwrap();
    let listed = store.opt_outs(Some("Example"), 10).await.unwrap();
    assert_eq!(listed.len(), 3);
    assert!(store.opt_outs(Some("Other"), 10).await.unwrap().is_empty());
    assert_eq!(listed.iter().filter(|one| one.to_masked.as_deref() == Some("GB …01")).count(), 2);
    // By topic: the rest of it stays.
    assert_eq!(store.opt_in("retail", &mobile(1), Some("orders")).await.unwrap(), 1);
    assert_eq!(store.opt_in("retail", &mobile(2), Some("billing")).await.unwrap(), 0);
    assert!(store.is_opted_out("retail", &mobile(1), "orders").await.unwrap(), "of anything");
    assert!(store.is_opted_out("retail", &mobile(2), "orders").await.unwrap());
    assert!(!store.is_opted_out("retail", &mobile(2), "billing").await.unwrap());
    // What is erased stays on the list, and nobody can read who it is.
    store.erase_number("retail", &mobile(1)).await.unwrap();
    let listed = store.opt_outs(None, 10).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed.iter().filter(|one| one.to_masked.is_none()).count(), 1);
    assert!(store.is_opted_out("retail", &mobile(1), "").await.unwrap());
}

async fn all_that_is_encrypted_moves_to_a_new_key_and_the_old_one_opens_nothing(db: Db) {
    let mut config = common::sandbox();
    config.limits.line_minute = 10_000;
    let texts = service(&db, config).await;
    // More than are looked at in one go.
    const TEXTS: u32 = 205;
    for n in 1..=TEXTS {
        let sent = texts.send(order(texts.store(), &mobile(n))).await;
        assert!(matches!(sent, TextOutcome::Accepted { .. }), "{sent:?}");
    }
    let store = texts.store();
    let old = StoreKeys::parse(b"seal").unwrap();
    let both = old.with_new().unwrap();
    store.keys().seal().take(&both);
    let values = u64::from(2 * TEXTS);
    let done = store.reseal().await.unwrap();
    assert_eq!(done, Resealed { renewed: values, current: 0, unreadable: 0 });
    store.keys().seal().take(&both.newest());
    let readable = async || {
        let inbox = store.inbox("sandbox", 1_000).await.unwrap();
        inbox.iter().filter(|m| m.text.is_some() && m.to.is_some()).count()
    };
    assert_eq!(readable().await, TEXTS as usize);
    let done = store.reseal().await.unwrap();
    assert_eq!(done, Resealed { renewed: 0, current: values, unreadable: 0 });
    store.keys().seal().take(&old);
    assert_eq!(readable().await, 0, "the old key opens nothing");
    assert_eq!(store.reseal().await.unwrap().unreadable, values, "and spoils nothing");
    store.keys().seal().take(&both.newest());
    assert_eq!(readable().await, TEXTS as usize);
}
