//! Limits on texts, on both databases: each bites at its count, says so to the call, sends
//! nothing and leaves its row; its time over, texts go out again.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use common::{Db, config, keys, mobile, number, order, twilio::FakeTwilio, wide};
use deflect_actions::{
    Clock,
    text::{TextLimits, TextOrder, TextOutcome, TextService},
};
use message_text::E164;

on_both!(
    a_number_gets_so_many_texts_an_hour_and_a_day,
    numbers_that_begin_alike_get_so_many_texts_an_hour,
    a_line_sends_so_many_texts_a_minute,
    texts_of_another_node_and_of_an_earlier_start_count,
    a_rush_of_texts_to_one_number_passes_no_limit,
);

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

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

/// A service with limits, and its provider.
struct Desk {
    texts: TextService,
    twilio: FakeTwilio,
    clock: Clock,
}

impl Desk {
    async fn new(db: &Db, limits: TextLimits) -> Self {
        Self::of(db, "n1", "b1", limits).await
    }

    async fn of(db: &Db, node: &str, boot: &str, limits: TextLimits) -> Self {
        let (twilio, base) = FakeTwilio::start(&[]).await;
        let mut config = config(&[base]);
        config.limits = limits;
        let clock = Clock::default();
        let texts = TextService::new(db.store_with(node, boot, clock.clone()).await, config);
        Self { texts, twilio, clock }
    }

    /// A text of its own kind, so that none is another's duplicate.
    fn order(&self, to: &E164) -> TextOrder {
        let mut order = order(self.texts.store(), to);
        order.step.clone_from(&order.call.call_id);
        order
    }

    async fn sends(&self, to: &E164) {
        assert_eq!(self.texts.send(self.order(to)).await, accepted());
    }

    /// Returns the id of the call.
    async fn is_limited(&self, to: &E164, rule: &str) -> String {
        let order = self.order(to);
        let call = order.call.call_id.clone();
        let limited = TextOutcome::Limited { rule: rule.to_owned() };
        assert_eq!(self.texts.send(order).await, limited);
        call
    }
}

fn accepted() -> TextOutcome {
    TextOutcome::Accepted { sender: "uk1".to_owned() }
}

impl Db {
    /// What was written of limits that bit, in order.
    async fn hits(&self) -> Vec<String> {
        let sql = "SELECT call_id || ' ' || rule || ' ' || scope || ' ' || scope_key \
                   FROM limit_hit ORDER BY hit_id";
        self.texts(sql).await.into_iter().flatten().collect()
    }
}
