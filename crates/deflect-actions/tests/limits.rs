//! Limits on texts, on both databases: each bites at its count, says so to the call, sends
//! nothing and leaves its row; its time over, texts go out again.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use common::{
    Db, call, config,
    desk::{Desk, HOUR_MS, MINUTE_MS, accepted},
    keys, mobile, number, order,
    ours::{Ours, account},
    wide,
};
use deflect_actions::{
    Clock,
    text::{RiskCheck, TextConfig, TextLimits, TextOrder, TextOutcome, TextService},
};
use message_text::E164;
use provider_emulator::{Event, Personality, Says, Twilio};

on_both!(
    a_number_gets_so_many_texts_an_hour_and_a_day,
    x_01_a_caller_who_types_another_number_each_time_gets_so_many_texts,
    callers_who_cannot_be_told_apart_have_a_limit_together,
    a_prefix_never_names_a_number_and_is_forgotten_with_it,
    numbers_that_begin_alike_get_so_many_texts_an_hour,
    a_line_sends_so_many_texts_a_minute,
    a_country_and_a_token_get_so_many_texts_whatever_is_started_again,
    a_number_that_a_provider_calls_risky_gets_no_text,
    whatsapp_writes_freely_to_who_wrote_within_a_day_and_else_by_its_template,
    texts_of_another_node_and_of_an_earlier_start_count,
    texts_of_a_node_whose_clock_is_behind_count_within_a_minute,
    a_rush_of_texts_to_one_number_passes_no_limit,
    a_prefix_whose_texts_nobody_opens_is_paused,
    ex_28_what_leads_to_a_pause_is_counted_over_starts_and_nodes_for_an_hour,
    sms_pumping_from_one_prefix_gets_no_more_texts_than_its_limit,
    no_text_goes_to_premium_satellite_toll_free_or_short_numbers,
);

async fn a_number_gets_so_many_texts_an_hour_and_a_day(db: Db) {
    let limits = TextLimits { caller_hour: 2, caller_day: 4, ..wide() };
    let desk = Desk::new(&db, limits).await;
    for _ in 0..2 {
        desk.sends(&mobile(1)).await;
    }
    let call = desk.is_limited(&mobile(1), "texts_per_caller").await;
    let key = keys().caller_keys("retail", &mobile(1), desk.clock.now_ms()).0;
    assert_eq!(db.hits().await, [format!("{call} texts_per_caller caller {key}")]);
    desk.sends(&mobile(2)).await;

    desk.clock.advance(HOUR_MS - MINUTE_MS);
    desk.is_limited(&mobile(1), "texts_per_caller").await;
    desk.clock.advance(MINUTE_MS);
    for _ in 0..2 {
        desk.sends(&mobile(1)).await;
    }
    desk.clock.advance(HOUR_MS);
    desk.is_limited(&mobile(1), "texts_per_caller").await;
    desk.clock.advance(22 * HOUR_MS);
    desk.sends(&mobile(1)).await;
    assert_eq!(desk.twilio.taken().len(), 6, "a text that is limited is not sent");
    assert_eq!(db.hits().await.len(), 3);
}

async fn x_01_a_caller_who_types_another_number_each_time_gets_so_many_texts(db: Db) {
    let desk = Desk::new(&db, TextLimits { caller_hour: 2, caller_day: 3, ..wide() }).await;
    let caller = number("+447700900123");
    let typed = |n: u32, caller: Option<&E164>| {
        let mut order = desk.order(&mobile(n));
        order.call = call(desk.clock.now_ms(), caller);
        order.offer = None;
        order.step.clone_from(&order.call.call_id);
        order
    };
    let limited = TextOutcome::Limited { rule: "texts_per_caller".to_owned() };
    for n in 1..=2 {
        assert_eq!(desk.texts.send(typed(n, Some(&caller))).await, accepted());
    }
    let third = typed(3, Some(&caller));
    let id = third.call.call_id.clone();
    assert_eq!(desk.texts.send(third).await, limited);
    let key = keys().caller_keys("retail", &caller, desk.clock.now_ms()).0;
    assert_eq!(db.hits().await, [format!("{id} texts_per_caller caller {key}")]);
    // The number itself may have texts, by others.
    assert_eq!(desk.texts.send(typed(3, None)).await, accepted());
    assert_eq!(desk.texts.send(typed(3, Some(&mobile(9)))).await, accepted());
    // A restart forgets nothing, and a day is longer than an hour.
    let again = desk.again(&db, "b2").await;
    assert_eq!(again.send(typed(4, Some(&caller))).await, limited);
    desk.clock.advance(HOUR_MS);
    assert_eq!(again.send(typed(4, Some(&caller))).await, accepted());
    assert_eq!(again.send(typed(5, Some(&caller))).await, limited, "three a day");
    // Behind a PBX that puts its own number in the place of all callers', that is many people.
    let ours = number("+442079460018");
    for n in 10..14 {
        assert_eq!(again.send(typed(n, Some(&ours))).await, accepted());
    }
}

async fn callers_who_cannot_be_told_apart_have_a_limit_together(db: Db) {
    let limits = TextLimits { caller_hour: 1, caller_day: 1, line_minute: 3, ..wide() };
    let desk = Desk::new(&db, limits).await;
    // Whoever forges a number of ours is nobody else's caller.
    let ours = number("+442079460018");
    for (first, caller, scope) in [(10, Some(&ours), "caller"), (20, None, "line")] {
        let typed = |n: u32| {
            let mut order = desk.order(&mobile(n));
            order.call = call(desk.clock.now_ms(), caller);
            order.offer = None;
            order.step.clone_from(&order.call.call_id);
            order
        };
        for n in first..first + 3 {
            assert_eq!(desk.texts.send(typed(n)).await, accepted(), "{scope} {n}");
            desk.clock.advance(MINUTE_MS);
        }
        let limited = TextOutcome::Limited { rule: "texts_per_caller".to_owned() };
        assert_eq!(desk.texts.send(typed(first + 3)).await, limited);
        let hits = db.hits().await;
        assert!(hits.last().unwrap().contains(&format!(" texts_per_caller {scope} ")), "{hits:?}");
        // A restart forgets nothing; an hour does.
        let again = desk.again(&db, &format!("b{first}")).await;
        assert_eq!(again.send(typed(first + 3)).await, limited);
        desk.clock.advance(HOUR_MS);
        assert_eq!(desk.texts.send(typed(first + 3)).await, accepted());
    }
    // The operator knows that a PBX shows its own number.
    desk.clock.advance(HOUR_MS);
    let config = TextConfig { shared_callers: vec![ours.to_string()], ..desk.config.clone() };
    desk.texts.reconfigure(config);
    for n in 30..36 {
        let mut order = desk.order(&mobile(n));
        order.call = call(desk.clock.now_ms(), Some(&ours));
        order.offer = None;
        order.step.clone_from(&order.call.call_id);
        assert_eq!(desk.texts.send(order).await, accepted(), "{n}");
        desk.clock.advance(MINUTE_MS);
    }
}

async fn a_prefix_never_names_a_number_and_is_forgotten_with_it(db: Db) {
    let limits = TextLimits { prefix_hour: 1, prefix_digits: 14, ..wide() };
    let desk = Desk::new(&db, limits).await;
    desk.sends(&mobile(1)).await;
    let other = number("+447400110999");
    let call = desk.is_limited(&other, "texts_per_prefix").await;
    let prefix = "+447400110";
    assert_eq!(db.hits().await, [format!("{call} texts_per_prefix prefix {prefix}")]);
    desk.texts.store().erase_number("retail", &mobile(2)).await.unwrap();
    // Longer than it may be by now: it is of anybody whose number begins so.
    assert_eq!(db.hits().await, [] as [String; 0]);
}

async fn numbers_that_begin_alike_get_so_many_texts_an_hour(db: Db) {
    let limits = TextLimits { prefix_hour: 3, prefix_digits: 7, ..wide() };
    let desk = Desk::new(&db, limits).await;
    for n in 1..=3 {
        desk.sends(&mobile(n)).await;
    }
    let call = desk.is_limited(&mobile(4), "texts_per_prefix").await;
    assert_eq!(db.hits().await, [format!("{call} texts_per_prefix prefix +4474001")]);
    desk.sends(&number("+447500123456")).await;
    desk.clock.advance(HOUR_MS);
    desk.sends(&mobile(4)).await;
}

async fn a_line_sends_so_many_texts_a_minute(db: Db) {
    let desk = Desk::new(&db, TextLimits { line_minute: 2, ..wide() }).await;
    for n in 1..=2 {
        desk.sends(&mobile(n)).await;
    }
    let call = desk.is_limited(&mobile(3), "texts_per_line").await;
    assert_eq!(db.hits().await, [format!("{call} texts_per_line line +442079460018")]);
    let mut other = desk.order(&mobile(3));
    other.call.did = Some("+442079460019".to_owned());
    assert_eq!(desk.texts.send(other).await, accepted());
    desk.clock.advance(MINUTE_MS);
    desk.sends(&mobile(3)).await;
}

async fn a_country_and_a_token_get_so_many_texts_whatever_is_started_again(db: Db) {
    let limits = TextLimits { country_hour: Some(3), client_minute: 1, ..wide() };
    let desk = Desk::new(&db, limits).await;
    let by_api = |n| {
        let mut order = desk.order(&mobile(n));
        order.call.origin = "api";
        order.call.trunk = Some("shop".to_owned());
        order
    };
    assert_eq!(desk.texts.send(by_api(1)).await, accepted());
    let limited = |rule: &str| TextOutcome::Limited { rule: rule.to_owned() };
    let again = desk.again(&db, "b2").await;
    assert_eq!(again.send(by_api(2)).await, limited("texts_per_client"));
    // Those of callers count as the country's, and not as the token's.
    desk.sends(&mobile(2)).await;
    desk.sends(&mobile(3)).await;
    let again = desk.again(&db, "b3").await;
    assert_eq!(again.send(desk.order(&mobile(4))).await, limited("texts_per_country"));
    assert_eq!(again.send(desk.order(&number("+14155550123"))).await, accepted());
    let hits = db.hits().await;
    let ends = |hit: &String, end: &str| hit.ends_with(end);
    assert!(ends(&hits[0], "texts_per_client client shop"), "{hits:?}");
    assert!(ends(&hits[1], "texts_per_country country GB"), "{hits:?}");
    desk.clock.advance(HOUR_MS);
    assert_eq!(again.send(by_api(5)).await, accepted());
}

async fn a_number_that_a_provider_calls_risky_gets_no_text(db: Db) {
    let (twilio, base) = Twilio::start(&[]);
    let mut config = config(&[base]);
    config.risk = Some(RiskCheck { provider: "twilio1".to_owned(), refuse_from: 75 });
    let store = db.store().await;
    let by = config.clone();
    let texts = TextService::new(store, config);
    let send = async |n| {
        let mut order = order(texts.store(), &mobile(n));
        order.step.clone_from(&order.call.call_id);
        texts.send(order).await
    };
    twilio.scores(mobile(1).as_str(), Some(95));
    twilio.scores(mobile(2).as_str(), Some(74));
    let limited = TextOutcome::Limited { rule: "risk_score".to_owned() };
    assert_eq!((send(1).await, send(2).await), (limited.clone(), accepted()));
    // Whoever says nothing changes nothing; what was said is kept.
    assert_eq!(send(3).await, accepted());
    twilio.scores(mobile(1).as_str(), None);
    assert_eq!(send(1).await, limited);
    assert_eq!(twilio.looked_up(), 3, "each number that was told once");
    assert_eq!(twilio.taken().len(), 2);
    let hits = db.hits().await;
    assert!(hits.iter().all(|hit| hit.contains(" risk_score caller ")), "{hits:?}");
    assert_eq!(hits.len(), 2);
    // Another node, and a new start of this one, ask for none of it again, until it is too old.
    for (node, boot) in [("n2", "b1"), ("n1", "b2")] {
        let store = db.store_with(node, boot, texts.store().clock().clone()).await;
        let other = TextService::new(store, by.clone());
        let mut order = order(other.store(), &mobile(1));
        order.step.clone_from(&order.call.call_id);
        assert_eq!(other.send(order).await, limited);
    }
    assert_eq!(twilio.looked_up(), 3);
    texts.store().clock().advance(31 * 24 * HOUR_MS);
    twilio.scores(mobile(1).as_str(), Some(10));
    assert_eq!(send(1).await, accepted());
    assert_eq!(twilio.looked_up(), 4);
}

async fn whatsapp_writes_freely_to_who_wrote_within_a_day_and_else_by_its_template(db: Db) {
    let wa = Personality::WhatsApp;
    let emulator = account(wa);
    let mut config = TextConfig {
        limits: wide(),
        public_url: Some(common::PUBLIC_URL.to_owned()),
        ..TextConfig::default()
    };
    config.providers.insert(wa.name().to_owned(), wa.provider(&emulator.base));
    config.senders.push(wa.sender());
    let texts = TextService::new(db.store().await, config);
    let send = async || {
        let mut order = order(texts.store(), &mobile(1));
        order.step.clone_from(&order.call.call_id);
        let sent = texts.send(order).await;
        assert!(matches!(sent, TextOutcome::Accepted { .. }), "{sent:?}");
    };
    send().await;
    let at_ms = texts.store().clock().now_ms();
    let (number, says) = (mobile(1), Says::Text("hello"));
    let wrote = Event { id: "wamid.in", reference: None, number: number.as_str(), says, at_ms };
    let hook = wa.hook(&[wrote]);
    emulator.wrote(number.as_str(), at_ms);
    assert!(texts.webhook(wa.name(), wa.name(), hook.posted()).await.is_ok());
    send().await;
    texts.store().clock().advance(24 * HOUR_MS);
    send().await;
    let taken: Vec<_> = emulator.taken().into_iter().map(|sent| sent.posted).collect();
    let kinds: Vec<_> = taken.iter().map(|sent| sent["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["template", "text", "template"]);
    assert!(taken[1]["text"]["body"].as_str().unwrap().contains("https://example.net/chat"));
}

async fn ex_28_what_leads_to_a_pause_is_counted_over_starts_and_nodes_for_an_hour(db: Db) {
    let is = Personality::Telnyx;
    let emulator = account(is);
    let clock = Clock::default();
    // Each has nothing in its memory.
    let start = async |node: &str, boot: &str| {
        let mut config = TextConfig { limits: wide(), ..TextConfig::default() };
        config.providers.insert(is.name().to_owned(), is.provider(&emulator.base));
        config.senders.push(is.sender());
        TextService::new(db.store_with(node, boot, clock.clone()).await, config)
    };
    let send =
        async |texts: &TextService, fine: std::ops::Range<u32>, spam: std::ops::Range<u32>| {
            for n in fine {
                let sent = texts.send(order(texts.store(), &mobile(n))).await;
                assert_eq!(sent, TextOutcome::Accepted { sender: is.name().to_owned() });
            }
            for n in spam {
                let to = number(&format!("+4474001{:05}", n * 1_000 + 906));
                let sent = texts.send(order(texts.store(), &to)).await;
                assert_eq!(sent, TextOutcome::Failed { class: "blocked".to_owned() });
            }
        };
    send(&start("n1", "b1").await, 0..16, 0..4).await;
    clock.advance(HOUR_MS + MINUTE_MS);
    let texts = start("n1", "b2").await;
    send(&texts, 0..0, 4..5).await;
    assert_eq!(texts.resting_senders(), [], "what is an hour old is forgotten");
    send(&start("n2", "b1").await, 20..36, 5..8).await;
    clock.advance(59 * MINUTE_MS);
    let texts = start("n1", "b3").await;
    assert_eq!(texts.resting_senders(), [], "four of twenty");
    send(&texts, 0..0, 8..9).await;
    assert_eq!(texts.resting_senders()[0].why, "blocked");
    clock.advance(31 * MINUTE_MS);
    let texts = start("n2", "b2").await;
    send(&texts, 40..56, 9..13).await;
    assert_eq!(texts.resting_senders(), [], "what was before the pause no longer counts");
}

async fn texts_of_another_node_and_of_an_earlier_start_count(db: Db) {
    let limits = TextLimits { caller_hour: 2, ..wide() };
    for node in ["n1", "n2"] {
        Desk::of(&db, node, "b1", limits).await.sends(&mobile(1)).await;
    }
    for (node, boot) in [("n1", "b2"), ("n3", "b1")] {
        let desk = Desk::of(&db, node, boot, limits).await;
        desk.is_limited(&mobile(1), "texts_per_caller").await;
    }
}

async fn texts_of_a_node_whose_clock_is_behind_count_within_a_minute(db: Db) {
    let limits = TextLimits { caller_hour: 1, ..wide() };
    let [behind, ahead] = ["n1", "n2"].map(|node| Desk::of(&db, node, "b1", limits));
    let (behind, ahead) = (behind.await, ahead.await);
    ahead.clock.advance(45_000);
    ahead.sends(&mobile(1)).await;
    behind.sends(&mobile(2)).await;
    ahead.clock.advance(MINUTE_MS);
    ahead.is_limited(&mobile(2), "texts_per_caller").await;
}

async fn a_rush_of_texts_to_one_number_passes_no_limit(db: Db) {
    let desk = Desk::new(&db, TextLimits { caller_hour: 2, ..wide() }).await;
    let mut sending = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (texts, order) = (desk.texts.clone(), desk.order(&mobile(1)));
        sending.spawn(async move { texts.send(order).await });
    }
    let outcomes = sending.join_all().await;
    let limited = TextOutcome::Limited { rule: "texts_per_caller".to_owned() };
    let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    assert_eq!((count(accepted()), count(limited)), (2, 8), "{outcomes:?}");
    assert_eq!(desk.twilio.taken().len(), 2);
}

async fn a_prefix_whose_texts_nobody_opens_is_paused(db: Db) {
    let desk = Desk::new(&db, wide()).await;
    for n in 1..=32 {
        desk.sends(&mobile(n)).await;
    }
    // Their links lead over pages of ours from now on, and nobody has opened one.
    let links = "INSERT INTO link (link_id, message_id, call_id, destination, token_hash, \
                 created_ms, expires_ms) SELECT message_id, message_id, call_id, 'chat', \
                 message_id, created_ms, created_ms + 86400000 FROM message";
    db.execute(links).await.unwrap();
    // A rush of callers: they have had no time to open what they asked for.
    desk.clock.advance(1_000);
    desk.sends(&mobile(33)).await;
    // Half an hour is enough.
    desk.clock.advance(30 * MINUTE_MS);
    let call = desk.is_limited(&mobile(34), "open_rate").await;
    assert_eq!(db.hits().await, [format!("{call} open_rate prefix +4474001")]);
    desk.sends(&number("+447500123456")).await;
    // One of thirty-two is more than three percent.
    let opened = "UPDATE link SET first_human_ms = 1 WHERE link_id = \
                  (SELECT MIN(link_id) FROM link)";
    db.execute(opened).await.unwrap();
    // What was found holds for a second.
    desk.clock.advance(1_000);
    desk.sends(&mobile(34)).await;
    db.execute("UPDATE link SET first_human_ms = NULL").await.unwrap();
    desk.clock.advance(1_000);
    desk.is_limited(&mobile(35), "open_rate").await;
    // One that was opened at once counts, however young it is.
    let young = "INSERT INTO link (link_id, message_id, call_id, destination, token_hash, \
                 created_ms, expires_ms, first_human_ms) SELECT message_id, message_id, call_id, \
                 'chat', message_id, created_ms, created_ms + 86400000, created_ms FROM message \
                 WHERE message_id = (SELECT MAX(message_id) FROM message)";
    db.execute(young).await.unwrap();
    desk.clock.advance(1_000);
    desk.sends(&mobile(35)).await;
    db.execute("UPDATE link SET first_human_ms = NULL").await.unwrap();
    desk.clock.advance(1_000);
    desk.is_limited(&mobile(36), "open_rate").await;
    // It looks back for two hours and a half.
    desk.clock.advance(2 * HOUR_MS);
    desk.sends(&mobile(36)).await;
}

/// Requirements §7.1: 1,000 callers of one prefix, each with a number of its own.
async fn sms_pumping_from_one_prefix_gets_no_more_texts_than_its_limit(db: Db) {
    let limits = TextLimits { prefix_hour: 60, line_minute: 10_000, ..wide() };
    let desk = Desk::new(&db, limits).await;
    let (mut sent, mut limited) = (0, 0);
    for n in 1..=1_000 {
        match desk.texts.send(desk.order(&mobile(n))).await {
            TextOutcome::Accepted { .. } => sent += 1,
            // The caller hears that there is none, and goes to a person.
            TextOutcome::Limited { rule } if rule == "texts_per_prefix" => limited += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((sent, limited), (60, 940));
    assert_eq!(desk.twilio.taken().len(), 60);
    assert_eq!(db.hits().await.len(), 940, "each is on record");
}

async fn no_text_goes_to_premium_satellite_toll_free_or_short_numbers(db: Db) {
    let desk = Desk::new(&db, wide()).await;
    for (to, why) in [
        ("+449011234567", "premium"),
        ("+88216123456", "other_line"),
        ("+448001234567", "toll_free"),
        ("+442079460321", "landline"),
    ] {
        let Ok(to) = to.parse::<E164>() else { panic!("{to}") };
        let outcome = desk.texts.send(desk.order(&to)).await;
        let TextOutcome::NotTextable { reason } = outcome else { panic!("{to}: {outcome:?}") };
        assert_eq!(reason, why, "{to}");
    }
    let short =
        TextOrder { to: E164::parse("85258", "US").map(|_| mobile(1)), ..desk.order(&mobile(1)) };
    let outcome = desk.texts.send(short).await;
    assert_eq!(outcome, TextOutcome::NotTextable { reason: "short".to_owned() });
    assert!(desk.twilio.posted().is_empty());
}
