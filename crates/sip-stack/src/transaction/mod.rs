//! Transactions (RFC 3261 §17 with RFC 6026): one machine per kind, none knows a socket.
//!
//! A machine keeps wire bytes and a status, never a parsed message: it repeats, absorbs and gives
//! up. What a message means is its user's business.

pub mod client;
pub mod client_invite;
pub mod derive;
mod key;
pub mod server;
pub mod server_invite;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::{
    client::Client,
    client_invite::InviteClient,
    key::{ClientKey, ServerKey, origin},
    server::Server,
    server_invite::InviteServer,
};

/// Estimate of a round trip (RFC 3261 §17.1.1.1).
pub const T1: Duration = Duration::from_millis(500);
/// The longest interval between repeats of a non-INVITE request or an INVITE response.
pub const T2: Duration = Duration::from_secs(4);
/// The longest time a message stays in the network.
pub const T4: Duration = Duration::from_secs(5);
/// 64·T1: Timers B, F, H, J, L and M, and the time a 2xx waits for its ACK.
pub const LIMIT: Duration = Duration::from_secs(32);
/// Timer D on an unreliable transport.
pub const TIMER_D: Duration = Duration::from_secs(32);

/// What a client transaction says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientOutput {
    /// Send these bytes.
    Transmit(bytes::Bytes),
    /// The response just taken in is news for the transaction's user.
    Inform,
    /// Nobody answered in time (Timer B or F).
    TimedOut,
}

/// What a server transaction says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerOutput {
    /// Send these bytes.
    Transmit(bytes::Bytes),
    /// The ACK just taken in is for the 2xx, so it is the transaction user's.
    Acked,
}

/// A repeat timer whose interval doubles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    at: Duration,
    interval: Duration,
    cap: Duration,
}

impl Backoff {
    /// Starts with T1; the interval grows to `cap`.
    pub fn starting(now: Duration, cap: Duration) -> Self {
        Self { at: now + T1, interval: T1, cap }
    }

    /// Starts with the longest interval already.
    pub fn steady(now: Duration, interval: Duration) -> Self {
        Self { at: now + interval, interval, cap: interval }
    }

    /// Returns when it is due.
    pub fn at(&self) -> Duration {
        self.at
    }

    /// Whether it is due; if so it is wound up again.
    pub fn fire(&mut self, now: Duration) -> bool {
        let due = now >= self.at;
        if due {
            self.interval = (self.interval * 2).min(self.cap);
            self.at = now + self.interval;
        }
        due
    }
}

/// Returns the earlier of two deadlines.
pub(crate) fn sooner(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    [a, b].into_iter().flatten().min()
}
