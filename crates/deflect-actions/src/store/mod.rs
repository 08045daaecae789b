//! The store: calls, steps, offers, messages, opt-outs, in SQLite or PostgreSQL.
//!
//! What a call leaves behind goes through the [`Writer`], which the call path never waits for;
//! what must be committed before the world sees it is written at once by [`crate::text`].

mod audit;
mod bulk;
mod callback;
mod calls;
mod checks;
mod clocks;
mod contact;
mod db;
mod erase;
mod event;
mod flags;
mod follow_up;
mod group;
mod handle;
mod history;
mod hours;
mod lane;
mod lanes;
mod limit_hit;
mod limits;
mod link;
pub(crate) mod message;
mod messages;
mod migrate;
mod node;
mod opt_out;
mod protection;
mod queries;
mod rating;
mod reach;
mod receipt;
mod remote_offer;
mod reseal;
mod retention;
mod revision;
mod rows;
mod together;
mod told;
mod voicemail;
mod write;
mod writer;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{AnyConnection, AnyPool, Connection as _};

pub use callback::{CallbackBooked, CallbackDue, CallbackOrder, CallbackView, Room, Slot};
pub use calls::{CallRow, CallTimeLine};
pub use contact::{Became, Contact};
pub use db::StoreError;
pub use erase::Erased;
pub use event::{Event, Subscription};
pub use follow_up::FollowUpRow;
pub use history::History;
pub use hours::{HOURS_PREFIX, HoursChange, LONGEST_ONE_OFF, OneOff};
pub use link::{LinkSeen, StoredLink};
pub use messages::{MessageDetail, MessageView, ReceiptView};
pub use opt_out::{OptOutOrder, OptOutView, unknown_opt_out_keys};
pub use queries::{Cell, Report, UnknownQuery};
pub use rating::{Question, rating_rows};
pub use reach::Reach;
pub use remote_offer::{OfferAnswered, OfferClaim};
pub use reseal::Resealed;
pub use retention::{Retention, Swept};
pub use revision::{FlowServed, Revision};
pub use rows::{
    CallEnded, CallInput, CallProgress, CallStarted, ConsentRow, ContactRow, LimitHit, LocalTime,
    OfferRow, OutcomeRow, Row, StepRow,
};
pub use told::ExternalCount;
pub use voicemail::{VoicemailLeft, VoicemailView};
pub use writer::{QueueFull, Writer, WriterFigures};

pub(crate) use self::limits::first_id_of;
pub(crate) use event::Waiting;
pub(crate) use history::LINE_MS;
pub(crate) use limits::{Charge, SentText};
pub(crate) use message::LastText;
pub(crate) use protection::{LINE_TYPE, Protection};
pub(crate) use rating::RATING;

use self::{
    group::{Group, Pending, Unit},
    lanes::Lanes,
    together::Together,
};
use crate::{Clock, keys::Keys};

/// One text query waits no longer for a connection.
const ACQUIRE: Duration = Duration::from_secs(3);

/// Who writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// Name of the node; stays over restarts.
    pub node_id: String,
    /// Id of this start.
    pub node_boot: String,
    /// Version of the program.
    pub version: String,
    /// A node silent for longer has its open calls closed by another.
    pub lease: Duration,
}

/// The database. Clones share it.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: AnyPool,
    dialect: db::Dialect,
    sharing: Sharing,
    keys: Keys,
    node: NodeInfo,
    clock: Clock,
    /// Its tables are up to date, and the node is registered.
    ready: AtomicBool,
    /// Held by who sees to that.
    preparing: Arc<tokio::sync::Mutex<()>>,
    retention: std::sync::RwLock<Retention>,
    subscriptions: std::sync::RwLock<Arc<Vec<Subscription>>>,
    /// This start has kept a receipt of which nobody knew whose it is.
    strays: AtomicBool,
    /// The writer that was started last.
    spool: std::sync::RwLock<Option<writer::Spool>>,
    /// Businesses whose opt-out list was written with another key.
    lost_lists: std::sync::Mutex<BTreeSet<String>>,
}

/// How those who write at once share commits.
#[derive(Debug)]
enum Sharing {
    /// Of an SQLite file: one after the other.
    Turns(Group),
    /// Of PostgreSQL: by one statement for all.
    Lanes(Box<Lanes>),
}

impl Store {
    /// Opens the database, brings its tables up to date, registers the node and closes what its
    /// earlier starts left open.
    ///
    /// `url` is `sqlite:PATH` or `postgres://…`.
    ///
    /// # Errors
    /// [`StoreError::Newer`] and [`StoreError::Url`] are final; anything else may pass.
    pub async fn open(url: &str, keys: Keys, node: NodeInfo) -> Result<Self, StoreError> {
        let store = Self::connect(url, keys, node, Clock::default())?;
        store.prepare().await?;
        Ok(store)
    }

    /// Opens the database without waiting for it: calls are taken while it is down, and
    /// [`Self::prepare`] is tried again by the writer until it succeeds.
    ///
    /// # Errors
    /// A `url` that names no database.
    pub fn connect(
        url: &str,
        keys: Keys,
        node: NodeInfo,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        let (pool, dialect) = db::pool(url)?;
        let sharing = match dialect {
            db::Dialect::Sqlite => Sharing::Turns(Group::default()),
            db::Dialect::Postgres => Sharing::Lanes(Box::default()),
        };
        let (ready, preparing) = Default::default();
        let (retention, subscriptions, strays, spool, lost_lists) = Default::default();
        let inner = Inner {
            pool,
            dialect,
            sharing,
            keys,
            node,
            clock,
            ready,
            preparing,
            retention,
            subscriptions,
            strays,
            spool,
            lost_lists,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Brings the tables up to date, registers the node and closes what its earlier starts left
    /// open. Once is enough; later calls return at once. Dropping the future stops only the waiting:
    /// large tables may take longer than anybody waits.
    ///
    /// # Errors
    /// When the database is down, or newer than this program.
    pub async fn prepare(&self) -> Result<(), StoreError> {
        if self.is_ready() {
            return Ok(());
        }
        let turn = Arc::clone(&self.0.preparing).lock_owned().await;
        if self.is_ready() {
            return Ok(());
        }
        let store = self.clone();
        let preparing = tokio::spawn(async move {
            let prepared = store.prepare_now().await;
            store.0.ready.store(prepared.is_ok(), Ordering::Release);
            drop(turn);
            prepared
        });
        preparing.await.unwrap_or_else(|_| Err(sqlx::Error::WorkerCrashed.into()))
    }

    async fn prepare_now(&self) -> Result<(), StoreError> {
        let mut conn = self.conn().await?;
        migrate::run(&mut conn, self.0.dialect, self.now_ms()).await?;
        drop(conn);
        self.compare_clocks().await?;
        self.register().await?;
        self.finish_imports().await?;
        self.note_opt_out_keys().await
    }

    fn is_ready(&self) -> bool {
        self.0.ready.load(Ordering::Acquire)
    }

    /// Whether the database answers.
    pub async fn is_up(&self) -> bool {
        let ask = async {
            let mut conn = self.conn().await?;
            sqlx::query("SELECT 1").execute(&mut *conn).await?;
            Ok::<_, StoreError>(())
        };
        matches!(tokio::time::timeout(Duration::from_secs(1), ask).await, Ok(Ok(())))
            && self.is_ready()
    }

    /// The keys its rows are written with.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// The wall clock of its rows.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// This node.
    #[must_use]
    pub fn node(&self) -> &NodeInfo {
        &self.0.node
    }

    fn lost_lists(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.0.lost_lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writer of this store; `None`: there is none, or it has ended.
    fn writer(&self) -> Option<Writer> {
        let spool = self.0.spool.read().unwrap_or_else(PoisonError::into_inner);
        spool.as_ref().and_then(writer::Spool::writer)
    }

    /// What is written by the way goes there from now on.
    fn spool_to(&self, writer: &Writer) {
        let spool = Some(writer.spool());
        *self.0.spool.write().unwrap_or_else(PoisonError::into_inner) = spool;
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.0.clock.now_ms()
    }

    /// Closes the connections that nobody uses, and with them their page caches and prepared
    /// statements: for the quiet after a busy time. The next that is needed is opened again.
    pub async fn rest(&self) {
        if let Some(group) = self.group() {
            group.rest().await;
        }
        let pool = &self.0.pool;
        for _ in 0..pool.num_idle() {
            let Some(idle) = pool.try_acquire() else { return };
            if let Err(error) = idle.close().await {
                tracing::debug!(%error, "store: a connection did not close in order");
            }
        }
    }

    pub(crate) async fn conn(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Any>, StoreError> {
        Ok(self.0.pool.acquire().await?)
    }

    /// Runs `work` in one transaction that may write.
    ///
    /// `work` must not write by the store itself: of a file there is one writer at a time.
    pub(crate) async fn transaction<T>(
        &self,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.transaction_of(Unit::Transaction, work).await
    }

    /// As [`Self::transaction`], of so many rows that who waits for a text is not to wait for it.
    pub(crate) async fn long_transaction<T>(
        &self,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.transaction_of(Unit::Long, work).await
    }

    async fn transaction_of<T>(
        &self,
        unit: Unit,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(group) = self.group() {
            return group.write(&self.0.pool, unit, work).await;
        }
        let mut conn = self.conn().await?;
        let mut tx = conn.begin().await?;
        let done = work(&mut tx).await?;
        tx.commit().await?;
        Ok(done)
    }

    /// As [`Self::transaction`] or [`Self::write`], but the commit need not be waited for at once: others may have
    /// their turn before one's next.
    async fn enter(
        &self,
        unit: Unit,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<(), StoreError>,
    ) -> Result<Option<Pending>, StoreError> {
        match self.group() {
            None if unit == Unit::Statement => self.write(work).await.map(|()| None),
            None => self.transaction(work).await.map(|()| None),
            Some(group) => {
                let ((), pending) = group.enter(&self.0.pool, unit, work).await?;
                Ok(Some(pending))
            }
        }
    }

    /// Runs statements as one transaction; whether each changed a row.
    async fn write_together(&self, group: &Group, all: Together) -> Result<bool, StoreError> {
        let run = async |conn: &mut AnyConnection| all.run(conn).await;
        group.write(&self.0.pool, Unit::Together, run).await
    }

    /// Runs `work`, which writes by one statement, or by several that may be committed one by one.
    pub(crate) async fn write<T>(
        &self,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write_as(Unit::Statement, work).await
    }

    /// As [`Self::write`], where each statement is run to its end: `execute`, not
    /// `fetch_optional`.
    pub(crate) async fn execute<T>(
        &self,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write_as(Unit::Executed, work).await
    }

    async fn write_as<T>(
        &self,
        unit: Unit,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self.group() {
            None => work(&mut *self.conn().await?).await,
            Some(group) => group.write(&self.0.pool, unit, work).await,
        }
    }

    /// Whether all writes of the database go one after the other.
    fn has_one_writer(&self) -> bool {
        self.group().is_some()
    }

    fn group(&self) -> Option<&Group> {
        match &self.0.sharing {
            Sharing::Turns(group) => Some(group),
            Sharing::Lanes(_) => None,
        }
    }

    /// Claims of messages carry who claims.
    pub(crate) fn claimer(&self) -> String {
        format!("{}/{}", self.0.node.node_id, self.0.node.node_boot)
    }
}
