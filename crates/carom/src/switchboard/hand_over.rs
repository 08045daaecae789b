//! Calls that go on without us: one that is not answered is sent on by a 302 (RFC 3261 §21.3.3),
//! one that is by our REFER to the carrier (RFC 3515). What the carrier does not take is bridged.

use std::time::Duration;

use ivr_runtime::{
    call::{Input, TargetOutcome},
    flow::model::{TargetId, TargetMode},
};
use sip_stack::{
    endpoint::{LegId, Referral},
    message::HeaderName,
};

use super::{
    Switchboard,
    live::{CallNo, CallerState, Side, TargetState},
};
use crate::node::clock::wall_ms;

/// A target is kept so long for the carrier's INVITE in the place of ours, after its BYE.
const REPLACED: Duration = Duration::from_secs(10);

/// A REFER of ours to the carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Referring {
    /// Where the caller is to go; `None`: to who is bridged with us already.
    target: Option<TargetId>,
    /// The carrier has taken it.
    accepted: bool,
}

impl Switchboard {
    /// Hands the call over where the target's `mode` says so, or the trunk while the node stops;
    /// `false`: it is to be bridged.
    pub(super) fn hand_over(&mut self, no: CallNo, target: TargetId) -> bool {
        let Some(call) = self.calls.get(&no).filter(|call| call.dial.is_none()) else {
            return false;
        };
        let Some(facts) = call.flow.targets.get(usize::from(target.0)) else { return false };
        let leaves = self.draining && call.trunk.leave_on_stop;
        let addresses = self.health.in_order(&facts.addresses);
        let ring = Duration::from_secs(facts.ring_seconds.into());
        match (facts.mode, call.caller.state) {
            (mode, CallerState::Trying | CallerState::Early)
                if mode == TargetMode::Redirect || leaves =>
            {
                self.redirect(no, &addresses);
            }
            (mode, CallerState::Confirmed) if mode == TargetMode::Refer || leaves => {
                let Some(first) = addresses.first() else { return false };
                self.ringback(no);
                self.refer(no, Some(target), format!("<{first}>"), ring);
            }
            _ => return false,
        }
        true
    }

    /// The addresses as Contacts, the first to be tried first.
    fn redirect(&mut self, no: CallNo, addresses: &[String]) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no) else { return };
        let contacts = addresses.iter().zip(1..).map(|(address, nth)| {
            // A q-value has three decimals at most (RFC 3261 §20.10).
            let q = 1.0 / f64::from(nth);
            (HeaderName::Contact, format!("<{address}>;q={q:.3}"))
        });
        let contacts = contacts.collect();
        let leg = call.caller.leg;
        call.caller.state = CallerState::Gone;
        call.ledger.sip_final = Some(302);
        call.line.note(wall_ms(), "forward", "sent on by 302");
        count("redirect", "taken");
        self.endpoint.reject(now, leg, 302, None, contacts);
        self.tell(no, Input::Target(TargetOutcome::HandedOver { answered: false }));
    }

    fn refer(&mut self, no: CallNo, target: Option<TargetId>, to: String, ring: Duration) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no) else { return };
        call.referring = Some(Referring { target, accepted: false });
        let leg = call.caller.leg;
        self.endpoint.refer(now, leg, to, ring);
    }

    /// What the carrier makes of our REFER.
    pub(super) fn on_referred(&mut self, leg: LegId, outcome: Referral) {
        let Some((no, Side::Caller)) = self.current(leg) else { return };
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(referring) = call.referring.as_mut() else { return };
        let target = referring.target;
        match outcome {
            Referral::Accepted => {
                referring.accepted = true;
                call.line.note(wall_ms(), "forward", "the carrier takes the REFER");
            }
            Referral::Reached => {
                call.referring = None;
                call.line.note(wall_ms(), "forward", "handed over by REFER");
                count("refer", "taken");
                self.tell(no, Input::Target(TargetOutcome::HandedOver { answered: true }));
            }
            Referral::Failed { status } => {
                call.referring = None;
                let why = status.map_or_else(|| "no word".to_owned(), |status| status.to_string());
                call.line.note(wall_ms(), "forward", format!("the REFER failed: {why}"));
                count("refer", "failed");
                if let Some(target) = target {
                    self.call_by_ourselves(no, target, false, None);
                }
            }
        }
    }

    /// A carrier that has taken our REFER may hang up before it says what came of it. `true`: its
    /// INVITE in the place of ours may still come to the target, whose call waits for it.
    pub(super) fn left_by_refer(&mut self, no: CallNo) -> bool {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no) else { return false };
        let Some(referring) = call.referring.take().filter(|referring| referring.accepted) else {
            return false;
        };
        call.caller.state = CallerState::Gone;
        count("refer", "taken");
        if referring.target.is_none() && call.target.is_some() {
            call.replaced_by = Some(now + REPLACED);
            self.reschedule(no);
            return true;
        }
        self.tell(no, Input::Target(TargetOutcome::HandedOver { answered: false }));
        false
    }

    /// Nobody has come in our place.
    pub(super) fn not_replaced(&mut self, no: CallNo) {
        if let Some(call) = self.calls.get_mut(&no) {
            call.replaced_by = None;
        }
        self.tell(no, Input::Target(TargetOutcome::HandedOver { answered: false }));
        self.close_if_over(no);
    }

    /// The node stops: bridged calls of trunks that may leave go on between carrier and target
    /// alone, where the target knows how (RFC 3891). A bridge whose REFER fails stays.
    pub(super) fn leave_bridges(&mut self) {
        let calls: Vec<CallNo> = self.calls.keys().copied().collect();
        for no in calls {
            let Some(to) = self.leaves_to(no) else { continue };
            // Who is there answers at once.
            self.refer(no, None, to, Duration::from_secs(10));
        }
    }

    fn leaves_to(&self, no: CallNo) -> Option<String> {
        let call = self.calls.get(&no)?;
        let target = call.target.as_ref()?;
        let able = call.trunk.leave_on_stop
            && call.dial.is_none()
            && call.referring.is_none()
            && call.caller.state == CallerState::Confirmed
            && target.state == TargetState::Answered
            && target.agent.is_none()
            && target.knows_replaces
            && !target.quiet;
        self.endpoint.in_place_of(target.leg.filter(|_| able)?)
    }
}

fn count(how: &'static str, outcome: &'static str) {
    metrics::counter!("carom_handovers_total", "how" => how, "outcome" => outcome).increment(1);
}
