//! `share`: how many callers hear an offer, from which day on.

use serde::{Deserialize, Serialize};

/// Percent of callers by the moment from which they hold, ms UTC, in order of time; none before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share(pub Vec<(i64, u8)>);

impl From<u8> for Share {
    /// The same at all times.
    fn from(percent: u8) -> Self {
        Self(vec![(i64::MIN, percent)])
    }
}

impl Share {
    /// Percent of callers at `now_ms`.
    pub fn at(&self, now_ms: i64) -> u8 {
        let begun = self.0.iter().rev().find(|(from_ms, _)| *from_ms <= now_ms);
        begun.map_or(0, |(_, percent)| *percent)
    }
}
