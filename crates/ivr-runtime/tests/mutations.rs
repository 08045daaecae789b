//! Good flows, broken in many ways: whatever traps a caller by the judge is refused.
//!
//! The judge knows the requirements and not the linter. `CAROM_LONG=1` breaks each flow in every
//! way there is and in many more random ones.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;
mod full;
mod judge;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use common::{Sounds, shipped_shared};
use ivr_runtime::{
    diagnose::Severity,
    flow::{Shared, load},
};
use toml::{Table, Value};

const FLOWS: [(&str, &str); 6] = [
    ("minimal", include_str!("fixtures/minimal.toml")),
    ("big", include_str!("fixtures/big.toml")),
    ("later", include_str!("fixtures/later.toml")),
    ("night", include_str!("fixtures/night.toml")),
    ("bank", include_str!("fixtures/bank.toml")),
    ("shipped", include_str!("../../../config/flows/main.toml")),
];
const SEED: u64 = 20_261_129;
const EXITS: [&str; 17] = [
    "target",
    "offer",
    "then",
    "no_input",
    "wrong",
    "otherwise",
    "if_fails",
    "if_missing",
    "if_not_offered",
    "if_ambiguous",
    "if_opted_out",
    "if_limited",
    "when_closed",
    "if_busy",
    "if_no_answer",
    "if_timeout",
    "start",
];

/// One change of a flow.
#[derive(Debug, Clone)]
enum Edit {
    /// `[table.name] key` leads there; `press.K` and `case.N` are keys too.
    Lead { table: &'static str, name: String, key: String, to: String },
    /// The key is left out.
    Drop { table: &'static str, name: String, key: String },
    /// `fallback = false` is written, or left out.
    Leave { table: &'static str, name: String },
    /// Every way of the step leads there.
    Seal { name: String, to: String },
    /// The target has hours, and no `when_closed`.
    Hours { name: String },
    /// The step or target is not there.
    Gone { table: &'static str, name: String },
    /// The target answers as a person where it was a queue, and the other way round; nobody says
    /// when a person is there.
    Answers { name: String },
    /// No key leads to a person by itself.
    NoOperator,
    /// The person route is another one.
    Human { to: String },
}

/// A good flow, and what it takes from its configuration.
struct Whole {
    name: &'static str,
    flow: Table,
    shared: Shared,
    /// The one target of the configuration.
    shared_target: String,
}

/// What became of the broken flows.
#[derive(Debug, Default)]
struct Tally {
    broken: usize,
    trapping: usize,
    /// Different flows that came of it.
    distinct: BTreeSet<String>,
    harmless_and_refused: BTreeMap<String, usize>,
    harmless_and_refused_flows: usize,
    missed: Vec<String>,
}

#[test]
fn the_flows_trap_nobody_before_they_are_broken() {
    for whole in wholes().into_iter().chain([full_line()]) {
        let text = whole.flow.to_string();
        let found = judge::traps(&text, &whole.shared_target, true, &whole.shared.sub_files);
        assert!(found.is_empty(), "{}: {found:?}", whole.name);
        let checked = load(&text, whole.name, &whole.shared, &Sounds);
        assert!(checked.flow.is_some(), "{}: {:#?}", whole.name, checked.findings);
    }
}

#[test]
fn no_flow_broken_in_one_place_traps_a_caller_and_passes() {
    let mut tally = Tally::default();
    for whole in wholes() {
        let edits = edits(&whole);
        let each = if is_long() { 1 } else { (edits.len() / 250).max(1) };
        for edit in edits.iter().step_by(each) {
            try_one(whole.name, &whole, std::slice::from_ref(edit), &mut tally);
        }
    }
    finish("one change", &tally);
    assert!(tally.distinct.len() >= 300, "{}", tally.distinct.len());
}

#[test]
fn no_flow_broken_in_several_places_traps_a_caller_and_passes() {
    let mut tally = Tally::default();
    let each = if is_long() { 3_000 } else { 250 };
    for whole in wholes() {
        break_in_several_places(&whole, 0..each, &mut tally);
    }
    finish("several changes", &tally);
    assert!(tally.trapping >= 300, "{tally:?}");
}

#[test]
fn the_full_flow_broken_in_one_place_traps_no_caller_and_passes() {
    let (whole, mut tally) = (full_line(), Tally::default());
    let mut edits = edits(&whole);
    println!("{} ways to break it, seed {SEED}", edits.len());
    if !is_long() {
        let mut dice = Dice(SEED);
        let is_of_all = |edit: &Edit| matches!(edit, Edit::Gone { .. } | Edit::Answers { .. });
        let (of_all, mut others): (Vec<_>, Vec<_>) = edits.into_iter().partition(is_of_all);
        edits = (0..240).map(|_| others.swap_remove(dice.below(others.len()))).collect();
        edits.extend(edits_of_kinds(&whole, &["wait"]).into_iter().step_by(2));
        edits.extend(of_all);
    }
    for edit in &edits {
        try_one(whole.name, &whole, std::slice::from_ref(edit), &mut tally);
    }
    finish("one change of the full flow", &tally);
    let distinct = tally.distinct.len();
    println!("{distinct} different flows");
    assert!(distinct >= 300 && tally.trapping >= 50, "{distinct} {}", tally.trapping);
}

#[test]
fn the_full_flow_broken_in_several_places_traps_no_caller_and_passes() {
    let (whole, mut tally) = (full_line(), Tally::default());
    let count = if is_long() { 3_000 } else { 160 };
    println!("seed {SEED}");
    break_in_several_places(&whole, SEED..SEED + count, &mut tally);
    finish("several changes of the full flow", &tally);
    assert!(tally.broken >= 300 && tally.trapping >= 50, "{tally:?}");
}

/// E03: who can only choose a voice bot, or a system that nobody says people answer, is trapped.
#[test]
fn e03_a_menu_sealed_to_a_bot_or_to_another_system_traps_its_callers() {
    let later = wholes().into_iter().find(|whole| whole.name == "later").unwrap();
    for (whole, to) in [(later, "assistant_sip"), (full_line(), "old_ivr")] {
        let menus = names(&whole.flow, "step")
            .into_iter()
            .filter(|name| whole.flow["step"][name]["do"].as_str() == Some("menu"));
        for name in menus {
            let mut sealed = whole.flow.clone();
            Edit::Seal { name: name.clone(), to: to.to_owned() }.apply(&mut sealed);
            let text = sealed.to_string();
            let trapped = judge::traps(&text, &whole.shared_target, true, &whole.shared.sub_files);
            let asks = format!("`{name}` asks, and nobody can be reached");
            assert!(trapped.contains(&asks), "{name} to {to}: {trapped:?}");
            let checked = load(&text, "sealed.toml", &whole.shared, &Sounds);
            let codes: BTreeSet<String> =
                checked.findings.iter().map(|finding| finding.code.to_string()).collect();
            assert!(codes.contains("E03"), "{name} to {to}: {codes:?}");
        }
    }
}

fn break_in_several_places(whole: &Whole, seeds: Range<u64>, tally: &mut Tally) {
    let edits = edits(whole);
    for seed in seeds {
        let mut dice = Dice(seed);
        let count = 2 + dice.below(5);
        let near = dice.below(2) == 0;
        let around = &edits[dice.below(edits.len())];
        let pick = |dice: &mut Dice| loop {
            let edit = &edits[dice.below(edits.len())];
            // Half of them break the ways of one place.
            if !near || edit.place() == around.place() || dice.below(8) == 0 {
                return edit.clone();
            }
        };
        let chosen: Vec<Edit> = (0..count).map(|_| pick(&mut dice)).collect();
        try_one(&format!("{}, seed {seed}", whole.name), whole, &chosen, tally);
    }
}

fn wholes() -> Vec<Whole> {
    let pin = include_str!("fixtures/pin.toml").to_owned();
    let sub_files = BTreeMap::from([("pin.toml".to_owned(), pin)]);
    let shared = Shared { sub_files, ..shipped_shared() };
    let whole = |(name, text): (_, &str)| Whole {
        name,
        flow: text.parse().unwrap(),
        shared: shared.clone(),
        shared_target: "exchange".into(),
    };
    FLOWS.map(whole).into()
}

fn full_line() -> Whole {
    let (flow, shared) = (full::FLOW.parse().unwrap(), full::shared());
    Whole { name: "full", flow, shared, shared_target: "pbx".into() }
}

fn try_one(name: &str, whole: &Whole, edits: &[Edit], tally: &mut Tally) {
    let without_fallback = Shared { fallback: None, ..whole.shared.clone() };
    for shared in [&whole.shared, &without_fallback] {
        let mut broken = whole.flow.clone();
        edits.iter().for_each(|edit| edit.apply(&mut broken));
        if broken == whole.flow {
            continue;
        }
        let text = broken.to_string();
        let has_fallback = shared.fallback.is_some();
        let trapped = judge::traps(&text, &whole.shared_target, has_fallback, &shared.sub_files);
        let checked = load(&text, "broken.toml", shared, &Sounds);
        let errors = checked.findings.iter().filter(|f| f.severity == Severity::Error);
        let codes: BTreeSet<String> = errors.map(|f| f.code.to_string()).collect();
        tally.broken += 1;
        tally.distinct.insert(text.clone());
        if !trapped.is_empty() {
            tally.trapping += 1;
            if codes.is_empty() {
                tally.missed.push(format!(
                    "{name}, fallback {:?}: {edits:?}\n  {trapped:?}",
                    shared.fallback
                ));
            }
        } else if !codes.is_empty() {
            tally.harmless_and_refused_flows += 1;
            for code in codes {
                *tally.harmless_and_refused.entry(code).or_default() += 1;
            }
        }
    }
}

fn finish(what: &str, tally: &Tally) {
    println!(
        "{what}: {} broken flows, {} trap a caller; {} refused that trap nobody: {:?}",
        tally.broken, tally.trapping, tally.harmless_and_refused_flows, tally.harmless_and_refused
    );
    let told = tally.missed.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    assert!(tally.missed.is_empty(), "{} pass and trap:\n{told}", tally.missed.len());
}

fn is_long() -> bool {
    std::env::var("CAROM_LONG").is_ok_and(|long| long == "1")
}

/// Every change there is, in order.
fn edits(whole: &Whole) -> Vec<Edit> {
    let flow = &whole.flow;
    let mut places: Vec<String> = names(flow, "step");
    places.extend(names(flow, "target"));
    places.push("hangup".into());
    places.push(whole.shared_target.clone());
    let mut edits = vec![Edit::NoOperator];
    for to in names(flow, "target") {
        edits.push(Edit::Human { to });
    }
    for table in ["step", "target"] {
        for name in names(flow, table) {
            for key in ways(&flow[table][&name]) {
                let lead = |to: &String| Edit::Lead {
                    table,
                    name: name.clone(),
                    key: key.clone(),
                    to: to.clone(),
                };
                edits.extend(places.iter().map(lead));
                edits.push(Edit::Drop { table, name: name.clone(), key: key.clone() });
            }
            for key in EXITS.into_iter().filter(|key| may_have(table, &flow[table][&name], key)) {
                let lead = |to: &String| Edit::Lead {
                    table,
                    name: name.clone(),
                    key: key.to_owned(),
                    to: to.clone(),
                };
                edits.extend(places.iter().step_by(3).map(lead));
            }
            edits.push(Edit::Leave { table, name: name.clone() });
            edits.push(Edit::Gone { table, name: name.clone() });
            match table {
                "target" => {
                    edits.push(Edit::Answers { name: name.clone() });
                    edits.push(Edit::Hours { name });
                }
                _ => {
                    let seal = |to: &String| Edit::Seal { name: name.clone(), to: to.clone() };
                    edits.extend(places.iter().map(seal));
                }
            }
        }
    }
    edits
}

/// Those of the steps of such kinds.
fn edits_of_kinds(whole: &Whole, kinds: &[&str]) -> Vec<Edit> {
    let steps = whole.flow["step"].as_table().unwrap();
    let is_of = |name: &str| {
        steps.get(name).is_some_and(|step| kinds.contains(&step["do"].as_str().unwrap()))
    };
    edits(whole).into_iter().filter(|edit| is_of(edit.place())).collect()
}

fn names(flow: &Table, kind: &str) -> Vec<String> {
    flow.get(kind).and_then(Value::as_table).into_iter().flatten().map(|(k, _)| k.clone()).collect()
}

/// The ways that stand there.
fn ways(table: &Value) -> Vec<String> {
    let table = table.as_table().unwrap();
    let mut ways: Vec<String> =
        EXITS.into_iter().filter(|key| table.contains_key(*key)).map(str::to_owned).collect();
    if let Some(press) = table.get("press").and_then(Value::as_table) {
        ways.extend(press.keys().map(|key| format!("press.{key}")));
    }
    if let Some(on) = table.get("on").and_then(Value::as_table) {
        ways.extend(on.keys().map(|exit| format!("on.{exit}")));
    }
    if let Some(case) = table.get("case").and_then(Value::as_array) {
        ways.extend((0..case.len()).map(|n| format!("case.{n}")));
    }
    ways
}

/// Ways that could stand there.
fn may_have(table: &str, of: &Value, key: &str) -> bool {
    let of = of.as_table().unwrap();
    let kind = of.get("do").and_then(Value::as_str).unwrap_or("target");
    let fits = match (table, kind) {
        ("target", _) => ["if_busy", "if_no_answer", "if_fails"].contains(&key),
        (_, "text") => ["if_fails", "if_ambiguous", "if_opted_out", "if_limited"].contains(&key),
        (_, "lookup" | "action" | "opt-out" | "voicemail" | "callback") => key == "if_fails",
        (_, "wait") => ["then", "if_fails"].contains(&key),
        (_, "agent") => ["if_busy", "if_no_answer", "if_timeout", "if_fails"].contains(&key),
        (_, "menu" | "answer" | "offer") => key == "wrong",
        _ => false,
    };
    fits && !of.contains_key(key)
}

impl Edit {
    /// The table it changes.
    fn place(&self) -> &str {
        match self {
            Self::Lead { name, .. }
            | Self::Drop { name, .. }
            | Self::Leave { name, .. }
            | Self::Seal { name, .. }
            | Self::Gone { name, .. }
            | Self::Answers { name }
            | Self::Hours { name } => name,
            Self::NoOperator | Self::Human { .. } => "",
        }
    }

    fn apply(&self, flow: &mut Table) {
        match self {
            Self::Lead { table, name, key, to } => {
                if let Some(of) = table_of(flow, table, name) {
                    lead(of, key, Some(to));
                }
            }
            Self::Drop { table, name, key } => {
                if let Some(of) = table_of(flow, table, name) {
                    lead(of, key, None);
                }
            }
            Self::Leave { table, name } => {
                let Some(of) = table_of(flow, table, name) else { return };
                if of.remove("fallback").is_none() {
                    of.insert("fallback".into(), Value::Boolean(false));
                }
            }
            Self::Seal { name, to } => {
                let Some(of) = table_of(flow, "step", name) else { return };
                let ways = ways(&Value::Table(of.clone())).into_iter();
                for key in ways.filter(|key| !["target", "offer"].contains(&key.as_str())) {
                    lead(of, &key, Some(to));
                }
                if let Some(press) = of.get_mut("press").and_then(Value::as_table_mut) {
                    press.insert("0".into(), Value::String(to.clone()));
                }
            }
            Self::Gone { table, name } => {
                flow[*table].as_table_mut().unwrap().remove(name);
            }
            Self::Answers { name } => {
                let Some(of) = table_of(flow, "target", name) else { return };
                let is_queue = of.get("answered_means").and_then(Value::as_str) != Some("human");
                let means = if is_queue { "human" } else { "queue" };
                of.insert("answered_means".into(), Value::String(means.to_owned()));
                of.remove("human_signal");
            }
            Self::Hours { name } => {
                let hours = names(flow, "hours").into_iter().next();
                let Some(of) = table_of(flow, "target", name) else { return };
                of.insert("hours".into(), Value::String(hours.unwrap_or("office".into())));
                of.remove("when_closed");
            }
            Self::NoOperator => {
                flow["flow"]
                    .as_table_mut()
                    .unwrap()
                    .insert("operator_keys".into(), Value::Array(Vec::new()));
            }
            Self::Human { to } => {
                flow["flow"]
                    .as_table_mut()
                    .unwrap()
                    .insert("human".into(), Value::String(to.clone()));
            }
        }
    }
}

/// Of one that is gone nothing is left to change.
fn table_of<'a>(flow: &'a mut Table, table: &str, name: &str) -> Option<&'a mut Table> {
    flow.get_mut(table)?.get_mut(name)?.as_table_mut()
}

fn lead(of: &mut Table, key: &str, to: Option<&str>) {
    let value = to.map(|to| Value::String(to.to_owned()));
    let put = |of: &mut Table, key: &str| match value.clone() {
        Some(value) => drop(of.insert(key.to_owned(), value)),
        None => drop(of.remove(key)),
    };
    match key.split_once('.') {
        Some((table @ ("press" | "on"), key)) => {
            if let Some(of) = of.get_mut(table).and_then(Value::as_table_mut) {
                put(of, key);
            }
        }
        Some((_, n)) => {
            let case = of.get_mut("case").and_then(Value::as_array_mut);
            if let Some(case) = case.and_then(|case| case.get_mut(n.parse::<usize>().ok()?)) {
                put(case.as_table_mut().unwrap(), "go");
            }
        }
        None => put(of, key),
    }
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(n).unwrap()).unwrap()
    }
}
