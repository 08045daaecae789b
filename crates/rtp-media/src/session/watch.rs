//! Notices when expected media does not come.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The media time-out of one leg.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Watch {
    state: State,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
enum State {
    /// On hold, or nothing agreed.
    #[default]
    Off,
    Waiting {
        since: Duration,
    },
    /// Told; media would start it again.
    Expired,
}

impl Watch {
    /// Follows what signalling expects. What is expected already keeps its time.
    pub fn expect(&mut self, now: Duration, expected: bool) {
        self.state = match self.state {
            State::Waiting { since } if expected => State::Waiting { since },
            State::Off | State::Expired if expected => State::Waiting { since: now },
            State::Off | State::Waiting { .. } | State::Expired => State::Off,
        };
    }

    /// Media came that was of use, or a report of it.
    pub fn heard(&mut self, now: Duration) {
        self.state = match self.state {
            State::Off => State::Off,
            State::Waiting { .. } | State::Expired => State::Waiting { since: now },
        };
    }

    /// Whether the time is up; `true` once.
    pub fn handle_timeout(&mut self, now: Duration, timeout: Duration) -> bool {
        match self.state {
            State::Waiting { since } if now.saturating_sub(since) >= timeout => {
                self.state = State::Expired;
                true
            }
            State::Off | State::Waiting { .. } | State::Expired => false,
        }
    }
}
