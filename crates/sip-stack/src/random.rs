//! Numbers for tags, branches, Call-IDs and delays, from a seed.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    ops::RangeInclusive,
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// A seeded generator: a keyed hash of a counter, so that seeing some numbers tells no others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Random {
    seed: u64,
    count: u64,
}

impl Random {
    /// Starts from a seed, which is the secret.
    pub fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    /// Returns the next number.
    pub fn number(&mut self) -> u64 {
        self.count += 1;
        let mut hasher = DefaultHasher::new();
        (self.seed, self.count).hash(&mut hasher);
        hasher.finish()
    }

    /// Returns a time in a range of tens of milliseconds (RFC 3261 §14.1).
    pub fn tens_of_ms(&mut self, range: RangeInclusive<u64>) -> Duration {
        let width = range.end() - range.start() + 1;
        Duration::from_millis(10 * (range.start() + self.number() % width))
    }
}
