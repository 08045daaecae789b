//! The page that a text leads to.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::{Figure, Options, Setup, outbox::ask_for, told};
use crate::{
    engine::{Engine, NOBODY},
    generator::quantile,
    http::Client,
    provider::Provider,
};

/// Pages asked for a second.
const RATE: f64 = 500.0;
/// Links that are asked for in turn.
const LINKS: u64 = 200;
/// Connections of those who ask.
const CLIENTS: usize = 16;

/// From the moment that a page is due to its last byte.
///
/// # Errors
/// The measurement failed.
pub fn landing(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let provider = Provider::start()?;
    let engine =
        Engine::start(&Setup { provider: Some(provider.at()), ..options.setup() }, NOBODY)?;
    ask_for(&[engine.http()], 0, LINKS, 100.0)?;
    let texts = provider.taken();
    let paths = texts.iter().map(|text| text.text.find("/l/").map(|at| &text.text[at..]));
    let paths = paths.collect::<Option<Vec<&str>>>().context("a text without a link")?;
    let count = (RATE * options.measured.as_secs_f64()) as u64;
    let (next, began) = (AtomicU64::new(0), Instant::now());
    let one = || -> anyhow::Result<(Vec<u32>, usize)> {
        let mut client = Client::connect(engine.http())?;
        let (mut times, mut longest) = (Vec::new(), 0);
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= count {
                return Ok((times, longest));
            }
            let due = began + Duration::from_secs_f64(n as f64 / RATE);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let answer = client.ask("GET", paths[n as usize % paths.len()], "", "")?;
            ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
            times.push(due.elapsed().as_micros() as u32);
            longest = longest.max(answer.body.len());
        }
    };
    let before = engine.account()?;
    let (mut times, mut longest) = (Vec::new(), 0);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(one)).collect();
        for client in clients {
            let (some, bytes) = client.join().map_err(|_| anyhow::anyhow!("a client ended"))??;
            times.extend(some);
            longest = longest.max(bytes);
        }
        anyhow::Ok(())
    })?;
    let account = engine.account()?.since(&before);
    times.sort_unstable();
    let ms = |share| f64::from(quantile(&times, share)) / 1_000.0;
    let details = json!({
        "pages": count, "per_second": RATE, "bytes_at_most": longest,
        "ms": { "p50": ms(0.5), "p99": ms(0.99), "p99.9": ms(0.999), "max": ms(1.0) },
        "engine": told(&account),
    });
    Ok(vec![Figure::at_most("page of a link, p99", 5.0, "ms", ms(0.99)).with(details)])
}
