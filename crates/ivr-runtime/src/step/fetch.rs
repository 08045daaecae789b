//! `lookup` and `action`: a system of the business is asked, and the call waits at most as long
//! as the step says. A call that is not answered yet waits unanswered; an answered one hears
//! "one moment" when it takes longer.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Exit, Leave, Next, Turn,
    template::{fill, path_part},
};
use crate::{
    call::{
        Facts, FetchOutcome, FetchRequest, Hidden, Input, Output,
        desk::{Context, Playback, Played},
    },
    flow::model::{Action, Does, Flow, Lookup, PromptList, Request, Save, StepId},
    key::Key,
};

/// The other side keeps the time itself; this much later it is taken for dead.
pub(crate) const GRACE: Duration = Duration::from_millis(500);
/// From the question to "one moment".
pub(crate) const HINT: Duration = Duration::from_millis(700);
/// From the end of a prompt that asks for a yes to "no".
pub(crate) const CONFIRM: Duration = Duration::from_secs(8);

/// The field, or else the member of an answer, that says whether the caller proved who they are.
const VERIFIED: &str = "verified";

/// A question under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    id: u32,
    until: Duration,
    hint_at: Option<Duration>,
    prompt: Option<Playback>,
    outcome: Option<FetchOutcome>,
}

/// A question asked before its step was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Early {
    step: StepId,
    /// What was asked, to know whether it is still the question.
    asked: String,
    waiting: Waiting,
}

/// An `action`: first the yes, then the deed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Acting {
    Playing(Playback),
    Listening { until: Duration },
    Waiting(Waiting),
}

/// What a step that waits makes of an input.
enum Waited {
    Not,
    For(FetchOutcome),
}

impl Waiting {
    /// Asks; `None`: a field of the question is not known.
    fn ask(
        step: &str,
        request: &Request,
        save: &[Save],
        cache_seconds: u32,
        is_action: bool,
        context: &mut Context<'_>,
    ) -> Option<Self> {
        let (url, body) = rendered(request, context.facts)?;
        let id = context.desk.next_fetch();
        let idempotency_key =
            is_action.then(|| format!("{}:{step}:{}", context.facts.call_id, deed(&url, &body)));
        context.desk.push(Output::Fetch(FetchRequest {
            id,
            step: step.to_owned(),
            link: None,
            method: request.method,
            url,
            token: request.token.clone(),
            system: request.system.clone(),
            body,
            timeout_ms: request.timeout_ms,
            cache_seconds,
            idempotency_key,
            save: save.to_vec(),
        }));
        let answered = context.progress.answered;
        Some(Self {
            id,
            until: context.now + Duration::from_millis(u64::from(request.timeout_ms)) + GRACE,
            hint_at: answered.then(|| context.now + HINT),
            prompt: None,
            outcome: None,
        })
    }

    fn input(&mut self, context: &mut Context<'_>, input: &Input) -> Waited {
        match input {
            Input::Key(key) => context.keys.push(*key),
            Input::Fetched { id, outcome } if *id == self.id => {
                self.outcome.get_or_insert_with(|| outcome.clone());
            }
            _ if self.prompt.as_ref().is_some_and(|prompt| prompt.input(input).is_some()) => {
                self.prompt = None;
            }
            _ => {}
        }
        self.settled()
    }

    fn timeout(&mut self, wait_prompt: Option<&PromptList>, context: &mut Context<'_>) -> Waited {
        let now = context.now;
        if self.prompt.as_ref().is_some_and(|prompt| prompt.timeout(now).is_some()) {
            self.prompt = None;
        }
        if self.until <= now && self.outcome.is_none() {
            self.outcome = Some(FetchOutcome::Failed { why: "timeout".into() });
        }
        if self.hint_at.is_some_and(|at| at <= now) {
            self.hint_at = None;
            if self.outcome.is_none() {
                self.prompt = wait_prompt.and_then(|list| context.play(list, false));
            }
        }
        self.settled()
    }

    /// What is being said is said to its end.
    fn settled(&mut self) -> Waited {
        match (&self.prompt, &self.outcome) {
            (None, Some(outcome)) => Waited::For(outcome.clone()),
            _ => Waited::Not,
        }
    }

    fn poll_timeout(&self) -> Duration {
        match (&self.prompt, &self.outcome) {
            (Some(prompt), Some(_)) => prompt.poll_timeout(),
            (Some(prompt), None) => prompt.poll_timeout().min(self.until),
            (None, _) => self.hint_at.map_or(self.until, |at| at.min(self.until)),
        }
    }
}

// ---------------------------------------------------------------- lookup

/// Asks, or takes up what was asked when the call arrived. `Err`: it is settled already.
pub(crate) fn begin_lookup(
    id: StepId,
    step: &str,
    lookup: &Lookup,
    context: &mut Context<'_>,
) -> Result<Waiting, Leave> {
    let early = context.progress.early.iter().position(|early| early.step == id);
    if let Some(at) = early
        && let Early { asked, mut waiting, .. } = context.progress.early.remove(at)
        && rendered(&lookup.request, context.facts).is_some_and(|(u, b)| deed(&u, &b) == asked)
    {
        waiting.hint_at = context.progress.answered.then(|| context.now + HINT);
        return match waiting.settled() {
            Waited::For(outcome) => Err(looked_up(lookup, context, outcome)),
            Waited::Not => Ok(waiting),
        };
    }
    let asked =
        Waiting::ask(step, &lookup.request, &wanted(lookup), lookup.cache_seconds, false, context);
    asked.ok_or_else(|| Leave::failed(lookup.if_fails, "field_missing"))
}

pub(crate) fn lookup_input(
    waiting: &mut Waiting,
    lookup: &Lookup,
    context: &mut Context<'_>,
    input: &Input,
) -> Turn {
    match waiting.input(context, input) {
        Waited::For(outcome) => Turn::Leave(looked_up(lookup, context, outcome)),
        Waited::Not => Turn::Stay,
    }
}

pub(crate) fn lookup_timeout(
    waiting: &mut Waiting,
    lookup: &Lookup,
    context: &mut Context<'_>,
) -> Turn {
    match waiting.timeout(lookup.wait_prompt.as_ref(), context) {
        Waited::For(outcome) => Turn::Leave(looked_up(lookup, context, outcome)),
        Waited::Not => Turn::Stay,
    }
}

pub(crate) fn poll_timeout(waiting: &Waiting) -> Duration {
    waiting.poll_timeout()
}

fn looked_up(lookup: &Lookup, context: &mut Context<'_>, outcome: FetchOutcome) -> Leave {
    match outcome {
        FetchOutcome::Values(values) => {
            learn(&lookup.save, &values, context.facts);
            if let Some(level) = lookup.auth_level
                && is_verified(lookup, &values)
            {
                context.facts.proved = context.facts.proved.max(level);
            }
            Leave::next(lookup.then)
        }
        FetchOutcome::Failed { why } => Leave::failed(lookup.if_fails, why),
    }
}

/// As the field's type reads it, where it has one.
fn is_verified(lookup: &Lookup, values: &BTreeMap<String, String>) -> bool {
    let is = lookup.save.iter().find(|save| save.field == VERIFIED).and_then(|save| save.is);
    let Some(told) = values.get(VERIFIED) else { return false };
    match is {
        Some(is) => is.read(told).as_deref() == Some("true"),
        None => told == "true",
    }
}

/// What is read out of the answer; where it can prove who the caller is, whether it does.
fn wanted(lookup: &Lookup) -> Vec<Save> {
    let mut save = lookup.save.clone();
    if lookup.auth_level.is_some() && !save.iter().any(|save| save.field == VERIFIED) {
        save.push(Save::untyped(VERIFIED, &format!("/{VERIFIED}")));
    }
    save
}

fn learn(save: &[Save], values: &BTreeMap<String, String>, facts: &mut Facts) {
    for Save { field, is, .. } in save {
        // What the answer lacks, and what is not of its type, is unknown, whatever it was before.
        let told = values.get(field).map_or("", String::as_str);
        let read = is.map(|is| is.read(told).unwrap_or_default());
        facts.learn(field, read.as_deref().unwrap_or(told), false);
    }
}

/// Asks what can be asked before its step is reached: when the call arrives, and again whenever
/// something is about to be heard, for fields that are known since. No question is asked twice.
pub(crate) fn ask_early(flow: &Flow, context: &mut Context<'_>) {
    for (id, step) in (0..).map(StepId).zip(&flow.steps) {
        let Does::Lookup(lookup) = &step.does else { continue };
        if !lookup.start_early {
            continue;
        }
        let request = &lookup.request;
        let Some((url, body)) = rendered(request, context.facts) else { continue };
        let asked = (id, deed(&url, &body));
        if context.progress.asked_early.contains(&asked) {
            continue;
        }
        let seconds = lookup.cache_seconds;
        let waiting = Waiting::ask(&step.name, request, &wanted(lookup), seconds, false, context);
        let Some(waiting) = waiting else { continue };
        context.progress.early.retain(|early| early.step != id);
        context.progress.early.push(Early { step: id, asked: asked.1.clone(), waiting });
        context.progress.asked_early.push(asked);
    }
}

/// Keeps an answer that came before its step was reached.
pub(crate) fn keep_early(early: &mut [Early], id: u32, outcome: &FetchOutcome) -> bool {
    let Some(early) = early.iter_mut().find(|early| early.waiting.id == id) else { return false };
    early.waiting.outcome.get_or_insert_with(|| outcome.clone());
    true
}

/// Address and body with their fields; `None`: one of them is not known.
fn rendered(request: &Request, facts: &Facts) -> Option<(Hidden, BTreeMap<String, Hidden>)> {
    let value = |name: &str| facts.field_of_request(name);
    let url = Hidden(fill(&request.url, value, path_part)?);
    let plain = |value: &str| Some(value.to_owned());
    let member =
        |(key, text): (&String, &String)| Some((key.clone(), Hidden(fill(text, value, plain)?)));
    let body: Option<BTreeMap<String, Hidden>> = request.body.iter().map(member).collect();
    Some((url, body?))
}

/// Names what is asked for, and tells nothing of it: the same deed of a call has the same name.
fn deed(url: &Hidden, body: &BTreeMap<String, Hidden>) -> String {
    let mut hash = Sha256::new();
    hash.update(url.0.as_bytes());
    for (name, value) in body {
        for part in [name, &value.0] {
            hash.update([0]);
            hash.update(part.as_bytes());
        }
    }
    hex::encode(&hash.finalize()[..8])
}

// ---------------------------------------------------------------- action

impl Acting {
    pub fn begin(step: &str, action: &Action, context: &mut Context<'_>) -> Result<Self, Leave> {
        let Some(confirm) = &action.confirm else { return Self::act(step, action, context) };
        // A yes is given to this question, not to one before.
        context.keys.flush();
        Ok(match context.play(confirm, true) {
            Some(playback) => Self::Playing(playback),
            None => Self::listen(context.now),
        })
    }

    pub fn handle_input(
        &mut self,
        step: &str,
        action: &Action,
        context: &mut Context<'_>,
        input: &Input,
    ) -> Turn {
        match (&mut *self, input) {
            (Self::Waiting(waiting), _) => match waiting.input(context, input) {
                Waited::For(outcome) => Turn::Leave(done(action, context, outcome)),
                Waited::Not => Turn::Stay,
            },
            (Self::Playing(_), Input::KeyDown(_)) => {
                context.desk.push(Output::StopPlay);
                *self = Self::listen(context.now);
                Turn::Stay
            }
            (Self::Playing(_) | Self::Listening { .. }, Input::Key(key)) => {
                if matches!(self, Self::Playing(_)) {
                    context.desk.push(Output::StopPlay);
                }
                self.key(step, action, context, *key)
            }
            (Self::Playing(playback), _) => match playback.input(input) {
                Some(Played::ToTheEnd | Played::Stopped) => {
                    *self = Self::listen(context.now);
                    Turn::Stay
                }
                Some(Played::Failed) => {
                    Turn::Leave(Leave::failed(action.if_fails, "prompt_failed"))
                }
                None => Turn::Stay,
            },
            (Self::Listening { .. }, _) => Turn::Stay,
        }
    }

    pub fn handle_timeout(&mut self, action: &Action, context: &mut Context<'_>) -> Turn {
        match self {
            Self::Playing(playback) => playback.timeout(context.now).map_or(Turn::Stay, |_| {
                Turn::Leave(Leave::failed(action.if_fails, "prompt_failed"))
            }),
            Self::Listening { until } if *until <= context.now => {
                Turn::Leave(not_confirmed(action, Exit::Timeout))
            }
            Self::Listening { .. } => Turn::Stay,
            Self::Waiting(waiting) => match waiting.timeout(action.wait_prompt.as_ref(), context) {
                Waited::For(outcome) => Turn::Leave(done(action, context, outcome)),
                Waited::Not => Turn::Stay,
            },
        }
    }

    pub fn poll_timeout(&self) -> Duration {
        match self {
            Self::Playing(playback) => playback.poll_timeout(),
            Self::Listening { until } => *until,
            Self::Waiting(waiting) => waiting.poll_timeout(),
        }
    }

    pub fn awaits_key(&self) -> bool {
        !matches!(self, Self::Waiting(_))
    }

    fn listen(now: Duration) -> Self {
        Self::Listening { until: now + CONFIRM }
    }

    fn key(&mut self, step: &str, action: &Action, context: &mut Context<'_>, key: Key) -> Turn {
        if context.flow.operator_keys.contains(&key) {
            return Turn::Leave(Leave::by(Exit::Key(key), Next::Human));
        }
        if key.label() != '1' {
            return Turn::Leave(not_confirmed(action, Exit::Key(key)));
        }
        match Self::act(step, action, context) {
            Ok(acting) => {
                *self = acting;
                Turn::Stay
            }
            Err(leave) => Turn::Leave(leave),
        }
    }

    fn act(step: &str, action: &Action, context: &mut Context<'_>) -> Result<Self, Leave> {
        let asked = Waiting::ask(step, &action.request, &action.save, 0, true, context);
        let missing = || Leave::failed(action.if_fails, "field_missing");
        asked.map(Self::Waiting).ok_or_else(missing)
    }
}

fn done(action: &Action, context: &mut Context<'_>, outcome: FetchOutcome) -> Leave {
    match outcome {
        FetchOutcome::Values(values) => {
            learn(&action.save, &values, context.facts);
            context.progress.served = true;
            Leave::next(action.then)
        }
        FetchOutcome::Failed { why } => Leave::failed(action.if_fails, why),
    }
}

/// A no is the caller's choice, and no failure where the step says where it leads.
fn not_confirmed(action: &Action, exit: Exit) -> Leave {
    match action.no_input {
        Some(go) => Leave::by(exit, Next::Go(go)),
        None => Leave {
            note: Some("not_confirmed".into()),
            ..Leave::by(exit, Next::WayOut(action.if_fails))
        },
    }
}
