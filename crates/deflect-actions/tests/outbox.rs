//! Texts through the outbox, to a provider on loopback that misbehaves, on both databases.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::{Db, TOKEN, config, eventually, keys, mobile, number, order, sandbox, service};
use deflect_actions::{
    Clock,
    text::{TextOutcome, TextService},
};
use message_text::{E164, NumberProblem};
use provider_emulator::{ACCOUNT, Does, Twilio};

on_both!(
    kh_19_an_sms_is_sent_by_the_real_rest_form_and_accepted,
    kh_19_a_messaging_service_of_twilio_is_a_sender,
    kh_19_the_next_sender_is_tried_after_a_definite_failure_only,
    kh_19_only_senders_that_serve_its_country_get_a_text,
    kh_19_a_number_that_takes_no_texts_is_refused_with_its_reason,
    kh_03_429_is_tried_again_after_the_time_the_provider_names,
    kh_03_whatever_time_a_provider_names_its_refusal_is_told_and_nothing_ends,
    kh_03_a_provider_that_takes_texts_and_answers_too_late_is_not_down,
    x_03_a_failure_for_good_is_told_within_the_budget,
    x_03_a_provider_that_is_down_leaves_the_text_queued,
    x_03_a_text_is_tried_again_after_half_a_minute_two_and_ten_and_never_after_a_quarter_of_an_hour,
    x_03_a_text_that_nobody_could_try_within_a_quarter_of_an_hour_is_never_written,
    x_03_a_refused_connection_is_definite_and_falls_over_to_the_next_sender,
    x_05_an_opted_out_number_gets_nothing,
    ex_29_a_message_without_consent_cannot_be_stored,
    ex_29_the_row_is_committed_before_the_provider_sees_anything,
    a_second_text_within_the_window_is_a_duplicate,
    lp_04_the_sandbox_keeps_the_text_and_it_can_be_read,
    numbers_and_bodies_are_never_in_the_open_and_erased_a_day_later,
    a_text_too_long_is_refused_unless_its_flow_lets_it_be_longer,
    lp_01_an_address_is_not_sent_after_its_lifetime,
);

async fn kh_19_an_sms_is_sent_by_the_real_rest_form_and_accepted(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    let texts = service(&db, config(&[base])).await;
    let order = order(texts.store(), &mobile(1));
    let outcome = texts.send(order.clone()).await;
    assert_eq!(outcome, TextOutcome::Accepted { sender: "uk1".to_owned() });
    let (asked, posted) = (&twilio.requests()[0], &twilio.posted()[0]);
    assert!(asked.path().contains(&format!("/Accounts/{ACCOUNT}/")));
    let basic = STANDARD.encode(format!("{ACCOUNT}:{TOKEN}"));
    assert_eq!(asked.header("authorization"), format!("Basic {basic}"));
    assert_eq!(posted["To"], mobile(1).as_str());
    assert_eq!(posted["From"], "+447400123451");
    assert_eq!(posted["Body"], order.text);
    assert!(posted["ValidityPeriod"].parse::<u32>().unwrap() <= 900);
    let message = &texts.store().messages(1).await.unwrap()[0];
    let callback = format!(
        "{}/webhooks/twilio/twilio1/status?message={}",
        common::PUBLIC_URL,
        message.message_id
    );
    assert_eq!(posted["StatusCallback"], callback);
    assert_eq!((message.state.as_str(), message.segments), ("accepted", Some(1)));
    assert!(message.provider_id.as_ref().unwrap().starts_with("SM"));
    assert_eq!(db.number("SELECT COUNT(*) FROM consent WHERE pressed = '1'").await, Some(1));
    assert_eq!(db.number("SELECT COUNT(*) FROM offer WHERE response = 'accepted'").await, Some(1));
}

async fn kh_19_a_messaging_service_of_twilio_is_a_sender(db: Db) {
    let service = "MG0123456789abcdef0123456789abcdef";
    let (twilio, base) = Twilio::start(&[]);
    let mut config = config(&[base]);
    config.senders[0].from = service.to_owned();
    let texts = common::service(&db, config).await;
    let outcome = texts.send(order(texts.store(), &mobile(1))).await;
    assert_eq!(outcome, TextOutcome::Accepted { sender: "uk1".to_owned() });
    let posted = &twilio.posted()[0];
    assert_eq!(posted["MessagingServiceSid"], service);
    assert!(!posted.contains_key("From"), "{posted:?}");
}

async fn kh_19_the_next_sender_is_tried_after_a_definite_failure_only(db: Db) {
    let (first, one) = Twilio::start(&[Does::Refuse(500, 0, None), Does::TakeAndReset]);
    let (second, two) = Twilio::start(&[]);
    let texts = service(&db, config(&[one, two])).await;
    first.hides_its_list(true);
    let outcome = texts.send(order(texts.store(), &mobile(1))).await;
    assert_eq!(outcome, TextOutcome::Accepted { sender: "uk2".to_owned() });
    let outcome = texts.send(order(texts.store(), &mobile(2))).await;
    assert_eq!(outcome, TextOutcome::Ambiguous);
    assert_eq!((first.posted().len(), second.posted().len()), (2, 1));
}

async fn kh_19_only_senders_that_serve_its_country_get_a_text(db: Db) {
    let ((british, gb), (american, us)) = (Twilio::start(&[]), Twilio::start(&[]));
    let mut config = config(&[gb, us]);
    config.senders[1].regions = vec!["US".to_owned()];
    let texts = service(&db, config).await;
    let send = async |to: &E164| {
        let mut order = order(texts.store(), to);
        // The order of a step says who is asked first, not whom they serve.
        order.via = ["uk2", "uk1"].map(str::to_owned).to_vec();
        texts.send(order).await
    };
    let by = |name: &str| TextOutcome::Accepted { sender: name.to_owned() };
    assert_eq!(send(&mobile(1)).await, by("uk1"));
    assert_eq!(send(&number("+14155550102")).await, by("uk2"));
    assert_eq!((british.taken().len(), american.taken().len()), (1, 1));
    // Where it can't, the other one is not asked in its place.
    british.always(Does::Refuse(400, 21_606, None));
    assert_eq!(send(&mobile(2)).await, TextOutcome::Failed { class: "config".to_owned() });
    assert_eq!(american.taken().len(), 1);
}

async fn kh_19_a_number_that_takes_no_texts_is_refused_with_its_reason(db: Db) {
    let (twilio, base) = Twilio::start(&[Does::Refuse(400, 21635, None)]);
    let mut config = config(&[base]);
    // The last belongs to no country: an operator may write it.
    config.countries = ["GB", "US", "IE", "001"].map(str::to_owned).to_vec();
    config.senders[0].regions.push("001".to_owned());
    let texts = service(&db, config).await;
    for (to, reason) in [
        (Err(NumberProblem::Withheld), "withheld"),
        (Err(NumberProblem::Short), "short"),
        (Err(NumberProblem::Invalid), "invalid"),
        (Ok(number("+447400123456")), "own"),
        (Ok(number("+447400123451")), "own"),
        (Ok(number("+442079460018")), "own"), // the line called
        (Ok(number("+442079460019")), "landline"),
        (Ok(number("+449098790000")), "premium"),
        (Ok(number("+18002345678")), "toll_free"),
        (Ok(number("+881631412345")), "other_line"), // satellites
        (Ok(number("+870773111632")), "other_line"),
        (Ok(number("+4915123456789")), "country_not_allowed"),
        (Ok(number("+353850123456")), "no_sender"),
    ] {
        let mut order = order(texts.store(), &mobile(1));
        order.to = to;
        let expected = TextOutcome::NotTextable { reason: reason.to_owned() };
        assert_eq!(texts.send(order).await, expected, "{reason}");
    }
    assert!(twilio.posted().is_empty());
    // What the carrier finds out is remembered.
    for reason in ["not_textable", "known_not_textable"] {
        let expected = TextOutcome::NotTextable { reason: reason.to_owned() };
        assert_eq!(texts.send(order(texts.store(), &number("+14155550123"))).await, expected);
    }
    assert_eq!(twilio.posted().len(), 1);
    let store = texts.store();
    let known = async |number: &E164| {
        store.history("retail", number, "none", 0, Duration::from_secs(5)).await.unwrap()
    };
    assert!(known(&number("+14155550123")).await.untextable);
    assert!(!known(&mobile(1)).await.untextable);
}

async fn kh_03_429_is_tried_again_after_the_time_the_provider_names(db: Db) {
    let does = [Does::Refuse(429, 20429, Some(1)), Does::Refuse(429, 20429, None)];
    let (twilio, base) = Twilio::start(&does);
    let texts = service(&db, config(&[base])).await;
    let begin = now();
    let outcome = texts.send(order(texts.store(), &mobile(1))).await;
    assert_eq!(outcome, TextOutcome::Accepted { sender: "uk1".to_owned() });
    assert_eq!(twilio.posted().len(), 3);
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
}

async fn kh_03_whatever_time_a_provider_names_its_refusal_is_told_and_nothing_ends(db: Db) {
    let (_twilio, base) = Twilio::start(&[Does::Refuse(429, 20429, Some(u64::MAX))]);
    let texts = service(&db, config(&[base])).await;
    let outcome = texts.send(order(texts.store(), &mobile(1))).await;
    assert_eq!(outcome, TextOutcome::Failed { class: "rate_limited".to_owned() });
    let message = &texts.store().messages(1).await.unwrap()[0];
    assert_eq!(
        (message.state.as_str(), message.error_class.as_deref()),
        ("failed", Some("rate_limited"))
    );
}

async fn kh_03_a_provider_that_takes_texts_and_answers_too_late_is_not_down(db: Db) {
    let slow = [const { Does::Slow(Duration::from_millis(1_500)) }; 6];
    let (twilio, base) = Twilio::start(&slow);
    let texts = service(&db, config(&[base])).await;
    let accepted = TextOutcome::Accepted { sender: "uk1".to_owned() };
    let all: Vec<_> = (1..=6)
        .map(|n| {
            let order = order(texts.store(), &mobile(n));
            let texts = texts.clone();
            tokio::spawn(async move { texts.send(order).await })
        })
        .collect();
    for one in all {
        assert_eq!(one.await.unwrap(), accepted, "its list says that it has them");
    }
    assert_eq!(texts.resting_senders(), []);
    assert_eq!(texts.send(order(texts.store(), &mobile(7))).await, accepted);
    assert_eq!(twilio.taken().len(), 7);
}

async fn x_03_a_failure_for_good_is_told_within_the_budget(db: Db) {
    for (n, (status, code, class)) in
        (0..).zip([(400, 99999, "unknown"), (401, 20003, "auth"), (400, 21408, "config")])
    {
        let (twilio, base) = Twilio::start(&[Does::Refuse(status, code, None)]);
        let texts = service(&db, config(&[base])).await;
        let begin = now();
        let outcome = texts.send(order(texts.store(), &mobile(n))).await;
        assert_eq!(outcome, TextOutcome::Failed { class: class.to_owned() });
        assert!(begin.elapsed() < Duration::from_secs(3));
        assert_eq!(twilio.posted().len(), 1, "4xx is final");
        let message = &texts.store().messages(1).await.unwrap()[0];
        assert_eq!(message.state, "failed");
        assert_eq!(message.error_code.as_deref(), Some(code.to_string().as_str()));
    }
}

async fn x_03_a_provider_that_is_down_leaves_the_text_queued(db: Db) {
    let (twilio, base) = Twilio::start(&[Does::Refuse(503, 0, None); 20]);
    let clock = Clock::default();
    let store = db.store_with("n1", "b1", clock.clone()).await;
    let texts = TextService::new(store, config(&[base]));
    let begin = now();
    let outcome = texts.send(order(texts.store(), &mobile(1))).await;
    assert_eq!(outcome, TextOutcome::Queued);
    assert!(begin.elapsed() < Duration::from_millis(3_500), "{:?}", begin.elapsed());
    let tries = twilio.posted().len();
    assert!((2..20).contains(&tries), "{tries}");
    let worker = texts.start();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(twilio.posted().len(), tries, "not before its time");
    clock.advance(40_000);
    eventually("a background try", async || twilio.posted().len() == tries + 1).await;
    for _ in 0..20 {
        clock.advance(150_000);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    eventually("given up", async || texts.store().messages(1).await.unwrap()[0].state == "failed")
        .await;
    worker.abort();
}

/// A text of a quarter of an hour that is in the queue, for its provider is down.
async fn queued(db: &Db) -> (TextService, Twilio, Clock) {
    let (twilio, base) = Twilio::start(&[]);
    twilio.always(Does::Refuse(503, 20_503, None));
    let clock = Clock::default();
    let texts = TextService::new(db.store_with("n1", "b1", clock.clone()).await, config(&[base]));
    let mut order = order(texts.store(), &mobile(1));
    order.accept_within_ms = 600;
    assert_eq!(order.valid_minutes, 15, "as documented");
    assert_eq!(texts.send(order).await, TextOutcome::Queued);
    (texts, twilio, clock)
}

async fn x_03_a_text_is_tried_again_after_half_a_minute_two_and_ten_and_never_after_a_quarter_of_an_hour(
    db: Db,
) {
    const MINUTE_MS: i64 = 60_000;
    let (texts, twilio, clock) = queued(&db).await;
    let asked_ms = db.number("SELECT created_ms FROM message").await.unwrap();
    let mut before_ms = asked_ms;
    let next = "SELECT next_try_ms FROM message WHERE state = 'queued'";
    let worker = texts.start();
    let mut waited_ms = 0;
    for (n, pause_ms) in (1..).zip([MINUTE_MS / 2, 2 * MINUTE_MS, 10 * MINUTE_MS]) {
        let next_ms = db.number(next).await.unwrap();
        // The moment that the pause began at lies between the two.
        let (longest, shortest) = (next_ms - before_ms, next_ms - clock.now_ms());
        assert!(longest * 10 >= pause_ms * 8 && shortest * 10 <= pause_ms * 12, "{n}: {longest}");
        let tries = twilio.posted().len();
        clock.advance(shortest - 5_000);
        tokio::time::sleep(Duration::from_millis(1_300)).await;
        assert_eq!(twilio.posted().len(), tries, "{n}: not before its time");
        clock.advance(5_000);
        (before_ms, waited_ms) = (next_ms, next_ms - asked_ms);
        eventually("it is tried", async || twilio.posted().len() > tries).await;
        let state = "SELECT COUNT(*) FROM message WHERE state IN ('queued', 'failed')";
        eventually("and that is known", async || db.number(state).await == Some(1)).await;
    }
    // The next one would come after its time, which the provider is told of, too.
    assert_eq!(texts.store().messages(1).await.unwrap()[0].state, "failed");
    let told: i64 = twilio.posted().pop().unwrap()["ValidityPeriod"].parse().unwrap();
    assert!((1..=900 - waited_ms / 1_000).contains(&told), "{told} after {waited_ms}");
    let tries = twilio.posted().len();
    twilio.always(Does::Accept);
    clock.advance(30 * MINUTE_MS);
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    assert_eq!(twilio.posted().len(), tries);
    worker.abort();
}

async fn x_03_a_text_that_nobody_could_try_within_a_quarter_of_an_hour_is_never_written(db: Db) {
    let (texts, twilio, clock) = queued(&db).await;
    let tries = twilio.posted().len();
    twilio.always(Does::Accept);
    // No node works meanwhile.
    clock.advance(15 * 60_000);
    let worker = texts.start();
    let failed = "SELECT COUNT(*) FROM message WHERE state = 'failed'";
    eventually("it is given up", async || db.number(failed).await == Some(1)).await;
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    assert_eq!((twilio.posted().len(), twilio.taken().len()), (tries, 0));
    worker.abort();
}

async fn x_03_a_refused_connection_is_definite_and_falls_over_to_the_next_sender(db: Db) {
    let (_, two) = Twilio::start(&[]);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let texts = service(&db, config(&[dead, two])).await;
    let outcome = texts.send(order(texts.store(), &mobile(1))).await;
    assert_eq!(outcome, TextOutcome::Accepted { sender: "uk2".to_owned() });
}

async fn x_05_an_opted_out_number_gets_nothing(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    let texts = service(&db, config(&[base])).await;
    let store = texts.store();
    store.opt_out("retail", &mobile(1), "", "call").await.unwrap();
    store.opt_out("retail", &mobile(2), "offers", "call").await.unwrap();
    assert_eq!(texts.send(order(store, &mobile(1))).await, TextOutcome::OptedOut);
    let mut on_topic = order(store, &mobile(2));
    on_topic.topic = "offers".to_owned();
    assert_eq!(texts.send(on_topic).await, TextOutcome::OptedOut);
    assert!(twilio.posted().is_empty());
    let accepted = TextOutcome::Accepted { sender: "uk1".to_owned() };
    assert_eq!(texts.send(order(store, &mobile(2))).await, accepted);
    store.opt_in("retail", &mobile(1), None).await.unwrap();
    assert_eq!(texts.send(order(store, &mobile(1))).await, accepted);
    // The provider knows of one that we do not.
    let (_, base) = Twilio::start(&[Does::Refuse(400, 21610, None)]);
    texts.reconfigure(config(&[base]));
    assert_eq!(texts.send(order(store, &mobile(3))).await, TextOutcome::OptedOut);
    assert!(store.is_opted_out("retail", &mobile(3), "").await.unwrap());
}

async fn ex_29_a_message_without_consent_cannot_be_stored(db: Db) {
    let texts = service(&db, sandbox()).await;
    texts.send(order(texts.store(), &mobile(1))).await;
    let copy = |consent: &str| {
        format!(
            "INSERT INTO message (message_id, call_id, consent_id, idem_key, purpose, channel, \
             dest_key, state, created_ms, valid_until_ms) SELECT 'm2', call_id, {consent}, 'k', \
             'link', 'sms', 'd', 'queued', 1, 2 FROM message"
        )
    };
    // The connection of the store checks references; one of SQLite's does not by itself.
    let on = if db.url.starts_with("sqlite") { "PRAGMA foreign_keys = ON; " } else { "" };
    for consent in ["NULL", "'no-such-consent'"] {
        let refused = db.execute(&format!("{on}{}", copy(consent))).await;
        assert!(refused.is_err(), "{consent}");
    }
    db.execute(&copy("consent_id")).await.unwrap();
}

async fn ex_29_the_row_is_committed_before_the_provider_sees_anything(db: Db) {
    let (twilio, base) = Twilio::start(&[Does::Slow(Duration::from_millis(500))]);
    let texts = service(&db, config(&[base])).await;
    let sending = {
        let (texts, order) = (texts.clone(), order(texts.store(), &mobile(1)));
        tokio::spawn(async move { texts.send(order).await })
    };
    eventually("posted", async || twilio.posted().len() == 1).await;
    let claimed = "SELECT COUNT(*) FROM message m JOIN consent k ON k.consent_id = m.consent_id \
                   JOIN call c ON c.call_id = m.call_id \
                   WHERE m.state = 'claimed' AND m.write_ms IS NOT NULL";
    assert_eq!(db.number(claimed).await, Some(1));
    assert_eq!(sending.await.unwrap(), TextOutcome::Accepted { sender: "uk1".to_owned() });
}

async fn a_second_text_within_the_window_is_a_duplicate(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    let clock = Clock::default();
    let texts = TextService::new(db.store_with("n1", "b1", clock.clone()).await, config(&[base]));
    let accepted = TextOutcome::Accepted { sender: "uk1".to_owned() };
    let send = async |step: &str| {
        let mut order = order(texts.store(), &mobile(1));
        order.step = step.to_owned();
        texts.send(order).await
    };
    assert_eq!(send("send_link").await, accepted);
    assert_eq!(send("send_link").await, TextOutcome::Duplicate);
    assert_eq!(send("send_other").await, accepted, "another text of the same menu");
    let mut from_elsewhere = order(texts.store(), &mobile(1));
    from_elsewhere.asked_in = "another_menu".to_owned();
    assert_eq!(texts.send(from_elsewhere).await, TextOutcome::Duplicate, "the same text");
    clock.advance(11 * 60_000);
    assert_eq!(send("send_link").await, accepted, "the window is over");
    assert_eq!(twilio.taken().len(), 3);
}

async fn lp_04_the_sandbox_keeps_the_text_and_it_can_be_read(db: Db) {
    let texts = service(&db, sandbox()).await;
    let order = order(texts.store(), &mobile(1));
    let outcome = texts.send(order.clone()).await;
    assert_eq!(outcome, TextOutcome::Accepted { sender: "inbox".to_owned() });
    let inbox = texts.store().inbox("sandbox", 10).await.unwrap();
    assert_eq!(inbox.len(), 1);
    assert_eq!(inbox[0].state, "delivered");
    assert_eq!(inbox[0].text.as_ref(), Some(&order.text));
    assert_eq!(inbox[0].to.as_deref(), Some(mobile(1).as_str()));
    assert_eq!(inbox[0].to_masked.as_deref(), Some("GB …01"));
    let found = texts.store().messages_like(&inbox[0].message_id[..12], 2).await.unwrap();
    assert_eq!(found, [inbox[0].message_id.clone()]);
}

async fn numbers_and_bodies_are_never_in_the_open_and_erased_a_day_later(db: Db) {
    let clock = Clock::default();
    let texts = TextService::new(db.store_with("n1", "b1", clock.clone()).await, sandbox());
    texts.send(order(texts.store(), &mobile(1))).await;
    let rows = db
        .texts("SELECT COALESCE(dest_enc, '') || COALESCE(body_enc, '') || dest_key FROM message")
        .await;
    let row = rows[0].clone().unwrap();
    let digits = mobile(1).as_str()[3..].to_owned();
    assert!(row.len() > 100 && !row.contains(&digits) && !row.contains("example.net"), "{row}");
    clock.advance(23 * 3_600_000);
    assert_eq!(texts.store().erase_due().await.unwrap(), 0);
    clock.advance(2 * 3_600_000);
    assert_eq!(texts.store().erase_due().await.unwrap(), 1);
    let erased = "SELECT COUNT(*) FROM message WHERE dest_enc IS NULL AND body_enc IS NULL";
    assert_eq!(db.number(erased).await, Some(1));
    let message = &texts.store().messages(1).await.unwrap()[0];
    assert_eq!((&message.to, &message.text), (&None, &None));
    // Its hash stays, for the caller's history.
    let key = keys().caller_keys("retail", &mobile(1), clock.now_ms()).0;
    assert_eq!(db.texts("SELECT dest_key FROM message").await, [Some(key)]);
}

async fn a_text_too_long_is_refused_unless_its_flow_lets_it_be_longer(db: Db) {
    let texts = service(&db, sandbox()).await;
    let mut order = order(texts.store(), &mobile(1));
    order.text = "ç".repeat(140);
    let refused = texts.send(order.clone()).await;
    assert_eq!(refused, TextOutcome::Failed { class: "too_long".to_owned() });
    // Its flow may let it be longer.
    order.max_segments = 3;
    assert!(matches!(texts.send(order).await, TextOutcome::Accepted { .. }));
    assert_eq!(texts.store().messages(1).await.unwrap()[0].segments, Some(3));
}

#[expect(clippy::disallowed_methods, reason = "a test measures how long a caller waits")]
fn now() -> Instant {
    Instant::now()
}

async fn lp_01_an_address_is_not_sent_after_its_lifetime(db: Db) {
    let (twilio, base) = Twilio::start(&[Does::Refuse(503, 20503, None); 20]);
    let clock = Clock::default();
    let store = db.store_with("n1", "b1", clock.clone()).await;
    let texts = TextService::new(store, config(&[base]));
    let until = |n, left_ms| {
        let mut order = order(texts.store(), &mobile(n));
        order.not_after_ms = Some(clock.now_ms() + left_ms);
        order.accept_within_ms = 600;
        order
    };
    // It is over already, or it ends while the provider is down.
    let expired = TextOutcome::Failed { class: "expired".to_owned() };
    assert_eq!(texts.send(until(1, 0)).await, expired);
    assert_eq!(twilio.posted().len(), 0);
    assert_eq!(texts.send(until(2, 60_000)).await, TextOutcome::Queued);
    assert!(!twilio.posted().is_empty());
    let before = twilio.posted().len();
    clock.advance(60_000);
    let worker = texts.start();
    let state = "SELECT state FROM message ORDER BY message_id";
    eventually("it is given up", async || {
        db.texts(state).await.into_iter().flatten().all(|state| state == "failed")
    })
    .await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    worker.abort();
    assert_eq!((twilio.posted().len(), twilio.taken().len()), (before, 0));
}
