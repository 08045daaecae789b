//! Posts what is told of messages, when it is due.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BinaryHeap},
    net::SocketAddr,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Account, Event, Hook, How, Message, PUBLIC_URL, Tell,
    http::{Client, place},
    now_ms,
};

/// Threads that post at most; each waits for its answer.
const POSTERS: usize = 64;
/// How old a receipt is that is too old to be believed, ms.
const STALE_MS: i64 = 6 * 60_000;

/// Something to be told.
pub(crate) struct Job {
    pub of: Account,
    pub message: Message,
    pub tell: Tell,
}

struct Due {
    at: Instant,
    number: u64,
    job: Job,
}

#[derive(Default)]
struct Queue {
    due: BinaryHeap<Due>,
    number: u64,
    /// What is told of each message unless its number chooses; `None`: nothing is told of any.
    usually: Option<Vec<Tell>>,
    webhooks: Option<String>,
    statuses: BTreeMap<u16, u64>,
    posters: usize,
    idle: usize,
    /// One of the idle waits for the time of the earliest; the others for its end.
    is_watched: bool,
}

/// Posts what is due.
#[derive(Default)]
pub(crate) struct Poster {
    queue: Mutex<Queue>,
    /// Another is the earliest.
    sooner: Condvar,
    /// Nobody watches.
    unwatched: Condvar,
}

impl Poster {
    /// From now on this is told of each message, and what numbers choose.
    pub fn tells(&self, usually: Vec<Tell>) {
        self.queue().usually = Some(usually);
    }

    pub fn usually(&self) -> Vec<Tell> {
        self.queue().usually.clone().unwrap_or_default()
    }

    /// Where webhooks go that no request names an address for.
    pub fn webhooks(&self) -> String {
        self.queue().webhooks.clone().unwrap_or_else(|| PUBLIC_URL.to_owned())
    }

    pub fn goes_to(&self, webhooks: &str) {
        self.queue().webhooks = Some(webhooks.trim_end_matches('/').to_owned());
    }

    /// How webhooks were answered so far, by status; 0: the connection broke.
    pub fn statuses(&self) -> BTreeMap<u16, u64> {
        self.queue().statuses.clone()
    }

    /// Tells it when it is due; at once where it comes before the answer.
    pub fn take(self: &Arc<Self>, job: Job) {
        if self.queue().usually.is_none() {
            return;
        }
        if job.tell.how == How::BeforeTheAnswer {
            return self.post(&job, &mut BTreeMap::new());
        }
        let mut queue = self.queue();
        queue.number += 1;
        let due = Due { at: Instant::now() + job.tell.after, number: queue.number, job };
        let earliest = queue.due.peek().is_none_or(|first| due > *first);
        queue.due.push(due);
        self.see_to(&mut queue);
        if earliest {
            self.sooner.notify_one();
        }
    }

    /// One is idle whenever something is due, as far as there may be more of them.
    fn see_to(self: &Arc<Self>, queue: &mut Queue) {
        if queue.idle == 0 && queue.posters < POSTERS && !queue.due.is_empty() {
            queue.posters += 1;
            // It is idle from now on.
            queue.idle += 1;
            let poster = Arc::clone(self);
            thread::spawn(move || poster.post_all());
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn post_all(self: &Arc<Self>) {
        let mut clients = BTreeMap::new();
        loop {
            let job = self.next();
            self.post(&job, &mut clients);
            self.queue().idle += 1;
        }
    }

    /// Waits for what is due next.
    fn next(self: &Arc<Self>) -> Job {
        let mut queue = self.queue();
        loop {
            if queue.is_watched {
                let waited = self.unwatched.wait(queue);
                queue = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let wait = match queue.due.peek() {
                Some(due) => due.at.saturating_duration_since(Instant::now()),
                None => Duration::from_secs(3_600),
            };
            if wait.is_zero()
                && let Some(due) = queue.due.pop()
            {
                queue.idle -= 1;
                self.see_to(&mut queue);
                self.unwatched.notify_one();
                return due.job;
            }
            queue.is_watched = true;
            let waited = self.sooner.wait_timeout(queue, wait);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
            queue.is_watched = false;
        }
    }

    fn post(&self, job: &Job, clients: &mut BTreeMap<SocketAddr, Client>) {
        let Job { of, message, tell } = job;
        let at_ms = now_ms() - if tell.how == How::Stale { STALE_MS } else { 0 };
        let is_known = tell.how != How::OfNobody;
        let events: Vec<Event<'_>> = tell
            .says
            .iter()
            .map(|says| Event {
                id: if is_known { &message.id } else { "nobody-knows-it" },
                reference: message.reference.as_deref().filter(|_| is_known),
                number: &message.to,
                says: *says,
                at_ms,
            })
            .collect();
        let bare = message.callback.as_deref().map(|url| url.split('?').next().unwrap_or(url));
        let url = match (message.callback.as_deref(), bare) {
            (Some(url), _) if is_known => url.to_owned(),
            (Some(_), Some(bare)) => bare.to_owned(),
            _ => of.is.address(&self.webhooks(), &events[0]),
        };
        if is_known {
            of.told(&message.id, tell);
        }
        let events: Vec<_> =
            events.chunks(if of.is.batches() { events.len() } else { 1 }).collect();
        for told in events {
            let hook = of.is.hook_to(&url, told, tell.how == How::Forged);
            for _ in 0..1 + u8::from(tell.how == How::Twice) {
                let status = posted(&url, &hook, clients).unwrap_or(0);
                *self.queue().statuses.entry(status).or_default() += 1;
            }
        }
    }
}

/// Posts by the connection to its host; a kept one may have ended meanwhile.
fn posted(url: &str, hook: &Hook, clients: &mut BTreeMap<SocketAddr, Client>) -> Option<u16> {
    let (at, _) = place(url)?;
    if let Some(mut client) = clients.remove(&at)
        && let Ok(status) = client.post(&hook.path, &hook.headers, &hook.body)
    {
        clients.insert(at, client);
        return Some(status);
    }
    let mut client = Client::connect(at).ok()?;
    let status = client.post(&hook.path, &hook.headers, &hook.body).ok()?;
    clients.insert(at, client);
    Some(status)
}

impl Due {
    fn order(&self) -> (Instant, u64) {
        (self.at, self.number)
    }
}

/// The earliest is the greatest.
impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        other.order().cmp(&self.order())
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Due {}
