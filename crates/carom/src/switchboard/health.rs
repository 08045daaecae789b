//! Whether targets are there: an OPTIONS to each of their addresses now and then.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ivr_runtime::{
    call::Few,
    flow::{
        model::{Flow, TargetId},
        way::AUTO,
    },
};
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
    /// What each address answered last.
    seen: BTreeMap<String, Seen>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Nothing, ever. Some drop OPTIONS and take calls all the same: it is tried like any other.
    Mute,
    Up,
    /// 503, or nothing any more.
    Down,
}

impl Health {
    /// Whether a target is at this address.
    pub fn is_target(&self, ip: IpAddr) -> bool {
        self.known.contains(&ip)
    }

    /// Learns where a target is; returns whether that is new.
    pub fn learn(&mut self, at: SocketAddr) -> bool {
        self.known.insert(at.ip())
    }

    /// Where all of them are.
    pub fn targets(&self) -> BTreeSet<IpAddr> {
        self.known.clone()
    }

    /// Whether each target of a flow is there, by name; those that nobody knows of are left out.
    pub fn targets_up(&self, flow: &Flow) -> Few<bool> {
        let told = flow.targets.iter().filter_map(|target| {
            let seen = || target.addresses.iter().map(|uri| self.seen.get(uri));
            let up = seen().any(|seen| seen == Some(&Seen::Up));
            let down = seen().all(|seen| seen == Some(&Seen::Down));
            (up || down).then(|| (target.name.clone(), up))
        });
        told.collect()
    }

    /// A target's addresses in the order to try them: those that are down come last, for they
    /// may be down to OPTIONS only.
    pub fn in_order(&self, addresses: &[String]) -> Vec<String> {
        let (up, down): (Vec<_>, Vec<_>) =
            addresses.iter().cloned().partition(|uri| !self.is_down(uri));
        up.into_iter().chain(down).collect()
    }

    /// Whether a target is not worth a try: all of its addresses are down, and another target
    /// that is there, as far as we know, may still take the call.
    pub fn passes_over(&self, call: &Live, target: TargetId) -> bool {
        let addresses = |id: TargetId| {
            let target = call.flow.targets.get(usize::from(id.0));
            target.into_iter().flat_map(|target| &target.addresses)
        };
        let mut others = call.machine.iter().flat_map(|machine| machine.persons_besides(target));
        let is_there = |uri| matches!(self.seen.get(uri), None | Some(Seen::Up));
        addresses(target).all(|uri| self.is_down(uri))
            && others.any(|other| addresses(other).any(is_there))
    }

    fn is_down(&self, uri: &str) -> bool {
        self.seen.get(uri) == Some(&Seen::Down)
    }

    /// Learns what an address answered; tells what is new.
    fn learn_answer(&mut self, uri: String, status: Option<u16>) {
        let before = self.seen.get(&uri).copied();
        let seen = match (status, before) {
            // Any other answer at all says that somebody is there; this one that nobody serves.
            (Some(503), _) | (None, Some(Seen::Up | Seen::Down)) => Seen::Down,
            (Some(_), _) => Seen::Up,
            (None, Some(Seen::Mute) | None) => Seen::Mute,
        };
        let up = if seen == Seen::Up { 1.0 } else { 0.0 };
        metrics::gauge!("carom_target_up", "address" => uri.clone()).set(up);
        match (before, seen) {
            (Some(Seen::Mute | Seen::Down), Seen::Up) => {
                tracing::info!(address = uri, "target answers again");
            }
            (None | Some(Seen::Up), Seen::Mute | Seen::Down) => {
                tracing::warn!(address = uri, "target does not answer OPTIONS");
            }
            (Some(Seen::Mute | Seen::Down), Seen::Mute | Seen::Down)
            | (None | Some(Seen::Up), Seen::Up) => {}
        }
        self.seen.insert(uri, seen);
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
        self.health.seen.retain(|uri, _| every.contains_key(uri));
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
            self.learn_target(at);
        }
        let transport = self.transport_of(&uri);
        let path = found.and_then(|remote| ways(&self.wires, &uri, transport, false, remote).0);
        let Some(path) = path else { return self.health.learn_answer(uri, None) };
        let ping = self.endpoint.options(now, &uri, path);
        self.pings.insert(ping, uri);
    }

    /// The `transport` of the target that has this address.
    pub(super) fn transport_of(&self, uri: &String) -> &str {
        let flows = self.snapshot.flows.iter().chain([&self.snapshot.no_flow]);
        let of = flows.flat_map(|flow| &flow.targets).find(|t| t.addresses.contains(uri));
        of.map_or(AUTO, |target| &target.transport)
    }

    pub(super) fn on_pong(&mut self, ping: PingId, status: Option<u16>) {
        if let Some(uri) = self.pings.remove(&ping) {
            self.health.learn_answer(uri, status);
        }
    }
}
