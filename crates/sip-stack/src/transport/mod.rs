//! The driver: UDP, TCP and TLS sockets, one reading task each, under the endpoint.
//!
//! Sending never waits: a datagram goes out at once, a stream has a bounded queue. What does not
//! work is reported as [`Incoming::Failed`], for the endpoint to act on.

mod identity;
mod stream;
mod tls;
mod udp;

use std::{io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use tokio::{sync::mpsc, task::JoinSet};

pub use self::identity::{Identity, IdentityError};
use crate::endpoint::{Path, Transport, TransportError};

/// Messages waiting for the endpoint at most; beyond it the sockets' own buffers fill.
const QUEUE: usize = 8_192;

/// What the sockets report.
#[derive(Debug)]
pub enum Incoming {
    /// One whole message, or at least one datagram.
    Message {
        /// Where it came from.
        path: Path,
        /// The bytes.
        bytes: Bytes,
        /// When it was read from the socket.
        at: std::time::Instant,
    },
    /// A path does not work.
    Failed {
        /// Which.
        path: Path,
        /// Why.
        error: TransportError,
        /// What the system or TLS says of it.
        detail: String,
    },
}

/// A listener to bind.
#[derive(Debug, Clone)]
pub struct Listen {
    /// How.
    pub transport: Transport,
    /// Where; port 0 takes any free port.
    pub at: SocketAddr,
    /// Who it is; TLS needs one, the others none.
    pub identity: Option<Identity>,
}

impl From<(Transport, SocketAddr)> for Listen {
    fn from((transport, at): (Transport, SocketAddr)) -> Self {
        Self { transport, at, identity: None }
    }
}

/// The sockets of a node, sending side. When the last clone is dropped, nothing is listened to any
/// more; streams that are open end with their peers.
#[derive(Debug, Clone)]
pub struct Transports {
    udp: Arc<Vec<udp::Udp>>,
    streams: Arc<stream::Streams>,
    listeners: Arc<Vec<(Transport, SocketAddr)>>,
    /// Where the listeners were to be bound, in the same order.
    wanted: Arc<Vec<SocketAddr>>,
    /// What reads the sockets, ended with them.
    _readers: Arc<JoinSet<()>>,
}

impl Transports {
    /// Binds all listeners and starts reading.
    ///
    /// # Errors
    /// An address that cannot be bound, with its name.
    pub async fn bind<L: Clone + Into<Listen>>(
        listeners: &[L],
    ) -> io::Result<(Self, mpsc::Receiver<Incoming>)> {
        let (incoming, received) = mpsc::channel(QUEUE);
        let (mut udp, mut bound, mut readers) = (Vec::new(), Vec::new(), JoinSet::new());
        let mut wanted = Vec::new();
        let streams = stream::Streams::new(incoming.clone());
        for Listen { transport, at, identity } in listeners.iter().cloned().map(L::into) {
            let named = |error: io::Error| {
                let name = transport.as_str();
                io::Error::new(error.kind(), format!("cannot listen on {name} {at}: {error}"))
            };
            let local = match transport {
                Transport::Udp => {
                    let socket =
                        udp::Udp::bind(at, incoming.clone(), &mut readers).map_err(named)?;
                    let local = socket.local();
                    udp.push(socket);
                    local
                }
                Transport::Tcp | Transport::Tls => {
                    streams.listen(transport, at, &mut readers).map_err(named)?
                }
            };
            if let Some(identity) = identity {
                streams.tls().be(local, identity);
            }
            bound.push((transport, local));
            wanted.push(at);
        }
        let wires = Self {
            udp: Arc::new(udp),
            streams: Arc::new(streams),
            listeners: Arc::new(bound),
            wanted: Arc::new(wanted),
            _readers: Arc::new(readers),
        };
        Ok((wires, received))
    }

    /// The listeners as bound.
    #[must_use]
    pub fn listeners(&self) -> &[(Transport, SocketAddr)] {
        &self.listeners
    }

    /// The way from the listener nearest to `remote`: the same address first, then the same
    /// family. `None` where no listener has that transport.
    #[must_use]
    pub fn path(&self, transport: Transport, remote: SocketAddr) -> Option<Path> {
        let ours = || self.listeners.iter().filter(|(t, _)| *t == transport).map(|(_, at)| *at);
        let same_ip = ours().find(|local| local.ip() == remote.ip());
        let local = same_ip.or_else(|| ours().find(|l| l.is_ipv4() == remote.is_ipv4()))?;
        Some(Path { transport, local, remote })
    }

    /// Sends one message without waiting.
    pub fn send(&self, path: &Path, bytes: Bytes) {
        match path.transport {
            Transport::Udp => {
                if let Some(socket) = self.udp.iter().find(|udp| udp.local() == path.local) {
                    socket.send(path, &bytes);
                }
            }
            Transport::Tcp | Transport::Tls => self.streams.send(*path, bytes),
        }
    }

    /// The TLS listener that was to be bound at `at` shows another certificate from now on, or
    /// trusts others; connections that are open go on.
    pub fn renew(&self, at: SocketAddr, identity: &Identity) {
        let listeners = self.listeners.iter().zip(&*self.wanted);
        for ((_, local), _) in
            listeners.filter(|((t, _), wanted)| *t == Transport::Tls && **wanted == at)
        {
            self.streams.tls().be(*local, identity.clone());
        }
    }

    /// Who is at the end of a TLS path must prove to be `host`, the name or address of the URI that
    /// led there (RFC 5922 §7.1); without this, it must prove its address. What is there as somebody
    /// else is hung up on.
    pub fn expect(&self, path: &Path, host: &str) {
        if path.transport == Transport::Tls {
            self.streams.expect(path, host);
        }
    }

    /// Closes the connection of a path where it has one.
    pub fn close(&self, path: &Path) {
        self.streams.close(path);
    }
}

#[expect(clippy::disallowed_methods, reason = "a driver reads the clock")]
fn message(path: Path, bytes: Bytes) -> Incoming {
    Incoming::Message { path, bytes, at: std::time::Instant::now() }
}

fn failed(path: Path, why: &io::Error) -> Incoming {
    Incoming::Failed { path, error: kind(why), detail: why.to_string() }
}

fn kind(error: &io::Error) -> TransportError {
    match error.kind() {
        io::ErrorKind::TimedOut => TransportError::Timeout,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionAborted => TransportError::Closed,
        _ => TransportError::Refused,
    }
}
