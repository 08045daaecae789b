//! A caller leg before its final response: the UAS side of RFC 3261 §13.3.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{ExtraHeaders, Leg, Output, State, ack::Unacked, over::Over, session::Session, wire};
use crate::{
    dialog::{Dialog, Order},
    endpoint::{EndedBy, EndpointConfig, Event, LegId},
    message::{HeaderName, Method, Request},
    transaction::ServerKey,
};

/// How often the last provisional response is repeated, so that proxies keep waiting (§13.3.1.1).
const REPEAT_1XX: Duration = Duration::from_secs(60);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Incoming {
    pub(super) txn: ServerKey,
    pub(super) dialog: Dialog,
    invite: Request,
    last: Option<Last>,
}

/// The last provisional response.
#[derive(Debug, Serialize, Deserialize)]
struct Last {
    status: u16,
    bytes: Bytes,
    repeat_at: Duration,
}

impl Incoming {
    pub(super) fn new(id: LegId, call_id: Arc<str>, txn: ServerKey, invite: Request) -> Self {
        let dialog = Dialog::uas(&invite, call_id, &id.to_string());
        Self { txn, dialog, invite, last: None }
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.last.as_ref().map(|last| last.repeat_at)
    }

    pub(super) fn repeat(&mut self, now: Duration) -> Option<Output> {
        let txn = self.txn;
        let last = self.last.as_mut().filter(|last| now >= last.repeat_at)?;
        last.repeat_at = now + REPEAT_1XX;
        Some(Output::Respond { txn, status: last.status, bytes: last.bytes.clone() })
    }
}

impl Leg {
    pub(super) fn ring(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        status: u16,
        sdp: Option<&Bytes>,
        headers: ExtraHeaders,
    ) {
        let State::Incoming(incoming) = &self.state else { return };
        let status = status.clamp(101, 199);
        let response = self.full_response(config, &incoming.invite, status, "", sdp, headers);
        let (txn, bytes) = (incoming.txn, response.to_bytes());
        if let State::Incoming(incoming) = &mut self.state {
            let repeat_at = now + REPEAT_1XX;
            incoming.last = Some(Last { status, bytes: bytes.clone(), repeat_at });
        }
        self.outputs.push_back(Output::Respond { txn, status, bytes });
    }

    pub(super) fn answer(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        sdp: &Bytes,
        headers: ExtraHeaders,
    ) {
        let incoming = match std::mem::replace(&mut self.state, State::Moving) {
            State::Incoming(incoming) => *incoming,
            other => return self.state = other,
        };
        let invite = &incoming.invite;
        let response = self.full_response(config, invite, 200, "", Some(sdp), headers);
        let (txn, bytes) = (incoming.txn, response.to_bytes());
        let seq = invite.cseq().map_or(0, |cseq| cseq.seq);
        let offers = invite.body().is_empty();
        let mut session = Session::new(incoming.dialog, false);
        session.unacked = Some(Unacked::new(now, txn, seq, bytes.clone(), offers, true));
        self.state = State::Session(Box::new(session));
        self.outputs.push_back(Output::Respond { txn, status: 200, bytes });
    }

    pub(super) fn reject(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        status: u16,
        reason: Option<&str>,
        headers: ExtraHeaders,
    ) {
        if self.refuse_invite(now, config, status, reason, headers) {
            let by = EndedBy::Us;
            self.event(Event::Ended { leg: self.id, by, reason: None, request: None });
        }
    }

    /// The peer gave up: 487, and nothing more.
    pub(super) fn cancelled(&mut self, now: Duration, reason: Option<String>) {
        let State::Incoming(incoming) = &self.state else { return };
        let response = wire::bare(self.id, &incoming.invite, 487);
        let txn = incoming.txn;
        self.push_response(txn, &response);
        self.state = State::Over(Box::new(Over::quiet(now)));
        self.event(Event::Cancelled { leg: self.id, reason });
    }

    /// Hangs up before the answer: 487 where we are asked to stop, without a word on the caller.
    pub(super) fn hang_up_unanswered(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        reason: Option<String>,
    ) {
        let headers = reason.map(|reason| (HeaderName::Reason, reason)).into_iter().collect();
        self.reject(now, config, 480, None, headers);
    }

    fn refuse_invite(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        status: u16,
        reason: Option<&str>,
        headers: ExtraHeaders,
    ) -> bool {
        let State::Incoming(incoming) = &self.state else { return false };
        let status = status.clamp(300, 699);
        let mut response = wire::bare(self.id, &incoming.invite, status);
        if let Some(reason) = reason {
            response = crate::Response::for_request(&incoming.invite, status, reason);
            let to = wire::bare(self.id, &incoming.invite, status);
            response.headers_mut().remove(HeaderName::To);
            response.headers_mut().copy_from(to.headers(), HeaderName::To);
        }
        response.headers_mut().push(HeaderName::Server, &config.user_agent);
        for (name, value) in headers {
            response.headers_mut().push(name, value);
        }
        let txn = incoming.txn;
        self.push_response(txn, &response);
        self.state = State::Over(Box::new(Over::quiet(now)));
        true
    }

    /// A request within a dialog that is not confirmed yet, on either side.
    pub(super) fn early_request(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        txn: ServerKey,
        request: Request,
    ) {
        let seq = request.cseq().map_or(0, |cseq| cseq.seq);
        if let State::Incoming(incoming) = &mut self.state {
            match incoming.dialog.take_seq(seq) {
                Order::Next => {}
                Order::Same if *request.method() == Method::Bye => {}
                Order::Same | Order::Late => return self.respond(config, txn, &request, 500),
            }
        }
        match (request.method(), &self.state) {
            (Method::Bye, State::Incoming(_)) => {
                self.respond(config, txn, &request, 200);
                let reason = request.headers().first(HeaderName::Reason).map(str::to_owned);
                self.cancelled(now, reason);
            }
            (Method::Info, _) => self.take_info(config, txn, request),
            (Method::Options, _) => self.answer_options(config, txn, &request),
            (Method::Update, _) if request.body().is_empty() => {
                if let State::Incoming(incoming) = &mut self.state {
                    incoming.dialog.refresh_target(request.headers());
                }
                self.accept_update(config, txn, &request, None);
            }
            // Our answer, or the peer's, to the INVITE is still owed (§14.2, RFC 3311 §5.2).
            (Method::Update | Method::Invite, State::Incoming(_)) => {
                self.busy_with_offer(config, txn, &request);
            }
            (Method::Update | Method::Invite, _) => self.respond(config, txn, &request, 491),
            _ => self.respond(config, txn, &request, 481),
        }
    }
}
