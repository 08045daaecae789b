//! REFER within a dialog (RFC 3515), where the peer may hand the call back. The address in it is
//! never called: the call is over for our user, as by a BYE, and the peer is told that all is done.

use std::time::Duration;

use super::{Leg, Purpose, State, over::Over};
use crate::{
    dialog::Dialog,
    endpoint::{EndedBy, EndpointConfig, Event},
    message::{HeaderName, Method, Request},
    transaction::ServerKey,
};

/// Refer-Sub (RFC 4488): whether the peer wants to hear what becomes of it.
const REFER_SUB: &str = "Refer-Sub";

impl Leg {
    pub(super) fn peer_refer(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        txn: ServerKey,
        request: Request,
    ) {
        // One that is no reference (§2.4.2), and one before the ACK that our BYE has to wait for.
        if request.headers().all(HeaderName::ReferTo).count() != 1 {
            return self.respond(config, txn, &request, 400);
        }
        let State::Session(session) = &self.state else { return };
        if session.unacked.is_some() {
            return self.respond(config, txn, &request, 491);
        }
        self.respond(config, txn, &request, 202);
        let Some(mut session) = self.leave_session(config) else { return };
        if let Some(seq) = session.ours.owed_ack() {
            self.send_ack(now, config, &session.dialog, seq, None);
        }
        let over = if wants_notice(&request) {
            self.notify_done(now, config, &mut session.dialog);
            Over::notifying(now, session.dialog)
        } else {
            self.send_bye(now, config, &mut session.dialog, None);
            Over::of(now, session.dialog)
        };
        self.state = State::Over(Box::new(over));
        let by = EndedBy::Peer;
        self.event(Event::Ended { leg: self.id, by, reason: None, request: Some(request) });
    }

    /// The one NOTIFY of the subscription, first and last (§2.4.4, §2.4.7).
    fn notify_done(&mut self, now: Duration, config: &EndpointConfig, dialog: &mut Dialog) {
        let ways = self.ways(config, dialog);
        let (key, via) = self.via(config, ways.usual);
        let (mut notify, _) = dialog.request(Method::Notify, &via);
        let headers = notify.headers_mut();
        headers.push(HeaderName::Contact, self.contact());
        headers.push(HeaderName::UserAgent, &config.user_agent);
        headers.push(HeaderName::Event, "refer");
        headers.push(HeaderName::SubscriptionState, "terminated;reason=noresource");
        notify.set_body("message/sipfrag;version=2.0", b"SIP/2.0 200 OK\r\n");
        self.send(now, config, key, Purpose::Notify, ways, notify);
    }
}

fn wants_notice(refer: &Request) -> bool {
    let told = refer.headers().first(HeaderName::from(REFER_SUB)).unwrap_or("true");
    !told.trim().eq_ignore_ascii_case("false")
}
