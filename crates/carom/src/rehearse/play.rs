//! One test, played.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use ivr_runtime::{
    call::{
        CallbackOutcome, Facts, FetchOutcome, Few, FreeSlot, History, OfferResponse, Record,
        TargetOutcome, TextOutcome, Told, VoiceOutcome,
    },
    flow::model::Flow,
    key::Key,
    sim::{AgentIs, Heard, LinkIs, Obedient, Player},
};
use jiff::{Timestamp, Zoned};
use message_text::E164;

use super::file::{
    AgentDoes, AgentSays, CallbackIs, LinkSays, SUFFIX, TargetIs, Test, TextIs, VoicemailIs,
};
use super::turns::{OneOrMore, TextsAre};
use crate::{config::Snapshot, node::clock::wall_ms, switchboard::known_fields};

const HOUR_MS: f64 = 3_600_000.0;

/// What came of a test.
#[derive(Debug)]
pub struct Played {
    /// The flow it went through.
    pub flow: Arc<Flow>,
    /// Steps with their exits, as `welcome 1`.
    pub path: Vec<String>,
    /// What was not as expected; empty: it passed.
    pub faults: Vec<String>,
}

/// Plays a test of the file `file` against the flows of a configuration.
///
/// # Errors
/// Why it can't be played.
pub fn play(snapshot: &Snapshot, test: &Test, file: &Path) -> Result<Played, String> {
    let flow = flow_of(snapshot, test, file)?;
    let facts = facts(snapshot, test, &flow)?;
    known_names(test, &flow)?;
    let world = world(test);
    let mut call =
        Rehearsal { player: Player::new(Arc::clone(&flow), facts, world), heard: Vec::new() };
    let first = call.player.listen();
    call.heard.extend(first);
    for act in &test.does {
        call.act(act)?;
    }
    if call.player.call().is_bridged() {
        // Nobody talks for ever.
        let last = call.player.hang_up();
        call.heard.extend(last);
    }
    let path = call.path();
    Ok(Played { faults: call.faults(test, &path), flow, path })
}

/// The flow that a test is about: as it says, or else the only one, or that of `X.toml` for a test
/// in `X.flowtest.toml`.
fn flow_of(snapshot: &Snapshot, test: &Test, file: &Path) -> Result<Arc<Flow>, String> {
    let beside = || {
        let name = file.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
        let flow = file.with_file_name(format!("{name}.toml"));
        let flow = flow.canonicalize().ok()?;
        let at = snapshot
            .sources
            .iter()
            .position(|source| source.file.canonicalize().is_ok_and(|of| of == flow))?;
        snapshot.flows.get(at).cloned()
    };
    let named = |name: &String| {
        let found = snapshot.flows.iter().find(|flow| flow.name == *name);
        found.cloned().ok_or_else(|| format!("there is no flow `{name}`"))
    };
    match (&test.flow, &test.called) {
        (Some(name), _) => named(name),
        (None, Some(called)) => Ok(Arc::clone(snapshot.flow_for(called))),
        (None, None) => match snapshot.flows.as_slice() {
            [only] => Ok(Arc::clone(only)),
            _ => beside().ok_or("there are several flows: name `flow` or `called`".to_owned()),
        },
    }
}

fn facts(snapshot: &Snapshot, test: &Test, flow: &Flow) -> Result<Facts, String> {
    let country = snapshot.config.trunks.first().map_or("GB", |trunk| &trunk.country).to_owned();
    let caller = match test.caller.as_str() {
        "anonymous" => None,
        number => {
            let number = E164::parse(number, &country);
            Some(number.map_err(|why| format!("caller `{}`: {why}", test.caller))?)
        }
    };
    let called = test.called.clone().or_else(|| flow.numbers.first().cloned());
    let called = called.or_else(|| flow.extensions.first().cloned()).unwrap_or_default();
    let start_ms = match &test.at {
        None => wall_ms(),
        Some(at) => moment(at).ok_or_else(|| {
            format!("`at`: `{at}` is no moment; write it as 2026-11-25T10:00[Europe/London]")
        })?,
    };
    let ago = |hours: &f64| start_ms - (hours * HOUR_MS) as i64;
    let history = History {
        calls_ms: test.called_hours_ago.iter().map(ago).collect(),
        deflected_ms: test.deflected_hours_ago.iter().map(ago).collect(),
        declined_ms: test.declined_hours_ago.as_ref().map(ago),
        offered_ms: test.declined_hours_ago.as_ref().map(ago),
        failed_promise: test.failed_promise,
        opted_out: test.opted_out,
    };
    let business = snapshot.config.business(flow.business.as_deref());
    let business = business.map_or("", |business| business.key.as_str());
    let textable = caller
        .as_ref()
        .is_some_and(|caller| snapshot.texts.against(caller, business, &called, &[]).is_none());
    let told = |says: &super::file::SourceSays| Told {
        wait_seconds: says.wait_seconds,
        agents_available: says.agents_available,
        until_ms: i64::MAX,
        ..Told::default()
    };
    let sources: Few<Told> =
        test.sources.iter().map(|(name, says)| (name.clone(), told(says))).collect();
    let first = snapshot.source_of(flow).and_then(|source| sources.get(&source.name));
    let fields = known_fields(Some("rehearsed"), first, flow.round_wait, start_ms);
    Ok(Facts {
        call_id: "rehearsed".into(),
        called,
        withheld: caller.is_none(),
        can_receive_text: Some(test.can_receive_text.unwrap_or(textable)),
        // Never in the control group, unless the flow has nothing else.
        caller_seed: 0x5eed,
        caller: caller.map(|caller| caller.to_string()),
        call_is: test.call_is.clone(),
        flags: Some(test.flags.clone()),
        history: (!test.history_unknown).then_some(history),
        headers: test.headers.iter().map(|(k, v)| (k.to_ascii_lowercase(), v.clone())).collect(),
        attestation: test.attestation.clone(),
        country,
        sources,
        fields,
        start_ms,
        ..Facts::default()
    })
}

/// What outcomes are told of is there, and each list of them has one.
fn known_names(test: &Test, flow: &Flow) -> Result<(), String> {
    let none = |what: &str, name: &String| Err(format!("there is no {what} `{name}`"));
    let senders = |name: &&String| !flow.senders.iter().any(|known| known.name == **name);
    if let Some(name) = test.senders.keys().find(senders) {
        return none("sender", name);
    }
    let steps = |name: &&String| !flow.steps.iter().any(|known| known.name == **name);
    if let TextsAre::BySteps(by_step) = &test.text
        && let Some(name) = by_step.keys().find(steps)
    {
        return none("step", name);
    }
    Ok(())
}

fn moment(text: &str) -> Option<i64> {
    let zoned = text.parse::<Zoned>().map(|zoned| zoned.timestamp());
    zoned.or_else(|_| text.parse::<Timestamp>()).ok().map(Timestamp::as_millisecond)
}

fn sent(is: TextIs) -> Option<TextOutcome> {
    match is {
        TextIs::Accepted => Some(TextOutcome::Accepted { sender: "rehearsed".into() }),
        TextIs::Queued => Some(TextOutcome::Queued),
        TextIs::Failed => Some(TextOutcome::Failed { class: "provider_down".into() }),
        TextIs::Ambiguous => Some(TextOutcome::Ambiguous),
        TextIs::Limited => Some(TextOutcome::Limited { rule: "texts_per_caller".into() }),
        TextIs::NotTextable => Some(TextOutcome::NotTextable { reason: "landline".into() }),
        TextIs::Duplicate => Some(TextOutcome::Duplicate),
        TextIs::Lost => None,
    }
}

fn world(test: &Test) -> Obedient {
    let texts = |turns: &[TextIs]| turns.iter().copied().map(sent).collect::<Vec<_>>();
    let (mut texts_first, by_step) = match &test.text {
        TextsAre::All(all) => (texts(all.turns()), BTreeMap::new()),
        TextsAre::BySteps(steps) => {
            let steps = steps.iter().map(|(step, turns)| (step.clone(), texts(turns.turns())));
            (texts(&[TextIs::Accepted]), steps.collect())
        }
    };
    let text = texts_first.pop().flatten();
    let callback = match test.callback {
        CallbackIs::Booked | CallbackIs::Next => {
            Some(CallbackOutcome::Booked { day: None, time: Some("15:30".into()) })
        }
        CallbackIs::Full => Some(CallbackOutcome::Full),
        CallbackIs::NotCallable => Some(CallbackOutcome::NotCallable { why: "country".into() }),
        CallbackIs::Failed => Some(CallbackOutcome::Failed { why: "store".into() }),
        CallbackIs::Lost => None,
    };
    let next = (test.callback == CallbackIs::Next).then(|| (None, "15:30".to_owned()));
    let slot = Some(match test.callback {
        CallbackIs::Full => CallbackOutcome::Full,
        _ => CallbackOutcome::Free(FreeSlot { from_ms: 0, until_ms: i64::MAX, next }),
    });
    let voice = match test.voicemail {
        VoicemailIs::Kept => Some(VoiceOutcome::Kept { length_ms: 12_000 }),
        VoicemailIs::Nothing => Some(VoiceOutcome::Nothing),
        VoicemailIs::Failed => Some(VoiceOutcome::Failed { why: "disk".into() }),
        VoicemailIs::Lost => None,
    };
    let outcome = |is: &TargetIs| match is {
        TargetIs::Person => Some(TargetOutcome::Answered { human: true }),
        TargetIs::Queue => Some(TargetOutcome::Answered { human: false }),
        TargetIs::Busy => Some(TargetOutcome::Busy { status: 486 }),
        TargetIs::NoAnswer => Some(TargetOutcome::NoAnswer { status: Some(480) }),
        TargetIs::Failed => Some(TargetOutcome::Failed { status: Some(503) }),
        TargetIs::Dead => None,
    };
    let link = |says: &LinkSays| match says {
        LinkSays::Available => LinkIs::Available,
        LinkSays::NotAvailable => LinkIs::NotAvailable,
        LinkSays::Down => LinkIs::Down,
    };
    let agent = |says: &AgentSays| match says {
        AgentSays::Fields(values) => AgentIs::HandsBack(values.clone()),
        AgentSays::Does(AgentDoes::Stays) => AgentIs::Stays,
        AgentSays::Does(AgentDoes::BreaksOff) => AgentIs::BreaksOff,
    };
    let fetched = test.answers.iter();
    // One of a list is spent by each call, up to the last.
    let before_last = |is: &OneOrMore<TargetIs>| {
        let turns = is.turns();
        turns.iter().take(turns.len().saturating_sub(1)).map(&outcome).collect()
    };
    let last = |is: &OneOrMore<TargetIs>| is.turns().last().and_then(&outcome);
    Obedient {
        text,
        texts: by_step,
        texts_first: texts_first.into(),
        senders: test.senders.iter().map(|(name, is)| (name.clone(), sent(*is))).collect(),
        targets_first: test
            .targets
            .iter()
            .map(|(name, is)| (name.clone(), before_last(is)))
            .collect(),
        links: test.links.iter().map(|(name, says)| (name.clone(), link(says))).collect(),
        agents: test.agents.iter().map(|(step, says)| (step.clone(), agent(says))).collect(),
        voice,
        slot,
        callback,
        targets: test.targets.iter().map(|(name, is)| (name.clone(), last(is))).collect(),
        fetched: fetched
            .map(|(step, values)| (step.clone(), FetchOutcome::Values(values.clone())))
            .collect(),
        ..Obedient::default()
    }
}

struct Rehearsal {
    player: Player,
    heard: Vec<Heard>,
}

impl Rehearsal {
    fn act(&mut self, act: &str) -> Result<(), String> {
        let heard = match act {
            "silence" => self.player.silence(),
            "hang up" => self.player.hang_up(),
            _ => match act.strip_prefix("wait ") {
                Some(time) => {
                    let seconds = time.strip_suffix('s').and_then(|n| n.trim().parse().ok());
                    let seconds: u64 =
                        seconds.ok_or_else(|| format!("`{act}`: write it as `wait 30s`"))?;
                    self.player.wait(Duration::from_secs(seconds))
                }
                None => return self.keys(act),
            },
        };
        self.heard.extend(heard);
        Ok(())
    }

    fn keys(&mut self, keys: &str) -> Result<(), String> {
        for label in keys.chars() {
            let form = "the caller presses keys, is in `silence`, does `wait 30s` or `hang up`";
            let key = Key::try_from(label).map_err(|_| format!("`{keys}`: {form}"))?;
            let heard = self.player.key(key);
            self.heard.extend(heard);
        }
        Ok(())
    }

    fn records(&self) -> impl Iterator<Item = &Record> {
        self.heard.iter().filter_map(|heard| match heard {
            Heard::Record(record) => Some(record),
            _ => None,
        })
    }

    /// A step that the call is still in has no exit.
    fn path(&self) -> Vec<String> {
        let mut path: Vec<String> = Vec::new();
        for record in self.records() {
            match record {
                Record::StepEntered { step, .. } => path.push(step.clone()),
                Record::StepLeft { seq, exit, .. } => {
                    let at = usize::try_from(*seq).ok().and_then(|n| n.checked_sub(1));
                    if let Some(step) = at.and_then(|at| path.get_mut(at)) {
                        *step = format!("{step} {exit}");
                    }
                }
                _ => {}
            }
        }
        path
    }

    fn offers(&self) -> Vec<String> {
        let mut offers: Vec<(String, String)> = Vec::new();
        let word = |response: &OfferResponse, reason: &Option<String>| match reason {
            Some(reason) => format!("{}:{reason}", response.as_str()),
            None => response.as_str().to_owned(),
        };
        for record in self.records() {
            match record {
                Record::Offer { step, response, reason, .. } => {
                    offers.push((step.clone(), word(response, reason)));
                }
                Record::OfferResponse { n, response, reason, .. } => {
                    let at = usize::try_from(*n).ok().and_then(|n| n.checked_sub(1));
                    if let Some(offer) = at.and_then(|at| offers.get_mut(at)) {
                        offer.1 = word(response, reason);
                    }
                }
                _ => {}
            }
        }
        offers.into_iter().map(|(step, response)| format!("{step} {response}")).collect()
    }

    fn faults(&self, test: &Test, path: &[String]) -> Vec<String> {
        let mut faults = Vec::new();
        let mut compare = |what: &str, expected: &Option<Vec<String>>, came: &[String]| {
            if expected.as_ref().is_some_and(|expected| expected != came) {
                let expected = expected.as_ref().map(|list| list.join(", ")).unwrap_or_default();
                faults.push(format!("{what}: expected [{expected}], came [{}]", came.join(", ")));
            }
        };
        let expect = &test.expect;
        compare("path", &expect.path, path);
        let targets: Vec<String> = self.heard.iter().filter_map(forwarded).collect();
        compare("targets", &expect.targets, &targets);
        compare("offers", &expect.offers, &self.offers());
        let prompts: Vec<&str> = self.heard.iter().flat_map(prompts).collect();
        if let Some(wanted) = &expect.prompts {
            let mut heard = prompts.iter();
            if let Some(missed) = wanted.iter().find(|name| !heard.any(|one| one == name)) {
                faults.push(format!(
                    "prompts: `{missed}` was not heard in its place among [{}]",
                    prompts.join(", ")
                ));
            }
        }
        let sent: Vec<&str> = self.heard.iter().filter_map(text).collect();
        let later: Vec<&str> = self.heard.iter().filter_map(follow_up).collect();
        for (what, wanted, texts) in
            [("texts", &expect.texts, sent), ("follow_ups", &expect.follow_ups, later)]
        {
            let Some(wanted) = wanted else { continue };
            let fits = wanted.len() == texts.len()
                && wanted.iter().zip(&texts).all(|(part, text)| text.contains(part.as_str()));
            if !fits {
                faults.push(format!(
                    "{what}: expected [{}], came [{}]",
                    wanted.join(", "),
                    texts.join(", ")
                ));
            }
        }
        let end = self.records().find_map(|record| match record {
            Record::End { reason, handled, .. } => Some((reason.as_str(), handled.as_str())),
            _ => None,
        });
        let at = || format!("still in step {}", self.player.call().step().unwrap_or("none"));
        for (what, wanted, came) in [
            ("end", &expect.end, end.map(|(reason, _)| reason)),
            ("handled", &expect.handled, end.map(|(_, handled)| handled)),
        ] {
            let Some(wanted) = wanted else { continue };
            if came != Some(wanted.as_str()) {
                let came = came.map_or_else(at, str::to_owned);
                faults.push(format!("{what}: expected {wanted}, came {came}"));
            }
        }
        faults
    }
}

fn forwarded(heard: &Heard) -> Option<String> {
    match heard {
        Heard::Forward { target } | Heard::Agent { target } => Some(target.clone()),
        _ => None,
    }
}

fn prompts(heard: &Heard) -> Vec<&str> {
    match heard {
        Heard::Prompts { prompts, .. } => prompts.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

fn text(heard: &Heard) -> Option<&str> {
    match heard {
        Heard::Text(request) => Some(&request.message),
        _ => None,
    }
}

fn follow_up(heard: &Heard) -> Option<&str> {
    match heard {
        Heard::FollowUp { text, .. } => Some(&text.message),
        _ => None,
    }
}
