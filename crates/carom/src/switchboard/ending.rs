//! How calls end: goodbyes to both legs, media closed, the record kept.

use std::{sync::Arc, time::Duration};

use ivr_runtime::call::{Call, Input};
use rtp_media::{session::SessionStats, worker::Command};

use super::{
    Switchboard,
    dial::Dialled,
    live::{CallNo, CallerState, Side},
};
use crate::node::clock::wall_ms;

/// An ended call is kept this long at most for the counts of its media.
const LAST_COUNTS: Duration = Duration::from_secs(5);
/// Why calls are ended when the node stops.
const STOPPING: &str = "SIP;cause=503;text=\"Node is stopping\"";

impl Switchboard {
    /// Hangs up on the caller, as the flow wants.
    pub(super) fn hang_up_caller(&mut self, no: CallNo, reason: Option<String>) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no) else { return };
        if call.caller.state == CallerState::Gone {
            return;
        }
        call.caller.state = CallerState::Gone;
        let leg = call.caller.leg;
        self.endpoint.hang_up(now, leg, reason);
    }

    /// Ends the caller leg for a reason of ours, and tells the flow that the caller is gone.
    pub(super) fn end_caller(&mut self, no: CallNo, reason: &str) {
        self.hang_up_caller(no, Some(reason.to_owned()));
        self.caller_ended(no);
    }

    /// The caller is gone: the target leg goes too, the flow is told.
    pub(super) fn caller_ended(&mut self, no: CallNo) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no) else { return };
        call.caller.state = CallerState::Gone;
        if call.machine.is_none() {
            if call.dial.is_some() {
                return self.dial_failed(no);
            }
            // It left before its flow began.
            if let Some(facts) = call.facts.take() {
                let flow = Arc::clone(&call.flow);
                call.machine = Some(Call::left_at_once(now, flow, facts));
                self.drain_machine(no);
            }
        }
        self.tell(no, Input::HungUp);
        let target = self.calls.get_mut(&no).and_then(|call| call.target.as_mut());
        let leg = target.and_then(|target| target.leg.take());
        self.drop_leg(leg, None);
        self.close_if_over(no);
    }

    /// Once the flow has ended, says the goodbyes that are left and closes the media; the call is
    /// kept until its sessions have told their counts.
    pub(super) fn close_if_over(&mut self, no: CallNo) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no).filter(|call| call.over && !call.closing) else {
            return;
        };
        call.closing = true;
        call.closed_by = Some(now + LAST_COUNTS);
        let goodbye = call.goodbye.take();
        let leg = call.target.as_mut().and_then(|target| target.leg.take());
        self.hang_up_caller(no, goodbye);
        self.drop_leg(leg, None);
        let Some(call) = self.calls.get_mut(&no) else { return };
        let target = call.target.take().map(|target| target.media);
        let spare = call.spare_media.take();
        let mut open = Vec::new();
        let caller = (call.caller.media.session, call.caller.media.open);
        let others = target.iter().chain(&spare).map(|media| (media.session, media.open));
        for (session, is_open) in std::iter::once(caller).chain(others) {
            if is_open {
                open.push(session);
            } else {
                self.sessions.remove(session);
            }
        }
        drop((target, spare));
        for session in open {
            // One that is refused is said again when the call is given up.
            self.media_to(session, Command::Close);
        }
        self.reschedule(no);
        self.finish_if_closed(no);
    }

    /// A worker that was too busy to hear the goodbye, or to answer it, keeps no call for ever.
    pub(super) fn give_up_closing(&mut self, no: CallNo) {
        for session in self.sessions.all_of(no) {
            tracing::warn!(session = session.0, "media session did not tell its end");
            let _ = self.media.queue(session, Command::Close);
            self.sessions.remove(session);
        }
        self.finish_if_closed(no);
    }

    /// The last session of an ended call is closed: it moves to the ended ones.
    pub(super) fn finish_if_closed(&mut self, no: CallNo) {
        let Some(call) = self.calls.get(&no).filter(|call| call.closing) else { return };
        if self.sessions.of(no) {
            return;
        }
        let seconds = call.ledger.length_ms() as f64 / 1_000.0;
        if let Some((end, handled)) = &call.ledger.end {
            metrics::counter!("carom_calls_ended_total", "reason" => end.clone(), "handled" => handled.clone())
                .increment(1);
        }
        metrics::histogram!("carom_call_seconds").record(seconds);
        call.ledger.log();
        let Some(call) = self.calls.remove(&no) else { return };
        if let Some(at) = call.deadline {
            self.deadlines.remove(&(at, no));
        }
        let summary = call.ledger.summary();
        self.ended.keep(&summary, &call.line);
    }

    pub(super) fn note_stats(&mut self, no: CallNo, side: Side, stats: &SessionStats) {
        metrics::counter!("carom_rtp_packets_sent_total").increment(stats.sent_packets);
        metrics::counter!("carom_rtp_packets_received_total").increment(stats.received_packets);
        metrics::counter!("carom_rtp_packets_lost_total").increment(stats.lost);
        metrics::counter!("carom_rtp_packets_late_total").increment(stats.late_packets);
        let Some(call) = self.calls.get_mut(&no) else { return };
        let text = format!(
            "{side}: sent {} packets, received {}, lost {}, jitter {:.1} ms, late {}, keys {}",
            stats.sent_packets,
            stats.received_packets,
            stats.lost,
            f64::from(stats.jitter_us) / 1_000.0,
            stats.late_packets,
            stats.keys,
        );
        call.line.note(wall_ms(), "media", text);
        self.finish_if_closed(no);
    }

    /// Calls that are still in a flow go to their human target.
    pub(super) fn bridge_all(&mut self) {
        let calls: Vec<CallNo> = self.calls.keys().copied().collect();
        for no in calls {
            self.tell(no, Input::OperatorBridge);
            self.reschedule(no);
            self.media.wake();
        }
    }

    /// BYE to everybody.
    pub(super) fn end_all(&mut self) {
        let calls: Vec<CallNo> = self.calls.keys().copied().collect();
        for no in calls {
            // A callback that this cuts short is no try.
            self.tell_dialler(no, Dialled::Later);
            self.end_caller(no, STOPPING);
            self.media.wake();
        }
    }
}
