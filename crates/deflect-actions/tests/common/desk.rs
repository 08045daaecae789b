//! A service with limits on its texts, and what was written of those that bit.

use deflect_actions::{
    Clock,
    text::{TextConfig, TextLimits, TextOrder, TextOutcome, TextService},
};
use message_text::E164;

use provider_emulator::Twilio;

use super::{Db, config, order, wide};

pub const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;

/// A service with limits, and its provider.
pub struct Desk {
    pub texts: TextService,
    pub twilio: Twilio,
    pub clock: Clock,
    pub config: TextConfig,
}

impl Desk {
    pub async fn new(db: &Db, limits: TextLimits) -> Self {
        Self::of(db, "n1", "b1", limits).await
    }

    /// So much a day, at so much a part, in millionths.
    pub async fn priced(db: &Db, day: i64, price: i64) -> Self {
        let limits = TextLimits { spend_day: Some(day), ..wide() };
        let (twilio, base) = Twilio::start(&[]);
        let mut config = config(&[base]);
        config.limits = limits;
        config.senders[0].price_micros = Some(price);
        let clock = Clock::default();
        let store = db.store_with("n1", "b1", clock.clone()).await;
        let texts = TextService::new(store, config.clone());
        Self { texts, twilio, clock, config }
    }

    /// The same node, started again.
    pub async fn again(&self, db: &Db, boot: &str) -> TextService {
        let store = db.store_with("n1", boot, self.clock.clone()).await;
        TextService::new(store, self.config.clone())
    }

    pub async fn of(db: &Db, node: &str, boot: &str, limits: TextLimits) -> Self {
        let (twilio, base) = Twilio::start(&[]);
        let mut config = config(&[base]);
        config.limits = limits;
        let clock = Clock::default();
        let store = db.store_with(node, boot, clock.clone()).await;
        let texts = TextService::new(store, config.clone());
        Self { texts, twilio, clock, config }
    }

    /// A text of its own kind, so that none is another's duplicate.
    pub fn order(&self, to: &E164) -> TextOrder {
        let mut order = order(self.texts.store(), to);
        order.step.clone_from(&order.call.call_id);
        order
    }

    pub async fn sends(&self, to: &E164) {
        assert_eq!(self.texts.send(self.order(to)).await, accepted());
    }

    /// Returns the id of the call.
    pub async fn is_limited(&self, to: &E164, rule: &str) -> String {
        let order = self.order(to);
        let call = order.call.call_id.clone();
        let limited = TextOutcome::Limited { rule: rule.to_owned() };
        assert_eq!(self.texts.send(order).await, limited);
        call
    }
}

pub fn accepted() -> TextOutcome {
    TextOutcome::Accepted { sender: "uk1".to_owned() }
}

impl Db {
    /// What was written of limits that bit, in order.
    pub async fn hits(&self) -> Vec<String> {
        let sql = "SELECT call_id || ' ' || rule || ' ' || scope || ' ' || scope_key \
                   FROM limit_hit ORDER BY hit_id";
        self.texts(sql).await.into_iter().flatten().collect()
    }
}
