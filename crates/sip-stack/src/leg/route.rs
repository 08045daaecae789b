//! Where requests within a dialog go (RFC 3261 §12.2.1.1, §18.1.1).

use std::net::{IpAddr, SocketAddr};

use super::{Leg, Output, State, wire::via_of};
use crate::{
    dialog::Dialog,
    endpoint::{EndpointConfig, Event, Path, Transport},
    message::{HeaderName, Request},
    transaction::ClientKey,
    uri::Uri,
};

/// The ways to a dialog's next hop.
#[derive(Debug, Clone)]
pub(super) struct Ways {
    pub(super) usual: Path,
    /// That of a request too large for a datagram, where it is another one.
    pub(super) large: Option<Path>,
    /// Who must be there, where the usual way is another one by TLS than the leg's own.
    pub(super) host: Option<String>,
}

impl Ways {
    pub(super) fn only(usual: Path) -> Self {
        Self { usual, large: None, host: None }
    }
}

impl Leg {
    /// Says how the next hop is asked where its URI does not say.
    pub fn prefer(&mut self, transport: Transport) {
        self.prefer = Some(transport);
    }

    /// Says who the peer is, where its URI is an address.
    pub fn prove(&mut self, host: &str) {
        self.proof = Some(host.to_owned());
    }

    /// Takes where a name of the peer's was found.
    pub fn found(&mut self, host: &str, at: IpAddr) {
        self.found = Some((host.to_owned(), at));
    }

    /// Whether the leg goes by this path, as far as it is not lost.
    pub fn goes_by(&self, path: &Path) -> bool {
        self.path == *path && !self.path_lost
    }

    /// A path is lost; a name of the peer's has to be looked up then.
    pub(super) fn lose(&mut self, path: Path) {
        if !self.goes_by(&path) {
            return;
        }
        self.path_lost = true;
        let dialog = match &self.state {
            State::Incoming(incoming) => Some(&incoming.dialog),
            State::Session(session) => Some(&session.dialog),
            State::Over(over) => over.dialog.as_ref(),
            State::Outgoing(_) | State::Moving => None,
        };
        let hop = dialog.and_then(|dialog| Uri::parse(dialog.next_hop()).ok());
        if let Some(hop) = hop.filter(|hop| hop.ip().is_none()) {
            let host = hop.host.to_owned();
            self.event(Event::HopLost { leg: self.id, host });
        }
    }

    /// Says who must be at the end of a path before something goes by it.
    pub(super) fn expect(&mut self, path: Path, host: Option<String>) {
        if let Some(host) = host.filter(|_| path.transport == Transport::Tls) {
            self.outputs.push_back(Output::Expect { path, host });
        }
    }

    /// Returns the way of a request that is to go by `path`: keys of media are told by TLS only in a
    /// dialog that began by it, whatever the peer's Contact says.
    pub(super) fn keep_secret(
        &self,
        config: &EndpointConfig,
        key: ClientKey,
        path: Path,
        request: &mut Request,
    ) -> Path {
        let tls = self.path.transport == Transport::Tls;
        if !tls || path.transport == Transport::Tls || !tells_keys(request.body()) {
            return path;
        }
        let mut secret = self.path;
        if self.path_lost && !self.chosen {
            secret.remote.set_port(Transport::Tls.default_port());
        }
        request.headers_mut().set_first_value(HeaderName::Via, via_of(config, secret, key));
        secret
    }

    /// Returns the ways to a dialog's next hop.
    pub(super) fn ways(&self, config: &EndpointConfig, dialog: &Dialog) -> Ways {
        let usual = self.way(config, dialog);
        let sized = self.large.is_by_tcp() && !usual.transport.is_reliable();
        let large = if sized { tcp_beside(config, dialog, usual) } else { None };
        let other = usual.transport == Transport::Tls && usual != self.path;
        let host = if other { self.host_of(dialog) } else { None };
        Ways { usual, large, host }
    }

    /// Returns who the next hop is: the name in its URI, else what is known of the peer.
    fn host_of(&self, dialog: &Dialog) -> Option<String> {
        let uri = Uri::parse(dialog.next_hop()).ok()?;
        if uri.ip().is_none() { Some(uri.host.to_owned()) } else { self.proof.clone() }
    }

    /// Returns the usual way.
    ///
    /// A hop that is a name is reached by the way its messages came; when that is lost, where the name
    /// was found, and until then at the address they came from. So is a hop at the same address
    /// over TCP, on the connection there is, and a private address written by a peer behind a NAT.
    fn way(&self, config: &EndpointConfig, dialog: &Dialog) -> Path {
        let Ok(uri) = Uri::parse(dialog.next_hop()) else { return self.path };
        let ip = match (uri.ip(), &self.found) {
            (Some(ip), _) => ip,
            (None, _) if !self.path_lost => return self.path,
            (None, Some((host, ip))) if host == uri.host => *ip,
            (None, _) if self.chosen => return self.path,
            (None, _) => self.path.remote.ip(),
        };
        let behind_nat = !dialog.is_routed() && private_behind_public(ip, self.path.remote.ip());
        if behind_nat && !uri.params.has("transport") && !uri.is_sips() {
            return self.path;
        }
        let transport = match uri.params.get("transport").and_then(Transport::named) {
            _ if uri.is_sips() => Transport::Tls,
            Some(named) => named,
            None => self.prefer.unwrap_or(self.path.transport),
        };
        let remote = SocketAddr::new(ip, uri.port.unwrap_or(transport.default_port()));
        let same = transport == self.path.transport;
        let reuse = same && transport.is_reliable() && ip == self.path.remote.ip();
        if (reuse && !self.path_lost) || (same && behind_nat) {
            return self.path;
        }
        let local = if same { Some(self.path.local) } else { None };
        match local.or_else(|| config.listener(transport, self.path.local)) {
            Some(local) => Path { transport, local, remote },
            None => self.path,
        }
    }
}

/// Returns the way by TCP to the end of a way by UDP, where there may be one: not where the URI
/// names its transport, nor into a NAT that has a hole for datagrams only.
fn tcp_beside(config: &EndpointConfig, dialog: &Dialog, udp: Path) -> Option<Path> {
    if let Ok(uri) = Uri::parse(dialog.next_hop()) {
        let hidden = uri.ip().is_some_and(|ip| ip != udp.remote.ip());
        if uri.params.has("transport") || hidden {
            return None;
        }
    }
    let (transport, remote) = (Transport::Tcp, udp.remote);
    config.listener(transport, udp.local).map(|local| Path { transport, local, remote })
}

/// Whether an address can only be meant behind the NAT that `seen` is the outside of.
fn private_behind_public(written: IpAddr, seen: IpAddr) -> bool {
    is_private(written) && !is_private(seen)
}

fn tells_keys(body: &[u8]) -> bool {
    body.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"a=crypto:"))
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
