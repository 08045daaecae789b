//! New calls refused as cheaply as can be: without a transaction or a leg (RFC 5390 §8.1: what an
//! overloaded server spends on refusing, it takes from the calls it has).

use std::{collections::HashMap, time::Duration};

use super::{
    Endpoint,
    path::Path,
    types::{Event, Output},
};
use crate::{
    message::{HeaderName, Method, Request, Response},
    transaction::ServerKey,
};

/// A refused INVITE is known this long at least, so that a copy that was under way is refused,
/// too, and its ACK is no stray: 64·T1.
const REMEMBERED: Duration = Duration::from_secs(32);
/// More than this are forgotten sooner.
const MOST: usize = 200_000;

/// The status new calls get, and which were refused lately.
#[derive(Debug, Default)]
pub(super) struct Shed {
    status: Option<u16>,
    /// With what each was refused.
    lately: HashMap<ServerKey, u16>,
    before: HashMap<ServerKey, u16>,
    since: Duration,
}

impl Shed {
    fn told(&self, key: ServerKey) -> Option<u16> {
        self.lately.get(&key).or_else(|| self.before.get(&key)).copied()
    }

    fn remember(&mut self, now: Duration, key: ServerKey, status: u16) {
        if now.saturating_sub(self.since) > REMEMBERED || self.lately.len() >= MOST {
            self.before = std::mem::take(&mut self.lately);
            self.since = now;
        }
        self.lately.insert(key, status);
    }

    /// Lets go of what is known too long.
    pub(super) fn forget(&mut self, now: Duration) {
        let old = !self.lately.is_empty() || !self.before.is_empty();
        if old && now.saturating_sub(self.since) > 2 * REMEMBERED {
            (self.lately, self.before) = Default::default();
        }
    }
}

impl Endpoint {
    /// From now on new calls get this status and nothing else is done for them, not even a 100;
    /// with `None` they are taken again. Each call refused is an [`Event::Shed`].
    pub fn shed(&mut self, status: Option<u16>) {
        self.shed.status = status;
    }

    /// Refuses a new call; returns whether it did.
    pub(super) fn sheds(
        &mut self,
        now: Duration,
        key: ServerKey,
        path: Path,
        request: &Request,
    ) -> bool {
        let is_new =
            *request.method() == Method::Invite && request.to().is_ok_and(|to| to.tag().is_none());
        if !is_new {
            return false;
        }
        self.shed.forget(now);
        let status = match (self.shed.told(key), self.shed.status) {
            (Some(told), _) => told,
            (None, Some(status)) => {
                self.shed.remember(now, key, status);
                self.event(Event::Shed { path });
                status
            }
            (None, None) => return false,
        };
        let mut response = Response::for_request(request, status, "");
        let tag = super::refuse::stateless_tag(request, self.config.seed);
        let to = response.headers().first(HeaderName::To).unwrap_or("").to_owned();
        let tagged = crate::dialog::tagged(&to, &super::LegId(tag).to_string());
        response.headers_mut().set(HeaderName::To, tagged);
        response.headers_mut().push(HeaderName::Server, &self.config.user_agent);
        self.outputs.push_back(Output::Transmit { path, bytes: response.to_bytes(), txn: None });
        true
    }

    /// Whether a request with the key of an INVITE, its ACK or CANCEL, is for a call that was
    /// refused lately: a stateless server lets it pass in silence (RFC 3261 §8.2.7).
    pub(super) fn was_shed(&self, key: ServerKey) -> bool {
        self.shed.told(key).is_some()
    }
}
