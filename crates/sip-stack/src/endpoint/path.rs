//! Ways that messages go, and what becomes of them.

use std::{fmt, net::SocketAddr};

use serde::{Deserialize, Serialize};

/// How a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Transport {
    /// Datagrams; repeats are ours.
    Udp,
    /// A stream; nothing is repeated but a 2xx that waits for its ACK.
    Tcp,
    /// A stream within TLS (RFC 3261 §26.2).
    Tls,
}

impl Transport {
    /// Whether messages are not lost on the way.
    pub fn is_reliable(self) -> bool {
        self != Self::Udp
    }

    /// Returns the port of a URI that names none (RFC 3261 §19.1.2).
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }

    /// Returns the transport of a name in a URI's parameter, in any case.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Udp, Self::Tcp, Self::Tls];
        all.into_iter().find(|transport| transport.as_str().eq_ignore_ascii_case(name))
    }

    /// Returns the parameter of a URI that leads here by it; none says UDP.
    pub(crate) fn parameter(self) -> &'static str {
        match self {
            Self::Udp => "",
            Self::Tcp => ";transport=tcp",
            Self::Tls => ";transport=tls",
        }
    }

    /// Returns the spelling in a Via.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }
}

/// Where a message came from or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Path {
    /// How.
    pub transport: Transport,
    /// The listener's own address, as it is bound; also where a connection was opened by us.
    pub local: SocketAddr,
    /// The peer: a socket's, or a connection's.
    pub remote: SocketAddr,
}

/// One connection of a stream transport; the driver numbers them, and no number comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Whether the sender of a message is one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A trunk: may call us.
    Trusted,
    /// A target: heard within what exists, and when it asks by OPTIONS whether we are there.
    Target,
    /// Anybody else: heard only within a dialog or transaction that exists.
    Stranger,
}

/// Why a path does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportError {
    /// Nobody listens there, ICMP says that it cannot be reached, or its certificate is not that of
    /// whom we meant.
    Refused,
    /// The connection was closed, or takes no more.
    Closed,
    /// The connection could not be opened in time.
    Timeout,
    /// The connection was closed, and the path had been given up or led by another one before.
    Replaced,
}

/// Host and port as they stand in Via and Contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPort {
    /// A name or an address; IPv6 in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl From<SocketAddr> for HostPort {
    fn from(addr: SocketAddr) -> Self {
        let host = match addr {
            SocketAddr::V4(addr) => addr.ip().to_string(),
            SocketAddr::V6(addr) => format!("[{}]", addr.ip()),
        };
        Self { host, port: addr.port() }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}
