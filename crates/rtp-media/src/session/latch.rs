//! Which source a leg listens to, and where it sends (symmetric RTP).
//!
//! The SDP of a peer behind NAT names an address that nobody can reach, so the true source is
//! learnt. Not from anybody: a stranger's packet must not steal a call ("RTP bleed").

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Good packets in a row before another source than the signalled one is believed.
const PROBATION: u8 = 5;
/// A candidate silent for longer begins again.
const CANDIDATE_PAUSE: Duration = Duration::from_millis(200);

/// The source of a leg's media.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Latch {
    signalled: Option<SocketAddr>,
    locked: Option<SocketAddr>,
    candidate: Option<Candidate>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Candidate {
    from: SocketAddr,
    ssrc: u32,
    good: u8,
    last: Duration,
}

/// What is to be done with a good packet of some source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the source that we listen to.
    Accept,
    /// It has just become that source.
    Latched,
    /// It is not.
    Refuse,
}

impl Latch {
    /// Follows a new SDP: a changed address opens the lock, the same one changes nothing.
    pub fn signal(&mut self, remote: Option<SocketAddr>) {
        if self.signalled != remote {
            *self = Self { signalled: remote, locked: None, candidate: None };
        }
    }

    /// Where to send: to the source that we listen to, before that to the signalled address.
    pub fn target(&self) -> Option<SocketAddr> {
        self.locked.or(self.signalled)
    }

    /// The source that we listen to.
    pub fn locked(&self) -> Option<SocketAddr> {
        self.locked
    }

    /// Whether media comes from, or is still expected from, the address of the SDP.
    pub fn is_signalled(&self) -> bool {
        self.locked.is_none_or(|locked| self.signalled == Some(locked))
    }

    /// Judges the source of an RTP packet that is well-formed and of a payload type we agreed.
    /// No allocation; the usual case is one comparison.
    pub fn judge(
        &mut self,
        now: Duration,
        from: SocketAddr,
        ssrc: u32,
        nets: &[(IpAddr, u8)],
    ) -> Verdict {
        if self.locked == Some(from) {
            // A candidate counts only while the source is silent: an old stream that still flows
            // from another port of the same SBC must not win.
            self.candidate = None;
            return Verdict::Accept;
        }
        if self.signalled == Some(from) {
            return self.lock(from);
        }
        let may_move = self.locked.is_none_or(|locked| locked.ip() == from.ip());
        if !may_move || !is_within(from.ip(), nets) || !self.passes_probation(now, from, ssrc) {
            return Verdict::Refuse;
        }
        self.lock(from)
    }

    fn lock(&mut self, from: SocketAddr) -> Verdict {
        (self.locked, self.candidate) = (Some(from), None);
        Verdict::Latched
    }

    fn passes_probation(&mut self, now: Duration, from: SocketAddr, ssrc: u32) -> bool {
        let alive = |c: &&mut Candidate| now.saturating_sub(c.last) <= CANDIDATE_PAUSE;
        match self.candidate.as_mut().filter(alive) {
            Some(candidate) if (candidate.from, candidate.ssrc) == (from, ssrc) => {
                candidate.good += 1;
                candidate.last = now;
                candidate.good >= PROBATION
            }
            // One candidate at a time: whoever came first is not pushed out by noise.
            Some(_) => false,
            None => {
                self.candidate = Some(Candidate { from, ssrc, good: 1, last: now });
                false
            }
        }
    }
}

/// Whether an address lies in one of the networks; no networks means anywhere.
fn is_within(address: IpAddr, nets: &[(IpAddr, u8)]) -> bool {
    nets.is_empty() || nets.iter().any(|&(net, prefix)| contains(net, prefix, address))
}

fn contains(net: IpAddr, prefix: u8, address: IpAddr) -> bool {
    let (net, address, bits) = match (net, address) {
        (IpAddr::V4(net), IpAddr::V4(address)) => {
            (u128::from(net.to_bits()) << 96, u128::from(address.to_bits()) << 96, 32)
        }
        (IpAddr::V6(net), IpAddr::V6(address)) => (net.to_bits(), address.to_bits(), 128),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    let differing = (net ^ address).leading_zeros();
    differing >= u32::from(prefix.min(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNALLED: &str = "192.0.2.1:4000";

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// Packets of one source, 20 ms apart; the verdicts.
    fn hear(latch: &mut Latch, from: &str, count: u64, start_ms: u64) -> Vec<Verdict> {
        hear_within(latch, from, count, start_ms, &[])
    }

    fn hear_within(
        latch: &mut Latch,
        from: &str,
        count: u64,
        start_ms: u64,
        nets: &[(IpAddr, u8)],
    ) -> Vec<Verdict> {
        let at = |n| Duration::from_millis(start_ms + 20 * n);
        (0..count).map(|n| latch.judge(at(n), address(from), 1, nets)).collect()
    }

    fn signalled() -> Latch {
        let mut latch = Latch::default();
        latch.signal(Some(address(SIGNALLED)));
        latch
    }

    #[test]
    fn the_signalled_address_wins_at_once() {
        let mut latch = signalled();
        assert_eq!(latch.target(), Some(address(SIGNALLED)));
        assert_eq!(hear(&mut latch, SIGNALLED, 2, 0), [Verdict::Latched, Verdict::Accept]);
        assert_eq!(hear(&mut latch, "198.51.100.7:9", 20, 40), [Verdict::Refuse; 20]);
        assert_eq!(latch.locked(), Some(address(SIGNALLED)));
    }

    #[test]
    fn another_source_wins_after_five_good_packets_and_is_locked() {
        let mut latch = signalled();
        let verdicts = hear(&mut latch, "198.51.100.7:7000", 6, 0);
        assert_eq!(verdicts[..4], [Verdict::Refuse; 4]);
        assert_eq!(verdicts[4..], [Verdict::Latched, Verdict::Accept]);
        assert_eq!(latch.target(), Some(address("198.51.100.7:7000")));
        assert!(!latch.is_signalled());
        assert_eq!(hear(&mut latch, "203.0.113.9:7000", 50, 200), [Verdict::Refuse; 50]);
    }

    #[test]
    fn the_signalled_address_ends_a_probation() {
        let mut latch = signalled();
        hear(&mut latch, "198.51.100.7:7000", 4, 0);
        assert_eq!(hear(&mut latch, SIGNALLED, 1, 80), [Verdict::Latched]);
        assert_eq!(hear(&mut latch, "198.51.100.7:7000", 9, 100), [Verdict::Refuse; 9]);
    }

    #[test]
    fn slow_or_mixed_packets_pass_no_probation() {
        let mut latch = signalled();
        for n in 0..20 {
            let verdicts = hear(&mut latch, "198.51.100.7:7000", 1, 300 * n);
            assert_eq!(verdicts, [Verdict::Refuse]);
        }
    }

    #[test]
    fn a_new_port_at_the_same_address_moves_it_once_the_old_one_is_silent() {
        let mut latch = signalled();
        hear(&mut latch, SIGNALLED, 1, 0);
        for n in 1..30 {
            hear(&mut latch, "192.0.2.1:4002", 1, 20 * n);
            assert_eq!(hear(&mut latch, SIGNALLED, 1, 20 * n), [Verdict::Accept]);
        }
        let verdicts = hear(&mut latch, "192.0.2.1:4002", 5, 1_000);
        assert_eq!(verdicts.last(), Some(&Verdict::Latched));
    }

    #[test]
    fn only_a_changed_address_in_the_sdp_opens_the_lock() {
        let mut latch = signalled();
        hear(&mut latch, "198.51.100.7:7000", 5, 0);
        latch.signal(Some(address(SIGNALLED)));
        assert_eq!(latch.target(), Some(address("198.51.100.7:7000")), "same SDP again");
        latch.signal(Some(address("192.0.2.1:6000")));
        assert_eq!(latch.target(), Some(address("192.0.2.1:6000")));
        assert_eq!(hear(&mut latch, "192.0.2.1:6000", 1, 200), [Verdict::Latched]);
    }

    #[test]
    fn media_networks_bind_every_source_but_the_signalled() {
        let nets = [(IpAddr::from([198, 51, 100, 0]), 24)];
        let mut latch = signalled();
        let refused = hear_within(&mut latch, "203.0.113.9:7000", 9, 0, &nets);
        assert_eq!(refused, [Verdict::Refuse; 9]);
        let inside = hear_within(&mut latch, "198.51.100.99:7000", 5, 200, &nets);
        assert_eq!(inside.last(), Some(&Verdict::Latched));
        let mut latch = signalled();
        assert_eq!(hear_within(&mut latch, SIGNALLED, 1, 0, &nets), [Verdict::Latched]);
    }

    #[test]
    fn prefixes_are_compared_in_both_families() {
        let v6 = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(contains(v6("2001:db8::"), 32, v6("2001:db8:ffff::1")));
        assert!(!contains(v6("2001:db8::"), 32, v6("2001:db9::1")));
        assert!(contains(v6("10.0.0.0"), 0, v6("192.0.2.1")));
        assert!(!contains(v6("::"), 0, v6("192.0.2.1")));
    }
}
