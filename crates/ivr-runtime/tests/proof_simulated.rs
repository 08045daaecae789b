//! The proof's figures for small flows, against every call that the call machine itself can have:
//! each failure of each prompt and text, each key and silence in each try, in virtual time.
//!
//! Nothing of the proof's graph is used here. Texts that ask nobody for a number, and say no value,
//! are tried only: of the others the proof counts the longest of all that may be said.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use ivr_runtime::{
    call::{Call, Facts, History, Input, Output, Record, Report, TextOutcome, VoiceOutcome},
    flow::{PromptFacts, PromptIndex, Shared, load, model::Flow},
    key::Key,
    proof::{Reach, prove},
    sim::{Obedient, Player},
};

/// Every prompt is there, and lasts so long.
struct Sounds;

const PROMPT: Duration = Duration::from_secs(4);
/// A caller takes so long for a key.
const KEY: Duration = Duration::from_secs(1);
/// So many digits are typed in a row at most.
const LONGEST: u8 = 2;
/// Tuesday noon, and the night after, in London.
const OPEN_MS: i64 = 1_764_072_000_000;
const CLOSED_MS: i64 = OPEN_MS + 12 * 3_600_000;

const HEAD: &str = "version = 1\n[flow]\nname = \"Test\"\nnumbers = [\"+442079460018\"]\n\
    start = \"first\"\nhuman = \"agents\"\nlanguages = [\"en-GB\"]\n\
    [target.agents]\nsip = \"sip:queue@192.0.2.7\"\nanswered_means = \"human\"\n\
    [target.pbx]\nsip = \"sip:pbx@192.0.2.7\"\nanswered_means = \"human\"\n\
    [target.robot]\nsip = \"sip:ivr@192.0.2.7\"\n\
    [link.chat]\nurl = \"https://help.example.com/chat\"\nintents = [\"any\"]\nstaffing = \"operator\"\n";

/// What a caller can make sure of from somewhere on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Value {
    reach: Reach,
    best: Duration,
    keys: u32,
    silent: Duration,
}

/// A call that waits for something.
#[derive(Clone)]
struct Point {
    call: Call,
    now: Duration,
    playing: Option<(u32, Duration)>,
    texting: bool,
    /// Keys pressed one after the other.
    typed: u8,
}

/// Everything that calls of one flow come to.
struct Search<'a> {
    flow: &'a Arc<Flow>,
    /// What is worst of each step.
    steps: BTreeMap<String, Value>,
    points: usize,
}

#[test]
fn ex_27_the_figures_of_the_proof_are_those_of_every_call_that_there_can_be() {
    let text = "do = \"text\"\nlink = \"chat\"\nmessage = \"Example: {link}\"\n\
                confirm_number = \"never\"\nsent_prompt = \"sent\"\nthen = \"hangup\"\n";
    let menu = "do = \"menu\"\nplay = \"a\"\n";
    for (name, steps) in [
        (
            "a menu and a text",
            format!(
                "[step.first]\n{menu}press = {{ 1 = \"send\", 2 = \"robot\" }}\nno_input = \"agents\"\n\
                 [step.send]\n{text}if_fails = \"sorry\"\nif_limited = \"agents\"\n\
                 [step.sorry]\ndo = \"say\"\nplay = [\"b\", \"c\"]\nthen = \"agents\"\n"
            ),
        ),
        (
            "menus behind each other",
            format!(
                "[step.first]\n{menu}press = {{ 1 = \"second\" }}\ntries = 2\nno_input = \"second\"\n\
                 wrong = \"bye\"\ntimeout_ms = 6000\n\
                 [step.second]\n{menu}play_again = [[\"a\", \"b\"]]\npress = {{ 3 = \"bye\" }}\n\
                 tries = 2\nno_input = \"agents\"\n\
                 [step.bye]\ndo = \"say\"\nplay = \"d\"\nthen = \"robot\"\n"
            ),
        ),
        (
            "rules, hours and digits",
            "[rule.outage]\nflag = \"outage\"\n\
             [step.first]\ndo = \"decide\"\ncase = [{ if = \"outage\", go = \"told\" }]\n\
             otherwise = \"digits\"\n\
             [step.told]\ndo = \"say\"\nplay = \"a\"\nthen = \"agents\"\n\
             [step.digits]\ndo = \"collect\"\nsave = \"account\"\nplay = \"b\"\nmin = 2\nmax = 3\n\
             tries = 2\nthen = \"late\"\nno_input = \"told\"\nwrong = \"late\"\n\
             [step.late]\ndo = \"menu\"\nplay = \"c\"\npress = { 1 = \"agents\" }\nno_input = \"agents\"\n\
             tries = 1\n\
             [hours.office]\nzone = \"Europe/London\"\nmon-fri = \"08:00-18:00\"\n"
                .to_owned(),
        ),
        (
            "an offer",
            format!(
                "[rule.outage]\nflag = \"outage\"\n\
                 [step.first]\ndo = \"offer\"\nlink = \"chat\"\nplay = \"a\"\nnever_if = [\"outage\"]\n\
                 press = {{ 1 = \"send\", 2 = \"agents\" }}\naccept = [\"1\"]\nno_input = \"more\"\n\
                 if_not_offered = \"more\"\n\
                 [step.more]\n{menu}press = {{ 4 = \"agents\" }}\nno_input = \"agents\"\ntries = 1\n\
                 [step.send]\n{text}"
            ),
        ),
    ] {
        let hours = if steps.contains("[hours.office]") {
            "hours = \"office\"\nwhen_closed = \"pbx\"\n"
        } else {
            ""
        };
        let head = HEAD.replacen("answered_means = \"human\"\n", &format!("answered_means = \"human\"\n{hours}"), 1);
        let flow = flow(&format!("{head}{steps}"));
        let (searched, points) = searched(&flow);
        let proof = prove(&flow, &Sounds).unwrap();
        println!("{name}: {points} points, {} states", proof.states);
        for row in &proof.rows {
            let seen = searched[&row.step];
            let ms = |of: Duration| u64::try_from(of.as_millis()).unwrap();
            assert_eq!(Some(seen.reach), row.reach, "{name}: {}: {seen:?}\n{proof}", row.step);
            assert_eq!(Some(ms(seen.best)), row.best_ms, "{name}: {}\n{proof}", row.step);
            assert_eq!(seen.keys, row.keys, "{name}: {}\n{proof}", row.step);
            assert_eq!(ms(seen.silent), row.silent_ms, "{name}: {}\n{proof}", row.step);
        }
        assert!(points > 100, "{name}: {points} points only");
    }
}

/// What is read back is counted at its longest: the figures are bounds there.
#[test]
fn ex_27_no_call_in_which_digits_are_read_back_takes_longer_or_more_keys_than_the_proof_says() {
    let flow = flow(&format!(
        "{HEAD}[step.first]\ndo = \"collect\"\nsave = \"account\"\nplay = \"a\"\nmin = 2\nmax = 3\n\
         tries = 1\nconfirm = true\nthen = \"agents\"\nno_input = \"robot\"\nwrong = \"robot\"\n"
    ));
    let (searched, points) = searched(&flow);
    let proof = prove(&flow, &Sounds).unwrap();
    let (seen, row) = (searched["first"], &proof.rows[0]);
    let ms = |of: Duration| u64::try_from(of.as_millis()).unwrap();
    assert_eq!(
        (Some(seen.reach), seen.reach),
        (row.reach, Reach::Person),
        "{points} points\n{proof}"
    );
    // Two digits, `#`, and the yes.
    assert_eq!((seen.keys, row.keys), (4, 4), "{proof}");
    assert!(Some(ms(seen.best)) <= row.best_ms, "{seen:?}\n{proof}");
    assert!(ms(seen.silent) <= row.silent_ms, "{seen:?}\n{proof}");
}

#[test]
fn ex_27_a_silent_caller_of_a_voicemail_waits_no_longer_than_the_proof_says() {
    let flow = flow(&format!(
        "{HEAD}[step.first]\ndo = \"voicemail\"\nplay = \"a\"\nmax_seconds = 30\nthen = \"agents\"\n"
    ));
    let proof = prove(&flow, &Sounds).unwrap();
    let never = Duration::from_secs(86_400);
    for (speaks, voice) in [
        (Duration::from_secs(5), Some(VoiceOutcome::Nothing)),
        (Duration::from_secs(5), None),
        (never, Some(VoiceOutcome::Nothing)),
        (never, None),
    ] {
        let world = Obedient { speaks, voice: voice.clone(), ..Obedient::default() };
        let mut player = Player::new(Arc::clone(&flow), Facts::default(), world);
        player.listen();
        while player.call().forwarding().is_none() {
            player.silence();
        }
        let waited = u64::try_from(player.elapsed().as_millis()).unwrap();
        // Its targets answer after two seconds.
        assert!(
            waited <= proof.rows[0].silent_ms + 2_000,
            "{speaks:?} {voice:?}: {waited}\n{proof}"
        );
    }
}

/// Of calls in all that they can begin with.
fn searched(flow: &Arc<Flow>) -> (BTreeMap<String, Value>, usize) {
    let mut search = Search { flow, steps: BTreeMap::new(), points: 0 };
    let known = |failed_promise| Some(History { failed_promise, ..History::default() });
    for start_ms in [OPEN_MS, CLOSED_MS] {
        for flags in [None, Some(Vec::new()), Some(vec!["outage".to_owned()])] {
            for history in [known(false), known(true)] {
                let facts = Facts {
                    caller: Some("+447700900001".into()),
                    can_receive_text: Some(true),
                    country: "GB".into(),
                    flags: flags.clone(),
                    history,
                    start_ms,
                    ..Facts::default()
                };
                let call = Call::new(Duration::ZERO, Arc::clone(flow), facts);
                let point =
                    Point { call, now: Duration::ZERO, playing: None, texting: false, typed: 0 };
                search.from(point);
            }
        }
    }
    (search.steps, search.points)
}

impl Search<'_> {
    fn from(&mut self, mut point: Point) -> Value {
        self.points += 1;
        assert!(self.points < 3_000_000, "too many for a test");
        let (mut entered, mut end) = (Vec::new(), None);
        while let Some(output) = point.call.poll_output() {
            match output {
                Output::Answer => point.call.handle_input(point.now, Input::Answered),
                Output::Play { prompts, .. } if prompts == ["apology"] => {
                    end = end.or(Some(Reach::Apology));
                }
                Output::Play { id, prompts, .. } => {
                    let lasts = PROMPT * u32::try_from(prompts.len()).unwrap();
                    (point.playing, point.typed) = (Some((id, lasts)), 0);
                }
                Output::StopPlay => point.playing = None,
                Output::SendText(_) => point.texting = true,
                Output::Forward { target, .. } => {
                    let name = &self.flow.targets[usize::from(target.0)].name;
                    let is_person = name != "robot";
                    end = end.or(Some(if is_person { Reach::Person } else { Reach::Elsewhere }));
                }
                Output::Record(Record::StepEntered { step, .. }) => entered.push(step),
                Output::Record(Record::End { .. }) => end = end.or(Some(Reach::Nobody)),
                _ => {}
            }
        }
        let value = match end {
            Some(reach) => Value { reach, best: Duration::ZERO, keys: 0, silent: Duration::ZERO },
            None => self.onward(&point),
        };
        for step in entered {
            let worst = self.steps.get(&step).map_or(value, |known| worse(*known, value));
            self.steps.insert(step, worst);
        }
        value
    }

    /// What comes of it in the best case for the caller, in the worst for what others do.
    fn onward(&mut self, point: &Point) -> Value {
        if let Some((id, lasts)) = point.playing {
            let heard = Point { playing: None, ..point.clone() };
            let done = Input::PlayDone { id, completed: true };
            let well = self.after(&heard, lasts, Some(done));
            let badly = self.after(&heard, lasts, Some(Input::PlayFailed { id }));
            return worse(well, badly);
        }
        let patience = point.call.poll_timeout().unwrap().saturating_sub(point.now);
        if point.texting {
            let sent = Point { texting: false, ..point.clone() };
            let text = |outcome| Some(Input::Text(Report { of: None, outcome }));
            let outcomes = [
                None,
                text(TextOutcome::Accepted { sender: "sandbox".into() }),
                text(TextOutcome::Queued),
                text(TextOutcome::Duplicate),
                text(TextOutcome::Ambiguous),
                text(TextOutcome::Failed { class: "ProviderDown".into() }),
                text(TextOutcome::NotTextable { reason: "landline".into() }),
                text(TextOutcome::OptedOut),
                text(TextOutcome::Limited { rule: "texts_per_caller".into() }),
            ];
            let all = outcomes.map(|input| self.after(&sent, patience, input));
            return all.into_iter().reduce(worse).unwrap();
        }
        let silence = self.after(point, patience, None);
        if !point.call.awaits_key() || patience <= KEY {
            return silence;
        }
        // `*` only plays it again, and no letter leads anywhere that another wrong key does not. Of
        // digits one is like another, but those of operators and the yes to what is read back; more of
        // them only take longer.
        let labels = match (point.call.collects(), point.typed) {
            (false, _) => "0123456789#",
            // What ends nothing does nothing.
            (true, 0) => "015",
            (true, ..LONGEST) => "05#",
            (true, LONGEST) => "#",
            (true, _) => "",
        };
        let mut best = silence;
        for label in labels.chars() {
            let mut pressed = Point { typed: point.typed + 1, ..point.clone() };
            let key = Key::try_from(label).unwrap();
            pressed.call.handle_input(point.now + KEY, Input::KeyDown(key));
            let by_key = self.after(&pressed, KEY, Some(Input::Key(key)));
            best = better(best, Value { keys: by_key.keys + 1, ..by_key });
        }
        Value { silent: silence.silent, ..best }
    }

    /// So much later this happens, or the time-out that is due then.
    fn after(&mut self, point: &Point, time: Duration, input: Option<Input>) -> Value {
        let mut next = Point { now: point.now + time, ..point.clone() };
        match input {
            Some(input) => next.call.handle_input(next.now, input),
            None => next.call.handle_timeout(next.now),
        }
        let value = self.from(next);
        Value { best: value.best + time, silent: value.silent + time, ..value }
    }
}

fn worse(a: Value, b: Value) -> Value {
    Value {
        reach: a.reach.min(b.reach),
        best: a.best.max(b.best),
        keys: a.keys.max(b.keys),
        silent: a.silent.max(b.silent),
    }
}

/// The caller goes for the most, and there for the quickest way.
fn better(a: Value, b: Value) -> Value {
    let rank = |value: &Value| (std::cmp::Reverse(value.reach), value.best, value.keys);
    if rank(&b) < rank(&a) { b } else { a }
}

impl PromptIndex for Sounds {
    fn in_folder(&self, _: &str, _: &str) -> Option<BTreeSet<String>> {
        None
    }

    fn has(&self, _: &str, _: &str) -> Option<PromptFacts> {
        let len_ms = u32::try_from(PROMPT.as_millis()).unwrap();
        Some(PromptFacts { len_ms, rate: 8_000, channels: 1 })
    }
}

fn flow(text: &str) -> Arc<Flow> {
    let shared = Shared { fallback: Some("pbx".into()), ..Shared::default() };
    let checked = load(text, "flow.toml", &shared, &Sounds);
    Arc::new(checked.flow.unwrap_or_else(|| panic!("{:#?}\n{text}", checked.findings)))
}
