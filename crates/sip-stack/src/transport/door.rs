//! Who may connect: those that the node knows always, of strangers only so many.

use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use super::{StreamLimits, TurnedAway};

/// Whether a node knows an address: its connections are never too many.
pub type Friends = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// Who may connect.
pub(super) struct Door {
    limits: StreamLimits,
    friends: Mutex<Friends>,
    strangers: Arc<Mutex<Strangers>>,
}

#[derive(Debug, Default)]
struct Strangers {
    all: usize,
    by_source: HashMap<IpAddr, usize>,
}

/// A connection's leave to be here.
#[derive(Debug)]
pub(super) enum Leave {
    Friend,
    Stranger(#[expect(dead_code, reason = "held until the connection ends")] Guest),
}

/// A stranger that is here.
#[derive(Debug)]
pub(super) struct Guest {
    ip: IpAddr,
    strangers: Arc<Mutex<Strangers>>,
}

impl Door {
    pub(super) fn new(limits: StreamLimits) -> Self {
        Self { limits, friends: Mutex::new(Arc::new(|_| false)), strangers: Arc::default() }
    }

    pub(super) fn befriend(&self, friends: Friends) {
        *self.friends.lock().unwrap_or_else(PoisonError::into_inner) = friends;
    }

    /// Lets one in, or says why not.
    pub(super) fn admit(&self, from: SocketAddr) -> Result<Leave, TurnedAway> {
        let ip = from.ip();
        let friends = Arc::clone(&self.friends.lock().unwrap_or_else(PoisonError::into_inner));
        if friends(ip) {
            return Ok(Leave::Friend);
        }
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = strangers.by_source.get(&ip).copied().unwrap_or(0);
        if known >= self.limits.of_a_stranger {
            return Err(TurnedAway::Source);
        }
        if strangers.all >= self.limits.of_strangers {
            return Err(TurnedAway::Full);
        }
        strangers.all += 1;
        strangers.by_source.insert(ip, known + 1);
        Ok(Leave::Stranger(Guest { ip, strangers: Arc::clone(&self.strangers) }))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        strangers.all = strangers.all.saturating_sub(1);
        if let Some(left) = strangers.by_source.get_mut(&self.ip) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                strangers.by_source.remove(&self.ip);
            }
        }
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("limits", &self.limits).finish_non_exhaustive()
    }
}
