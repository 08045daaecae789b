//! Passing inputs and outputs between legs, transactions and the wire.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    ClientMachine, ClientTxn, Endpoint, ServerMachine, User,
    path::Path,
    timers::Who,
    types::{Cause, Event, LegId, Output, WireSummary},
};
use crate::{
    leg::{self, Input},
    message::{Message, Method, Request, Response},
    transaction::{
        Client, ClientKey, ClientOutput, InviteClient, ServerKey, ServerOutput, T1, derive,
    },
};

impl Endpoint {
    /// Does what a leg wants, until it wants nothing more.
    pub(super) fn drain_leg(&mut self, now: Duration, id: LegId) {
        while let Some(output) = self.legs.get_mut(&id).and_then(leg::Leg::poll_output) {
            match output {
                leg::Output::Request { key, purpose, path, request } => {
                    self.start_client(now, key, path, User::Leg(id, purpose), &request);
                }
                leg::Output::Expect { path, host } => {
                    self.outputs.push_back(Output::Expect { path, host });
                }
                leg::Output::Doubt(key) => self.doubt(now, key),
                leg::Output::Cancel { key, reason } => self.cancel(now, key, reason.as_deref()),
                leg::Output::Abandon(key) => {
                    self.doubt(now, key);
                    self.abandon(now, key);
                    self.clients.remove(&key);
                }
                leg::Output::Respond { txn, status, bytes } => {
                    self.respond(now, txn, status, bytes);
                }
                leg::Output::Ack { path, seq, bytes } => {
                    self.note(Some(id), true, Method::Ack, None, seq);
                    self.outputs.push_back(Output::Transmit { path, bytes, txn: None });
                }
                leg::Output::Event(event) => self.event(event),
            }
        }
        let Some(leg) = self.legs.get(&id) else { return };
        if leg.is_done() {
            self.legs.remove(&id);
            self.timers.set(Who::Leg(id), None);
        } else {
            let at = leg.poll_timeout();
            self.timers.set(Who::Leg(id), at);
        }
    }

    pub(super) fn start_client(
        &mut self,
        now: Duration,
        key: ClientKey,
        path: Path,
        user: User,
        request: &Request,
    ) {
        let (bytes, reliable) = (request.to_bytes(), path.transport.is_reliable());
        let method = request.method().clone();
        let machine = match method {
            Method::Invite => ClientMachine::Invite(InviteClient::new(now, bytes, reliable)),
            _ => ClientMachine::Other(Client::new(now, bytes, reliable)),
        };
        let cseq = request.cseq().map_or(0, |cseq| cseq.seq);
        self.note(user.leg(), true, method.clone(), None, cseq);
        let (connection, at) = (None, now);
        self.clients.insert(key, ClientTxn { machine, path, connection, at, user, cseq, method });
        self.drain_client(now, key, None);
    }

    fn cancel(&mut self, now: Duration, key: ClientKey, reason: Option<&str>) {
        let Some(txn) = self.clients.get(&key) else { return };
        let ClientMachine::Invite(machine) = &txn.machine else { return };
        let path = txn.path;
        if let Ok(Message::Request(invite)) = Message::parse(machine.request()) {
            let cancel = derive::cancel(&invite, reason);
            let leg = txn.user.leg();
            self.note(leg, true, Method::Cancel, None, txn.cseq);
            self.start_client(now, key.cancel(), path, User::Nobody, &cancel);
        }
    }

    /// Nobody waits any longer for the answer to a request: the connection that it went by is
    /// doubted, unless it has had no time to answer. Over a reliable transport even a 100 is due
    /// within T1 (RFC 3261 §17.2.1).
    fn doubt(&mut self, now: Duration, key: ClientKey) {
        let Some(txn) = self.clients.get(&key) else { return };
        let (path, since) = (txn.path, txn.at);
        if let Some(connection) = txn.connection.filter(|_| now >= since + T1) {
            self.event(Event::Unheard { path, connection, since, ping: false });
        }
    }

    /// Ends a client transaction without a word to its user.
    pub(super) fn abandon(&mut self, now: Duration, key: ClientKey) {
        use crate::transaction::{client, client_invite};
        let Some(txn) = self.clients.get_mut(&key) else { return };
        match &mut txn.machine {
            ClientMachine::Invite(machine) => {
                machine.handle_input(now, client_invite::Input::Abandon);
            }
            ClientMachine::Other(machine) => machine.handle_input(now, client::Input::Abandon),
        }
        self.timers.set(Who::Client(key), None);
    }

    /// A response for a transaction of ours.
    pub(super) fn client_response(&mut self, now: Duration, key: ClientKey, response: Response) {
        use crate::transaction::{client, client_invite};
        let Some(txn) = self.clients.get_mut(&key) else { return };
        let status = response.status();
        let (leg, method, cseq) = (txn.user.leg(), txn.method.clone(), txn.cseq);
        match &mut txn.machine {
            ClientMachine::Invite(machine) => {
                let input = match status {
                    ..200 => client_invite::Input::Provisional,
                    200..300 => client_invite::Input::Success,
                    300.. => match ack_bytes(machine.request(), &response) {
                        Some(ack) => client_invite::Input::Failure { ack },
                        None => return,
                    },
                };
                machine.handle_input(now, input);
            }
            ClientMachine::Other(machine) => {
                let input = match status {
                    ..200 => client::Input::Provisional,
                    200.. => client::Input::Final,
                };
                machine.handle_input(now, input);
            }
        }
        self.note(leg, false, method, Some(status), cseq);
        self.drain_client(now, key, Some(response));
    }

    pub(super) fn client_timeout(&mut self, now: Duration, key: ClientKey) {
        let Some(txn) = self.clients.get_mut(&key) else { return };
        match &mut txn.machine {
            ClientMachine::Invite(machine) => machine.handle_timeout(now),
            ClientMachine::Other(machine) => machine.handle_timeout(now),
        }
        self.drain_client(now, key, None);
    }

    fn drain_client(&mut self, now: Duration, key: ClientKey, response: Option<Response>) {
        let Some(txn) = self.clients.get_mut(&key) else { return };
        let (path, user) = (txn.path, txn.user);
        let (connection, since) = (txn.connection, txn.at);
        let (mut informed, mut timed_out) = (false, false);
        while let Some(output) = match &mut txn.machine {
            ClientMachine::Invite(machine) => machine.poll_output(),
            ClientMachine::Other(machine) => machine.poll_output(),
        } {
            match output {
                ClientOutput::Transmit(bytes) => {
                    self.outputs.push_back(Output::Transmit { path, bytes, txn: Some(key) });
                }
                ClientOutput::Inform => informed = true,
                ClientOutput::TimedOut => timed_out = true,
            }
        }
        let (over, at) = match &txn.machine {
            ClientMachine::Invite(machine) => (machine.is_terminated(), machine.poll_timeout()),
            ClientMachine::Other(machine) => (machine.is_terminated(), machine.poll_timeout()),
        };
        if over {
            self.clients.remove(&key);
        }
        self.timers.set(Who::Client(key), at.filter(|_| !over));
        if timed_out {
            if let Some(connection) = connection {
                let ping = matches!(user, User::Ping(_));
                self.event(Event::Unheard { path, connection, since, ping });
            }
            self.unanswered(now, key, user, Cause::Timeout);
        } else if informed && let Some(response) = response {
            self.answered(now, key, user, response);
        }
    }

    fn answered(&mut self, now: Duration, key: ClientKey, user: User, response: Response) {
        match user {
            User::Leg(id, purpose) => {
                if let Some(leg) = self.legs.get_mut(&id) {
                    let input = Input::Response { key, purpose, response };
                    leg.handle_input(now, &self.config, input);
                }
                self.drain_leg(now, id);
            }
            User::Ping(ping) if response.status() >= 200 => {
                self.event(Event::Pong { ping, status: Some(response.status()) });
            }
            User::Ping(_) | User::Nobody => {}
        }
    }

    pub(super) fn unanswered(&mut self, now: Duration, key: ClientKey, user: User, cause: Cause) {
        match user {
            User::Leg(id, purpose) => {
                if let Some(leg) = self.legs.get_mut(&id) {
                    leg.handle_input(now, &self.config, Input::Unanswered { key, purpose, cause });
                }
                self.drain_leg(now, id);
            }
            User::Ping(ping) => self.event(Event::Pong { ping, status: None }),
            User::Nobody => {}
        }
    }

    /// A response of ours, through its transaction.
    pub(super) fn respond(&mut self, now: Duration, key: ServerKey, status: u16, response: Bytes) {
        use crate::transaction::{server, server_invite};
        let Some(txn) = self.servers.get_mut(&key) else { return };
        let (leg, method, cseq) = (txn.leg, txn.method.clone(), txn.cseq);
        match &mut txn.machine {
            ServerMachine::Invite(machine) => {
                machine.handle_input(now, server_invite::Input::Respond { status, response });
            }
            ServerMachine::Other(machine) => {
                machine.handle_input(now, server::Input::Respond { status, response });
            }
        }
        self.note(leg, true, method, Some(status), cseq);
        self.drain_server(now, key);
    }

    pub(super) fn server_timeout(&mut self, now: Duration, key: ServerKey) {
        let Some(txn) = self.servers.get_mut(&key) else { return };
        match &mut txn.machine {
            ServerMachine::Invite(machine) => machine.handle_timeout(now),
            ServerMachine::Other(machine) => machine.handle_timeout(now),
        }
        self.drain_server(now, key);
    }

    /// Returns whether an ACK just taken in is the leg's.
    pub(super) fn drain_server(&mut self, now: Duration, key: ServerKey) -> bool {
        let Some(txn) = self.servers.get_mut(&key) else { return false };
        let path = txn.path;
        let mut acked = false;
        while let Some(output) = match &mut txn.machine {
            ServerMachine::Invite(machine) => machine.poll_output(),
            ServerMachine::Other(machine) => machine.poll_output(),
        } {
            match output {
                ServerOutput::Transmit(bytes) => {
                    self.outputs.push_back(Output::Transmit { path, bytes, txn: None });
                }
                ServerOutput::Acked => acked = true,
            }
        }
        let (mut over, at) = match &txn.machine {
            ServerMachine::Invite(machine) => (machine.is_terminated(), machine.poll_timeout()),
            ServerMachine::Other(machine) => (machine.is_terminated(), machine.poll_timeout()),
        };
        // Over TCP the timers that only wait for repeats are zero.
        over |= at.is_some_and(|at| at <= now && path.transport.is_reliable());
        if over {
            if let Some(origin) = txn.origin {
                self.origins.remove(&origin);
            }
            self.servers.remove(&key);
        }
        self.timers.set(Who::Server(key), at.filter(|_| !over));
        acked
    }

    /// Reports a message for the time line of its leg.
    pub(super) fn note(
        &mut self,
        leg: Option<LegId>,
        sent: bool,
        method: Method,
        status: Option<u16>,
        cseq: u32,
    ) {
        let Some(id) = leg else { return };
        let Some(call_id) = self.legs.get(&id).map(|leg| Arc::clone(leg.call_id())) else { return };
        let summary = WireSummary { method, status, cseq, call_id };
        self.event(Event::Wire { leg, sent, summary });
    }
}

impl User {
    fn leg(self) -> Option<LegId> {
        match self {
            Self::Leg(id, _) => Some(id),
            Self::Ping(_) | Self::Nobody => None,
        }
    }
}

/// The ACK of a failure, from the INVITE as it was sent.
fn ack_bytes(invite: &Bytes, response: &Response) -> Option<Bytes> {
    match Message::parse(invite) {
        Ok(Message::Request(invite)) => Some(derive::ack(&invite, response).to_bytes()),
        Ok(Message::Response(_)) | Err(_) => None,
    }
}
