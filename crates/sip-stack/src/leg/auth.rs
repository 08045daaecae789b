//! Sending a request again with credentials (RFC 3261 §22.2, §22.3).

use serde::{Deserialize, Serialize};

use super::{Leg, Purpose, State};
use crate::{
    auth::{Challenge, Credentials},
    endpoint::{EndpointConfig, Path},
    message::{CSeq, HeaderName, Request, Response},
    transaction::ClientKey,
};

/// Our credentials with one peer, and what has been sent with them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Auth {
    who: Credentials,
    challenge: Option<Challenge>,
    count: u32,
    sent: Vec<Sent>,
}

/// A request that may yet be challenged.
#[derive(Debug, Serialize, Deserialize)]
struct Sent {
    key: ClientKey,
    path: Path,
    request: Request,
    /// The nonce it was sent with.
    nonce: Option<Challenge>,
}

impl Auth {
    pub(super) fn new(who: Credentials) -> Self {
        Self { who, challenge: None, count: 0, sent: Vec::new() }
    }

    /// Signs an ACK, which repeats the credentials of its INVITE (§22.1).
    pub(super) fn sign_ack(&mut self, ack: &mut Request, cnonce: &str) {
        self.sign(ack, cnonce);
    }

    fn sign(&mut self, request: &mut Request, cnonce: &str) {
        let Some(challenge) = &self.challenge else { return };
        self.count += 1;
        let value =
            challenge.answer(&self.who, request.method(), request.uri(), self.count, cnonce);
        request.headers_mut().set(challenge.header(), value);
    }
}

impl Leg {
    /// Signs a request where a challenge is known, and keeps it until its final response.
    pub(super) fn keep_for_challenge(&mut self, key: ClientKey, path: Path, request: &mut Request) {
        let Some(auth) = &mut self.auth else { return };
        let cnonce = format!("{:016x}", self.random.number());
        auth.sign(request, &cnonce);
        let nonce = auth.challenge.clone();
        auth.sent.push(Sent { key, path, request: request.clone(), nonce });
    }

    /// Answers a challenge; returns whether the request is on its way again.
    pub(super) fn authorise(
        &mut self,
        config: &EndpointConfig,
        key: ClientKey,
        purpose: Purpose,
        response: &Response,
    ) -> bool {
        if response.status() < 200 {
            return false;
        }
        let Some(auth) = &mut self.auth else { return false };
        let Some(at) = auth.sent.iter().position(|sent| sent.key == key) else { return false };
        let sent = auth.sent.swap_remove(at);
        let Some(challenge) = Challenge::of(response) else { return false };
        if sent.nonce.is_some() && !challenge.stale {
            return false; // the credentials are wrong, or the challenge is another one's
        }
        let over = matches!(self.state, State::Over(_));
        if over && purpose != Purpose::Bye {
            return false;
        }
        (auth.challenge, auth.count) = (Some(challenge), 0);
        self.send_again(config, purpose, sent.path, sent.request);
        true
    }

    /// Sends a request once more as a new transaction with the next CSeq number.
    pub(super) fn send_again(
        &mut self,
        config: &EndpointConfig,
        purpose: Purpose,
        path: Path,
        mut request: Request,
    ) {
        if path.transport != self.path.transport || path.local != self.path.local {
            self.shown = config.shown(path.transport, path.local);
        }
        let (key, via) = self.via(path);
        let Some(seq) = self.next_seq(purpose, key) else { return };
        let method = request.method().clone();
        let headers = request.headers_mut();
        headers.set_first_value(HeaderName::Via, via);
        headers.set(HeaderName::CSeq, CSeq { seq, method }.to_string());
        self.send(key, purpose, path, request);
    }

    fn next_seq(&mut self, purpose: Purpose, key: ClientKey) -> Option<u32> {
        match &mut self.state {
            State::Outgoing(outgoing) => {
                outgoing.seq += 1;
                if let Some(tail) = &mut self.tail {
                    tail.key = key;
                }
                Some(outgoing.seq)
            }
            State::Session(session) => {
                let seq = session.dialog.next_seq();
                if let Purpose::Reoffer(_) = purpose {
                    session.ours.sent_again(key, seq);
                }
                Some(seq)
            }
            State::Over(over) => over.dialog.as_mut().map(|dialog| dialog.next_seq()),
            State::Incoming(_) | State::Moving => None,
        }
    }
}
