//! A world at random: callers who press anything at any time, and parts that fail.

mod arrivals;

use std::time::Duration;

use super::{
    faults::Faults,
    rng::Rng,
    stage::{Plan, Topic, World},
};
use crate::{
    call::{
        AgentRequest, Call, CallbackOutcome, FetchOutcome, FetchRequest, FreeSlot, Input, Output,
        Report, TargetOutcome, TextOutcome, VoiceOutcome,
    },
    flow::model::{Fact, FieldTest, Flow, HumanSignal},
    key::Key,
};

const DAY_MS: i64 = 86_400_000;
/// 2026-01-01T00:00:00Z; calls arrive in the two years after it.
const FIRST_DAY_MS: i64 = 1_767_225_600_000;

/// One caller and the parts around the call, as the seed has them.
#[derive(Debug)]
pub struct Random {
    rng: Rng,
    faults: Faults,
    /// What becomes of the last text, and when the machine is told.
    pub(super) told: Option<(Duration, TextOutcome)>,
    /// A callback is booked, and when the machine is told.
    pub(super) booked: Option<Duration>,
    /// What was said is kept, and when the machine is told.
    pub(super) kept: Option<Duration>,
    /// When each target leg, in order, is over by itself, and the machine is told.
    over: Vec<Option<Duration>>,
}

impl Random {
    /// Nothing has happened yet; all that does is drawn from `rng`.
    pub fn new(rng: Rng, faults: Faults) -> Self {
        Self { rng, faults, told: None, booked: None, kept: None, over: Vec::new() }
    }

    /// When the caller hangs up, if they do so unprovoked; when the node drains, if it does.
    pub(super) fn moments(&mut self) -> (Option<Duration>, Option<Duration>) {
        let (hangs_up, drains) =
            (self.rng.percent(self.faults.hang_up), self.rng.percent(self.faults.drain));
        let mut moment = || self.rng.ms(0..90_000);
        (hangs_up.then(&mut moment), drains.then(&mut moment))
    }

    pub(super) fn save_now(&mut self) -> bool {
        self.rng.percent(10)
    }

    /// A caller's keys while something plays: early, during it, late, twice or none.
    fn press(&mut self, now: Duration, call: &Call, lasts: Duration, plan: &mut Plan) {
        if call.collects() && self.rng.percent(70) {
            return self.type_digits(now, plan);
        }
        let presses = self.rng.pick(1, &[1, 1, 1, 0, 0, 2, 3]);
        let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX / 4);
        let mut at = now;
        for _ in 0..presses {
            let Some(key) = self.key(call) else { return };
            at += self.rng.ms(0..lasts_ms + 6_000);
            // INFO keys have no onset; some onsets have no end.
            if !self.rng.percent(10) {
                plan.at(at, Topic::Caller, Input::KeyDown(key));
            }
            if !self.rng.percent(3) {
                plan.at(at + self.rng.ms(40..300), Topic::Caller, Input::Key(key));
            }
        }
    }

    fn type_digits(&mut self, now: Duration, plan: &mut Plan) {
        let mut at = now;
        let digits = self.rng.within(1..14);
        // A number that texts can go to, now and then.
        let mobile = self.rng.percent(25).then(|| format!("00447700900{}#", 100 + digits));
        for label in mobile.iter().flat_map(|typed| typed.chars()) {
            let Ok(key) = Key::try_from(label) else { return };
            at += self.rng.ms(100..2_000);
            plan.at(at, Topic::Caller, Input::Key(key));
        }
        for n in 0..=digits {
            let digit = self.rng.pick('0', &['1', '2', '3', '4', '5', '6', '7', '8', '9']);
            let Ok(key) = Key::try_from(if n == digits { '#' } else { digit }) else { return };
            at += self.rng.ms(100..5_000);
            plan.at(at, Topic::Caller, Input::Key(key));
        }
    }

    /// Mostly one of those that the caller was told of.
    fn key(&mut self, call: &Call) -> Option<Key> {
        let at = call.flow().steps.iter().find(|step| Some(step.name.as_str()) == call.step());
        let told: Vec<Key> = at
            .and_then(|step| step.does.menu())
            .map_or_else(Vec::new, |menu| menu.press.keys().copied().collect());
        if let Some(key) = self.one_of(&told).filter(|_| self.rng.percent(60)) {
            return Some(key);
        }
        let any = ['0', '1', '1', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A'];
        let operator = call.flow().operator_keys.first().copied();
        if self.rng.percent(10) && operator.is_some() {
            return operator;
        }
        Key::try_from(self.rng.pick('1', &any)).ok()
    }

    fn text_outcome(&mut self) -> Option<TextOutcome> {
        if !self.rng.percent(self.faults.text) {
            let sender = "sandbox".to_owned();
            return Some(
                self.rng.pick(TextOutcome::Accepted { sender }, &[TextOutcome::Duplicate]),
            );
        }
        let failed = |class: &str| Some(TextOutcome::Failed { class: class.into() });
        self.rng.pick(
            None,
            &[
                failed("ProviderDown"),
                failed("Auth"),
                failed("Blocked"),
                Some(TextOutcome::Queued),
                Some(TextOutcome::Ambiguous),
                Some(TextOutcome::OptedOut),
                Some(TextOutcome::Limited { rule: "texts_per_caller".into() }),
                Some(TextOutcome::NotTextable { reason: "landline".into() }),
            ],
        )
    }

    fn target_outcome(&mut self) -> Option<TargetOutcome> {
        if !self.rng.percent(self.faults.target) {
            let human = self.rng.percent(50);
            return Some(TargetOutcome::Answered { human });
        }
        self.rng.pick(
            None,
            &[
                Some(TargetOutcome::Busy { status: 486 }),
                Some(TargetOutcome::Busy { status: 600 }),
                Some(TargetOutcome::NoAnswer { status: Some(480) }),
                Some(TargetOutcome::NoAnswer { status: None }),
                Some(TargetOutcome::Failed { status: Some(503) }),
                Some(TargetOutcome::Failed { status: Some(404) }),
                Some(TargetOutcome::Failed { status: None }),
                Some(TargetOutcome::Ended { by_caller: false }),
            ],
        )
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let (first, others) = choices.split_first()?;
        Some(self.rng.pick(*first, others))
    }

    fn play(&mut self, now: Duration, call: &Call, id: u32, prompts: usize, plan: &mut Plan) {
        plan.cancel(Topic::Play);
        let lasts = self.rng.ms(300..9_000) * u32::try_from(prompts).unwrap_or(1);
        if self.rng.percent(self.faults.prompt) {
            match self.rng.within(0..3) {
                0 => plan.at(now, Topic::Play, Input::PlayFailed { id }),
                1 => plan.at(now + lasts, Topic::Play, Input::PlayDone { id, completed: false }),
                _ => {}
            }
        } else {
            plan.at(now + lasts, Topic::Play, Input::PlayDone { id, completed: true });
        }
        self.press(now, call, lasts, plan);
    }

    /// Answers hold what rules ask for, something else, or nothing.
    fn fetch(&mut self, now: Duration, flow: &Flow, request: &FetchRequest, plan: &mut Plan) {
        let at = now + self.rng.ms(1..3_000);
        let failed = self.rng.percent(self.faults.fetch);
        if failed && self.rng.percent(30) {
            return; // and nothing is heard of it again
        }
        let outcome = if failed {
            FetchOutcome::Failed { why: "unreachable".into() }
        } else if request.link.is_some() {
            self.availability()
        } else {
            let values = request.save.iter();
            let values = values
                .filter_map(|save| Some((save.field.clone(), self.value(flow, &save.field)?)));
            FetchOutcome::Values(values.collect())
        };
        plan.at(at, Topic::Fetch, Input::Fetched { id: request.id, outcome });
    }

    /// Yes or no, or something that is neither; for a long time, or for a moment.
    fn availability(&mut self) -> FetchOutcome {
        let available = self.rng.pick("true", &["true", "true", "false", "maybe"]);
        let url = self.rng.pick("https://there.example/", &["", "here", "http://there.example/"]);
        let valid = self.rng.pick("600", &["0", "1", "20", "soon"]);
        let said = [
            (FetchRequest::AVAILABLE, available),
            (FetchRequest::URL, url),
            (FetchRequest::VALID, valid),
        ];
        let said = said.into_iter().filter(|(_, value)| !value.is_empty());
        FetchOutcome::Values(said.map(|(n, v)| (n.to_owned(), v.to_owned())).collect())
    }

    fn value(&mut self, flow: &Flow, field: &str) -> Option<String> {
        let asked = flow.rules.iter().filter_map(|rule| match &rule.fact {
            Fact::Field { field: of, test: FieldTest::Equals(list) } if of == field => Some(list),
            _ => None,
        });
        let asked: Vec<&str> = asked.flatten().map(String::as_str).collect();
        let other = self.rng.pick("7", &["x", "0", "-1", "late", "12.50"]);
        match self.rng.within(0..4) {
            0 => None,
            1 => Some(other.to_owned()),
            _ => Some(self.rng.pick(other, &asked).to_owned()),
        }
    }

    /// There is room, if only later, or none; or nothing is heard of it.
    fn find_slot(&mut self, now: Duration, number: u32, plan: &mut Plan) {
        let failed = self.rng.percent(self.faults.store);
        if failed && self.rng.percent(30) {
            return;
        }
        let outcome = match (failed, self.rng.within(0..6)) {
            (true, _) => CallbackOutcome::Failed { why: "store".into() },
            (false, 0) => CallbackOutcome::Full,
            (false, 1) => CallbackOutcome::NotCallable { why: "limited".into() },
            (false, _) => self.free(),
        };
        let told = Input::Callback(Report::new(number, outcome));
        plan.at(now + self.rng.ms(1..1_800), Topic::Callback, told);
    }

    fn free(&mut self) -> CallbackOutcome {
        let day = self.rng.percent(50).then(|| "2026-11-30".to_owned());
        let next = self.rng.percent(30).then(|| (day, "09:10".to_owned()));
        CallbackOutcome::Free(FreeSlot { from_ms: 0, until_ms: i64::MAX, next })
    }

    /// It is booked, full, taken, refused, fails, or nothing is heard of it.
    fn book(&mut self, now: Duration, number: u32, plan: &mut Plan) {
        let failed = self.rng.percent(self.faults.store);
        if failed && self.rng.percent(30) {
            return;
        }
        let at = now + self.rng.ms(1..4_000);
        let outcome = match (failed, self.rng.within(0..7)) {
            (true, _) => CallbackOutcome::Failed { why: "store".into() },
            (false, 0) => CallbackOutcome::Full,
            (false, 1) => CallbackOutcome::NotCallable { why: "country".into() },
            (false, 2) => self.free(),
            (false, _) => {
                self.booked = Some(at);
                let day = self.rng.percent(50).then(|| "2026-11-30".to_owned());
                CallbackOutcome::Booked { day, time: Some("09:10".into()) }
            }
        };
        plan.at(at, Topic::Callback, Input::Callback(Report::new(number, outcome)));
    }

    /// It is kept, fails, or nothing is heard of it.
    fn keep_voice(&mut self, now: Duration, plan: &mut Plan) {
        let failed = self.rng.percent(self.faults.store);
        if failed && self.rng.percent(30) {
            return;
        }
        let at = now + self.rng.ms(1..4_000);
        let length_ms = u32::try_from(self.rng.within(100..120_000)).unwrap_or(100);
        let outcome = match (failed, self.rng.within(0..5)) {
            (true, _) => VoiceOutcome::Failed { why: "disk".into() },
            (false, 0) => VoiceOutcome::Nothing,
            (false, _) => VoiceOutcome::Kept { length_ms },
        };
        self.kept = matches!(outcome, VoiceOutcome::Kept { .. }).then_some(at);
        plan.at(at, Topic::Voice, Input::Voice(outcome));
    }

    fn ring(&mut self, now: Duration, signals: bool, plan: &mut Plan) {
        plan.cancel(Topic::Target);
        let target = Input::Target;
        plan.at(now + self.rng.ms(0..3_000), Topic::Target, target(TargetOutcome::Ringing));
        let Some(outcome) = self.target_outcome() else { return self.over.push(None) };
        let mut at = now + self.rng.ms(0..30_000);
        plan.at(at, Topic::Target, target(outcome));
        if matches!(outcome, TargetOutcome::Answered { .. }) {
            at += self.rng.ms(0..120_000);
            if signals && !self.rng.percent(20) {
                plan.at(at, Topic::Target, target(TargetOutcome::HumanAnswered));
            }
            at += self.rng.ms(0..300_000);
            let by_caller = self.rng.percent(60);
            plan.at(at, Topic::Target, target(TargetOutcome::Ended { by_caller }));
        }
        self.over.push(Some(at));
    }

    /// A bot says what it likes, at any time.
    fn converse(&mut self, now: Duration, flow: &Flow, request: &AgentRequest, plan: &mut Plan) {
        let values = request.save.iter();
        let values =
            values.filter_map(|save| Some((save.field.clone(), self.value(flow, &save.field)?)));
        let said = Input::AgentSaid(values.collect());
        plan.at(now + self.rng.ms(0..200_000), Topic::Target, said);
    }

    /// Whether the last of so many target legs is over by itself.
    pub(super) fn is_over(&self, legs: usize, now: Duration) -> bool {
        let last = legs.checked_sub(1).and_then(|at| *self.over.get(at)?);
        last.is_some_and(|at| at <= now)
    }
}

impl World for Random {
    fn react(&mut self, now: Duration, call: &Call, output: &Output, plan: &mut Plan) {
        match output {
            Output::Answer => {
                let lost = self.rng.percent(self.faults.answer);
                let input = if lost { Input::AnswerFailed } else { Input::Answered };
                plan.at(now + self.rng.ms(0..500), Topic::Answer, input);
                self.press(now, call, Duration::ZERO, plan);
            }
            Output::Play { id, prompts, .. } => self.play(now, call, *id, prompts.len(), plan),
            // The report of a stopped play may still come, or come first.
            Output::StopPlay if self.rng.percent(70) => plan.cancel(Topic::Play),
            Output::StopPlay => {}
            Output::SendText(request) => {
                self.told = None;
                if let Some(outcome) = self.text_outcome() {
                    // Now and then when nobody waits for it any more.
                    let at = now + self.rng.ms(20..10_000);
                    self.told = Some((at, outcome.clone()));
                    plan.at(at, Topic::Text, Input::Text(Report::new(request.offer, outcome)));
                }
            }
            Output::Fetch(request) => self.fetch(now, call.flow(), request, plan),
            Output::RecordOptOut { .. } => {
                let recorded = !self.rng.percent(self.faults.store);
                if recorded || self.rng.percent(50) {
                    let at = now + self.rng.ms(1..2_000);
                    plan.at(at, Topic::Store, Input::OptOut(recorded));
                }
            }
            Output::Forward { target, .. } => {
                let target = call.flow().targets.get(usize::from(target.0));
                let signals = target.is_some_and(|target| target.human_signal != HumanSignal::None);
                self.ring(now, signals, plan);
                // Whoever is there has the link sent at any time, once the call is there or not.
                if target.is_some_and(|target| target.send_link.is_some()) && self.rng.percent(30) {
                    plan.at(now + self.rng.ms(0..90_000), Topic::Target, {
                        let plain = Input::SendLink;
                        self.rng.pick(plain, &[Input::SendLinkConfirmed])
                    });
                }
            }
            Output::CallAgent(request) => {
                self.ring(now, false, plan);
                self.converse(now, call.flow(), request, plan);
            }
            Output::FindSlot(request) => self.find_slot(now, request.booking, plan),
            Output::BookCallback(request) => self.book(now, request.booking, plan),
            Output::CancelCallback { .. } => {
                plan.cancel(Topic::Callback);
                self.booked = None;
            }
            Output::TakeVoice { .. } => {
                // Up to `#`, to a silence, or to the longest time there is.
                let at = now + self.rng.ms(0..60_000);
                if self.rng.percent(50) {
                    plan.at(at, Topic::Caller, Input::Key(Key::HASH));
                } else if self.rng.percent(80) {
                    plan.at(at, Topic::Voice, Input::VoiceOver);
                    self.keep_voice(at, plan);
                }
            }
            Output::StopVoice => {
                plan.cancel(Topic::Voice);
                self.keep_voice(now, plan);
            }
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
