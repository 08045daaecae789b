//! The engine's database, past the engine.

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _, Row as _};
use tokio::runtime::{Builder, Runtime};

use crate::{Place, eventually};

/// A database that an engine uses.
#[derive(Debug)]
pub struct Database {
    url: String,
    runtime: Runtime,
}

impl Database {
    /// The file of an engine whose configuration names none.
    #[must_use]
    pub fn of(place: &Place) -> Self {
        Self::at(format!("sqlite:{}", place.folder().join("var/carom.db").display()))
    }

    /// A new one of the PostgreSQL that `tests/with-postgres` started.
    ///
    /// # Panics
    /// The test is not run under it.
    #[must_use]
    pub fn postgres() -> Self {
        let base = std::env::var("CAROM_TEST_POSTGRES_URL")
            .expect("CAROM_TEST_POSTGRES_URL is not set: run the tests under tests/with-postgres");
        // nextest runs each test in a process of its own.
        let name = format!("blackbox{}", std::process::id());
        let server = Self::at(base.clone());
        server.execute(&format!("DROP DATABASE IF EXISTS {name}"));
        server.execute(&format!("CREATE DATABASE {name}"));
        Self::at(format!("{}/{name}", base.rsplit_once('/').unwrap().0))
    }

    /// The one at `url`.
    #[must_use]
    pub fn at(url: String) -> Self {
        sqlx::any::install_default_drivers();
        Self { url, runtime: Builder::new_current_thread().enable_all().build().unwrap() }
    }

    /// As `[store]` names it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The one number that `sql` yields. A node that has just started may still make its tables:
    /// they are waited for.
    #[must_use]
    pub fn number(&self, sql: &str) -> i64 {
        let ask = async || {
            let mut conn = self.connect().await;
            sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut conn).await
        };
        let row = eventually("the tables are made", || match self.runtime.block_on(ask()) {
            Err(sqlx::Error::Database(error)) if error.message().contains("no such table") => None,
            row => Some(row.unwrap()),
        });
        row.try_get(0).unwrap()
    }

    /// The texts of the first column of `sql`.
    #[must_use]
    pub fn texts(&self, sql: &str) -> Vec<String> {
        self.runtime.block_on(async {
            let mut conn = self.connect().await;
            let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut conn).await;
            rows.unwrap().iter().map(|row| row.try_get(0).unwrap()).collect()
        })
    }

    /// Takes the lock that a writer needs, from another process than the engine, until it is
    /// dropped.
    #[must_use]
    pub fn lock(&self) -> Locked<'_> {
        let conn = self.runtime.block_on(async {
            let mut conn = self.connect().await;
            // Whoever is writing is waited for.
            conn.execute("PRAGMA busy_timeout = 10000").await.unwrap();
            conn.execute("BEGIN EXCLUSIVE").await.unwrap();
            conn
        });
        Locked { database: self, conn: Some(conn) }
    }

    /// Does `sql` past the engine.
    pub fn execute(&self, sql: &str) {
        self.runtime.block_on(async {
            let mut conn = self.connect().await;
            conn.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
        });
    }

    async fn connect(&self) -> AnyConnection {
        AnyConnection::connect(&self.url).await.unwrap()
    }
}

/// A database that nobody else can write to.
#[derive(Debug)]
pub struct Locked<'a> {
    database: &'a Database,
    conn: Option<AnyConnection>,
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if let Some(mut conn) = self.conn.take() {
            let _ = self.database.runtime.block_on(conn.execute("ROLLBACK"));
        }
    }
}
