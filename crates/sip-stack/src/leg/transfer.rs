//! Our REFER within a dialog (RFC 3515): the peer is asked to call somebody else, and tells by
//! NOTIFY what becomes of that.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Leg, Output, Purpose, State};
use crate::{
    endpoint::{EndpointConfig, Event, Referral},
    message::{HeaderName, Headers, Method, Request},
    transaction::{ClientKey, ServerKey},
};

/// So long the answer to our REFER is waited for, and then the first NOTIFY.
const REPLY: Duration = Duration::from_secs(5);

/// A REFER of ours and what is known of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Transfer {
    stage: Stage,
    /// So long it may ring there.
    ring: Duration,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Stage {
    /// The REFER is out.
    Asked { key: ClientKey, until: Duration },
    /// A 2xx came; nothing is told yet.
    Accepted { until: Duration },
    /// The peer is calling.
    Calling { until: Duration },
    /// The outcome is told; what comes later is answered and changes nothing.
    Told,
}

impl Transfer {
    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        match self.stage {
            Stage::Asked { until, .. } | Stage::Accepted { until } | Stage::Calling { until } => {
                Some(until)
            }
            Stage::Told => None,
        }
    }
}

impl Leg {
    /// Whether the peer may tell what becomes of a REFER.
    pub fn has_referred(&self) -> bool {
        self.transfer.is_some()
    }

    /// Asks the peer to call `to`, a Refer-To. What becomes of it is told, whatever happens.
    pub(super) fn refer(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        to: &str,
        ring: Duration,
    ) {
        let able = matches!(&self.state, State::Session(session) if session.unacked.is_none());
        let busy = self.transfer.as_ref().is_some_and(|transfer| transfer.poll_timeout().is_some());
        if !able || busy {
            return self.referral(Referral::Failed { status: None });
        }
        let Some((ways, key, mut refer)) = self.next_request(config, Method::Refer) else { return };
        let contact = self.contact();
        let headers = refer.headers_mut();
        headers.push(HeaderName::Contact, &contact);
        headers.push(HeaderName::ReferTo, to);
        headers.push(HeaderName::ReferredBy, &contact);
        headers.push(HeaderName::UserAgent, &config.user_agent);
        self.transfer = Some(Transfer { stage: Stage::Asked { key, until: now + REPLY }, ring });
        self.send(now, config, key, Purpose::Refer, ways, refer);
    }

    /// The Refer-To of who is to take the peer's place.
    pub fn in_place_of(&self) -> Option<String> {
        match &self.state {
            State::Session(session) => Some(session.dialog.replaced(&self.id.to_string())),
            State::Incoming(_) | State::Outgoing(_) | State::Over(_) | State::Moving => None,
        }
    }

    /// A final response to our REFER (RFC 3515 §2.4.2).
    pub(super) fn refer_answered(&mut self, now: Duration, config: &EndpointConfig, status: u16) {
        let Some(transfer) = &mut self.transfer else { return };
        match (transfer.stage, status) {
            (Stage::Asked { .. }, 200..300) => {
                transfer.stage = Stage::Accepted { until: now + REPLY };
                self.referral(Referral::Accepted);
            }
            (Stage::Asked { .. }, 481) => self.broken(now, config),
            (Stage::Asked { .. }, status) => self.told(Referral::Failed { status: Some(status) }),
            // A NOTIFY was faster than the 202 (§2.4.4).
            (Stage::Accepted { .. } | Stage::Calling { .. } | Stage::Told, _) => {}
        }
    }

    /// Our REFER came to nothing without a response.
    pub(super) fn refer_unanswered(&mut self) {
        let waits = |transfer: &Transfer| matches!(transfer.stage, Stage::Asked { .. });
        if self.transfer.as_ref().is_some_and(waits) {
            self.told(Referral::Failed { status: None });
        }
    }

    /// What the peer tells of its call (§2.4.5).
    pub(super) fn peer_notify(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        txn: ServerKey,
        request: &Request,
    ) {
        let Some(transfer) = &mut self.transfer else {
            return self.respond(config, txn, request, 481);
        };
        if !is_of(request.headers(), HeaderName::Event, "refer") {
            return self.respond(config, txn, request, 489);
        }
        let over = is_of(request.headers(), HeaderName::SubscriptionState, "terminated");
        let before = transfer.stage;
        let outcome = match (before, fragment(request.body())) {
            (Stage::Told, _) => None,
            (_, Some(200..300)) => Some(Referral::Reached),
            (_, Some(status @ 300..)) => Some(Referral::Failed { status: Some(status) }),
            // It ends without a word of what came of it.
            (_, _) if over => Some(Referral::Failed { status: None }),
            (Stage::Asked { .. } | Stage::Accepted { .. }, Some(_)) => {
                transfer.stage = Stage::Calling { until: now + transfer.ring };
                None
            }
            (_, _) => None,
        };
        self.respond(config, txn, request, 200);
        if matches!(before, Stage::Asked { .. }) {
            // That it tells says that it has taken the REFER.
            self.referral(Referral::Accepted);
        }
        if let Some(outcome) = outcome {
            self.told(outcome);
        }
    }

    pub(super) fn transfer_timeout(&mut self, now: Duration) {
        let Some(transfer) = &self.transfer else { return };
        if transfer.poll_timeout().is_none_or(|until| now < until) {
            return;
        }
        let status = match transfer.stage {
            Stage::Asked { key, .. } => {
                // A peer that hears it later would call somebody who is called by us by then.
                self.open.retain(|open| *open != key);
                self.outputs.push_back(Output::Abandon(key));
                None
            }
            Stage::Accepted { .. } | Stage::Told => None,
            Stage::Calling { .. } => Some(408),
        };
        self.told(Referral::Failed { status });
    }

    fn told(&mut self, outcome: Referral) {
        if let Some(transfer) = &mut self.transfer {
            transfer.stage = Stage::Told;
        }
        self.referral(outcome);
    }

    fn referral(&mut self, outcome: Referral) {
        self.event(Event::Referred { leg: self.id, outcome });
    }
}

/// The first word of a header, parameters left out.
fn is_of(headers: &Headers, name: HeaderName, word: &str) -> bool {
    let value = headers.first(name).unwrap_or("");
    value.split(';').next().is_some_and(|first| first.trim().eq_ignore_ascii_case(word))
}

/// The status in a message/sipfrag body (RFC 3420).
fn fragment(body: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(body).ok()?.lines().next()?;
    let status: u16 = line.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()?;
    (100..700).contains(&status).then_some(status)
}
