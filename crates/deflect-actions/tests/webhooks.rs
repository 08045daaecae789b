//! What providers tell by webhook: receipts and texts, believed by their signatures.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::time::Duration;

use common::{
    Db, eventually, headers, mobile, order,
    ours::{accepted, hears, set_up},
    posted,
};
use deflect_actions::{
    provider::Posted,
    store::Subscription,
    text::{TextOrder, TextOutcome, WebhookAnswer},
};
use provider_emulator::{
    Does as Emulated, Event, Hook, Magic, Personality, Says, Twilio, VERIFY_TOKEN,
};
use serde_json::json;

on_both!(
    what_somebody_wrote_and_no_webhook_has_taken_yet_is_erased_with_them,
    ic_14_a_text_that_is_taken_back_or_erased_is_told,
    receipts_late_repeated_reordered_early_and_unknown_move_states_forward_only,
    a_receipt_of_long_ago_says_nothing_of_a_newer_text_with_the_same_id,
);

async fn what_somebody_wrote_and_no_webhook_has_taken_yet_is_erased_with_them(db: Db) {
    let is = Personality::Telnyx;
    let (texts, _emulators) = set_up(&db, &[is]).await;
    let all = Subscription::of("https://crm.example/hook", &["*".to_owned()]);
    texts.store().subscribe(vec![all]);
    let at_ms = texts.store().clock().now_ms();
    // One was texted before, the others are strangers.
    assert_eq!(texts.send(order(texts.store(), &mobile(1))).await, accepted(is));
    for n in 1..=3 {
        let (id, number) = (format!("in-{n}"), mobile(n));
        let says = Says::Text("where is my parcel?");
        let hook =
            is.hook(&[Event { id: &id, reference: None, number: number.as_str(), says, at_ms }]);
        assert_eq!(hears(&texts, is, &hook).await, 200);
    }
    let words = "SELECT COUNT(*) FROM event WHERE type = 'message.received'";
    assert_eq!(db.number(words).await, Some(3));
    for (n, left) in [(1, 2), (2, 1)] {
        let erased = texts.store().erase_number("retail", &mobile(n)).await.unwrap();
        assert_eq!((erased.events, db.number(words).await), (1, Some(left)));
    }
}

async fn ic_14_a_text_that_is_taken_back_or_erased_is_told(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    twilio.always(Emulated::Refuse(503, 20_503, None));
    let texts = common::service(&db, common::config(&[base])).await;
    let store = texts.store();
    store.subscribe(vec![Subscription::of("https://crm.example/hook", &["*".to_owned()])]);
    for n in 1..=2 {
        let mut waits = order(store, &mobile(n));
        waits.accept_within_ms = 300;
        assert_eq!(texts.send(waits).await, TextOutcome::Queued);
    }
    let told = "SELECT COUNT(*) FROM event WHERE type = 'message.state' \
                AND body LIKE '%\"state\":\"canceled\"%'";
    store.erase_number("retail", &mobile(1)).await.unwrap();
    assert_eq!(db.number(told).await, Some(1), "erased");
    let waiting = store.messages(9).await.unwrap();
    let waiting = waiting.into_iter().find(|one| one.state == "queued").unwrap();
    texts.cancel_by_hand(&waiting.message_id).await.unwrap();
    assert_eq!(db.number(told).await, Some(2), "taken back");
}

async fn receipts_late_repeated_reordered_early_and_unknown_move_states_forward_only(db: Db) {
    for is in Personality::HTTP {
        let (texts, emulators) = set_up(&db, &[is]).await;
        let id = emulators[0].is.id(1);
        let at_ms = texts.store().clock().now_ms();
        let tells = async |id: &str, says| {
            let number = "+447400110001";
            let hook = is.hook(&[Event { id, reference: None, number, says, at_ms }]);
            assert_eq!(hears(&texts, is, &hook).await, 200, "{is:?} {says:?}");
        };
        tells("nobody-knows", Says::Delivered).await;
        // Before the answer that tells which message it is.
        tells(&id, Says::Sent).await;
        assert_eq!(texts.send(order(texts.store(), &mobile(1))).await, accepted(is));
        let bill = "SELECT segments * 100000 + price_micros FROM message";
        if is == Personality::Telnyx {
            assert_eq!(db.number(bill).await, Some(205_100), "of the receipt that came too early");
        }
        let read = if is == Personality::Vonage { "delivered" } else { "read" };
        let state = async || db.message().await.split(' ').next().unwrap().to_owned();
        assert_eq!(state().await, "sent", "{is:?}");
        for (says, expected) in [
            (Says::Delivered, "delivered"),
            (Says::Sent, "delivered"),
            (Says::Delivered, "delivered"),
            (Says::Failed(Magic::Blocked), "delivered"),
            (Says::Read, read),
            (Says::Delivered, read),
        ] {
            tells(&id, says).await;
            assert_eq!(state().await, expected, "{is:?} {says:?}");
        }
        if is == Personality::Telnyx {
            assert_eq!(db.number(bill).await, Some(205_100), "parts and price are kept");
        }
        for table in ["message", "receipt"] {
            db.execute(&format!("DELETE FROM {table}")).await.unwrap();
        }
    }
}

/// Requirements §4.9; a gateway or a centre may begin its ids anew.
async fn a_receipt_of_long_ago_says_nothing_of_a_newer_text_with_the_same_id(db: Db) {
    let is = Personality::Gateway;
    let (texts, _emulators) = set_up(&db, &[is]).await;
    let clock = texts.store().clock().clone();
    let tells = async |n: usize, says| {
        let (id, at_ms) = (is.id(n), clock.now_ms());
        let event = Event { id: &id, reference: None, number: "+447400110001", says, at_ms };
        assert_eq!(hears(&texts, is, &is.hook(&[event])).await, 200);
    };
    let states = async || {
        let states = db.texts("SELECT state FROM message ORDER BY message_id").await;
        states.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    let sends = async |n| {
        assert_eq!(texts.send(order(texts.store(), &mobile(n))).await, accepted(is));
    };
    // Nobody knows whose it is, and a receipt overtakes an answer by minutes at most.
    tells(1, Says::Failed(Magic::Blocked)).await;
    clock.advance(11 * 60_000);
    sends(1).await;
    assert_eq!(states().await, "accepted");
    // The ids begin anew.
    clock.advance(7 * 86_400_000);
    sends(2).await;
    let anew = format!("UPDATE message SET provider_id = '{}'", is.id(1));
    db.execute(&anew).await.unwrap();
    tells(1, Says::Delivered).await;
    assert_eq!(states().await, "accepted delivered", "the newest");
    sends(3).await;
    db.execute(&anew).await.unwrap();
    tells(1, Says::Failed(Magic::Blocked)).await;
    assert_eq!(states().await, "accepted delivered undelivered", "the newest");
    clock.advance(9 * 86_400_000);
    tells(1, Says::Read).await;
    assert_eq!(states().await, "accepted delivered undelivered", "they are too old");
    // One that waited for its moment is as old as its sending.
    sends(4).await;
    let ordered = "UPDATE message SET created_ms = created_ms - 864000000 WHERE state = 'accepted' \
                   AND message_id = (SELECT MAX(message_id) FROM message)";
    db.execute(ordered).await.unwrap();
    tells(4, Says::Delivered).await;
    assert_eq!(states().await, "accepted delivered undelivered delivered");
}

#[tokio::test]
async fn a_webhook_is_believed_only_with_a_fresh_signature_over_its_bytes() {
    for is in Personality::HTTP {
        let db = Db::sqlite();
        let (texts, emulators) = set_up(&db, &[is]).await;
        assert_eq!(texts.send(order(texts.store(), &mobile(1))).await, accepted(is));
        let (id, now) = (emulators[0].is.id(1), texts.store().clock().now_ms());
        let event = |at_ms| Event {
            id: &id,
            reference: None,
            number: "+447400110001",
            says: Says::Delivered,
            at_ms,
        };
        let good = is.hook(&[event(now)]);
        let mut forged = good.clone();
        let id_at = forged.body.windows(id.len()).position(|part| part == id.as_bytes()).unwrap();
        forged.body[id_at] ^= 1;
        let mut bare = Hook { headers: headers(&[]), ..good.clone() };
        let refused = if is.signs_webhooks() { 403 } else { 401 };
        if is == Personality::Vonage {
            bare.body = br#"{"messageId":"1","status":"failed","timestamp":"1"}"#.to_vec();
        }
        assert_eq!(hears(&texts, is, &bare).await, refused, "{is:?}: no signature");
        if is.signs_webhooks() {
            assert_eq!(hears(&texts, is, &forged).await, refused, "{is:?}: another body");
        }
        if is.dates_webhooks() {
            for at_ms in [now - 6 * 60_000, now + 6 * 60_000] {
                assert_eq!(hears(&texts, is, &is.hook(&[event(at_ms)])).await, 403, "{is:?}");
            }
        }
        assert_eq!(db.message().await.split(' ').next(), Some("accepted"));
        let nonsense = hears(&texts, is, &is.signed(b"[1]".to_vec(), now)).await;
        // There is no signature over what has no parameters.
        assert_eq!(nonsense, if is == Personality::Vonage { 403 } else { 400 }, "{is:?}");
        assert_eq!(hears(&texts, is, &good).await, 200);
        assert_eq!(db.message().await.split(' ').next(), Some("delivered"));
        let kind = if is == Personality::Twilio { "telnyx" } else { "twilio" };
        let other = texts.webhook(kind, is.name(), good.posted()).await.unwrap_err();
        assert_eq!(other.status(), 404, "a provider of that name is of another kind");
    }
}

#[tokio::test]
async fn many_events_of_one_webhook_are_all_taken() {
    for is in Personality::HTTP.into_iter().filter(|is| is.batches()) {
        let db = Db::sqlite();
        let (texts, emulators) = set_up(&db, &[is]).await;
        let at_ms = texts.store().clock().now_ms();
        for n in 1..=3 {
            assert_eq!(texts.send(order(texts.store(), &mobile(n))).await, accepted(is));
        }
        let ids: Vec<_> = (1..=3).map(|n| emulators[0].is.id(n)).collect();
        let event = |id, says| Event { id, reference: None, number: "+447400110001", says, at_ms };
        let events = [
            event(&ids[0], Says::Read),
            event(&ids[1], Says::Delivered),
            event(&ids[2], Says::Failed(Magic::Blocked)),
            event(&ids[0], Says::Delivered),
        ];
        assert_eq!(hears(&texts, is, &is.hook(&events)).await, 200);
        let states = db.texts("SELECT state FROM message ORDER BY message_id").await;
        let states: Vec<_> = states.into_iter().flatten().collect();
        assert_eq!(states[..2], ["read", "delivered"], "{is:?}");
        assert!(["failed", "undelivered"].contains(&states[2].as_str()), "{is:?} {states:?}");
    }
}

#[tokio::test]
async fn x_05_stop_by_any_provider_holds_at_once_and_is_confirmed_where_we_are_to() {
    for is in Personality::HTTP {
        let db = Db::sqlite();
        let (texts, emulators) = set_up(&db, &[is]).await;
        let at_ms = texts.store().clock().now_ms();
        let from = mobile(1);
        let text = |text, at_ms| {
            is.hook(&[Event {
                id: "in1",
                reference: None,
                number: from.as_str(),
                says: Says::Text(text),
                at_ms,
            }])
        };
        emulators[0].wrote(from.as_str(), at_ms);
        assert_eq!(hears(&texts, is, &text("please do not stop", at_ms)).await, 200);
        assert_eq!(hears(&texts, is, &text(" Stop. ", at_ms)).await, 200);
        let outcome = texts.send(order(texts.store(), &from)).await;
        assert_eq!(outcome, TextOutcome::OptedOut, "{is:?}");
        if !matches!(is, Personality::Telnyx | Personality::Twilio) {
            eventually("it is confirmed", async || !emulators[0].taken().is_empty()).await;
        }
        let answers = emulators[0].taken();
        match is {
            // They answer by themselves.
            Personality::Telnyx | Personality::Twilio => assert!(answers.is_empty(), "{answers:?}"),
            _ => {
                assert_eq!(answers.len(), 1, "{is:?}");
                let said = &answers[0].text;
                assert!(said.contains("START"), "{said}");
            }
        }
        match is {
            Personality::WhatsApp => {
                assert_eq!(answers[0].posted["type"], json!("text"));
                // The window for free text is closed a day later.
                assert_eq!(hears(&texts, is, &text("HELP", at_ms - 25 * 3_600_000)).await, 200);
                tokio::time::sleep(Duration::from_millis(300)).await;
                assert_eq!(emulators[0].taken().len(), 1);
            }
            _ => assert_eq!(hears(&texts, is, &text("what?", at_ms)).await, 200),
        }
        assert_eq!(hears(&texts, is, &text("START", at_ms)).await, 200);
        assert_eq!(texts.send(order(texts.store(), &from)).await, accepted(is), "{is:?}");
    }
}

#[tokio::test]
async fn x_05_words_that_are_told_late_or_again_undo_none_that_came_after_them() {
    // The emulator's gateway gives a text no name: each is a new one.
    for is in Personality::HTTP.into_iter().filter(|is| *is != Personality::Gateway) {
        let db = Db::sqlite();
        let (texts, emulators) = set_up(&db, &[is]).await;
        let now_ms = texts.store().clock().now_ms();
        let from = mobile(1);
        let says = async |id: &str, text: &str, at_ms: i64| {
            let says = Says::Text(text);
            let event = Event { id, reference: None, number: from.as_str(), says, at_ms };
            assert_eq!(hears(&texts, is, &is.hook(&[event])).await, 200, "{is:?}");
        };
        let may_be_sent = async || {
            let order = TextOrder { repeat_after_minutes: 0, ..order(texts.store(), &from) };
            match texts.send(order).await {
                TextOutcome::OptedOut => false,
                outcome => {
                    assert_eq!(outcome, accepted(is), "{is:?}");
                    true
                }
            }
        };
        emulators[0].wrote(from.as_str(), now_ms);
        says("start1", "START", now_ms - 20_000).await;
        says("stop1", "STOP", now_ms - 10_000).await;
        // The same again, as a provider tells what it got no answer to.
        says("start1", "START", now_ms - 20_000).await;
        assert!(!may_be_sent().await, "{is:?}");
        if matches!(is, Personality::Telnyx | Personality::Bandwidth | Personality::WhatsApp) {
            says("start2", "START", now_ms - 20_000).await;
            assert!(!may_be_sent().await, "{is:?}: it was written before the STOP");
        }
        says("start3", "START", now_ms).await;
        assert!(may_be_sent().await, "{is:?}");
        says("stop1", "STOP", now_ms - 10_000).await;
        assert!(may_be_sent().await, "{is:?}: it was heeded, and taken back");
    }
}

#[tokio::test]
async fn x_05_a_stop_is_confirmed_once() {
    for is in [Personality::Bandwidth, Personality::Vonage] {
        let db = Db::sqlite();
        let (texts, emulators) = set_up(&db, &[is]).await;
        let at_ms = texts.store().clock().now_ms();
        for id in ["one", "one", "two"] {
            let says = Says::Text("STOP");
            let number = mobile(1);
            let event = Event { id, reference: None, number: number.as_str(), says, at_ms };
            assert_eq!(hears(&texts, is, &is.hook(&[event])).await, 200, "{is:?}");
        }
        // Another's comes after them.
        let number = mobile(2);
        let says = Says::Text("STOP");
        let event = Event { id: "three", reference: None, number: number.as_str(), says, at_ms };
        assert_eq!(hears(&texts, is, &is.hook(&[event])).await, 200, "{is:?}");
        eventually("both are answered", async || emulators[0].taken().len() >= 2).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(emulators[0].taken().len(), 2, "{is:?}");
    }
}

#[tokio::test]
async fn whatsapp_is_shown_once_that_the_address_is_ours() {
    let db = Db::sqlite();
    let (texts, _emulators) = set_up(&db, &[Personality::WhatsApp]).await;
    let none = headers(&[]);
    let asks = async |query: &str| {
        let path = format!("/webhooks/whatsapp-cloud/whatsapp-cloud?{query}");
        let posted = Posted { asks: true, ..posted("", &path, &none, b"") };
        let answer = texts.webhook("whatsapp-cloud", "whatsapp-cloud", posted).await;
        answer.map_err(|error| error.status())
    };
    let query =
        format!("hub.mode=subscribe&hub.verify_token={VERIFY_TOKEN}&hub.challenge=1158201444");
    assert_eq!(asks(&query).await.unwrap(), WebhookAnswer::Text("1158201444".to_owned()));
    assert_eq!(asks("hub.mode=subscribe&hub.verify_token=x&hub.challenge=1").await, Err(403));
    let script = query.replace("1158201444", "%3Cscript%3E");
    assert_eq!(asks(&script).await, Err(403), "nothing but a plain word is given back");
}
