//! Sending a request again with credentials (RFC 3261 §22.2, §22.3).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Leg, Purpose, State, route::Ways};
use crate::{
    auth::{Challenge, Credentials},
    endpoint::{EndpointConfig, Path},
    message::{CSeq, HeaderName, Method, Request, Response},
    transaction::ClientKey,
};

/// How often a request may be sent again because its nonce is too old.
const STALE: usize = 2;
/// Challenges that one request answers at most: proxies and the peer may each have theirs.
const CHALLENGES: usize = 6;

/// Our credentials with one peer, and what has been sent with them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Auth {
    who: Credentials,
    known: Vec<Known>,
    sent: Vec<Sent>,
    /// What the last INVITE was signed with.
    on_invite: Vec<(HeaderName, String)>,
}

/// The last challenge of one realm.
#[derive(Debug, Serialize, Deserialize)]
struct Known {
    challenge: Challenge,
    /// How often its nonce was used.
    count: u32,
}

/// A request that may yet be challenged.
#[derive(Debug, Serialize, Deserialize)]
struct Sent {
    key: ClientKey,
    path: Path,
    request: Request,
    /// What it was signed for.
    signed: Vec<Challenge>,
    /// The challenges that it was sent again for.
    answers: Vec<Challenge>,
}

impl Sent {
    /// Whether our credentials may still satisfy this challenge.
    fn may_answer(&self, challenge: &Challenge) -> bool {
        let known = self.signed.iter().any(|signed| signed.is_same(challenge));
        let before = self.answers.iter().filter(|answer| answer.is_of_realm_of(challenge)).count();
        let refused = if challenge.stale { before > STALE } else { before > 0 };
        !known && !refused && self.answers.len() < CHALLENGES
    }
}

impl Auth {
    pub(super) fn new(who: Credentials) -> Self {
        Self { who, known: Vec::new(), sent: Vec::new(), on_invite: Vec::new() }
    }

    /// Signs an ACK, which repeats the credentials of its INVITE as they are (§22.1).
    pub(super) fn sign_ack(&self, ack: &mut Request) {
        for (name, value) in &self.on_invite {
            ack.headers_mut().push(name.clone(), value);
        }
    }

    /// Signs a request where challenges are known.
    fn sign(&mut self, request: &mut Request, cnonce: &str) {
        let mut lines = Vec::new();
        for Known { challenge, count } in &mut self.known {
            *count += 1;
            let (method, uri) = (request.method(), request.uri());
            let value = challenge.answer(&self.who, method, uri, *count, cnonce);
            lines.push((challenge.header(), value));
        }
        let headers = request.headers_mut();
        for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
            headers.remove(name);
        }
        for (name, value) in &lines {
            headers.push(name.clone(), value);
        }
        if *request.method() == Method::Invite {
            self.on_invite = lines;
        }
    }

    fn learn(&mut self, challenge: Challenge) {
        self.known.retain(|known| !known.challenge.is_of_realm_of(&challenge));
        self.known.push(Known { challenge, count: 0 });
    }
}

impl Leg {
    /// Signs a request where a challenge is known.
    pub(super) fn sign(&mut self, request: &mut Request) {
        if let Some(auth) = &mut self.auth {
            let cnonce = format!("{:016x}", self.random.number());
            auth.sign(request, &cnonce);
        }
    }

    /// Keeps a request as it is sent until its final response.
    pub(super) fn keep_for_challenge(&mut self, key: ClientKey, path: Path, request: &Request) {
        let Some(auth) = &mut self.auth else { return };
        let signed = auth.known.iter().map(|known| known.challenge.clone()).collect();
        let (request, answers) = (request.clone(), Vec::new());
        auth.sent.push(Sent { key, path, request, signed, answers });
    }

    /// Answers a challenge; returns whether the request is on its way again.
    pub(super) fn authorise(
        &mut self,
        now: Duration,
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
        let over = matches!(self.state, State::Over(_));
        if !sent.may_answer(&challenge) || (over && purpose != Purpose::Bye) {
            return false;
        }
        let mut answers = sent.answers;
        answers.push(challenge.clone());
        auth.learn(challenge);
        self.send_again(now, config, purpose, Ways::only(sent.path), sent.request);
        if let Some(again) = self.auth.as_mut().and_then(|auth| auth.sent.last_mut()) {
            again.answers = answers;
        }
        true
    }

    /// Sends a request once more as a new transaction with the next CSeq number.
    pub(super) fn send_again(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        purpose: Purpose,
        ways: Ways,
        mut request: Request,
    ) {
        let (key, via) = self.via(config, ways.usual);
        let Some(seq) = self.next_seq(purpose, key) else { return };
        let method = request.method().clone();
        let headers = request.headers_mut();
        headers.set_first_value(HeaderName::Via, via);
        headers.set(HeaderName::CSeq, CSeq { seq, method }.to_string());
        self.send(now, config, key, purpose, ways, request);
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
