//! Changing a session: re-INVITE and UPDATE from either side (RFC 3261 §14, RFC 3311).

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Leg, Output, Purpose, State, ack::Unacked, outgoing::body_of};
use crate::{
    endpoint::{EndpointConfig, Event, OfferPending, ReofferMethod},
    message::{HeaderName, Method, Request, Response},
    transaction::{ClientKey, ServerKey},
};

/// How long an INVITE may wait for its user before a 100 (§17.2.1).
const TRYING_AFTER: Duration = Duration::from_millis(200);
/// The longest a peer may keep our offer waiting behind a provisional response.
const GIVE_UP_AFTER: Duration = Duration::from_secs(64);

/// The peer's offer that waits for our user.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Theirs {
    pub(super) txn: ServerKey,
    pub(super) request: Request,
    trying_at: Option<Duration>,
}

impl Theirs {
    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.trying_at
    }
}

/// Our own offer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ours {
    Idle,
    Sent {
        key: ClientKey,
        seq: u32,
        /// The number it had at first: a 2xx to that request counts too.
        #[serde(default)]
        first_seq: u32,
        sdp: Option<Bytes>,
        give_up: Duration,
    },
    /// It met the peer's (491); it is sent again.
    Later {
        method: ReofferMethod,
        sdp: Option<Bytes>,
        at: Duration,
    },
    /// The peer's 2xx made the offer, and our user has to answer it in the ACK.
    OweAck {
        seq: u32,
    },
}

impl Ours {
    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        match self {
            Self::Sent { give_up: at, .. } | Self::Later { at, .. } => Some(*at),
            Self::Idle | Self::OweAck { .. } => None,
        }
    }

    pub(super) fn owe_ack(&mut self, seq: u32) {
        *self = Self::OweAck { seq };
    }

    pub(super) fn owed_ack(&self) -> Option<u32> {
        match self {
            Self::OweAck { seq } => Some(*seq),
            Self::Idle | Self::Sent { .. } | Self::Later { .. } => None,
        }
    }

    /// The offer went out once more: with credentials, or by another way.
    pub(super) fn sent_again(&mut self, new_key: ClientKey, new_seq: u32) {
        if let Self::Sent { key, seq, .. } = self {
            (*key, *seq) = (new_key, new_seq);
        }
    }
}

impl Leg {
    pub(super) fn peer_invite(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        txn: ServerKey,
        request: Request,
    ) {
        let State::Session(session) = &mut self.state else { return };
        if session.theirs.is_some() {
            return self.busy_with_offer(config, txn, &request);
        }
        let ours = matches!(session.ours, Ours::Sent { .. } | Ours::OweAck { .. });
        // Without the ACK the last exchange is not over either (RFC 5407 §3.1.5).
        if ours || session.unacked.is_some() {
            return self.respond(config, txn, &request, 491);
        }
        self.take_offer(Some(now + TRYING_AFTER), txn, request);
    }

    pub(super) fn peer_update(
        &mut self,
        config: &EndpointConfig,
        txn: ServerKey,
        request: Request,
    ) {
        let State::Session(session) = &mut self.state else { return };
        if request.body().is_empty() {
            session.dialog.refresh_target(request.headers());
            return self.accept_update(config, txn, &request, None);
        }
        if session.theirs.is_some() {
            return self.busy_with_offer(config, txn, &request);
        }
        let ours = matches!(session.ours, Ours::Sent { .. } | Ours::OweAck { .. });
        if ours || session.unacked.as_ref().is_some_and(|unacked| unacked.offers) {
            return self.respond(config, txn, &request, 491);
        }
        self.take_offer(None, txn, request);
    }

    fn take_offer(&mut self, trying_at: Option<Duration>, txn: ServerKey, request: Request) {
        let State::Session(session) = &mut self.state else { return };
        session.dialog.refresh_target(request.headers());
        if matches!(session.ours, Ours::Later { .. }) {
            // The peer came first after the glare: ours gives way, for it may be stale by now.
            session.ours = Ours::Idle;
            self.event(Event::OfferAnswered { leg: self.id, status: 491, sdp: None });
        }
        let State::Session(session) = &mut self.state else { return };
        session.theirs = Some(Theirs { txn, request: request.clone(), trying_at });
        let sdp = (!request.body().is_empty()).then(|| request.body().clone());
        let method = request.method().clone();
        self.event(Event::Offer { leg: self.id, method, sdp, request });
    }

    pub(super) fn accept_update(
        &mut self,
        config: &EndpointConfig,
        txn: ServerKey,
        request: &Request,
        sdp: Option<&Bytes>,
    ) {
        let response = self.full_response(config, request, 200, "", sdp, Vec::new());
        self.push_response(txn, &response);
    }

    /// The peer's offer before this one is still ours to answer: it may try again in a while
    /// (§14.2, RFC 3311 §5.2).
    pub(super) fn busy_with_offer(
        &mut self,
        config: &EndpointConfig,
        txn: ServerKey,
        request: &Request,
    ) {
        let mut response = super::wire::bare(self.id, request, 500);
        let wait = self.random.number() % 11;
        response.headers_mut().push(HeaderName::RetryAfter, wait.to_string());
        response.headers_mut().push(HeaderName::Server, &config.user_agent);
        self.push_response(txn, &response);
    }

    pub(super) fn theirs_timeout(&mut self, now: Duration) {
        let State::Session(session) = &mut self.state else { return };
        let Some(theirs) = &mut session.theirs else { return };
        if theirs.trying_at.take_if(|at| now >= *at).is_some() {
            let trying = Response::for_request(&theirs.request, 100, "");
            let txn = theirs.txn;
            self.push_response(txn, &trying);
        }
    }

    pub(super) fn accept_offer(&mut self, now: Duration, config: &EndpointConfig, sdp: &Bytes) {
        let State::Session(session) = &mut self.state else { return };
        let Some(Theirs { txn, request, .. }) = session.theirs.take() else { return };
        if *request.method() == Method::Update {
            return self.accept_update(config, txn, &request, Some(sdp));
        }
        let response = self.full_response(config, &request, 200, "", Some(sdp), Vec::new());
        let bytes = response.to_bytes();
        let seq = request.cseq().map_or(0, |cseq| cseq.seq);
        let offers = request.body().is_empty();
        if let State::Session(session) = &mut self.state {
            session.unacked = Some(Unacked::new(now, txn, seq, bytes.clone(), offers, false));
        }
        self.outputs.push_back(Output::Respond { txn, status: 200, bytes });
    }

    pub(super) fn refuse_offer(&mut self, config: &EndpointConfig, status: u16) {
        let State::Session(session) = &mut self.state else { return };
        if let Some(Theirs { txn, request, .. }) = session.theirs.take() {
            self.respond(config, txn, &request, status.clamp(300, 699));
        }
    }

    /// Offers anew; `sdp: None` asks the peer for an offer.
    pub fn reoffer(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        sdp: Option<Bytes>,
        method: ReofferMethod,
    ) -> Result<(), OfferPending> {
        let State::Session(session) = &self.state else { return Err(OfferPending) };
        let idle = matches!(session.ours, Ours::Idle);
        // An UPDATE without a body is no offer, and cannot ask for one.
        let empty_update = sdp.is_none() && method == ReofferMethod::Update;
        if !idle || session.theirs.is_some() || session.unacked.is_some() || empty_update {
            return Err(OfferPending);
        }
        self.send_offer(now, config, sdp, method);
        Ok(())
    }

    fn send_offer(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        sdp: Option<Bytes>,
        method: ReofferMethod,
    ) {
        let next = self.next_request(config, method.method());
        let Some((ways, key, mut request)) = next else { return };
        self.introduce(config, &mut request);
        if let Some(sdp) = &sdp {
            request.set_body("application/sdp", sdp);
        }
        let seq = request.cseq().map_or(0, |cseq| cseq.seq);
        let give_up = now + GIVE_UP_AFTER;
        if let State::Session(session) = &mut self.state {
            session.ours = Ours::Sent { key, seq, first_seq: seq, sdp, give_up };
        }
        self.send(now, config, key, Purpose::Reoffer(method), ways, request);
    }

    pub(super) fn ours_timeout(&mut self, now: Duration, config: &EndpointConfig) {
        let State::Session(session) = &mut self.state else { return };
        let busy = session.theirs.is_some() || session.unacked.is_some();
        match &mut session.ours {
            Ours::Sent { key, give_up, .. } if now >= *give_up => {
                let key = *key;
                self.outputs.push_back(Output::Abandon(key));
                self.open.retain(|open| *open != key);
                self.broken(now, config);
            }
            // The peer's turn is not over yet.
            Ours::Later { at, .. } if now >= *at && busy => *at = now + TRYING_AFTER,
            Ours::Later { method, sdp, at } if now >= *at => {
                let (method, sdp) = (*method, sdp.take());
                self.send_offer(now, config, sdp, method);
            }
            Ours::Idle | Ours::Sent { .. } | Ours::Later { .. } | Ours::OweAck { .. } => {}
        }
    }

    pub(super) fn reoffer_response(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        key: ClientKey,
        method: ReofferMethod,
        response: &Response,
    ) {
        let status = response.status();
        if status < 200 {
            return;
        }
        if method == ReofferMethod::Invite && status < 300 {
            return self.reinvite_success(now, config, response);
        }
        let delay = self.glare_delay();
        let State::Session(session) = &mut self.state else { return };
        let Ours::Sent { key: sent, sdp, .. } = &mut session.ours else { return };
        if *sent != key {
            return; // an attempt that was sent again
        }
        match status {
            491 => {
                let (at, sdp) = (now + delay, sdp.take());
                session.ours = Ours::Later { method, sdp, at };
            }
            408 | 481 => self.broken(now, config),
            _ => {
                session.ours = Ours::Idle;
                if status < 300 {
                    session.dialog.refresh_target(response.headers());
                }
                let sdp = body_of(response).filter(|_| status < 300);
                self.event(Event::OfferAnswered { leg: self.id, status, sdp });
            }
        }
    }

    fn reinvite_success(&mut self, now: Duration, config: &EndpointConfig, response: &Response) {
        let (seq, tag) = super::outgoing::place(response);
        if let Some((path, bytes)) = self.acks.find(seq, &tag) {
            return self.outputs.push_back(Output::Ack { path, seq, bytes });
        }
        let mut session = match std::mem::replace(&mut self.state, State::Moving) {
            State::Session(session) => session,
            State::Over(over) => {
                // The dialog ended meanwhile; the 2xx is owed its ACK all the same.
                if let Some(dialog) = &over.dialog {
                    self.send_ack(now, config, dialog, seq, None);
                }
                self.state = State::Over(over);
                return;
            }
            other => return self.state = other,
        };
        let answered = match &session.ours {
            Ours::Sent { first_seq, seq: last, sdp, .. } if (*first_seq..=*last).contains(&seq) => {
                Some(sdp.is_some())
            }
            Ours::Idle | Ours::Sent { .. } | Ours::Later { .. } | Ours::OweAck { .. } => None,
        };
        if answered.is_some() {
            session.dialog.refresh_target(response.headers());
        }
        match answered {
            Some(true) => {
                session.ours = Ours::Idle;
                self.send_ack(now, config, &session.dialog, seq, None);
            }
            Some(false) => session.ours.owe_ack(seq),
            // The 2xx again, whose offer the user has yet to answer.
            None if session.ours.owed_ack() == Some(seq) => {}
            // The other attempt was answered first; without an ACK the peer would hang up.
            None => self.send_ack(now, config, &session.dialog, seq, None),
        }
        self.state = State::Session(session);
        if answered.is_some() {
            let sdp = body_of(response);
            self.event(Event::OfferAnswered { leg: self.id, status: response.status(), sdp });
        }
    }

    pub(super) fn acknowledge(&mut self, now: Duration, config: &EndpointConfig, sdp: &Bytes) {
        let mut session = match std::mem::replace(&mut self.state, State::Moving) {
            State::Session(session) => session,
            other => return self.state = other,
        };
        if let Some(seq) = session.ours.owed_ack() {
            session.ours = Ours::Idle;
            self.send_ack(now, config, &session.dialog, seq, Some(sdp));
        }
        self.state = State::Session(session);
    }

    /// Returns how long to wait after a 491: the side that made the Call-ID waits longer (§14.1).
    fn glare_delay(&mut self) -> Duration {
        let caller = matches!(&self.state, State::Session(session) if session.caller);
        self.random.tens_of_ms(if caller { 210..=400 } else { 0..=200 })
    }
}
