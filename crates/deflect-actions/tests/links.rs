//! Pages of links in the store: committed with their message, bound once, read once, erased.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::time::Duration;

use common::{Db, mobile, order, sandbox};
use deflect_actions::{
    Clock,
    link::{NewPage, Token},
    store::{LinkSeen, Row, Store, Writer},
    text::{TextOutcome, TextService},
};

on_both!(
    a_page_is_committed_with_its_message_and_leads_one_browser_on,
    what_stands_on_a_page_is_erased_a_day_after_its_end,
    lp_01_a_text_whose_address_is_over_is_not_sent_later,
);

const DAY_MS: i64 = 86_400_000;

async fn texted(store: &Store) -> Token {
    let mut order = order(store, &mobile(1));
    let page = common::page();
    let token = page.token.clone();
    order.text = format!("Example: https://c.example.com/l/{}", token.as_str());
    order.page = Some(NewPage { expires_ms: order.call.started_ms + DAY_MS, ..page });
    let outcome = TextService::new(store.clone(), sandbox()).send(order).await;
    assert!(matches!(outcome, TextOutcome::Accepted { .. }));
    token
}

async fn a_page_is_committed_with_its_message_and_leads_one_browser_on(db: Db) {
    let store = db.store().await;
    let token = texted(&store).await;
    let link = store.link(&token).await.unwrap().unwrap();
    assert_eq!(link.page.as_ref().unwrap().buttons[0].context["customer_id"], "c7");
    assert!(link.message_id.is_some() && link.redeemed_ms.is_none());
    assert!(store.link(&Token::random().unwrap()).await.unwrap().is_none());
    let writer = Writer::start(store.clone());
    for at_ms in [5, 6, 7] {
        let link_id = link.link_id.clone();
        writer.try_write(Row::LinkSeen(LinkSeen { link_id, at_ms })).unwrap();
    }
    assert!(writer.flush(Duration::from_secs(10)).await);
    assert_eq!(db.number("SELECT first_fetch_ms FROM link").await, Some(5), "the first one");
    let seen = "SELECT COUNT(*) FROM link WHERE first_human_ms IS NOT NULL";
    assert_eq!(db.number(seen).await, Some(0), "a fetch is no person");
    let people = "SELECT COUNT(*) FROM link WHERE first_human_ms = redeemed_ms";
    assert!(store.redeem_link(&link.link_id, "chat", "one").await.unwrap());
    assert_eq!(db.number(people).await, Some(1), "a button pressed is one");
    assert!(!store.redeem_link(&link.link_id, "chat", "other").await.unwrap());
    let bound = store.link(&token).await.unwrap().unwrap();
    assert_eq!(bound.browser.as_deref(), Some("one"));
    assert!(store.take_context(&link.link_id).await.unwrap());
    assert!(!store.take_context(&link.link_id).await.unwrap(), "once");
    store.unredeem_link(&link.link_id).await.unwrap();
    assert!(store.redeem_link(&link.link_id, "chat", "other").await.unwrap());
    let number = store.number_of(link.message_id.as_ref().unwrap()).await.unwrap();
    assert_eq!(number, Some(mobile(1)));
}

async fn what_stands_on_a_page_is_erased_a_day_after_its_end(db: Db) {
    let clock = Clock::default();
    let store = db.store_with("n1", "b1", clock.clone()).await;
    let token = texted(&store).await;
    clock.advance(DAY_MS + 1);
    store.sweep().await.unwrap();
    let link = store.link(&token).await.unwrap().unwrap();
    assert!(link.page.is_some(), "who comes too late is told whose page it was");
    assert!(!store.redeem_link(&link.link_id, "chat", "one").await.unwrap(), "it is over");
    assert!(!store.take_context(&link.link_id).await.unwrap());
    clock.advance(DAY_MS + 1);
    store.sweep().await.unwrap();
    assert!(store.link(&token).await.unwrap().unwrap().page.is_none());
}

async fn lp_01_a_text_whose_address_is_over_is_not_sent_later(db: Db) {
    let store = db.store().await;
    let mut order = order(&store, &mobile(1));
    let soon = order.call.started_ms + 60_000;
    (order.valid_minutes, order.not_after_ms) = (15, Some(soon));
    let outcome = TextService::new(store.clone(), sandbox()).send(order).await;
    assert!(matches!(outcome, TextOutcome::Accepted { .. }));
    assert_eq!(db.number("SELECT valid_until_ms FROM message").await, Some(soon));
}
