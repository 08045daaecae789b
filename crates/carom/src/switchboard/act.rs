//! What the call machine wants done, and what the media workers report back to it.

use std::sync::Arc;

use ivr_runtime::call::{Input, Output, Record};
use rtp_media::{
    prompt::Prompt,
    session::{MediaEvent, SessionId},
    worker::Command,
};

use super::{
    Switchboard,
    arrive::key_of,
    dial::Dialled,
    feature::LinkOrder,
    forward::RINGBACK,
    live::{CallNo, CallerState, Side},
};
use crate::node::clock::wall_ms;
use sip_stack::b2bua;

impl Switchboard {
    /// Tells the machine what happened and does what it wants then.
    pub(super) fn tell(&mut self, no: CallNo, input: Input) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(machine) = call.machine.as_mut() else { return self.on_dialling(no, &input) };
        // What comes after its end is none of the caller's doing.
        let row = (!machine.is_over())
            .then(|| call.ledger.input(wall_ms(), machine.flow(), &input, machine.hides_keys()));
        if let Some(row) = row.flatten() {
            self.services.store(row);
        }
        machine.handle_input(now, input);
        self.drain_machine(no);
    }

    pub(super) fn on_deadline(&mut self, no: CallNo) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no) else { return };
        if call.closed_by.is_some_and(|at| at <= now) {
            return self.give_up_closing(no);
        }
        if call.replaced_by.is_some_and(|at| at <= now) {
            return self.not_replaced(no);
        }
        if let Some(target) = call.target.as_mut()
            && target.hunt.poll_timeout().is_some_and(|at| at <= now)
        {
            let acts = target.hunt.handle_timeout(now);
            self.act_on_hunt(no, acts);
        }
        self.reoffer_due(no);
        self.on_keys_timeout(no);
        let Some(call) = self.calls.get_mut(&no) else { return };
        let waited = call.dial.as_ref().and_then(|dial| dial.until);
        if call.machine.is_none() && waited.is_some_and(|until| until <= now) {
            return self.dial_failed(no);
        }
        if call.machine.is_none() && call.facts_due.is_some_and(|at| at <= now) {
            call.facts_due = None;
            if let Some(facts) = call.facts.take() {
                return self.start_machine(no, facts);
            }
        }
        let Some(call) = self.calls.get_mut(&no) else { return };
        if let Some(machine) = call.machine.as_mut()
            && machine.poll_timeout().is_some_and(|at| at <= now)
        {
            machine.handle_timeout(now);
            self.drain_machine(no);
        }
    }

    pub(super) fn drain_machine(&mut self, no: CallNo) {
        loop {
            let Some(call) = self.calls.get_mut(&no) else { return };
            let Some(output) = call.machine.as_mut().and_then(|m| m.poll_output()) else { break };
            self.do_output(no, output);
        }
        self.close_if_over(no);
        self.align(no, Side::Caller);
        self.reschedule(no);
    }

    fn do_output(&mut self, no: CallNo, output: Output) {
        match output {
            Output::Answer => self.answer_caller(no),
            Output::Play { id, language, prompts, barge_in } => {
                self.play(no, id, &language, &prompts, barge_in);
            }
            Output::Hold { id, language, prompts } => self.hold(no, id, &language, &prompts),
            Output::Rebridge => self.bridge(no),
            Output::Unbridge => self.unbridge(no),
            Output::StopPlay => {
                if let Some(call) = self.calls.get(&no) {
                    let session = call.caller.media.session;
                    self.media_to(session, Command::Stop);
                }
            }
            Output::SendText(request) => self.send_text(no, request),
            Output::FollowUp { text, due_ms, until_ms } => {
                self.follow_up(no, text, due_ms, until_ms);
            }
            Output::Fetch(request) => self.fetch(no, request),
            Output::BookCallback(request) => self.book_callback(no, request),
            Output::FindSlot(request) => self.find_slot(no, &request),
            Output::CancelCallback { booking } => self.cancel_callback(no, booking),
            Output::TakeVoice { step, max_ms, silence_ms } => {
                self.take_voice(no, step, max_ms, silence_ms);
            }
            Output::StopVoice => self.stop_voice(no),
            Output::RecordOptOut { topic } => self.record_opt_out(no, topic),
            Output::Forward { target, quiet } => self.forward(no, target, quiet),
            Output::CallAgent(agent) => self.call_agent(no, agent),
            Output::StopForward => self.stop_forward(no),
            Output::Reject { status } => {
                let (now, status) = (self.now(), b2bua::passed_back(status));
                let Some(call) = self.calls.get_mut(&no) else { return };
                let leg = call.caller.leg;
                call.caller.state = CallerState::Gone;
                call.ledger.sip_final = Some(status);
                self.endpoint.reject(now, leg, status, None, Vec::new());
            }
            Output::HangUp => {
                let goodbye = self.calls.get_mut(&no).and_then(|call| call.goodbye.take());
                self.hang_up_caller(no, goodbye);
            }
            Output::Record(record) => self.on_record(no, record),
        }
    }

    fn play(&mut self, no: CallNo, id: u32, language: &str, names: &[String], barge_in: bool) {
        let Some(items) = self.prompts(no, language, names) else {
            return self.tell(no, Input::PlayFailed { id });
        };
        let Some(call) = self.calls.get(&no) else { return };
        let session = call.caller.media.session;
        self.media_to(session, Command::Play { id, items, barge_in, repeat: false });
    }

    /// Music; without it the caller waits in silence, which is no reason to end the wait.
    fn hold(&mut self, no: CallNo, id: u32, language: &str, names: &[String]) {
        let Some(items) = self.prompts(no, language, names) else { return };
        let Some(call) = self.calls.get(&no) else { return };
        let session = call.caller.media.session;
        self.media_to(session, Command::Play { id, items, barge_in: false, repeat: true });
    }

    /// The sounds of these names; `None`: one of them is missing.
    fn prompts(
        &mut self,
        no: CallNo,
        language: &str,
        names: &[String],
    ) -> Option<Vec<Arc<Prompt>>> {
        let call = self.calls.get_mut(&no)?;
        let prompts = &call.snapshot.prompts.set;
        let first = call.flow.languages.first().map_or("", String::as_str);
        let find =
            |name: &String| prompts.find(language, name).or_else(|| prompts.find(first, name));
        let items: Option<Vec<_>> = names.iter().map(find).collect();
        let items = items.filter(|items| !items.is_empty());
        if items.is_none() {
            call.line.note(wall_ms(), "media", format!("prompt missing: {}", names.join(", ")));
            metrics::counter!("carom_prompts_missing_total").increment(1);
        }
        items
    }

    /// Sends the 200 with our SDP and opens the media session.
    pub(super) fn answer_caller(&mut self, no: CallNo) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no) else { return };
        if call.caller.state == CallerState::Confirmed {
            return self.tell(no, Input::Answered); // a callback: who was rung first is there
        }
        if !matches!(call.caller.state, CallerState::Trying | CallerState::Early) {
            return;
        }
        let media = &mut call.caller.media;
        let Some(sdp) = media.answer.clone().or_else(|| media.offer()) else { return };
        call.caller.state = CallerState::Answered;
        call.ledger.sip_final = Some(200);
        let leg = call.caller.leg;
        if call.caller.media.talk.current().is_some() {
            self.configure(no, Side::Caller);
        }
        self.endpoint.answer(now, leg, sdp, Vec::new());
    }

    /// After the ACK: the machine may play.
    pub(super) fn tell_if_waiting_for_answer(&mut self, no: CallNo) {
        self.tell(no, Input::Answered);
    }

    /// Tells the worker what was agreed for a leg, opening its session the first time.
    pub(super) fn configure(&mut self, no: CallNo, side: Side) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        let rules = call.stream_rules(side);
        let Some(media) = call.media_mut(side) else { return };
        let Some(agreed) = media.talk.current() else { return };
        let config = super::media::stream_config(agreed, &rules);
        let session = media.session;
        if let Some(ports) = media.ports.take() {
            media.open = true;
            let (ssrc, seq, timestamp) = self.services.rtp_start();
            self.media_to(session, Command::Open { ports, ssrc, seq, timestamp });
        }
        self.media_to(session, Command::Configure(Box::new(config)));
    }

    /// Sends a command to a worker; a full queue is counted, the call lives on by its deadlines.
    pub(super) fn media_to(&mut self, session: SessionId, command: Command) {
        if let Err(error) = self.media.queue(session, command) {
            metrics::counter!("carom_media_commands_lost_total").increment(1);
            tracing::warn!(session = session.0, %error, "media command lost");
        }
    }

    pub(super) fn on_media(&mut self, event: MediaEvent) {
        let session = session_of(&event);
        let Some((no, side)) = self.sessions.get(session) else { return };
        match event {
            MediaEvent::KeyDown { digit, .. } => {
                if let (Side::Caller, Some(key)) = (side, key_of(digit)) {
                    self.tell(no, Input::KeyDown(key));
                }
            }
            MediaEvent::KeyUp { digit, .. } if side == Side::Target => {
                self.on_target_key(no, digit);
            }
            MediaEvent::KeyUp { digit, .. } => {
                if let Some(key) = key_of(digit) {
                    if let Some(call) = self.calls.get_mut(&no) {
                        call.line.note(wall_ms(), "key", "the caller pressed a key");
                    }
                    self.tell(no, Input::Key(key));
                }
            }
            MediaEvent::PlayDone { id, completed, .. } if id != RINGBACK => {
                self.tell(no, Input::PlayDone { id, completed });
            }
            MediaEvent::PlayDone { .. } | MediaEvent::KeySent { .. } => {}
            MediaEvent::Recorded { session, samples } => self.on_recorded(session, samples),
            MediaEvent::Latched { from, signalled, .. } => {
                let Some(call) = self.calls.get_mut(&no) else { return };
                if !signalled {
                    let said = call.media_mut(side).and_then(|m| m.signalled());
                    let said = said.map_or_else(|| "nothing".to_owned(), |at| at.to_string());
                    call.line.note(
                        wall_ms(),
                        "media",
                        format!("{side}: SDP said {said}, media came from {from}"),
                    );
                }
            }
            MediaEvent::FirstPacket { .. } => {
                if let Some(call) = self.calls.get_mut(&no) {
                    call.line.note(wall_ms(), "media", format!("{side}: first RTP packet"));
                }
            }
            MediaEvent::Timeout { .. } => {
                let call = self.calls.get_mut(&no);
                let current = call.and_then(|call| call.media_mut(side));
                if current.is_some_and(|media| media.session == session) {
                    self.on_media_timeout(no, side);
                }
            }
            MediaEvent::RelayKey { digit, duration_ms, .. } => {
                self.relay_key_as_info(no, side, digit, duration_ms);
            }
            MediaEvent::Closed { stats, .. } => {
                self.sessions.remove(session);
                self.note_stats(no, side, &stats);
            }
        }
    }

    fn on_media_timeout(&mut self, no: CallNo, side: Side) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        call.line.note(wall_ms(), "media", format!("{side}: no media for the time-out"));
        let reason = "Q.850;cause=102;text=\"RTP timeout\"";
        match side {
            Side::Caller => self.end_caller(no, reason),
            Side::Target => {
                let leg = call.target.as_mut().and_then(|target| target.leg);
                if let Some(leg) = leg {
                    let now = self.now();
                    self.endpoint.hang_up(now, leg, Some(reason.to_owned()));
                }
            }
        }
    }

    pub(super) fn relay_key_as_info(
        &mut self,
        no: CallNo,
        side: Side,
        digit: dtmf_detector::Digit,
        duration_ms: u32,
    ) {
        use dtmf_detector::info::{InfoKind, build};
        let now = self.now();
        let Some(call) = self.calls.get(&no) else { return };
        let leg = match side {
            Side::Caller => Some(call.caller.leg),
            Side::Target => call.target.as_ref().and_then(|target| target.leg),
        };
        let Some(leg) = leg else { return };
        let kind = InfoKind::DtmfRelay;
        let body = build(digit, duration_ms, kind);
        self.endpoint.info(now, leg, kind.content_type(), body.as_bytes());
    }

    fn on_record(&mut self, no: CallNo, record: Record) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        let mut rows = call.ledger.take(&record, &call.snapshot.prompts);
        rows.extend(super::told::event(&call.ledger, &record, &call.snapshot.config.http));
        if let Some(text) = super::in_words::in_words(&record) {
            call.line.note(wall_ms(), super::in_words::kind(&record), text);
        }
        let dialled = match record {
            Record::End { .. } => {
                call.over = true;
                Some(Dialled::NotReached)
            }
            Record::ForwardAnswered { .. } => Some(Dialled::Reached),
            Record::SendLink { why_not, .. } => {
                call.link_order = Some(why_not.map_or(LinkOrder::Sent, LinkOrder::Refused));
                None
            }
            _ => None,
        };
        for row in rows {
            self.services.store(row);
        }
        if let Some(dialled) = dialled {
            self.tell_dialler(no, dialled);
        }
    }
}

fn session_of(event: &MediaEvent) -> SessionId {
    match event {
        MediaEvent::KeyDown { session, .. }
        | MediaEvent::KeyUp { session, .. }
        | MediaEvent::PlayDone { session, .. }
        | MediaEvent::Latched { session, .. }
        | MediaEvent::FirstPacket { session }
        | MediaEvent::Timeout { session }
        | MediaEvent::RelayKey { session, .. }
        | MediaEvent::KeySent { session, .. }
        | MediaEvent::Recorded { session, .. }
        | MediaEvent::Closed { session, .. } => *session,
    }
}
