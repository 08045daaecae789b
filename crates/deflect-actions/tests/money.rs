//! What the texts of a day may cost, on both databases.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use common::{
    Db, PUBLIC_URL, call,
    desk::{Desk, HOUR_MS, accepted},
    mobile, number, order,
    ours::{self, Ours, account, hears},
    wide,
};
use deflect_actions::{
    Clock,
    text::{Sender, TextConfig, TextLimits, TextOutcome, TextService, WebhookAnswer},
};
use provider_emulator::{Event, Personality, Says};

on_both!(
    the_alarm_of_the_days_money_is_told_for_callers_of_a_shared_number_too,
    the_texts_of_a_day_cost_so_much_and_it_is_told_before,
    answers_to_texts_cost_as_much_and_none_is_given_beyond_the_limits,
    what_a_provider_charged_counts_whatever_the_price_says,
    what_a_text_of_our_own_cost_is_learnt_within_seconds,
    what_a_text_cost_that_another_node_asked_for_counts_here_too,
    e11_a_price_of_another_currency_than_the_caps_counts_as_the_senders,
    e11_a_price_that_only_a_receipt_tells_is_spent_on_all_nodes,
    e11_the_price_of_one_part_is_not_that_of_the_whole,
);

async fn the_alarm_of_the_days_money_is_told_for_callers_of_a_shared_number_too(db: Db) {
    let mut desk = Desk::priced(&db, 100_000, 40_000).await;
    desk.config.limits.caller_hour = 1;
    desk.config.shared_callers = vec!["+447700900777".to_owned()];
    desk.texts.reconfigure(desk.config.clone());
    for n in 1..=2 {
        let mut order = desk.order(&mobile(n));
        order.call = call(desk.clock.now_ms(), Some(&number("+447700900777")));
        order.offer = None;
        order.step.clone_from(&order.call.call_id);
        assert_eq!(desk.texts.send(order).await, accepted());
    }
    let hits = db.hits().await;
    assert!(hits.last().is_some_and(|hit| hit.ends_with("spend_per_day alarm 80")), "{hits:?}");
}

async fn the_texts_of_a_day_cost_so_much_and_it_is_told_before(db: Db) {
    // Ten at four pence each.
    let desk = Desk::priced(&db, 400_000, 40_000).await;
    for n in 1..=10 {
        desk.sends(&mobile(n)).await;
    }
    let call = desk.is_limited(&mobile(11), "spend_per_day").await;
    let hits: Vec<String> = db.hits().await;
    let after_call = |hit: &String| hit.split_once(' ').unwrap().1.to_owned();
    let told: Vec<String> = hits.iter().map(after_call).collect();
    assert_eq!(
        told,
        [
            "spend_per_day alarm 50",
            "spend_per_day alarm 80",
            "spend_per_day alarm 100",
            "spend_per_day all day"
        ]
    );
    assert!(hits[3].starts_with(&call));
    // A restart forgets nothing.
    let again = Desk { texts: desk.again(&db, "b2").await, ..desk };
    again.is_limited(&mobile(12), "spend_per_day").await;
    again.clock.advance(24 * HOUR_MS);
    again.sends(&mobile(12)).await;
}

async fn what_a_text_cost_that_another_node_asked_for_counts_here_too(db: Db) {
    // The senders have no price.
    let desk = Desk::priced(&db, 100_000, 0).await;
    desk.sends(&mobile(1)).await;
    desk.clock.advance(10 * 60_000);
    desk.sends(&mobile(2)).await;
    // Its provider tells whoever asks, some minutes after the text.
    let told = format!(
        "UPDATE message SET price_micros = 90000, price_asked = 9, priced_ms = {} \
         WHERE created_ms < {}",
        desk.clock.now_ms(),
        desk.clock.now_ms() - 60_000
    );
    db.execute(&told).await.unwrap();
    desk.clock.advance(30_000);
    desk.sends(&mobile(3)).await;
    let hits = db.hits().await;
    assert!(hits.iter().any(|hit| hit.ends_with("spend_per_day alarm 80")), "{hits:?}");
}

async fn answers_to_texts_cost_as_much_and_none_is_given_beyond_the_limits(db: Db) {
    let (is, clock) = (Personality::Twilio, Clock::default());
    let emulator = account(is);
    // Four at four pence each.
    let limits = TextLimits { spend_day: Some(160_000), ..wide() };
    let mut config = TextConfig { limits, ..TextConfig::default() };
    config.public_url = Some(PUBLIC_URL.to_owned());
    config.providers.insert(is.name().to_owned(), is.provider(&emulator.base));
    let ours = Sender { price_micros: Some(40_000), auto_reply: Some(false), ..is.sender() };
    config.senders.push(ours);
    let started = async |boot| {
        let store = db.store_with("n1", boot, clock.clone()).await;
        TextService::new(store, config.clone())
    };
    let is_helped = async |texts: &TextService, n: u32| {
        let (id, number) = (format!("SM{n:032x}"), mobile(n));
        let event = Event {
            id: &id,
            reference: None,
            number: number.as_str(),
            says: Says::Text("HELP"),
            at_ms: clock.now_ms(),
        };
        let told = texts.webhook(is.kind(), is.name(), is.hook(&[event]).posted()).await.unwrap();
        matches!(told, WebhookAnswer::Twiml(text) if text.contains("<Message>"))
    };
    let texts = started("b1").await;
    assert!(is_helped(&texts, 1).await && is_helped(&texts, 2).await);
    assert_eq!(texts.send(order(texts.store(), &mobile(3))).await, ours::accepted(is));
    // A restart forgets nothing.
    let texts = started("b2").await;
    assert!(is_helped(&texts, 4).await);
    assert!(!is_helped(&texts, 5).await, "the money is spent");
    let limited = TextOutcome::Limited { rule: "spend_per_day".to_owned() };
    assert_eq!(texts.send(order(texts.store(), &mobile(6))).await, limited);
    let hits = "SELECT rule || ' ' || scope_key FROM limit_hit WHERE scope <> 'alarm'";
    assert_eq!(db.texts(hits).await, vec![Some("spend_per_day day".to_owned()); 2]);
    // As many to numbers that are alike as there are texts.
    clock.advance(25 * HOUR_MS);
    let few = TextLimits { prefix_hour: 2, ..wide() };
    texts.reconfigure(TextConfig { limits: few, ..config.clone() });
    assert_eq!(texts.send(order(texts.store(), &mobile(7))).await, ours::accepted(is));
    assert!(is_helped(&texts, 8).await);
    assert!(!is_helped(&texts, 9).await);
    let limited = TextOutcome::Limited { rule: "texts_per_prefix".to_owned() };
    assert_eq!(texts.send(order(texts.store(), &mobile(10))).await, limited);
}

async fn what_a_provider_charged_counts_whatever_the_price_says(db: Db) {
    let desk = Desk::priced(&db, 1_000_000, 10_000).await;
    desk.sends(&mobile(1)).await;
    // As Twilio writes it.
    db.execute("UPDATE message SET price_micros = -995000").await.unwrap();
    let other = Desk { texts: desk.again(&db, "b2").await, ..desk };
    other.is_limited(&mobile(2), "spend_per_day").await;
}

async fn what_a_text_of_our_own_cost_is_learnt_within_seconds(db: Db) {
    let desk = Desk::priced(&db, 1_000_000, 10_000).await;
    desk.sends(&mobile(1)).await;
    db.execute("UPDATE message SET price_micros = -995000").await.unwrap();
    desk.clock.advance(10_000);
    desk.is_limited(&mobile(2), "spend_per_day").await;
}

async fn e11_a_price_of_another_currency_than_the_caps_counts_as_the_senders(db: Db) {
    let is = Personality::Telnyx;
    let emulator = account(is);
    for (n, (currency, then, told)) in (1..).zip([("GBP", 40_000, 40_000), ("USD", 40_000, 5_100)])
    {
        let mut config = TextConfig { limits: wide(), ..TextConfig::default() };
        config.currency = Some(currency.to_owned());
        config.public_url = Some(PUBLIC_URL.to_owned());
        config.providers.insert(is.name().to_owned(), is.provider(&emulator.base));
        let sender = deflect_actions::text::Sender { price_micros: Some(40_000), ..is.sender() };
        config.senders.push(sender);
        let texts = TextService::new(db.store().await, config);
        assert_eq!(texts.send(order(texts.store(), &mobile(n))).await, ours::accepted(is));
        let id = texts.store().messages(1).await.unwrap()[0].message_id.clone();
        let price = async || {
            let sql = format!("SELECT price_micros FROM message WHERE message_id = '{id}'");
            db.number(&sql).await
        };
        assert_eq!(price().await, Some(then), "until it is told");
        let at_ms = texts.store().clock().now_ms();
        let (reference, number) = (format!("{id}.1"), mobile(n));
        let event = Event {
            id: &is.id(n as usize),
            reference: Some(&reference),
            number: number.as_str(),
            says: Says::Delivered,
            at_ms,
        };
        assert_eq!(hears(&texts, is, &is.hook(&[event])).await, 200);
        assert_eq!(price().await, Some(told), "{currency}");
    }
}

async fn e11_a_price_that_only_a_receipt_tells_is_spent_on_all_nodes(db: Db) {
    let (is, clock) = (Personality::Telnyx, Clock::default());
    let emulator = account(is);
    // A receipt tells 5,100.
    let limits = TextLimits { spend_day: Some(5_000), ..wide() };
    let mut config = TextConfig { limits, ..TextConfig::default() };
    config.public_url = Some(PUBLIC_URL.to_owned());
    config.providers.insert(is.name().to_owned(), is.provider(&emulator.base));
    config.senders.push(is.sender());
    let node = async |node| {
        let store = db.store_with(node, "b1", clock.clone()).await;
        TextService::new(store, config.clone())
    };
    let nodes = [node("n1").await, node("n2").await];
    for n in 0..3 {
        for (n, texts) in (2 * n + 1..).zip(&nodes) {
            assert_eq!(texts.send(order(texts.store(), &mobile(n))).await, ours::accepted(is));
        }
        clock.advance(10 * 60_000);
    }
    let number = mobile(1);
    let delivered = Event {
        id: &is.id(1),
        reference: None,
        number: number.as_str(),
        says: Says::Delivered,
        at_ms: clock.now_ms(),
    };
    assert_eq!(hears(&nodes[0], is, &is.hook(&[delivered])).await, 200);
    clock.advance(30_000);
    let limited = TextOutcome::Limited { rule: "spend_per_day".to_owned() };
    for (n, texts) in (7..).zip(&nodes) {
        assert_eq!(texts.send(order(texts.store(), &mobile(n))).await, limited);
    }
}

/// Each part is answered and receipted by itself: the answer tells 0.0333 of each, the receipt 0.04.
async fn e11_the_price_of_one_part_is_not_that_of_the_whole(db: Db) {
    let is = Personality::Vonage;
    let (texts, _emulators) = ours::set_up(&db, &[is]).await;
    let price = async |n: usize| {
        let id = is.id(n);
        let sql = format!("SELECT price_micros FROM message WHERE provider_id = '{id}'");
        db.number(&sql).await
    };
    for (n, words, sent, told) in [(1, 1, 33_300, 40_000), (2, 40, 66_600, 66_600)] {
        let mut order = order(texts.store(), &mobile(n));
        order.text = format!("Example: {}https://example.net/chat", "word ".repeat(words));
        assert_eq!(texts.send(order).await, ours::accepted(is));
        let n = n as usize;
        assert_eq!(price(n).await, Some(sent));
        let delivered = Event {
            id: &is.id(n),
            reference: None,
            number: "+447400110001",
            says: Says::Delivered,
            at_ms: texts.store().clock().now_ms(),
        };
        assert_eq!(hears(&texts, is, &is.hook(&[delivered])).await, 200);
        assert_eq!(price(n).await, Some(told));
    }
}
