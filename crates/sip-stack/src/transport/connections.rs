//! The connections of a node, found again by their peers.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant},
};

use super::tls;
use crate::endpoint::{ConnectionId, Path};

/// The connection of each path, and those that were there before it.
#[derive(Debug, Clone)]
pub(super) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    open: Mutex<HashMap<Path, Connection>>,
    /// Those that were silent, and have their place again when they are heard. Locked after `open`.
    silent: Mutex<HashMap<ConnectionId, Silent>>,
    next: AtomicU64,
    /// Connections tell in microseconds since it when they were heard.
    epoch: Instant,
}

#[derive(Debug)]
struct Connection {
    id: ConnectionId,
    queue: mpsc::Sender<Bytes>,
    /// By us.
    opened: bool,
    /// Whom we meant, of one that we opened by TLS.
    name: Option<ServerName<'static>>,
    /// What it has shown, of such a one.
    certificate: Option<CertificateDer<'static>>,
    heard: Arc<Heard>,
}

#[derive(Debug)]
struct Silent {
    path: Path,
    connection: Connection,
    until: Instant,
}

/// When something has come by a connection.
#[derive(Debug, Default)]
struct Heard {
    at: AtomicU64,
    /// It is among the silent.
    is_silent: AtomicBool,
}

/// One connection's place among the others.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) path: Path,
    pub(super) id: ConnectionId,
    connections: Connections,
    heard: Arc<Heard>,
}

/// What became of a message.
pub(super) enum Sent {
    /// It waits to go out by this connection.
    Queued(ConnectionId),
    /// The connection takes no more, and has lost its place.
    Full(ConnectionId),
    /// There is no connection.
    Nowhere(Bytes),
}

impl Connections {
    pub(super) fn new() -> Self {
        let (open, silent) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Shared { open, silent, next: AtomicU64::new(1), epoch: Instant::now() }))
    }

    /// Gives a connection that a peer has opened its place.
    pub(super) fn seat(&self, path: Path, queue: mpsc::Sender<Bytes>) -> Seat {
        self.place(path, queue, false, None)
    }

    /// Gives a connection that we open its place; by TLS it is to be `name`'s.
    pub(super) fn seat_ours(
        &self,
        path: Path,
        queue: mpsc::Sender<Bytes>,
        name: Option<ServerName<'static>>,
    ) -> Seat {
        self.place(path, queue, true, name)
    }

    fn place(
        &self,
        path: Path,
        queue: mpsc::Sender<Bytes>,
        opened: bool,
        name: Option<ServerName<'static>>,
    ) -> Seat {
        let id = ConnectionId(self.0.next.fetch_add(1, Ordering::Relaxed));
        let heard = Arc::new(Heard::default());
        let ours = Arc::clone(&heard);
        let connection = Connection { id, queue, opened, name, certificate: None, heard };
        self.lock().insert(path, connection);
        Seat { path, id, connections: self.clone(), heard: ours }
    }

    pub(super) fn send(&self, path: &Path, bytes: Bytes) -> Sent {
        let mut open = self.lock();
        let Some(known) = open.get(path) else { return Sent::Nowhere(bytes) };
        let id = known.id;
        match known.queue.try_send(bytes) {
            Ok(()) => Sent::Queued(id),
            Err(mpsc::error::TrySendError::Full(_)) => {
                open.remove(path);
                Sent::Full(id)
            }
            // It is ending; what is left of it goes by itself.
            Err(mpsc::error::TrySendError::Closed(bytes)) => {
                open.remove(path);
                Sent::Nowhere(bytes)
            }
        }
    }

    /// Ends the connection of a path: its writer ends with the queue, the reader with the writer.
    pub(super) fn close(&self, path: &Path) {
        self.lock().remove(path);
        self.silent().retain(|_, silent| silent.path != *path);
    }

    /// Takes this connection out of its place if nothing has come by it since, but, with
    /// `heard_once`, has before. For so long it is still heard, for what was asked by it may be
    /// answered; heard again, it has its place again unless another has taken it. Returns whether it
    /// was one that we opened.
    pub(super) fn retire_silent(
        &self,
        path: &Path,
        id: ConnectionId,
        since: std::time::Instant,
        heard_once: bool,
        grace: Duration,
    ) -> Option<bool> {
        let since = Instant::from_std(since).saturating_duration_since(self.0.epoch);
        let mut open = self.lock();
        let heard = &open.get(path).filter(|known| known.id == id)?.heard;
        let at = Duration::from_micros(heard.at.load(Ordering::Relaxed));
        if at >= since || (heard_once && at.is_zero()) {
            return None;
        }
        heard.is_silent.store(true, Ordering::Relaxed);
        let connection = open.remove(path)?;
        let (opened, until) = (connection.opened, Instant::now() + grace);
        self.silent().insert(id, Silent { path: *path, connection, until });
        drop(open);
        let connections = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep_until(until).await;
            let mut silent = connections.silent();
            if silent.get(&id).is_some_and(|known| known.until <= until) {
                silent.remove(&id);
            }
        });
        Some(opened)
    }

    /// Retires the connection that we opened to somebody else than `name` and that has not shown
    /// to be both (RFC 5923 §9.2).
    pub(super) fn retire_others(&self, path: &Path, name: &ServerName<'static>, grace: Duration) {
        let mut open = self.lock();
        let Some(known) = open.get_mut(path) else { return };
        let Some(before) = known.name.as_mut().filter(|before| *before != name) else { return };
        if known.certificate.as_ref().is_some_and(|shown| tls::is_of(shown, name)) {
            *before = name.clone();
            return;
        }
        let retired = open.remove(path);
        drop(open);
        tokio::spawn(async move {
            tokio::time::sleep(grace).await;
            drop(retired);
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Path, Connection>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn silent(&self) -> MutexGuard<'_, HashMap<ConnectionId, Silent>> {
        self.0.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// The peer has shown a certificate.
    pub(super) fn show(&self, certificate: Option<CertificateDer<'static>>) {
        let mut open = self.connections.lock();
        if let Some(known) = open.get_mut(&self.path).filter(|known| known.id == self.id) {
            known.certificate = certificate;
        }
    }

    /// Something came: a connection that was taken for silent has its place again.
    pub(super) fn hear(&self) {
        let at = self.connections.0.epoch.elapsed().as_micros();
        self.heard.at.store(u64::try_from(at).unwrap_or(u64::MAX), Ordering::Relaxed);
        if self.heard.is_silent.load(Ordering::Relaxed) {
            self.sit_again();
        }
    }

    fn sit_again(&self) {
        let mut open = self.connections.lock();
        if let Entry::Vacant(place) = open.entry(self.path)
            && let Some(Silent { connection, .. }) = self.connections.silent().remove(&self.id)
        {
            self.heard.is_silent.store(false, Ordering::Relaxed);
            place.insert(connection);
        }
    }

    /// The connection is over; returns whether it still had its place.
    pub(super) fn leave(&self) -> bool {
        let mut open = self.connections.lock();
        let own = open.get(&self.path).is_some_and(|known| known.id == self.id);
        if own {
            open.remove(&self.path);
        }
        self.connections.silent().remove(&self.id);
        own
    }
}
