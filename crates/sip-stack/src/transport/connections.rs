//! The connections of a node, found again by their peers.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
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
    heard: Arc<AtomicU64>,
}

/// One connection's place among the others.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) path: Path,
    pub(super) id: ConnectionId,
    connections: Connections,
    heard: Arc<AtomicU64>,
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
        let (open, next, epoch) = (Mutex::default(), AtomicU64::new(1), Instant::now());
        Self(Arc::new(Shared { open, next, epoch }))
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
        let heard = Arc::new(AtomicU64::new(0));
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
    }

    /// Takes a connection out of its place when `unfit` says so, and lets it go on for so long: what
    /// was asked by it may still be answered. Returns whether it was one that we opened.
    fn retire(
        &self,
        path: &Path,
        grace: Duration,
        unfit: impl FnOnce(&mut Connection) -> bool,
    ) -> Option<bool> {
        let mut open = self.lock();
        if !open.get_mut(path).is_some_and(unfit) {
            return None;
        }
        let Connection { queue, opened, .. } = open.remove(path)?;
        drop(open);
        tokio::spawn(async move {
            tokio::time::sleep(grace).await;
            drop(queue);
        });
        Some(opened)
    }

    /// Retires this connection if nothing has come by it since, but, with `heard_once`, has before;
    /// returns whether it was one that we opened.
    pub(super) fn retire_silent(
        &self,
        path: &Path,
        id: ConnectionId,
        since: std::time::Instant,
        heard_once: bool,
        grace: Duration,
    ) -> Option<bool> {
        let since = Instant::from_std(since).saturating_duration_since(self.0.epoch);
        self.retire(path, grace, |known| {
            let heard = Duration::from_micros(known.heard.load(Ordering::Relaxed));
            known.id == id && heard < since && (!heard_once || heard > Duration::ZERO)
        })
    }

    /// Retires the connection that we opened to somebody else than `name` and that has not shown
    /// to be both (RFC 5923 §9.2).
    pub(super) fn retire_others(&self, path: &Path, name: &ServerName<'static>, grace: Duration) {
        let _ = self.retire(path, grace, |known| {
            let Some(before) = &mut known.name else { return false };
            if before == name {
                return false;
            }
            let both = known.certificate.as_ref().is_some_and(|shown| tls::is_of(shown, name));
            if both {
                *before = name.clone();
            }
            !both
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Path, Connection>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Something came.
    pub(super) fn hear(&self) {
        let at = self.connections.0.epoch.elapsed().as_micros();
        self.heard.store(u64::try_from(at).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The connection is over; returns whether it still had its place.
    pub(super) fn leave(&self) -> bool {
        let mut open = self.connections.lock();
        let own = open.get(&self.path).is_some_and(|known| known.id == self.id);
        if own {
            open.remove(&self.path);
        }
        own
    }
}
