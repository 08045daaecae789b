//! How many texts a second go out, each with its receipt.
//!
//! They are asked for as an old IVR does: whether a caller may be offered one, and then the text.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{Figure, Options, Setup, told};
use crate::{
    engine::{API_TOKEN, Account, Database, Engine, NOBODY, TEXT},
    generator::{number_of, quantile},
    http::Client,
    provider::Provider,
};

/// Texts a second to be reached by one node on SQLite, and by four on PostgreSQL.
const ON_SQLITE: f64 = 500.0;
const ON_POSTGRES: f64 = 800.0;
const NODES: usize = 4;
/// More than is to be reached is asked for, by this factor.
const MORE: f64 = 1.1;
/// Connections to each node of those who ask: callers do not wait for each other, and there is room
/// for who tells of receipts.
const CLIENTS: usize = 128;
/// Receipts of what was taken are given so long.
const RECEIPTS: Duration = Duration::from_secs(30);

/// One node, on SQLite.
///
/// # Errors
/// The measurement failed.
pub fn outbox(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let provider = Provider::start()?;
    let setup = Setup { provider: Some(provider.at()), ..options.shared() };
    let engine = Engine::start(&setup, NOBODY)?;
    let (reached, details) = run(options, &[engine], &provider, ON_SQLITE)?;
    Ok(vec![
        Figure::at_least("texts with receipts, SQLite", ON_SQLITE, "texts/s", reached)
            .with(details),
    ])
}

/// Four nodes, on PostgreSQL.
///
/// # Errors
/// The measurement failed, or there is no database.
pub fn outbox_postgres(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let url = std::env::var("CAROM_TEST_POSTGRES_URL")
        .context("CAROM_TEST_POSTGRES_URL: run it by tests/with-postgres")?;
    let folder = tempfile::Builder::new().prefix("carom-bench-").tempdir()?;
    let database = Database { url, key: folder.path().join("store.key") };
    let provider = Provider::start()?;
    let setup =
        Setup { provider: Some(provider.at()), database: Some(database), ..options.shared() };
    let engines = (0..NODES).map(|_| Engine::start(&setup, NOBODY));
    let engines = engines.collect::<anyhow::Result<Vec<_>>>()?;
    let (reached, details) = run(options, &engines, &provider, ON_POSTGRES)?;
    Ok(vec![
        Figure::at_least("texts with receipts, PostgreSQL", ON_POSTGRES, "texts/s", reached)
            .with(details),
    ])
}

/// Asks all engines for texts; how many a second came through, with receipts.
fn run(
    options: &Options,
    engines: &[Engine],
    provider: &Provider,
    goal: f64,
) -> anyhow::Result<(f64, Value)> {
    let rate = goal * MORE;
    let count = (rate * options.measured.as_secs_f64()) as u64;
    let at: Vec<SocketAddr> = engines.iter().map(Engine::http).collect();
    let before = accounts(engines)?;
    let began = Instant::now();
    let asked = ask_for(&at, 0, count, rate)?;
    let all_told = |receipts: &BTreeMap<u16, u64>| receipts.values().sum::<u64>() >= count;
    let give_up = Instant::now() + RECEIPTS;
    while !all_told(&provider.receipts()) && Instant::now() < give_up {
        thread::sleep(Duration::from_millis(5));
    }
    let seconds = began.elapsed().as_secs_f64();
    let after = accounts(engines)?;
    let receipts = provider.receipts();
    let mut numbers: Vec<String> = provider.taken().into_iter().map(|taken| taken.to).collect();
    let taken = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    let doubled = taken - numbers.len();
    ensure!(doubled == 0, "{doubled} texts went out twice");
    ensure!(numbers.len() as u64 == count, "{} of {count} texts went out", numbers.len());
    ensure!(receipts.get(&204) == Some(&count), "receipts of {count} texts: {receipts:?}");
    let states = states(&at, &asked.messages)?;
    ensure!(states.get("delivered") == Some(&count), "states of {count} texts: {states:?}");
    let ms = |share| f64::from(quantile(&asked.times_us, share)) / 1_000.0;
    let engines = before.iter().zip(&after).map(|(before, after)| told(&after.since(before)));
    let details = json!({
        "asked_per_second": rate, "texts": count, "seconds": seconds, "lost": 0, "doubled": doubled,
        "receipts": count, "answered_ms": { "p50": ms(0.5), "p99": ms(0.99), "max": ms(1.0) },
        "engines": engines.collect::<Vec<_>>(),
    });
    Ok((count as f64 / seconds, details))
}

fn accounts(engines: &[Engine]) -> anyhow::Result<Vec<Account>> {
    engines.iter().map(Engine::account).collect()
}

/// What those who asked were told.
pub(super) struct Asked {
    /// Ids.
    pub messages: Vec<String>,
    /// From the moment that a text was due to its answer, µs, sorted.
    pub times_us: Vec<u32>,
}

/// Asks for texts to the callers from `first` on, `rate` of them a second.
pub(super) fn ask_for(
    engines: &[SocketAddr],
    first: u32,
    count: u64,
    rate: f64,
) -> anyhow::Result<Asked> {
    let next = AtomicU64::new(0);
    let began = Instant::now();
    let one = |client: usize| -> anyhow::Result<Asked> {
        let mut connection = Client::connect(engines[client % engines.len()])?;
        let mut asked = Asked { messages: Vec::new(), times_us: Vec::new() };
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= count {
                return Ok(asked);
            }
            let due = began + Duration::from_secs_f64(n as f64 / rate);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let message = text(&mut connection, &number_of(first + n as u32))?;
            asked.messages.push(message);
            asked.times_us.push(due.elapsed().as_micros() as u32);
        }
    };
    let mut all = Asked { messages: Vec::new(), times_us: Vec::new() };
    thread::scope(|scope| {
        let one = &one;
        let clients: Vec<_> =
            (0..CLIENTS * engines.len()).map(|n| scope.spawn(move || one(n))).collect();
        for client in clients {
            let asked = client.join().map_err(|_| anyhow::anyhow!("a client ended"))??;
            all.messages.extend(asked.messages);
            all.times_us.extend(asked.times_us);
        }
        anyhow::Ok(())
    })?;
    all.times_us.sort_unstable();
    Ok(all)
}

/// Asks for one text; its id.
fn text(client: &mut Client, number: &str) -> anyhow::Result<String> {
    let asked = json!({ "number": number, "called": TEXT });
    let offer = post(client, "/v1/eligibility", &asked)?;
    let wanted = json!({ "offer_id": offer["offer_id"] });
    let sent = post(client, "/v1/invite", &wanted)?;
    let id = sent["message_id"].as_str().with_context(|| format!("no text: {sent}"))?;
    Ok(id.to_owned())
}

fn post(client: &mut Client, path: &str, body: &Value) -> anyhow::Result<Value> {
    let headers =
        format!("Authorization: Bearer {API_TOKEN}\r\nContent-Type: application/json\r\n");
    let answer = client.ask("POST", path, &headers, &body.to_string())?;
    ensure!(answer.status < 300, "{path}: {} {}", answer.status, answer.body);
    Ok(serde_json::from_str(&answer.body)?)
}

/// How many messages are in which state.
fn states(engines: &[SocketAddr], messages: &[String]) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut states = BTreeMap::new();
    let mut client = Client::connect(engines[0])?;
    let headers = format!("Authorization: Bearer {API_TOKEN}\r\n");
    for id in messages {
        let answer = client.ask("GET", &format!("/v1/messages/{id}"), &headers, "")?;
        let told: Value = serde_json::from_str(&answer.body)?;
        let state = told["state"].as_str().unwrap_or("none").to_owned();
        *states.entry(state).or_default() += 1;
    }
    Ok(states)
}
