//! A seeded generator: the same seed gives the same callers on every machine.

use std::{ops::Range, time::Duration};

/// SplitMix64.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// Starts a sequence.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of the range; its start where the range is empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        let len = range.end.saturating_sub(range.start).max(1);
        range.start + self.bits() % len
    }

    /// A time of the range, in ms.
    pub fn ms(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, percent: u8) -> bool {
        self.within(0..100) < u64::from(percent)
    }

    /// One of `choices`, which is not empty.
    pub fn pick<T: Clone>(&mut self, first: T, others: &[T]) -> T {
        let index = self.within(0..others.len() as u64 + 1);
        let other = usize::try_from(index).ok().and_then(|index| others.get(index.checked_sub(1)?));
        other.cloned().unwrap_or(first)
    }
}
