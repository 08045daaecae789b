//! New calls refused as cheaply as can be: without a transaction or a leg (RFC 5390 §8.1: what an
//! overloaded server spends on refusing, it takes from the calls it has).

use std::{collections::HashSet, time::Duration};

use super::{
    Endpoint,
    types::{Event, Output, Path},
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
    last_status: u16,
    lately: HashSet<ServerKey>,
    before: HashSet<ServerKey>,
    since: Duration,
}

impl Shed {
    fn knows(&self, key: ServerKey) -> bool {
        self.lately.contains(&key) || self.before.contains(&key)
    }

    fn remember(&mut self, now: Duration, key: ServerKey, status: u16) {
        if now.saturating_sub(self.since) > REMEMBERED || self.lately.len() >= MOST {
            self.before = std::mem::take(&mut self.lately);
            self.since = now;
        }
        self.lately.insert(key);
        self.last_status = status;
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
        let status = match (self.shed.status, self.shed.knows(key)) {
            (_, true) => self.shed.last_status,
            (Some(status), false) => {
                self.shed.remember(now, key, status);
                self.event(Event::Shed { path });
                status
            }
            (None, false) => return false,
        };
        let mut response = Response::for_request(request, status, "");
        let tag = super::refuse::stateless_tag(request, self.config.seed);
        let to = response.headers().first(HeaderName::To).unwrap_or("").to_owned();
        let tagged = crate::dialog::tagged(&to, &super::LegId(tag).to_string());
        response.headers_mut().set(HeaderName::To, tagged);
        response.headers_mut().push(HeaderName::Server, &self.config.user_agent);
        self.outputs.push_back(Output::Transmit { path, bytes: response.to_bytes() });
        true
    }

    /// Whether an ACK is that of a call refused lately.
    pub(super) fn acks_shed(&self, key: ServerKey) -> bool {
        self.shed.knows(key)
    }
}
