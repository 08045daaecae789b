//! A leg that has ended for its user, until the network has heard of it too.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Leg, Output, Purpose, State, ack::Unacked, outgoing::earliest};
use crate::{
    dialog::Dialog,
    endpoint::EndpointConfig,
    message::{HeaderName, Method},
    transaction::LIMIT,
};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Over {
    pub(super) dialog: Option<Dialog>,
    /// Our 2xx that must be acknowledged before a BYE may go (RFC 3261 §15).
    pub(super) unacked: Option<Unacked>,
    /// Our NOTIFY, which a BYE must not overtake.
    #[serde(default)]
    notifying: bool,
    /// The Reason of the BYE that waits for that.
    reason: Option<String>,
    until: Duration,
    pub(super) expired: bool,
}

impl Over {
    /// Nothing is owed but the final responses of what is under way.
    pub(super) fn quiet(now: Duration) -> Self {
        Self {
            dialog: None,
            unacked: None,
            notifying: false,
            reason: None,
            until: now + LIMIT,
            expired: false,
        }
    }

    /// A dialog that ended, kept to number and route what must still be sent in it.
    pub(super) fn of(now: Duration, dialog: Dialog) -> Self {
        Self { dialog: Some(dialog), ..Self::quiet(now) }
    }

    /// A BYE has to wait for the ACK.
    pub(super) fn awaiting(
        now: Duration,
        dialog: Dialog,
        unacked: Unacked,
        reason: Option<String>,
    ) -> Self {
        Self { unacked: Some(unacked), reason, until: now + 2 * LIMIT, ..Self::of(now, dialog) }
    }

    /// A BYE has to wait until our NOTIFY is answered.
    pub(super) fn notifying(now: Duration, dialog: Dialog) -> Self {
        Self { notifying: true, until: now + 2 * LIMIT, ..Self::of(now, dialog) }
    }

    /// The peer's own BYE has come: ours need not.
    pub(super) fn await_nothing(&mut self) {
        (self.unacked, self.notifying) = (None, false);
    }

    pub(super) fn extend(&mut self, now: Duration) {
        self.until = now + LIMIT;
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.unacked.is_none() && !self.notifying
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        let unacked = self.unacked.as_ref().and_then(Unacked::poll_timeout);
        earliest([Some(self.until), unacked])
    }
}

impl Leg {
    pub(super) fn over_timeout(&mut self, now: Duration, config: &EndpointConfig) {
        let State::Over(over) = &mut self.state else { return };
        if let Some(unacked) = &mut over.unacked {
            if unacked.is_lost(now) {
                over.unacked = None;
                self.late_bye(now, config);
            } else if unacked.is_due(now) {
                let (txn, status) = (unacked.txn, unacked.status);
                let bytes = unacked.bytes.clone();
                self.outputs.push_back(Output::Respond { txn, status, bytes });
            }
        }
        if let State::Over(over) = &mut self.state {
            over.expired |= now >= over.until;
        }
    }

    /// Our NOTIFY is answered, or will not be.
    pub(super) fn notified(&mut self, now: Duration, config: &EndpointConfig) {
        let State::Over(over) = &mut self.state else { return };
        if std::mem::take(&mut over.notifying) {
            self.late_bye(now, config);
        }
    }

    /// The BYE that waited for an ACK, or for an answer to our NOTIFY.
    pub(super) fn late_bye(&mut self, now: Duration, config: &EndpointConfig) {
        let State::Over(over) = &mut self.state else { return };
        over.extend(now);
        let reason = over.reason.take();
        let Some(mut dialog) = over.dialog.take() else { return };
        self.send_bye(now, config, &mut dialog, reason);
        if let State::Over(over) = &mut self.state {
            over.dialog = Some(dialog);
        }
    }

    pub(super) fn send_bye(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        dialog: &mut Dialog,
        reason: Option<String>,
    ) {
        let ways = self.ways(config, dialog);
        let (key, via) = self.via(config, ways.usual);
        let (mut bye, _) = dialog.request(Method::Bye, &via);
        bye.headers_mut().push(HeaderName::UserAgent, &config.user_agent);
        if let Some(reason) = reason {
            bye.headers_mut().push(HeaderName::Reason, reason);
        }
        self.send(now, config, key, Purpose::Bye, ways, bye);
    }
}
