//! Who tries tokens that are none is let wait, and who comes all the time is not counted.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::Semaphore;

/// Bad tokens of one address in a minute that are answered at once.
pub(super) const FREE: u32 = 20;
const MINUTE_MS: i64 = 60_000;
/// Each further one is answered after so long.
const PAUSE: Duration = Duration::from_secs(2);
/// So many wait at once; others are answered sooner, for a connection that waits is one that nobody
/// else has.
const WAITING: usize = 16;
/// Addresses remembered at most.
const MOST: usize = 10_000;

/// What addresses did in the present minute. Clones are the same.
#[derive(Debug, Clone)]
pub struct Guesses {
    minute: Arc<Mutex<Minute>>,
    waiting: Arc<Semaphore>,
}

impl Default for Guesses {
    fn default() -> Self {
        Self { minute: Arc::default(), waiting: Arc::new(Semaphore::new(WAITING)) }
    }
}

#[derive(Debug, Default)]
struct Minute {
    began_ms: i64,
    bad: HashMap<IpAddr, u32>,
}

impl Guesses {
    /// One more of an address in this minute; whether they are too many.
    pub(super) fn is_too_many(&self, from: IpAddr, free: u32, now_ms: i64) -> bool {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if now_ms - minute.began_ms >= MINUTE_MS || minute.bad.len() >= MOST {
            *minute = Minute { began_ms: now_ms, bad: HashMap::new() };
        }
        let count = minute.bad.entry(network(from)).or_insert(0);
        *count = count.saturating_add(1);
        *count > free
    }

    /// Lets somebody wait, where few do.
    pub(super) async fn pause(&self) {
        if let Ok(_waiting) = self.waiting.try_acquire() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// A household has many addresses of IPv6, and one prefix.
fn network(from: IpAddr) -> IpAddr {
    match from {
        IpAddr::V4(_) => from,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_21st_bad_token_of_a_minute_is_too_many_and_others_are_not_concerned() {
        let guesses = Guesses::default();
        let one = "2001:db8::1".parse().unwrap();
        let same_house = "2001:db8::2".parse().unwrap();
        for _ in 0..10 {
            assert!(
                !guesses.is_too_many(one, FREE, 1_000_000)
                    && !guesses.is_too_many(same_house, FREE, 1_000_000)
            );
        }
        assert!(guesses.is_too_many(one, FREE, 1_050_000));
        assert!(!guesses.is_too_many("192.0.2.1".parse().unwrap(), FREE, 1_050_000));
        assert!(!guesses.is_too_many(one, FREE, 1_060_000), "a new minute");
    }

    #[tokio::test]
    async fn who_floods_keeps_few_connections_waiting() {
        let (guesses, begun) = (Guesses::default(), tokio::time::Instant::now());
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..256 {
            let guesses = guesses.clone();
            all.spawn(async move {
                guesses.pause().await;
                begun.elapsed()
            });
        }
        let waited = all.join_all().await;
        assert_eq!(waited.iter().filter(|waited| **waited >= PAUSE).count(), WAITING);
    }
}
