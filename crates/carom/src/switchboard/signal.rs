//! What the SIP endpoint reports, sorted by leg and told to the call.

use ivr_runtime::call::{Input, TargetOutcome};
use sip_stack::{
    endpoint::{EndedBy, Event, LegId, Source, WireSummary},
    message::{Method, Request},
    offer_answer::AnswerKind,
};

use super::{
    Switchboard,
    live::{CallNo, CallerState, Side, TargetState},
};
use crate::node::clock::wall_ms;

impl Switchboard {
    pub(super) fn on_signal(&mut self, event: Event) {
        match event {
            Event::Incoming { leg, request, path } => self.on_incoming(leg, request, &path),
            Event::Cancelled { leg, .. } => self.caller_gone(leg, "CANCEL"),
            Event::Established { leg, sdp } => self.on_established(leg, sdp.as_deref()),
            Event::Progress { leg, status, sdp, .. } => {
                if let Some((no, Side::Target)) = self.current(leg) {
                    self.on_progress(no, status, sdp.as_deref());
                }
            }
            Event::Answered { leg, sdp, response } => match self.current(leg) {
                Some((no, Side::Target)) => {
                    self.on_target_answered(no, sdp.as_deref(), response.headers());
                }
                Some((_, Side::Caller)) | None => {}
            },
            Event::Failed { leg, status, response, cause } => {
                if let Some(&(no, Side::Target)) = self.legs.get(&leg) {
                    self.on_target_failed(no, leg, status, response.as_ref(), cause);
                }
            }
            Event::Offer { leg, sdp, request, .. } => {
                self.on_offer(leg, sdp.as_deref(), &request);
            }
            Event::OfferAnswered { leg, status, sdp } => {
                self.on_offer_answered(leg, status, sdp.as_deref());
            }
            Event::Info { leg, request } => {
                if let Some(&(no, side)) = self.legs.get(&leg) {
                    self.on_info(no, side, &request);
                }
                if let Some((no, Side::Target)) = self.current(leg) {
                    self.tell_if_human(no, request.headers(), false);
                }
            }
            Event::Referred { leg, outcome } => self.on_referred(leg, outcome),
            Event::Ended { leg, by, reason, request } => {
                self.on_ended(leg, by, reason.as_deref(), request.as_ref());
            }
            Event::Pong { ping, status } => self.on_pong(ping, status),
            Event::Shed { .. } => {
                let reason = self.shedding.unwrap_or("overload");
                metrics::counter!("carom_calls_refused_total", "reason" => reason).increment(1);
            }
            Event::Dropped { path, reason } => {
                if self.source(&path) == Source::Stranger {
                    // Over TCP a stranger keeps nothing open.
                    self.wires.close(&path);
                }
                metrics::counter!("carom_sip_dropped_total", "reason" => reason.to_string())
                    .increment(1);
            }
            Event::HopLost { leg, host } => self.find_hop(leg, host),
            Event::Unheard { path, connection, since, ping } => {
                let since = self.clock.epoch() + since;
                self.wires.doubt(&path, connection, since, ping);
            }
            Event::Wire { leg, sent, summary } => self.note_wire(leg, sent, &summary),
        }
    }

    /// The call of a leg, unless the leg was given up for another attempt.
    pub(super) fn current(&self, leg: LegId) -> Option<(CallNo, Side)> {
        let &(no, side) = self.legs.get(&leg)?;
        let call = self.calls.get(&no)?;
        let current = match side {
            Side::Caller => call.caller.leg == leg,
            Side::Target => call.target.as_ref().is_some_and(|target| target.leg == Some(leg)),
        };
        current.then_some((no, side))
    }

    fn on_established(&mut self, leg: LegId, sdp: Option<&[u8]>) {
        let Some((no, Side::Caller)) = self.current(leg) else { return };
        let Some(call) = self.calls.get_mut(&no) else { return };
        call.caller.state = CallerState::Confirmed;
        if call.caller.media.talk.current().is_none() {
            // Our 200 carried the offer, so the ACK carries the answer (RFC 3264 §4).
            let agreed = sdp.is_some_and(|sdp| call.caller.media.conclude(sdp, AnswerKind::Final));
            if !agreed {
                call.line.note(wall_ms(), "media", "the ACK carried no usable answer");
                return self.end_caller(no, "SIP;cause=488;text=\"Not Acceptable Here\"");
            }
            self.configure(no, Side::Caller);
            let target = self.calls.get(&no).and_then(|call| call.target.as_ref());
            if target.is_some_and(|target| target.state != TargetState::Calling) {
                self.bridge(no);
            }
        }
        self.tell_if_waiting_for_answer(no);
    }

    fn on_ended(&mut self, leg: LegId, by: EndedBy, reason: Option<&str>, bye: Option<&Request>) {
        let Some(&(no, side)) = self.legs.get(&leg) else { return };
        let current = self.current(leg).is_some();
        self.legs.remove(&leg);
        match side {
            Side::Caller => {
                if by == EndedBy::NoAck {
                    self.tell(no, Input::AnswerFailed);
                }
                if !self.left_by_refer(no) {
                    self.caller_ended(no);
                }
            }
            Side::Target if current => {
                if let Some(bye) = bye {
                    self.agent_said(no, bye.headers());
                }
                self.target_ended(no, by, reason);
            }
            Side::Target => {}
        }
    }

    fn caller_gone(&mut self, leg: LegId, how: &str) {
        let Some((no, _)) = self.legs.remove(&leg) else { return };
        if let Some(call) = self.calls.get_mut(&no) {
            call.line.note(wall_ms(), "sip", format!("caller gave up ({how})"));
        }
        self.caller_ended(no);
    }

    fn target_ended(&mut self, no: CallNo, by: EndedBy, reason: Option<&str>) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        call.replaced_by = None;
        let reason = reason.map(str::to_owned);
        let heard = call.hears_target();
        if let Some(mut target) = call.target.take() {
            target.leg = None;
            call.goodbye = reason;
            self.retire(no, target.media);
        }
        if heard {
            self.unbridge(no);
        }
        // A bot whose leg broke has handed nobody back.
        let outcome = match by {
            EndedBy::Peer => TargetOutcome::Ended { by_caller: false },
            EndedBy::Us | EndedBy::NoAck | EndedBy::Failure => {
                TargetOutcome::Failed { status: None }
            }
        };
        self.tell(no, Input::Target(outcome));
        self.close_if_over(no);
    }

    fn note_wire(&mut self, leg: Option<LegId>, sent: bool, summary: &WireSummary) {
        let Some(&(no, side)) = leg.and_then(|leg| self.legs.get(&leg)) else { return };
        let Some(call) = self.calls.get_mut(&no) else { return };
        let arrow = match (side, sent) {
            (Side::Caller, false) => "caller → us",
            (Side::Caller, true) => "us → caller",
            (Side::Target, true) => "us → target",
            (Side::Target, false) => "target → us",
        };
        if side == Side::Target && sent && summary.method == Method::Invite {
            call.ledger.sip_call_id_b = Some(summary.call_id.to_string());
        }
        call.line.note(wall_ms(), "sip", format!("{arrow}  {summary}"));
    }
}
