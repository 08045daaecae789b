//! Which new calls are taken: up to two limits, and below them a margin where deflection is
//! left out and the call goes straight to a person.

use std::time::Duration;

/// Share of a limit above which new calls skip their flow, in percent.
const SKIP_FLOW_AT: u64 = 90;

/// What becomes of a new call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The flow is played.
    Serve,
    /// Near a limit: straight to the human target.
    SkipFlow,
    /// Beyond a limit: the trunk's overload code.
    Refuse,
}

/// `[limits] calls` and `new_calls_per_second`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls at once.
    pub calls: u32,
    /// New calls per second; a burst of one second's worth is allowed.
    pub per_second: u32,
}

/// A token bucket over new calls (RFC 5390: shed early and cheaply).
#[derive(Debug, Clone)]
pub struct Admission {
    /// Millionths of a call that may still come now.
    tokens: u64,
    filled: Duration,
}

impl Admission {
    /// A full bucket.
    #[must_use]
    pub fn new(now: Duration, limits: Limits) -> Self {
        Self { tokens: full(limits), filled: now }
    }

    /// Whether a new call would be refused now.
    pub fn is_exhausted(&self, now: Duration, limits: Limits, running: usize) -> bool {
        running as u64 >= u64::from(limits.calls) || self.tokens_at(now, limits) < 1_000_000
    }

    fn tokens_at(&self, now: Duration, limits: Limits) -> u64 {
        let elapsed =
            u64::try_from(now.saturating_sub(self.filled).as_micros()).unwrap_or(u64::MAX);
        let refill = elapsed.saturating_mul(u64::from(limits.per_second));
        self.tokens.saturating_add(refill).min(full(limits))
    }

    /// Judges one new call while `running` are up.
    pub fn judge(&mut self, now: Duration, limits: Limits, running: usize) -> Verdict {
        if self.is_exhausted(now, limits, running) {
            return Verdict::Refuse;
        }
        self.tokens = self.tokens_at(now, limits);
        self.filled = now;
        self.tokens -= 1_000_000;
        let busy = running as u64 * 100 >= u64::from(limits.calls) * SKIP_FLOW_AT;
        let rushed = self.tokens * 100 < full(limits) * (100 - SKIP_FLOW_AT);
        if busy || rushed { Verdict::SkipFlow } else { Verdict::Serve }
    }
}

fn full(limits: Limits) -> u64 {
    u64::from(limits.per_second.max(1)) * 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { calls: 100, per_second: 50 };

    #[test]
    fn beyond_the_calls_at_once_new_ones_are_refused() {
        let mut admission = Admission::new(Duration::ZERO, LIMITS);
        assert_eq!(admission.judge(Duration::ZERO, LIMITS, 0), Verdict::Serve);
        assert_eq!(admission.judge(Duration::ZERO, LIMITS, 90), Verdict::SkipFlow);
        assert_eq!(admission.judge(Duration::ZERO, LIMITS, 100), Verdict::Refuse);
    }

    #[test]
    fn a_burst_is_served_then_bypassed_then_refused_and_the_bucket_refills() {
        let mut admission = Admission::new(Duration::ZERO, LIMITS);
        let verdicts: Vec<_> =
            (0..60).map(|_| admission.judge(Duration::ZERO, LIMITS, 0)).collect();
        let count = |v| verdicts.iter().filter(|&&x| x == v).count();
        assert_eq!(
            (count(Verdict::Serve), count(Verdict::SkipFlow), count(Verdict::Refuse)),
            (45, 5, 10)
        );
        assert_eq!(admission.judge(Duration::from_secs(1), LIMITS, 0), Verdict::Serve);
    }

    #[test]
    fn a_clock_that_stands_still_or_jumps_does_no_harm() {
        let mut admission = Admission::new(Duration::from_secs(9), LIMITS);
        assert_eq!(admission.judge(Duration::from_secs(1), LIMITS, 0), Verdict::Serve);
        assert_eq!(admission.judge(Duration::from_secs(1 << 40), LIMITS, 0), Verdict::Serve);
    }
}
