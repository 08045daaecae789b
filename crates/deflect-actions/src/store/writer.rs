//! The one task that writes what calls leave behind, many rows a commit.
//!
//! The call path hands rows over and never waits; when the database is down they are kept up to
//! a bound and written when it is back, what is beyond is counted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::AnyConnection;
use tokio::sync::{mpsc, oneshot};

use super::{Event, Row, Store, StoreError, group::Unit, write};

/// Rows waiting at most.
const QUEUE: usize = 16_384;
/// Of them kept for the rows that matter most.
const SPARED: usize = QUEUE / 4;
/// Rows of one commit.
const BATCH: usize = 512;
/// After the first row of a batch others are waited for this long …
const LINGER: Duration = Duration::from_millis(50);
/// … and this long where each statement is a way over the network.
const LINGER_FAR: Duration = Duration::from_millis(200);
/// A commit that takes longer is given up and tried again: a dead host lets it hang.
const COMMIT: Duration = Duration::from_secs(30);
/// Between two tries of a batch.
const RETRY: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(5),
];

/// Takes rows. Clones share the queue.
#[derive(Debug, Clone)]
pub struct Writer {
    rows: mpsc::Sender<Job>,
    figures: Arc<Figures>,
}

/// A way to a writer that does not keep it.
#[derive(Debug)]
pub(super) struct Spool {
    rows: mpsc::WeakSender<Job>,
    figures: Arc<Figures>,
}

#[derive(Debug)]
enum Job {
    Row(Box<Row>),
    Flush(oneshot::Sender<()>),
}

#[derive(Debug, Default)]
struct Figures {
    written: AtomicU64,
    lost: AtomicU64,
    refused: AtomicU64,
    retries: AtomicU64,
}

/// What a writer did since it started, and what waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriterFigures {
    /// Rows committed.
    pub written: u64,
    /// Rows that found the queue full.
    pub lost: u64,
    /// Rows the database will never take.
    pub refused: u64,
    /// Commits that failed and were tried again.
    pub retries: u64,
    /// Rows waiting.
    pub waiting: usize,
}

/// The queue is full: the row is lost, and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store's queue is full")]
pub struct QueueFull;

impl Writer {
    /// Starts the writing task. It ends when all clones are dropped and what waited is written.
    #[must_use]
    pub fn start(store: Store) -> Self {
        let (rows, jobs) = mpsc::channel(QUEUE);
        let figures = Arc::new(Figures::default());
        let writer = Self { rows, figures };
        store.spool_to(&writer);
        tokio::spawn(run(store, jobs, Arc::clone(&writer.figures)));
        writer
    }

    /// The same, which does not keep its task alive.
    pub(super) fn spool(&self) -> Spool {
        Spool { rows: self.rows.downgrade(), figures: Arc::clone(&self.figures) }
    }

    /// Hands a row over; never waits.
    ///
    /// # Errors
    /// When the queue is full.
    pub fn try_write(&self, row: Row) -> Result<(), QueueFull> {
        // When room runs out, all else makes room for that a call was and how it ended, for what was
        // agreed to and for what others are told: what belongs to a call that is not there is
        // refused by the database.
        let matters = matches!(
            row,
            Row::CallStarted(_)
                | Row::CallEnded(_)
                | Row::Outcome(_)
                | Row::FollowUp(_)
                | Row::LimitHit(_)
                | Row::OfferAnswered(_)
                | Row::Consent(_)
                | Row::Event(_)
        );
        if !matters && self.rows.capacity() < SPARED {
            return self.lose();
        }
        self.rows.try_send(Job::Row(Box::new(row))).or_else(|_| self.lose())
    }

    fn lose(&self) -> Result<(), QueueFull> {
        self.figures.lost.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("carom_store_rows_lost_total").increment(1);
        Err(QueueFull)
    }

    /// Waits until what was handed over before is committed, at most `limit`; says whether it
    /// is.
    pub async fn flush(&self, limit: Duration) -> bool {
        let flush = async {
            let (done, is_done) = oneshot::channel();
            self.rows.send(Job::Flush(done)).await.is_ok() && is_done.await.is_ok()
        };
        tokio::time::timeout(limit, flush).await.unwrap_or(false)
    }

    /// What it did so far.
    #[must_use]
    pub fn figures(&self) -> WriterFigures {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WriterFigures {
            written: of(&self.figures.written),
            lost: of(&self.figures.lost),
            refused: of(&self.figures.refused),
            retries: of(&self.figures.retries),
            waiting: self.rows.max_capacity() - self.rows.capacity(),
        }
    }
}

impl Spool {
    /// The writer, as long as anybody else has it.
    pub fn writer(&self) -> Option<Writer> {
        Some(Writer { rows: self.rows.upgrade()?, figures: Arc::clone(&self.figures) })
    }
}

async fn run(store: Store, mut jobs: mpsc::Receiver<Job>, figures: Arc<Figures>) {
    let mut batch = Vec::with_capacity(BATCH);
    let lease = store.node().lease / 3;
    let linger = if store.has_one_writer() { LINGER } else { LINGER_FAR };
    // The first row of a start writes the lease.
    let mut renew = tokio::time::interval_at(tokio::time::Instant::now() + lease, lease);
    renew.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            taken = jobs.recv_many(&mut batch, BATCH) => {
                if taken == 0 {
                    return;
                }
                if taken < BATCH && !batch.iter().any(|job| matches!(job, Job::Flush(_))) {
                    tokio::time::sleep(linger).await;
                    while batch.len() < BATCH && let Ok(job) = jobs.try_recv() {
                        batch.push(job);
                    }
                }
                let (rows, flushes) = parted(&mut batch);
                commit(&store, rows, &figures).await;
                for flush in flushes {
                    let _ = flush.send(());
                }
            }
            _ = renew.tick() => renew_lease(&store).await,
        }
    }
}

fn parted(batch: &mut Vec<Job>) -> (Vec<Row>, Vec<oneshot::Sender<()>>) {
    let (mut rows, mut flushes) = (Vec::new(), Vec::new());
    for job in batch.drain(..) {
        match job {
            Job::Row(row) => rows.push(*row),
            Job::Flush(done) => flushes.push(done),
        }
    }
    (rows, flushes)
}

/// Commits the rows, however long that takes; meanwhile the queue fills and is bounded. A row that
/// the database refuses is found by halves and left out.
async fn commit(store: &Store, rows: Vec<Row>, figures: &Figures) {
    let mut parts = vec![rows.as_slice()];
    while let Some(part) = parts.pop() {
        if part.is_empty() {
            continue;
        }
        match write_until_answered(store, part, figures).await {
            Ok(()) => {
                figures.written.fetch_add(part.len() as u64, Ordering::Relaxed);
            }
            Err(error) if part.len() == 1 => {
                tracing::error!(%error, "store: row refused");
                metrics::counter!("carom_store_rows_refused_total").increment(1);
                figures.refused.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                tracing::warn!(%error, rows = part.len(), "store: a row is refused, looking for it");
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
        }
    }
}

/// Tries until the database has taken the rows or said that it never will.
async fn write_until_answered(
    store: &Store,
    rows: &[Row],
    figures: &Figures,
) -> Result<(), StoreError> {
    let mut waits = RETRY.iter();
    let mut wait = RETRY[0];
    loop {
        match write_in_time(store, rows).await {
            Err(error) if error.may_pass() => {
                figures.retries.fetch_add(1, Ordering::Relaxed);
                metrics::counter!("carom_store_retries_total").increment(1);
                tracing::warn!(%error, rows = rows.len(), "store: commit failed, trying again");
                wait = *waits.next().unwrap_or(&wait);
                tokio::time::sleep(wait).await;
                renew_lease(store).await;
            }
            answered => return answered,
        }
    }
}

/// Rows written twice are written once: whether a commit that timed out took place does not matter.
async fn write_in_time(store: &Store, rows: &[Row]) -> Result<(), StoreError> {
    let late = |_| Err(sqlx::Error::PoolTimedOut.into());
    tokio::time::timeout(COMMIT, write_all(store, rows)).await.unwrap_or_else(late)
}

async fn write_all(store: &Store, rows: &[Row]) -> Result<(), StoreError> {
    store.prepare().await?;
    let of = |row: &Row| match row {
        Row::CallEnded(end) => Some(end.call_id.clone()),
        _ => None,
    };
    let ended: Vec<String> = rows.iter().filter_map(of).collect();
    let told = |row: &Row| match row {
        Row::Event(event) => Some(event.clone()),
        _ => None,
    };
    let told: Vec<Event> = rows.iter().filter_map(told).collect();
    // Part by part, so that a caller's text waits for one of them at most.
    let [calls, offers, rest, ends] = write::parts(store.node(), rows);
    let mut pending = Vec::new();
    for part in [calls, offers, rest].into_iter().filter(|part| !part.is_empty()) {
        let unit = if part.is_single() { Unit::Statement } else { Unit::Transaction };
        pending.push(store.enter(unit, async |conn| part.write(conn).await).await?);
    }
    if !ends.is_empty() || !told.is_empty() {
        let last = async |conn: &mut AnyConnection| {
            ends.write(conn).await?;
            for event in &told {
                store.tell_with(conn, event).await?;
            }
            store.tell_ended(conn, &ended).await
        };
        pending.push(store.enter(Unit::Transaction, last).await?);
    }
    for part in pending.into_iter().flatten() {
        part.committed().await?;
    }
    Ok(())
}

async fn renew_lease(store: &Store) {
    let renewed = match store.prepare().await {
        Ok(()) => store.renew_lease().await,
        Err(error) => Err(error),
    };
    if let Err(error) = renewed {
        tracing::warn!(%error, "store: lease not renewed");
    }
}
