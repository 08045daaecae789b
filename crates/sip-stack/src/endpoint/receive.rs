//! What a message is for.

use std::{net::SocketAddr, time::Duration};

use super::{
    Endpoint, ServerMachine, ServerTxn,
    path::{Path, Source, Transport},
    types::{Dropped, Event, LegId},
};
use crate::{
    leg::{Input, Leg},
    message::{HeaderName, Message, Method, Request, Response, Via},
    transaction::{ClientKey, InviteServer, Server, ServerKey, origin, server, server_invite},
};

impl Endpoint {
    /// Takes one message from the wire. A stranger's passes only where it belongs to something
    /// that exists; else it gets no answer.
    pub fn handle_received(&mut self, now: Duration, path: Path, source: Source, bytes: &[u8]) {
        match Message::parse(bytes) {
            Ok(Message::Request(request)) => self.on_request(now, path, source, request),
            Ok(Message::Response(response)) => self.on_response(now, path, response),
            Err(error) => self.malformed(path, source, &error),
        }
    }

    fn on_response(&mut self, now: Duration, path: Path, mut response: Response) {
        match ClientKey::of(&response).filter(|key| self.clients.contains_key(key)) {
            Some(key) => {
                response.reduce_body();
                self.client_response(now, key, response);
            }
            None => self.drop_message(path, Dropped::StrayResponse),
        }
    }

    fn on_request(&mut self, now: Duration, path: Path, source: Source, mut request: Request) {
        let Some(reply_path) = stamp_via(&mut request, path) else {
            return self.drop_message(path, Dropped::Malformed);
        };
        let Some(key) = ServerKey::of(&request, self.config.seed) else {
            return self.drop_message(path, Dropped::Malformed);
        };
        if *request.method() == Method::Ack {
            request.reduce_body();
            return self.on_ack(now, path, key, request);
        }
        if self.servers.contains_key(&key) {
            return self.on_repeat(now, key);
        }
        let leg = self.leg_of(&request);
        if *request.method() == Method::Cancel {
            return self.on_cancel(now, path, reply_path, source, key, &request);
        }
        let may_ask = match source {
            Source::Trusted => true,
            Source::Target => *request.method() == Method::Options,
            Source::Stranger => false,
        };
        if !may_ask && leg.is_none() {
            return self.drop_message(path, Dropped::Stranger);
        }
        request.reduce_body();
        if leg.is_none() && self.sheds(now, key, reply_path, &request) {
            return;
        }
        if self.refuse(now, key, reply_path, leg, &request) {
            return;
        }
        self.open_server(key, reply_path, leg, &request);
        match (leg, request.method()) {
            (Some(id), _) => {
                self.note_request(Some(id), &request);
                if let Some(leg) = self.legs.get_mut(&id) {
                    let input = Input::Request { txn: key, request, path };
                    leg.handle_input(now, &self.config, input);
                }
                self.drain_leg(now, id);
            }
            (None, Method::Invite) => self.new_call(now, key, reply_path, path, request),
            (None, _) => self.answer_options(now, key, &request),
        }
    }

    fn new_call(
        &mut self,
        now: Duration,
        key: ServerKey,
        reply_path: Path,
        path: Path,
        request: Request,
    ) {
        let id = self.new_leg_id();
        let random = self.new_random();
        if let Some(txn) = self.servers.get_mut(&key) {
            txn.leg = Some(id);
        }
        let leg = Leg::incoming(&self.config, id, random, key, request.clone(), reply_path);
        self.legs.insert(id, leg);
        self.note_request(Some(id), &request);
        let trying = Response::for_request(&request, 100, "Trying");
        self.respond(now, key, 100, trying.to_bytes());
        self.event(Event::Incoming { leg: id, request, path });
        self.drain_leg(now, id);
    }

    /// An ACK ends the repeats of a failure, or is a leg's: that of a 2xx has a branch of its own.
    fn on_ack(&mut self, now: Duration, path: Path, key: ServerKey, ack: Request) {
        let cseq = ack.cseq().map_or(0, |cseq| cseq.seq);
        let mut leg = None;
        if let Some(txn) = self.servers.get_mut(&key) {
            let owner = txn.leg;
            if let ServerMachine::Invite(machine) = &mut txn.machine {
                machine.handle_input(now, server_invite::Input::Ack);
            }
            if !self.drain_server(now, key) {
                return self.note(owner, false, Method::Ack, None, cseq);
            }
            leg = owner;
        }
        let Some(id) = leg.or_else(|| self.leg_of(&ack)) else {
            if self.was_shed(key) {
                return;
            }
            return self.drop_message(path, Dropped::StrayAck);
        };
        self.note(Some(id), false, Method::Ack, None, cseq);
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.handle_input(now, &self.config, Input::Ack(ack));
        }
        self.drain_leg(now, id);
    }

    fn on_cancel(
        &mut self,
        now: Duration,
        path: Path,
        reply_path: Path,
        source: Source,
        key: ServerKey,
        request: &Request,
    ) {
        let cancelled = ServerKey::of_cancelled(request, self.config.seed);
        if cancelled.is_some_and(|key| self.was_shed(key)) {
            return;
        }
        let invite = cancelled.filter(|key| self.servers.contains_key(key));
        if invite.is_none() && source != Source::Trusted {
            return self.drop_message(path, Dropped::Stranger);
        }
        let found = invite.and_then(|key| self.servers.get(&key).map(|txn| (key, txn)));
        let (leg, waits) = match found {
            Some((_, txn)) => {
                let waits = matches!(&txn.machine, ServerMachine::Invite(m) if !m.is_answered());
                (txn.leg, waits)
            }
            None => (None, false),
        };
        self.open_server(key, reply_path, leg, request);
        self.note_request(leg, request);
        let status = if invite.is_some() { 200 } else { 481 };
        self.answer_bare(now, key, leg, request, status, Vec::new());
        let (Some(txn), Some(id), true) = (invite, leg, waits) else { return };
        let reason = request.headers().first(HeaderName::Reason).map(str::to_owned);
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.handle_input(now, &self.config, Input::Cancel { txn, reason });
        }
        self.drain_leg(now, id);
    }

    fn on_repeat(&mut self, now: Duration, key: ServerKey) {
        if let Some(txn) = self.servers.get_mut(&key) {
            match &mut txn.machine {
                ServerMachine::Invite(machine) => {
                    machine.handle_input(now, server_invite::Input::Invite);
                }
                ServerMachine::Other(machine) => machine.handle_input(now, server::Input::Request),
            }
        }
        self.drain_server(now, key);
    }

    pub(super) fn open_server(
        &mut self,
        key: ServerKey,
        path: Path,
        leg: Option<LegId>,
        request: &Request,
    ) {
        let reliable = path.transport.is_reliable();
        let method = request.method().clone();
        let machine = match method {
            Method::Invite => ServerMachine::Invite(InviteServer::new(reliable)),
            _ => ServerMachine::Other(Server::new(reliable)),
        };
        let origin = origin(request, self.config.seed).filter(|_| method != Method::Cancel);
        if let Some(origin) = origin {
            self.origins.entry(origin).or_insert(key);
        }
        let origin = origin.filter(|origin| self.origins.get(origin) == Some(&key));
        let cseq = request.cseq().map_or(0, |cseq| cseq.seq);
        self.servers.insert(key, ServerTxn { machine, path, leg, origin, cseq, method });
    }

    /// The leg whose dialog a request is in: our tag is its number.
    fn leg_of(&self, request: &Request) -> Option<LegId> {
        let to = request.to().ok()?;
        let tag = to.tag().filter(|tag| tag.len() == 16)?;
        let id = LegId(u64::from_str_radix(tag, 16).ok()?);
        let from = request.from().ok()?;
        let remote_tag = from.tag().unwrap_or_default();
        self.legs.get(&id).filter(|leg| leg.owns(request.call_id(), remote_tag))?;
        Some(id)
    }

    pub(super) fn note_request(&mut self, leg: Option<LegId>, request: &Request) {
        let cseq = request.cseq().map_or(0, |cseq| cseq.seq);
        self.note(leg, false, request.method().clone(), None, cseq);
    }

    pub(super) fn drop_message(&mut self, path: Path, reason: Dropped) {
        self.event(Event::Dropped { path, reason });
    }
}

/// Writes into the top Via where the request really came from, and returns where its responses
/// go: back to the source where rport asks for it (RFC 3581 §4), else to the source's address at
/// the port of the Via (RFC 3261 §18.2.2), or down the connection.
pub(super) fn stamp_via(request: &mut Request, path: Path) -> Option<Path> {
    let text = request.headers().values(HeaderName::Via).next()?.to_owned();
    let mut via = Via::parse(&text).ok()?;
    let source = path.remote;
    let asked = via.rport.is_some();
    let port = via.port_or_default();
    let same_host = via.host.trim_matches(['[', ']']).parse() == Ok(source.ip());
    if asked || !same_host {
        via.received = Some(source.ip());
        if asked {
            via.rport = Some(Some(source.port()));
        }
        let stamped = via.to_string();
        request.headers_mut().set_first_value(HeaderName::Via, stamped);
    }
    let remote = match path.transport {
        Transport::Tcp | Transport::Tls => source,
        Transport::Udp if asked => source,
        Transport::Udp => SocketAddr::new(source.ip(), port),
    };
    Some(Path { remote, ..path })
}
