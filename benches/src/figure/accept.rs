//! How soon a text is on its way once the caller has accepted it.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::ensure;
use serde_json::json;

use super::{Bench, Figure, Options, Setup, WIND_UP, told};
use crate::{
    engine::TEXT,
    generator::{Plan, quantile},
    provider::Provider,
};

/// Texts accepted a second.
const RATE: f64 = 50.0;
/// Later than a key that was pressed in no time at all, which is not believed.
const LISTENS: Duration = Duration::from_millis(1_500);
/// Syncs of the disk that are measured, of 4 KiB each.
const SYNCS: usize = 500;

/// From the first end packet of the key that accepts a text to the first byte of the provider's
/// request.
///
/// # Errors
/// The measurement failed.
pub fn accept(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let before = sync_us()?;
    let provider = Provider::start()?;
    let mut bench = Bench::with(Setup { provider: Some(provider.at()), ..options.setup() })?;
    let call = Plan { number: TEXT, rtp: true, hold: None, press: Some((LISTENS, 1)) };
    let count = (RATE * options.measured.as_secs_f64()) as u64;
    let start = bench.engine.account()?;
    bench.generator.dial(call, count, RATE);
    let limit = options.measured + WIND_UP;
    bench.generator.run_until(limit, |g| g.counts().dialled == count && g.running() == 0);
    let account = bench.engine.account()?.since(&start);
    let taken = provider.taken();
    let at: BTreeMap<String, u64> = taken.iter().map(|it| (it.to.clone(), it.at_ns)).collect();
    ensure!(
        taken.len() as u64 == count && at.len() as u64 == count,
        "{count} callers accepted, {} texts to {} numbers came: {:?}",
        taken.len(),
        at.len(),
        bench.generator.counts()
    );
    let pressed = bench.generator.pressed();
    let times = pressed.filter_map(|(who, ns)| Some(at.get(&who)?.saturating_sub(ns) / 1_000));
    let mut times: Vec<u32> = times.map(|us| us as u32).collect();
    times.sort_unstable();
    ensure!(times.len() as u64 == count, "{} of {count} keys are known", times.len());
    let mut syncs = before;
    syncs.extend(sync_us()?);
    syncs.sort_unstable();
    let ms = |sorted: &[u32], share| f64::from(quantile(sorted, share)) / 1_000.0;
    let goal = 2.0 * ms(&syncs, 0.99) + 5.0;
    let percentiles = |sorted: &[u32]| json!({ "p50": ms(sorted, 0.5), "p99": ms(sorted, 0.99), "max": ms(sorted, 1.0) });
    let details = json!({
        "accepts": count, "per_second": RATE, "key_to_request_ms": percentiles(&times),
        "sync_ms": percentiles(&syncs), "engine": told(&account),
    });
    let reached = ms(&times, 0.99);
    Ok(vec![
        Figure::at_most("key to the provider's request, p99", goal, "ms", reached).with(details),
    ])
}

/// What it takes until 4 KiB are on the disk, µs.
fn sync_us() -> anyhow::Result<Vec<u32>> {
    let folder = tempfile::Builder::new().prefix("carom-bench-").tempdir()?;
    let mut file = File::create(folder.path().join("sync"))?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let began = Instant::now();
        file.write_all(&[7; 4_096])?;
        file.sync_data()?;
        times.push(began.elapsed().as_micros() as u32);
    }
    Ok(times)
}
