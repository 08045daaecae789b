//! Calls that are answered and ended at once: their cost, their rate, and what is beyond it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Bench, Figure, Options, WIND_UP, ms, told};
use crate::{
    engine::{Account, MENU},
    generator::{Counts, Plan, quantile},
};

/// To be sustained, calls a second.
const RATE: u32 = 1_200;
/// Calls a second at which the cost of a call is measured.
const EASY: u32 = 600;
/// Share of the offered calls that is to come through at a sustained rate.
const SUSTAINED: f64 = 0.995;

/// What SQLite itself runs on; all that hands it rows and asks it for callers is the engine's.
const DATABASE: &str = "sqlx-sqlite-wor";

const CALL: Plan = Plan { number: MENU, rtp: false, hold: Some(Duration::ZERO), press: None };

/// One rate, offered for a time.
struct Offered {
    rate: f64,
    seconds: f64,
    account: Account,
    counts: Counts,
    gauges: Value,
    rows: Value,
    still_up: usize,
}

/// Set-up and tear-down, with the SQLite store.
///
/// # Errors
/// The measurement failed.
pub fn setup(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let easy = offer(options, 1_000_000, f64::from(EASY))?;
    let sustained = offer(options, 1_000_000, f64::from(RATE))?;
    // Beyond it: an engine that is told what it can take, and gets more.
    let mut beyond = Vec::new();
    for factor in [1.5, 2.0] {
        beyond.push(offer(options, RATE, f64::from(RATE) * factor)?);
    }
    // And one that is not told.
    let unlimited = offer(options, 1_000_000, f64::from(RATE) * 2.0)?;
    let calls = easy.counts.ended.max(1) as f64;
    let cost = ms(easy.account.cpu) / calls;
    let database = easy.account.threads.get(DATABASE).copied().unwrap_or_default();
    let without = cost - ms(database) / calls;
    let reached =
        if sustained.share() >= SUSTAINED { f64::from(RATE) } else { sustained.goodput() };
    let worst = beyond.iter().map(Offered::goodput).fold(f64::INFINITY, f64::min);
    let beyond: Vec<Value> = beyond.iter().map(Offered::told).collect();
    Ok(vec![
        Figure::at_most("set-up and tear-down, database left out", 0.50, "CPU-ms a call", without)
            .with(json!({ "with_the_database": cost, "of": easy.told() })),
        Figure::at_least("sustained set-ups", f64::from(RATE), "calls/s", reached)
            .with(sustained.told()),
        Figure::at_least("goodput beyond the limit", 0.9 * f64::from(RATE), "calls/s", worst)
            .with(json!({ "told_its_limit": beyond, "without_limit": unlimited.told() })),
    ])
}

fn offer(options: &Options, limit: u32, rate: f64) -> anyhow::Result<Offered> {
    let mut bench = Bench::start(options, 100_000, limit)?;
    bench.generator.pbx_talks(false);
    // The first calls pay for what is set up once.
    bench.generator.dial(CALL, 100, 100.0);
    bench.generator.run_until(WIND_UP, |g| g.counts().dialled == 100 && g.running() == 0);
    let warm = bench.generator.counts().clone();
    let seconds = options.measured.as_secs_f64();
    let count = (rate * seconds) as u64;
    let before = bench.engine.account()?;
    bench.generator.dial(CALL, count, rate);
    bench.generator.run_for(options.measured);
    // What is under way is let through, so that its cost is counted with its calls.
    let all = warm.dialled + count;
    bench.generator.run_until(WIND_UP, |g| g.counts().dialled == all && g.running() == 0);
    let account = bench.engine.account()?.since(&before);
    let still_up = bench.generator.running();
    let counts = since(bench.generator.counts(), &warm);
    let gauges = bench.gauges()?;
    let rows = bench.engine.status()?.get("rows").cloned().unwrap_or_default();
    Ok(Offered { rate, seconds, account, counts, gauges, rows, still_up })
}

fn since(counts: &Counts, earlier: &Counts) -> Counts {
    let refused = counts.refused.iter().map(|(status, count)| {
        (*status, count - earlier.refused.get(status).copied().unwrap_or(0))
    });
    let mut answer_us = counts.answer_us.get(earlier.answer_us.len()..).unwrap_or(&[]).to_vec();
    answer_us.sort_unstable();
    Counts {
        dialled: counts.dialled - earlier.dialled,
        answered: counts.answered - earlier.answered,
        refused: refused.collect(),
        ended: counts.ended - earlier.ended,
        hung_up_on: counts.hung_up_on - earlier.hung_up_on,
        unanswered: counts.unanswered - earlier.unanswered,
        repeats: counts.repeats - earlier.repeats,
        answer_us,
    }
}

impl Offered {
    fn goodput(&self) -> f64 {
        self.counts.ended as f64 / self.seconds
    }

    fn share(&self) -> f64 {
        self.counts.ended as f64 / self.counts.dialled.max(1) as f64
    }

    fn told(&self) -> Value {
        let counts = &self.counts;
        let answer = |share| f64::from(quantile(&counts.answer_us, share)) / 1_000.0;
        let refused = counts.refused.iter().map(|(status, n)| (status.to_string(), json!(n)));
        json!({
            "offered_per_second": self.rate, "seconds": self.seconds, "goodput": self.goodput(),
            "dialled": counts.dialled, "answered": counts.answered, "ended": counts.ended,
            "refused": refused.collect::<serde_json::Map<_, _>>(),
            "hung_up_on": counts.hung_up_on, "unanswered": counts.unanswered,
            "repeats": counts.repeats, "still_up": self.still_up,
            "answer_ms": { "p50": answer(0.5), "p99": answer(0.99), "max": answer(1.0) },
            "engine": told(&self.account), "gauges": self.gauges, "rows": self.rows,
        })
    }
}
