//! One test, played.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use ivr_runtime::{
    call::{OfferResponse, Record},
    diagnose::nearest,
    flow::model::{Flow, Step},
    key::Key,
    sim::{Heard, Player, taken},
};

use super::{
    facts::facts,
    file::{SUFFIX, Test},
    names,
    world::world,
};
use crate::config::Snapshot;

/// What came of a test.
#[derive(Debug)]
pub struct Played {
    /// The flow it went through.
    pub flow: Arc<Flow>,
    /// Steps with their exits, as `welcome 1`.
    pub path: Vec<String>,
    /// The [exits](taken) by which steps were left, by step.
    pub exits: BTreeSet<(String, String)>,
    /// What was not as expected; empty: it passed.
    pub faults: Vec<String>,
}

/// Plays a test of the file `file` against the flows of a configuration.
///
/// # Errors
/// Why it can't be played: each thing with its place in the file.
pub fn play(snapshot: &Snapshot, test: &Test, file: &Path) -> Result<Played, Vec<String>> {
    let flow = flow_of(snapshot, test, file).map_err(|why| vec![why])?;
    let unknown = names::unknown(snapshot, test, &flow, file);
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let facts = facts(snapshot, test, &flow, file).map_err(|why| vec![why])?;
    let world = world(test);
    let mut call =
        Rehearsal { player: Player::new(Arc::clone(&flow), facts, world), heard: Vec::new() };
    let first = call.player.listen();
    call.heard.extend(first);
    for act in &test.does {
        call.act(act).map_err(|why| vec![test.places.told(file, "do", act, &why)])?;
    }
    if call.player.call().is_bridged() {
        // Nobody talks for ever.
        let last = call.player.hang_up();
        call.heard.extend(last);
    }
    let path = call.path();
    Ok(Played { faults: call.faults(test, &path), exits: call.exits(&flow), flow, path })
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
        found.cloned().ok_or_else(|| {
            let near = nearest(name, snapshot.flows.iter().map(|flow| flow.name.as_str()));
            let near = near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
            test.places.told(file, "flow", "", &format!("there is no flow `{name}`{near}"))
        })
    };
    match (&test.flow, &test.called) {
        (Some(name), _) => named(name),
        (None, Some(called)) => Ok(Arc::clone(snapshot.flow_for(called))),
        (None, None) => match snapshot.flows.as_slice() {
            [only] => Ok(Arc::clone(only)),
            _ => beside().ok_or_else(|| {
                let why = "there are several flows: write `flow` or `called`";
                test.places.told(file, "name", "", why)
            }),
        },
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

    fn exits(&self, flow: &Flow) -> BTreeSet<(String, String)> {
        let mut entered: Vec<&Step> = Vec::new();
        let mut exits = BTreeSet::new();
        for record in self.records() {
            match record {
                Record::StepEntered { step, .. } => {
                    entered.extend(flow.steps.iter().find(|known| known.name == *step));
                }
                Record::StepLeft { seq, exit, note, .. } => {
                    let at = usize::try_from(*seq).ok().and_then(|n| n.checked_sub(1));
                    let Some(step) = at.and_then(|at| entered.get(at)) else { continue };
                    let exit = taken(flow, step, exit, note.as_deref());
                    exits.extend(exit.map(|exit| (step.name.clone(), exit)));
                }
                _ => {}
            }
        }
        exits
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
