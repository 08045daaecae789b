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
mod tests {
    use std::time::Duration;

    use sqlx::any::AnyPoolOptions;
    use tokio::task::JoinSet;

    use super::*;

    /// A table of numbers, each once, in a file of its own.
    async fn numbers() -> (tempfile::TempDir, AnyPool) {
        sqlx::any::install_default_drivers();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}?mode=rwc", folder.path().join("db").display());
        let pool = AnyPoolOptions::new().max_connections(4).connect(&url).await.unwrap();
        for sql in ["PRAGMA journal_mode = WAL", "CREATE TABLE n (n BIGINT PRIMARY KEY)"] {
            sqlx::query(sql).execute(&pool).await.unwrap();
        }
        (folder, pool)
    }

    async fn insert(conn: &mut AnyConnection, n: i64) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO n (n) VALUES ($1)").bind(n).execute(conn).await?;
        Ok(())
    }

    async fn all(pool: &AnyPool) -> Vec<i64> {
        sqlx::query_scalar("SELECT n FROM n ORDER BY n").fetch_all(pool).await.unwrap()
    }

    #[tokio::test]
    async fn who_fails_takes_back_his_own_only() {
        let (_folder, pool) = numbers().await;
        let group = Group::default();
        let mut writers = JoinSet::new();
        for n in 0..200 {
            let (group, pool) = (group.clone(), pool.clone());
            writers.spawn(async move {
                let unit = if n % 2 == 0 { Unit::Transaction } else { Unit::Statement };
                let done = group.write(&pool, unit, async |conn| {
                    if n % 10 == 4 {
                        insert(conn, 1_000 + n).await?;
                        insert(conn, 1_000 + n).await?;
                    }
                    insert(conn, n).await?;
                    if n % 10 == 5 { insert(conn, n).await } else { Ok(()) }
                });
                let done = done.await;
                // Told that it is done, others see it.
                let seen = all(&pool).await.contains(&n);
                assert_eq!(done.is_ok(), !matches!(n % 10, 4 | 5), "{n}: {done:?}");
                assert!(seen || done.is_err(), "{n} is told before it is committed");
            });
        }
        while let Some(done) = writers.join_next().await {
            done.unwrap();
        }
        // Statements are committed one by one: of two, the first stays.
        let expected: Vec<i64> = (0..200).filter(|n| n % 10 != 4).collect();
        assert_eq!(all(&pool).await, expected);
    }

    #[tokio::test]
    async fn who_goes_away_half_done_leaves_nothing_behind() {
        let (_folder, pool) = numbers().await;
        let group = Group::default();
        let gone = group.write(&pool, Unit::Transaction, async |conn| {
            insert(conn, 1).await?;
            std::future::pending::<()>().await;
            Ok(())
        });
        tokio::time::timeout(Duration::from_millis(100), gone).await.unwrap_err();
        group.write(&pool, Unit::Transaction, async |conn| insert(conn, 2).await).await.unwrap();
        assert_eq!(all(&pool).await, [2]);
    }

    /// Polls `work` for so many turns of 5 ms, then drops it.
    async fn gone_after(turns: u32, work: impl Future) {
        let mut work = std::pin::pin!(work);
        for _ in 0..turns {
            let turn = tokio::time::timeout(Duration::ZERO, &mut work).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            if turn.is_ok() {
                return;
            }
        }
    }

    #[tokio::test]
    async fn who_goes_away_at_whatever_moment_harms_nobody() {
        let (_folder, pool) = numbers().await;
        let group = Group::default();
        let mut expected = Vec::new();
        for (n, unit) in [Unit::Transaction, Unit::Together, Unit::Executed, Unit::Long]
            .into_iter()
            .cycle()
            .take(48)
            .enumerate()
        {
            let (n, turns) = (n as i64, n as u32 / 4);
            let one = async |conn: &mut AnyConnection| {
                let sql = match unit {
                    Unit::Together => "SAVEPOINT one; INSERT INTO n (n) VALUES ($1); RELEASE one",
                    _ => "INSERT INTO n (n) VALUES ($1)",
                };
                sqlx::query(sql).bind(1_000 + n).execute(conn).await?;
                Ok(())
            };
            let before = group.write(&pool, Unit::Statement, async |conn| insert(conn, n).await);
            let gone = gone_after(turns, group.write(&pool, unit, one));
            let after =
                group.write(&pool, Unit::Transaction, async |conn| insert(conn, 100 + n).await);
            let (before, (), after) = tokio::join!(before, gone, after);
            before.unwrap_or_else(|error| panic!("{n} {unit:?}: {error}"));
            after.unwrap_or_else(|error| panic!("{n} {unit:?}: {error}"));
            expected.extend([n, 100 + n]);
            group
                .write(&pool, Unit::Executed, async |conn| insert(conn, 200 + n).await)
                .await
                .unwrap();
            expected.push(200 + n);
        }
        expected.sort_unstable();
        let written = all(&pool).await;
        assert_eq!(written.iter().copied().filter(|n| *n < 1_000).collect::<Vec<_>>(), expected);
    }

    #[tokio::test]
    async fn who_goes_away_while_another_program_holds_the_file_leaves_no_transaction_open() {
        let (_folder, pool) = numbers().await;
        let group = Group::default();
        let mut other = pool.acquire().await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *other).await.unwrap();
        for unit in [Unit::Transaction, Unit::Together, Unit::Long, Unit::Statement] {
            let waits = group.write(&pool, unit, async |conn| insert(conn, 1).await);
            tokio::time::timeout(Duration::from_millis(50), waits).await.unwrap_err();
        }
        sqlx::query("ROLLBACK").execute(&mut *other).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        for n in 2..6 {
            group
                .write(&pool, Unit::Transaction, async |conn| insert(conn, n).await)
                .await
                .unwrap();
            sqlx::query("DELETE FROM n WHERE n < 0").execute(&pool).await.unwrap();
        }
        assert_eq!(
            all(&pool).await.into_iter().filter(|n| *n > 1).collect::<Vec<_>>(),
            [2, 3, 4, 5]
        );
    }

    #[tokio::test]
    async fn nobody_waits_for_the_commit_of_what_takes_long() {
        let (_folder, pool) = numbers().await;
        let group = Group::default();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let first = group.write(&pool, Unit::Transaction, async |conn| insert(conn, 1).await);
        let long = group.write(&pool, Unit::Long, async |conn| {
            ended.await.unwrap();
            insert(conn, 2).await
        });
        // It is told before what takes long has ended.
        let first = async {
            first.await.unwrap();
            end.send(()).unwrap();
        };
        let ((), long) = tokio::join!(first, long);
        long.unwrap();
        assert_eq!(all(&pool).await, [1, 2]);
    }

    #[tokio::test]
    async fn who_has_no_turn_is_told_that_nothing_was_begun() {
        let (_folder, pool) = numbers().await;
        let group = Group::default();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let long = group.write(&pool, Unit::Long, async |_| {
            ended.await.unwrap();
            Ok(())
        });
        let waits = async {
            let none = group.write(&pool, Unit::Statement, async |conn| insert(conn, 1).await);
            let none = none.await;
            assert!(matches!(none, Err(StoreError::Busy)), "{none:?}");
            end.send(()).unwrap();
        };
        let (long, ()) = tokio::join!(long, waits);
        long.unwrap();
        assert_eq!(all(&pool).await, [] as [i64; 0]);
    }

    #[tokio::test]
    async fn a_transaction_that_the_database_gives_up_is_told_to_all_in_it() {
        let (_folder, pool) = numbers().await;
        let group = Group::default();
        for unit in [Unit::Transaction, Unit::Statement] {
            let first = group.write(&pool, unit, async |conn| insert(conn, 1).await);
            let second = group.write(&pool, unit, async |conn| {
                // As an error of the disk does.
                sqlx::query("ROLLBACK").execute(&mut *conn).await?;
                Err::<(), _>(sqlx::Error::RowNotFound.into())
            });
            let (first, second) = tokio::join!(first, second);
            assert!(matches!(first, Err(StoreError::Commit(_))), "{unit:?}: {first:?}");
            assert!(matches!(second, Err(StoreError::Commit(_))), "{unit:?}: {second:?}");
            assert_eq!(all(&pool).await, [] as [i64; 0]);
        }
        group.write(&pool, Unit::Statement, async |conn| insert(conn, 3).await).await.unwrap();
        assert_eq!(all(&pool).await, [3]);
    }
}
