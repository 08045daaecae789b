//! What a reload of many flows and prompts does to the packets of running calls.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{anyhow, ensure};
use serde_json::json;

use super::{Bench, Figure, Options, calls::MENU_CALL, ms};
use crate::generator::quantile;

/// Files that each reload reads.
const FLOWS: usize = 200;
const PROMPTS: usize = 2_000;
/// A reload takes no longer.
const LONGEST: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(20);

/// Calls that hear a prompt while everything is read again, changed, so many times.
///
/// # Errors
/// The measurement failed, or a reload.
pub fn reload(options: &Options, reloads: u32) -> anyhow::Result<Vec<Figure>> {
    let calls = options.calls.unwrap_or(100);
    let mut bench = Bench::unlimited(options)?;
    bench.engine.add_files(FLOWS, PROMPTS)?;
    bench.bring_up(MENU_CALL, calls)?;
    // The prompt of each call lasts a minute.
    bench.generator.press_in_all(1, PAUSE);
    bench.generator.measure(true);
    let mut took_ms = Vec::new();
    let pause = PAUSE / reloads.clamp(1, 10);
    for round in 1..=reloads {
        let Bench { engine, generator, .. } = &mut bench;
        let changed = thread::scope(|scope| {
            let changing = scope.spawn(|| engine.change_files(FLOWS, PROMPTS, round));
            generator.run_for(pause);
            changing.join()
        });
        changed.map_err(|_| anyhow!("the files are not changed"))??;
        let mut child = bench.engine.reload()?;
        let began = Instant::now();
        let ended = loop {
            bench.generator.run_for(POLL);
            if let Some(status) = child.try_wait()? {
                break status;
            }
            ensure!(began.elapsed() < LONGEST, "a reload does not end");
        };
        took_ms.push(ms(began.elapsed()));
        ensure!(ended.success(), "a reload was refused");
    }
    bench.generator.run_for(PAUSE);
    let pacing = bench.generator.pacing();
    let lost = bench.generator.counts().hung_up_on;
    ensure!(lost == 0, "{lost} of {calls} calls were lost");
    bench.bring_down()?;
    let details = json!({
        "calls": calls, "flows": FLOWS, "prompts": PROMPTS, "reloads_ms": took_ms,
        "packets": pacing.packets, "lost": pacing.lost,
        "late_percent": pacing.later_than(5_000),
        "late_ms": { "p99": f64::from(quantile(&pacing.late_us, 0.99)) / 1_000.0,
            "p99.9": f64::from(quantile(&pacing.late_us, 0.999)) / 1_000.0 },
    });
    let latest = f64::from(quantile(&pacing.late_us, 1.0)) / 1_000.0;
    Ok(vec![
        Figure::at_most("latest packet under reloads", 5.0, "ms", latest).with(details),
        Figure::at_most("packets lost under reloads", 0.0, "packets", pacing.lost as f64),
    ])
}
