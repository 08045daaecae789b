//! Connections of SIP: those that fail, stand still or are turned away, and where a peer is whose
//! connection is gone.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use sip_stack::{
    endpoint::{LegId, Path, Transport, TransportError},
    transaction::ClientKey,
    transport::TurnedAway,
};

use super::Switchboard;
use crate::node::clock::wall_ms;

/// Of one peer this is logged once in so long.
const AGAIN: Duration = Duration::from_secs(60);
/// Peers of which it is known when they were in the log.
const PEERS: usize = 1_024;

/// What is known beside the endpoint.
#[derive(Debug, Default)]
pub struct Connections {
    /// When each peer was in the log last.
    told: HashMap<SocketAddr, Duration>,
    /// Legs that wait for the address of a name.
    lost: HashMap<String, Vec<LegId>>,
}

impl Connections {
    /// Whether something of this peer is to be logged now.
    fn is_news(&mut self, now: Duration, peer: SocketAddr) -> bool {
        if self.told.get(&peer).is_some_and(|at| now < *at + AGAIN) {
            return false;
        }
        if self.told.len() >= PEERS {
            self.told.retain(|_, at| now < *at + AGAIN);
        }
        if self.told.len() >= PEERS {
            return false;
        }
        self.told.insert(peer, now);
        true
    }
}

impl Switchboard {
    /// A path does not work: the calls that wait for a target there tell why.
    pub(super) fn note_failure(&mut self, path: &Path, error: TransportError, detail: &str) {
        let unopened = matches!(error, TransportError::Refused | TransportError::Timeout);
        let peer = path.remote;
        if path.transport == Transport::Tls
            && unopened
            && self.connections.is_news(self.clock.now(), peer)
        {
            tracing::warn!(%peer, detail, "no connection by TLS");
        }
        if error == TransportError::Replaced {
            return;
        }
        let by = path.transport.as_str();
        for call in self.calls.values_mut() {
            let Some(target) = call.target.as_ref().filter(|t| t.leg.is_some()) else { continue };
            if target.hunt.remote() == Some(peer) {
                call.line.note(wall_ms(), "forward", format!("{peer} by {by}: {detail}"));
            }
        }
    }

    pub(super) fn note_turned_away(&mut self, path: &Path, why: TurnedAway, detail: &str) {
        let reason = why.as_str();
        metrics::counter!("carom_sip_connections_dropped_total", "reason" => reason).increment(1);
        // A stranger comes by another port each time.
        let peer = SocketAddr::new(path.remote.ip(), 0);
        if !self.connections.is_news(self.clock.now(), peer) {
            return;
        }
        let (peer, by) = (path.remote, path.transport.as_str());
        if self.is_friend(peer.ip()) {
            tracing::warn!(%peer, by, reason, detail, "hung up on a connection of a known peer");
        } else {
            tracing::info!(%peer, by, reason, detail, "hung up on a stranger's connection");
        }
    }

    fn is_friend(&self, ip: IpAddr) -> bool {
        self.snapshot.config.trunk_at(ip).is_some() || self.health.is_target(ip)
    }

    /// Has connections of trunks and targets let in whatever strangers have: the trunks of this
    /// configuration, and the targets known by now.
    pub(super) fn befriend(&self) {
        let (snapshot, targets) = (Arc::clone(&self.snapshot), self.health.targets());
        self.wires.befriend(Arc::new(move |ip| {
            snapshot.config.trunk_at(ip).is_some() || targets.contains(&ip)
        }));
    }

    /// Learns where a target is.
    pub(super) fn learn_target(&mut self, at: SocketAddr) {
        if self.health.learn(at) {
            self.befriend();
        }
    }

    /// A leg's connection is gone, and its peer is to be found at a name. Many legs may have gone by
    /// one connection, so each name is looked up once at a time.
    pub(super) fn find_hop(&mut self, leg: LegId, host: String) {
        let waiting = self.connections.lost.entry(host.clone()).or_default();
        waiting.push(leg);
        if waiting.len() == 1 {
            self.look_up_hop(host);
        }
    }

    /// A name was looked up.
    pub(super) fn on_hop(&mut self, host: &str, found: Option<IpAddr>) {
        for leg in self.connections.lost.remove(host).unwrap_or_default() {
            if let Some(at) = found {
                self.endpoint.found(leg, host, at);
            }
        }
    }

    /// Queues what the endpoint wants sent.
    pub(super) fn transmit(&mut self, path: &Path, bytes: Bytes, txn: Option<ClientKey>) {
        let by = self.wires.send(path, bytes);
        if let (Some(txn), Some(by)) = (txn, by) {
            self.endpoint.handle_sent(txn, by);
        }
    }
}
