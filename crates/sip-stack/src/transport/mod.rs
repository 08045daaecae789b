//! The driver: UDP, TCP and TLS sockets, one reading task each, under the endpoint.
//!
//! Sending never waits: a datagram goes out at once, a stream has a bounded queue. What does not
//! work is reported as [`Incoming::Failed`], for the endpoint to act on.

mod connections;
mod door;
mod identity;
mod serve;
mod stream;
mod tls;
mod udp;

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{sync::mpsc, task::JoinSet};

pub use self::{
    door::Friends,
    identity::{Identity, IdentityError},
};
use crate::endpoint::{ConnectionId, Path, Transport, TransportError};

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
        /// The connection, of a stream.
        connection: Option<ConnectionId>,
        /// Why.
        error: TransportError,
        /// What the system or TLS says of it.
        detail: String,
    },
    /// Nothing whole has come by a connection for [`StreamLimits::idle`]; who needs it no more
    /// [closes](Transports::close) it.
    Idle {
        /// Which.
        path: Path,
    },
    /// A peer that connected has lost its connection again.
    TurnedAway {
        /// Where it came from.
        path: Path,
        /// Why.
        why: TurnedAway,
        /// What the system or TLS says of it.
        detail: String,
    },
}

/// Why a peer's connection was closed by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TurnedAway {
    /// Strangers have [`StreamLimits::of_strangers`] already.
    Full,
    /// Its address has [`StreamLimits::of_a_stranger`] already.
    Source,
    /// TLS was not agreed, or not in time.
    Handshake,
    /// No whole message came in time.
    Silent,
    /// What came is no SIP.
    NotSip,
    /// It does not read what we send.
    Deaf,
}

impl TurnedAway {
    /// Returns the word for it in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Source => "source",
            Self::Handshake => "handshake",
            Self::Silent => "silent",
            Self::NotSip => "not_sip",
            Self::Deaf => "deaf",
        }
    }
}

impl fmt::Display for TurnedAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "strangers have too many connections",
            Self::Source => "its address has too many connections",
            Self::Handshake => "TLS was not agreed",
            Self::Silent => "no message came in time",
            Self::NotSip => "what it sends is no SIP",
            Self::Deaf => "it reads no more",
        })
    }
}

/// How many connections peers may have, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// Those of all that are no [`Friends`] together, shaking hands included.
    pub of_strangers: usize,
    /// Those of one address of theirs.
    pub of_a_stranger: usize,
    /// Without a whole message for so long a connection is [`Incoming::Idle`].
    pub idle: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { of_strangers: 10_000, of_a_stranger: 100, idle: Duration::from_secs(600) }
    }
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
        Self::bind_with(listeners, StreamLimits::default()).await
    }

    /// The same with other limits.
    ///
    /// # Errors
    /// An address that cannot be bound, with its name.
    pub async fn bind_with<L: Clone + Into<Listen>>(
        listeners: &[L],
        limits: StreamLimits,
    ) -> io::Result<(Self, mpsc::Receiver<Incoming>)> {
        let (incoming, received) = mpsc::channel(QUEUE);
        let (mut udp, mut bound, mut readers) = (Vec::new(), Vec::new(), JoinSet::new());
        let mut wanted = Vec::new();
        let streams = stream::Streams::new(incoming.clone(), limits);
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

    /// Sends one message without waiting; returns the connection that it goes by, if any.
    pub fn send(&self, path: &Path, bytes: Bytes) -> Option<ConnectionId> {
        match path.transport {
            Transport::Udp => {
                if let Some(socket) = self.udp.iter().find(|udp| udp.local() == path.local) {
                    socket.send(path, &bytes);
                }
                None
            }
            Transport::Tcp | Transport::Tls => Some(self.streams.send(*path, bytes)),
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
    /// led there (RFC 5922 §7.1); without this, it must prove its address. A connection to somebody
    /// else there is used no more, and ends when what was asked by it must have been answered.
    pub fn expect(&self, path: &Path, host: &str) {
        if path.transport == Transport::Tls {
            self.streams.expect(path, host);
        }
    }

    /// A request that went by a connection at `since` has had no answer. Where nothing at all has
    /// come by it since, it may lead nowhere: what is sent from now on goes by another. `ping`: it
    /// was an OPTIONS, whose silence says nothing of a connection by which nothing ever came.
    pub fn doubt(
        &self,
        path: &Path,
        connection: ConnectionId,
        since: std::time::Instant,
        ping: bool,
    ) {
        self.streams.doubt(path, connection, since, ping);
    }

    /// Says whose connections are let in whatever strangers have.
    pub fn befriend(&self, friends: Friends) {
        self.streams.befriend(friends);
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

fn failed(
    path: Path,
    connection: Option<ConnectionId>,
    error: TransportError,
    why: &io::Error,
) -> Incoming {
    Incoming::Failed { path, connection, error, detail: why.to_string() }
}

/// The endpoint must hear of it, and a connection must not wait for the endpoint.
fn report(incoming: &mpsc::Sender<Incoming>, what: Incoming) {
    let incoming = incoming.clone();
    tokio::spawn(async move { incoming.send(what).await });
}

/// Tells of a peer that was turned away, unless so much is to be told already that a crowd must be
/// at work.
fn turned_away(incoming: &mpsc::Sender<Incoming>, path: Path, why: TurnedAway, detail: String) {
    let _ = incoming.try_send(Incoming::TurnedAway { path, why, detail });
}
