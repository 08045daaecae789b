//! What can become of a text, and how long it may take until it is known.

use super::{From, ms};
use crate::{
    flow::{
        model::{AskNumber, ConfirmNumber, LinkId, Step, StepId, Text},
        way_out::Failed,
    },
    proof::state::{Asked, Cause, Place},
    step::{number, text},
};

impl From<'_> {
    pub(super) fn text(&mut self, id: StepId, step: &Step, text: &Text) {
        let failed = Failed::Step(id);
        if self.state.asked == Asked::Nothing {
            return self.way_out(Cause::Failure("not asked for"), 0, failed, text.if_fails);
        }
        let lengths = self.lengths;
        let said = |play: &Option<_>| play.as_ref().map_or(0, |play: &Vec<_>| lengths.of(play));
        let asked_ms = text.ask.as_ref().map_or(0, |ask| self.asking_for_a_number(text, ask));
        let checked = self.asked_for_at_most(&text.links);
        let budget = checked + u64::from(text.accept_within_ms) + ms(text::GRACE);
        let waited = asked_ms + budget.max(said(&text.wait_prompt));
        let from = self.moves.len();
        let mut sent = waited + said(&text.sent_prompt);
        if let Some(ask) = &text.ask {
            // Whether another number is to have it too.
            sent += lengths.of(&ask.elsewhere) + ms(number::CONFIRM);
            let human = Place::Target(self.flow.human);
            self.to(Cause::So("a person is asked for"), sent, human);
        }
        self.go(Cause::So("text sent"), sent, step, text.then);
        for (why, told, own) in [
            ("text fails", said(&text.failed_prompt), text.if_fails),
            (
                "text may still arrive",
                lengths.of(&text.unsure_prompt),
                text.if_ambiguous.or(text.if_fails),
            ),
            (
                "caller has opted out",
                lengths.of_sound("you-opted-out"),
                text.if_opted_out.or(text.if_fails),
            ),
            ("text over a limit", said(&text.failed_prompt), text.if_limited.or(text.if_fails)),
        ] {
            self.way_out(Cause::Failure(why), waited + told, failed, own);
        }
        // What was asked for is done, or can't be done.
        self.moves[from..].iter_mut().for_each(|next| next.to.asked = Asked::Nothing);
    }

    /// For a caller who says nothing to it; who types takes the time of their own choice.
    fn asking_for_a_number(&self, text: &Text, ask: &AskNumber) -> u64 {
        let once = self.lengths.of(&ask.other) + u64::from(number::TIMEOUT_MS);
        // A trunk may have every number confirmed.
        let own = match text.confirm_number {
            ConfirmNumber::Always | ConfirmNumber::IfNotMobile => {
                2 * (self.lengths.of(&ask.own) + ms(number::CONFIRM))
            }
            ConfirmNumber::Never => 0,
        };
        own.max(u64::from(number::TRIES) * once + self.lengths.of(&ask.refused))
    }

    /// How long it may take until it is known whether somebody is there at a link, or at one that
    /// takes its place.
    pub(super) fn asked_for_at_most(&self, links: &[LinkId]) -> u64 {
        let (mut open, mut seen, mut most) = (links.to_vec(), Vec::new(), 0);
        while let Some(id) = open.pop() {
            let Some(link) = self.flow.links.get(usize::from(id.0)) else { continue };
            if !seen.contains(&id) {
                seen.push(id);
                most += link.check().map_or(0, |check| u64::from(check.timeout_ms));
                open.extend(link.if_missing);
            }
        }
        most
    }
}
