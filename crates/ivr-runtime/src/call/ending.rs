//! How a call is answered and how it ends.

use std::time::Duration;

use super::{
    ANSWER_WITHIN, Aloud, Call, CallbackOutcome, EndReason, Handled, Leaves, OfferResponse, Output,
    Phase, Record, Route, Visit, VoiceOutcome, Way, targets::Stage, wait::Waiting,
};
use crate::{
    flow::model::PromptItem,
    step::{Exit, Running, voicemail},
};

/// The final code of a call that the flow hangs up unanswered and for which no PBX spoke.
const NOT_NOW: u16 = 480;

impl Call {
    /// Our 200 goes out; what is to be heard waits for it.
    pub(super) fn answer(&mut self, now: Duration, then: Aloud) {
        self.state.progress.answered = true;
        self.state.desk.push(Output::Answer);
        self.state.phase = Phase::Answering { then, until: now + ANSWER_WITHIN };
    }

    pub(super) fn answered(&mut self, now: Duration) {
        let at_ms = self.state.desk.at_ms(now);
        self.record(Record::Answered { at_ms });
        let Phase::Answering { then, .. } = std::mem::replace(&mut self.state.phase, Phase::Over)
        else {
            return;
        };
        if !self.emergency_notice(now, &then) {
            self.begin_answered(now, then);
        }
    }

    /// What the answered call begins with.
    pub(super) fn begin_answered(&mut self, now: Duration, then: Aloud) {
        let way = match then {
            Aloud::Step(visit) => self.begin_aloud(now, visit),
            Aloud::Direct => Some(self.bypassed("drain")),
            Aloud::Apology => Some(Way::Apology),
        };
        if let Some(way) = way {
            self.advance(now, way);
        }
    }

    /// Nobody is there to hear us.
    pub(super) fn answer_failed(&mut self, now: Duration) {
        self.close_step(now, Exit::Error, OfferResponse::Hangup, Some("answer_failed"));
        self.state.desk.push(Output::HangUp);
        self.end(now, EndReason::Error);
    }

    /// The last exit: the PBX's code where the call was never answered, else an apology.
    pub(super) fn apologise(&mut self, now: Duration) {
        let Route { last_status, .. } = self.state.route;
        if let (false, Some(status)) = (self.state.progress.answered, last_status) {
            self.state.desk.push(Output::Reject { status });
            return self.end(now, EndReason::NoRoute);
        }
        if !self.state.progress.answered {
            return self.answer(now, Aloud::Apology);
        }
        let sorry = [PromptItem::Sound("apology".into())];
        match self.context(now).play(&sorry, false) {
            Some(playback) => self.state.phase = Phase::Apologising(playback),
            None => self.apologised(now),
        }
    }

    pub(super) fn apologised(&mut self, now: Duration) {
        self.state.desk.push(Output::HangUp);
        self.end(now, EndReason::Apology);
    }

    /// The flow says `hangup`.
    pub(super) fn end_in_flow(&mut self, now: Duration) {
        let status = self.state.route.last_status.unwrap_or(NOT_NOW);
        self.state.desk.push(match self.state.progress.answered {
            true => Output::HangUp,
            false => Output::Reject { status },
        });
        // Who was told all there is, or had it done, did not lack a way to anybody.
        let or_else = match self.state.progress.served {
            true => EndReason::AnsweredInIvr,
            false => EndReason::NoRoute,
        };
        let reason = self.done_in_flow().unwrap_or(or_else);
        self.end(now, reason);
    }

    /// The caller is gone.
    pub(super) fn hung_up(&mut self, now: Duration) {
        if self.leaves_something(now) {
            return;
        }
        self.close_step(now, Exit::Hangup, OfferResponse::Hangup, None);
        let reason = match &self.state.phase {
            Phase::Forwarding(forwarding) => match forwarding.stage {
                Stage::Calling { .. } => {
                    self.state.desk.push(Output::StopForward);
                    EndReason::CallerHangup
                }
                Stage::Queued | Stage::Unheard | Stage::Talking => {
                    return self.end_forwarded(now, true);
                }
            },
            Phase::Saying(_) => self.done_in_flow().unwrap_or(EndReason::CallerHangup),
            Phase::Apologising(_) => EndReason::Apology,
            // It is waited for whatever the caller does.
            Phase::Parting { .. } => return,
            Phase::Waiting(_) => {
                let left = self.hung_up_in_line();
                self.done_in_flow().unwrap_or(left)
            }
            Phase::Answering { .. } | Phase::InStep { .. } | Phase::Over => {
                self.done_in_flow().unwrap_or(EndReason::CallerHangup)
            }
        };
        self.end(now, reason);
    }

    /// A caller who hangs up has said all, and has said yes to a callback that is being booked; the
    /// call is over once that is kept, or is not.
    fn leaves_something(&mut self, now: Duration) -> bool {
        let Phase::InStep { visit, running } = &self.state.phase else { return false };
        let (leaves, until) = match running {
            Running::Voicemail(taking) if taking.is_open() => {
                (Leaves::Message, now + voicemail::KEEP_WITHIN)
            }
            Running::Callback(booking) => match booking.is_booking() {
                Some(number) => (Leaves::Booking(number), booking.poll_timeout()),
                None => return false,
            },
            _ => return false,
        };
        let visit = visit.clone();
        if matches!(running, Running::Voicemail(taking) if taking.is_speaking()) {
            self.state.desk.push(Output::StopVoice);
        }
        // Nobody is there any more for whom a person would answer.
        self.leave_line();
        self.state.phase = Phase::Parting { visit, until, leaves };
        true
    }

    /// What the caller said before hanging up is kept, or is not; `None`: nobody told.
    pub(super) fn parted(&mut self, now: Duration, outcome: Option<&VoiceOutcome>) {
        let Phase::Parting { visit, .. } = &self.state.phase else { return };
        let visit = visit.clone();
        let note = match outcome {
            Some(VoiceOutcome::Kept { length_ms }) => {
                self.state.progress.message_left = true;
                format!("kept:{}s", length_ms.div_ceil(1_000))
            }
            Some(VoiceOutcome::Nothing) => "nothing_said".to_owned(),
            Some(VoiceOutcome::Failed { why }) => why.clone(),
            None => "not_kept".to_owned(),
        };
        self.end_parting(now, &visit, note);
    }

    /// The callback that the caller had said yes to is booked, or is not; `None`: nobody told.
    pub(super) fn parted_booking(&mut self, now: Duration, outcome: Option<&CallbackOutcome>) {
        let Phase::Parting { visit, leaves: Leaves::Booking(number), .. } = &self.state.phase
        else {
            return;
        };
        let (visit, number) = (visit.clone(), *number);
        let note = match outcome {
            Some(CallbackOutcome::Booked { .. }) => "booked",
            Some(CallbackOutcome::Free(_) | CallbackOutcome::Full) => "full",
            Some(CallbackOutcome::NotCallable { why } | CallbackOutcome::Failed { why }) => why,
            None => "not_booked",
        };
        match outcome {
            Some(CallbackOutcome::Booked { .. }) => self.state.progress.callback_booked = true,
            _ => self.state.progress.callbacks_due.retain(|due| *due != number),
        }
        if outcome.is_none() {
            // The record says that there is none.
            self.state.desk.push(Output::CancelCallback { booking: number });
        }
        self.end_parting(now, &visit, note.to_owned());
    }

    fn end_parting(&mut self, now: Duration, visit: &Visit, note: String) {
        self.record_left(now, visit, 1, Exit::Hangup, Some(note));
        let reason = self.done_in_flow().unwrap_or(EndReason::CallerHangup);
        self.end(now, reason);
    }

    /// The caller left before anything was done.
    pub(super) fn end_at_once(&mut self, now: Duration) {
        self.end(now, EndReason::CallerHangup);
    }

    /// The bridge is over, from either side.
    pub(super) fn end_forwarded(&mut self, now: Duration, by_caller: bool) {
        if self.state.progress.human {
            let at_ms = self.state.desk.at_ms(now);
            self.record(Record::HumanEnded { at_ms });
        }
        if !by_caller {
            self.state.desk.push(Output::HangUp);
        }
        self.end_as_forwarded(now);
    }

    /// The call goes on without us; `goodbye`: its leg to us is still up.
    pub(super) fn end_handed_over(&mut self, now: Duration, goodbye: bool) {
        if goodbye {
            self.state.desk.push(Output::HangUp);
        }
        self.end_as_forwarded(now);
    }

    fn end_as_forwarded(&mut self, now: Duration) {
        let emergency = self.state.facts.is_emergency();
        let reason = if emergency { EndReason::EmergencyBypass } else { EndReason::Forwarded };
        self.end(now, reason);
    }

    /// Ends the step the call is in, with the offer that is being spoken in it.
    pub(super) fn close_step(
        &mut self,
        now: Duration,
        exit: Exit,
        response: OfferResponse,
        note: Option<&str>,
    ) {
        self.end_music();
        let (visit, tries, offer) = match &self.state.phase {
            Phase::InStep { visit, running } => {
                (visit.clone(), running.tries(), running.pending_offer())
            }
            Phase::Answering { then: Aloud::Step(visit), .. }
            | Phase::Waiting(Waiting { visit, .. }) => (visit.clone(), 1, None),
            Phase::Answering { .. }
            | Phase::Forwarding(_)
            | Phase::Saying(_)
            | Phase::Apologising(_)
            | Phase::Parting { .. }
            | Phase::Over => return,
        };
        if let Phase::InStep { running: Running::Voicemail(taking), .. } = &self.state.phase
            && taking.is_speaking()
        {
            self.state.desk.push(Output::StopVoice);
        }
        if matches!(&self.state.phase, Phase::InStep { running: Running::Agent(_), .. }) {
            self.state.desk.push(Output::StopForward);
        }
        if let Some(n) = offer {
            self.context(now).answer_offer(n, response, None);
        }
        self.record_left(now, &visit, tries, exit, note.map(str::to_owned));
    }

    /// What the flow has done for the caller already.
    fn done_in_flow(&self) -> Option<EndReason> {
        let progress = &self.state.progress;
        let done = [
            // Work moved, not removed (EX-09).
            (progress.callback_booked, EndReason::CallbackBooked),
            (progress.message_left, EndReason::Voicemail),
            (progress.text_sent, EndReason::Deflected),
            (progress.answered_in_ivr, EndReason::AnsweredInIvr),
        ];
        done.into_iter().find_map(|(is, reason)| is.then_some(reason))
    }

    fn end(&mut self, now: Duration, reason: EndReason) {
        self.leave_line();
        self.follow_up(now);
        let at_ms = self.state.desk.at_ms(now);
        let progress = &self.state.progress;
        let handled = match (progress.human, progress.maybe_human) {
            (true, _) => Handled::Human,
            (false, true) => Handled::Unknown,
            (false, false) => Handled::NoHuman,
        };
        // EX-21: not where the caller went on to a person.
        let in_flow = matches!(reason, EndReason::Deflected | EndReason::AnsweredInIvr);
        if progress.answered_in_ivr && in_flow && handled == Handled::NoHuman {
            self.record(Record::Outcome { kind: "answered_in_ivr".into(), at_ms });
        }
        let reason = if self.state.facts.is_test() { EndReason::TestCall } else { reason };
        self.record(Record::End { reason, handled, at_ms });
        self.state.phase = Phase::Over;
    }
}
