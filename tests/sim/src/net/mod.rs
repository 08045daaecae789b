//! Endpoints and raw peers on one link, under one virtual clock.

mod see;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    net::SocketAddr,
    time::Duration,
};

use sip_stack::{
    endpoint::{Endpoint, EndpointConfig, Event, Output, Path, Source, Transport, TransportError},
    random::Random,
};

use crate::{Link, text};

/// One of the machines on the net.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Station(usize);

/// A message that was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// When, in ms.
    pub at_ms: u64,
    /// From where.
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// The message.
    pub text: String,
    /// How many copies arrive.
    pub copies: usize,
}

/// A message that a raw peer got.
#[derive(Debug, Clone)]
pub struct Heard {
    /// When, in ms.
    pub at_ms: u64,
    /// From where.
    pub from: SocketAddr,
    /// At which of the peer's ports.
    pub to: SocketAddr,
    /// The message.
    pub text: String,
}

struct Machine {
    at: SocketAddr,
    /// `None`: a raw peer.
    endpoint: Option<Endpoint>,
    /// What endpoints take messages from here for.
    source: Source,
    inbox: VecDeque<Heard>,
    events: VecDeque<(u64, Event)>,
}

/// A stream that `opener` opened from an ephemeral port.
struct Connection {
    opener: SocketAddr,
    ephemeral: SocketAddr,
    acceptor: SocketAddr,
}

struct Flight {
    station: Station,
    path: Path,
    source: Source,
    text: String,
}

/// The net.
pub struct Net {
    now: Duration,
    link: Link,
    random: Random,
    machines: Vec<Machine>,
    flights: BinaryHeap<Reverse<(Duration, usize)>>,
    carried: Vec<Option<Flight>>,
    connections: Vec<Connection>,
    losses: Vec<(Station, String, usize)>,
    wire: Vec<Sent>,
}

impl Net {
    /// A clean net whose numbers come from `seed`, which is printed.
    pub fn new(seed: u64) -> Self {
        Self::over(Link::clean(), seed)
    }

    /// A net over `link`.
    pub fn over(link: Link, seed: u64) -> Self {
        println!("seed {seed}");
        Self {
            now: Duration::ZERO,
            link,
            random: Random::new(seed),
            machines: Vec::new(),
            flights: BinaryHeap::new(),
            carried: Vec::new(),
            connections: Vec::new(),
            losses: Vec::new(),
            wire: Vec::new(),
        }
    }

    /// Adds an endpoint at `ip:port`, over UDP, TCP and TLS.
    pub fn endpoint(&mut self, at: &str) -> Station {
        let seed = self.random.number();
        self.endpoint_with(at, EndpointConfig::new("sim", seed))
    }

    /// Adds an endpoint of this configuration; its listeners are added here.
    pub fn endpoint_with(&mut self, at: &str, config: EndpointConfig) -> Station {
        let addr = address(at);
        let all = [Transport::Udp, Transport::Tcp, Transport::Tls];
        let config = all
            .into_iter()
            .fold(config, |config, transport| config.advertise(transport, addr, addr.into()));
        self.add(addr, Some(Endpoint::new(config)))
    }

    /// Adds a raw peer; it hears what is sent to any port of its address.
    pub fn peer(&mut self, at: &str) -> Station {
        self.add(address(at), None)
    }

    fn add(&mut self, at: SocketAddr, endpoint: Option<Endpoint>) -> Station {
        let (inbox, events) = (VecDeque::new(), VecDeque::new());
        self.machines.push(Machine { at, endpoint, source: Source::Trusted, inbox, events });
        Station(self.machines.len() - 1)
    }

    /// From now on endpoints take this machine's messages for a stranger's.
    pub fn estrange(&mut self, station: Station) {
        self.machines[station.0].source = Source::Stranger;
    }

    /// Changes the link.
    pub fn set_link(&mut self, link: Link) {
        self.link = link;
    }

    /// Loses the next `count` messages of this name that a machine sends as datagrams.
    pub fn lose(&mut self, from: Station, name: &str, count: usize) {
        self.losses.push((from, name.to_owned(), count));
    }

    /// Returns the time in ms.
    pub fn now_ms(&self) -> u64 {
        ms(self.now)
    }

    /// Returns how one machine reaches another.
    pub fn path(&self, transport: Transport, from: Station, to: Station) -> Path {
        Path { transport, local: self.machines[from.0].at, remote: self.machines[to.0].at }
    }

    /// Does something with an endpoint, and sends what comes of it.
    pub fn with<T>(&mut self, station: Station, f: impl FnOnce(&mut Endpoint, Duration) -> T) -> T {
        let now = self.now;
        let done = f(self.endpoint_of(station), now);
        self.drain(station);
        done
    }

    /// Returns an endpoint to look at.
    pub fn see(&self, station: Station) -> &Endpoint {
        self.machines[station.0].endpoint.as_ref().expect("a raw peer has no endpoint")
    }

    /// Puts another endpoint in the place of one.
    pub fn replace(&mut self, station: Station, endpoint: Endpoint) {
        *self.endpoint_of(station) = endpoint;
    }

    fn endpoint_of(&mut self, station: Station) -> &mut Endpoint {
        self.machines[station.0].endpoint.as_mut().expect("a raw peer has no endpoint")
    }

    /// A raw peer sends a datagram.
    pub fn send(&mut self, from: Station, to: Station, text: &str) {
        self.post(self.path(Transport::Udp, from, to), text);
    }

    /// A raw peer sends a datagram from another port of its own.
    pub fn send_from_port(&mut self, from: Station, port: u16, to: Station, text: &str) {
        let mut path = self.path(Transport::Udp, from, to);
        path.local.set_port(port);
        self.post(path, text);
    }

    /// A raw peer sends down a stream: the one there is between the two, else a new one.
    pub fn send_tcp(&mut self, from: Station, to: Station, text: &str) {
        self.send_down(Transport::Tcp, from, to, text);
    }

    /// The same of a stream within TLS.
    pub fn send_tls(&mut self, from: Station, to: Station, text: &str) {
        self.send_down(Transport::Tls, from, to, text);
    }

    fn send_down(&mut self, transport: Transport, from: Station, to: Station, text: &str) {
        let mut path = self.path(transport, from, to);
        let theirs = |c: &&Connection| c.acceptor == path.local && c.opener == path.remote;
        if let Some(connection) = self.connections.iter().find(theirs) {
            path.remote = connection.ephemeral;
        }
        self.post(path, text);
    }

    /// A path of an endpoint breaks.
    pub fn fail(&mut self, station: Station, path: Path, error: TransportError) {
        self.with(station, |endpoint, now| endpoint.handle_transport_error(now, path, None, error));
    }

    /// The stream that `peer` opened to an endpoint is closed.
    pub fn close(&mut self, endpoint: Station, peer: Station, error: TransportError) {
        let Path { local, remote, transport } = self.path(Transport::Tcp, endpoint, peer);
        let theirs = |c: &Connection| c.acceptor == local && c.opener == remote;
        let at = self.connections.iter().position(theirs).expect("there is a stream");
        let remote = self.connections.swap_remove(at).ephemeral;
        self.fail(endpoint, Path { transport, local, remote }, error);
    }

    /// Returns how many streams are open.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    fn post(&mut self, path: Path, text: &str) {
        let from = self.owner(path.local);
        let lost = from.is_some_and(|from| self.is_lost(from, &text::name(text)));
        let source = from.map_or(Source::Stranger, |from| self.machines[from.0].source);
        let (to, seen, ways) = match path.transport {
            Transport::Udp => {
                let seen = Path { local: path.remote, remote: path.local, ..path };
                (path.remote, seen, self.link.carry(&mut self.random))
            }
            Transport::Tcp | Transport::Tls => {
                let (to, seen) = self.stream(path);
                (to, seen, vec![self.link.delay])
            }
        };
        let station = self.owner(to);
        let copies = if lost || station.is_none() { 0 } else { ways.len() };
        self.wire.push(Sent {
            at_ms: ms(self.now),
            from: path.local,
            to,
            text: text.to_owned(),
            copies,
        });
        for way in ways.into_iter().take(copies) {
            let Some(station) = station else { continue };
            let text = match path.transport {
                Transport::Udp => self.link.wear(&mut self.random, text),
                Transport::Tcp | Transport::Tls => text.to_owned(),
            };
            self.flights.push(Reverse((self.now + way, self.carried.len())));
            self.carried.push(Some(Flight { station, path: seen, source, text }));
        }
    }

    fn is_lost(&mut self, from: Station, name: &str) -> bool {
        let found =
            self.losses.iter_mut().find(|(f, n, left)| *f == from && n == name && *left > 0);
        found.is_some_and(|(_, _, left)| {
            *left -= 1;
            true
        })
    }

    /// Returns where a stream leads, and the path as that end sees it.
    fn stream(&mut self, path: Path) -> (SocketAddr, Path) {
        let back = |c: &&Connection| c.ephemeral == path.remote && c.acceptor == path.local;
        if let Some(c) = self.connections.iter().find(back) {
            return (c.opener, Path { local: c.opener, remote: c.acceptor, ..path });
        }
        let forth = |c: &Connection| c.opener == path.local && c.acceptor == path.remote;
        let at = self.connections.iter().position(forth).unwrap_or_else(|| {
            let mut ephemeral = path.local;
            let opened = u16::try_from(self.connections.len()).expect("few connections");
            ephemeral.set_port(40_000 + opened);
            let (opener, acceptor) = (path.local, path.remote);
            self.connections.push(Connection { opener, ephemeral, acceptor });
            self.connections.len() - 1
        });
        let ephemeral = self.connections[at].ephemeral;
        (path.remote, Path { local: path.remote, remote: ephemeral, ..path })
    }

    fn owner(&self, at: SocketAddr) -> Option<Station> {
        let owns = |m: &Machine| match m.endpoint {
            Some(_) => m.at == at,
            None => m.at.ip() == at.ip(),
        };
        self.machines.iter().position(owns).map(Station)
    }

    /// Goes on to the next moment at which something happens, not beyond `until`; returns whether
    /// there was one.
    pub fn step(&mut self, until: Duration) -> bool {
        let flight = self.flights.peek().map(|Reverse((at, _))| *at);
        let timer = self.machines.iter().filter_map(|m| m.endpoint.as_ref()?.poll_timeout()).min();
        let next = [flight, timer].into_iter().flatten().min();
        let Some(next) = next.filter(|at| *at <= until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.now = self.now.max(next);
        while let Some(Reverse((at, index))) = self.flights.peek().copied() {
            if at > self.now {
                break;
            }
            self.flights.pop();
            let flight = self.carried[index].take().expect("each flight lands once");
            self.land(flight);
        }
        for station in (0..self.machines.len()).map(Station) {
            self.wake(station);
        }
        true
    }

    fn land(&mut self, flight: Flight) {
        let Flight { station, path, source, text } = flight;
        let (now, machine) = (self.now, &mut self.machines[station.0]);
        match &mut machine.endpoint {
            Some(endpoint) => endpoint.handle_received(now, path, source, text.as_bytes()),
            None => {
                let (from, to) = (path.remote, path.local);
                machine.inbox.push_back(Heard { at_ms: ms(now), from, to, text });
            }
        }
        self.drain(station);
    }

    fn wake(&mut self, station: Station) {
        let now = self.now;
        let Some(endpoint) = &mut self.machines[station.0].endpoint else { return };
        if endpoint.poll_timeout().is_some_and(|at| at <= now) {
            endpoint.handle_timeout(now);
            let next = endpoint.poll_timeout();
            self.drain(station);
            assert!(next.is_none_or(|at| at > now), "stalls at {now:?}{}", self.trace());
        }
    }

    fn drain(&mut self, station: Station) {
        loop {
            let machine = &mut self.machines[station.0];
            let output = machine.endpoint.as_mut().and_then(Endpoint::poll_output);
            match output {
                Some(Output::Transmit { path, bytes, .. }) => {
                    self.post(path, &String::from_utf8_lossy(&bytes));
                }
                Some(Output::Expect { .. }) => {}
                Some(Output::Event(event)) => machine.events.push_back((ms(self.now), event)),
                None => return,
            }
        }
    }
}

fn address(at: &str) -> SocketAddr {
    at.parse().expect("ip:port")
}

fn ms(at: Duration) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX)
}
