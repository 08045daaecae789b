//! TCP connections: those that peers opened and those that we did, found again by their peer.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream, tcp::OwnedReadHalf},
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use super::{Incoming, failure};
use crate::{
    endpoint::{Path, Transport, TransportError},
    framing::StreamFramer,
};

/// Messages that may wait for one connection; a peer that reads no more loses it.
const QUEUE: usize = 256;
/// Not connected within this time, a peer is taken for unreachable.
const CONNECT: Duration = Duration::from_secs(3);
/// Connections that may be open; beyond it new ones are closed at once.
const CONNECTIONS: usize = 10_000;
/// A peer that sends nothing whole for so long is hung up on; dialogs reconnect.
const IDLE: Duration = Duration::from_secs(600);
/// A connection that brought no whole message in this time is no SIP peer's.
const FIRST: Duration = Duration::from_secs(10);
/// A peer that takes one message no faster than this reads no more, and is hung up on.
const STALLED: Duration = Duration::from_secs(10);

type Connections = Arc<Mutex<HashMap<Path, mpsc::Sender<Bytes>>>>;

/// All connections of a node.
#[derive(Debug)]
pub(super) struct Tcp {
    connections: Connections,
    incoming: mpsc::Sender<Incoming>,
}

impl Tcp {
    pub(super) fn new(incoming: mpsc::Sender<Incoming>) -> Self {
        Self { connections: Connections::default(), incoming }
    }

    pub(super) async fn listen(
        &self,
        at: SocketAddr,
        readers: &mut JoinSet<()>,
    ) -> io::Result<SocketAddr> {
        let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&at.into())?;
        socket.listen(1_024)?;
        let listener = TcpListener::from_std(socket.into())?;
        let local = listener.local_addr()?;
        let (connections, incoming) = (Arc::clone(&self.connections), self.incoming.clone());
        readers.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, remote)) => {
                        let path = Path { transport: Transport::Tcp, local, remote };
                        accept(path, stream, &connections, &incoming);
                    }
                    // Out of descriptors: closing others is what helps, trying at once is not.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        });
        Ok(local)
    }

    /// Queues a message on the connection of `path`, opening one where there is none.
    pub(super) fn send(&self, path: Path, bytes: Bytes) {
        let known = lock(&self.connections).get(&path).cloned();
        let refused = match known {
            Some(queue) => queue.try_send(bytes).err(),
            None => self.open(path).try_send(bytes).err(),
        };
        if refused.is_some() {
            // What is queued goes nowhere any more; a new one is opened for what comes next.
            lock(&self.connections).remove(&path);
            report(&self.incoming, path, TransportError::Timeout);
        }
    }

    /// Closes the connection of `path`, if there is one.
    pub(super) fn close(&self, path: &Path) {
        // Its writer ends with the queue, and the reader with the writer.
        lock(&self.connections).remove(path);
    }

    fn open(&self, path: Path) -> mpsc::Sender<Bytes> {
        let (queue, messages) = mpsc::channel(QUEUE);
        lock(&self.connections).insert(path, queue.clone());
        let (connections, incoming) = (Arc::clone(&self.connections), self.incoming.clone());
        let ours = queue.downgrade();
        tokio::spawn(async move {
            match timeout(CONNECT, connect(path)).await {
                Ok(Ok(stream)) => {
                    serve(path, stream, IDLE, (ours, messages), connections, incoming).await;
                }
                Ok(Err(error)) => {
                    forget(&connections, &path, &ours);
                    report(&incoming, path, failure(&error));
                }
                Err(_) => {
                    forget(&connections, &path, &ours);
                    report(&incoming, path, TransportError::Timeout);
                }
            }
        });
        queue
    }
}

fn accept(
    path: Path,
    stream: TcpStream,
    connections: &Connections,
    incoming: &mpsc::Sender<Incoming>,
) {
    let (queue, messages) = mpsc::channel(QUEUE);
    let mut open = lock(connections);
    if open.len() >= CONNECTIONS {
        return;
    }
    let ours = queue.downgrade();
    open.insert(path, queue);
    drop(open);
    let connections = Arc::clone(connections);
    tokio::spawn(serve(path, stream, FIRST, (ours, messages), connections, incoming.clone()));
}

/// Connects from the listener's address, but from a port of its own (RFC 3261 §18.1).
async fn connect(path: Path) -> io::Result<TcpStream> {
    let socket = match path.local {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.bind(SocketAddr::new(path.local.ip(), 0))?;
    socket.connect(path.remote).await
}

async fn serve(
    path: Path,
    stream: TcpStream,
    patience: Duration,
    (ours, mut messages): (mpsc::WeakSender<Bytes>, mpsc::Receiver<Bytes>),
    connections: Connections,
    incoming: mpsc::Sender<Incoming>,
) {
    let _ = stream.set_nodelay(true);
    let (reader, mut writer) = stream.into_split();
    let (pongs, mut owed) = mpsc::channel(8);
    // One that we opened is known from the start.
    let known = AtomicBool::new(patience == IDLE);
    let reading = read(path, reader, patience, incoming.clone(), pongs, &known);
    let writing = async {
        loop {
            let bytes = tokio::select! {
                message = messages.recv() => match message {
                    Some(bytes) => bytes,
                    None => return TransportError::Closed,
                },
                Some(()) = owed.recv() => Bytes::from_static(b"\r\n"),
            };
            match timeout(STALLED, writer.write_all(&bytes)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return failure(&error),
                Err(_) => return TransportError::Timeout,
            }
        }
    };
    let error = tokio::select! {
        error = reading => error,
        error = writing => error,
    };
    forget(&connections, &path, &ours);
    // Nobody waits for one that never brought a message: strangers come and go without a word.
    if known.load(Ordering::Relaxed) {
        report(&incoming, path, error);
    }
}

/// Takes a connection out, unless another has its place by now.
fn forget(connections: &Connections, path: &Path, ours: &mpsc::WeakSender<Bytes>) {
    let mut open = lock(connections);
    let is_ours =
        |queue: &mpsc::Sender<Bytes>| ours.upgrade().is_some_and(|ours| ours.same_channel(queue));
    if open.get(path).is_some_and(is_ours) {
        open.remove(path);
    }
}

async fn read(
    path: Path,
    mut reader: OwnedReadHalf,
    patience: Duration,
    incoming: mpsc::Sender<Incoming>,
    pongs: mpsc::Sender<()>,
    known: &AtomicBool,
) -> TransportError {
    let mut framer = StreamFramer::new();
    let mut buffer = vec![0; 16 * 1_024];
    let mut deadline = Instant::now() + patience;
    loop {
        match timeout_at(deadline, reader.read(&mut buffer)).await {
            Ok(Ok(0)) | Err(_) => return TransportError::Closed,
            Ok(Ok(len)) => framer.push(&buffer[..len]),
            Ok(Err(error)) => return failure(&error),
        }
        let was_known = known.load(Ordering::Relaxed);
        while let Some(message) = framer.next() {
            // What cannot be cut into messages is no SIP peer's: an HTTP probe, a scanner.
            let Ok(bytes) = message else { return TransportError::Closed };
            known.store(true, Ordering::Relaxed);
            deadline = Instant::now() + IDLE;
            if incoming.send(super::message(path, bytes)).await.is_err() {
                return TransportError::Closed;
            }
        }
        // Two line ends are a ping, one is its pong (RFC 5626 §4.4.1): for those we have heard of.
        let pings = framer.take_pings();
        for _ in (0..pings).filter(|_| was_known) {
            deadline = Instant::now() + IDLE;
            let _ = pongs.try_send(());
        }
    }
}

fn report(incoming: &mpsc::Sender<Incoming>, path: Path, error: TransportError) {
    let incoming = incoming.clone();
    // The endpoint must hear of it, and this must not wait for the endpoint.
    tokio::spawn(async move { incoming.send(Incoming::Failed { path, error }).await });
}

fn lock(
    connections: &Connections,
) -> std::sync::MutexGuard<'_, HashMap<Path, mpsc::Sender<Bytes>>> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}
