//! Two endpoints whose users call each other, hang up and change their minds at random.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use carom_sim::{Link, Net, Station, text::SDP};
use sip_stack::{
    endpoint::{Endpoint, Event, LegId, OutgoingInvite, ReofferMethod, Transport, TransportError},
    random::Random,
};

/// Calls start within this time.
const RUSH_MS: u64 = 10_000;
/// Nobody stays longer.
const LONGEST_MS: u64 = 60_000;
const HOUR: Duration = Duration::from_secs(3_600);

/// What a user does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Call {
        offer: bool,
        tcp: bool,
    },
    Ring(LegId),
    Answer(LegId),
    Reject(LegId),
    HangUp(LegId),
    Offer(LegId, ReofferMethod),
    Ask(LegId),
    Accept(LegId),
    Refuse(LegId),
    Acknowledge(LegId),
    Info(LegId),
    Restart,
    /// What waits for an answer by TCP is told that nobody takes it.
    RefuseTcp,
}

pub struct Crowd {
    pub net: Net,
    pub sides: [Station; 2],
    /// How often what happened.
    pub ends: BTreeMap<String, u64>,
    pub link_dies_at_ms: Option<u64>,
    /// All call by UDP, with requests so large that those of callees are to go by TCP.
    pub by_size: bool,
    random: Random,
    plan: BTreeMap<(Duration, u64), (usize, Act)>,
    planned: u64,
    /// When each leg ended for its user, in ms.
    lives: HashMap<(usize, LegId), Option<u64>>,
    /// The legs of each Call-ID.
    calls: HashMap<Arc<str>, BTreeSet<(usize, LegId)>>,
}

impl Crowd {
    pub fn new(link: Link, seed: u64) -> Self {
        let mut net = Net::over(link, seed);
        let sides = [net.endpoint("10.0.0.1:5060"), net.endpoint("10.0.0.2:5060")];
        Self {
            net,
            sides,
            ends: BTreeMap::new(),
            link_dies_at_ms: None,
            by_size: false,
            random: Random::new(seed ^ 0x5eed),
            plan: BTreeMap::new(),
            planned: 0,
            lives: HashMap::new(),
            calls: HashMap::new(),
        }
    }

    /// Makes so many calls, each side about half of them, and waits until all is quiet.
    pub fn call_each_other(&mut self, calls: usize) {
        for call in 0..calls {
            let (offer, tcp) = (!self.one_in(8), self.one_in(6) && !self.by_size);
            self.within(RUSH_MS, call % 2, Act::Call { offer, tcp });
        }
        for restart in 0..10 {
            self.within(RUSH_MS * 2, restart % 2, Act::Restart);
        }
        for refusal in 0..if self.by_size { 100 } else { 0 } {
            self.within(RUSH_MS * 2, refusal % 2, Act::RefuseTcp);
        }
        let mut quiet_since_ms = 0;
        loop {
            let next = self.plan.keys().next().map(|(at, _)| *at);
            let until = next.unwrap_or(Duration::from_millis(self.net.now_ms()) + HOUR);
            if self.net.step(until) {
                quiet_since_ms = self.net.now_ms();
                assert!(quiet_since_ms < 600_000, "it never ends");
            } else if let Some((_, (side, act))) = self.plan.pop_first() {
                self.act(side, act);
            } else {
                break;
            }
            if self.link_dies_at_ms.take_if(|at| self.net.now_ms() >= *at).is_some() {
                self.net.set_link(Link::lossy(1.0));
            }
            (0..2).for_each(|side| self.hear(side));
        }
        // The last hang-up, its BYE or CANCEL, and 64·T1 for what comes late.
        let limit_ms = RUSH_MS + LONGEST_MS + 2 * 32_000 + 1_000;
        assert!(quiet_since_ms < limit_ms, "quiet at {quiet_since_ms}");
    }

    pub fn assert_all_ended(&self) {
        for ((side, leg), ended) in &self.lives {
            assert!(ended.is_some(), "leg {leg} goes on{}", self.trace_of(*side, *leg));
        }
    }

    /// Nobody is left alone with a call that the other side has ended.
    pub fn assert_both_end_within(&self, ms: u64) {
        for (call, legs) in &self.calls {
            assert_eq!(legs.len(), 2, "{call}{}", self.net.trace_of(call));
            let ends: Vec<u64> = legs.iter().filter_map(|leg| self.lives[leg]).collect();
            let apart_ms = ends.iter().max().zip(ends.iter().min()).map_or(0, |(a, b)| a - b);
            assert!(apart_ms <= ms, "{call}: {ends:?}{}", self.net.trace_of(call));
        }
    }

    fn trace_of(&self, side: usize, leg: LegId) -> String {
        let call = self.calls.iter().find(|(_, legs)| legs.contains(&(side, leg)));
        call.map(|(call, _)| self.net.trace_of(call)).unwrap_or_default()
    }

    fn act(&mut self, side: usize, act: Act) {
        let station = self.sides[side];
        if let Act::Call { offer, tcp } = act {
            return self.call(side, offer, tcp);
        }
        if act == Act::Restart {
            let saved = serde_json::to_string(self.net.see(station)).expect("plain data");
            let restored: Endpoint = serde_json::from_str(&saved).expect("as it was saved");
            return self.net.replace(station, restored);
        }
        if act == Act::RefuseTcp {
            let path = self.net.path(Transport::Tcp, station, self.sides[1 - side]);
            return self.net.fail(station, path, TransportError::Refused);
        }
        let sdp = Bytes::from_static(SDP.as_bytes());
        self.net.with(station, |endpoint, now| match act {
            Act::Ring(leg) => endpoint.ring(now, leg, 180, None, Vec::new()),
            Act::Answer(leg) => endpoint.answer(now, leg, sdp, Vec::new()),
            Act::Reject(leg) => endpoint.reject(now, leg, 486, None, Vec::new()),
            Act::HangUp(leg) => endpoint.hang_up(now, leg, None),
            Act::Offer(leg, method) => {
                // One under way is no mistake of the user's.
                let _ = endpoint.reoffer(now, leg, Some(sdp), method);
            }
            Act::Ask(leg) => {
                let _ = endpoint.reoffer(now, leg, None, ReofferMethod::Invite);
            }
            Act::Accept(leg) => endpoint.accept_offer(now, leg, sdp),
            Act::Refuse(leg) => endpoint.refuse_offer(now, leg, 488),
            Act::Acknowledge(leg) => endpoint.acknowledge(now, leg, sdp),
            Act::Info(leg) => endpoint.info(now, leg, "application/dtmf-relay", b"Signal=1"),
            Act::Call { .. } | Act::Restart | Act::RefuseTcp => {}
        });
    }

    fn call(&mut self, side: usize, offer: bool, tcp: bool) {
        let (station, other) = (self.sides[side], self.sides[1 - side]);
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        let path = self.net.path(transport, station, other);
        // In each request of either side.
        let long = "x".repeat(if self.by_size { 1_200 } else { 1 });
        let invite = OutgoingInvite {
            request_uri: format!("sip:100@{}", path.remote),
            to: format!("<sip:100@{}>", path.remote),
            from: format!("\"{long}\" <sip:200@{}>", path.local),
            path,
            fallback_path: None,
            headers: Vec::new(),
            sdp: offer.then(|| Bytes::from_static(SDP.as_bytes())),
            max_forwards: 70,
            takes_refer: false,
            auth: None,
        };
        let leg = self.net.with(station, |endpoint, now| endpoint.invite(now, invite));
        self.begins(side, leg);
        if self.one_in(3) {
            self.within(6_000, side, Act::HangUp(leg));
        }
    }

    fn begins(&mut self, side: usize, leg: LegId) {
        assert!(self.lives.insert((side, leg), None).is_none(), "a leg begins once");
        self.after(LONGEST_MS, side, Act::HangUp(leg));
    }

    /// A callee makes up its mind.
    fn rings(&mut self, side: usize, leg: LegId) {
        self.begins(side, leg);
        if !self.one_in(4) {
            self.within(300, side, Act::Ring(leg));
        }
        match self.random.number() % 8 {
            0 => {}
            1 => self.within(3_000, side, Act::Reject(leg)),
            2 => self.within(6_000, side, Act::HangUp(leg)),
            _ => self.within(5_000, side, Act::Answer(leg)),
        }
        self.talks(side, leg);
    }

    /// What may happen from now on, whether there is a conversation or not.
    fn talks(&mut self, side: usize, leg: LegId) {
        if self.one_in(2) {
            self.within(20_000, side, Act::HangUp(leg));
        }
        let methods = [ReofferMethod::Invite, ReofferMethod::Update];
        for act in [
            Act::Offer(leg, methods[0]),
            Act::Offer(leg, methods[1]),
            Act::Ask(leg),
            Act::Info(leg),
        ] {
            if self.one_in(3) {
                self.within(10_000, side, act);
            }
        }
    }

    fn hear(&mut self, side: usize) {
        for (_, event) in self.net.events(self.sides[side]) {
            let how = match &event {
                Event::Wire { leg: Some(leg), summary, .. } => {
                    let legs = self.calls.entry(Arc::clone(&summary.call_id)).or_default();
                    legs.insert((side, *leg));
                    continue;
                }
                Event::Wire { leg: None, .. }
                | Event::Dropped { .. }
                | Event::HopLost { .. }
                | Event::Unheard { .. }
                | Event::Shed { .. } => continue,
                Event::Incoming { leg, .. } => {
                    if self.by_size {
                        let station = self.sides[side];
                        self.net.with(station, |endpoint, _| endpoint.prefer_by_size(*leg));
                    }
                    self.rings(side, *leg);
                    continue;
                }
                Event::Answered { leg, .. } => {
                    self.talks(side, *leg);
                    self.within(200, side, Act::Acknowledge(*leg));
                    self.heard(side, *leg, "answered")
                }
                Event::Offer { leg, .. } => {
                    let refuses = self.one_in(8);
                    let act = if refuses { Act::Refuse(*leg) } else { Act::Accept(*leg) };
                    self.within(400, side, act);
                    self.heard(side, *leg, "offer")
                }
                Event::OfferAnswered { leg, .. } => {
                    self.within(200, side, Act::Acknowledge(*leg));
                    self.heard(side, *leg, "offer answered")
                }
                Event::Cancelled { leg, .. } => self.ends_now(side, *leg, "cancelled"),
                Event::Failed { leg, .. } => self.ends_now(side, *leg, "failed"),
                Event::Ended { leg, by, .. } => {
                    self.ends_now(side, *leg, &format!("ended by {by:?}"))
                }
                Event::Established { leg, .. } => self.heard(side, *leg, "established"),
                Event::Progress { leg, .. } => self.heard(side, *leg, "progress"),
                Event::Info { leg, .. } => self.heard(side, *leg, "info"),
                Event::Referred { .. } => unreachable!("nobody refers here"),
                Event::Pong { .. } => continue,
            };
            *self.ends.entry(how).or_insert(0) += 1;
        }
    }

    /// Something of a leg, which must not have ended.
    fn heard(&self, side: usize, leg: LegId, what: &str) -> String {
        let ended = self.lives.get(&(side, leg));
        assert_eq!(ended, Some(&None), "{what} of {leg}{}", self.trace_of(side, leg));
        what.to_owned()
    }

    fn ends_now(&mut self, side: usize, leg: LegId, how: &str) -> String {
        let how = self.heard(side, leg, how);
        self.lives.insert((side, leg), Some(self.net.now_ms()));
        how
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.random.number().is_multiple_of(of)
    }

    fn within(&mut self, ms: u64, side: usize, act: Act) {
        let after_ms = self.random.number() % (ms + 1);
        self.after(after_ms, side, act);
    }

    fn after(&mut self, ms: u64, side: usize, act: Act) {
        self.planned += 1;
        let at = Duration::from_millis(self.net.now_ms() + ms);
        self.plan.insert((at, self.planned), (side, act));
    }
}
