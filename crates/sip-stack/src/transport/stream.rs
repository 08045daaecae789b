//! TCP and TLS connections: those that peers opened and those that we did, found again by their
//! peer.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use rustls::pki_types::CertificateDer;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use super::{
    Incoming, failed,
    tls::{self, Tls},
};
use crate::{
    endpoint::{Path, Transport},
    framing::StreamFramer,
};

/// Messages that may wait for one connection; a peer that reads no more loses it.
const QUEUE: usize = 256;
/// Not connected within this time, TLS included, a peer is taken for unreachable.
const CONNECT: Duration = Duration::from_secs(3);
/// Connections that may be open, shaking hands included; beyond it new ones are closed at once.
const CONNECTIONS: usize = 10_000;
/// A peer that sends nothing whole for so long is hung up on; dialogs reconnect.
const IDLE: Duration = Duration::from_secs(600);
/// A connection that brought no whole message in this time is no SIP peer's.
const FIRST: Duration = Duration::from_secs(10);
/// A peer that has not shaken hands in this time is none that speaks TLS.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// A peer that takes one message no faster than this reads no more, and is hung up on.
const STALLED: Duration = Duration::from_secs(10);
/// A goodbye may take this long.
const GOODBYE: Duration = Duration::from_secs(1);

/// The connections of a node by their peers.
#[derive(Debug, Clone, Default)]
struct Connections(Arc<Mutex<HashMap<Path, Connection>>>);

#[derive(Debug)]
struct Connection {
    queue: mpsc::Sender<Bytes>,
    /// Of a peer that we connected to by TLS.
    certificate: Option<CertificateDer<'static>>,
}

/// One connection's place among the others.
struct Seat {
    path: Path,
    ours: mpsc::WeakSender<Bytes>,
    connections: Connections,
}

/// All connections of a node.
#[derive(Debug)]
pub(super) struct Streams {
    connections: Connections,
    incoming: mpsc::Sender<Incoming>,
    tls: Arc<Tls>,
}

impl Streams {
    pub(super) fn new(incoming: mpsc::Sender<Incoming>) -> Self {
        Self { connections: Connections::default(), incoming, tls: Arc::default() }
    }

    pub(super) fn tls(&self) -> &Tls {
        &self.tls
    }

    pub(super) fn listen(
        &self,
        transport: Transport,
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
        let (connections, incoming) = (self.connections.clone(), self.incoming.clone());
        let tls = Arc::clone(&self.tls);
        readers.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, remote)) => {
                        let path = Path { transport, local, remote };
                        accept(path, stream, &connections, &incoming, &tls);
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
        let known = self.connections.lock().get(&path).map(|known| known.queue.clone());
        let refused = match known {
            Some(queue) => queue.try_send(bytes).err(),
            None => self.open(path).try_send(bytes).err(),
        };
        if refused.is_some() {
            // What is queued goes nowhere any more; a new one is opened for what comes next.
            self.connections.lock().remove(&path);
            report(&self.incoming, path, &timed_out("it takes no more messages"));
        }
    }

    /// Closes the connection of `path`, if there is one.
    pub(super) fn close(&self, path: &Path) {
        // Its writer ends with the queue, and the reader with the writer.
        self.connections.lock().remove(path);
    }

    /// Who is at the end of `path` must prove to be `host`.
    pub(super) fn expect(&self, path: &Path, host: &str) {
        let ip = path.remote.ip();
        self.tls.expect(ip, host);
        let mut open = self.connections.lock();
        let certificate = open.get(path).and_then(|known| known.certificate.as_ref());
        if certificate.is_some_and(|certificate| !self.tls.is_meant(ip, certificate)) {
            open.remove(path);
        }
    }

    fn open(&self, path: Path) -> mpsc::Sender<Bytes> {
        let (queue, messages) = mpsc::channel(QUEUE);
        let seat = self.connections.seat(path, &queue);
        self.connections.lock().insert(path, Connection::new(queue.clone()));
        let (incoming, tls) = (self.incoming.clone(), Arc::clone(&self.tls));
        tokio::spawn(async move {
            let opened = timeout(CONNECT, async {
                let stream = connect(path).await?;
                Ok(match path.transport {
                    Transport::Tls => Opened::Tls(Box::new(tls.connect(path, stream).await?)),
                    Transport::Tcp | Transport::Udp => Opened::Tcp(stream),
                })
            });
            let opened = opened.await.unwrap_or_else(|_| Err(timed_out("no connection in time")));
            match opened {
                Ok(Opened::Tcp(stream)) => serve(seat, stream, IDLE, messages, incoming).await,
                Ok(Opened::Tls(stream)) => {
                    seat.show(tls::shown(&stream));
                    serve(seat, *stream, IDLE, messages, incoming).await;
                }
                Err(error) => {
                    seat.leave();
                    report(&incoming, path, &error);
                }
            }
        });
        queue
    }
}

/// A connection that we opened.
enum Opened {
    Tcp(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

fn accept(
    path: Path,
    stream: TcpStream,
    connections: &Connections,
    incoming: &mpsc::Sender<Incoming>,
    tls: &Arc<Tls>,
) {
    let (queue, messages) = mpsc::channel(QUEUE);
    let mut open = connections.lock();
    if open.len() >= CONNECTIONS {
        return;
    }
    let seat = connections.seat(path, &queue);
    open.insert(path, Connection::new(queue));
    drop(open);
    let _ = stream.set_nodelay(true);
    let incoming = incoming.clone();
    if path.transport != Transport::Tls {
        tokio::spawn(serve(seat, stream, FIRST, messages, incoming));
        return;
    }
    let tls = Arc::clone(tls);
    tokio::spawn(async move {
        match timeout(HANDSHAKE, tls.accept(path.local, stream)).await {
            Ok(Ok(stream)) => serve(seat, stream, FIRST, messages, incoming).await,
            // Nobody waits for it: who it was is not known.
            Ok(Err(_)) | Err(_) => seat.leave(),
        }
    });
}

/// Connects from the listener's address, but from a port of its own (RFC 3261 §18.1).
async fn connect(path: Path) -> io::Result<TcpStream> {
    let socket = match path.local {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.bind(SocketAddr::new(path.local.ip(), 0))?;
    let stream = socket.connect(path.remote).await?;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn serve(
    seat: Seat,
    stream: impl AsyncRead + AsyncWrite + Send,
    patience: Duration,
    mut messages: mpsc::Receiver<Bytes>,
    incoming: mpsc::Sender<Incoming>,
) {
    let path = seat.path;
    let (reader, mut writer) = split(stream);
    let (pongs, mut owed) = mpsc::channel(8);
    // One that we opened is known from the start.
    let known = AtomicBool::new(patience == IDLE);
    let reading = read(path, reader, patience, incoming.clone(), pongs, &known);
    let writing = async {
        loop {
            let bytes = tokio::select! {
                message = messages.recv() => match message {
                    Some(bytes) => bytes,
                    None => {
                        let _ = timeout(GOODBYE, writer.shutdown()).await;
                        return closed();
                    }
                },
                Some(()) = owed.recv() => Bytes::from_static(b"\r\n"),
            };
            let written = async {
                writer.write_all(&bytes).await?;
                writer.flush().await
            };
            match timeout(STALLED, written).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error,
                Err(_) => return timed_out("it reads no more"),
            }
        }
    };
    let error = tokio::select! {
        error = reading => error,
        error = writing => error,
    };
    seat.leave();
    // Nobody waits for one that never brought a message: strangers come and go without a word.
    if known.load(Ordering::Relaxed) {
        report(&incoming, path, &error);
    }
}

async fn read(
    path: Path,
    mut reader: impl AsyncRead + Unpin,
    patience: Duration,
    incoming: mpsc::Sender<Incoming>,
    pongs: mpsc::Sender<()>,
    known: &AtomicBool,
) -> io::Error {
    let mut framer = StreamFramer::new();
    let mut buffer = vec![0; 16 * 1_024];
    let mut deadline = Instant::now() + patience;
    loop {
        match timeout_at(deadline, reader.read(&mut buffer)).await {
            Ok(Ok(0)) | Err(_) => return closed(),
            Ok(Ok(len)) => framer.push(&buffer[..len]),
            Ok(Err(error)) => return error,
        }
        let was_known = known.load(Ordering::Relaxed);
        while let Some(message) = framer.next() {
            // What cannot be cut into messages is no SIP peer's: an HTTP probe, a scanner.
            let Ok(bytes) = message else { return closed() };
            known.store(true, Ordering::Relaxed);
            deadline = Instant::now() + IDLE;
            if incoming.send(super::message(path, bytes)).await.is_err() {
                return closed();
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

impl Connections {
    fn lock(&self) -> MutexGuard<'_, HashMap<Path, Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seat(&self, path: Path, queue: &mpsc::Sender<Bytes>) -> Seat {
        Seat { path, ours: queue.downgrade(), connections: self.clone() }
    }
}

impl Connection {
    fn new(queue: mpsc::Sender<Bytes>) -> Self {
        Self { queue, certificate: None }
    }
}

impl Seat {
    /// The peer has shown a certificate.
    fn show(&self, certificate: Option<CertificateDer<'static>>) {
        let mut open = self.connections.lock();
        if let Some(connection) = open.get_mut(&self.path).filter(|known| self.is(known)) {
            connection.certificate = certificate;
        }
    }

    /// The connection is over; another may have its place by now.
    fn leave(&self) {
        let mut open = self.connections.lock();
        if open.get(&self.path).is_some_and(|known| self.is(known)) {
            open.remove(&self.path);
        }
    }

    fn is(&self, connection: &Connection) -> bool {
        self.ours.upgrade().is_some_and(|ours| ours.same_channel(&connection.queue))
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was closed")
}

fn timed_out(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

fn report(incoming: &mpsc::Sender<Incoming>, path: Path, why: &io::Error) {
    let (incoming, failed) = (incoming.clone(), failed(path, why));
    // The endpoint must hear of it, and this must not wait for the endpoint.
    tokio::spawn(async move { incoming.send(failed).await });
}
