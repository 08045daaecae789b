//! Whether targets are there: an OPTIONS to each of their addresses now and then.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ivr_runtime::flow::model::{Flow, TargetId};
use sip_stack::endpoint::PingId;

use super::{Switchboard, forward::ways, live::Live};

/// Targets that a reload has brought are seen within this long.
const LOOK: Duration = Duration::from_secs(30);

/// What is known of the targets' addresses.
#[derive(Debug, Default)]
pub struct Health {
    next: Duration,
    /// When each address is asked next.
    due: BTreeMap<String, Duration>,
    /// Targets' addresses: they may ask whether we are there.
    known: BTreeSet<IpAddr>,
    /// Addresses that did not answer last time, or with 503.
    down: BTreeSet<String>,
}

impl Health {
    /// Whether a target is at this address.
    pub fn is_target(&self, ip: IpAddr) -> bool {
        self.known.contains(&ip)
    }

    /// Learns where a target is.
    pub fn learn(&mut self, at: SocketAddr) {
        self.known.insert(at.ip());
    }

    /// Whether each target of a flow is there, by name; those that are not asked are left out.
    pub fn targets_up(&self, flow: &Flow) -> BTreeMap<String, bool> {
        let asked = flow.targets.iter().filter(|target| target.ping_seconds > 0);
        asked
            .map(|target| {
                let up = target.addresses.iter().any(|uri| !self.down.contains(uri));
                (target.name.clone(), up)
            })
            .collect()
    }

    /// A target's addresses in the order to try them: those that are down come last, for they
    /// may be down to OPTIONS only.
    pub fn in_order(&self, addresses: &[String]) -> Vec<String> {
        let (up, down): (Vec<_>, Vec<_>) =
            addresses.iter().cloned().partition(|uri| !self.down.contains(uri));
        up.into_iter().chain(down).collect()
    }

    /// Whether a target is not worth a try: all of its addresses are down, and another target
    /// that is not may still take the call.
    pub fn passes_over(&self, call: &Live, target: TargetId) -> bool {
        let is_down = |id: TargetId| {
            let target = call.flow.targets.get(usize::from(id.0));
            target.is_some_and(|t| t.addresses.iter().all(|uri| self.down.contains(uri)))
        };
        let mut others = call.machine.iter().flat_map(|machine| machine.persons_besides(target));
        is_down(target) && others.any(|other| !is_down(other))
    }

    /// When the next round is due.
    pub fn poll_timeout(&self) -> Duration {
        self.next
    }
}

impl Switchboard {
    /// Asks each target's addresses as often as it says.
    pub(super) fn ping_targets(&mut self) {
        let now = self.now();
        if now < self.health.next {
            return;
        }
        let flows = self.snapshot.flows.iter().chain([&self.snapshot.no_flow]);
        let mut every = BTreeMap::new();
        for target in flows.flat_map(|flow| &flow.targets).filter(|t| t.ping_seconds > 0) {
            let seconds = Duration::from_secs(target.ping_seconds.into());
            every.extend(target.addresses.iter().map(|uri| (uri.clone(), seconds)));
        }
        self.health.due.retain(|uri, _| every.contains_key(uri));
        self.health.down.retain(|uri| every.contains_key(uri));
        let mut next = now + LOOK;
        for (uri, seconds) in every {
            let due = self.health.due.entry(uri.clone()).or_insert(now);
            if *due <= now {
                *due = now + seconds;
                next = next.min(*due);
                // One at a time: the end of an older one must not speak against a newer answer.
                if !self.pings.values().any(|asked| *asked == uri) {
                    self.find_target(uri);
                }
            } else {
                next = next.min(*due);
            }
        }
        self.health.next = next;
    }

    /// The address of a target's URI is known: ask it.
    pub(super) fn ping(&mut self, uri: String, found: Option<SocketAddr>) {
        let now = self.now();
        if let Some(at) = found {
            self.health.learn(at);
        }
        let flows = self.snapshot.flows.iter().chain([&self.snapshot.no_flow]);
        let of = flows.flat_map(|flow| &flow.targets).find(|t| t.addresses.contains(&uri));
        let transport = of.map_or("auto", |target| &target.transport);
        let path = found.and_then(|remote| ways(&self.wires, &uri, transport, false, remote).0);
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
