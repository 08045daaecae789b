//! One leg of a call: the INVITE usage of RFC 3261 §13 to §15 with RFC 3311 and RFC 6141, as UAS
//! or UAC.
//!
//! The machine knows one leg's dialog and what is under way in it. It says which requests and
//! responses go out; transactions and sockets are the endpoint's.

mod ack;
mod auth;
mod incoming;
mod io;
mod large;
mod offer;
mod outgoing;
mod over;
mod refer;
mod route;
mod session;
mod transfer;
mod wire;

use std::{collections::VecDeque, net::IpAddr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::io::{Command, Input, Output, Purpose};
use self::{
    ack::{Acks, Unacked},
    auth::Auth,
    incoming::Incoming,
    large::Large,
    outgoing::{Outgoing, Tail, earliest},
    over::Over,
    session::Session,
    transfer::Transfer,
};
use crate::{
    endpoint::{Cause, EndpointConfig, Event, HostPort, LegId, OutgoingInvite, Path, Transport},
    message::{HeaderName, Method, Request, Response},
    random::Random,
    transaction::{ClientKey, ServerKey},
};

/// Further headers of a request or response.
pub type ExtraHeaders = Vec<(HeaderName, String)>;

/// One leg.
#[derive(Debug, Serialize, Deserialize)]
pub struct Leg {
    id: LegId,
    call_id: Arc<str>,
    path: Path,
    /// The connection that the peer came by is gone; its Contact says where it is.
    path_lost: bool,
    /// The path is one that we chose, and not the peer's end of its own connection.
    #[serde(default)]
    chosen: bool,
    /// Who the peer is, where its Contact or route is an address.
    #[serde(default)]
    proof: Option<String>,
    /// Where the name in its Contact or route was found.
    #[serde(default)]
    found: Option<(String, IpAddr)>,
    /// The dialog is one of SIPS URIs: ours is one too (RFC 3261 §12.1.1, RFC 5630 §5.1.1).
    #[serde(default)]
    sips: bool,
    /// How the next hop is asked where its URI does not say; else as its messages came.
    #[serde(default)]
    prefer: Option<Transport>,
    #[serde(default)]
    large: Large,
    shown: HostPort,
    random: Random,
    auth: Option<Auth>,
    /// The peer may hand the call back.
    #[serde(default)]
    takes_refer: bool,
    /// What becomes of a REFER of ours.
    #[serde(default)]
    transfer: Option<Transfer>,
    acks: Acks,
    /// Our INVITE, as long as answers to it may come.
    tail: Option<Tail>,
    /// Requests within the dialog that await their final response.
    open: Vec<ClientKey>,
    /// Transactions of re-INVITEs that went again another way.
    replaced: Vec<ClientKey>,
    state: State,
    #[serde(skip)]
    outputs: VecDeque<Output>,
}

#[derive(Debug, Serialize, Deserialize)]
enum State {
    Incoming(Box<Incoming>),
    Outgoing(Box<Outgoing>),
    Session(Box<Session>),
    Over(Box<Over>),
    /// Between two states; never seen from outside a method.
    Moving,
}

impl Leg {
    /// Starts a caller leg on an INVITE.
    pub fn incoming(
        config: &EndpointConfig,
        id: LegId,
        random: Random,
        txn: ServerKey,
        invite: Request,
        path: Path,
    ) -> Self {
        let call_id: Arc<str> = invite.call_id().into();
        let mut leg = Self::blank(config, id, random, Arc::clone(&call_id), path);
        leg.sips = path.transport == Transport::Tls && wire::asks_for_sips(&invite);
        let incoming = Incoming::new(id, call_id, txn, invite);
        leg.state = State::Incoming(Box::new(incoming));
        leg
    }

    /// Starts a target leg: its INVITE goes out at once.
    pub fn outgoing(
        now: Duration,
        config: &EndpointConfig,
        id: LegId,
        random: Random,
        invite: OutgoingInvite,
    ) -> Self {
        let mut random = random;
        let call_id = format!("{:016x}{:016x}", random.number(), random.number());
        let mut leg = Self::blank(config, id, random, call_id.into(), invite.path);
        leg.sips = wire::is_sips(&invite.request_uri);
        leg.chosen = true;
        leg.start(now, config, invite);
        leg
    }

    fn blank(
        config: &EndpointConfig,
        id: LegId,
        random: Random,
        call_id: Arc<str>,
        path: Path,
    ) -> Self {
        Self {
            id,
            call_id,
            path,
            path_lost: false,
            chosen: false,
            proof: None,
            found: None,
            sips: false,
            prefer: None,
            large: Large::default(),
            shown: config.shown(path.transport, path.local),
            random,
            auth: None,
            takes_refer: false,
            transfer: None,
            acks: Acks::default(),
            tail: None,
            open: Vec::new(),
            replaced: Vec::new(),
            state: State::Moving,
            outputs: VecDeque::new(),
        }
    }

    /// Whether the peer may hand the call back by REFER.
    pub fn takes_refer(&self) -> bool {
        self.takes_refer
    }

    /// Returns the Call-ID.
    pub fn call_id(&self) -> &Arc<str> {
        &self.call_id
    }

    /// Whether a request with this Call-ID and From tag belongs to the leg's dialog.
    ///
    /// Before a target answers, and once a leg is over, several dialogs may share our tag; then
    /// any remote tag will do.
    pub fn owns(&self, call_id: &str, remote_tag: &str) -> bool {
        *self.call_id == *call_id
            && match &self.state {
                State::Incoming(incoming) => incoming.dialog.remote_tag() == remote_tag,
                State::Session(session) => session.dialog.remote_tag() == remote_tag,
                State::Outgoing(_) | State::Over(_) => true,
                State::Moving => false,
            }
    }

    /// Takes an input.
    pub fn handle_input(&mut self, now: Duration, config: &EndpointConfig, input: Input) {
        match input {
            Input::Request { txn, request, path } => {
                self.on_request(now, config, txn, request, path);
            }
            Input::Ack(ack) => self.on_ack(now, config, &ack),
            Input::Cancel { txn, reason } => self.on_cancel(now, txn, reason),
            Input::Response { key, purpose, response } => {
                self.on_response(now, config, key, purpose, response);
            }
            Input::Unanswered { key, purpose, cause } => {
                self.on_unanswered(now, config, key, purpose, cause);
            }
            Input::PathLost(path) => self.lose(path),
            Input::Command(command) => self.on_command(now, config, command),
        }
        self.settle(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Duration, config: &EndpointConfig) {
        match &mut self.state {
            State::Incoming(incoming) => {
                let again = incoming.repeat(now);
                self.outputs.extend(again);
            }
            State::Outgoing(_) => self.outgoing_timeout(now, config),
            State::Session(_) => self.session_timeout(now, config),
            State::Over(_) => self.over_timeout(now, config),
            State::Moving => {}
        }
        self.large_timeout(now, config);
        if matches!(self.state, State::Session(_)) {
            self.transfer_timeout(now);
        }
        if self.tail.as_ref().is_some_and(|tail| tail.until.is_some_and(|until| now >= until)) {
            self.drop_tail();
        }
        self.settle(now);
    }

    /// Returns the next output; drain until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let own = match &self.state {
            State::Incoming(incoming) => incoming.poll_timeout(),
            State::Outgoing(outgoing) => outgoing.poll_timeout(),
            State::Session(session) => session.poll_timeout(),
            State::Over(over) => over.poll_timeout(),
            State::Moving => None,
        };
        let tail = self.tail.as_ref().and_then(|tail| tail.until);
        let in_session = matches!(self.state, State::Session(_));
        let transfer = self.transfer.as_ref().filter(|_| in_session);
        let transfer = transfer.and_then(Transfer::poll_timeout);
        earliest([own, self.large.poll_timeout(), tail, transfer])
    }

    /// Whether nothing more can come of the leg, so that it can be dropped.
    pub fn is_done(&self) -> bool {
        match &self.state {
            State::Over(over) => {
                over.expired || (self.open.is_empty() && self.tail.is_none() && over.is_quiet())
            }
            State::Incoming(_) | State::Outgoing(_) | State::Session(_) => false,
            State::Moving => true,
        }
    }

    fn on_request(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        txn: ServerKey,
        request: Request,
        path: Path,
    ) {
        match &mut self.state {
            State::Session(_) => self.session_request(now, config, txn, request, path),
            State::Incoming(_) | State::Outgoing(_) => {
                self.early_request(now, config, txn, request);
            }
            State::Over(over) if *request.method() == Method::Bye => {
                // The ACK that our own BYE waited for is not coming, and neither is needed.
                over.await_nothing();
                self.respond(config, txn, &request, 200);
            }
            State::Over(_) | State::Moving => self.respond(config, txn, &request, 481),
        }
    }

    fn on_ack(&mut self, now: Duration, config: &EndpointConfig, ack: &Request) {
        let seq = ack.cseq().map_or(0, |cseq| cseq.seq);
        let awaited = |unacked: &mut Unacked| unacked.seq == seq;
        match &mut self.state {
            State::Session(session) => {
                if let Some(unacked) = session.unacked.take_if(awaited) {
                    let sdp = unacked.answer_in(ack);
                    self.acked(&unacked, sdp);
                }
            }
            State::Over(over) => {
                if over.unacked.take_if(awaited).is_some() {
                    self.late_bye(now, config);
                }
            }
            State::Incoming(_) | State::Outgoing(_) | State::Moving => {}
        }
    }

    fn on_cancel(&mut self, now: Duration, txn: ServerKey, reason: Option<String>) {
        match &mut self.state {
            State::Incoming(incoming) if incoming.txn == txn => self.cancelled(now, reason),
            State::Session(session) => {
                if let Some(theirs) = session.theirs.take_if(|theirs| theirs.txn == txn) {
                    let response = wire::bare(self.id, &theirs.request, 487);
                    self.push_response(txn, &response);
                }
            }
            State::Incoming(_) | State::Outgoing(_) | State::Over(_) | State::Moving => {}
        }
    }

    fn on_response(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        key: ClientKey,
        purpose: Purpose,
        response: Response,
    ) {
        if response.status() >= 200 {
            self.open.retain(|open| *open != key);
        }
        self.large.answered(key);
        if self.authorise(now, config, key, purpose, &response) {
            return;
        }
        match (purpose, response.status()) {
            (Purpose::Invite, 200..300) => self.invite_success(now, config, response),
            (Purpose::Invite, status) => self.invite_progress(now, key, status, response),
            (Purpose::Reoffer(method), _) => {
                self.reoffer_response(now, config, key, method, &response);
            }
            (Purpose::Info, status) => {
                if matches!(status, 408 | 481) {
                    self.broken(now, config);
                }
            }
            (Purpose::Notify, status) if status >= 200 => self.notified(now, config),
            (Purpose::Refer, status) if status >= 200 => self.refer_answered(now, config, status),
            (Purpose::Notify | Purpose::Refer | Purpose::Bye, _) => {}
        }
    }

    fn on_unanswered(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        key: ClientKey,
        purpose: Purpose,
        cause: Cause,
    ) {
        self.large_unanswered(now, config, key);
        let was_open = self.open.contains(&key);
        self.open.retain(|open| *open != key);
        match purpose {
            Purpose::Invite => self.invite_unanswered(now, config, cause),
            Purpose::Reoffer(_) | Purpose::Info if was_open => {
                self.outputs.push_back(Output::Abandon(key));
                self.broken(now, config);
            }
            Purpose::Notify => self.notified(now, config),
            Purpose::Refer => self.refer_unanswered(),
            Purpose::Reoffer(_) | Purpose::Info | Purpose::Bye => {}
        }
    }

    fn on_command(&mut self, now: Duration, config: &EndpointConfig, command: Command) {
        match command {
            Command::Ring { status, sdp, headers } => {
                self.ring(now, config, status, sdp.as_ref(), headers);
            }
            Command::Answer { sdp, headers } => self.answer(now, config, &sdp, headers),
            Command::Reject { status, reason, headers } => {
                self.reject(now, config, status, reason.as_deref(), headers);
            }
            Command::HangUp { reason } => self.hang_up(now, config, reason),
            Command::AcceptOffer { sdp } => self.accept_offer(now, config, &sdp),
            Command::RefuseOffer { status } => self.refuse_offer(config, status),
            Command::Acknowledge { sdp } => self.acknowledge(now, config, &sdp),
            Command::Info { content_type, body } => self.info(now, config, &content_type, &body),
            Command::Refer { to, ring } => self.refer(now, config, &to, ring),
        }
    }

    /// Drops what has expired, and a leg's bookkeeping when it is over.
    fn settle(&mut self, now: Duration) {
        self.acks.expire(now);
        if self.is_done() {
            // One of these may have had a provisional answer, and would wait for ever.
            let left = self.open.drain(..).chain(self.replaced.drain(..));
            self.outputs.extend(left.map(Output::Abandon));
            self.drop_tail();
        }
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}
