//! Figures of calls that are up: their cost, their pacing, how soon a key works.

use std::time::Duration;

use anyhow::ensure;
use serde_json::json;

use super::{Bench, Figure, Options, ms, told};
use crate::{
    engine::{MENU, STRAIGHT},
    generator::{Plan, quantile},
};

/// Later than this against the grid, a packet is late.
const LATE_US: u32 = 5_000;

pub(super) const MENU_CALL: Plan = Plan { number: MENU, rtp: true, hold: None, press: None };
const BRIDGED_CALL: Plan = Plan { number: STRAIGHT, rtp: true, hold: None, press: None };

/// A call that hears a prompt, sends RTP and presses one key.
///
/// # Errors
/// The measurement failed.
pub fn ivr(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let calls = options.calls.unwrap_or(400);
    let mut bench = Bench::unlimited(options)?;
    bench.bring_up(MENU_CALL, calls)?;
    bench.generator.press_in_all(1, options.measured);
    bench.generator.measure(true);
    let sent = bench.generator.sent();
    let account = bench.account_over(options.measured)?;
    let sent = bench.generator.sent() - sent;
    let pacing = bench.generator.pacing();
    let keys = bench.generator.reactions_us().len();
    let call_seconds = calls as f64 * options.measured.as_secs_f64();
    bench.bring_down()?;
    let gauges = bench.gauges()?;
    let details = json!({
        "calls": calls, "seconds": options.measured.as_secs_f64(), "engine": told(&account),
        "packets_per_call_second": { "in": sent as f64 / call_seconds,
            "out": pacing.packets as f64 / call_seconds },
        "keys": keys, "lost": pacing.lost, "late_percent": pacing.later_than(LATE_US),
        "gauges": gauges,
    });
    let cost = ms(account.cpu) / call_seconds;
    Ok(vec![Figure::at_most("IVR call", 0.60, "CPU-ms per call-second", cost).with(details)])
}

/// A call that is forwarded to the PBX, RTP on both legs.
///
/// # Errors
/// The measurement failed.
pub fn bridged(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let calls = options.calls.unwrap_or(400);
    let mut bench = Bench::unlimited(options)?;
    bench.bring_up(BRIDGED_CALL, calls)?;
    let (_, taken) = bench.generator.at_pbx();
    ensure!(taken == calls, "{taken} of {calls} calls were forwarded");
    bench.generator.measure(true);
    let account = bench.account_over(options.measured)?;
    let pacing = bench.generator.pacing();
    let call_seconds = calls as f64 * options.measured.as_secs_f64();
    bench.bring_down()?;
    let gauges = bench.gauges()?;
    let details = json!({
        "calls": calls, "seconds": options.measured.as_secs_f64(), "engine": told(&account),
        "packets_relayed_per_call_second": pacing.packets as f64 / call_seconds,
        "lost": pacing.lost, "gauges": gauges,
    });
    let cost = ms(account.cpu) / call_seconds;
    Ok(vec![Figure::at_most("bridged call", 0.90, "CPU-ms per call-second", cost).with(details)])
}

/// Many calls at once: how many packets come late.
///
/// # Errors
/// The measurement failed.
pub fn capacity(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let calls = options.calls.unwrap_or(1_200);
    let mut bench = Bench::unlimited(options)?;
    bench.bring_up(MENU_CALL, calls)?;
    bench.generator.press_in_all(1, options.measured);
    bench.generator.measure(true);
    let account = bench.account_over(options.measured)?;
    let pacing = bench.generator.pacing();
    bench.bring_down()?;
    let metrics = bench.engine.metrics()?;
    let own = |name: &str| metrics.get(name).copied().unwrap_or(0.0);
    let details = json!({
        "calls": calls, "seconds": options.measured.as_secs_f64(), "engine": told(&account),
        "packets": pacing.packets, "lost": pacing.lost,
        "late_ms": { "p50": us(quantile(&pacing.late_us, 0.5)),
            "p99": us(quantile(&pacing.late_us, 0.99)),
            "p99.9": us(quantile(&pacing.late_us, 0.999)),
            "max": us(quantile(&pacing.late_us, 1.0)) },
        "core_percent": 100.0 * account.cpu.as_secs_f64() / options.measured.as_secs_f64(),
        "engine_says_late": own("carom_rtp_packets_late_total"),
        "engine_says_lost_inbound": own("carom_rtp_packets_lost_total"),
        "gauges": bench.gauges()?,
    });
    let late = pacing.later_than(LATE_US);
    let lost = 100.0 * pacing.lost as f64 / (pacing.packets + pacing.lost).max(1) as f64;
    Ok(vec![
        Figure::at_most("packets over 5 ms late", 0.1, "%", late).with(details),
        Figure::at_most("packets lost", 0.0, "%", lost),
    ])
}

/// From a key to the prompt it asks for, and how even the packets come.
///
/// # Errors
/// The measurement failed.
pub fn latency(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let calls = options.calls.unwrap_or(400);
    let mut bench = Bench::unlimited(options)?;
    bench.bring_up(MENU_CALL, calls)?;
    bench.generator.measure(true);
    // A key every two seconds and call, so that there are enough of them for a p99.
    let round = Duration::from_secs(2);
    let rounds = (options.measured.as_secs() / round.as_secs()).max(1);
    for _ in 0..rounds {
        bench.generator.press_in_all(1, round - Duration::from_millis(500));
        bench.generator.run_for(round);
    }
    let reactions = bench.generator.reactions_us();
    let pacing = bench.generator.pacing();
    bench.bring_down()?;
    let keys = calls * rounds;
    ensure!(
        reactions.len() as u64 * 100 >= keys * 99,
        "{} of {keys} keys had an effect",
        reactions.len()
    );
    let percentiles = |sorted: &[u32]| {
        json!({ "p50": us(quantile(sorted, 0.5)), "p99": us(quantile(sorted, 0.99)),
            "p99.9": us(quantile(sorted, 0.999)), "max": us(quantile(sorted, 1.0)) })
    };
    let details = json!({
        "calls": calls, "keys": reactions.len(), "packets": pacing.packets,
        "key_to_prompt_ms": percentiles(&reactions), "off_20_ms": percentiles(&pacing.step_us),
    });
    let reaction = us(quantile(&reactions, 0.99));
    let off = us(quantile(&pacing.step_us, 0.999));
    Ok(vec![
        Figure::at_most("key to prompt, p99", 23.0, "ms", reaction).with(details),
        Figure::at_most("pacing off 20 ms, p99.9", 2.0, "ms", off),
    ])
}

/// One call alone.
///
/// # Errors
/// The measurement failed.
pub fn single(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let mut bench = Bench::unlimited(options)?;
    let idle = bench.account_over(options.measured)?;
    bench.bring_up(MENU_CALL, 1)?;
    let account = bench.account_over(options.measured)?;
    bench.bring_down()?;
    let share = |cpu: Duration| 100.0 * cpu.as_secs_f64() / options.measured.as_secs_f64();
    let seconds = options.measured.as_secs_f64();
    let details = json!({
        "seconds": seconds, "engine": told(&account),
        "waits_per_second": account.waits as f64 / seconds,
        "idle": { "percent": share(idle.cpu), "waits_per_second": idle.waits as f64 / seconds },
    });
    Ok(vec![
        Figure::at_most("one call alone", 1.0, "% of a core", share(account.cpu)).with(details),
    ])
}

fn us(us: u32) -> f64 {
    f64::from(us) / 1_000.0
}
