//! The one clock of a node: moments since its start, and the wall clock that belongs to them.
#![expect(clippy::disallowed_methods, reason = "this is the driver that reads the clock")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Turns the machine's clocks into the `now` of the state machines and into wall-clock ms.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    epoch: Instant,
}

impl Clock {
    /// A clock whose epoch is this moment.
    #[must_use]
    pub fn start() -> Self {
        Self { epoch: Instant::now() }
    }

    /// The epoch itself, for other drivers that tell moments.
    #[must_use]
    pub fn epoch(&self) -> Instant {
        self.epoch
    }

    /// Moments since the epoch.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// The moment `now` as tokio's timers want it.
    #[must_use]
    pub fn instant(&self, now: Duration) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.epoch + now)
    }
}

/// Milliseconds UTC by the wall clock.
#[must_use]
pub fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
