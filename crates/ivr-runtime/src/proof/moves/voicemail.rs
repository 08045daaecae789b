//! What can become of a message, and how long it may take until it is known.

use super::{From, ms};
use crate::{
    flow::{
        model::{Step, StepId, Voicemail},
        way_out::Failed,
    },
    proof::state::{Cause, Place},
    step::voicemail::{GRACE, KEEP_WITHIN, TONE},
};

/// Something was said …
const SPOKEN: u8 = 1;
/// … or nothing was.
const SILENT: u8 = 2;

impl From<'_> {
    /// After the tone. Who says nothing may be heard for as long as who speaks: that it is over may
    /// be told by nobody.
    pub(super) fn asking_to_speak(&mut self, id: StepId, voicemail: &Voicemail) {
        let tone = self.lengths.of_sound(TONE);
        let longest = tone + u64::from(voicemail.max_seconds) * 1_000 + ms(GRACE);
        self.to(Cause::Speech, longest, Place::Doing(id, SPOKEN));
        self.to(Cause::Silence, longest, Place::Doing(id, SILENT));
    }

    pub(super) fn keeping(&mut self, id: StepId, step: &Step, voicemail: &Voicemail, n: u8) {
        let within = ms(KEEP_WITHIN);
        match n {
            SPOKEN => self.kept(Cause::So("message left"), within, voicemail.then),
            _ => self.go(Cause::So("nothing said"), within, step, voicemail.then),
        }
        let fails = Cause::Failure("not kept");
        self.way_out(fails, within, Failed::Step(id), voicemail.if_fails);
    }
}
