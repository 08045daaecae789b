//! Where requests within a dialog go (RFC 3261 §12.2.1.1, §18.1.1).

use std::net::{IpAddr, SocketAddr};

use super::Leg;
use crate::{
    dialog::Dialog,
    endpoint::{EndpointConfig, Path, Transport},
    uri::Uri,
};

/// The ways to a dialog's next hop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ways {
    pub(super) usual: Path,
    /// That of a request too large for a datagram, where it is another one.
    pub(super) large: Option<Path>,
}

impl Ways {
    pub(super) fn only(usual: Path) -> Self {
        Self { usual, large: None }
    }
}

impl Leg {
    /// Says how the next hop is asked where its URI does not say.
    pub fn prefer(&mut self, transport: Transport) {
        self.prefer = Some(transport);
    }

    /// Returns the ways to a dialog's next hop.
    pub(super) fn ways(&self, config: &EndpointConfig, dialog: &Dialog) -> Ways {
        let usual = self.way(config, dialog);
        let sized = self.large.is_by_tcp() && !usual.transport.is_reliable();
        let large = if sized { tcp_beside(config, dialog, usual) } else { None };
        Ways { usual, large }
    }

    /// Returns the usual way.
    ///
    /// Names are not looked up here: a hop that is a name is reached by the way its messages came.
    /// So is a hop at the same address over TCP, on the connection there is, and a private address
    /// written by a peer behind a NAT.
    fn way(&self, config: &EndpointConfig, dialog: &Dialog) -> Path {
        let Ok(uri) = Uri::parse(dialog.next_hop()) else { return self.path };
        let Some(ip) = uri.ip() else { return self.path };
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

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
