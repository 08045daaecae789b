//! The proof's table against random callers: nobody of them waits longer, or presses more keys,
//! than it says of a step that they come to.
//!
//! A caller presses anything up to some step, and from there on nothing, or goes for a person.
//! Of the first the table says the longest time in silence, of the second the longest time and the
//! most keys, each until the call rings or ends. Prompts last up to what the proof takes them
//! for, callers take a second for a key, and what is around the call is random and fails.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;
mod full;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use common::{Sounds, shipped_shared};
use ivr_runtime::{
    call::{Call, EndReason, Input, Output, Record, VoiceOutcome},
    flow::{
        Shared, load,
        model::{AnsweredMeans, Check, Collect, Does, Flow, Go, HumanSignal, Step, TargetId},
    },
    key::Key,
    proof::{Proof, Reach, Row, prove},
    sim::{Faults, Plan, Random, Rng, Stage, Topic, World},
};

const SEED: u64 = 20_261_124;
/// Every prompt of the proof lasts so long, and no prompt of a call longer.
const PROMPT_MS: u64 = 4_000;
/// A piece of what is spoken: of a whole value the proof says ten seconds.
const PIECE_MS: u64 = 400;
/// A caller takes so long for a key.
const KEY: Duration = Duration::from_secs(1);
/// After so many events a call goes on for ever.
const EVENTS: u32 = 5_000;
/// Steps of a call after which its caller makes up their mind.
const STEPS: u64 = 8;

/// What a caller does when asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mood {
    Whatever,
    Silent,
    ForAPerson,
}

/// From the entry of a step on.
#[derive(Debug, Clone)]
struct Since {
    step: String,
    at: Duration,
    keys: u32,
}

/// What came of it.
#[derive(Debug, Clone)]
struct Took {
    since: Since,
    mood: Mood,
    ms: u64,
    reach: Reach,
}

/// Random parts around a call whose caller has a mood.
struct Parts {
    random: Random,
    rng: Rng,
    faults: Faults,
    mood: Mood,
    /// The caller makes up their mind there.
    turn: (u64, Mood),
    entered: Vec<(Duration, String)>,
    playing_until: Duration,
    /// Counts what may be asked; a decision holds for one of them.
    asks: u64,
    decided: u64,
    open: Vec<Since>,
    took: Vec<Took>,
}

/// What somebody who is asked does.
enum Choice {
    Nothing,
    Keys(String),
}

#[test]
fn ex_27_no_random_caller_of_the_full_flow_waits_longer_or_presses_more_keys_than_the_proof_says() {
    judged("full", full::FLOW, &full::shared(), 3_000);
}

#[test]
fn ex_27_nor_does_one_of_a_flow_with_a_line_and_codes_to_type() {
    let pin = include_str!("fixtures/pin.toml").to_owned();
    let sub_files = BTreeMap::from([("pin.toml".to_owned(), pin)]);
    let shared = Shared { sub_files, ..shipped_shared() };
    judged("bank", include_str!("fixtures/bank.toml"), &shared, 1_500);
}

fn judged(name: &str, text: &str, shared: &Shared, callers: u64) {
    let checked = load(text, name, shared, &Sounds);
    let flow = Arc::new(checked.flow.unwrap_or_else(|| panic!("{:#?}", checked.findings)));
    let proof = prove(&flow, &Sounds).unwrap();
    let rows: BTreeMap<&str, &Row> =
        proof.rows.iter().map(|row| (row.step.as_str(), row)).collect();
    println!("{name}: seed {SEED}\n{proof}");
    let mut most: BTreeMap<(String, Mood), (u64, u32, u32)> = BTreeMap::new();
    for index in 0..callers {
        for faults in [Faults::NONE, Faults::SOME, Faults::ALL] {
            let parts = played(&flow, &proof, index, faults);
            for took in &parts.took {
                let Since { step, keys, .. } = &took.since;
                let row = rows[step.as_str()];
                let told = || {
                    let path = &parts.entered;
                    format!(
                        "{name}: seed {SEED}, caller {index}, {faults:?}: {took:?}\n{row:?}\n{path:?}"
                    )
                };
                match took.mood {
                    Mood::Silent => assert!(took.ms <= row.silent_ms, "{}", told()),
                    Mood::ForAPerson => {
                        assert!(row.best_ms.is_some_and(|ms| took.ms <= ms), "{}", told());
                        assert!(*keys <= row.keys, "{}", told());
                        let promised = row.reach.is_some_and(|reach| reach >= Reach::Apology);
                        assert!(!promised || Some(took.reach) >= row.reach, "{}", told());
                    }
                    Mood::Whatever => panic!("{}", told()),
                }
                let seen = most.entry((step.clone(), took.mood)).or_default();
                *seen = (seen.0.max(took.ms), seen.1.max(*keys), seen.2 + 1);
            }
        }
    }
    for ((step, mood), (ms, keys, times)) in &most {
        println!("{step} {mood:?}: {ms} ms, {keys} keys, {times} times");
    }
    let came: BTreeSet<&str> = most.keys().map(|(step, _)| step.as_str()).collect();
    let missed: Vec<&&str> = rows.keys().filter(|step| !came.contains(**step)).collect();
    // Some are rare.
    let most_are_judged = missed.len() * 10 <= rows.len();
    assert!(most_are_judged, "{name}: seed {SEED}: nobody came to {missed:?}");
}

/// The call of one caller, to its end.
fn played(flow: &Arc<Flow>, proof: &Proof, index: u64, faults: Faults) -> Parts {
    let mut rng = Rng::new(SEED ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let faults = Faults { answer: 0, ..faults };
    let mut random = Random::new(Rng::new(rng.bits()), faults);
    let facts = random.facts(flow, index);
    let turn = (rng.within(0..STEPS), rng.pick(Mood::Silent, &[Mood::ForAPerson]));
    let parts = Parts {
        random,
        rng,
        faults,
        mood: Mood::Whatever,
        turn,
        entered: Vec::new(),
        playing_until: Duration::ZERO,
        asks: 0,
        decided: 0,
        open: Vec::new(),
        took: Vec::new(),
    };
    let call = Call::new(Duration::ZERO, Arc::clone(flow), facts);
    let mut stage = Stage::new(call, parts, Duration::ZERO);
    for _ in 0..EVENTS {
        if stage.call.is_over() {
            break;
        }
        let now = stage.now;
        let parts = &mut stage.world;
        if stage.call.awaits_key() && parts.playing_until <= now && parts.decided != parts.asks {
            parts.decided = parts.asks;
            if let Choice::Keys(keys) = chosen(flow, proof, &stage.call, &mut stage.world) {
                let asked = stage.world.asks;
                keys.chars().for_each(|label| press(&mut stage, asked, label.try_into().unwrap()));
            }
        } else if !stage.step() {
            break;
        }
    }
    stage.world
}

/// A second later, if the call still asks for the same.
fn press(stage: &mut Stage<Parts>, asked: u64, key: Key) {
    if stage.world.asks != asked {
        return;
    }
    stage.pass(KEY);
    if stage.world.asks == asked && stage.call.awaits_key() {
        stage.world.open.iter_mut().for_each(|since| since.keys += 1);
        stage.input(Input::KeyDown(key));
        stage.input(Input::Key(key));
    }
}

fn chosen(flow: &Flow, proof: &Proof, call: &Call, parts: &mut Parts) -> Choice {
    let step = flow.steps.iter().find(|step| Some(step.name.as_str()) == call.step()).unwrap();
    match parts.mood {
        Mood::Silent => Choice::Nothing,
        Mood::Whatever => whatever(step, call, &mut parts.rng),
        Mood::ForAPerson => for_a_person(flow, proof, step),
    }
}

/// Mostly a key that the caller was told of.
fn whatever(step: &Step, call: &Call, rng: &mut Rng) -> Choice {
    if rng.percent(20) {
        return Choice::Nothing;
    }
    if call.collects() {
        let digits = rng.within(1..12);
        let digits = (0..digits).map(|_| rng.pick('1', &['2', '3', '4', '5', '6', '7', '8']));
        return Choice::Keys(digits.chain(['#']).collect());
    }
    let told: Vec<char> = step
        .does
        .menu()
        .map_or_else(Vec::new, |menu| menu.press.keys().map(|key| key.label()).collect());
    let key = match told.split_first() {
        Some((first, others)) if rng.percent(80) => rng.pick(*first, others),
        _ => rng.pick('1', &['1', '2', '0', '3', '7', '*', '#']),
    };
    Choice::Keys(key.into())
}

/// The operator's key where there is one, else what the table promises the most of.
fn for_a_person(flow: &Flow, proof: &Proof, step: &Step) -> Choice {
    let reach = |go: Option<Go>| match go {
        Some(Go::Step(id)) => proof.rows[usize::from(id.0)].reach.unwrap_or(Reach::Nobody),
        Some(Go::Target(id)) => rings_at(flow, id),
        Some(Go::HangUp) => Reach::Nobody,
        None => Reach::Person,
    };
    let key = |label: char| Choice::Keys(label.into());
    match &step.does {
        // Another key is no.
        Does::Callback(callback) if reach(callback.no_input) < Reach::Later => key('1'),
        Does::Callback(_) | Does::OptOut { .. } => key('7'),
        Does::Collect(collect) => typed(collect, reach),
        // Who has asked for a text is not asked about persons, and messages are spoken.
        Does::Text(_) | Does::Voicemail(_) => Choice::Nothing,
        _ => flow.operator_keys.first().map_or(Choice::Nothing, |operator| key(operator.label())),
    }
}

/// Digits, too few of them, or none.
fn typed(collect: &Collect, reach: impl Fn(Option<Go>) -> Reach) -> Choice {
    let [right, wrong, none] =
        [collect.then, collect.wrong, collect.no_input].map(|go| reach(Some(go)));
    if right >= wrong.max(none) && collect.check == Check::Digits {
        let end = if collect.min < collect.max { "#" } else { "" };
        return Choice::Keys("1".repeat(collect.min.into()) + end);
    }
    if wrong >= none && collect.min > 1 { Choice::Keys("1".into()) } else { Choice::Nothing }
}

fn rings_at(flow: &Flow, id: TargetId) -> Reach {
    let target = &flow.targets[usize::from(id.0)];
    let says_so =
        target.answered_means == AnsweredMeans::Human || target.human_signal != HumanSignal::None;
    match says_so || id == flow.human || Some(id) == flow.fallback {
        true => Reach::Person,
        false => Reach::Elsewhere,
    }
}

impl Parts {
    fn play(&mut self, now: Duration, id: u32, prompts: &[String], plan: &mut Plan) {
        let longest: u64 = prompts
            .iter()
            .map(|name| if name.starts_with("f-") { PIECE_MS } else { PROMPT_MS })
            .sum();
        let lasts = match self.rng.percent(50) {
            true => Duration::from_millis(longest),
            false => self.rng.ms(0..longest),
        };
        let fails = self.rng.percent(self.faults.prompt);
        let heard = match fails {
            true => Input::PlayFailed { id },
            false => Input::PlayDone { id, completed: true },
        };
        plan.cancel(Topic::Play);
        plan.at(now + lasts, Topic::Play, heard);
        self.playing_until = now + lasts;
    }

    /// Whoever goes for a person says something.
    fn keep(&mut self, at: Duration, plan: &mut Plan) {
        let fails = self.rng.percent(self.faults.store);
        if fails && self.rng.percent(50) {
            return;
        }
        let outcome = match fails {
            true => VoiceOutcome::Failed { why: "disk".into() },
            false => VoiceOutcome::Kept { length_ms: 5_000 },
        };
        plan.at(at + self.rng.ms(1..4_000), Topic::Voice, Input::Voice(outcome));
    }

    fn enter(&mut self, now: Duration, step: &str) {
        if u64::try_from(self.entered.len()).unwrap() == self.turn.0 {
            self.mood = self.turn.1;
        }
        self.entered.push((now, step.to_owned()));
        if self.mood != Mood::Whatever {
            self.open.push(Since { step: step.to_owned(), at: now, keys: 0 });
        }
    }

    /// It rings, is in line, or is over.
    fn reached(&mut self, now: Duration, reach: Reach) {
        for since in self.open.drain(..) {
            let ms = u64::try_from((now - since.at).as_millis()).unwrap();
            self.took.push(Took { since, mood: self.mood, ms, reach });
        }
    }
}

impl World for Parts {
    fn react(&mut self, now: Duration, call: &Call, output: &Output, plan: &mut Plan) {
        match output {
            Output::Answer => plan.at(now, Topic::Answer, Input::Answered),
            Output::Play { id, prompts, .. } => self.play(now, *id, prompts, plan),
            Output::StopPlay => {
                plan.cancel(Topic::Play);
                self.playing_until = now;
            }
            Output::TakeVoice { .. } if self.mood == Mood::ForAPerson => {
                // That it is over may be told by nobody.
                if self.rng.percent(50) {
                    let over = now + self.rng.ms(1_000..60_000);
                    plan.at(over, Topic::Voice, Input::VoiceOver);
                    self.keep(over, plan);
                }
            }
            Output::StopVoice if self.mood == Mood::ForAPerson => {
                plan.cancel(Topic::Voice);
                self.keep(now, plan);
            }
            _ => self.random.react(now, call, output, plan),
        }
        // Its caller is not ours.
        plan.cancel(Topic::Caller);
        match output {
            Output::Play { prompts, .. } if *prompts == ["apology"] => {
                self.reached(now, Reach::Apology);
            }
            Output::Play { .. } => self.asks += 1,
            Output::Record(Record::StepEntered { step, .. }) => {
                self.asks += 1;
                self.enter(now, step);
            }
            Output::Forward { target, .. } => {
                self.reached(now, rings_at(call.flow(), *target));
            }
            Output::Hold { .. } | Output::Rebridge => self.reached(now, Reach::Person),
            Output::Record(Record::End { reason, .. }) => {
                let kept = matches!(reason, EndReason::Voicemail | EndReason::CallbackBooked);
                let reach = if kept { Reach::Later } else { Reach::Nobody };
                self.reached(now, reach);
            }
            _ => {}
        }
    }
}
