//! `kill -9` at any moment: nothing committed is lost, nothing is sent twice (X-06).

use std::{
    collections::BTreeMap,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use carom_blackbox::{
    CONFIG, Database, Engine, FLOW, Place, eventually_within, go_on_for,
    twilio::{Does, Twilio},
};
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
/// Texts are not limited; receipts could come.
const PLENTY: &str = r#"public_url = "http://{engine}:8080"

[limits]
texts_per_prefix = { per_hour = 100000, prefix_digits = 7 }
texts_per_line   = { per_minute = 100000 }
"#;
/// Engines that are killed side by side, the last one on PostgreSQL.
const ENGINES: u64 = 3;
/// Callers of an engine at once.
const CALLERS: u64 = 5;

#[test]
fn x_06_killed_at_any_moment_it_loses_no_text_sends_none_twice_and_closes_its_calls() {
    let kills = if std::env::var("CAROM_LONG").is_ok_and(|long| long == "1") { 300 } else { 30 };
    let seed = std::env::var("CAROM_SEED").map_or_else(
        |_| u64::from(std::process::id()) << 20 ^ now_ms(),
        |seed| seed.parse().unwrap(),
    );
    eprintln!("again with CAROM_SEED={seed}");
    let texts: usize = thread::scope(|scope| {
        let engines: Vec<_> = (0..ENGINES)
            .map(|n| {
                let (random, postgres) = (Random(seed.wrapping_add(n)), n + 1 == ENGINES);
                scope.spawn(move || killed(kills / ENGINES, random, postgres))
            })
            .collect();
        engines.into_iter().map(|engine| engine.join().unwrap()).sum()
    });
    assert!(texts > 0, "no caller ever got as far as a text");
    eprintln!("{kills} kills, {texts} texts");
}

/// Kills an engine again and again under its callers; returns how many texts it committed.
fn killed(kills: u64, mut random: Random, postgres: bool) -> usize {
    let place = Place::new();
    let database = if postgres { Database::postgres() } else { Database::of(&place) };
    let twilio = Twilio::start(&place);
    // The answer takes its time, so that a kill often falls between request and answer.
    twilio.always(Does::Slow(Duration::from_millis(150)));
    let (before, http) = CONFIG.split_once("[provider.sandbox]").unwrap();
    let http = http.split_once("[http]").unwrap().1;
    let config = format!("{before}{}\n[http]{http}", twilio.config(&place));
    let config = format!("{config}{PLENTY}\n[store]\nurl = \"{}\"\n", database.url());
    let mut engine = Engine::start_with(BIN, &place, &config, FLOW);
    for round in 0..kills {
        let mut callers: Vec<_> = (0..CALLERS)
            .map(|n| {
                let number = format!("+44740{:07}", 1_000_000 + round * CALLERS + n);
                caller(&place, &number, 1_020 + random.below(700))
            })
            .collect();
        if random.below(2) == 0 {
            go_on_for(random.below(2_200));
        } else {
            // Where it is tightest: as texts go out.
            let before = twilio.posted().len();
            let patience = Duration::from_secs(20);
            eventually_within(patience, "a text", || {
                (twilio.posted().len() > before).then_some(())
            });
            go_on_for(random.below(400));
        }
        engine.kill();
        for caller in &mut callers {
            let _ = caller.kill();
            let _ = caller.wait();
        }
        engine.restart();
        eventually_within(Duration::from_secs(10), "calls are closed", || {
            engine.calls().iter().all(|call| !call["ended_ms"].is_null()).then_some(())
        });
    }
    let texts = settled(&engine, &twilio);
    if !postgres {
        assert_eq!(database.texts("PRAGMA integrity_check"), ["ok"]);
    }
    let unfinished = "SELECT COUNT(*) FROM call WHERE ended_ms IS NULL OR end_reason IS NULL";
    assert_eq!(database.number(unfinished), 0);
    let closed = "SELECT COUNT(*) FROM call WHERE end_reason = 'error' AND handled = 'no_human'";
    let calls = "SELECT COUNT(*) FROM call WHERE end_reason NOT IN ('deflected', 'caller_hangup')";
    assert_eq!(database.number(closed), database.number(calls));
    let no_consent = "SELECT COUNT(*) FROM message WHERE consent_id NOT IN \
        (SELECT consent_id FROM consent)";
    assert_eq!(database.number(no_consent), 0);
    texts
}

/// Waits until nothing is on its way; what the provider took is then what the engine says.
fn settled(engine: &Engine, twilio: &Twilio) -> usize {
    let mut open = Vec::new();
    // The provider is asked every 20 s, and may have read a request later than the first time.
    let messages = eventually_within(Duration::from_secs(45), "all texts are settled", || {
        let messages = messages(engine);
        let lies = |message: &Value| {
            let times = taken(twilio).get(&id(message)).copied().unwrap_or_default();
            assert!(times <= 1, "sent twice: {message}");
            match message["state"].as_str().unwrap() {
                "accepted" => times != 1,
                // It was about to be written; a minute later the provider's list proves that it
                // never arrived, and it is sent.
                "ambiguous" => times != 0,
                _ => true,
            }
        };
        let lying: Vec<_> = messages.iter().filter(|m| lies(m)).cloned().collect();
        if lying != open {
            eprintln!("not settled yet: {lying:?}");
            open = lying;
        }
        open.is_empty().then_some(messages)
    });
    let known: Vec<_> = messages.iter().map(id).collect();
    for (id, times) in taken(twilio) {
        assert_eq!(times, 1, "{id}");
        assert!(known.contains(&id), "{id} was sent before it was committed");
    }
    messages.len()
}

fn messages(engine: &Engine) -> Vec<Value> {
    let told = engine.cli(&["messages", "--json", "--limit", "100000"]);
    serde_json::from_str(&told.out).unwrap_or_else(|_| panic!("{told:?}"))
}

fn id(message: &Value) -> String {
    message["message_id"].as_str().unwrap().to_owned()
}

/// How often the provider took each message.
fn taken(twilio: &Twilio) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for message in twilio.taken() {
        let callback = message["status_callback"].as_str().unwrap();
        let id = callback.split_once("?message=").unwrap().1.to_owned();
        *times.entry(id).or_default() += 1;
    }
    times
}

fn caller(place: &Place, number: &str, key_at_ms: u64) -> Child {
    Command::new(BIN)
        .args(["call", &format!("sip:100@{}", place.engine())])
        .args(["--bind", &place.carrier().to_string(), "--from", number])
        .args(["--press", &format!("1@{key_at_ms}ms")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap()
}

/// Splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}
