//! TCP and TLS: listening, connecting, and finding the connection that a message goes by.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use rustls::pki_types::ServerName;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};

use super::{
    Incoming, StreamLimits, TurnedAway,
    connections::{Connections, Sent},
    door::{Door, Friends, Leave},
    failed, report,
    serve::Service,
    tls::{self, Tls},
    turned_away,
};
use crate::{
    endpoint::{ConnectionId, Path, Transport, TransportError},
    transaction::LIMIT,
};

/// Messages that may wait for one connection; a peer that reads no more loses it.
const QUEUE: usize = 256;
/// Not connected within this time, TLS included, a peer is taken for unreachable.
const CONNECT: Duration = Duration::from_secs(3);
/// A peer that has not shaken hands in this time is none that speaks TLS.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// A host that acknowledges nothing for this long is gone: bytes of ours, or the probes of a
/// connection that is still.
const GONE: Duration = Duration::from_secs(30);
/// After this long without a byte the other host is asked whether it is there, then again and again.
const PROBE: Duration = Duration::from_secs(30);
const PROBE_AGAIN: Duration = Duration::from_secs(10);

/// All connections of a node.
#[derive(Debug)]
pub(super) struct Streams {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    connections: Connections,
    incoming: mpsc::Sender<Incoming>,
    tls: Tls,
    door: Door,
    idle: Duration,
}

impl Streams {
    pub(super) fn new(incoming: mpsc::Sender<Incoming>, limits: StreamLimits) -> Self {
        let (connections, tls) = (Connections::new(), Tls::default());
        let (door, idle) = (Door::new(limits), limits.idle);
        Self { shared: Arc::new(Shared { connections, incoming, tls, door, idle }) }
    }

    pub(super) fn tls(&self) -> &Tls {
        &self.shared.tls
    }

    pub(super) fn befriend(&self, friends: Friends) {
        self.shared.door.befriend(friends);
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
        let shared = Arc::clone(&self.shared);
        readers.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, remote)) => {
                        accept(&shared, Path { transport, local, remote }, stream);
                    }
                    // Out of descriptors: closing others is what helps, trying at once is not.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        });
        Ok(local)
    }

    /// Queues a message on the connection of `path`, opening one where there is none.
    pub(super) fn send(&self, path: Path, bytes: Bytes) -> ConnectionId {
        match self.shared.connections.send(&path, bytes) {
            Sent::Queued(id) => id,
            Sent::Full(id) => {
                let why = timed_out("it takes no more messages");
                let failed = failed(path, Some(id), TransportError::Closed, &why);
                report(&self.shared.incoming, failed);
                id
            }
            Sent::Nowhere(bytes) => self.open(path, bytes),
        }
    }

    /// Closes the connection of `path`, if there is one.
    pub(super) fn close(&self, path: &Path) {
        self.shared.connections.close(path);
    }

    /// What went by a connection at `since` has had no answer: where nothing at all has come by it,
    /// what is sent from now on goes by another.
    pub(super) fn doubt(
        &self,
        path: &Path,
        id: ConnectionId,
        since: std::time::Instant,
        ping: bool,
    ) {
        // Calls may go by it, whose peer comes by it with its next request.
        let grace = self.shared.idle;
        let retired = self.shared.connections.retire_silent(path, id, since, ping, grace);
        // The peer's end of its own connection is nowhere to connect to.
        if retired == Some(false) {
            let why = timed_out("it answers no more");
            let failed = failed(*path, Some(id), TransportError::Closed, &why);
            report(&self.shared.incoming, failed);
        }
    }

    /// Who is at the end of `path` must prove to be `host`.
    pub(super) fn expect(&self, path: &Path, host: &str) {
        if let Some(name) = self.shared.tls.expect(path.remote, host) {
            self.shared.connections.retire_others(path, &name, LIMIT);
        }
    }

    fn open(&self, path: Path, first: Bytes) -> ConnectionId {
        let (queue, messages) = mpsc::channel(QUEUE);
        // A new queue has room.
        let _ = queue.try_send(first);
        let shared = Arc::clone(&self.shared);
        let name = (path.transport == Transport::Tls).then(|| shared.tls.name(path.remote));
        let seat = shared.connections.seat_ours(path, queue, name.clone());
        let id = seat.id;
        tokio::spawn(async move {
            let opening = timeout(CONNECT, connect(&shared.tls, path, name));
            let opened = opening.await.unwrap_or_else(|_| Err(timed_out("no connection in time")));
            let incoming = shared.incoming.clone();
            match opened {
                Ok(opened) => {
                    let service = Service { seat, messages, incoming, idle: shared.idle };
                    match opened {
                        Opened::Tcp(stream) => service.opened(stream).await,
                        Opened::Tls(stream) => {
                            service.seat.show(tls::shown(&stream));
                            service.opened(*stream).await;
                        }
                    }
                }
                Err(error) => {
                    seat.leave();
                    let kind = match error.kind() {
                        io::ErrorKind::TimedOut => TransportError::Timeout,
                        _ => TransportError::Refused,
                    };
                    report(&incoming, failed(path, Some(id), kind, &error));
                }
            }
        });
        id
    }
}

/// A connection that we opened.
enum Opened {
    Tcp(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

fn accept(shared: &Arc<Shared>, path: Path, stream: TcpStream) {
    let leave = match shared.door.admit(path.remote) {
        Ok(leave) => leave,
        Err(why) => return turned_away(&shared.incoming, path, why, why.to_string()),
    };
    watch(&stream);
    let (queue, messages) = mpsc::channel(QUEUE);
    let seat = shared.connections.seat(path, queue);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let _leave: Leave = leave;
        let incoming = shared.incoming.clone();
        let service = Service { seat, messages, incoming, idle: shared.idle };
        if path.transport != Transport::Tls {
            return service.accepted(stream).await;
        }
        let detail = match timeout(HANDSHAKE, shared.tls.accept(path.local, stream)).await {
            Ok(Ok(stream)) => return service.accepted(stream).await,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "not in time".to_owned(),
        };
        service.seat.leave();
        turned_away(&shared.incoming, path, TurnedAway::Handshake, detail);
    });
}

/// Connects from the listener's address, but from a port of its own (RFC 3261 §18.1).
async fn connect(tls: &Tls, path: Path, name: Option<ServerName<'static>>) -> io::Result<Opened> {
    let socket = match path.local {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.bind(SocketAddr::new(path.local.ip(), 0))?;
    let stream = socket.connect(path.remote).await?;
    watch(&stream);
    Ok(match name {
        Some(name) => Opened::Tls(Box::new(tls.connect(path.local, name, stream).await?)),
        None => Opened::Tcp(stream),
    })
}

/// Has the system notice that the other host is gone. What it doesn't offer is done without.
fn watch(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let socket = SockRef::from(stream);
    let probes = TcpKeepalive::new().with_time(PROBE).with_interval(PROBE_AGAIN);
    let _ = socket.set_tcp_keepalive(&probes);
    let _ = socket.set_tcp_user_timeout(Some(GONE));
}

fn timed_out(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_system_looks_after_a_connection_that_is_still() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        watch(&stream);
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), PROBE);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(GONE));
    }
}
