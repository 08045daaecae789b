//! What a step writes on: outputs, numbers of plays, steps and offers, and the call's clock.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    facts::Facts,
    io::{FreeSlot, Hidden, Input, Output},
    keys::KeyBuffer,
    records::{OfferResponse, Record},
    speak,
};
use crate::{
    flow::model::{Flow, Level, PromptItem, StepId},
    key::Key,
    step::{check::Checks, fetch::Early},
};

/// No prompt of a set is longer (E07), and no spoken value; a play that has not ended by then has
/// failed.
const LONGEST_PROMPT: Duration = Duration::from_secs(61);

/// All that a step of a call may see and touch.
pub(crate) struct Context<'a> {
    pub now: Duration,
    pub flow: &'a Flow,
    pub facts: &'a mut Facts,
    pub keys: &'a mut KeyBuffer,
    pub desk: &'a mut Desk,
    pub progress: &'a mut Progress,
}

/// What a call has come to so far; decides how it is counted when it ends.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// The caller leg was answered.
    pub answered: bool,
    /// What the caller has asked for by key.
    pub asked: Option<Asked>,
    /// The key pressed last in a menu, an answer or an offer, until one is left without.
    pub pressed: Option<Asked>,
    /// An emergency number that was typed into a field.
    pub emergency: Option<String>,
    /// The mobile number that the caller typed for texts, E.164.
    pub typed: Option<Hidden>,
    /// How many were typed.
    pub numbers_typed: u8,
    /// Where a second copy of a text goes, while its step lasts.
    pub copy_to: Option<Hidden>,
    /// Consents given by key, by name, with the key that gave them.
    pub agreed: Vec<(String, Asked)>,
    /// Questions asked whose steps were not reached yet.
    pub early: Vec<Early>,
    /// All questions that were asked so, by step and what was asked.
    pub asked_early: Vec<(StepId, String)>,
    /// What destinations of links said.
    pub checks: Checks,
    /// The steps that were entered, the newest last.
    pub path: Vec<StepId>,
    /// A text was sent, and no person was asked for since.
    pub text_sent: bool,
    /// An answer was heard to its end or an opt-out recorded, and no person was asked for since.
    pub answered_in_ivr: bool,
    /// Something was said or done for the caller, and no person was asked for since. Only what
    /// `answered_in_ivr` tells of counts as deflected.
    pub served: bool,
    /// A callback was booked, and no person was asked for since.
    pub callback_booked: bool,
    /// When the callback can be that is offered next.
    pub slot: Option<FreeSlot>,
    /// Callbacks that were asked for and not refused, by their numbers: the caller is rung later.
    pub callbacks_due: Vec<u32>,
    /// A message was left, and no person was asked for since.
    pub message_left: bool,
    /// A target that never tells who answered has answered.
    pub maybe_human: bool,
    /// A person has answered.
    pub human: bool,
}

/// The key with which the caller asked for what a `text` step sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub key: Key,
    /// The step whose prompt was answered.
    pub step: String,
    /// That prompt.
    pub prompt: String,
    /// The accepted offer; `None`: a menu's key, which becomes one at the `text` step.
    pub offer: Option<u32>,
}

/// Outputs in waiting and the numbers given out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Desk {
    outputs: VecDeque<Output>,
    began: Duration,
    start_ms: i64,
    plays: u32,
    /// The play that the caller hears.
    sounding: Option<u32>,
    steps: u32,
    offers: u32,
    fetches: u32,
    bookings: u32,
}

/// Prompts that play.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Playback {
    id: u32,
    pub since: Duration,
    until: Duration,
}

/// What the caller is to hear, once through.
struct Audible {
    id: u32,
    /// Names of prompts and fragments of speech.
    prompts: Vec<String>,
    at_most: Duration,
}

/// How a play ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Played {
    ToTheEnd,
    Stopped,
    Failed,
}

impl Desk {
    pub fn new(began: Duration, start_ms: i64) -> Self {
        Self {
            outputs: VecDeque::new(),
            began,
            start_ms,
            plays: 0,
            sounding: None,
            steps: 0,
            offers: 0,
            fetches: 0,
            bookings: 0,
        }
    }

    pub fn push(&mut self, output: Output) {
        match output {
            Output::Play { id, .. } | Output::Hold { id, .. } => self.sounding = Some(id),
            Output::StopPlay | Output::Rebridge => self.sounding = None,
            _ => {}
        }
        self.outputs.push_back(output);
    }

    /// What the caller hears of us.
    pub fn sounding(&self) -> Option<u32> {
        self.sounding
    }

    /// A play that is over is heard no more.
    pub fn heard(&mut self, input: &Input) {
        if let Input::PlayDone { id, .. } | Input::PlayFailed { id } = input
            && self.sounding == Some(*id)
        {
            self.sounding = None;
        }
    }

    pub fn pop(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            // Between two inputs there are none: a waiting call keeps no room for them.
            self.outputs = VecDeque::new();
        }
        output
    }

    pub fn record(&mut self, record: Record) {
        self.push(Output::Record(record));
    }

    /// The wall clock, ms UTC.
    pub fn at_ms(&self, now: Duration) -> i64 {
        let since = now.saturating_sub(self.began).as_millis();
        self.start_ms.saturating_add(i64::try_from(since).unwrap_or(i64::MAX))
    }

    pub fn next_step(&mut self) -> u32 {
        self.steps += 1;
        self.steps
    }

    pub fn next_offer(&mut self) -> u32 {
        self.offers += 1;
        self.offers
    }

    pub fn next_booking(&mut self) -> u32 {
        self.bookings += 1;
        self.bookings
    }

    pub fn next_fetch(&mut self) -> u32 {
        self.fetches += 1;
        self.fetches
    }

    /// Plays `prompts`; `None` where there is nothing to play.
    pub fn play(
        &mut self,
        now: Duration,
        facts: &Facts,
        prompts: &[PromptItem],
        barge_in: bool,
    ) -> Option<Playback> {
        let Audible { id, prompts, at_most } = self.audible(facts, prompts)?;
        let language = facts.language.clone();
        self.push(Output::Play { id, language, prompts, barge_in });
        Some(Playback { id, since: now, until: now + at_most })
    }

    /// Plays `prompts` again and again; `None` where there is nothing to play.
    pub fn hold(
        &mut self,
        now: Duration,
        facts: &Facts,
        prompts: &[PromptItem],
    ) -> Option<Playback> {
        let Audible { id, prompts, .. } = self.audible(facts, prompts)?;
        let language = facts.language.clone();
        self.push(Output::Hold { id, language, prompts });
        Some(Playback { id, since: now, until: Duration::MAX })
    }

    /// What is heard of `prompts`, as a play of its own; `None` where that is nothing.
    fn audible(&mut self, facts: &Facts, prompts: &[PromptItem]) -> Option<Audible> {
        let heard = speak::heard(prompts, facts);
        if heard.is_empty() {
            return None;
        }
        self.plays += 1;
        let at_most = LONGEST_PROMPT * u32::try_from(heard.len()).unwrap_or(u32::MAX);
        let prompts = heard.into_iter().flat_map(|heard| heard.names).collect();
        Some(Audible { id: self.plays, prompts, at_most })
    }
}

impl Context<'_> {
    pub fn at_ms(&self) -> i64 {
        self.desk.at_ms(self.now)
    }

    /// The number that a text goes to, where it is not the caller's.
    pub fn recipient(&self) -> Option<&Hidden> {
        self.progress.copy_to.as_ref().or(self.progress.typed.as_ref())
    }

    /// What is known of who has the number that a text goes to.
    pub fn level(&self) -> Level {
        self.facts.level_of(self.recipient())
    }

    pub fn play(&mut self, prompts: &[PromptItem], barge_in: bool) -> Option<Playback> {
        self.desk.play(self.now, self.facts, prompts, barge_in)
    }

    pub fn answer_offer(&mut self, n: u32, response: OfferResponse, pressed: Option<Key>) {
        let at_ms = self.at_ms();
        self.desk.record(Record::OfferResponse { n, response, pressed, reason: None, at_ms });
    }
}

impl Playback {
    /// What an input says about this play.
    pub fn input(&self, input: &Input) -> Option<Played> {
        match *input {
            Input::PlayDone { id, completed: true } if id == self.id => Some(Played::ToTheEnd),
            Input::PlayDone { id, completed: false } if id == self.id => Some(Played::Stopped),
            Input::PlayFailed { id } if id == self.id => Some(Played::Failed),
            _ => None,
        }
    }

    /// Named in the reports about it.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Nothing was heard of it for longer than any prompt lasts.
    pub fn timeout(&self, now: Duration) -> Option<Played> {
        (self.until <= now).then_some(Played::Failed)
    }

    pub fn poll_timeout(&self) -> Duration {
        self.until
    }
}
