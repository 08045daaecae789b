//! Whether targets are there: an OPTIONS to each of their addresses now and then.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use sip_stack::endpoint::{PingId, Transport};

use super::Switchboard;

/// Between two rounds.
const EVERY: Duration = Duration::from_secs(30);

/// What is known of the targets' addresses.
#[derive(Debug, Default)]
pub struct Health {
    next: Duration,
    /// Addresses that did not answer last time.
    down: BTreeSet<String>,
}

impl Health {
    /// When the next round is due.
    pub fn poll_timeout(&self) -> Duration {
        self.next
    }
}

impl Switchboard {
    /// Asks every address of every target once.
    pub(super) fn ping_targets(&mut self) {
        let now = self.now();
        if now < self.health.next {
            return;
        }
        self.health.next = now + EVERY;
        let flows = self.snapshot.flows.iter().chain([&self.snapshot.no_flow]);
        let targets = flows.flat_map(|flow| &flow.targets);
        let uris: BTreeSet<String> =
            targets.flat_map(|target| target.addresses.iter().cloned()).collect();
        for uri in uris {
            self.find_target(uri);
        }
    }

    /// The address of a target's URI is known: ask it.
    pub(super) fn ping(&mut self, uri: String, found: Option<SocketAddr>) {
        let now = self.now();
        let path = found.and_then(|remote| self.wires.path(Transport::Udp, remote));
        let Some(path) = path else { return self.target_is(&uri, false) };
        let ping = self.endpoint.options(now, &uri, path);
        self.pings.insert(ping, uri);
    }

    /// Any answer at all says that somebody is there; 503 says that nobody serves.
    pub(super) fn on_pong(&mut self, ping: PingId, status: Option<u16>) {
        let Some(uri) = self.pings.remove(&ping) else { return };
        self.target_is(&uri, status.is_some_and(|status| status != 503));
    }

    fn target_is(&mut self, uri: &str, up: bool) {
        metrics::gauge!("carom_target_up", "address" => uri.to_owned())
            .set(f64::from(u8::from(up)));
        let changed =
            if up { self.health.down.remove(uri) } else { self.health.down.insert(uri.to_owned()) };
        match (changed, up) {
            (true, true) => tracing::info!(address = uri, "target answers again"),
            (true, false) => tracing::warn!(address = uri, "target does not answer OPTIONS"),
            (false, _) => {}
        }
    }
}
