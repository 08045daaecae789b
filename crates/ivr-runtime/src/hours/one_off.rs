//! One-off closures and openings, over what the week and the holidays say.

use serde::{Deserialize, Serialize};

/// From one moment to another some hours are closed, or open, whatever their calendar says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneOff {
    /// `X` of `[hours.X]`.
    pub hours: String,
    /// Open, or closed.
    pub open: bool,
    /// Its first moment, ms UTC.
    pub from_ms: i64,
    /// Its end, which does not belong to it, ms UTC.
    pub until_ms: i64,
    /// What for; may be empty.
    pub because: String,
}

impl OneOff {
    /// Whether it holds at `now_ms`.
    pub fn holds(&self, now_ms: i64) -> bool {
        (self.from_ms..self.until_ms).contains(&now_ms)
    }
}
