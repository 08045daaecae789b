//! Figures of the flow runtime, without a node: the shipped full line and its random callers.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use ivr_runtime::{
    diagnose::Text,
    flow::{AnyPrompt, Business, Sender, Shared, load, model::Flow, tables::TargetDraft},
    hours::{Hours, Schedule, Week, parse_spans},
    proof::prove,
    sim::{Faults, run_random, sample},
};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use super::{Figure, heap::live_bytes, ms};

const FULL: &str = include_str!("../../../config/full/flows/full.toml");
/// The same callers each time.
const SEED: u64 = 1;
/// Calls whose memory is weighed, each after some events …
const WEIGHED: u32 = 200_000;
/// … and at most so many.
const MOST_EVENTS: u32 = 60;
/// Times that the file is checked and proved.
const CHECKS: u32 = 20;

/// Random callers of the full line on one thread: time of all and of one decision, memory of the
/// largest call, time of a check with its proof.
///
/// # Errors
/// The flow does not load, or a caller was lost.
pub fn flow(callers: u64) -> anyhow::Result<Vec<Figure>> {
    let flow = Arc::new(read()?);
    let (mean, largest) = weigh(&flow);
    let lint = lint()?;
    let began = on_cpu();
    let tally = run_random(&flow, callers, SEED, Faults::SOME);
    let took = on_cpu() - began;
    ensure!(tally.is_ok(), "callers were lost: {tally}");
    let decision_us = took.as_secs_f64() * 1e6 / tally.events as f64;
    let details = json!({
        "callers": callers, "seed": SEED, "trapped": tally.lost.len(), "events": tally.events,
        "ends": tally.ends.iter().map(|(end, n)| (end.as_str(), n)).collect::<Vec<_>>(),
        "most_steps": tally.most_steps,
    });
    let states = json!({ "states": WEIGHED, "mean_bytes": mean });
    let million = took.as_secs_f64() * 1e6 / callers as f64;
    Ok(vec![
        Figure::at_most("1,000,000 random callers", 60.0, "s", million).with(details),
        Figure::at_most("decision, with its world and its judge", 5.0, "µs", decision_us),
        Figure::at_most("largest call state met, with its heap", 4_096.0, "bytes", largest as f64)
            .with(states),
        Figure::at_most("lint with proof", 200.0, "ms", lint),
    ])
}

/// Bytes that calls take as they are met, with all on the heap that is theirs: the mean, and the
/// most.
fn weigh(flow: &Arc<Flow>) -> (f64, usize) {
    let met = |n: u32| sample(flow, u64::from(n), Faults::SOME, 1 + n % MOST_EVENTS);
    let bytes = (0..WEIGHED).map(|n| live_bytes(met(n)));
    let (sum, most) =
        bytes.fold((0, 0), |(sum, most): (usize, usize), one| (sum + one, most.max(one)));
    (sum as f64 / f64::from(WEIGHED), most)
}

/// Milliseconds that a check and its proof take.
fn lint() -> anyhow::Result<f64> {
    let began = on_cpu();
    for _ in 0..CHECKS {
        prove(&read()?, &AnyPrompt).context("the proof")?;
    }
    Ok(ms(on_cpu() - began) / f64::from(CHECKS))
}

/// Time that this thread has had a core: what a free machine would take.
fn on_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn read() -> anyhow::Result<Flow> {
    let checked = load(FULL, "full.toml", &shared()?, &AnyPrompt);
    checked.flow.with_context(|| format!("{:?}", checked.findings))
}

/// What `config/full/carom.toml` gives to the flow.
fn shared() -> anyhow::Result<Shared> {
    let zones =
        [("london", "Europe/London"), ("dublin", "Europe/Dublin"), ("west", "America/Los_Angeles")];
    let day = parse_spans("08:00-20:00").ok().context("a day's hours")?;
    let hours = zones.map(|(name, zone)| {
        let days: [_; 7] = std::array::from_fn(|_| day.clone());
        let week = Week { zone: zone.into(), days, holidays: Default::default() };
        Hours { name: name.into(), schedule: Schedule::Week(week) }
    });
    let sender = |name: &str, regions: &[&str], channel: &str| Sender {
        name: name.into(),
        from: "+447700900123".into(),
        regions: regions.iter().map(|&region| region.into()).collect(),
        channel: channel.into(),
        media: channel == "whatsapp",
        alphabet: Default::default(),
        business: None,
    };
    let countries = ["GB", "IE", "US"];
    Ok(Shared {
        hours: hours.into(),
        senders: vec![
            sender("uk_sms", &["GB", "IE"], "sms"),
            sender("us_sms", &["US"], "sms"),
            sender("wa", &countries, "whatsapp"),
        ],
        targets: vec![TargetDraft {
            name: Text { value: "pbx".into(), span: 0..0 },
            addresses: vec!["sip:main@pbx.example.net".into()],
            ..TargetDraft::default()
        }],
        sources: vec!["queue".into()],
        providers: vec![("liveperson".into(), "liveperson".into())],
        public_url: Some("https://c.example.com".into()),
        businesses: vec![Business { key: "retail".into(), brand: "Example".into() }],
        fallback: Some("pbx".into()),
        calls_back: true,
        countries: countries.map(str::to_owned).into(),
        ..Shared::default()
    })
}
