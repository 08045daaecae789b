//! `kill -9` at any moment: nothing committed is lost, nothing is sent twice, and every receipt of the
//! provider counts once, whether it comes before the answer, while the engine is dead or long after
//! (X-06). A provider that can be asked, one whose receipts name our message, and a message centre
//! that does neither.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use carom_blackbox::{
    CONFIG, Database, Engine, FLOW, Place, eventually_within, go_on_for,
    twilio::{Does, TOKEN, Twilio, try_post},
    web,
};
use deflect_actions::provider::{smpp::Short, twilio::signature};
use provider_emulator::{
    Account, Emulator, Event, HOOK_SECRET, PHONE_ID, Personality, Says, VERIFY_TOKEN,
    smpp::{Centre, PASSWORD},
};
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
/// Texts are not limited; receipts come.
const PLENTY: &str = r#"public_url = "http://{engine}:8080"

[limits]
texts_per_prefix = { per_hour = 100000, prefix_digits = 7 }
texts_per_line   = { per_minute = 100000 }
"#;
/// Steps by the keys that lead to them, and the senders whose texts they are.
const CARRIED: [(char, &str); 3] = [('1', "uk"), ('2', "wa"), ('3', "centre")];
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
    let providers = Providers::start(&place);
    let (before, http) = CONFIG.split_once("[provider.sandbox]").unwrap();
    let http = http.split_once("[http]").unwrap().1;
    let config = format!("{before}{}\n[http]{http}", providers.tables(&place));
    let config = format!("{config}{PLENTY}\n[store]\nurl = \"{}\"\n", database.url());
    let mut engine = Engine::start_with(BIN, &place, &config, &flow());
    let (all_sent, dice) = (AtomicBool::new(false), Random(random.0 ^ 0x5eed));
    let texts = thread::scope(|scope| {
        let receipts = scope.spawn(|| receipts(&place, &providers, dice, (&all_sent, failed)));
        let alarm = Alarm(failed);
        kill_again_and_again(&mut engine, &place, &providers, (kills, random), &alarm);
        let texts = settled(&engine, &providers, &all_sent);
        assert_eq!(receipts.join().unwrap(), providers.taken() * STATES.len());
        texts
    });
    counts_once(&database, &providers);
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
    providers: &Providers,
    (kills, mut random): (u64, Random),
    alarm: &Alarm<'_>,
) {
    for round in 0..kills {
        assert!(!alarm.rings(), "another engine has failed");
        let (key, _) = CARRIED[usize::try_from(random.below(3)).unwrap()];
        let mut callers: Vec<_> = (0..CALLERS)
            .map(|n| {
                let number = format!("+44740{:07}", 1_000_000 + round * CALLERS + n);
                caller(place, &number, (key, 1_020 + random.below(700)))
            })
            .collect();
        if random.below(2) == 0 {
            go_on_for(random.below(2_200));
        } else {
            // Where it is tightest: as texts go out.
            let before = providers.taken();
            let patience = Duration::from_secs(20);
            eventually_within(patience, "a text", || (providers.taken() > before).then_some(()));
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
    how: How,
    /// Looks until it is told.
    wait: u64,
    copies: u64,
}

/// The way of a receipt.
enum How {
    Twilio {
        path: String,
        sid: String,
        status: &'static str,
    },
    Posted {
        path: String,
        headers: String,
        body: String,
    },
    /// By the session, and by what it is known whether it was taken.
    Centre {
        short: Short,
        tried: Option<u32>,
    },
}

/// The providers of an engine.
struct Providers {
    twilio: Twilio,
    whatsapp: Account,
    centre: Centre,
}

impl Providers {
    fn start(place: &Place) -> Self {
        let emulator = Emulator::start(place.ip(20)).unwrap();
        let (twilio, centre) = (Twilio::of(&emulator), emulator.centre().clone());
        let whatsapp = emulator.account(Personality::WhatsApp);
        // The answer takes its time, so that a kill often falls between request and answer.
        let slow = Does::Slow(Duration::from_millis(150));
        twilio.always(slow);
        whatsapp.always(slow);
        centre.does(&vec![slow; 10_000]);
        Self { twilio, whatsapp, centre }
    }

    /// Their tables of `carom.toml`.
    fn tables(&self, place: &Place) -> String {
        for (file, secret) in
            [("hooks", HOOK_SECRET), ("verify", VERIFY_TOKEN), ("password", PASSWORD)]
        {
            place.write(file, secret);
        }
        let (twilio, url, at) = (self.twilio.config(place), self.twilio.url(), self.centre.at);
        format!(
            "{twilio}\n[provider.whatsapp-cloud]\nkind = \"whatsapp-cloud\"\nsecret = \"file:token\"\n\
             app_secret = \"file:hooks\"\nverify_token = \"file:verify\"\nurl = \"{url}/v23.0\"\n\
             [sender.wa]\nprovider = \"whatsapp-cloud\"\nfrom = \"{PHONE_ID}\"\nchannel = \"whatsapp\"\n\
             template = \"chat_link_v2\"\ntemplate_languages = {{ en-GB = \"en_GB\" }}\n\
             variables = [\"{{link_token}}\"]\nregions = [\"GB\"]\n\
             [provider.smpp]\nkind = \"smpp\"\naccount = \"carom\"\nsecret = \"file:password\"\n\
             url = \"smpp://{at}\"\nreceipt_ids = \"decimal\"\n\
             [sender.centre]\nprovider = \"smpp\"\nfrom = \"+447700900998\"\nregions = [\"GB\"]\n"
        )
    }

    /// How many texts they took, all together.
    fn taken(&self) -> usize {
        self.twilio.taken().len() + self.whatsapp.taken().len() + self.centre.taken().len()
    }

    /// How often each message was taken by those that tell which it was.
    fn named(&self) -> BTreeMap<String, usize> {
        let mut times = taken(&self.twilio);
        for message in self.whatsapp.taken() {
            let reference = message.reference.unwrap();
            *times.entry(reference.split('.').next().unwrap().to_owned()).or_default() += 1;
        }
        times
    }
}

/// A text by each sender, each by a key of its own.
fn flow() -> String {
    let (menu, text) = FLOW.split_once("[step.text_me]").unwrap();
    let keys: Vec<String> =
        CARRIED.iter().map(|(key, sender)| format!("{key} = \"{sender}_text\"")).collect();
    let menu = menu.replace("1 = \"text_me\"", &keys.join(", "));
    let steps = CARRIED
        .iter()
        .map(|(_, sender)| format!("[step.{sender}_text]\nvia = [\"{sender}\"]{text}\n"));
    menu + &steps.collect::<String>()
}

/// Tells receipts of every text until the engine takes them, as providers do; returns how many
/// different ones, once all texts are sent and all of them told, or an engine has failed.
fn receipts(
    place: &Place,
    providers: &Providers,
    mut random: Random,
    (all_sent, failed): (&AtomicBool, &AtomicBool),
) -> usize {
    let alarm = Alarm(failed);
    let (mut known, mut told, mut waiting) = ([0; 3], 0, Vec::<Told>::new());
    loop {
        // Read before the lists: what is sent is then in them.
        let last = all_sent.load(Ordering::Acquire);
        for how in ways(place, providers, &mut known) {
            waiting.push(Told { how, wait: random.below(80), copies: 1 + random.below(3) });
        }
        waiting.retain_mut(|receipt| {
            receipt.wait = receipt.wait.saturating_sub(1);
            if receipt.wait > 0 {
                return true;
            }
            if receipt.how.is_taken(place, providers) {
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

/// The receipts of the texts that were taken since the last look.
fn ways(place: &Place, providers: &Providers, known: &mut [usize; 3]) -> Vec<How> {
    let base = base(place);
    let mut ways = Vec::new();
    for message in providers.twilio.taken().into_iter().skip(known[0]) {
        known[0] += 1;
        let callback = message["status_callback"].as_str().unwrap();
        let path = callback.strip_prefix(&base).unwrap();
        let sid = message["sid"].as_str().unwrap();
        let way = |status| How::Twilio { path: path.to_owned(), sid: sid.to_owned(), status };
        ways.extend(STATES.map(way));
    }
    for message in providers.whatsapp.taken().into_iter().skip(known[1]) {
        known[1] += 1;
        let (id, number) = (message.id.as_str(), message.to.as_str());
        let reference = message.reference.as_deref();
        for says in [Says::Sent, Says::Delivered] {
            let at_ms = i64::try_from(now_ms()).unwrap();
            let event = Event { id, reference, number, says, at_ms };
            let hook = Personality::WhatsApp.hook(&[event]);
            let headers = hook.headers.iter();
            let headers = headers
                .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()))
                .collect();
            let body = String::from_utf8(hook.body).unwrap();
            ways.push(How::Posted { path: hook.path, headers, body });
        }
    }
    for n in known[2]..providers.centre.taken().len() {
        known[2] += 1;
        let way = |stat| How::Centre { short: Centre::receipt(n, stat), tried: None };
        ways.extend(["ACCEPTD", "DELIVRD"].map(way));
    }
    ways
}

impl How {
    /// Tells it; whether the engine has taken it.
    fn is_taken(&mut self, place: &Place, providers: &Providers) -> bool {
        let well = |answer: std::io::Result<String>| {
            answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 2"))
        };
        match self {
            Self::Twilio { path, sid, status } => {
                let form = [("MessageSid", sid.as_str()), ("MessageStatus", *status)];
                let owned: Vec<_> =
                    form.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
                let signature = signature(TOKEN, &format!("{}{path}", base(place)), &owned);
                well(try_post(place, path, &form, &signature))
            }
            Self::Posted { path, headers, body } => {
                well(web::try_ask(place, "POST", path, headers, body))
            }
            Self::Centre { short, tried } => {
                if tried.take().is_some_and(|tried| providers.centre.is_kept(tried)) {
                    return true;
                }
                *tried = providers.centre.tries(short.clone());
                false
            }
        }
    }
}

fn base(place: &Place) -> String {
    format!("http://{}:8080", place.engine())
}

/// Each receipt has one row, however often it was told, and its text is where it says.
fn counts_once(database: &Database, providers: &Providers) {
    let rows = "SELECT message_id || ' ' || state FROM receipt \
                WHERE provider <> 'smpp' AND state IN ('sent', 'delivered') ORDER BY 1";
    let named = providers.named();
    let mut expected: Vec<String> =
        named.keys().flat_map(|id| STATES.map(|status| format!("{id} {status}"))).collect();
    expected.sort();
    assert_eq!(database.texts(rows), expected);
    let delivered = "SELECT message_id FROM message WHERE state = 'delivered' \
                     AND provider <> 'smpp' AND delivered_ms IS NOT NULL ORDER BY 1";
    assert_eq!(database.texts(delivered), named.into_keys().collect::<Vec<_>>());
    // The centre's name its own ids only: of a text whose answer was lost nobody knows whose they are.
    let of_centre = "FROM receipt WHERE provider = 'smpp' AND state IN ('sent', 'delivered')";
    let told = i64::try_from(providers.centre.taken().len() * STATES.len()).unwrap();
    assert_eq!(database.number(&format!("SELECT COUNT(*) {of_centre}")), told);
    let different = format!("SELECT COUNT(DISTINCT provider_id || state) {of_centre}");
    assert_eq!(database.number(&different), told);
}

/// Waits until nothing is on its way, and all receipts have come; what the providers took is then what
/// the engine says.
fn settled(engine: &Engine, providers: &Providers, all_sent: &AtomicBool) -> usize {
    let mut open = Vec::new();
    // The provider is asked every 20 s, and may have read a request later than the first time.
    let messages = eventually_within(Duration::from_secs(45), "all texts are settled", || {
        let messages = messages(engine);
        let named = providers.named();
        let lies = |message: &Value| {
            let times = named.get(&id(message)).copied().unwrap_or_default();
            assert!(times <= 1, "sent twice: {message}");
            let of_centre = message["sender"] == "centre";
            match message["state"].as_str().unwrap() {
                "delivered" => !of_centre && times != 1,
                // Its receipts are still to come.
                "accepted" | "sent" => true,
                // It was about to be written. Twilio's list proves a minute later that it never
                // arrived, and it is sent; of the others nobody can be asked.
                "ambiguous" => !of_centre && times != 0,
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
    for (id, times) in providers.named() {
        assert_eq!(times, 1, "{id}");
        assert!(known.contains(&id), "{id} was sent before it was committed");
    }
    // Each caller of the centre's texts has a number of their own.
    let taken = providers.centre.taken();
    let numbers: BTreeSet<_> = taken.iter().map(|short| short.destination.text.clone()).collect();
    assert_eq!(numbers.len(), taken.len(), "sent twice");
    let of_centre = |state: &str| {
        let is = |message: &&Value| message["sender"] == "centre" && message["state"] == state;
        messages.iter().filter(is).count()
    };
    let (arrived, unsure) = (of_centre("delivered"), of_centre("ambiguous"));
    assert!((arrived..=arrived + unsure).contains(&taken.len()), "{arrived} {unsure} {taken:?}");
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
pub fn taken(twilio: &Twilio) -> BTreeMap<String, usize> {
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

fn caller(place: &Place, number: &str, (key, at_ms): (char, u64)) -> Child {
    Command::new(BIN)
        .args(["call", &format!("sip:100@{}", place.engine())])
        .args(["--bind", &place.carrier().to_string(), "--from", number])
        .args(["--press", &format!("{key}@{at_ms}ms")])
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
