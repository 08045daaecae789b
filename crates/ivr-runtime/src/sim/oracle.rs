//! What every call must keep to, whatever its flow and whatever fails.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{random::Random, stage::Stage};
use crate::{
    call::{
        AGENT_INITIATED, Call, CallState, EndReason, Facts, Handled, Input, OfferResponse, Output,
        Record, TextOutcome,
    },
    flow::model::Flow,
};

/// The machine's state may be no larger, written as JSON.
const STATE_BYTES: usize = 4096;

/// How a step was left.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Left {
    pub step: String,
    pub exit: String,
    pub note: Option<String>,
}

/// Watches one call from outside.
#[derive(Debug)]
pub(super) struct Oracle {
    longest: Duration,
    began: Option<Duration>,
    protected: bool,
    answered: bool,
    bridged: bool,
    forwarding: bool,
    /// A voice bot has the caller.
    with_agent: bool,
    /// A target leg that the caller need not hear.
    in_line: bool,
    /// Target legs so far.
    legs: usize,
    texts: u32,
    /// What the caller says is being taken.
    taking: bool,
    /// Something that was said is kept.
    kept: bool,
    /// A callback is booked.
    booked: bool,
    pub holdout: bool,
    pub offers: Vec<(OfferResponse, Option<String>)>,
    pub end: Option<(EndReason, Handled)>,
    pub state_bytes: usize,
    /// The steps that were entered, in order.
    pub entered: Vec<String>,
    /// By what steps were left.
    pub left: BTreeSet<Left>,
    pub events: u32,
}

impl Oracle {
    pub fn new(flow: &Flow, facts: &Facts) -> Self {
        let rings: u32 = flow
            .targets
            .iter()
            .map(|target| target.addresses.len().max(1) as u32 * (target.ring_seconds + 8) + 6)
            .sum();
        // Flow, overtime, every target once more, one step that was just entered, the apology.
        let longest = 60 * flow.max_minutes + 300 + 3 * rings + 600;
        Self {
            longest: Duration::from_secs(u64::from(longest)),
            began: None,
            protected: facts.is_protected() || facts.bypass.is_some(),
            answered: false,
            bridged: false,
            forwarding: false,
            with_agent: false,
            in_line: false,
            legs: 0,
            texts: 0,
            taking: false,
            kept: false,
            booked: false,
            holdout: false,
            offers: Vec::new(),
            end: None,
            state_bytes: 0,
            entered: Vec::new(),
            left: BTreeSet::new(),
            events: 0,
        }
    }

    /// Judges what the call has asked for since the last look.
    pub fn look_at(&mut self, stage: &mut Stage<Random>) -> Result<(), String> {
        let began = *self.began.get_or_insert(stage.now);
        self.events += 1;
        for output in stage.take_outputs() {
            self.booked |= stage.world.booked.is_some_and(|at| at <= stage.now);
            self.kept |= stage.world.kept.is_some_and(|at| at <= stage.now);
            // A line that the target let go of is none any more; nothing is said of it.
            if self.in_line && stage.world.is_over(self.legs, stage.now) {
                (self.in_line, self.forwarding) = (false, false);
            }
            let leg = matches!(output, Output::Forward { .. } | Output::CallAgent(_));
            self.legs += usize::from(leg);
            let told = stage.world.told.as_ref().filter(|(at, _)| *at <= stage.now);
            self.judge(&output, told.map(|(_, outcome)| outcome))
                .map_err(|why| format!("{why}: {output:?}"))?;
            let person = matches!(output, Output::Record(Record::HumanAnswered { .. }));
            if person && stage.world.booked.is_some() {
                return Err("with a person, and rung later all the same".into());
            }
        }
        if self.bridged || stage.call.is_over() {
            return Ok(());
        }
        if stage.call.poll_timeout().is_none() {
            return Err("no deadline before a bridge".into());
        }
        if stage.now > began + self.longest {
            return Err(format!("unbridged for {:?}", stage.now.saturating_sub(began)));
        }
        Ok(())
    }

    fn judge(&mut self, output: &Output, told: Option<&TextOutcome>) -> Result<(), &'static str> {
        if self.end.is_some() {
            return Err("something after the end");
        }
        match output {
            Output::Answer if self.answered => Err("answered twice"),
            Output::Answer => {
                self.answered = true;
                Ok(())
            }
            Output::Play { .. } if !self.answered || self.forwarding => Err("played too early"),
            Output::Play { .. } | Output::Forward { .. } | Output::CallAgent(_) if self.taking => {
                Err("a caller interrupted")
            }
            Output::TakeVoice { .. } if !self.answered || self.forwarding || self.taking => {
                Err("nobody to listen to")
            }
            Output::TakeVoice { .. } => {
                self.taking = true;
                Ok(())
            }
            Output::StopVoice if !self.taking => Err("nothing to stop"),
            Output::StopVoice => {
                self.taking = false;
                Ok(())
            }
            Output::Play { prompts, .. } => self.is_true(prompts, told),
            Output::SendText(_) if self.protected => Err("a text in a protected call"),
            Output::SendText(text) if text.asked_in == AGENT_INITIATED && !self.bridged => {
                Err("a link from an agent who is not there")
            }
            Output::SendText(text)
                if text.pressed.is_none() && text.asked_in != AGENT_INITIATED =>
            {
                Err("a text nobody asked for")
            }
            Output::SendText(_) => {
                self.texts += 1;
                Ok(())
            }
            Output::FollowUp { .. } if self.protected => Err("a follow-up of a protected call"),
            Output::FollowUp { text, .. } if text.pressed.is_none() => {
                Err("a follow-up nobody agreed to")
            }
            Output::FollowUp { .. } => Ok(()),
            Output::Hold { .. } if !self.answered => Err("music too early"),
            Output::Forward { quiet: true, .. } if self.in_line => Err("two places in line"),
            Output::Forward { quiet: true, .. } => {
                self.in_line = true;
                Ok(())
            }
            Output::Rebridge if !self.in_line => Err("bridged to nobody"),
            Output::Rebridge => {
                self.forwarding = true;
                Ok(())
            }
            Output::Unbridge => {
                self.forwarding = false;
                Ok(())
            }
            Output::Forward { .. } | Output::CallAgent(_) if self.in_line => {
                Err("a place in line left behind")
            }
            Output::Forward { .. } | Output::CallAgent(_) if self.forwarding => {
                Err("two forwards at once")
            }
            Output::CallAgent(_) if !self.answered => Err("a bot for a call that is not answered"),
            Output::CallAgent(_) => {
                (self.forwarding, self.with_agent) = (true, true);
                Ok(())
            }
            Output::Forward { .. } => {
                self.forwarding = true;
                Ok(())
            }
            Output::StopForward => {
                (self.forwarding, self.in_line) = (false, false);
                Ok(())
            }
            Output::Reject { .. } if self.answered => Err("rejected an answered call"),
            Output::HangUp if !self.answered => Err("BYE without an answer"),
            Output::Record(record) => self.note(record),
            Output::Reject { .. }
            | Output::HangUp
            | Output::StopPlay
            | Output::Hold { .. }
            | Output::Fetch(_)
            | Output::FindSlot(_)
            | Output::BookCallback(_)
            | Output::CancelCallback { .. }
            | Output::RecordOptOut { .. } => Ok(()),
        }
    }

    /// "We have sent you a link" only when that is so.
    fn is_true(&self, prompts: &[String], told: Option<&TextOutcome>) -> Result<(), &'static str> {
        if prompts.iter().any(|name| name == "callback-booked") && !self.booked {
            return Err("said what is not true");
        }
        let says_sent = prompts.iter().any(|name| name == "sent");
        let sent = matches!(
            told,
            Some(TextOutcome::Accepted { .. } | TextOutcome::Duplicate | TextOutcome::Queued)
        );
        if says_sent && !(sent && self.texts > 0) { Err("said what is not true") } else { Ok(()) }
    }

    fn note(&mut self, record: &Record) -> Result<(), &'static str> {
        match record {
            Record::Arm { holdout } => self.holdout = *holdout,
            Record::StepEntered { step, .. } => self.entered.push(step.clone()),
            Record::StepLeft { seq, exit, note, .. } => {
                let index = usize::try_from(*seq).ok().and_then(|n| n.checked_sub(1));
                let step = index.and_then(|index| self.entered.get(index));
                let Some(step) = step else { return Err("a step left that was not entered") };
                self.left.insert(Left {
                    step: step.clone(),
                    exit: exit.clone(),
                    note: note.clone(),
                });
                self.taking = false;
                if std::mem::take(&mut self.with_agent) {
                    self.forwarding = false;
                }
            }
            Record::ForwardAnswered { .. } => (self.bridged, self.answered) = (true, true),
            Record::ForwardFailed { .. } => self.forwarding = false,
            Record::Offer { response: OfferResponse::Suppressed, reason: None, .. } => {
                return Err("suppressed without a reason");
            }
            Record::Offer { stage, response, .. }
                if self.holdout
                    && !matches!(stage.as_str(), "menu" | "agent")
                    && *response != OfferResponse::Suppressed =>
            {
                return Err("an offer in the control group");
            }
            Record::End { reason: EndReason::CallbackBooked, .. } if !self.booked => {
                return Err("a callback that nobody makes");
            }
            Record::End { reason: EndReason::Voicemail, .. } if !self.kept => {
                return Err("a message that nobody has");
            }
            Record::End { reason, handled, .. } => self.end = Some((*reason, *handled)),
            _ => {}
        }
        match record {
            Record::Offer { response, reason, .. } => self.offers.push((*response, reason.clone())),
            Record::OfferResponse { n, response, reason, .. } => {
                let index = usize::try_from(*n).ok().and_then(|n| n.checked_sub(1));
                let offer = index.and_then(|index| self.offers.get_mut(index));
                let Some(offer) = offer else { return Err("an answer to no offer") };
                if offer.0 != OfferResponse::Pending {
                    return Err("an offer answered twice");
                }
                *offer = (*response, reason.clone());
            }
            _ => {}
        }
        Ok(())
    }

    /// A call that is over says so once, and nothing is left open.
    pub fn at_the_end(mut self, stage: &mut Stage<Random>) -> Result<Self, String> {
        stage.input(Input::HungUp);
        stage.input(Input::OperatorBridge);
        self.look_at(stage)?;
        if self.end.is_none() {
            return Err("over without an end".into());
        }
        if self.offers.iter().any(|(response, _)| *response == OfferResponse::Pending) {
            return Err("an offer left pending".into());
        }
        Ok(self)
    }

    /// Nothing will ever happen again: fine on a bridge, a trap anywhere else.
    pub fn nothing_more(self, stage: &Stage<Random>) -> Result<Self, String> {
        if self.bridged { Ok(self) } else { Err(format!("stuck in {:?}", stage.call.step())) }
    }

    /// Writes the call away and goes on with what was written.
    pub fn save_and_resume(
        &mut self,
        flow: &Arc<Flow>,
        stage: &mut Stage<Random>,
    ) -> Result<(), String> {
        let saved = serde_json::to_vec(stage.call.state()).map_err(|error| error.to_string())?;
        self.state_bytes = self.state_bytes.max(saved.len());
        if saved.len() > STATE_BYTES {
            return Err(format!("{} bytes of state", saved.len()));
        }
        let state: CallState = serde_json::from_slice(&saved).map_err(|error| error.to_string())?;
        if state != *stage.call.state() {
            return Err("what was read is not what was written".into());
        }
        stage.call = Call::resume(Arc::clone(flow), state).map_err(|error| error.to_string())?;
        Ok(())
    }
}
