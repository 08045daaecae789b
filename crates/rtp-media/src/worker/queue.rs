//! Commands on their way into a worker.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::session::SessionId;

use super::SendError;
use super::command::Command;

type Entry = (SessionId, Command);

/// A bounded queue under a lock that is held for one push or one swap.
///
/// A lock on purpose: a worker with a real-time priority that finds it taken sleeps, and the
/// sender goes on. The lock-free queues wait for a sender that was interrupted in the middle of a
/// push by turning in circles, which on one core keeps that sender from ever ending it.
#[derive(Debug)]
pub(super) struct Queue {
    entries: Mutex<VecDeque<Entry>>,
    limit: usize,
    closed: AtomicBool,
}

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        let limit = limit.max(1);
        Self { entries: Mutex::default(), limit, closed: AtomicBool::new(false) }
    }

    /// Adds a command, unless the queue is full or its worker gone.
    pub(super) fn push(&self, session: SessionId, command: Command) -> Result<(), SendError> {
        if self.is_closed() {
            return Err(SendError::Ended);
        }
        let mut entries = self.lock();
        if entries.len() >= self.limit {
            return Err(SendError::Overloaded);
        }
        entries.push_back((session, command));
        Ok(())
    }

    /// Takes all that waits into `taken`, which must be empty, and leaves its room behind.
    pub(super) fn swap(&self, taken: &mut VecDeque<Entry>) {
        std::mem::swap(&mut *self.lock(), taken);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// No more commands: the pool or the worker is gone.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Entry>> {
        // Neither a push nor a swap leaves anything half done.
        self.entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
