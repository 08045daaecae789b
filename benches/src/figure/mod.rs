//! The figures: what is measured, and what is to be reached.

mod accept;
mod calls;
mod flow;
mod heap;
mod landing;
mod memory;
mod outbox;
mod reload;
mod setup;
mod webhooks;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

pub use self::{
    accept::accept,
    calls::{bridged, capacity, ivr, latency, single},
    flow::flow,
    landing::landing,
    memory::memory,
    outbox::{outbox, outbox_postgres},
    reload::reload,
    setup::setup,
    webhooks::webhooks,
};
use crate::{
    engine::{Account, Engine, Setup},
    generator::{Generator, Plan},
};

/// Calls come up at this rate where coming up is not what is measured.
const DIAL_RATE: f64 = 150.0;
/// Given to what has come up before it is measured.
const SETTLE: Duration = Duration::from_secs(2);
/// Calls that were ended are given this long to be over.
const WIND_UP: Duration = Duration::from_secs(40);

/// What all figures are measured with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program under test.
    pub carom: PathBuf,
    /// The core it is bound to.
    pub engine_core: usize,
    /// The generator's core.
    pub own_core: usize,
    /// How long is measured.
    pub measured: Duration,
    /// Calls at once; `None`: as the figure says.
    pub calls: Option<u64>,
    /// Leave the engine's folder.
    pub keep: bool,
}

impl Options {
    /// An engine whose limits are never met, on its core.
    fn setup(&self) -> Setup {
        Setup {
            carom: self.carom.clone(),
            cores: vec![self.engine_core],
            own_cores: vec![self.own_core],
            calls: 1_000_000,
            per_second: 1_000_000,
            keep: self.keep,
            provider: None,
            database: None,
        }
    }

    /// The same on both cores, which it shares with the bench.
    fn shared(&self) -> Setup {
        let cores = vec![self.engine_core, self.own_core];
        Setup { cores: cores.clone(), own_cores: cores, ..self.setup() }
    }
}

/// One figure and its goal.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What it says.
    pub name: &'static str,
    /// Of both numbers.
    pub unit: &'static str,
    /// To be reached.
    pub goal: f64,
    /// More is better.
    pub at_least: bool,
    /// Reached.
    pub reached: f64,
    /// What it was measured with.
    pub details: Value,
}

impl Figure {
    fn at_most(name: &'static str, goal: f64, unit: &'static str, reached: f64) -> Self {
        Self { name, unit, goal, at_least: false, reached, details: Value::Null }
    }

    fn at_least(name: &'static str, goal: f64, unit: &'static str, reached: f64) -> Self {
        Self { at_least: true, ..Self::at_most(name, goal, unit, reached) }
    }

    fn with(self, details: Value) -> Self {
        Self { details, ..self }
    }

    /// Whether the goal is reached.
    pub fn is_reached(&self) -> bool {
        if self.at_least { self.reached >= self.goal } else { self.reached <= self.goal }
    }

    /// As one line of JSON.
    pub fn json(&self) -> Value {
        json!({
            "figure": self.name, "unit": self.unit, "goal": self.goal, "reached": self.reached,
            "better": if self.at_least { "more" } else { "less" }, "met": self.is_reached(),
            "details": self.details,
        })
    }

    /// As one line for people.
    pub fn line(&self) -> String {
        let Self { name, unit, goal, reached, .. } = self;
        let sign = if self.at_least { '≥' } else { '≤' };
        let word = if self.is_reached() { "reached" } else { "MISSED" };
        format!("{name}: {reached:.3} {unit} (goal {sign} {goal} {unit}, {word})")
    }
}

/// An engine and its generator.
#[derive(Debug)]
pub struct Bench {
    /// The engine under test.
    pub engine: Engine,
    /// Its carrier and PBX.
    pub generator: Generator,
}

impl Bench {
    /// Starts both, with an engine that takes so many calls at once and a second.
    ///
    /// # Errors
    /// One of them does not start.
    pub fn start(options: &Options, calls: u32, per_second: u32) -> anyhow::Result<Self> {
        Self::with(Setup { calls, per_second, ..options.setup() })
    }

    fn with(setup: Setup) -> anyhow::Result<Self> {
        let mut generator = Generator::new()?;
        let engine = Engine::start(&setup, generator.pbx_at()?)?;
        generator.aim(engine.sip())?;
        Ok(Self { engine, generator })
    }

    /// An engine whose limits are never met.
    fn unlimited(options: &Options) -> anyhow::Result<Self> {
        Self::with(options.setup())
    }

    /// Brings up `count` calls and lets them settle.
    ///
    /// # Errors
    /// Not all of them were answered.
    pub fn bring_up(&mut self, plan: Plan, count: u64) -> anyhow::Result<()> {
        let before = self.generator.counts().answered;
        self.generator.dial(plan, count, DIAL_RATE);
        let limit = Duration::from_secs_f64(count as f64 / DIAL_RATE) + WIND_UP;
        let up = self.generator.run_until(limit, |g| g.counts().answered == before + count);
        ensure!(up, "not all {count} calls were answered: {:?}", self.generator.counts());
        self.generator.run_for(SETTLE);
        Ok(())
    }

    /// Ends all calls.
    ///
    /// # Errors
    /// Not all of them are over in time.
    pub fn bring_down(&mut self) -> anyhow::Result<()> {
        let running = self.generator.running();
        self.generator.hang_up_all(Duration::from_secs_f64(running as f64 / DIAL_RATE));
        let limit = Duration::from_secs_f64(running as f64 / DIAL_RATE) + WIND_UP;
        let down = self.generator.run_until(limit, |g| g.running() == 0);
        ensure!(down, "{} calls do not end", self.generator.running());
        Ok(())
    }

    /// Runs for `time`; what the engine used meanwhile.
    ///
    /// # Errors
    /// The engine is gone.
    pub fn account_over(&mut self, time: Duration) -> anyhow::Result<Account> {
        let before = self.engine.account()?;
        self.generator.run_for(time);
        Ok(self.engine.account()?.since(&before))
    }

    /// The engine's gauges, once the last messages are through.
    fn gauges(&mut self) -> anyhow::Result<Value> {
        self.generator.run_for(Duration::from_secs(1));
        let status = self.engine.status()?;
        status.get("gauges").cloned().context("no gauges in the status")
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// The account for the details of a figure.
fn told(account: &Account) -> Value {
    let threads = account.threads.iter().map(|(name, time)| (name.clone(), json!(ms(*time))));
    json!({
        "cpu_ms": ms(account.cpu),
        "threads_ms": threads.collect::<serde_json::Map<_, _>>(),
        "waits": account.waits,
    })
}
