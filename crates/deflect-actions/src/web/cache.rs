//! Answers that are good for a while: only what was read out of them.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use tokio::time::Instant;

/// Answers kept at most; with more, any goes.
const MOST: usize = 10_000;
/// What is out of date is dropped so often at least.
const SWEEP: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Cache {
    answers: HashMap<[u8; 32], (Instant, BTreeMap<String, String>)>,
    swept: Option<Instant>,
}

impl Cache {
    pub fn get(&self, key: &[u8; 32], now: Instant) -> Option<BTreeMap<String, String>> {
        let (until, answer) = self.answers.get(key)?;
        (now < *until).then(|| answer.clone())
    }

    pub fn put(
        &mut self,
        key: [u8; 32],
        answer: BTreeMap<String, String>,
        now: Instant,
        keep: Duration,
    ) {
        if self.swept.is_none_or(|at| at + SWEEP <= now) {
            self.swept = Some(now);
            self.answers.retain(|_, (until, _)| now < *until);
        }
        if self.answers.len() >= MOST
            && let Some(any) = self.answers.keys().next().copied()
        {
            self.answers.remove(&any);
        }
        self.answers.insert(key, (now + keep, answer));
    }
}
