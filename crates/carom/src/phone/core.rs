//! What every telephone of ours is made of: an endpoint, its sockets, a media worker, a clock.

use std::{io, net::SocketAddr, ops::RangeInclusive, time::Duration};

use rtp_media::{
    ports::PortPool,
    session::{MediaEvent, SessionId},
    worker::{Command, MediaConfig, MediaPool},
};
use sip_stack::{
    endpoint::{Endpoint, EndpointConfig, Event, HostPort, Output, Source, Transport},
    offer_answer::{Codec, LocalMedia, Negotiation},
    sdp::Direction,
    transport::{Incoming, Transports},
};
use tokio::sync::mpsc;

use crate::{
    config::InBandDtmf,
    node::clock::Clock,
    switchboard::{StreamRules, start_seed, stream_config},
};

/// Without media for so long a leg is taken for dead.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Something a telephone reacts to.
pub(super) enum Happening {
    Signal(Box<Event>),
    Media(MediaEvent),
    /// The moment asked for.
    Time,
}

/// One telephone's machinery.
pub(super) struct Core {
    pub(super) clock: Clock,
    pub(super) endpoint: Endpoint,
    pub(super) wires: Transports,
    pub(super) media: MediaPool,
    incoming: mpsc::Receiver<Incoming>,
    media_events: mpsc::UnboundedReceiver<MediaEvent>,
    ports: PortPool,
    at: SocketAddr,
    seed: u64,
}

/// One leg's media.
pub(super) struct Line {
    pub(super) session: SessionId,
    pub(super) talk: Negotiation,
    ports: Option<rtp_media::ports::MediaPorts>,
}

impl Core {
    /// Listens on UDP and TCP at `at`; RTP takes ports of `rtp`.
    pub(super) async fn open(at: SocketAddr, rtp: RangeInclusive<u16>) -> io::Result<Self> {
        let clock = Clock::start();
        let (wires, incoming) = Transports::bind(&[(Transport::Udp, at)]).await?;
        let at = wires.listeners().first().map_or(at, |(_, at)| *at);
        let seed = start_seed();
        let config = EndpointConfig::new("Carom test phone", seed)
            .advertise(Transport::Udp, at, HostPort::from(at))
            .advertise(Transport::Tcp, at, HostPort::from(at));
        let (sink, media_events) = mpsc::unbounded_channel();
        let media = MediaPool::start(
            MediaConfig { epoch: clock.epoch(), ..MediaConfig::default() },
            Box::new(move |event| {
                let _ = sink.send(event);
            }),
        )?;
        let ports = PortPool::new(at.ip(), rtp);
        let endpoint = Endpoint::new(config);
        Ok(Self { clock, endpoint, wires, media, incoming, media_events, ports, at, seed })
    }

    pub(super) fn at(&self) -> SocketAddr {
        self.at
    }

    pub(super) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Reserves media for a leg.
    pub(super) fn line(&mut self, codecs: &[Codec]) -> io::Result<Line> {
        let ports = self.ports.reserve().map_err(io::Error::other)?;
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let local = LocalMedia {
            addr: self.at.ip(),
            port: ports.rtp_port(),
            codecs: codecs.to_vec(),
            ptime_ms: 20,
            telephone_event: true,
            direction: Direction::SendRecv,
            session_id: self.seed >> 2,
            version: self.seed >> 2,
            crypto: None,
        };
        let session = self.media.allocate(None);
        Ok(Line { session, talk: Negotiation::new(local), ports: Some(ports) })
    }

    /// Starts or changes the media of a leg by what was agreed.
    pub(super) fn connect(&mut self, line: &mut Line) {
        let Some(agreed) = line.talk.current() else { return };
        let rules = StreamRules {
            media_nets: Vec::new(),
            timeout: TIMEOUT,
            in_band: InBandDtmf::IfNeeded,
            expects: true,
        };
        let config = stream_config(agreed, &rules);
        if let Some(ports) = line.ports.take() {
            let (ssrc, seq) = (self.seed as u32, (self.seed >> 32) as u16);
            let timestamp = (self.seed >> 16) as u32;
            self.tell(line.session, Command::Open { ports, ssrc, seq, timestamp });
        }
        self.tell(line.session, Command::Configure(Box::new(config)));
    }

    /// A full queue of a telephone of one call cannot be.
    pub(super) fn tell(&self, session: SessionId, command: Command) {
        let _ = self.media.send(session, command);
    }

    /// The next thing that happens, or `until`.
    pub(super) async fn next(&mut self, until: Duration) -> Happening {
        loop {
            while let Some(output) = self.endpoint.poll_output() {
                match output {
                    Output::Transmit { path, bytes, txn } => {
                        let by = self.wires.send(&path, bytes);
                        if let (Some(txn), Some(by)) = (txn, by) {
                            self.endpoint.handle_sent(txn, by);
                        }
                    }
                    Output::Expect { path, host } => self.wires.expect(&path, &host),
                    Output::Event(event) => return Happening::Signal(Box::new(event)),
                }
            }
            let due = self.endpoint.poll_timeout().map_or(until, |at| at.min(until));
            let wake = self.clock.instant(due);
            tokio::select! {
                biased;
                Some(event) = self.media_events.recv() => return Happening::Media(event),
                Some(message) = self.incoming.recv() => self.take(message),
                () = tokio::time::sleep_until(wake) => {
                    let now = self.now();
                    self.endpoint.handle_timeout(now);
                    if now >= until {
                        return Happening::Time;
                    }
                }
            }
        }
    }

    fn take(&mut self, message: Incoming) {
        let now = self.now();
        match message {
            Incoming::Message { path, bytes, .. } => {
                self.endpoint.handle_received(now, path, Source::Trusted, &bytes);
            }
            Incoming::Failed { path, connection, error, .. } => {
                self.endpoint.handle_transport_error(now, path, connection, error);
            }
            // A telephone of one call is not there for long.
            Incoming::Idle { .. } | Incoming::TurnedAway { .. } => {}
        }
    }
}
