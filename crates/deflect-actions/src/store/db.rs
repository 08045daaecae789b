//! Where the two databases differ.

use std::{
    fmt::Write, fs::OpenOptions, io, os::unix::fs::OpenOptionsExt as _, path::Path, sync::Arc,
    time::Duration,
};

use sqlx::{AnyPool, Connection as _, Executor, any::AnyPoolOptions};

use super::ACQUIRE;

/// Connections of a node. Each of SQLite's has a thread, a cache and its own prepared statements;
/// the one that writes is not among them.
const CONNECTIONS: u32 = 8;
const CONNECTIONS_OF_A_FILE: u32 = 4;
/// One that nobody needed for so long is closed.
const IDLE: Duration = Duration::from_secs(30);

/// PostgreSQL gives a statement up that takes longer.
pub(super) const STATEMENT_SECONDS: u64 = 10;

/// One that rested for longer is asked whether it is still there.
const PROVEN: Duration = Duration::from_secs(1);

/// Classes and codes of SQLSTATE after which nobody knows what was committed.
const LOST: [&str; 3] = ["08", "58", "40003"];

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// Why the store cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address names no database.
    #[error("{0} is no database: write sqlite:PATH or postgres://…")]
    Url(String),
    /// A newer program wrote it.
    #[error(
        "the database is at version {found}, this program knows up to {known}: run the newer program, or restore an older copy"
    )]
    Newer {
        /// Version of the database.
        found: i64,
        /// Newest version of the program.
        known: i64,
    },
    /// A text cannot be encrypted.
    #[error("encryption: {0}")]
    Seal(#[from] io::Error),
    /// The database says no, or nothing.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// What was written is not committed, nor what others wrote with it.
    #[error("database: {0}")]
    Commit(Arc<sqlx::Error>),
    /// What was asked for together with others, by one statement.
    #[error("{0}")]
    Shared(Arc<Self>),
    /// Others write, and had not done when its turn was to come: nothing of it was begun.
    #[error("database: busy with what others write")]
    Busy,
    /// The opt-out list of a business was written with another key.
    #[error(
        "the opt-out list of `[business.{0}]` was written with another `opt_out_key` or `brand`: \
         restore it and start anew, or say that the key is lost: carom opt-outs accept-key"
    )]
    ListLost(String),
    /// It is decided on, and done by the next sweep or start.
    #[error("decided on, and in force as soon as the database takes it: {0}")]
    Unfinished(Box<StoreError>),
}

impl StoreError {
    /// Whether trying again may help: the database did not answer, or was busy.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Url(_) | Self::Newer { .. } | Self::Seal(_) | Self::ListLost(_) => false,
            Self::Database(sqlx::Error::Database(error)) => {
                !error.is_unique_violation()
                    && !error.is_foreign_key_violation()
                    && !error.is_check_violation()
                    && error.code().is_none_or(|code| !code.starts_with("22"))
            }
            Self::Database(sqlx::Error::Encode(_) | sqlx::Error::ColumnDecode { .. }) => false,
            Self::Shared(error) => error.may_pass(),
            Self::Database(_) | Self::Commit(_) | Self::Busy => true,
            Self::Unfinished(why) => why.may_pass(),
        }
    }
}

impl StoreError {
    /// Whether what was to be written is not written for certain: the database said no, or nothing
    /// was begun. Else its answer may be all that was lost.
    pub(crate) fn wrote_nothing(&self) -> bool {
        match self {
            Self::Url(_) | Self::Newer { .. } | Self::Seal(_) | Self::ListLost(_) => true,
            Self::Commit(_) | Self::Busy => true,
            // A pooler between us and the database says so of a server that it lost.
            Self::Database(sqlx::Error::Database(error)) => {
                error.code().is_none_or(|code| !LOST.iter().any(|class| code.starts_with(class)))
            }
            Self::Database(error) => {
                matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::Encode(_))
            }
            Self::Shared(error) => error.wrote_nothing(),
            Self::Unfinished(_) => false,
        }
    }
}

/// A pool that connects when first used.
pub(super) fn pool(url: &str) -> Result<(AnyPool, Dialect), StoreError> {
    sqlx::any::install_default_drivers();
    let (dialect, url) = match url.split_once(':') {
        Some(("sqlite", path)) => (Dialect::Sqlite, sqlite_url(path)?),
        Some(("postgres" | "postgresql", _)) => (Dialect::Postgres, url.to_owned()),
        _ => return Err(StoreError::Url(hide_password(url))),
    };
    let options = AnyPoolOptions::new()
        .max_connections(match dialect {
            Dialect::Sqlite => CONNECTIONS_OF_A_FILE,
            Dialect::Postgres => CONNECTIONS,
        })
        .acquire_timeout(ACQUIRE)
        .idle_timeout(IDLE)
        .test_before_acquire(false)
        .before_acquire(move |conn, used| {
            Box::pin(async move {
                // One that was in use a moment ago is there, as far as one can know.
                if dialect == Dialect::Postgres && used.idle_for > PROVEN {
                    conn.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |conn, _| {
            Box::pin(async move {
                let set_up = match dialect {
                    // What is erased is overwritten, in pages that are free after it, too: only what
                    // is deleted costs anything.
                    Dialect::Sqlite => "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                         PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; \
                         PRAGMA secure_delete = ON;"
                        .to_owned(),
                    // Statements are prepared while tables are small, and would read them whole
                    // for ever after.
                    Dialect::Postgres => {
                        format!(
                            "SET statement_timeout = '{STATEMENT_SECONDS}s'; \
                             SET enable_seqscan = off; SET jit = off; \
                             SET plan_cache_mode = force_generic_plan"
                        )
                    }
                };
                conn.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(set_up))).await.map(|_| ())
            })
        });
    Ok((options.connect_lazy(&url)?, dialect))
}

/// The file's folder is made; every octet a URL does not carry as such is escaped.
fn sqlite_url(path: &str) -> Result<String, StoreError> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains(":memory:") {
        return Err(StoreError::Url(format!("sqlite:{path}")));
    }
    if let Some(folder) = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    // Who called whom is nobody else's business. What keeps the file from being made is told when
    // it is opened, and again until it can be.
    let _ = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    Ok(encoded(path) + "?mode=rwc")
}

/// The address of a file.
pub(super) fn encoded(path: &str) -> String {
    let mut url = "sqlite:".to_owned();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}

fn hide_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://…@{place}"),
        _ => url.to_owned(),
    }
}
