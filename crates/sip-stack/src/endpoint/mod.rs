//! The endpoint: all legs and transactions of a node, as one machine without sockets or clocks.
//!
//! Messages and the time go in, messages and events come out. The parts do the work: `receive`
//! says what a message is for, `refuse` what is answered before anybody else hears of it, `drive`
//! passes inputs and outputs between legs and transactions.

mod drive;
mod path;
mod receive;
mod refuse;
mod shed;
mod timers;
mod types;

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::Duration,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use self::timers::{Timers, Who};
pub use self::{path::*, types::*};
use crate::{
    leg::{Command, ExtraHeaders, Input, Leg, Purpose},
    message::{HeaderName, Method, Request},
    random::Random,
    transaction::{Client, ClientKey, InviteClient, InviteServer, Server, ServerKey},
};

/// What Allow says.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE";
/// The same of a leg whose peer may hand the call back.
pub(crate) const ALLOW_REFER: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER";
/// What Accept says.
pub(crate) const ACCEPT: &str = "application/sdp, multipart/mixed, application/dtmf-relay, application/dtmf, application/telephone-event";

/// A client transaction with what it is for.
#[derive(Debug, Serialize, Deserialize)]
struct ClientTxn {
    machine: ClientMachine,
    path: Path,
    /// The connection of that path which its request went by.
    #[serde(skip)]
    connection: Option<ConnectionId>,
    /// When that was.
    #[serde(default)]
    at: Duration,
    user: User,
    cseq: u32,
    method: Method,
}

#[derive(Debug, Serialize, Deserialize)]
enum ClientMachine {
    Invite(InviteClient),
    Other(Client),
}

/// Who hears of a client transaction's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum User {
    Leg(LegId, Purpose),
    Ping(PingId),
    /// Its outcome changes nothing: a CANCEL.
    Nobody,
}

/// A server transaction with whom its requests are for.
#[derive(Debug, Serialize, Deserialize)]
struct ServerTxn {
    machine: ServerMachine,
    /// Where responses go (RFC 3261 §18.2.2, RFC 3581).
    path: Path,
    leg: Option<LegId>,
    /// What a merged copy of its request would share.
    origin: Option<u64>,
    cseq: u32,
    method: Method,
}

#[derive(Debug, Serialize, Deserialize)]
enum ServerMachine {
    Invite(InviteServer),
    Other(Server),
}

/// All legs and transactions of a node.
///
/// It can be saved and restored, by another process too: drain the outputs first, and let the
/// clock go on from the same epoch.
#[derive(Debug, Serialize, Deserialize)]
pub struct Endpoint {
    config: EndpointConfig,
    random: Random,
    legs: HashMap<LegId, Leg>,
    clients: HashMap<ClientKey, ClientTxn>,
    servers: HashMap<ServerKey, ServerTxn>,
    /// Requests without a dialog that are being answered, by what their merged copies share.
    origins: HashMap<u64, ServerKey>,
    timers: Timers,
    next_ping: u64,
    draining: bool,
    #[serde(skip)]
    shed: shed::Shed,
    #[serde(skip)]
    outputs: VecDeque<Output>,
}

impl Endpoint {
    /// An endpoint without legs.
    pub fn new(config: EndpointConfig) -> Self {
        Self {
            random: Random::new(config.seed),
            config,
            legs: HashMap::new(),
            clients: HashMap::new(),
            servers: HashMap::new(),
            origins: HashMap::new(),
            timers: Timers::default(),
            next_ping: 0,
            draining: false,
            shed: shed::Shed::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Does what is due; early calls are harmless.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.shrink();
        self.shed.forget(now);
        while let Some(who) = self.timers.due(now) {
            match who {
                Who::Leg(id) => {
                    if let Some(leg) = self.legs.get_mut(&id) {
                        leg.handle_timeout(now, &self.config);
                    }
                    self.drain_leg(now, id);
                }
                Who::Client(key) => self.client_timeout(now, key),
                Who::Server(key) => self.server_timeout(now, key),
            }
        }
    }

    /// Gives back the room of a busier time.
    fn shrink(&mut self) {
        shrink(&mut self.legs);
        shrink(&mut self.clients);
        shrink(&mut self.servers);
        shrink(&mut self.origins);
        self.timers.shrink();
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// The next output; drain until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The request of an [`Output::Transmit`] goes by this connection.
    pub fn handle_sent(&mut self, txn: ClientKey, connection: ConnectionId) {
        if let Some(txn) = self.clients.get_mut(&txn) {
            txn.connection = Some(connection);
        }
    }

    /// A path, or this one connection of it, does not work: what waits for a first answer there
    /// fails at once.
    pub fn handle_transport_error(
        &mut self,
        now: Duration,
        path: Path,
        connection: Option<ConnectionId>,
        error: TransportError,
    ) {
        let waits = |txn: &ClientTxn| match &txn.machine {
            ClientMachine::Invite(machine) => machine.is_unanswered(),
            ClientMachine::Other(machine) => machine.is_unanswered(),
        };
        let broken: Vec<ClientKey> = self
            .clients
            .iter()
            .filter(|(_, txn)| txn.path == path && waits(txn))
            .filter(|(_, txn)| connection.is_none() || txn.connection == connection)
            .map(|(key, _)| *key)
            .collect();
        for key in broken {
            let Some(user) = self.clients.get(&key).map(|txn| txn.user) else { continue };
            // It may have been heard before the connection broke. Its leg knows whether a late
            // 2xx matters.
            if !matches!(user, User::Leg(_, Purpose::Reoffer(ReofferMethod::Invite))) {
                self.abandon(now, key);
                self.clients.remove(&key);
            }
            self.unanswered(now, key, user, Cause::Transport);
        }
        let lost = match error {
            TransportError::Closed | TransportError::Timeout => path.transport.is_reliable(),
            TransportError::Refused | TransportError::Replaced => false,
        };
        let on_it = self.legs.iter().filter(|(_, leg)| lost && leg.goes_by(&path));
        for id in on_it.map(|(id, _)| *id).collect::<Vec<_>>() {
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.handle_input(now, &self.config, Input::PathLost(path));
            }
            self.drain_leg(now, id);
        }
    }

    /// Whether a leg or a transaction goes by this path.
    pub fn uses(&self, path: &Path) -> bool {
        self.legs.values().any(|leg| leg.goes_by(path))
            || self.clients.values().any(|txn| txn.path == *path)
            || self.servers.values().any(|txn| txn.path == *path)
    }

    /// Says who a leg's peer is: by TLS it must prove to be `host` where its Contact or route is an
    /// address, and not reached by the connection that there is.
    pub fn prove(&mut self, leg: LegId, host: &str) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.prove(host);
        }
    }

    /// Answers [`Event::HopLost`]: the name is found there.
    pub fn found(&mut self, leg: LegId, host: &str, at: IpAddr) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.found(host, at);
        }
    }

    /// Calls: sends an INVITE.
    pub fn invite(&mut self, now: Duration, invite: OutgoingInvite) -> LegId {
        let id = self.new_leg_id();
        let random = self.new_random();
        let leg = Leg::outgoing(now, &self.config, id, random, invite);
        self.legs.insert(id, leg);
        self.drain_leg(now, id);
        id
    }

    /// Requests within a leg's dialog go this way where the peer's Contact or route names no
    /// transport and there is a listener for it.
    pub fn prefer(&mut self, leg: LegId, transport: Transport) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.prefer(transport);
        }
    }

    /// Requests within a caller leg's dialog that are too large for a datagram go by TCP where they
    /// would go by UDP, the peer's Contact or route names no transport, and there is a listener
    /// for TCP. Where it refuses, or is silent for [`FALLBACK_AFTER`], they go by UDP after all.
    pub fn prefer_by_size(&mut self, leg: LegId) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.prefer_by_size();
        }
    }

    /// A provisional response on a caller leg: 180, or 183 with early media.
    pub fn ring(
        &mut self,
        now: Duration,
        leg: LegId,
        status: u16,
        sdp: Option<Bytes>,
        headers: ExtraHeaders,
    ) {
        self.command(now, leg, Command::Ring { status, sdp, headers });
    }

    /// 200 on a caller leg, repeated until its ACK comes.
    pub fn answer(&mut self, now: Duration, leg: LegId, sdp: Bytes, headers: ExtraHeaders) {
        self.command(now, leg, Command::Answer { sdp, headers });
    }

    /// A final failure on a caller leg.
    pub fn reject(
        &mut self,
        now: Duration,
        leg: LegId,
        status: u16,
        reason: Option<&str>,
        headers: ExtraHeaders,
    ) {
        let reason = reason.map(str::to_owned);
        self.command(now, leg, Command::Reject { status, reason, headers });
    }

    /// Ends a leg: CANCEL or a final response before the answer, BYE after it; `reason` becomes a
    /// Reason header (RFC 3326).
    pub fn hang_up(&mut self, now: Duration, leg: LegId, reason: Option<String>) {
        self.command(now, leg, Command::HangUp { reason });
    }

    /// Offers anew in a confirmed dialog; without `sdp` the peer is asked for its offer. A 491 is
    /// retried (RFC 3261 §14.1); the outcome is [`Event::OfferAnswered`].
    ///
    /// # Errors
    /// Another offer is under way, or there is no dialog.
    pub fn reoffer(
        &mut self,
        now: Duration,
        leg: LegId,
        sdp: Option<Bytes>,
        method: ReofferMethod,
    ) -> Result<(), OfferPending> {
        let found = self.legs.get_mut(&leg).ok_or(OfferPending)?;
        let done = found.reoffer(now, &self.config, sdp, method);
        self.drain_leg(now, leg);
        done
    }

    /// Answers [`Event::Offer`]; where it asked for an offer, `sdp` is ours.
    pub fn accept_offer(&mut self, now: Duration, leg: LegId, sdp: Bytes) {
        self.command(now, leg, Command::AcceptOffer { sdp });
    }

    /// Refuses [`Event::Offer`]: 488, 491.
    pub fn refuse_offer(&mut self, now: Duration, leg: LegId, status: u16) {
        self.command(now, leg, Command::RefuseOffer { status });
    }

    /// Answers an offer that came in a 2xx.
    pub fn acknowledge(&mut self, now: Duration, leg: LegId, sdp: Bytes) {
        self.command(now, leg, Command::Acknowledge { sdp });
    }

    /// Sends an INFO.
    pub fn info(&mut self, now: Duration, leg: LegId, content_type: &str, body: &[u8]) {
        let body = Bytes::copy_from_slice(body);
        self.command(now, leg, Command::Info { content_type: content_type.to_owned(), body });
    }

    /// Asks the peer of a confirmed dialog to call `to` by itself, a Refer-To (RFC 3515). It has 5 s to
    /// take that, 5 s more to say that it calls, and then `ring` for the outcome; each is told by
    /// [`Event::Referred`].
    pub fn refer(&mut self, now: Duration, leg: LegId, to: String, ring: Duration) {
        self.command(now, leg, Command::Refer { to, ring });
    }

    /// The Refer-To of somebody who is to take the place of the peer of this other leg: its Contact,
    /// with the dialog to be replaced (RFC 3891 §3, RFC 5589 §7.1). `None`: there is no dialog.
    pub fn in_place_of(&self, leg: LegId) -> Option<String> {
        self.legs.get(&leg)?.in_place_of()
    }

    /// Asks whether somebody is there; the outcome is [`Event::Pong`].
    pub fn options(&mut self, now: Duration, request_uri: &str, path: Path) -> PingId {
        self.next_ping += 1;
        let ping = PingId(self.next_ping);
        let key = ClientKey::new(self.random.number());
        let shown = self.config.shown(path.transport, path.local);
        let transport = path.transport.as_str();
        let mut request = Request::new(Method::Options, request_uri);
        let call_id = format!("{:016x}", self.random.number());
        let tag = format!("{:016x}", self.random.number());
        let rport = if path.transport.is_reliable() { "" } else { ";rport" };
        let headers = request.headers_mut();
        let branch = key.branch();
        headers
            .push(HeaderName::Via, format!("SIP/2.0/{transport} {shown}{rport};branch={branch}"));
        headers.push(HeaderName::MaxForwards, "70");
        headers.push(HeaderName::From, format!("<sip:ping@{shown}>;tag={tag}"));
        headers.push(HeaderName::To, format!("<{request_uri}>"));
        headers.push(HeaderName::CallId, call_id);
        headers.push(HeaderName::CSeq, "1 OPTIONS");
        let parameter = path.transport.parameter();
        headers.push(HeaderName::Contact, format!("<sip:{shown}{parameter}>"));
        headers.push(HeaderName::Accept, ACCEPT);
        headers.push(HeaderName::UserAgent, &self.config.user_agent);
        self.start_client(now, key, path, User::Ping(ping), &request);
        ping
    }

    /// From now on new calls and OPTIONS are answered with 503 and Retry-After.
    pub fn set_draining(&mut self, draining: bool) {
        self.draining = draining;
    }

    /// Legs that are not over for the network.
    pub fn legs(&self) -> usize {
        self.legs.len()
    }

    /// Everything that the endpoint holds; all zero when nothing is going on.
    pub fn counts(&self) -> Counts {
        Counts {
            legs: self.legs.len(),
            clients: self.clients.len(),
            servers: self.servers.len(),
            origins: self.origins.len(),
            timers: self.timers.len(),
        }
    }

    /// Transactions under way.
    pub fn transactions(&self) -> usize {
        self.clients.len() + self.servers.len()
    }

    fn command(&mut self, now: Duration, id: LegId, command: Command) {
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.handle_input(now, &self.config, Input::Command(command));
        }
        self.drain_leg(now, id);
    }

    fn new_leg_id(&mut self) -> LegId {
        loop {
            let id = LegId(self.random.number());
            if !self.legs.contains_key(&id) {
                return id;
            }
        }
    }

    fn new_random(&mut self) -> Random {
        Random::new(self.random.number())
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}

/// Gives back the room of a map that was much fuller once; a no-op else.
fn shrink<K: Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>) {
    if map.capacity() > 1_024 && map.len() < map.capacity() / 8 {
        map.shrink_to(map.len() * 2);
    }
}
