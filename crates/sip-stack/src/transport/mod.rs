//! The driver: UDP and TCP sockets, one reading task each, under the endpoint.
//!
//! Sending never waits: a datagram goes out at once, a stream has a bounded queue. What does not
//! work is reported as [`Incoming::Failed`], for the endpoint to act on.

mod tcp;
mod udp;

use std::{io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use tokio::{sync::mpsc, task::JoinSet};

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
    },
}

/// The sockets of a node, sending side. When the last clone is dropped, nothing is listened to any
/// more; streams that are open end with their peers.
#[derive(Debug, Clone)]
pub struct Transports {
    udp: Arc<Vec<udp::Udp>>,
    tcp: Arc<tcp::Tcp>,
    listeners: Arc<Vec<(Transport, SocketAddr)>>,
    /// What reads the sockets, ended with them.
    _readers: Arc<JoinSet<()>>,
}

impl Transports {
    /// Binds all listeners and starts reading. Port 0 takes any free port.
    ///
    /// # Errors
    /// An address that cannot be bound, with its name.
    pub async fn bind(
        listeners: &[(Transport, SocketAddr)],
    ) -> io::Result<(Self, mpsc::Receiver<Incoming>)> {
        let (incoming, received) = mpsc::channel(QUEUE);
        let (mut udp, mut bound, mut readers) = (Vec::new(), Vec::new(), JoinSet::new());
        let tcp = tcp::Tcp::new(incoming.clone());
        for (transport, at) in listeners {
            let named = |error: io::Error| {
                let name = transport.as_str();
                io::Error::new(error.kind(), format!("cannot listen on {name} {at}: {error}"))
            };
            let local = match transport {
                Transport::Udp => {
                    let socket =
                        udp::Udp::bind(*at, incoming.clone(), &mut readers).map_err(named)?;
                    let local = socket.local();
                    udp.push(socket);
                    local
                }
                Transport::Tcp => tcp.listen(*at, &mut readers).await.map_err(named)?,
            };
            bound.push((*transport, local));
        }
        let (udp, tcp, listeners) = (Arc::new(udp), Arc::new(tcp), Arc::new(bound));
        Ok((Self { udp, tcp, listeners, _readers: Arc::new(readers) }, received))
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
            Transport::Tcp => self.tcp.send(*path, bytes),
        }
    }

    /// Closes the connection of a path where it has one.
    pub fn close(&self, path: &Path) {
        self.tcp.close(path);
    }
}

#[expect(clippy::disallowed_methods, reason = "a driver reads the clock")]
fn message(path: Path, bytes: Bytes) -> Incoming {
    Incoming::Message { path, bytes, at: std::time::Instant::now() }
}

fn failure(error: &io::Error) -> TransportError {
    match error.kind() {
        io::ErrorKind::TimedOut => TransportError::Timeout,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionAborted => TransportError::Closed,
        _ => TransportError::Refused,
    }
}
