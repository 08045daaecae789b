//! A world that does as it is told: prompts of one length, texts and targets of a chosen
//! outcome. For trying a flow by hand and for tests.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::stage::{Plan, Topic, World};
use crate::{
    call::{
        AgentRequest, Call, CallbackOutcome, FetchOutcome, FetchRequest, FreeSlot, Input, Output,
        Report, TargetOutcome, TextOutcome, TextRequest, VoiceOutcome,
    },
    flow::model::{HumanSignal, Target},
};

/// Every prompt lasts so long.
pub const PROMPT: Duration = Duration::from_secs(3);

/// What the destination of a link says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LinkIs {
    /// Somebody is there.
    #[default]
    Available,
    /// Nobody is.
    NotAvailable,
    /// It says nothing.
    Down,
}

/// A bot talks so long.
pub const AGENT: Duration = Duration::from_secs(30);

/// What a voice bot does with the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentIs {
    /// It hands the caller back after [`AGENT`], with these values by field.
    HandsBack(BTreeMap<String, String>),
    /// It talks for ever.
    Stays,
    /// It breaks off after [`AGENT`].
    BreaksOff,
}

/// Outcomes by choice; `None`: it never reports.
#[derive(Debug, Clone)]
pub struct Obedient {
    /// What becomes of every text, after a second.
    pub text: Option<TextOutcome>,
    /// What lookups and actions answer by the name of their step, after 300 ms; others fail.
    pub fetched: BTreeMap<String, FetchOutcome>,
    /// What destinations of links say of themselves by the name of the link, after 300 ms; others
    /// are there.
    pub links: BTreeMap<String, LinkIs>,
    /// What they answer word for word, before that.
    pub links_say: BTreeMap<String, FetchOutcome>,
    /// Whether opt-outs are recorded, after 50 ms.
    pub opt_out: Option<bool>,
    /// What becomes of texts of a step, one after the other, the last of every later one; before
    /// [`Obedient::senders`] and [`Obedient::text`].
    pub texts: BTreeMap<String, Vec<Option<TextOutcome>>>,
    /// What becomes of texts before [`Obedient::text`] does, one after the other.
    pub texts_first: VecDeque<Option<TextOutcome>>,
    /// What becomes of what a sender is given, by its name: after a failure the next sender of the
    /// step has it, and others take it. Before [`Obedient::text`].
    pub senders: BTreeMap<String, Option<TextOutcome>>,
    /// What becomes of a target by its name, after two seconds; others answer.
    pub targets: BTreeMap<String, Option<TargetOutcome>>,
    /// What becomes of it before that, one call after the other.
    pub targets_first: BTreeMap<String, VecDeque<Option<TargetOutcome>>>,
    /// What bots do by the name of their step; others hand back, and say nothing.
    pub agents: BTreeMap<String, AgentIs>,
    /// What becomes of what the caller says: after the key that ends it, or after
    /// [`Obedient::speaks`].
    pub voice: Option<VoiceOutcome>,
    /// The caller speaks so long, if no key ends it.
    pub speaks: Duration,
    /// What is said of the room for callbacks, after 50 ms.
    pub slot: Option<CallbackOutcome>,
    /// What becomes of every callback, after 100 ms.
    pub callback: Option<CallbackOutcome>,
    /// Steps whose questions nobody answers.
    pub unanswered: Vec<String>,
    /// Prompts that can't be played.
    pub missing_prompts: Vec<String>,
}

impl Default for Obedient {
    fn default() -> Self {
        Self {
            text: Some(TextOutcome::Accepted { sender: "sandbox".into() }),
            fetched: BTreeMap::new(),
            links: BTreeMap::new(),
            links_say: BTreeMap::new(),
            opt_out: Some(true),
            texts: BTreeMap::new(),
            texts_first: VecDeque::new(),
            senders: BTreeMap::new(),
            targets: BTreeMap::new(),
            targets_first: BTreeMap::new(),
            agents: BTreeMap::new(),
            voice: Some(VoiceOutcome::Kept { length_ms: 12_000 }),
            speaks: Duration::from_secs(12),
            slot: Some(CallbackOutcome::Free(FreeSlot {
                from_ms: 0,
                until_ms: i64::MAX,
                next: None,
            })),
            callback: Some(CallbackOutcome::Booked { day: None, time: Some("15:30".into()) }),
            unanswered: Vec::new(),
            missing_prompts: Vec::new(),
        }
    }
}

impl World for Obedient {
    fn react(&mut self, now: Duration, call: &Call, output: &Output, plan: &mut Plan) {
        match output {
            Output::Answer => plan.at(now, Topic::Answer, Input::Answered),
            Output::Play { id, prompts, .. } => {
                plan.cancel(Topic::Play);
                let (id, count) = (*id, u32::try_from(prompts.len()).unwrap_or(1));
                if prompts.iter().any(|name| self.missing_prompts.contains(name)) {
                    plan.at(now, Topic::Play, Input::PlayFailed { id });
                } else {
                    let done = Input::PlayDone { id, completed: true };
                    plan.at(now + PROMPT * count, Topic::Play, done);
                }
            }
            Output::StopPlay => plan.cancel(Topic::Play),
            Output::SendText(request) => {
                if let Some(outcome) = self.sent(request) {
                    let told = Input::Text(Report::new(request.offer, outcome));
                    plan.at(now + Duration::from_secs(1), Topic::Text, told);
                }
            }
            Output::Fetch(request) if self.unanswered.contains(&request.step) => {}
            Output::Fetch(request) => {
                let outcome = self.fetched(request);
                let soon = now + Duration::from_millis(300);
                plan.at(soon, Topic::Fetch, Input::Fetched { id: request.id, outcome });
            }
            Output::RecordOptOut { .. } => {
                if let Some(recorded) = self.opt_out {
                    let soon = now + Duration::from_millis(50);
                    plan.at(soon, Topic::Store, Input::OptOut(recorded));
                }
            }
            Output::FindSlot(request) => {
                if let Some(outcome) = self.slot.clone() {
                    let soon = now + Duration::from_millis(50);
                    let told = Input::Callback(Report::new(request.booking, outcome));
                    plan.at(soon, Topic::Callback, told);
                }
            }
            Output::BookCallback(request) => {
                if let Some(outcome) = self.callback.clone() {
                    let soon = now + Duration::from_millis(100);
                    let told = Input::Callback(Report::new(request.booking, outcome));
                    plan.at(soon, Topic::Callback, told);
                }
            }
            Output::CancelCallback { .. } => plan.cancel(Topic::Callback),
            Output::TakeVoice { .. } => {
                let at = now + self.speaks;
                plan.at(at, Topic::Voice, Input::VoiceOver);
                self.keep_voice(at, plan);
            }
            Output::StopVoice => {
                plan.cancel(Topic::Voice);
                self.keep_voice(now, plan);
            }
            Output::Forward { target, .. } => {
                let Some(target) = call.flow().targets.get(usize::from(target.0)) else { return };
                let _ = self.ring(now, target, plan);
            }
            Output::CallAgent(request) => self.converse(now, call, request, plan),
            Output::StopForward => plan.cancel(Topic::Target),
            Output::FollowUp { .. }
            | Output::Hold { .. }
            | Output::Rebridge
            | Output::Unbridge
            | Output::Reject { .. }
            | Output::HangUp
            | Output::Record(_) => {}
        }
    }
}

impl Obedient {
    fn fetched(&self, request: &FetchRequest) -> FetchOutcome {
        let failed = || FetchOutcome::Failed { why: "unreachable".into() };
        let Some(link) = &request.link else {
            return self.fetched.get(&request.step).cloned().unwrap_or_else(failed);
        };
        if let Some(said) = self.links_say.get(link) {
            return said.clone();
        }
        let values = |said: &[(&str, String)]| {
            let said = said.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            FetchOutcome::Values(said.collect())
        };
        match self.links.get(link).copied().unwrap_or_default() {
            LinkIs::Available => values(&[
                (FetchRequest::AVAILABLE, "true".into()),
                (FetchRequest::URL, format!("https://{link}.example/here")),
                (FetchRequest::VALID, "600".into()),
                (FetchRequest::REFERENCE, link.clone()),
            ]),
            LinkIs::NotAvailable => values(&[(FetchRequest::AVAILABLE, "false".into())]),
            LinkIs::Down => failed(),
        }
    }

    fn keep_voice(&self, at: Duration, plan: &mut Plan) {
        if let Some(outcome) = self.voice.clone() {
            plan.at(at + Duration::from_millis(100), Topic::Voice, Input::Voice(outcome));
        }
    }

    fn converse(&mut self, now: Duration, call: &Call, request: &AgentRequest, plan: &mut Plan) {
        let target = call.flow().targets.get(usize::from(request.target.0));
        let answered = target.and_then(|target| self.ring(now, target, plan));
        let Some(over) = answered.map(|at| at + AGENT) else { return };
        let last = match self.agents.get(&request.step) {
            Some(AgentIs::Stays) => return,
            Some(AgentIs::BreaksOff) => TargetOutcome::Failed { status: None },
            Some(AgentIs::HandsBack(values)) => {
                plan.at(over, Topic::Target, Input::AgentSaid(values.clone()));
                TargetOutcome::Ended { by_caller: false }
            }
            None => TargetOutcome::Ended { by_caller: false },
        };
        plan.at(over, Topic::Target, Input::Target(last));
    }

    fn sent(&mut self, request: &TextRequest) -> Option<TextOutcome> {
        if let Some(turns) = self.texts.get_mut(&request.step) {
            let first = turns.first().cloned().flatten();
            if turns.len() > 1 {
                turns.remove(0);
            }
            return first;
        }
        if self.senders.is_empty() {
            return self.texts_first.pop_front().unwrap_or_else(|| self.text.clone());
        }
        let mut failed = TextOutcome::Failed { class: "provider_down".into() };
        for sender in &request.via {
            match self.senders.get(sender) {
                Some(Some(outcome @ TextOutcome::Failed { .. })) => failed = outcome.clone(),
                Some(Some(TextOutcome::Accepted { .. })) | None => {
                    return Some(TextOutcome::Accepted { sender: sender.clone() });
                }
                Some(outcome) => return outcome.clone(),
            }
        }
        Some(failed)
    }

    /// When the target answers, if it does.
    fn ring(&mut self, now: Duration, target: &Target, plan: &mut Plan) -> Option<Duration> {
        let answered = Some(TargetOutcome::Answered { human: false });
        let first = self.targets_first.get_mut(&target.name).and_then(VecDeque::pop_front);
        let outcome = first.or_else(|| self.targets.get(&target.name).copied());
        let outcome = outcome.unwrap_or(answered);
        plan.at(now, Topic::Target, Input::Target(TargetOutcome::Ringing));
        let outcome = outcome?;
        let then = now + Duration::from_secs(2);
        plan.at(then, Topic::Target, Input::Target(outcome));
        let signals = !matches!(target.human_signal, HumanSignal::None | HumanSignal::Answer);
        let answers = matches!(outcome, TargetOutcome::Answered { .. });
        if answers && signals {
            let later = then + Duration::from_secs(20);
            plan.at(later, Topic::Target, Input::Target(TargetOutcome::HumanAnswered));
        }
        answers.then_some(then)
    }
}
