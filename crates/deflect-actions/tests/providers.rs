//! Every provider: requests and answers on the wire, errors told apart, a text that fails late and
//! goes to the next sender.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::time::Duration;

use common::{
    Db, eventually, mobile, number, order,
    ours::{Ours, accepted, account, hears, set_up},
};
use deflect_actions::{
    provider::Checked,
    text::{TextConfig, TextOrder, TextOutcome, TextService},
};
use message_text::E164;
use provider_emulator::{Account, Does, Event, Magic, Personality, Says};
use serde_json::json;

on_both!(
    kh_19_a_whatsapp_template_is_sent_and_the_row_tells_the_channel,
    kh_19_the_other_channel_is_the_fallback_where_it_is_listed,
    kh_19_a_whatsapp_that_is_refused_at_once_goes_by_sms_at_once,
    ic_10_a_whatsapp_that_fails_later_goes_by_sms_exactly_once,
    ic_10_what_fails_later_without_another_sender_or_in_time_has_failed,
    ic_10_a_failure_that_overtakes_the_answer_falls_over_too,
    ic_10_what_fell_over_has_a_quarter_of_an_hour_of_its_own_for_its_receipt,
    ex_28_a_sender_whose_texts_are_taken_for_spam_is_paused,
    a_provider_that_hangs_is_left_alone_after_five_texts_and_tried_by_one,
);

/// A number that this befalls.
fn magic(magic: Magic) -> E164 {
    number(&format!("+447400111{}", magic.end()))
}

async fn kh_19_a_whatsapp_template_is_sent_and_the_row_tells_the_channel(db: Db) {
    let (texts, emulators) = set_up(&db, &[Personality::WhatsApp]).await;
    let order = order(texts.store(), &mobile(1));
    assert_eq!(texts.send(order).await, accepted(Personality::WhatsApp));
    let asked = &emulators[0].asked()[0];
    assert_eq!(asked.target, "/106540352242922/messages");
    let id = texts.store().messages(1).await.unwrap()[0].message_id.clone();
    let expected = json!({
        "messaging_product": "whatsapp", "recipient_type": "individual", "type": "template",
        "to": mobile(1).as_str().trim_start_matches('+'), "biz_opaque_callback_data": id,
        "template": {
            "name": "chat_link_v2", "language": { "code": "en_GB" },
            "components": [{
                "type": "button", "sub_type": "url", "index": "0",
                "parameters": [{ "type": "text", "text": "chat" }],
            }],
        },
    });
    assert_eq!(asked.body, expected);
    assert_eq!(db.message().await, "accepted whatsapp -");
}

async fn kh_19_the_other_channel_is_the_fallback_where_it_is_listed(db: Db) {
    let personalities = [Personality::Telnyx, Personality::WhatsApp];
    let (texts, emulators) = set_up(&db, &personalities).await;
    let picked = |via: &[&str], to: &E164| {
        let via = via.iter().map(|name| (*name).to_owned()).collect();
        TextOrder { via, ..order(texts.store(), to) }
    };
    let wa = Personality::WhatsApp;
    let outcome = texts.send(picked(&["whatsapp-cloud", "telnyx"], &mobile(1))).await;
    assert_eq!(outcome, accepted(wa), "the channel that was picked");
    let nobody = magic(Magic::Landline);
    let outcome = texts.send(picked(&["whatsapp-cloud"], &nobody)).await;
    assert_eq!(outcome, TextOutcome::NotTextable { reason: "not_textable".to_owned() });
    // Not on WhatsApp is no word about texts to that number, whoever says it when.
    let to = mobile(2);
    assert_eq!(texts.send(picked(&["whatsapp-cloud"], &to)).await, accepted(wa));
    let event = Event {
        id: "wamid.2",
        reference: None,
        number: to.as_str(),
        says: Says::Failed(Magic::Landline),
        at_ms: texts.store().clock().now_ms(),
    };
    assert_eq!(hears(&texts, wa, &wa.hook(&[event])).await, 200);
    assert_eq!(db.message().await, "failed whatsapp not_textable");
    let mut again = picked(&["telnyx"], &to);
    again.step = "again".to_owned();
    assert_eq!(texts.send(again).await, accepted(Personality::Telnyx));
    emulators[0].asked().iter().for_each(|asked| assert_eq!(asked.path(), "/v2/messages"));
    assert_eq!(emulators[0].asked().len(), 1);
}

async fn kh_19_a_whatsapp_that_is_refused_at_once_goes_by_sms_at_once(db: Db) {
    let (wa, sms) = (Personality::WhatsApp, Personality::Telnyx);
    let (texts, emulators) = set_up(&db, &[wa, sms]).await;
    let send = async |n: u32, via: &[&str]| {
        let via = via.iter().map(|name| (*name).to_owned()).collect();
        texts.send(TextOrder { via, ..order(texts.store(), &mobile(n)) }).await
    };
    let cases = [
        (Does::Fail(Magic::Landline), "not on WhatsApp"),
        (Does::Refuse(400, 131_047, None), "its window is closed"),
        (Does::Refuse(400, 132_015, None), "its template is paused"),
    ];
    for (n, (does, why)) in (1..).zip(cases) {
        emulators[0].once(mobile(n).as_str(), &[does]);
        assert_eq!(send(n, &["whatsapp-cloud", "telnyx"]).await, accepted(sms), "{why}");
        let asked: Vec<_> = emulators.iter().map(|one| one.asked().len()).collect();
        let expected = usize::try_from(n).unwrap();
        assert_eq!(asked, [expected; 2], "{why}: each is asked once");
        assert!(emulators[0].taken().is_empty(), "{why}");
        assert_eq!(emulators[1].taken()[expected - 1].to, mobile(n).as_str(), "{why}");
        // A sender that the operator must see to rests for a minute.
        texts.store().clock().advance(61_000);
    }
    let by = "SELECT DISTINCT state || ' ' || channel || ' ' || sender FROM message";
    assert_eq!(db.texts(by).await, [Some("accepted sms telnyx".to_owned())]);
    // Where no SMS is listed, there is none.
    emulators[0].once(mobile(9).as_str(), &[Does::Refuse(400, 131_047, None)]);
    let failed = TextOutcome::Failed { class: "config".to_owned() };
    assert_eq!(send(9, &["whatsapp-cloud"]).await, failed);
    assert_eq!(emulators[1].taken().len(), cases.len());
}

async fn ic_10_a_whatsapp_that_fails_later_goes_by_sms_exactly_once(db: Db) {
    let (wa, sms) = (Personality::WhatsApp, Personality::Telnyx);
    let (texts, emulators) = set_up(&db, &[wa, sms]).await;
    let worker = texts.start();
    assert_eq!(texts.send(order(texts.store(), &mobile(1))).await, accepted(wa));
    let id = texts.store().messages(1).await.unwrap()[0].message_id.clone();
    let now = texts.store().clock().now_ms();
    let of_first = |says| Event {
        id: "wamid.1",
        reference: Some(&id),
        number: "+447400110001",
        says,
        at_ms: now,
    };
    let failed = wa.hook(&[of_first(Says::Failed(Magic::Landline))]);
    // Twice at once, and once more later: the provider repeats what it is not sure of.
    let (one, two) = tokio::join!(hears(&texts, wa, &failed), hears(&texts, wa, &failed));
    assert_eq!((one, two), (200, 200));
    eventually("the SMS is accepted", async || db.message().await == "accepted sms not_textable")
        .await;
    assert_eq!(hears(&texts, wa, &failed).await, 200);
    assert_eq!(hears(&texts, wa, &wa.hook(&[of_first(Says::Sent)])).await, 200);
    assert_eq!(db.message().await, "accepted sms not_textable", "the first attempt's late words");
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    let sent = emulators[1].taken();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(sent[0].text.contains("https://example.net/chat"));
    let callback = sent[0].callback.as_deref().unwrap();
    assert!(callback.ends_with(&format!("?message={id}.3")), "{callback}");
    // The second attempt's own receipt counts.
    let second = Event { id: &emulators[1].is.id(1), reference: None, ..of_first(Says::Delivered) };
    assert_eq!(hears(&texts, sms, &sms.hook(&[second])).await, 200);
    assert!(db.message().await.starts_with("delivered sms"), "{}", db.message().await);
    assert_eq!(emulators[0].taken().len(), 1);
    worker.abort();
}

async fn ic_10_what_fails_later_without_another_sender_or_in_time_has_failed(db: Db) {
    let (wa, sms) = (Personality::WhatsApp, Personality::Telnyx);
    let (texts, emulators) = set_up(&db, &[wa, sms]).await;
    let worker = texts.start();
    let mut only = order(texts.store(), &mobile(1));
    only.via = vec!["whatsapp-cloud".to_owned()];
    assert_eq!(texts.send(only).await, accepted(wa));
    let event = |id, says| {
        let at_ms = texts.store().clock().now_ms();
        wa.hook(&[Event { id, reference: None, number: "+447400110001", says, at_ms }])
    };
    let failed = Says::Failed(Magic::Landline);
    assert_eq!(hears(&texts, wa, &event("wamid.1", failed)).await, 200);
    assert_eq!(db.message().await, "failed whatsapp not_textable");
    db.execute("DELETE FROM message").await.unwrap();
    // Who wants none gets none by another sender either.
    assert_eq!(texts.send(order(texts.store(), &mobile(2))).await, accepted(wa));
    let opted_out = Says::Failed(Magic::OptedOut);
    assert_eq!(hears(&texts, wa, &event("wamid.2", opted_out)).await, 200);
    assert_eq!(db.message().await, "failed whatsapp opted_out");
    db.execute("DELETE FROM message").await.unwrap();
    // After a quarter of an hour the link is worth nothing.
    assert_eq!(texts.send(order(texts.store(), &mobile(3))).await, accepted(wa));
    texts.store().clock().advance(15 * 60_000);
    assert_eq!(hears(&texts, wa, &event("wamid.3", failed)).await, 200);
    assert_eq!(db.message().await, "failed whatsapp not_textable");
    assert_eq!(emulators[1].taken().len(), 0);
    worker.abort();
}

async fn ic_10_a_failure_that_overtakes_the_answer_falls_over_too(db: Db) {
    let (wa, sms) = (Personality::WhatsApp, Personality::Telnyx);
    let (texts, emulators) = set_up(&db, &[wa, sms]).await;
    let mut order = order(texts.store(), &magic(Magic::Hangs));
    order.accept_within_ms = 1_500;
    let sending = tokio::spawn({
        let texts = texts.clone();
        async move { texts.send(order).await }
    });
    eventually("it is written", async || !emulators[0].taken().is_empty()).await;
    let id = texts.store().messages(1).await.unwrap()[0].message_id.clone();
    let event = Event {
        id: "wamid.1",
        reference: Some(&id),
        number: "+447400111911",
        says: Says::Failed(Magic::Landline),
        at_ms: texts.store().clock().now_ms(),
    };
    assert_eq!(hears(&texts, wa, &wa.hook(&[event])).await, 200);
    assert_eq!(sending.await.unwrap(), TextOutcome::Ambiguous);
    let worker = texts.start();
    eventually("the SMS is written", async || emulators[1].taken().len() == 1).await;
    worker.abort();
}

async fn ic_10_what_fell_over_has_a_quarter_of_an_hour_of_its_own_for_its_receipt(db: Db) {
    let (wa, sms) = (Personality::WhatsApp, Personality::Telnyx);
    let (texts, emulators) = set_up(&db, &[wa, sms]).await;
    let clock = texts.store().clock().clone();
    let worker = texts.start();
    assert_eq!(texts.send(order(texts.store(), &mobile(1))).await, accepted(wa));
    clock.advance(14 * 60_000);
    let failed = Event {
        id: "wamid.1",
        reference: None,
        number: "+447400110001",
        says: Says::Failed(Magic::Landline),
        at_ms: clock.now_ms(),
    };
    assert_eq!(hears(&texts, wa, &wa.hook(&[failed])).await, 200);
    eventually("the SMS is accepted", async || db.message().await == "accepted sms not_textable")
        .await;
    // The first was accepted sixteen minutes ago, the second two.
    clock.advance(2 * 60_000);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(db.message().await, "accepted sms not_textable");
    clock.advance(14 * 60_000);
    eventually("nobody knows", async || db.message().await == "unknown sms not_textable").await;
    assert_eq!(emulators[1].taken().len(), 1);
    worker.abort();
}

async fn ex_28_a_sender_whose_texts_are_taken_for_spam_is_paused(db: Db) {
    let (one, two) = (Personality::Telnyx, Personality::Bandwidth);
    let (texts, emulators) = set_up(&db, &[one, two]).await;
    for n in 1..=16 {
        assert_eq!(texts.send(order(texts.store(), &mobile(n))).await, accepted(one));
    }
    // Four are refused as spam, a fifth is so called by its receipt.
    for n in 0..4 {
        let spam = number(&format!("+44740012{n}906"));
        assert_eq!(texts.send(order(texts.store(), &spam)).await, accepted(two));
    }
    assert_eq!(texts.send(order(texts.store(), &mobile(20))).await, accepted(one), "one in five");
    for n in 0..2 {
        let event = Event {
            id: &emulators[0].is.id(n + 1),
            reference: None,
            number: "+447400110001",
            says: Says::Failed(Magic::Blocked),
            at_ms: texts.store().clock().now_ms(),
        };
        assert_eq!(hears(&texts, one, &one.hook(&[event])).await, 200);
    }
    assert_eq!(texts.resting_senders()[0].why, "blocked");
    assert_eq!(texts.send(order(texts.store(), &mobile(21))).await, accepted(two));
    // All nodes know, and so does the next start of this one.
    for (node, boot) in [("n2", "b1"), ("n1", "b2")] {
        let store = db.store_with(node, boot, texts.store().clock().clone()).await;
        let other = TextService::new(store, TextConfig::default());
        let worker = other.start();
        eventually("it rests there", async || other.resting_senders() == texts.resting_senders())
            .await;
        worker.abort();
    }
    texts.store().clock().advance(31 * 60_000);
    assert_eq!(
        texts.send(order(texts.store(), &mobile(22))).await,
        accepted(one),
        "a second chance"
    );
}

async fn a_provider_that_hangs_is_left_alone_after_five_texts_and_tried_by_one(db: Db) {
    let (one, two) = (Personality::Telnyx, Personality::Bandwidth);
    let (texts, emulators) = set_up(&db, &[one, two]).await;
    let hangs = |n: u32| {
        let mut order = order(texts.store(), &number(&format!("+44740012{n}911")));
        (order.attempt_ms, order.accept_within_ms) = (500, 800);
        order
    };
    let all_ambiguous = async |numbers: std::ops::Range<u32>| {
        let mut sending = tokio::task::JoinSet::new();
        for n in numbers {
            let (texts, order) = (texts.clone(), hangs(n));
            sending.spawn(async move { texts.send(order).await });
        }
        let outcomes = sending.join_all().await;
        assert!(outcomes.iter().all(|is| *is == TextOutcome::Ambiguous), "{outcomes:?}");
    };
    all_ambiguous(0..5).await;
    let resting = texts.resting_senders();
    assert_eq!((resting[0].name.as_str(), resting[0].why), (one.name(), "provider_down"));
    // Nobody else waits for it, not even with nobody else to send by.
    assert_eq!(texts.send(order(texts.store(), &mobile(6))).await, accepted(two));
    let mut only = hangs(7);
    only.accept_within_ms = 8_000;
    only.via = vec![one.name().to_owned()];
    let began = tokio::time::Instant::now();
    assert_eq!(texts.send(only).await, TextOutcome::Queued);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(emulators[0].asked().len(), 5);
    // One text finds it as it was, and the next ones are spared again, for longer.
    texts.store().clock().advance(10_000);
    all_ambiguous(8..9).await;
    texts.store().clock().advance(19_000);
    assert_eq!(texts.send(order(texts.store(), &mobile(9))).await, accepted(two));
    texts.store().clock().advance(1_000);
    assert_eq!(texts.send(order(texts.store(), &mobile(1))).await, accepted(one), "it is back");
    assert_eq!(texts.resting_senders(), []);
}

#[tokio::test]
async fn a_sender_that_needs_the_operator_is_left_alone_for_a_minute() {
    let db = Db::sqlite();
    let (one, two) = (Personality::Telnyx, Personality::Bandwidth);
    let (texts, emulators) = set_up(&db, &[one, two]).await;
    let mut only = order(texts.store(), &magic(Magic::Auth));
    only.via = vec![one.name().to_owned()];
    let failed = TextOutcome::Failed { class: "auth".to_owned() };
    assert_eq!(texts.send(only).await, failed);
    assert_eq!(emulators[0].asked().len(), 1);
    assert_eq!(texts.send(order(texts.store(), &mobile(1))).await, accepted(two));
    assert_eq!(emulators[0].asked().len(), 1, "not asked again so soon");
    assert_eq!(texts.resting_senders()[0].name, one.name());
    texts.store().clock().advance(61_000);
    assert_eq!(texts.send(order(texts.store(), &mobile(2))).await, accepted(one));
    assert_eq!(texts.resting_senders(), []);
}

#[tokio::test]
async fn credentials_are_checked_without_a_text() {
    for is in Personality::HTTP {
        let emulator = account(is);
        let from = is.sender().from;
        let checked = is.provider(&emulator.base).check(Some(&from), Duration::from_secs(2)).await;
        let asked = emulator.asked();
        assert_eq!(checked, Ok(Checked::Right), "{is:?}");
        assert_eq!((asked.len(), asked[0].method.as_str()), (1, "GET"), "{is:?}");
        assert!(emulator.taken().is_empty());
    }
}

#[tokio::test]
async fn what_a_gateway_charges_and_in_how_many_parts_is_stored_as_it_tells_it() {
    let db = Db::sqlite();
    let (texts, emulators) = set_up(&db, &[Personality::Gateway]).await;
    let order = order(texts.store(), &mobile(1));
    let told = charged(&db, &texts, &emulators[0], order).await;
    assert_eq!(told, ["1 7500", "2 10200"], "with its answer, and with its receipt");
}

/// Parts and price of a text (`-`: none) as they are stored after its provider's answer, and after
/// its receipt.
async fn charged(
    db: &Db,
    texts: &TextService,
    emulator: &Account,
    order: TextOrder,
) -> [String; 2] {
    let (is, to) = (emulator.is, mobile(1));
    assert_eq!(texts.send(order).await, accepted(is));
    let row = async || {
        let sql =
            "SELECT segments || ' ' || COALESCE(CAST(price_micros AS TEXT), '-') FROM message";
        db.texts(sql).await.pop().flatten().unwrap()
    };
    let with_answer = row().await;
    let event = Event {
        id: &is.id(1),
        reference: None,
        number: to.as_str(),
        says: Says::Delivered,
        at_ms: texts.store().clock().now_ms(),
    };
    assert_eq!(hears(texts, is, &is.hook(&[event])).await, 200);
    [with_answer, row().await]
}

/// Vonage tells the price of each part with its answer, and that of one part with its receipt, which
/// is not the price of the text; Bandwidth tells only how many parts there are, and its receipt has
/// the last word.
#[tokio::test]
async fn what_vonage_charges_and_the_parts_that_both_it_and_bandwidth_count_are_stored() {
    for (is, with_answer, with_receipt) in
        [(Personality::Vonage, "2 66600", "2 66600"), (Personality::Bandwidth, "2 -", "1 -")]
    {
        let db = Db::sqlite();
        let (texts, emulators) = set_up(&db, &[is]).await;
        let mut long = order(texts.store(), &mobile(1));
        long.text = format!("Example: {} https://example.net/chat", "word ".repeat(40));
        let told = charged(&db, &texts, &emulators[0], long).await;
        assert_eq!(told, [with_answer, with_receipt], "{is:?}: with its answer, with its receipt");
    }
}

/// The status says nothing, and a code that nobody described is no evidence for either.
#[tokio::test]
async fn an_unknown_code_inside_a_gateway_s_answer_says_neither_yes_nor_no() {
    let (db, is) = (Db::sqlite(), Personality::Gateway);
    let (texts, emulators) = set_up(&db, &[is]).await;
    emulators[0].once(mobile(1).as_str(), &[Does::Refuse(200, 42, None)]);
    let mut first = order(texts.store(), &mobile(1));
    first.accept_within_ms = 600;
    assert_eq!(texts.send(first).await, TextOutcome::Ambiguous);
    assert_eq!(db.message().await, "ambiguous sms -");
    // Under a status of failure it is one.
    emulators[0].once(mobile(2).as_str(), &[Does::Refuse(460, 42, None)]);
    let invalid = TextOutcome::NotTextable { reason: "invalid".to_owned() };
    assert_eq!(texts.send(order(texts.store(), &mobile(2))).await, invalid);
    let code = "SELECT error_code FROM message ORDER BY message_id";
    assert_eq!(db.texts(code).await.pop().flatten().as_deref(), Some("42"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_error_of_every_provider_is_told_apart() {
    let each = Personality::HTTP.map(|is| tokio::spawn(tells_apart(is)));
    for judged in each {
        judged.await.unwrap();
    }
}

async fn tells_apart(is: Personality) {
    let db = Db::sqlite();
    let (texts, _emulators) = set_up(&db, &[is]).await;
    let failed = |class: &str| TextOutcome::Failed { class: class.to_owned() };
    let no_texts = |why: &str| TextOutcome::NotTextable { reason: why.to_owned() };
    for (what, expected) in [
        (Magic::Invalid, no_texts("invalid")),
        (Magic::Unroutable, no_texts("invalid")),
        (Magic::Landline, no_texts("not_textable")),
        (Magic::OptedOut, TextOutcome::OptedOut),
        (Magic::RateLimited, TextOutcome::Queued),
        (Magic::Busy, TextOutcome::Queued),
        (Magic::Down, TextOutcome::Queued),
        (Magic::Config, failed("config")),
        (Magic::Country, failed("config")),
        (Magic::Blocked, failed("blocked")),
        (Magic::Funds, failed("funds")),
        (Magic::Auth, failed("auth")),
        (Magic::Hangs, TextOutcome::Ambiguous),
        (Magic::Slow, TextOutcome::Ambiguous),
        (Magic::Resets, TextOutcome::Ambiguous),
        (Magic::TakesAndResets, TextOutcome::Ambiguous),
        (Magic::Garbage, TextOutcome::Ambiguous),
    ] {
        // Whoever needed the operator is tried again.
        texts.store().clock().advance(16 * 60_000);
        let mut order = order(texts.store(), &magic(what));
        order.accept_within_ms = 2_000;
        order.attempt_ms = 900;
        let outcome = texts.send(order).await;
        let expected = if is.refuses_at_once(what) { expected } else { accepted(is) };
        assert_eq!(outcome, expected, "{is:?} {what:?}");
    }
}
