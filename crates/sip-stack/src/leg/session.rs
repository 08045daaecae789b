//! A leg with a confirmed dialog (RFC 3261 §12.2, §14, §15).

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    Leg, Output, Purpose, State,
    ack::Unacked,
    offer::{Ours, Theirs},
    outgoing::earliest,
    over::Over,
    route::Ways,
};
use crate::{
    dialog::{Dialog, Order},
    endpoint::{EndedBy, EndpointConfig, Event, Path},
    message::{HeaderName, Method, Request},
    transaction::{ClientKey, ServerKey},
};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) dialog: Dialog,
    /// Whether we made the Call-ID: it decides who waits longer after a 491.
    pub(super) caller: bool,
    /// Our 2xx that waits for its ACK.
    pub(super) unacked: Option<Unacked>,
    /// The peer's offer that waits for our user.
    pub(super) theirs: Option<Theirs>,
    /// Our own offer.
    pub(super) ours: Ours,
}

impl Session {
    pub(super) fn new(dialog: Dialog, caller: bool) -> Self {
        Self { dialog, caller, unacked: None, theirs: None, ours: Ours::Idle }
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        earliest([
            self.unacked.as_ref().and_then(Unacked::poll_timeout),
            self.theirs.as_ref().and_then(Theirs::poll_timeout),
            self.ours.poll_timeout(),
        ])
    }
}

impl Leg {
    pub(super) fn session_timeout(&mut self, now: Duration, config: &EndpointConfig) {
        let State::Session(session) = &mut self.state else { return };
        if let Some(unacked) = &mut session.unacked {
            if unacked.is_lost(now) {
                return self.end(now, config, EndedBy::NoAck, None);
            }
            if unacked.is_due(now) {
                let (txn, status) = (unacked.txn, unacked.status);
                let bytes = unacked.bytes.clone();
                self.outputs.push_back(Output::Respond { txn, status, bytes });
            }
        }
        self.theirs_timeout(now);
        self.ours_timeout(now, config);
    }

    pub(super) fn session_request(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        txn: ServerKey,
        request: Request,
        path: Path,
    ) {
        let State::Session(session) = &mut self.state else { return };
        let seq = request.cseq().map_or(0, |cseq| cseq.seq);
        match session.dialog.take_seq(seq) {
            Order::Next => {}
            // There are peers whose BYE shares the number of the request before it.
            Order::Same if *request.method() == Method::Bye => {}
            Order::Same => return self.respond(config, txn, &request, 482),
            Order::Late => return self.respond(config, txn, &request, 500),
        }
        if path.transport == self.path.transport && self.path_lost {
            (self.path, self.path_lost, self.chosen) = (path, false, false);
        }
        match request.method() {
            Method::Bye => self.peer_bye(now, config, txn, request),
            Method::Invite => self.peer_invite(now, config, txn, request),
            Method::Update => self.peer_update(config, txn, request),
            Method::Info => self.take_info(config, txn, request),
            Method::Options => self.answer_options(config, txn, &request),
            Method::Refer => self.peer_refer(now, config, txn, request),
            Method::Notify => self.peer_notify(now, config, txn, &request),
            // What is not in Allow has been answered with 405 before.
            _ => self.respond(config, txn, &request, 481),
        }
    }

    fn peer_bye(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        txn: ServerKey,
        request: Request,
    ) {
        self.respond(config, txn, &request, 200);
        let Some(session) = self.leave_session(config) else { return };
        self.state = State::Over(Box::new(Over::of(now, session.dialog)));
        let reason = request.headers().first(HeaderName::Reason).map(str::to_owned);
        let by = EndedBy::Peer;
        self.event(Event::Ended { leg: self.id, by, reason, request: Some(request) });
    }

    pub(super) fn take_info(&mut self, config: &EndpointConfig, txn: ServerKey, request: Request) {
        self.respond(config, txn, &request, 200);
        self.event(Event::Info { leg: self.id, request });
    }

    pub(super) fn info(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        content_type: &str,
        body: &[u8],
    ) {
        let Some((ways, key, mut info)) = self.next_request(config, Method::Info) else { return };
        info.headers_mut().push(HeaderName::UserAgent, &config.user_agent);
        info.set_body(content_type, body);
        self.send(now, config, key, Purpose::Info, ways, info);
    }

    /// Makes the next request of the session.
    pub(super) fn next_request(
        &mut self,
        config: &EndpointConfig,
        method: Method,
    ) -> Option<(Ways, ClientKey, Request)> {
        let State::Session(session) = &self.state else { return None };
        let ways = self.ways(config, &session.dialog);
        let (key, via) = self.via(config, ways.usual);
        let State::Session(session) = &mut self.state else { return None };
        let (request, _) = session.dialog.request(method, &via);
        Some((ways, key, request))
    }

    pub(super) fn hang_up(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        reason: Option<String>,
    ) {
        match &self.state {
            State::Incoming(_) => self.hang_up_unanswered(now, config, reason),
            State::Outgoing(_) => self.cancel(now, reason),
            State::Session(_) => self.end(now, config, EndedBy::Us, reason),
            State::Over(_) | State::Moving => {}
        }
    }

    /// A request in the dialog got no answer, 408 or 481: the dialog is over (§12.2.1.2).
    pub(super) fn broken(&mut self, now: Duration, config: &EndpointConfig) {
        self.end(now, config, EndedBy::Failure, None);
    }

    /// Ends the dialog from our side: BYE, at once or after the ACK that it must not overtake.
    fn end(&mut self, now: Duration, config: &EndpointConfig, by: EndedBy, reason: Option<String>) {
        let Some(mut session) = self.leave_session(config) else { return };
        if let Some(seq) = session.ours.owed_ack() {
            // The peer's offer is left without an answer; the BYE says why.
            self.send_ack(now, config, &session.dialog, seq, None);
        }
        let over = match session.unacked.take() {
            Some(unacked) if by == EndedBy::Us => {
                Over::awaiting(now, session.dialog, unacked, reason)
            }
            Some(_) | None => {
                self.send_bye(now, config, &mut session.dialog, reason);
                Over::of(now, session.dialog)
            }
        };
        self.state = State::Over(Box::new(over));
        self.event(Event::Ended { leg: self.id, by, reason: None, request: None });
    }

    /// Takes the session out of the leg; an offer of the peer that waits is refused (§15.1.2).
    pub(super) fn leave_session(&mut self, config: &EndpointConfig) -> Option<Session> {
        let mut session = match std::mem::replace(&mut self.state, State::Moving) {
            State::Session(session) => *session,
            other => {
                self.state = other;
                return None;
            }
        };
        if let Some(theirs) = session.theirs.take() {
            self.respond(config, theirs.txn, &theirs.request, 487);
        }
        Some(session)
    }

    /// The ACK of our 2xx came.
    pub(super) fn acked(&mut self, unacked: &Unacked, sdp: Option<Bytes>) {
        let leg = self.id;
        if unacked.first {
            self.event(Event::Established { leg, sdp });
        } else if unacked.offers {
            self.event(Event::OfferAnswered { leg, status: 200, sdp });
        }
    }
}
