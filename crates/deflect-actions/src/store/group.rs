//! Writes to an SQLite file: one at a time in the order in which they were asked for, and those
//! that wait share one commit.
//!
//! Left to themselves, connections that find the file locked sleep and try again, each with a
//! `fsync` of its own.

use std::sync::Arc;

use sqlx::{Any, AnyConnection, AnyPool, pool::PoolConnection};
use tokio::sync::{Mutex, watch};

use super::StoreError;

/// What came of a commit.
type Told = Option<Result<(), Arc<sqlx::Error>>>;

/// The one that writes. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Group(Arc<Mutex<Option<Open>>>);

/// A transaction that more may join.
#[derive(Debug)]
struct Open {
    conn: PoolConnection<Any>,
    tell: Arc<watch::Sender<Told>>,
    /// Somebody's savepoint is set: he ended without releasing it.
    within: bool,
}

/// What was written and is not committed yet.
#[must_use]
#[derive(Debug)]
pub(super) struct Pending(watch::Receiver<Told>);

impl Pending {
    /// Waits until it is.
    pub async fn committed(mut self) -> Result<(), StoreError> {
        match self.0.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Err(error))) => Err(StoreError::Commit(Arc::clone(error))),
            Ok(_) => Ok(()),
            Err(_) => Err(sqlx::Error::PoolClosed.into()),
        }
    }
}

/// Whether one's statements are taken back together when one of them fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// There is but one.
    Statement,
    Transaction,
    /// They set and release the savepoint themselves.
    Together,
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

    /// Runs `work` with the writing connection.
    pub async fn enter<T>(
        &self,
        pool: &AnyPool,
        unit: Unit,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<(T, Pending), StoreError> {
        let mut slot = self.0.lock().await;
        let open = match slot.take() {
            Some(open) => slot.insert(open),
            None => slot.insert(self.begin(pool).await?),
        };
        let pending = Pending(open.tell.subscribe());
        match open.join(unit, work).await {
            Ok(done) => Ok((done?, pending)),
            // The transaction itself is in doubt: nobody's work in it is committed.
            Err(Broken(error)) => {
                let error = Arc::new(error);
                if let Some(open) = slot.take() {
                    open.give_up(Arc::clone(&error));
                }
                Err(StoreError::Commit(error))
            }
        }
    }

    async fn begin(&self, pool: &AnyPool) -> Result<Open, StoreError> {
        let mut conn = pool.acquire().await?;
        // Its lock is taken at once: taken later, it would be refused as busy whatever the
        // time-out.
        if let Err(error) = sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await {
            return Err(error.into());
        }
        let tell = Arc::new(watch::Sender::default());
        // It queues for the lock behind all who wait for it already: they are in.
        tokio::spawn(self.clone().commit(Arc::clone(&tell)));
        Ok(Open { conn, tell, within: false })
    }

    async fn commit(self, tell: Arc<watch::Sender<Told>>) {
        let mut slot = self.0.lock().await;
        // Broken meanwhile, and the next may be under way.
        let Some(mut open) = slot.take_if(|open| Arc::ptr_eq(&open.tell, &tell)) else { return };
        let committed = async {
            open.leave_alone().await?;
            sqlx::query("COMMIT").execute(&mut *open.conn).await
        };
        match committed.await {
            Ok(_) => drop(open.tell.send_replace(Some(Ok(())))),
            Err(error) => open.give_up(Arc::new(error)),
        }
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
        self.within = unit != Unit::Statement;
        if unit == Unit::Transaction {
            sqlx::query("SAVEPOINT one").execute(&mut *self.conn).await?;
        }
        let done = work(&mut self.conn).await;
        match (&done, unit) {
            (Ok(_), Unit::Transaction) => {
                sqlx::query("RELEASE one").execute(&mut *self.conn).await?;
                self.within = false;
            }
            (Ok(_), Unit::Together | Unit::Statement) => self.within = false,
            // An error of the disk ends the whole transaction, and what follows would be
            // committed by itself: a savepoint tells.
            (Err(_), Unit::Transaction | Unit::Together) => self.leave_alone().await?,
            (Err(_), Unit::Statement) => self.must_be_open().await?,
        }
        Ok(done)
    }

    /// Takes back what somebody left half done.
    async fn leave_alone(&mut self) -> Result<(), sqlx::Error> {
        if self.within {
            sqlx::query("ROLLBACK TO one").execute(&mut *self.conn).await?;
            sqlx::query("RELEASE one").execute(&mut *self.conn).await?;
            self.within = false;
        }
        Ok(())
    }

    /// SQLite begins no transaction within one.
    async fn must_be_open(&mut self) -> Result<(), sqlx::Error> {
        match sqlx::query("BEGIN").execute(&mut *self.conn).await {
            Ok(_) => Err(sqlx::Error::Protocol("the database gave up a transaction".into())),
            Err(_) => Ok(()),
        }
    }

    /// Closing the connection takes all of it back.
    fn give_up(mut self, why: Arc<sqlx::Error>) {
        self.conn.close_on_drop();
        self.tell.send_replace(Some(Err(why)));
    }
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
