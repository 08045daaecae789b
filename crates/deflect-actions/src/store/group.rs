//! Writes to an SQLite file: one at a time in the order in which they were asked for, and those
//! that wait share one commit.
//!
//! Left to themselves, connections that find the file locked sleep and try again, each with a
//! `fsync` of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sqlx::{AnyConnection, AnyPool, Connection as _};
use tokio::sync::{Mutex, watch};

use super::StoreError;

/// Who had no turn within this time has none. With the wait for other programs it ends before who
/// commits a text gives up, so that he knows that nothing was begun.
const TURN: Duration = Duration::from_secs(2);
/// Other programs have the file for as long at most.
const PATIENCE: &str = "PRAGMA busy_timeout = 1500";

/// What came of a commit.
type Told = Option<Result<(), Arc<sqlx::Error>>>;

/// The one that writes. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Group(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    slot: Mutex<Slot>,
    /// How many wait for their turn.
    waiting: AtomicUsize,
}

/// The writing connection: it rests, or a transaction is open on it. Whoever takes it out and goes
/// away half done has it closed, and with it all that he began taken back.
#[derive(Debug, Default)]
struct Slot {
    resting: Option<AnyConnection>,
    open: Option<Open>,
}

/// A transaction that more may join.
#[derive(Debug)]
struct Open {
    conn: AnyConnection,
    tell: Arc<watch::Sender<Told>>,
    /// Somebody's savepoint is set, as far as is known.
    within: bool,
}

/// What was written and may not be committed yet.
#[must_use]
#[derive(Debug)]
pub(super) struct Pending(Option<watch::Receiver<Told>>);

impl Pending {
    /// Waits until it is.
    pub async fn committed(self) -> Result<(), StoreError> {
        let Some(mut told) = self.0 else { return Ok(()) };
        match told.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Err(error))) => Err(StoreError::Commit(Arc::clone(error))),
            Ok(_) => Ok(()),
            Err(_) => Err(sqlx::Error::PoolClosed.into()),
        }
    }
}

/// What is committed or taken back as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Each statement, or there is but one.
    Statement,
    /// Each statement, and each is run to its end: `execute`, not `fetch_optional`.
    Executed,
    Transaction,
    /// They set and release the savepoint themselves, and are run to their end.
    Together,
    /// It takes long: nobody else's commit waits for it.
    Long,
}

/// Counts who waits.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn of(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Group {
    /// Runs `work` with the writing connection and waits until what it wrote is committed.
    pub async fn write<T>(
        &self,
        pool: &AnyPool,
        unit: Unit,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (done, pending) = self.enter(pool, unit, work).await?;
        pending.committed().await?;
        Ok(done)
    }

    /// Runs `work` with the writing connection. [`StoreError::Busy`]: it was not begun.
    pub async fn enter<T>(
        &self,
        pool: &AnyPool,
        unit: Unit,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<(T, Pending), StoreError> {
        let waits = Waits::of(&self.0.waiting);
        let turn = tokio::time::timeout(TURN, self.0.slot.lock());
        let mut slot = turn.await.map_err(|_| StoreError::Busy)?;
        drop(waits);
        if unit == Unit::Long {
            if let Some(open) = slot.open.take() {
                // Those in it are told, even if this one goes away.
                slot.resting = tokio::spawn(open.commit()).await.ok().flatten();
            }
            return Ok((slot.long(pool, work).await?, Pending(None)));
        }
        // Nobody to share a commit with.
        let alone = slot.open.is_none() && self.0.waiting.load(Ordering::Relaxed) == 0;
        if alone && matches!(unit, Unit::Executed | Unit::Together) {
            return Ok((slot.alone(pool, unit, work).await?, Pending(None)));
        }
        let open = match slot.open.take() {
            Some(open) => slot.open.insert(open),
            None => {
                let conn = slot.begin(pool).await?;
                let tell = Arc::new(watch::Sender::default());
                // It queues for its turn behind all who wait for theirs already: they are in.
                tokio::spawn(self.clone().commit(Arc::clone(&tell)));
                slot.open.insert(Open { conn, tell, within: false })
            }
        };
        let pending = Pending(Some(open.tell.subscribe()));
        match open.join(unit, work).await {
            Ok(done) => Ok((done?, pending)),
            // The transaction itself is in doubt: nobody's work in it is committed.
            Err(Broken(error)) => {
                let error = Arc::new(error);
                if let Some(open) = slot.open.take() {
                    open.tell.send_replace(Some(Err(Arc::clone(&error))));
                }
                Err(StoreError::Commit(error))
            }
        }
    }

    /// Closes the connection, where nobody has it.
    pub async fn rest(&self) {
        let resting = self.0.slot.try_lock().ok().and_then(|mut slot| slot.resting.take());
        if let Some(conn) = resting
            && let Err(error) = conn.close().await
        {
            tracing::debug!(%error, "store: the writing connection did not close in order");
        }
    }

    async fn commit(self, tell: Arc<watch::Sender<Told>>) {
        let mut slot = self.0.slot.lock().await;
        // Over already, and the next may be under way.
        let ours = slot.open.take_if(|open| Arc::ptr_eq(&open.tell, &tell));
        if let Some(open) = ours {
            slot.resting = open.commit().await;
        }
    }
}

impl Slot {
    async fn conn(&mut self, pool: &AnyPool) -> Result<AnyConnection, StoreError> {
        match self.resting.take() {
            Some(conn) => Ok(conn),
            None => {
                let mut conn = pool.acquire().await?.detach();
                sqlx::query(PATIENCE).execute(&mut conn).await?;
                Ok(conn)
            }
        }
    }

    /// Its lock is taken at once: taken later, it would be refused as busy whatever the time-out.
    async fn begin(&mut self, pool: &AnyPool) -> Result<AnyConnection, StoreError> {
        let mut conn = self.conn(pool).await?;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut conn).await?;
        Ok(conn)
    }

    async fn long<T>(
        &mut self,
        pool: &AnyPool,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut conn = self.begin(pool).await?;
        let done = work(&mut conn).await?;
        sqlx::query("COMMIT").execute(&mut conn).await?;
        self.resting = Some(conn);
        Ok(done)
    }

    /// What is one statement to the database needs no transaction around it.
    async fn alone<T>(
        &mut self,
        pool: &AnyPool,
        unit: Unit,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut conn = self.conn(pool).await?;
        let done = work(&mut conn).await;
        let clean = match (&done, unit) {
            (Err(_), Unit::Together) => sqlx::query("ROLLBACK").execute(&mut conn).await.is_ok(),
            _ => true,
        };
        if clean {
            self.resting = Some(conn);
        }
        done
    }
}

/// The transaction is in doubt.
struct Broken(sqlx::Error);

impl From<sqlx::Error> for Broken {
    fn from(error: sqlx::Error) -> Self {
        Self(error)
    }
}

impl Open {
    async fn join<T>(
        &mut self,
        unit: Unit,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<Result<T, StoreError>, Broken> {
        self.leave_alone().await?;
        self.within = matches!(unit, Unit::Transaction | Unit::Together);
        if unit == Unit::Transaction {
            sqlx::query("SAVEPOINT one").execute(&mut self.conn).await?;
        }
        let done = work(&mut self.conn).await;
        match (&done, self.within) {
            (Ok(_), true) => {
                if unit == Unit::Transaction {
                    sqlx::query("RELEASE one").execute(&mut self.conn).await?;
                }
                self.within = false;
            }
            (Ok(_), false) => {}
            // An error of the disk ends the whole transaction, and what follows would be
            // committed by itself: a savepoint tells.
            (Err(_), true) => self.take_back().await?,
            (Err(_), false) => self.must_be_open().await?,
        }
        Ok(done)
    }

    /// Takes back what somebody left half done. He may have gone away before his savepoint was
    /// set, or after it was released.
    async fn leave_alone(&mut self) -> Result<(), Broken> {
        if !self.within {
            return Ok(());
        }
        match self.take_back().await {
            Err(Broken(error)) if is_no_savepoint(&error) => {
                self.within = false;
                self.must_be_open().await
            }
            done => done,
        }
    }

    async fn take_back(&mut self) -> Result<(), Broken> {
        sqlx::query("ROLLBACK TO one").execute(&mut self.conn).await?;
        sqlx::query("RELEASE one").execute(&mut self.conn).await?;
        self.within = false;
        Ok(())
    }

    /// SQLite begins no transaction within one.
    async fn must_be_open(&mut self) -> Result<(), Broken> {
        match sqlx::query("BEGIN").execute(&mut self.conn).await {
            Ok(_) => {
                Err(Broken(sqlx::Error::Protocol("the database gave up a transaction".into())))
            }
            Err(_) => Ok(()),
        }
    }

    /// Commits, tells all in it, and gives the connection back where it is good for more. One that
    /// is not is closed, which takes back what was not committed.
    async fn commit(mut self) -> Option<AnyConnection> {
        let committed = async {
            self.leave_alone().await?;
            sqlx::query("COMMIT").execute(&mut self.conn).await?;
            Ok::<_, Broken>(())
        };
        match committed.await {
            Ok(()) => {
                self.tell.send_replace(Some(Ok(())));
                Some(self.conn)
            }
            Err(Broken(error)) => {
                self.tell.send_replace(Some(Err(Arc::new(error))));
                None
            }
        }
    }
}

fn is_no_savepoint(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.message().contains("no such savepoint"))
}

#[cfg(test)]
mod tests;
