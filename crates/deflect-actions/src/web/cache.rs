//! Answers that are good for a while.

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;
use tokio::time::Instant;

/// Answers kept at most; with more, those that are out of date go, then any.
const MOST: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Cache(HashMap<[u8; 32], (Instant, Arc<Value>)>);

impl Cache {
    pub fn get(&self, key: &[u8; 32], now: Instant) -> Option<Arc<Value>> {
        let (until, answer) = self.0.get(key)?;
        (now < *until).then(|| Arc::clone(answer))
    }

    pub fn put(&mut self, key: [u8; 32], answer: Arc<Value>, until: Instant) {
        if self.0.len() >= MOST {
            let now = Instant::now();
            self.0.retain(|_, (until, _)| now < *until);
        }
        if self.0.len() >= MOST
            && let Some(any) = self.0.keys().next().copied()
        {
            self.0.remove(&any);
        }
        self.0.insert(key, (until, answer));
    }
}
