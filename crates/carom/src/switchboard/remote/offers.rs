//! Offers that wait for their invite.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use super::{Question, RemoteCalls, call::RemoteCall, way::Way};
use crate::switchboard::tasks::Services;

/// Offers that wait at most; the oldest give way.
const MOST: usize = 10_000;

/// An offer that waits, with its call.
#[derive(Debug)]
pub(super) struct Waiting {
    pub question: Question,
    pub call: RemoteCall,
    pub ways: Vec<Way>,
    pub until: Instant,
}

/// Those of this node, by their ids; clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Offers(Arc<Mutex<HashMap<String, Waiting>>>);

impl Offers {
    pub fn keep(&self, id: &str, waiting: Waiting, services: &Services) {
        let oldest = {
            let mut all = self.lock();
            let full = all.len() >= MOST;
            let oldest = all.iter().min_by_key(|(_, it)| it.until).map(|(id, _)| id.clone());
            let oldest = oldest.filter(|_| full).and_then(|id| all.remove(&id));
            all.insert(id.to_owned(), waiting);
            oldest
        };
        if let Some(mut oldest) = oldest {
            oldest.call.hang_up(services);
        }
    }

    /// Takes an offer out, so that of two who want it one finds it.
    pub fn take(&self, id: &str) -> Option<Waiting> {
        let mut all = self.lock();
        all.get(id).filter(|it| it.until > Instant::now())?;
        all.remove(id)
    }

    fn take_old(&self) -> Vec<(String, Waiting)> {
        let now = Instant::now();
        self.lock().extract_if(|_, it| it.until <= now).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RemoteCalls {
    /// Ends the calls whose offers nobody took up. A call that another node went on with is that
    /// node's to end.
    pub async fn sweep(&self) {
        for (id, mut waiting) in self.offers.take_old() {
            match self.services.store.is_offer_taken(&id).await {
                Ok(true) => {}
                Ok(false) | Err(_) => waiting.call.hang_up(&self.services),
            }
        }
    }
}
