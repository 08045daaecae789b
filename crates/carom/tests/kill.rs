//! `kill -9` at any moment: nothing committed is lost, nothing is sent twice, and every receipt of the
//! provider counts once, whether it comes before the answer, while the engine is dead or long after
//! (X-06).

use std::{
    collections::BTreeMap,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use carom_blackbox::{
    CONFIG, Database, Engine, FLOW, Place, eventually_within, go_on_for,
    twilio::{Does, TOKEN, Twilio, try_post},
};
use deflect_actions::provider::twilio::signature;
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
/// Texts are not limited; receipts come.
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
    let failed = &AtomicBool::new(false);
    let texts: usize = thread::scope(|scope| {
        let engines: Vec<_> = (0..ENGINES)
            .map(|n| {
                let (random, postgres) = (Random(seed.wrapping_add(n)), n + 1 == ENGINES);
                scope.spawn(move || killed(kills / ENGINES, random, postgres, failed))
            })
            .collect();
        engines.into_iter().map(|engine| engine.join().unwrap()).sum()
    });
    assert!(texts > 0, "no caller ever got as far as a text");
    eprintln!("{kills} kills, {texts} texts");
}

/// Has the other threads end when the one that holds it panics.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::Release);
        }
    }
}

impl Alarm<'_> {
    fn rings(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Kills an engine again and again under its callers and receipts; returns how many texts it
/// committed.
fn killed(kills: u64, random: Random, postgres: bool, failed: &AtomicBool) -> usize {
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
    let (all_sent, dice) = (AtomicBool::new(false), Random(random.0 ^ 0x5eed));
    let texts = thread::scope(|scope| {
        let receipts = scope.spawn(|| receipts(&place, &twilio, dice, (&all_sent, failed)));
        let alarm = Alarm(failed);
        kill_again_and_again(&mut engine, &place, &twilio, (kills, random), &alarm);
        let texts = settled(&engine, &twilio, &all_sent);
        assert_eq!(receipts.join().unwrap(), twilio.taken().len() * STATES.len());
        texts
    });
    counts_once(&database, &twilio);
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

fn kill_again_and_again(
    engine: &mut Engine,
    place: &Place,
    twilio: &Twilio,
    (kills, mut random): (u64, Random),
    alarm: &Alarm<'_>,
) {
    for round in 0..kills {
        assert!(!alarm.rings(), "another engine has failed");
        let mut callers: Vec<_> = (0..CALLERS)
            .map(|n| {
                let number = format!("+44740{:07}", 1_000_000 + round * CALLERS + n);
                caller(place, &number, 1_020 + random.below(700))
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
}

/// What the provider tells of each text, in no order, some of it more than once.
const STATES: [&str; 2] = ["sent", "delivered"];

/// A receipt that is to be told.
struct Told {
    path: String,
    sid: String,
    status: &'static str,
    /// Looks until it is told.
    wait: u64,
    copies: u64,
}

/// Tells receipts of every text until the engine takes them, as providers do; returns how many
/// different ones, once all texts are sent and all of them told, or an engine has failed.
fn receipts(
    place: &Place,
    twilio: &Twilio,
    mut random: Random,
    (all_sent, failed): (&AtomicBool, &AtomicBool),
) -> usize {
    let alarm = Alarm(failed);
    let base = format!("http://{}:8080", place.engine());
    let (mut known, mut told, mut waiting) = (0, 0, Vec::<Told>::new());
    loop {
        // Read before the list: what is sent is then in it.
        let last = all_sent.load(Ordering::Acquire);
        for message in twilio.taken().into_iter().skip(known) {
            known += 1;
            let callback = message["status_callback"].as_str().unwrap();
            let path = callback.strip_prefix(&base).unwrap();
            let sid = message["sid"].as_str().unwrap();
            for status in STATES {
                let (wait, copies) = (random.below(80), 1 + random.below(3));
                let (path, sid) = (path.to_owned(), sid.to_owned());
                waiting.push(Told { path, sid, status, wait, copies });
            }
        }
        waiting.retain_mut(|receipt| {
            receipt.wait = receipt.wait.saturating_sub(1);
            if receipt.wait > 0 {
                return true;
            }
            let form = [("MessageSid", receipt.sid.as_str()), ("MessageStatus", receipt.status)];
            let owned: Vec<_> =
                form.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let signature = signature(TOKEN, &format!("{base}{}", receipt.path), &owned);
            let answer = try_post(place, &receipt.path, &form, &signature);
            if answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 2")) {
                told += usize::from(receipt.copies == 1);
                receipt.copies -= 1;
            }
            receipt.wait = 10;
            receipt.copies > 0
        });
        if last && waiting.is_empty() || alarm.rings() {
            return told;
        }
        go_on_for(20);
    }
}

/// Each receipt has one row, however often it was told, and its text is where it says.
fn counts_once(database: &Database, twilio: &Twilio) {
    let rows = "SELECT message_id || ' ' || state FROM receipt \
                WHERE state IN ('sent', 'delivered') ORDER BY 1";
    let mut expected: Vec<String> =
        taken(twilio).keys().flat_map(|id| STATES.map(|status| format!("{id} {status}"))).collect();
    expected.sort();
    assert_eq!(database.texts(rows), expected);
    let delivered = "SELECT message_id FROM message WHERE state = 'delivered' \
                     AND delivered_ms IS NOT NULL ORDER BY 1";
    let known: Vec<String> = taken(twilio).into_keys().collect();
    assert_eq!(database.texts(delivered), known);
}

/// Waits until nothing is on its way, and all receipts have come; what the provider took is then what
/// the engine says.
fn settled(engine: &Engine, twilio: &Twilio, all_sent: &AtomicBool) -> usize {
    let mut open = Vec::new();
    // The provider is asked every 20 s, and may have read a request later than the first time.
    let messages = eventually_within(Duration::from_secs(45), "all texts are settled", || {
        let messages = messages(engine);
        let lies = |message: &Value| {
            let times = taken(twilio).get(&id(message)).copied().unwrap_or_default();
            assert!(times <= 1, "sent twice: {message}");
            match message["state"].as_str().unwrap() {
                "delivered" => times != 1,
                // Its receipts are still to come.
                "accepted" | "sent" => true,
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
    all_sent.store(true, Ordering::Release);
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
        // A later attempt has its number behind a point.
        let attempt = callback.split_once("?message=").unwrap().1;
        let id = attempt.split('.').next().unwrap().to_owned();
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
