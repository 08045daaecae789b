//! Work of one kind on PostgreSQL, done for all who ask for it while the database is busy with the
//! work of others before them: they share one statement, and one commit.
//!
//! Who comes alone waits for nobody; only where so many come that sharing counts, each statement
//! waits for more. It is what [`super::group`] is for a file.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    future::Future,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::AnyConnection;
use tokio::{
    sync::oneshot::{self, error::TryRecvError},
    time::{Instant, timeout},
};

use super::{Store, StoreError, db::STATEMENT_SECONDS};

/// Done by one statement at most.
const MOST: usize = 64;
/// Where at least [`BUSY`] came within this time, or within the one before …
const WINDOW: Duration = Duration::from_millis(200);
const BUSY: u32 = 20;
/// … a statement begins so long after the one before.
const REST: Duration = Duration::from_millis(40);
/// A statement that takes longer is not waited for by who comes after it …
const SLOW: Duration = Duration::from_millis(100);
/// … as long as there are fewer of them at once.
const AT_ONCE: usize = 3;
/// One that takes longer than the database lets any take has lost its host: nobody knows what came
/// of it.
const LOST: Duration = Duration::from_secs(STATEMENT_SECONDS + 2);
/// Work that has not begun by then is not begun.
const BEGUN: Duration = Duration::from_secs(2);

/// What can be done for many at once.
pub(super) trait Work: Send + Sync + Sized + 'static {
    /// What came of it.
    type Done: Send + 'static;

    /// Two that have this in common are not done by one statement; statements go through their
    /// work in its order, so that two of them seldom wait for each other.
    fn key(&self) -> Option<&str>;

    /// Does all of it by one statement, or nothing.
    fn do_all(
        conn: &mut AnyConnection,
        all: &[Self],
    ) -> impl Future<Output = Result<Vec<Self::Done>, StoreError>> + Send;
}

/// Where work of one kind waits. Clones share it.
pub(super) struct Lane<W: Work>(Arc<Mutex<Queue<W>>>);

struct Queue<W: Work> {
    waiting: VecDeque<Waiting<W>>,
    /// How many statements are under way, and when the last of them began.
    running: usize,
    began: Option<Instant>,
    rate: Rate,
    /// Of who came last.
    number: u64,
}

/// How many come.
#[derive(Debug)]
struct Rate {
    since: Instant,
    count: u32,
    /// In the time before.
    before: u32,
}

struct Waiting<W: Work> {
    work: W,
    told: oneshot::Sender<Result<W::Done, StoreError>>,
    number: u64,
}

impl<W: Work> Clone for Lane<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W: Work> Default for Lane<W> {
    fn default() -> Self {
        let rate = Rate { since: Instant::now(), count: 0, before: 0 };
        let queue = Queue { waiting: VecDeque::new(), running: 0, began: None, rate, number: 0 };
        Self(Arc::new(Mutex::new(queue)))
    }
}

impl<W: Work> fmt::Debug for Lane<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.lock();
        write!(f, "Lane({} wait, {} under way)", queue.waiting.len(), queue.running)
    }
}

impl<W: Work> Lane<W> {
    /// Waits until it is done, with the work of others. Who stops waiting before it was begun has
    /// it not done.
    ///
    /// # Errors
    /// [`StoreError::Busy`]: it was not begun.
    pub async fn run(&self, store: &Store, work: W) -> Result<W::Done, StoreError> {
        let none = |_| Err(sqlx::Error::PoolClosed.into());
        let (told, mut done) = oneshot::channel();
        let since = Instant::now();
        let (number, late) = self.lock().takes(work, told);
        if late {
            self.start(store);
        }
        loop {
            if let Ok(done) = timeout(SLOW, &mut done).await {
                return done.unwrap_or_else(none);
            }
            let mut queue = self.lock();
            // They stand in the order in which they came.
            let waits = queue.waiting.binary_search_by_key(&number, |one| one.number).is_ok();
            if waits && since.elapsed() > BEGUN {
                // Closed before anybody can begin it.
                done.close();
                return match done.try_recv() {
                    Ok(done) => done,
                    Err(TryRecvError::Empty | TryRecvError::Closed) => Err(StoreError::Busy),
                };
            }
            if queue.is_late() {
                drop(queue);
                self.start(store);
            }
        }
    }

    fn start(&self, store: &Store) {
        let running = Running { lane: self.clone(), is_over: false };
        tokio::spawn(running.run(store.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, Queue<W>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Work> Queue<W> {
    /// The number of work, and whether one more is to see to what waits.
    fn takes(
        &mut self,
        work: W,
        told: oneshot::Sender<Result<W::Done, StoreError>>,
    ) -> (u64, bool) {
        self.rate.one_more(Instant::now());
        self.number += 1;
        self.waiting.push_back(Waiting { work, told, number: self.number });
        (self.number, self.is_late())
    }

    /// Whether one more is to see to what waits; then it counts as running.
    fn is_late(&mut self) -> bool {
        let slow = || self.began.is_some_and(|began| began.elapsed() > SLOW);
        let more = self.running == 0 || (self.running < AT_ONCE && slow());
        let late = more && !self.waiting.is_empty();
        self.running += usize::from(late);
        late
    }

    /// How long the next statement waits for more.
    fn rest(&self, now: Instant) -> Duration {
        match self.began {
            Some(began) if self.rate.is_busy() => REST.saturating_sub(now - began),
            _ => Duration::ZERO,
        }
    }

    /// What the next statement does, in the order of its keys.
    fn next(&mut self) -> Vec<Waiting<W>> {
        let mut keys = HashSet::new();
        let (mut batch, mut later) = (Vec::new(), VecDeque::new());
        while let Some(waiting) = self.waiting.pop_front() {
            if waiting.told.is_closed() {
                continue;
            }
            let key = waiting.work.key();
            if key.is_none_or(|key| keys.insert(key.to_owned())) {
                batch.push(waiting);
            } else {
                later.push_back(waiting);
            }
            if batch.len() == MOST {
                break;
            }
        }
        later.append(&mut self.waiting);
        self.waiting = later;
        batch.sort_unstable_by(|one, other| one.work.key().cmp(&other.work.key()));
        if !batch.is_empty() {
            self.began = Some(Instant::now());
        }
        batch
    }
}

impl Rate {
    fn one_more(&mut self, now: Instant) {
        let over = now - self.since;
        if over >= WINDOW {
            self.before = if over < 2 * WINDOW { self.count } else { 0 };
            (self.since, self.count) = (now, 0);
        }
        self.count += 1;
    }

    fn is_busy(&self) -> bool {
        self.count.max(self.before) >= BUSY
    }
}

/// One that sees to what waits until nothing does.
struct Running<W: Work> {
    lane: Lane<W>,
    is_over: bool,
}

impl<W: Work> Drop for Running<W> {
    fn drop(&mut self) {
        if !self.is_over {
            self.lane.lock().running -= 1;
        }
    }
}

impl<W: Work> Running<W> {
    async fn run(mut self, store: Store) {
        loop {
            let rest = self.lane.lock().rest(Instant::now());
            if !rest.is_zero() {
                tokio::time::sleep(rest).await;
            }
            let batch = {
                let mut queue = self.lane.lock();
                let batch = queue.next();
                if batch.is_empty() {
                    // Nobody comes between the look and the end.
                    queue.running -= 1;
                    self.is_over = true;
                    return;
                }
                batch
            };
            do_batch(&store, batch).await;
        }
    }
}

async fn do_batch<W: Work>(store: &Store, batch: Vec<Waiting<W>>) {
    let (all, waiting): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|waiting| (waiting.work, waiting.told)).unzip();
    let mut done = run(store, &all).await;
    if done.as_ref().is_err_and(have_met) {
        done = run(store, &all).await;
    }
    match done {
        // Who waits no more is told nothing.
        Ok(done) => waiting.into_iter().zip(done).for_each(|(told, done)| {
            let _ = told.send(Ok(done));
        }),
        Err(error) if all.len() == 1 => {
            waiting.into_iter().zip([error]).for_each(|(told, error)| {
                let _ = told.send(Err(error));
            })
        }
        Err(error) if !is_of_one(&error) => {
            let error = Arc::new(error);
            for told in waiting {
                let _ = told.send(Err(StoreError::Shared(Arc::clone(&error))));
            }
        }
        Err(error) => {
            tracing::debug!(%error, work = all.len(), "store: one by one, for one is refused");
            one_by_one(store, all.into_iter().zip(waiting)).await;
        }
    }
}

async fn one_by_one<W: Work>(
    store: &Store,
    mut all: impl Iterator<Item = (W, oneshot::Sender<Result<W::Done, StoreError>>)>,
) {
    for (work, told) in all.by_ref() {
        if told.is_closed() {
            continue;
        }
        let done = run(store, std::slice::from_ref(&work)).await;
        let is_down = done.as_ref().is_err_and(|error| !is_of_one(error));
        let _ = told.send(done.and_then(|mut done| done.pop().ok_or_else(none)));
        if is_down {
            break;
        }
    }
    // It was not begun.
    for (_, told) in all {
        let _ = told.send(Err(StoreError::Busy));
    }
}

async fn run<W: Work>(store: &Store, all: &[W]) -> Result<Vec<W::Done>, StoreError> {
    let mut conn = store.conn().await?;
    match timeout(LOST, W::do_all(&mut conn, all)).await {
        Ok(done) => done,
        Err(_) => {
            // Closed: whoever got it next would wait for the same host.
            drop(conn.detach());
            Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into()).into())
        }
    }
}

/// Whether the database refused it for one of the batch, or for how two batches met: nothing was
/// done, and each by itself may be.
fn is_of_one(error: &StoreError) -> bool {
    matches!(error, StoreError::Database(sqlx::Error::Database(_)))
        && (!error.may_pass() || have_met(error))
}

/// Whether two batches were in each other's way.
fn have_met(error: &StoreError) -> bool {
    const MET: [&str; 3] = ["40P01", "40001", "21000"];
    match error {
        StoreError::Database(sqlx::Error::Database(refused)) => {
            refused.code().is_some_and(|code| MET.contains(&&*code))
        }
        _ => false,
    }
}

fn none() -> StoreError {
    sqlx::Error::RowNotFound.into()
}

#[cfg(test)]
mod tests;
