//! What a caller says into a voicemail step: taken by the media worker, kept by a task.

use ivr_runtime::call::{Input, VoiceOutcome};
use rtp_media::{session::SessionId, worker::Command};
use tokio::sync::oneshot;

use super::{
    Switchboard,
    live::{CallNo, CallerState, Side},
    tasks::Done,
};
use crate::node::clock::wall_ms;

/// The recording of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taking {
    /// The step that takes it.
    pub step: String,
    /// It was told to stop; else it is over by itself.
    pub stopped: bool,
}

impl Switchboard {
    pub(super) fn take_voice(&mut self, no: CallNo, step: String, max_ms: u32, silence_ms: u32) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        call.taking = Some(Taking { step, stopped: false });
        let session = call.caller.media.session;
        self.media_to(session, Command::Record { max_ms, silence_ms: Some(silence_ms) });
    }

    pub(super) fn stop_voice(&mut self, no: CallNo) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        if let Some(taking) = &mut call.taking {
            taking.stopped = true;
        }
        let session = call.caller.media.session;
        self.media_to(session, Command::StopRecord);
    }

    /// The worker hands over what it has recorded.
    pub(super) fn on_recorded(&mut self, session: SessionId, samples: Vec<i16>) {
        let Some((no, Side::Caller)) = self.sessions.get(session) else { return };
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(Taking { step, stopped }) = call.taking.take() else { return };
        if samples.is_empty() {
            return self.tell(no, Input::Voice(VoiceOutcome::Nothing));
        }
        let call_id = call.call_id.clone();
        let public_url = call.snapshot.config.http.public_url.clone();
        let (mailbox, done) = (self.services.mailbox.clone(), self.done.clone());
        tokio::spawn(async move {
            let (knows, told) = oneshot::channel();
            let url = public_url.as_deref();
            let outcome = match mailbox.keep(&call_id, &step, samples, url, told).await {
                Ok(left) => VoiceOutcome::Kept {
                    length_ms: u32::try_from(left.length_ms).unwrap_or(u32::MAX),
                },
                Err(why) => {
                    tracing::error!(call = call_id, %why, "a message that was left is not kept");
                    VoiceOutcome::Failed { why: why.word().to_owned() }
                }
            };
            let _ = done.send(Done::Voice(no, outcome, knows));
        });
        if !stopped {
            self.tell(no, Input::VoiceOver);
        }
        if let Some(call) = self.calls.get_mut(&no) {
            call.line.note(wall_ms(), "media", "caller: message taken");
        }
    }

    /// What became of a message; its mailbox hears whether the caller is there to be told.
    pub(super) fn voice_done(
        &mut self,
        no: CallNo,
        outcome: VoiceOutcome,
        knows: oneshot::Sender<bool>,
    ) {
        let call = self.calls.get(&no);
        let is_there = call.is_some_and(|call| call.caller.state != CallerState::Gone);
        let _ = knows.send(is_there); // nobody listens where it is kept
        self.tell(no, Input::Voice(outcome));
    }
}
