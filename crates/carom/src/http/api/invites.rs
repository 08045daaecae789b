//! What was answered to invites, for those who ask twice.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::http::StatusCode;
use serde_json::Value;
use tokio::{sync::OwnedMutexGuard, time::Instant};

/// An answer is remembered for so long.
const KEPT: Duration = Duration::from_secs(24 * 3_600);
/// Answers remembered at most.
const MOST: usize = 100_000;

/// Clones share what is remembered.
#[derive(Debug, Clone, Default)]
pub struct Invites(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    answers: HashMap<String, (Instant, StatusCode, Value)>,
    turns: HashMap<String, Arc<tokio::sync::Mutex<()>>>,
}

impl Invites {
    /// Waits until no other request with this key is under way.
    pub(super) async fn turn(&self, key: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut inner = self.lock();
            inner.turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(inner.turns.entry(key.to_owned()).or_default())
        };
        turn.lock_owned().await
    }

    /// What was answered.
    pub(super) fn answered(&self, key: &str) -> Option<(StatusCode, Value)> {
        let inner = self.lock();
        let (_, status, body) = inner.answers.get(key)?;
        Some((*status, body.clone()))
    }

    pub(super) fn keep(&self, key: &str, status: StatusCode, body: Value) {
        let mut inner = self.lock();
        if inner.answers.len() >= MOST {
            let now = Instant::now();
            inner.answers.retain(|_, (at, ..)| now.duration_since(*at) < KEPT);
        }
        if inner.answers.len() < MOST {
            inner.answers.insert(key.to_owned(), (Instant::now(), status, body));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
