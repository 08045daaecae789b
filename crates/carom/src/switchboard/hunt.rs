//! Trying a target's addresses in order until one answers, is busy, or all have failed.
//!
//! Plain state: inputs and the time go in, what to do next comes out. The next address is tried
//! after `no_reply_ms` without any provisional response, and at once on 408, 500, 502, 503, 504,
//! ICMP and refused connections; never on 480, 486 or 603, which are the target's own word.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

/// How long a name look-up may take before the next address is tried.
const RESOLVE: Duration = Duration::from_secs(2);
/// Final responses that say the address, not the called party, failed.
const REROUTE: [u16; 5] = [408, 500, 502, 503, 504];

/// What the switchboard does next for this target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// Look up this SIP URI's host, then call [`Hunt::resolved`].
    Resolve(String),
    /// Send the INVITE to the address just resolved.
    Invite,
    /// Give up the INVITE that is out.
    Cancel,
    /// The hunt is over.
    Over(Ending),
}

/// How a hunt ended without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// 486 or 600.
    Busy(u16),
    /// It rang for `ring_seconds`, or answered 480, or 408 after ringing.
    NoAnswer(u16),
    /// Anything else; the last final response, if one came.
    Failed(Option<u16>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Resolving { deadline: Duration },
    Calling { no_reply: Duration, ring: Duration },
    Ringing { ring: Duration },
    Over,
}

/// One forward's way through the addresses of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hunt {
    addresses: Vec<String>,
    at: usize,
    /// Where the INVITE goes, and what else the look-up of this URI gave.
    remote: Option<SocketAddr>,
    others: VecDeque<SocketAddr>,
    no_reply: Duration,
    ring: Duration,
    last_status: Option<u16>,
    state: State,
}

impl Hunt {
    /// Begins with the first address. `addresses` are SIP URIs; an empty list is over at once.
    #[must_use]
    pub fn start(
        now: Duration,
        addresses: Vec<String>,
        no_reply: Duration,
        ring: Duration,
    ) -> (Self, Act) {
        let mut hunt = Self {
            addresses,
            at: 0,
            remote: None,
            others: VecDeque::new(),
            no_reply,
            ring,
            last_status: None,
            state: State::Over,
        };
        let act = hunt.begin(now);
        (hunt, act)
    }

    /// The SIP URI being tried.
    #[must_use]
    pub fn address(&self) -> &str {
        self.addresses.get(self.at).map_or("", String::as_str)
    }

    /// Where the INVITE of [`Act::Invite`] goes.
    #[must_use]
    pub fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// The look-up asked for by [`Act::Resolve`] ended; all that it found is tried in order.
    pub fn resolved(&mut self, now: Duration, found: Vec<SocketAddr>) -> Vec<Act> {
        match self.state {
            State::Resolving { .. } => {
                self.others = found.into();
                self.next(now)
            }
            State::Calling { .. } | State::Ringing { .. } | State::Over => Vec::new(),
        }
    }

    /// The INVITE goes by TCP first and by UDP after `more`: silence counts from then on.
    pub fn allow(&mut self, more: Duration) {
        if let State::Calling { no_reply, .. } = &mut self.state {
            *no_reply += more;
        }
    }

    /// A provisional response came. 100 shows that the address is alive, 18x that it rings.
    pub fn provisional(&mut self, _now: Duration, _status: u16) {
        if let State::Calling { ring, .. } = self.state {
            self.state = State::Ringing { ring };
        }
    }

    /// A 2xx came: the hunt has done its work.
    pub fn answered(&mut self) {
        self.state = State::Over;
    }

    /// The INVITE failed: with a final response, or with `None` by transport or time-out.
    pub fn failed(&mut self, now: Duration, status: Option<u16>) -> Vec<Act> {
        let rang = matches!(self.state, State::Ringing { .. });
        self.last_status = status.or(self.last_status);
        match (self.state, status) {
            (State::Resolving { .. } | State::Over, _) => Vec::new(),
            (_, Some(code @ (486 | 600))) => self.over(Ending::Busy(code)),
            (_, Some(480)) => self.over(Ending::NoAnswer(480)),
            (_, Some(408)) if rang => self.over(Ending::NoAnswer(408)),
            (_, Some(code)) if !REROUTE.contains(&code) => self.over(Ending::Failed(Some(code))),
            (State::Calling { .. } | State::Ringing { .. }, _) => self.next(now),
        }
    }

    /// When [`Hunt::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        match self.state {
            State::Resolving { deadline } => Some(deadline),
            State::Calling { no_reply, ring } => Some(no_reply.min(ring)),
            State::Ringing { ring } => Some(ring),
            State::Over => None,
        }
    }

    /// A deadline may have passed; early calls are harmless.
    pub fn handle_timeout(&mut self, now: Duration) -> Vec<Act> {
        match self.state {
            State::Resolving { deadline } if now >= deadline => self.next(now),
            State::Calling { ring, .. } | State::Ringing { ring } if now >= ring => {
                let mut acts = vec![Act::Cancel];
                acts.extend(self.over(Ending::NoAnswer(408)));
                acts
            }
            State::Calling { no_reply, .. } if now >= no_reply => {
                let mut acts = vec![Act::Cancel];
                acts.extend(self.next(now));
                acts
            }
            State::Resolving { .. }
            | State::Calling { .. }
            | State::Ringing { .. }
            | State::Over => Vec::new(),
        }
    }

    fn begin(&mut self, now: Duration) -> Act {
        if let Some(address) = self.addresses.get(self.at) {
            self.state = State::Resolving { deadline: now + RESOLVE };
            Act::Resolve(address.clone())
        } else {
            self.state = State::Over;
            Act::Over(Ending::Failed(self.last_status))
        }
    }

    fn next(&mut self, now: Duration) -> Vec<Act> {
        self.remote = self.others.pop_front();
        if self.remote.is_some() {
            self.state = State::Calling { no_reply: now + self.no_reply, ring: now + self.ring };
            return vec![Act::Invite];
        }
        self.at += 1;
        vec![self.begin(now)]
    }

    fn over(&mut self, ending: Ending) -> Vec<Act> {
        self.state = State::Over;
        vec![Act::Over(ending)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn the_next_address_is_tried_after_silence_and_the_first_is_cancelled() {
        let mut hunt = two_addresses();
        assert_eq!(hunt.handle_timeout(S(2)), vec![], "not yet");
        assert_eq!(hunt.handle_timeout(S(3)), vec![Act::Cancel, Act::Resolve("sip:b".into())]);
        assert_eq!(hunt.resolved(S(3), vec![at(1)]), vec![Act::Invite]);
        assert_eq!(hunt.remote(), Some(at(1)));
    }

    #[test]
    fn all_addresses_of_a_name_are_tried_before_the_next_name() {
        let (mut hunt, _) = Hunt::start(S(0), vec!["sip:a".into(), "sip:b".into()], S(3), S(45));
        assert_eq!(hunt.resolved(S(0), vec![at(1), at(2), at(3)]), vec![Act::Invite]);
        assert_eq!(hunt.failed(S(1), None), vec![Act::Invite]);
        assert_eq!((hunt.remote(), hunt.address()), (Some(at(2)), "sip:a"));
        assert_eq!(hunt.handle_timeout(S(4)), vec![Act::Cancel, Act::Invite]);
        assert_eq!(hunt.remote(), Some(at(3)));
        assert_eq!(hunt.failed(S(5), Some(503)), vec![Act::Resolve("sip:b".into())]);
        assert_eq!(hunt.resolved(S(5), vec![at(4)]), vec![Act::Invite]);
        assert_eq!(hunt.remote(), Some(at(4)));
    }

    #[test]
    fn a_trying_stops_the_silence_timer_but_not_the_ring_timer() {
        let mut hunt = two_addresses();
        hunt.provisional(S(1), 100);
        assert_eq!(hunt.handle_timeout(S(4)), vec![]);
        assert_eq!(hunt.handle_timeout(S(45)), vec![Act::Cancel, Act::Over(Ending::NoAnswer(408))]);
    }

    #[test]
    fn only_failures_of_the_address_lead_to_the_next_one() {
        for code in [408, 500, 502, 503, 504] {
            let acts = two_addresses().failed(S(1), Some(code));
            assert_eq!(acts, vec![Act::Resolve("sip:b".into())], "{code}");
        }
        for (code, ending) in [
            (486, Ending::Busy(486)),
            (600, Ending::Busy(600)),
            (480, Ending::NoAnswer(480)),
            (603, Ending::Failed(Some(603))),
            (404, Ending::Failed(Some(404))),
            (302, Ending::Failed(Some(302))),
        ] {
            assert_eq!(two_addresses().failed(S(1), Some(code)), vec![Act::Over(ending)], "{code}");
        }
        assert_eq!(two_addresses().failed(S(1), None), vec![Act::Resolve("sip:b".into())]);
    }

    #[test]
    fn a_408_after_ringing_is_no_answer() {
        let mut hunt = two_addresses();
        hunt.provisional(S(1), 180);
        assert_eq!(hunt.failed(S(2), Some(408)), vec![Act::Over(Ending::NoAnswer(408))]);
    }

    #[test]
    fn when_all_addresses_failed_the_last_status_is_told() {
        let mut hunt = two_addresses();
        hunt.failed(S(1), Some(503));
        assert_eq!(hunt.resolved(S(1), Vec::new()), vec![Act::Over(Ending::Failed(Some(503)))]);
        assert_eq!(hunt.poll_timeout(), None);
    }

    #[test]
    fn a_path_that_falls_back_is_waited_for_longer() {
        let mut hunt = two_addresses();
        hunt.allow(S(3));
        assert_eq!(hunt.handle_timeout(S(3)), vec![]);
        assert_eq!(hunt.handle_timeout(S(6)), vec![Act::Cancel, Act::Resolve("sip:b".into())]);
    }

    #[test]
    fn a_dead_name_server_does_not_hold_the_caller() {
        let (mut hunt, act) = Hunt::start(S(0), vec!["sip:a".into()], S(3), S(45));
        assert_eq!(act, Act::Resolve("sip:a".into()));
        assert_eq!(hunt.poll_timeout(), Some(RESOLVE));
        assert_eq!(hunt.handle_timeout(RESOLVE), vec![Act::Over(Ending::Failed(None))]);
    }

    fn two_addresses() -> Hunt {
        let (mut hunt, _) = Hunt::start(S(0), vec!["sip:a".into(), "sip:b".into()], S(3), S(45));
        hunt.resolved(S(0), vec![at(0)]);
        hunt
    }

    fn at(n: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, n], 5060))
    }
}
