//! A target leg before its final response: the UAC side of RFC 3261 §13.2 and §9.1.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Leg, Output, Purpose, State, auth::Auth, over::Over, route::Ways, session::Session};
use crate::{
    dialog::Dialog,
    endpoint::{Cause, EndedBy, EndpointConfig, Event, FALLBACK_AFTER, OutgoingInvite, Path},
    message::{HeaderName, Method, Request, Response},
    transaction::{ClientKey, LIMIT, sooner},
};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Outgoing {
    pub(super) seq: u32,
    /// Our INVITE carried no offer.
    offerless: bool,
    provisional: bool,
    fallback: Option<Fallback>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Fallback {
    path: Path,
    at: Duration,
    request: Request,
}

/// Our INVITE as long as answers to it may come: late 2xx after a CANCEL, and those of a fork.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Tail {
    pub(super) key: ClientKey,
    pub(super) until: Option<Duration>,
    local: String,
    request_uri: String,
    cancel: Cancel,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Cancel {
    No,
    /// Nothing came yet, and a CANCEL must wait for that (§9.1).
    AfterProvisional(Option<String>),
    Sent,
}

impl Outgoing {
    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.fallback.as_ref().map(|fallback| fallback.at)
    }
}

impl Leg {
    pub(super) fn start(&mut self, now: Duration, config: &EndpointConfig, invite: OutgoingInvite) {
        self.auth = invite.auth.clone().map(Auth::new);
        self.takes_refer = invite.takes_refer;
        let (key, via) = self.via(config, invite.path);
        let local = format!("{};tag={}", invite.from, self.id);
        let request = self.invite_request(config, &invite, &via, &local);
        self.tail = Some(Tail {
            key,
            until: None,
            local,
            request_uri: invite.request_uri,
            cancel: Cancel::No,
        });
        let fallback = invite.fallback_path.map(|path| Fallback {
            path,
            at: now + FALLBACK_AFTER,
            request: request.clone(),
        });
        self.state = State::Outgoing(Box::new(Outgoing {
            seq: 1,
            offerless: invite.sdp.is_none(),
            provisional: false,
            fallback,
        }));
        self.send(now, config, key, Purpose::Invite, Ways::only(invite.path), request);
    }

    fn invite_request(
        &self,
        config: &EndpointConfig,
        invite: &OutgoingInvite,
        via: &str,
        local: &str,
    ) -> Request {
        let mut request = Request::new(Method::Invite, &invite.request_uri);
        let headers = request.headers_mut();
        headers.push(HeaderName::Via, via);
        headers.push(HeaderName::MaxForwards, invite.max_forwards.to_string());
        headers.push(HeaderName::From, local);
        headers.push(HeaderName::To, &invite.to);
        headers.push(HeaderName::CallId, &*self.call_id);
        headers.push(HeaderName::CSeq, "1 INVITE");
        self.introduce(config, &mut request);
        for (name, value) in &invite.headers {
            request.headers_mut().push(name.clone(), value);
        }
        if let Some(sdp) = &invite.sdp {
            request.set_body("application/sdp", sdp);
        }
        request
    }

    pub(super) fn outgoing_timeout(&mut self, now: Duration, config: &EndpointConfig) {
        let State::Outgoing(outgoing) = &self.state else { return };
        if outgoing.fallback.as_ref().is_some_and(|fallback| now >= fallback.at) {
            self.fall_back(now, config);
        }
    }

    /// Tries the other path; returns whether there is one.
    fn fall_back(&mut self, now: Duration, config: &EndpointConfig) -> bool {
        let State::Outgoing(outgoing) = &mut self.state else { return false };
        let Some(fallback) = outgoing.fallback.take() else { return false };
        if let Some(tail) = &self.tail {
            self.outputs.push_back(Output::Abandon(tail.key));
        }
        let Fallback { path, request, .. } = fallback;
        self.path = path;
        self.shown = config.shown(path.transport, path.local);
        let mut request = request;
        let contact = self.contact();
        request.headers_mut().set(HeaderName::Contact, contact);
        self.send_again(now, config, Purpose::Invite, Ways::only(path), request);
        true
    }

    pub(super) fn invite_progress(
        &mut self,
        now: Duration,
        key: ClientKey,
        status: u16,
        response: Response,
    ) {
        if self.tail.as_ref().is_none_or(|tail| tail.key != key) {
            return; // an attempt that was sent again
        }
        match &mut self.state {
            State::Outgoing(outgoing) if status < 200 => {
                outgoing.provisional = true;
                outgoing.fallback = None;
                let reason = response.reason().to_owned();
                let sdp = body_of(&response);
                self.event(Event::Progress { leg: self.id, status, reason, sdp, response });
            }
            State::Outgoing(_) => {
                self.tail = None;
                self.state = State::Over(Box::new(Over::quiet(now)));
                let (response, cause) = (Some(response), Cause::Response);
                self.event(Event::Failed { leg: self.id, status, response, cause });
            }
            State::Over(over) if status < 200 => {
                let Some(tail) = &mut self.tail else { return };
                if let Cancel::AfterProvisional(reason) = &mut tail.cancel {
                    let reason = reason.take();
                    (tail.cancel, tail.until) = (Cancel::Sent, Some(now + LIMIT));
                    over.extend(now);
                    self.outputs.push_back(Output::Cancel { key, reason });
                }
            }
            State::Over(_) => self.tail = None,
            State::Incoming(_) | State::Session(_) | State::Moving => {}
        }
    }

    pub(super) fn invite_success(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        response: Response,
    ) {
        let (seq, tag) = place(&response);
        if let Some((path, bytes)) = self.acks.find(seq, &tag) {
            return self.outputs.push_back(Output::Ack { path, seq, bytes });
        }
        let Some(tail) = &mut self.tail else { return };
        let local = tail.local.clone();
        let dialog = Dialog::uac(local, self.call_id.clone(), &tail.request_uri, &response);
        let offerless = match &self.state {
            State::Outgoing(outgoing) => outgoing.offerless,
            // The 2xx again, whose offer the user has yet to answer.
            State::Session(session) if session.dialog.remote_tag() == tag => return,
            State::Session(_) | State::Over(_) => {
                // Another branch of a fork, or too late: ACK and BYE (§13.2.2.4).
                if let State::Over(over) = &mut self.state {
                    tail.until = Some(now + LIMIT);
                    over.extend(now);
                }
                return self.decline_answer(now, config, dialog, seq);
            }
            State::Incoming(_) | State::Moving => return,
        };
        tail.until = Some(now + LIMIT);
        let mut session = Session::new(dialog, true);
        if offerless {
            session.ours.owe_ack(seq);
        } else {
            self.send_ack(now, config, &session.dialog, seq, None);
        }
        self.state = State::Session(Box::new(session));
        let sdp = body_of(&response);
        self.event(Event::Answered { leg: self.id, sdp, response });
    }

    pub(super) fn invite_unanswered(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        cause: Cause,
    ) {
        match &self.state {
            State::Outgoing(_) => {
                if self.fall_back(now, config) {
                    return;
                }
                self.tail = None;
                self.state = State::Over(Box::new(Over::quiet(now)));
                let status = if cause == Cause::Transport { 503 } else { 408 };
                self.event(Event::Failed { leg: self.id, status, response: None, cause });
            }
            State::Over(_) => self.tail = None,
            State::Incoming(_) | State::Session(_) | State::Moving => {}
        }
    }

    /// Hangs up before the answer: CANCEL, as soon as it may go.
    pub(super) fn cancel(&mut self, now: Duration, reason: Option<String>) {
        let State::Outgoing(outgoing) = &self.state else { return };
        if let Some(tail) = &mut self.tail {
            tail.until = Some(now + LIMIT);
            if outgoing.provisional {
                tail.cancel = Cancel::Sent;
                self.outputs.push_back(Output::Cancel { key: tail.key, reason });
            } else {
                tail.cancel = Cancel::AfterProvisional(reason);
                self.outputs.push_back(Output::Doubt(tail.key));
            }
        }
        self.state = State::Over(Box::new(Over::quiet(now)));
        let by = EndedBy::Us;
        self.event(Event::Ended { leg: self.id, by, reason: None, request: None });
    }

    /// Forgets our INVITE; one that was never answered would wait for ever (§9.1).
    pub(super) fn drop_tail(&mut self) {
        if let Some(tail) = self.tail.take()
            && tail.cancel != Cancel::No
        {
            self.outputs.push_back(Output::Abandon(tail.key));
        }
    }

    /// Sends the ACK of a 2xx and keeps it for repeats.
    pub(super) fn send_ack(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        dialog: &Dialog,
        seq: u32,
        sdp: Option<&Bytes>,
    ) {
        let ways = self.ways(config, dialog);
        let (key, via) = self.via(config, ways.usual);
        let mut ack = dialog.ack(seq, &via);
        if let Some(sdp) = sdp {
            ack.set_body("application/sdp", sdp);
        }
        if let Some(auth) = &self.auth {
            auth.sign_ack(&mut ack);
        }
        let host = ways.host.clone();
        let path = self.fit_ack(config, key, ways, &mut ack);
        let path = self.keep_secret(config, key, path, &mut ack);
        self.expect(path, host);
        let bytes = ack.to_bytes();
        self.acks.keep(now, seq, dialog.remote_tag(), path, bytes.clone());
        self.outputs.push_back(Output::Ack { path, seq, bytes });
    }

    /// ACKs a 2xx that nobody wants any more, and ends its dialog.
    fn decline_answer(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        mut dialog: Dialog,
        seq: u32,
    ) {
        self.send_ack(now, config, &dialog, seq, None);
        self.send_bye(now, config, &mut dialog, None);
    }
}

pub(super) fn body_of(response: &Response) -> Option<Bytes> {
    let body = response.body();
    (!body.is_empty()).then(|| body.clone())
}

/// Returns CSeq number and To tag.
pub(super) fn place(response: &Response) -> (u32, String) {
    let seq = response.cseq().map_or(0, |cseq| cseq.seq);
    let tag = response.to().ok().and_then(|to| to.tag()).unwrap_or_default().to_owned();
    (seq, tag)
}

pub(super) fn earliest<const N: usize>(deadlines: [Option<Duration>; N]) -> Option<Duration> {
    deadlines.into_iter().fold(None, sooner)
}
