//! One queue for all deadlines of an endpoint.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::LegId;
use crate::transaction::{ClientKey, ServerKey};

/// Whose deadline it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Who {
    Client(ClientKey),
    Server(ServerKey),
    Leg(LegId),
}

/// The next deadline of each, soonest first.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(from = "Vec<(Who, Duration)>", into = "Vec<(Who, Duration)>")]
pub(super) struct Timers {
    queue: BTreeSet<(Duration, Who)>,
    set: HashMap<Who, Duration>,
}

impl Timers {
    /// Sets, moves or removes the deadline of `who`.
    pub(super) fn set(&mut self, who: Who, at: Option<Duration>) {
        let before = match at {
            Some(at) => self.set.insert(who, at),
            None => self.set.remove(&who),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.queue.remove(&(before, who));
        }
        if let Some(at) = at {
            self.queue.insert((at, who));
        }
    }

    /// Gives back the room of a busier time.
    pub(super) fn shrink(&mut self) {
        super::shrink(&mut self.set);
    }

    pub(super) fn len(&self) -> usize {
        self.set.len()
    }

    pub(super) fn next(&self) -> Option<Duration> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes the next one that is due.
    pub(super) fn due(&mut self, now: Duration) -> Option<Who> {
        let (at, who) = *self.queue.first().filter(|(at, _)| *at <= now)?;
        self.queue.remove(&(at, who));
        self.set.remove(&who);
        Some(who)
    }
}

impl From<Vec<(Who, Duration)>> for Timers {
    fn from(saved: Vec<(Who, Duration)>) -> Self {
        let queue = saved.iter().map(|(who, at)| (*at, *who)).collect();
        Self { queue, set: saved.into_iter().collect() }
    }
}

impl From<Timers> for Vec<(Who, Duration)> {
    fn from(timers: Timers) -> Self {
        timers.queue.into_iter().map(|(at, who)| (who, at)).collect()
    }
}
