//! Whether signalling keeps up with what arrives, whatever the limits say: a machine may be busy
//! with other things than calls.

use std::time::Duration;

/// A message that waited no longer was read in time.
const IN_TIME: Duration = Duration::from_millis(100);
/// So long messages may be late: a hiccup costs no call.
const HICCUP: Duration = Duration::from_millis(500);

/// Watches how long messages wait. A queue that stands is a load that is too high, one that comes
/// and goes is a burst (the idea of RFC 8289): only the first is a reason to refuse calls.
#[derive(Debug, Default)]
pub struct Backlog {
    late_since: Option<Duration>,
    looked: Duration,
}

impl Backlog {
    /// Takes the next message, read at `arrived` and looked at `now`; whether we are behind.
    pub fn is_behind(&mut self, now: Duration, arrived: Duration) -> bool {
        let stood = arrived <= std::mem::replace(&mut self.looked, now);
        if now.saturating_sub(arrived) <= IN_TIME {
            self.late_since = None;
            return false;
        }
        if !stood {
            // The queue was empty before it: another hiccup.
            self.late_since = Some(now);
        }
        now.saturating_sub(*self.late_since.get_or_insert(now)) > HICCUP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn messages_that_are_late_for_long_put_us_behind_until_one_is_in_time() {
        let mut backlog = Backlog::default();
        for at in (0..500).step_by(50) {
            assert!(!backlog.is_behind((at + 300) * MS, at * MS), "{at}");
        }
        assert!(backlog.is_behind(900 * MS, 600 * MS));
        assert!(!backlog.is_behind(950 * MS, 900 * MS));
        assert!(!backlog.is_behind(1_500 * MS, 940 * MS));
    }

    #[test]
    fn hiccups_with_quiet_between_them_are_no_standing_queue() {
        let mut backlog = Backlog::default();
        assert!(!backlog.is_behind(400 * MS, 100 * MS));
        assert!(!backlog.is_behind(60_300 * MS, 60_000 * MS));
        assert!(!backlog.is_behind(60_310 * MS, 60_000 * MS));
    }

    #[test]
    fn a_burst_after_a_pause_is_served() {
        let mut backlog = Backlog::default();
        assert!((0..1_000).all(|n| !backlog.is_behind((5_000 + n / 4) * MS, 10 * MS)));
    }
}
