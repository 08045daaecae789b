//! Texts: checked, committed, handed over, and known afterwards.
//!
//! A message is a committed row before a provider sees it. Another sender is tried only after a
//! definite failure; a request that was written and not answered is ambiguous, and settled by
//! evidence. [`TextService::send`] never waits longer than the order allows, and what it began
//! goes on when its caller is gone.

mod answers;
mod attempt;
mod background;
mod check;
mod config;
mod first;
mod follow_up;
mod health;
mod inbound;
mod later;
mod limits;
mod line;
mod operator;
mod order;
mod prices;
mod promise;
mod receipts;
mod reply;
mod risk;
mod round;
mod sessions;
mod settle;
mod throttle;
mod told;

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;

pub use config::{Reply, Sender, TextConfig, TextLimits};
pub use health::RestingSender;
pub use operator::{NotDone, Retried};
pub use order::{Ordered, TextOrder, TextOutcome};
pub use receipts::{WebhookAnswer, WebhookError};
pub use reply::{OwnWords, compared, is_keyword, means_stop, plain};
pub use risk::RiskCheck;

use crate::store::Store;

/// Sends texts. Clones share it.
#[derive(Debug, Clone)]
pub struct TextService(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    config: RwLock<Arc<TextConfig>>,
    window: limits::Window,
    throttle: throttle::Throttle,
    scores: told::Told,
    lines: told::Told,
    health: health::Health,
    /// Something was learned about some message.
    news: Notify,
    /// The queue has something due sooner than the next look at it.
    due: Notify,
}

impl TextService {
    /// A service over `store`. Nothing is retried or settled until [`Self::start`] runs.
    #[must_use]
    pub fn new(store: Store, config: impl Into<Arc<TextConfig>>) -> Self {
        let config = config.into();
        let service = Self(Arc::new(Inner {
            store,
            config: RwLock::new(Arc::clone(&config)),
            window: limits::Window::default(),
            throttle: throttle::Throttle::default(),
            scores: told::Told::new(risk::KIND),
            lines: told::Told::new(line::KIND),
            health: health::Health::default(),
            news: Notify::new(),
            due: Notify::new(),
        }));
        service.open_sessions(&TextConfig::default(), &config);
        service
    }

    /// From now on sends by `config`; what is under way keeps the old one. So does a call that
    /// began before: [`Self::send_by`].
    pub fn reconfigure(&self, config: impl Into<Arc<TextConfig>>) {
        let config = config.into();
        self.open_sessions(&self.config(), &config);
        *self.0.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// The senders that are left alone for a while.
    #[must_use]
    pub fn resting_senders(&self) -> Vec<RestingSender> {
        self.0.health.resting(self.0.store.now_ms())
    }

    /// The store of its messages.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    fn config(&self) -> Arc<TextConfig> {
        Arc::clone(&self.0.config.read().unwrap_or_else(PoisonError::into_inner))
    }
}
