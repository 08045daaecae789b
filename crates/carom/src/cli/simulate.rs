//! `carom simulate`: a flow played in the terminal, or with random callers in virtual time.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use anyhow::bail;
use ivr_runtime::{
    call::{Facts, FetchOutcome, History, TextRequest},
    flow::model::Flow,
    key::Key,
    sim::{Faults, Heard, Obedient, Player, run_random},
};

use message_text::{E164, NumberProblem};

use super::{ConfigArg, root::USAGE};
use crate::{
    config::{self, Snapshot},
    node::clock::wall_ms,
};

/// Arguments of `carom simulate`.
#[derive(Debug, clap::Args)]
pub struct SimulateArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The flow: its file, or its name in the configuration; left out, the configuration's flows: all of them with `--random`, else one
    /// that is asked for.
    flow: Option<PathBuf>,
    /// Run so many random callers instead of playing in the terminal.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    random: Option<u64>,
    /// How often a part fails for random callers, `PART=CHANCE` with a chance from 0 to 1:
    /// `provider=0.1`. Parts are prompt, provider, target, store, lookup, facts, hang-up, answer
    /// and drain, or all; those that are not named fail now and then.
    #[arg(long, value_name = "FAULT", value_parser = fault, requires = "random")]
    fail: Vec<(String, u8)>,
    /// Seed of the random callers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The caller's number; `anonymous`: withheld.
    #[arg(long, default_value = "+447700900123")]
    from: String,
    /// What a lookup or an action answers, `STEP.FIELD=VALUE`; those of other steps fail.
    #[arg(long, value_name = "ANSWER", value_parser = answer)]
    answer: Vec<(String, String, String)>,
}

/// Every part that can fail.
const ALL: &str = "all";

impl SimulateArgs {
    /// Plays; with `--random` the exit status is 1 where a caller was lost.
    ///
    /// # Errors
    /// A flow with errors.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.config.as_deref();
        let files = super::flows_meant(config, self.flow.as_slice())?;
        let (snapshot, report) = config::check(config, &files);
        let Some(snapshot) = snapshot else {
            bail!("the flow has errors:\n{report}");
        };
        match self.random {
            Some(callers) => Ok(random(&snapshot.flows, callers, self.seed, faults(&self.fail))),
            None => {
                let world = Obedient { fetched: answers(self.answer), ..Obedient::default() };
                play(&snapshot, choose(&snapshot.flows)?, &self.from, world)
            }
        }
    }
}

/// A part and its share in per cent.
fn fault(text: &str) -> Result<(String, u8), String> {
    let form = "write it as PART=CHANCE, such as provider=0.1";
    let (part, chance) = text.split_once('=').ok_or(form)?;
    if part != ALL && !Faults::PARTS.contains(&part) {
        return Err(format!("there is no part `{part}`: {}, {ALL}", Faults::PARTS.join(", ")));
    }
    let chance: f64 = chance.parse().map_err(|_| form)?;
    let percent = chance * 100.0;
    if !(0.0..=1.0).contains(&chance) || (percent - percent.round()).abs() > 1e-9 {
        return Err("a chance is from 0 to 1, in steps of 0.01".to_owned());
    }
    Ok((part.to_owned(), percent.round() as u8))
}

/// Those that are named, in their order; the others as ever.
fn faults(named: &[(String, u8)]) -> Faults {
    let mut faults = Faults::SOME;
    for (part, percent) in named {
        let all = Faults::PARTS.into_iter().filter(|one| part == ALL || part == one);
        for one in all {
            if let Some(share) = faults.share_of(one) {
                *share = *percent;
            }
        }
    }
    faults
}

fn answer(text: &str) -> Result<(String, String, String), String> {
    let form = "write it as STEP.FIELD=VALUE, such as who.customer_type=premium";
    let (name, value) = text.split_once('=').ok_or(form)?;
    let (step, field) = name.split_once('.').ok_or(form)?;
    Ok((step.to_owned(), field.to_owned(), value.to_owned()))
}

fn answers(given: Vec<(String, String, String)>) -> BTreeMap<String, FetchOutcome> {
    let mut values: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (step, field, value) in given {
        values.entry(step).or_default().insert(field, value);
    }
    values.into_iter().map(|(step, values)| (step, FetchOutcome::Values(values))).collect()
}

/// Each flow in turn.
fn random(flows: &[Arc<Flow>], callers: u64, seed: u64, faults: Faults) -> ExitCode {
    let mut lost = 0;
    for flow in flows {
        if flows.len() > 1 {
            println!("flow {}", flow.name);
        }
        let tally = run_random(flow, callers, seed, faults);
        print!("{tally}");
        lost += tally.lost.len();
    }
    if lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Which of several flows is to be played, by its number in a list or its name.
fn choose(flows: &[Arc<Flow>]) -> anyhow::Result<&Arc<Flow>> {
    if let [only] = flows {
        return Ok(only);
    }
    for (n, flow) in (1..).zip(flows) {
        println!("{n:3}  {}", flow.name);
    }
    let mut lines = io::stdin().lock().lines();
    loop {
        print!("flow> ");
        io::stdout().flush()?;
        let Some(line) = lines.next() else { bail!("no flow was chosen") };
        let line = line?;
        let typed = line.trim();
        let by_number = typed.parse::<usize>().ok().and_then(|n| flows.get(n.checked_sub(1)?));
        match by_number.or_else(|| flows.iter().find(|flow| flow.name == typed)) {
            Some(flow) => return Ok(flow),
            None => println!("there is no flow `{typed}`"),
        }
    }
}

/// The number as a trunk of the line's country would send it; `None`: it is withheld.
fn caller(text: &str, country: &str) -> Result<Option<E164>, String> {
    match E164::parse(text, country) {
        Ok(number) => Ok(Some(number)),
        Err(NumberProblem::Withheld) => Ok(None),
        Err(why) => Err(format!("`{text}`: {why}; write it as +447700900123, or `anonymous`")),
    }
}

fn play(
    snapshot: &Snapshot,
    flow: &Arc<Flow>,
    from: &str,
    world: Obedient,
) -> anyhow::Result<ExitCode> {
    let called = flow.numbers.first().or(flow.extensions.first()).cloned().unwrap_or_default();
    let country = snapshot.config.country_of(&called);
    let from = match caller(from, &country) {
        Ok(from) => from,
        Err(why) => {
            eprintln!("carom: --from {why}");
            return Ok(ExitCode::from(USAGE));
        }
    };
    let from = from.as_ref();
    let facts = Facts {
        call_id: "simulated".into(),
        called,
        caller: from.map(E164::to_string),
        withheld: from.is_none(),
        can_receive_text: Some(from.is_some_and(E164::textable)),
        call_is: from.is_none().then(|| "withheld".to_owned()).into_iter().collect(),
        flags: Some(Vec::new()),
        history: Some(History::default()),
        country,
        start_ms: wall_ms(),
        ..Facts::default()
    };
    println!("flow {}; type keys, Enter for silence, h to hang up", flow.name);
    let mut player = Player::new(Arc::clone(flow), facts, world);
    tell(snapshot, &player.listen());
    let mut lines = io::stdin().lock().lines();
    while !player.call().is_over() && !player.call().is_bridged() {
        print!("key> ");
        io::stdout().flush()?;
        let Some(line) = lines.next() else { break };
        let line = line?;
        match line.trim() {
            "" => tell(snapshot, &player.silence()),
            "h" | "hangup" => tell(snapshot, &player.hang_up()),
            keys => {
                for typed in keys.chars() {
                    match Key::try_from(typed) {
                        Ok(key) => tell(snapshot, &player.key(key)),
                        Err(_) => println!("`{typed}` is no key"),
                    }
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(snapshot: &Snapshot, heard: &[Heard]) {
    for heard in heard {
        match heard {
            Heard::Answered => println!("  (answered)"),
            Heard::Prompts { language, prompts } => {
                // Fragments are heard as one sentence.
                for names in prompts.chunk_by(|a, b| a.starts_with("f-") && b.starts_with("f-")) {
                    let said = |name: &String| snapshot.prompts.transcript(language, name);
                    let said: Vec<_> = names.iter().map(|name| said(name).unwrap_or("?")).collect();
                    println!("  ♪ {}: {}", names.join(" "), said.join(" ").trim());
                }
            }
            Heard::Text(text) => {
                let url = text.links.first().map_or("", |link| link.url.as_str());
                println!("  ✉ {}", text.message.replace("{link}", url));
            }
            Heard::FollowUp { text, due_ms } => {
                let url = text.links.first().map_or("", |link| link.url.as_str());
                let due = match text.purpose.as_str() {
                    TextRequest::RATING => "when a link has been opened".to_owned(),
                    _ => {
                        let due = jiff::Timestamp::from_millisecond(*due_ms).unwrap_or_default();
                        format!("at {due:.0}")
                    }
                };
                println!("  ✉ {due}: {}", text.message.replace("{link}", url));
            }
            Heard::Asked { step } => println!("  ? {step} asks"),
            Heard::Agent { target } => println!("  ⇄ with {target}"),
            Heard::Forward { target } => println!("  → forwarded to {target}"),
            Heard::Rejected { status } => println!("  ✗ {status}"),
            Heard::HungUp => println!("  (we hang up)"),
            Heard::Record(record) => {
                if let Some(words) = crate::switchboard::in_words(record) {
                    println!("      · {words}");
                }
            }
        }
    }
}
