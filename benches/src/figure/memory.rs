//! Memory of calls that are up, and after many that have been.

use std::time::Duration;

use serde_json::json;

use super::{Bench, Figure, Options, WIND_UP};
use crate::{engine::MENU, generator::Plan};

/// Calls a second that come and go.
const RATE: f64 = 800.0;
/// Given to the engine to forget what has ended: transactions live for 32 s (RFC 3261 §17), and
/// a busy time is over after 15 quiet seconds.
const FORGET: Duration = Duration::from_secs(60);
/// Of what the engine had before, in percent, is "back to the start".
const BACK: f64 = 10.0;

/// PSS per call, and after `passing` short calls.
///
/// # Errors
/// The measurement failed.
pub fn memory(options: &Options, passing: u64) -> anyhow::Result<Vec<Figure>> {
    let calls = options.calls.unwrap_or(1_000);
    let mut bench = Bench::unlimited(options)?;
    bench.generator.pbx_talks(false);
    let short = Plan { number: MENU, rtp: false, hold: Some(Duration::ZERO), press: None };
    // What is built once, at the first call, is no call's.
    bench.generator.dial(short, 50, 50.0);
    bench.generator.run_until(WIND_UP, |g| g.counts().dialled == 50 && g.running() == 0);
    bench.generator.run_for(FORGET);
    let start = bench.engine.account()?.pss_kib;

    bench.bring_up(Plan { number: MENU, rtp: true, hold: None, press: None }, calls)?;
    let up = bench.engine.account()?.pss_kib;
    bench.bring_down()?;
    bench.generator.run_for(FORGET);
    let down = bench.engine.account()?.pss_kib;

    let before = bench.generator.counts().clone();
    bench.generator.dial(short, passing, RATE);
    let limit = Duration::from_secs_f64(passing as f64 / RATE) * 3 + WIND_UP;
    let all = before.dialled + passing;
    bench.generator.run_until(limit, |g| g.counts().dialled == all && g.running() == 0);
    let ended = bench.generator.counts().ended - before.ended;
    let peak = bench.engine.account()?.pss_kib;
    bench.generator.run_for(FORGET);
    let after = bench.engine.account()?.pss_kib;
    let gauges = bench.gauges()?;
    let left: u64 = ["calls", "legs", "transactions", "sessions"]
        .iter()
        .filter_map(|name| gauges.get(name).and_then(serde_json::Value::as_u64))
        .sum();
    let details = json!({
        "calls": calls, "passing": passing, "ended": ended,
        "pss_kib": { "start": start, "with_calls": up, "after_them": down,
            "after_passing": peak, "forgotten": after },
        "gauges": gauges,
    });
    let each = up.saturating_sub(start) as f64 / calls as f64;
    let more = 100.0 * (after as f64 / start as f64 - 1.0);
    Ok(vec![
        Figure::at_most("memory of an IVR call", 48.0, "KiB PSS", each).with(details),
        Figure::at_most("memory left by calls that have ended", BACK, "% of the start", more),
        Figure::at_most("gauges left", 0.0, "", left as f64),
    ])
}
