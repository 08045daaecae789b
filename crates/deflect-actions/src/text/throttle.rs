//! Messages per second of a sender.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// When each sender may write next, ms.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<HashMap<String, i64>>);

impl Throttle {
    /// How long to wait for the sender's next turn, which counts as `weight` messages; `None` when that is beyond `limit`.
    pub fn turn(
        &self,
        sender: &str,
        per_second: Option<u32>,
        weight: u32,
        now_ms: i64,
        limit: Duration,
    ) -> Option<Duration> {
        let Some(per_second) = per_second.filter(|n| *n > 0) else { return Some(Duration::ZERO) };
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = next.get(sender).copied().unwrap_or(0).max(now_ms);
        let wait = Duration::from_millis(u64::try_from(turn - now_ms).unwrap_or(0));
        if wait > limit {
            return None;
        }
        next.insert(sender.to_owned(), turn + i64::from((1_000 * weight).div_ceil(per_second)));
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_takes_turns_and_refuses_to_wait_too_long() {
        let (throttle, limit) = (Throttle::default(), Duration::from_millis(250));
        let turn = |now| throttle.turn("uk", Some(10), 1, now, limit).map(|wait| wait.as_millis());
        assert_eq!([turn(0), turn(0), turn(0), turn(0)], [Some(0), Some(100), Some(200), None]);
        assert_eq!(turn(1_000), Some(0));
        assert_eq!(throttle.turn("us", None, 1, 0, limit), Some(Duration::ZERO));
        // Two parts take two turns.
        let long = |weight| throttle.turn("ie", Some(10), weight, 0, limit);
        assert_eq!((long(2), long(1)), (Some(Duration::ZERO), Some(Duration::from_millis(200))));
    }
}
