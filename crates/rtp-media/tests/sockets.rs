//! The media workers with real sockets on loopback.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::{check_event, digit, prompt};
use rtcp_types::{Compound, Packet};
use rtp_media::Law;
use rtp_media::ports::PortPool;
use rtp_media::session::{KeyRelay, MediaEvent, SessionId, StreamConfig};
use rtp_media::worker::{Command, MediaConfig, MediaPool, SendError};

/// Nobody waits for longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// An address of the loopback network that no other test process uses.
fn own_address() -> IpAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 | (high & 0x3F), middle, low).into()
}

/// A node's media: workers, ports, and what they report.
struct Media {
    pool: MediaPool,
    ports: PortPool,
    events: Receiver<MediaEvent>,
}

impl Media {
    fn start(workers: usize) -> Self {
        let (sender, events) = channel();
        // Events that come while the test ends find nobody.
        let sink = Box::new(move |event| drop(sender.send(event)));
        let pool =
            MediaPool::start(MediaConfig { workers, ..MediaConfig::default() }, sink).unwrap();
        Self { pool, ports: PortPool::new(own_address(), 30_000..=30_099), events }
    }

    /// Opens a leg towards a phone; returns where its RTP arrives.
    fn open(&self, near: Option<SessionId>, phone: &Phone, law: Law) -> (SessionId, SocketAddr) {
        let ports = self.ports.reserve().unwrap();
        let here = SocketAddr::new(ports.address(), ports.rtp_port());
        let id = self.pool.allocate(near);
        self.send(id, Command::Open { ports, ssrc: 0xA0 + id.0 as u32, seq: 65_530, timestamp: 7 });
        let config = StreamConfig::new(phone.address(), law).with_events(101);
        self.send(id, Command::Configure(Box::new(config)));
        (id, here)
    }

    fn send(&self, id: SessionId, command: Command) {
        self.pool.send(id, command).unwrap();
    }

    /// Waits for an event.
    fn wait<T>(&self, wanted: impl Fn(MediaEvent) -> Option<T>) -> T {
        loop {
            let event = self.events.recv_timeout(PATIENCE).expect("the event comes");
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    }

    fn wait_closed(&self) -> SessionId {
        self.wait(|event| match event {
            MediaEvent::Closed { session, .. } => Some(session),
            _ => None,
        })
    }
}

/// A phone's RTP socket, and its RTCP socket above it.
struct Phone {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    seq: u16,
}

impl Phone {
    fn new() -> Self {
        let ip = own_address();
        for _ in 0..100 {
            let rtp = UdpSocket::bind((ip, 0)).unwrap();
            let above = rtp.local_addr().unwrap().port().checked_add(1);
            let rtcp = above.and_then(|port| UdpSocket::bind((ip, port)).ok());
            if let Some(rtcp) = rtcp {
                rtp.set_read_timeout(Some(PATIENCE)).unwrap();
                rtcp.set_read_timeout(Some(PATIENCE)).unwrap();
                return Self { rtp, rtcp, seq: 0 };
            }
        }
        panic!("no two ports in a row are free");
    }

    fn address(&self) -> SocketAddr {
        self.rtp.local_addr().unwrap()
    }

    fn send(&mut self, to: SocketAddr, payload: &[u8]) {
        self.send_as(to, 8, 160 * u32::from(self.seq), payload);
    }

    fn send_as(&mut self, to: SocketAddr, pt: u8, timestamp: u32, payload: &[u8]) {
        let mut header = [0; 12];
        rtp_media::rtp::write_header(&mut header, false, pt, self.seq, timestamp, 0xB0);
        self.seq = self.seq.wrapping_add(1);
        self.rtp.send_to(&[&header[..], payload].concat(), to).unwrap();
    }

    /// Presses a key: a start, and its end three times.
    fn press(&mut self, to: SocketAddr, c: char) {
        let timestamp = 160 * u32::from(self.seq);
        for (end, duration) in [(false, 160), (true, 800), (true, 800), (true, 800)] {
            let payload = dtmf_detector::event_payload(digit(c), end, 10, duration);
            self.send_as(to, 101, timestamp, &payload);
        }
    }

    /// The next packet that it hears, and from where.
    fn hear(&self) -> (common::Heard, SocketAddr) {
        let mut buffer = [0; 2_048];
        let (length, from) = self.rtp.recv_from(&mut buffer).expect("audio comes");
        (common::Heard { at_ms: 0, bytes: buffer[..length].to_vec() }, from)
    }

    fn hear_until(&self, wanted: impl Fn(&common::Heard) -> bool) -> common::Heard {
        // Ten seconds of packets.
        (0..500).map(|_| self.hear().0).find(|packet| wanted(packet)).expect("it is heard")
    }
}

#[test]
fn ports_are_even_within_the_range_and_not_those_of_others() {
    let ip = own_address();
    let pool = PortPool::new(ip, 30_001..=30_011);
    assert_eq!(pool.pairs(), 5, "30002 to 30010");
    // Others hold an RTP port and an RTCP port.
    let others = [30_004, 30_009].map(|port| UdpSocket::bind((ip, port)).unwrap());
    let pairs: Vec<_> = (0..3).map(|_| pool.reserve().unwrap()).collect();
    let mut ports: Vec<u16> = pairs.iter().map(rtp_media::ports::MediaPorts::rtp_port).collect();
    ports.sort_unstable();
    assert_eq!(ports, [30_002, 30_006, 30_010]);
    let refused = pool.reserve().unwrap_err();
    assert_eq!(refused.pairs, 5);
    assert!(refused.to_string().contains("in use"), "{refused}");
    // What is free again is found again.
    drop(others);
    drop(pairs);
    let all: Vec<_> = (0..5).map(|_| pool.reserve().unwrap()).collect();
    assert!(pool.reserve().is_err());
    drop(all);
}

/// Calls that arrive at once, while another program takes ports of the range and lets them go.
#[test]
fn a_race_for_ports_gives_each_its_own() {
    let ip = own_address();
    let pool = PortPool::new(ip, 30_000..=30_127);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let stopped = || stop.load(std::sync::atomic::Ordering::Relaxed);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stopped() {
                for port in 30_000..30_128 {
                    drop(UdpSocket::bind((ip, port)));
                }
            }
        });
        let takers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let held: Vec<_> = (0..12).map(|_| pool.reserve().unwrap()).collect();
                        let mut ports: Vec<u16> = held.iter().map(|pair| pair.rtp_port()).collect();
                        ports.sort_unstable();
                        assert!(ports.windows(2).all(|pair| pair[0] != pair[1]));
                        assert!(ports.iter().all(|port| port % 2 == 0));
                    }
                })
            })
            .collect();
        let results: Vec<_> = takers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(results.iter().all(Result::is_ok));
    });
}

/// A port of an old call still gets that call's packets when a new one opens it.
#[test]
fn a_stale_stream_on_a_reused_port_is_not_heard() {
    let media = Media::start(1);
    let mut old = Phone::new();
    let ports = media.ports.reserve().unwrap();
    let here = SocketAddr::new(ports.address(), ports.rtp_port());
    for _ in 0..50 {
        old.send(here, &[0x77; 160]);
    }
    let id = media.pool.allocate(None);
    media.send(id, Command::Open { ports, ssrc: 1, seq: 1, timestamp: 1 });
    // The old phone is even the signalled address: only what comes from now on counts.
    let config = StreamConfig::new(old.address(), Law::Pcma);
    media.send(id, Command::Configure(Box::new(config)));
    old.hear();
    media.send(id, Command::Close);
    let received = media.wait(|event| match event {
        MediaEvent::Closed { stats, .. } => Some(stats.received_packets),
        _ => None,
    });
    assert_eq!(received, 0);
}

#[test]
fn a_prompt_is_heard_and_a_key_stops_it() {
    let media = Media::start(1);
    let mut phone = Phone::new();
    let (id, here) = media.open(None, &phone, Law::Pcma);
    media.send(
        id,
        Command::Play { id: 5, items: vec![prompt(800_000, 0x11)], barge_in: true, repeat: false },
    );
    let first = phone.hear_until(|packet| packet.is_all(0x11));
    let (second, from) = phone.hear();
    assert_eq!(from, here, "RTP comes from where it is expected");
    assert_eq!(second.timestamp(), first.timestamp().wrapping_add(160));
    phone.press(here, '9');
    let key = media.wait(|event| match event {
        MediaEvent::KeyUp { digit, duration_ms, .. } => Some((digit.as_char(), duration_ms)),
        _ => None,
    });
    assert_eq!(key, ('9', 100));
    let silence = phone.hear_until(|packet| packet.is_all(Law::Pcma.silence()));
    let (next, _) = phone.hear();
    assert!(next.is_all(Law::Pcma.silence()) && !next.marker());
    assert_eq!(next.seq(), silence.seq().wrapping_add(1));
}

#[test]
fn a_bridge_carries_audio_and_keys_both_ways() {
    let media = Media::start(2);
    let (mut caller, mut agent) = (Phone::new(), Phone::new());
    let (one, one_at) = media.open(None, &caller, Law::Pcma);
    let (two, two_at) = media.open(Some(one), &agent, Law::Pcma);
    media.send(one, Command::Bridge { peer: two, keys: KeyRelay::Rfc4733 });
    for _ in 0..3 {
        talk(&mut caller, one_at, 0x21, &agent);
        talk(&mut agent, two_at, 0x22, &caller);
    }
    caller.press(one_at, '4');
    agent.press(two_at, '6');
    for (phone, event) in [(&agent, 4), (&caller, 6)] {
        let first = phone.hear_until(common::Heard::is_event);
        let mut whole = vec![first];
        while whole.iter().filter(|packet| packet.payload()[1] & 0x80 != 0).count() < 3 {
            whole.push(phone.hear_until(common::Heard::is_event));
        }
        for (n, packet) in whole.iter_mut().enumerate() {
            packet.at_ms = 20 * n as u64;
        }
        assert_eq!(whole[0].payload()[0], event);
        check_event(&whole.iter().collect::<Vec<_>>());
    }
    media.send(one, Command::Unbridge);
    caller.hear_until(|packet| packet.is_all(Law::Pcma.silence()));
}

/// One phone talks until another hears it: a packet whenever that hears one, which is as often
/// as a phone sends.
fn talk(from: &mut Phone, to: SocketAddr, byte: u8, heard_by: &Phone) {
    let heard = (0..500).any(|_| {
        from.send(to, &[byte; 160]);
        heard_by.hear().0.is_all(byte)
    });
    assert!(heard, "{byte:#x} is heard");
}

#[test]
fn a_bridge_across_workers_is_refused() {
    let media = Media::start(2);
    let phone = Phone::new();
    let (one, _) = media.open(None, &phone, Law::Pcma);
    let (two, _) = media.open(None, &phone, Law::Pcma);
    let bridge = Command::Bridge { peer: two, keys: KeyRelay::Off };
    assert_eq!(media.pool.send(one, bridge), Err(SendError::OtherWorker));
}

#[test]
fn audio_goes_to_where_a_phone_behind_nat_really_is() {
    let media = Media::start(1);
    let signalled = Phone::new();
    let mut real = Phone::new();
    let (_, here) = media.open(None, &signalled, Law::Pcma);
    signalled.hear();
    for _ in 0..5 {
        real.send(here, &[0x21; 160]);
    }
    real.hear();
    let from = media.wait(|event| match event {
        MediaEvent::Latched { from, signalled, .. } => Some((from, signalled)),
        _ => None,
    });
    assert_eq!(from, (real.address(), false));
}

#[test]
fn closing_says_goodbye_and_leaves_nothing() {
    let media = Media::start(2);
    let phones: Vec<Phone> = (0..40).map(|_| Phone::new()).collect();
    for round in 0..3 {
        let legs: Vec<_> =
            phones.iter().map(|phone| media.open(None, phone, Law::Pcmu).0).collect();
        for (phone, &leg) in phones.iter().zip(&legs) {
            phone.hear_until(|packet| packet.ssrc() == 0xA0 + leg.0 as u32);
        }
        assert_eq!(media.pool.sessions(), 40, "round {round}");
        legs.iter().for_each(|&leg| media.send(leg, Command::Close));
        let mut closed: Vec<_> = legs.iter().map(|_| media.wait_closed()).collect();
        closed.sort_unstable();
        assert_eq!(closed, legs);
        for (phone, leg) in phones.iter().zip(&legs) {
            assert_eq!(goodbye(phone), 0xA0 + leg.0 as u32);
        }
        // The gauge follows the event by a few instructions.
        for _ in 0..1_000 {
            if media.pool.sessions() == 0 {
                break;
            }
            std::thread::yield_now();
        }
        assert_eq!(media.pool.sessions(), 0, "round {round}");
        // Each pair of the range can be had again.
        let all: Vec<_> = (0..50).map(|_| media.ports.reserve().unwrap()).collect();
        drop(all);
    }
}

/// The source that the next RTCP goodbye names.
fn goodbye(phone: &Phone) -> u32 {
    let mut buffer = [0; 512];
    loop {
        let (length, _) = phone.rtcp.recv_from(&mut buffer).expect("a goodbye comes");
        let packets = Compound::parse(&buffer[..length]).unwrap();
        for packet in packets {
            if let Packet::Bye(bye) = packet.unwrap() {
                return bye.ssrcs().next().unwrap();
            }
        }
    }
}

#[test]
fn ending_the_pool_ends_every_leg() {
    let media = Media::start(2);
    let phones: Vec<Phone> = (0..5).map(|_| Phone::new()).collect();
    for phone in &phones {
        media.open(None, phone, Law::Pcmu);
        phone.hear();
    }
    let Media { pool, events, .. } = media;
    drop(pool);
    let closed = events.iter().filter(|event| matches!(event, MediaEvent::Closed { .. })).count();
    assert_eq!(closed, 5);
    phones.iter().for_each(|phone| assert!(goodbye(phone) >= 0xA0));
}

/// Whoever hangs up first, on a bridge: the other leg lives on.
#[test]
fn a_closed_leg_of_a_bridge_leaves_the_other_alive() {
    let media = Media::start(1);
    let (caller, agent) = (Phone::new(), Phone::new());
    for round in 0..4 {
        let (one, _) = media.open(None, &caller, Law::Pcma);
        let (two, _) = media.open(Some(one), &agent, Law::Pcma);
        media.send(one, Command::Bridge { peer: two, keys: KeyRelay::Rfc4733 });
        let (first, last) = if round % 2 == 0 { (two, one) } else { (one, two) };
        let (phone, mark) = if last == one { (&caller, 0x15) } else { (&agent, 0x16) };
        media.send(first, Command::Close);
        media.send(
            last,
            Command::Play {
                id: 1,
                items: vec![prompt(1_600, mark)],
                barge_in: false,
                repeat: false,
            },
        );
        phone.hear_until(|packet| packet.is_all(mark));
        media.send(last, Command::Close);
        assert_eq!([media.wait_closed(), media.wait_closed()], [first, last]);
    }
}

/// What is not RTP, from anyone, does not disturb.
#[test]
fn rubbish_on_the_ports_does_no_harm() {
    let media = Media::start(1);
    let mut phone = Phone::new();
    let (id, here) = media.open(None, &phone, Law::Pcma);
    let rtcp = SocketAddr::new(here.ip(), here.port() + 1);
    for n in 0..500u32 {
        let rubbish: Vec<u8> = (0..n % 90).map(|i| (n * 31 + i * 17) as u8).collect();
        phone.rtp.send_to(&rubbish, here).unwrap();
        phone.rtcp.send_to(&rubbish, rtcp).unwrap();
        if n % 50 == 0 {
            phone.hear(); // not faster than the worker reads
        }
    }
    phone.press(here, '1');
    let key = media.wait(|event| match event {
        MediaEvent::KeyUp { digit, .. } => Some(digit.as_char()),
        _ => None,
    });
    assert_eq!(key, '1');
    media.send(id, Command::Close);
    media.wait_closed();
}
