//! UDP ports for media: an even one for RTP, the odd one above it for RTCP (RFC 3550 §11).

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::net::{RecvFlags, recv};
use socket2::{Domain, Protocol, Socket, Type};

/// DSCP "expedited forwarding" (RFC 3246) in the place of the old TOS byte.
const EXPEDITED: u32 = 46 << 2;

/// Hands out port pairs from a range.
///
/// The kernel is the register of what is in use: a pair is reserved by binding it and free again
/// when its [`MediaPorts`] are dropped. So other programs in the range do no harm.
#[derive(Debug)]
pub struct PortPool {
    bind: IpAddr,
    first: u16,
    pairs: usize,
    /// The pair to try next; going round keeps a freed port unused for as long as possible, so
    /// that the late packets of an old call meet nobody.
    next: AtomicUsize,
}

/// No pair of the range is free.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no free media port pair among {pairs} on {bind}: {last}")]
pub struct NoPorts {
    /// The address that was tried.
    pub bind: IpAddr,
    /// How many pairs were tried.
    pub pairs: usize,
    /// What the kernel said about the last one.
    pub last: String,
}

impl PortPool {
    /// A pool of the pairs that lie wholly in `range`, on one local address.
    pub fn new(bind: IpAddr, range: RangeInclusive<u16>) -> Self {
        let first = range.start().saturating_add(range.start() % 2);
        let ports = usize::from(*range.end()).saturating_add(1).saturating_sub(first.into());
        Self { bind, first, pairs: ports / 2, next: AtomicUsize::new(0) }
    }

    /// How many pairs the range holds.
    pub fn pairs(&self) -> usize {
        self.pairs
    }

    /// The first and last port of the range that the kernel may lend to any program that asks for
    /// no port in particular; `None` when there is none. To be cured by writing the range to
    /// `net.ipv4.ip_local_reserved_ports`. Reads `/proc`.
    pub fn lent_by_kernel(&self) -> Option<(u16, u16)> {
        let read = |name| std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}"));
        let ephemeral = read("ip_local_port_range").ok()?;
        let reserved = read("ip_local_reserved_ports").unwrap_or_default();
        let last = usize::from(self.first) + 2 * self.pairs;
        lent(self.first..=last.checked_sub(1)? as u16, &ephemeral, &reserved)
    }

    /// Binds the next free pair; their queues are empty.
    ///
    /// # Errors
    /// None is free.
    pub fn reserve(&self) -> Result<MediaPorts, NoPorts> {
        let mut last = String::from("the range is empty");
        for _ in 0..self.pairs {
            let pair = self.next.fetch_add(1, Ordering::Relaxed) % self.pairs;
            match MediaPorts::bind(self.bind, self.first + 2 * pair as u16) {
                Ok(ports) => return Ok(ports),
                Err(error) => last = error.to_string(),
            }
        }
        Err(NoPorts { bind: self.bind, pairs: self.pairs, last })
    }
}

/// The span of `range` within the kernel's ephemeral ports (`"32768 60999"`) and outside its
/// reserved ones (`"8080,30000-39999"`).
fn lent(range: RangeInclusive<u16>, ephemeral: &str, reserved: &str) -> Option<(u16, u16)> {
    let mut ends = ephemeral.split_whitespace().map_while(|end| end.parse::<u16>().ok());
    let ephemeral = ends.next()?..=ends.next()?;
    let reserved: Vec<RangeInclusive<u16>> = reserved
        .trim()
        .split(',')
        .filter_map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
        })
        .collect();
    let mut lent =
        range.filter(|port| ephemeral.contains(port) && !reserved.iter().any(|r| r.contains(port)));
    let first = lent.next()?;
    Some((first, lent.next_back().unwrap_or(first)))
}

/// A bound pair of non-blocking sockets; dropping it frees the ports.
#[derive(Debug)]
pub struct MediaPorts {
    pub(crate) rtp: OwnedFd,
    pub(crate) rtcp: OwnedFd,
    address: IpAddr,
    rtp_port: u16,
}

impl MediaPorts {
    fn bind(address: IpAddr, rtp_port: u16) -> std::io::Result<Self> {
        let rtp = bind_udp(SocketAddr::new(address, rtp_port))?;
        let rtcp = bind_udp(SocketAddr::new(address, rtp_port + 1))?;
        Ok(Self { rtp, rtcp, address, rtp_port })
    }

    /// The port of RTP, even.
    pub fn rtp_port(&self) -> u16 {
        self.rtp_port
    }

    /// The port of RTCP.
    pub fn rtcp_port(&self) -> u16 {
        self.rtp_port + 1
    }

    /// The address that both are bound to.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Throws away what arrived while nobody listened: it belongs to an older call, or would be
    /// played in one burst.
    pub(crate) fn drain(&self) {
        let mut buffer = [0u8; 64];
        for socket in [&self.rtp, &self.rtcp] {
            // Bounded, for a sender faster than we are.
            for _ in 0..1_000 {
                if recv(socket, &mut buffer[..], RecvFlags::DONTWAIT).is_err() {
                    break;
                }
            }
        }
    }
}

fn bind_udp(address: SocketAddr) -> std::io::Result<OwnedFd> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // Marking is a wish; networks and containers may refuse it.
    let _ = match address {
        SocketAddr::V4(_) => socket.set_tos_v4(EXPEDITED),
        SocketAddr::V6(_) => socket.set_tclass_v6(EXPEDITED),
    };
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};

    use super::*;

    #[test]
    fn pairs_are_even_and_odd_and_an_occupied_one_is_skipped() {
        let pool = PortPool::new(own_address(), 24_401..=24_407);
        assert_eq!(pool.pairs(), 3);
        let _foreign = UdpSocket::bind((own_address(), 24_405)).unwrap();
        let first = pool.reserve().unwrap();
        let second = pool.reserve().unwrap();
        assert_eq!((first.rtp_port(), first.rtcp_port()), (24_402, 24_403));
        assert_eq!(second.rtp_port(), 24_406);
        let refused = pool.reserve().unwrap_err().to_string();
        assert!(refused.contains(&format!("3 on {}", own_address())), "{refused}");
    }

    #[test]
    fn a_dropped_pair_is_free_again() {
        let pool = PortPool::new(own_address(), 24_410..=24_411);
        for _ in 0..3 {
            assert_eq!(pool.reserve().unwrap().rtp_port(), 24_410);
        }
    }

    #[test]
    fn what_waited_before_the_session_is_drained() {
        let ports = PortPool::new(own_address(), 24_412..=24_413).reserve().unwrap();
        let sender = UdpSocket::bind((own_address(), 0)).unwrap();
        sender.send_to(b"stale", (own_address(), ports.rtp_port())).unwrap();
        ports.drain();
        let mut buffer = [0u8; 8];
        assert!(recv(&ports.rtp, &mut buffer[..], RecvFlags::DONTWAIT).is_err());
    }

    #[test]
    fn ports_that_the_kernel_may_lend_are_named() {
        let ephemeral = "32768\t60999\n";
        let cases = [
            (20_000..=29_999, "", None),
            (30_000..=39_999, "", Some((32_768, 39_999))),
            (30_000..=39_999, "30000-39999\n", None),
            (30_000..=39_999, "22,30000-34999", Some((35_000, 39_999))),
            (60_998..=65_535, "60998", Some((60_999, 60_999))),
            (32_768..=32_769, "32768,32769", None),
        ];
        for (range, reserved, expected) in cases {
            assert_eq!(lent(range.clone(), ephemeral, reserved), expected, "{range:?}, {reserved}");
        }
        assert_eq!(lent(1..=2, "", ""), None);
    }

    #[test]
    fn an_empty_range_gives_no_ports() {
        assert_eq!(PortPool::new(own_address(), 65_535..=65_535).reserve().unwrap_err().pairs, 0);
    }

    /// An address of the loopback network that no other test process uses.
    fn own_address() -> IpAddr {
        let [_, high, middle, low] = std::process::id().to_be_bytes();
        Ipv4Addr::new(127, 128 | (high & 0x3F), middle, low).into()
    }
}
