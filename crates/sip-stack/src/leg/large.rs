//! Requests too large for a datagram: by TCP, and by UDP after all where that comes to nothing
//! (RFC 3261 §18.1.1).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Leg, Output, Purpose, State, route::Ways, wire::via_of};
use crate::{
    endpoint::{EndpointConfig, FALLBACK_AFTER, LARGE_REQUEST, Path, ReofferMethod},
    message::{HeaderName, Request},
    transaction::ClientKey,
};

/// What becomes of a leg's large requests.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) enum Large {
    /// They go the way of the others: nobody asked for more, or TCP has failed here.
    #[default]
    AsOthers,
    /// They go by TCP, which has not brought an answer yet.
    Untried(Vec<Attempt>),
    /// They go by TCP, which has.
    Proven(Vec<Attempt>),
}

/// A request that went by TCP and has had no answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Attempt {
    key: ClientKey,
    purpose: Purpose,
    /// The way to fall back to, and when.
    path: Path,
    at: Duration,
    request: Request,
}

impl Large {
    pub(super) fn by_tcp() -> Self {
        Self::Untried(Vec::new())
    }

    pub(super) fn is_by_tcp(&self) -> bool {
        !matches!(self, Self::AsOthers)
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.attempts().iter().map(|attempt| attempt.at).min()
    }

    fn attempts(&self) -> &[Attempt] {
        match self {
            Self::AsOthers => &[],
            Self::Untried(attempts) | Self::Proven(attempts) => attempts,
        }
    }

    /// An answer to a request, 1xx included.
    pub(super) fn answered(&mut self, key: ClientKey) {
        if let Self::Untried(attempts) | Self::Proven(attempts) = self
            && let Some(at) = attempts.iter().position(|attempt| attempt.key == key)
        {
            attempts.remove(at);
            *self = Self::Proven(std::mem::take(attempts));
        }
    }
}

impl Leg {
    /// Requests that are too large for a datagram go by TCP where the next hop's URI does not say
    /// otherwise.
    pub fn prefer_by_size(&mut self) {
        self.large = Large::by_tcp();
    }

    /// Returns the way of a request, which is ready but for its Via; where that is TCP because of
    /// its size, the request is kept for UDP.
    pub(super) fn fit(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        key: ClientKey,
        purpose: Purpose,
        ways: Ways,
        request: &mut Request,
    ) -> Path {
        let (Large::Untried(attempts) | Large::Proven(attempts)) = &mut self.large else {
            return ways.usual;
        };
        let Some(tcp) = ways.large.filter(|_| is_large(request)) else { return ways.usual };
        let (path, at) = (ways.usual, now + FALLBACK_AFTER);
        attempts.push(Attempt { key, purpose, path, at, request: request.clone() });
        request.headers_mut().set_first_value(HeaderName::Via, via_of(config, tcp, key));
        tcp
    }

    /// Returns the way of an ACK. It is never answered, so that a large one goes by TCP only where
    /// other requests have shown that TCP works.
    pub(super) fn fit_ack(
        &self,
        config: &EndpointConfig,
        key: ClientKey,
        ways: Ways,
        ack: &mut Request,
    ) -> Path {
        let proven = matches!(self.large, Large::Proven(_));
        let Some(tcp) = ways.large.filter(|_| proven && is_large(ack)) else { return ways.usual };
        ack.headers_mut().set_first_value(HeaderName::Via, via_of(config, tcp, key));
        tcp
    }

    pub(super) fn large_timeout(&mut self, now: Duration, config: &EndpointConfig) {
        if self.large.poll_timeout().is_some_and(|at| now >= at) {
            self.back_to_udp(now, config);
        }
    }

    /// A request came to nothing: where it went by TCP because of its size, UDP is still left.
    pub(super) fn large_unanswered(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        key: ClientKey,
    ) {
        if self.large.attempts().iter().any(|attempt| attempt.key == key) {
            self.back_to_udp(now, config);
        }
    }

    /// Sends what waits for an answer by TCP again by UDP, where all that follows goes at once.
    fn back_to_udp(&mut self, now: Duration, config: &EndpointConfig) {
        let (Large::Untried(attempts) | Large::Proven(attempts)) = std::mem::take(&mut self.large)
        else {
            return;
        };
        if let State::Over(over) = &mut self.state {
            over.extend(now);
        }
        for Attempt { key, purpose, path, request, .. } in attempts {
            if matches!(self.state, State::Over(_)) && purpose != Purpose::Bye {
                continue; // nobody waits for its outcome any more
            }
            self.open.retain(|open| *open != key);
            // The transaction of a re-INVITE lives on, for a late 2xx to it is owed an ACK.
            if purpose == Purpose::Reoffer(ReofferMethod::Invite) {
                self.replaced.push(key);
            } else {
                self.outputs.push_back(Output::Abandon(key));
            }
            self.send_again(now, config, purpose, Ways::only(path), request);
        }
    }
}

fn is_large(request: &Request) -> bool {
    request.to_bytes().len() > LARGE_REQUEST
}
