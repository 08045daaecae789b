//! The provider and the database fail under callers: each gets the text or a person, and what
//! happened is written once it can be (X-08, lesson 30).

use std::{
    net::TcpListener,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use carom_blackbox::{
    CONFIG, Cluster, Database, Engine, FLOW, Place, Run, Scenario, call, eventually,
    eventually_within, go_on_for,
    twilio::{TOKEN, Twilio, post},
};
use deflect_actions::provider::twilio::signature;

use crate::kill::taken;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
/// A text's prompts are short, so that many calls fit into a test.
const BRIEF: &str = "
accept_within_ms = 2500
attempt_ms    = 1200
wait_prompt   = \"none\"
sent_prompt   = \"beep.wav\"
failed_prompt = \"beep.wav\"
unsure_prompt = \"beep.wav\"
";

#[test]
fn x_03_with_the_provider_out_of_reach_callers_get_a_person() {
    // Nobody listens; somebody listens and takes nothing; the name is none.
    let place = Place::new();
    let silent = TcpListener::bind((place.ip(23), 0)).unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let urls = [format!("http://{}:9", place.ip(23)), silent, "https://nowhere.invalid".to_owned()];
    let places = [place, Place::new(), Place::new()];
    thread::scope(|scope| {
        for (place, url) in places.iter().zip(&urls) {
            scope.spawn(move || {
                place.write("token", "s3cret");
                let provider = format!(
                    "[provider.sandbox]\nkind = \"twilio\"\naccount = \"AC1\"\n\
                     secret = \"file:token\"\nurl = \"{url}\""
                );
                let config = CONFIG.replace("[provider.sandbox]\nkind = \"sandbox\"", &provider);
                let site = Site::new(place, &config);
                site.calls(&["1", "1"]);
                assert_eq!(site.ends(), ["forwarded"; 2], "{url}");
                assert_eq!(site.persons(), 2, "{url}");
            });
        }
    });
}

#[test]
fn x_08_with_the_database_locked_callers_get_a_person_and_the_rows_are_written_later() {
    let place = Place::new();
    let site = Site::new(&place, CONFIG);
    let database = Database::of(&place);
    site.calls(&["1"]);
    assert_eq!(site.ends(), ["deflected"]);
    let locked = database.lock();
    site.calls(&["1", "0", "1", ""]);
    assert_eq!(site.persons(), 4);
    assert_eq!(database.number(ENDED), 1, "nothing is written meanwhile");
    drop(locked);
    site.all_is_written(&database, 5);
    assert_eq!(database.number("SELECT COUNT(*) FROM message WHERE state <> 'delivered'"), 0);
    site.calls(&["1"]);
    assert_eq!(site.ends()[0], "deflected");
}

#[test]
fn x_08_postgresql_is_stopped_and_started_under_callers_and_none_is_trapped() {
    let place = Place::new();
    let cluster = Cluster::start(&place);
    let twilio = Twilio::start(&place);
    let store = format!("\n[store]\nurl = \"{}\"\n", cluster.url());
    let site = Site::new(&place, &(twilio.engine_config(&place) + &store));
    let keys: Vec<&str> = ["1", "0", "1", ""].into_iter().cycle().take(24).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            go_on_for(2_500);
            cluster.down();
            go_on_for(2_500);
            cluster.up();
        });
        site.calls(&keys);
    });
    let ends = site.ends();
    assert_eq!(ends.len(), 24);
    let deflected = ends.iter().filter(|end| *end == "deflected").count();
    assert_eq!(site.persons(), 24 - deflected, "{ends:?}");
    assert!(deflected > 0 && deflected < 12, "some before and after, not all: {ends:?}");
    let database = Database::at(cluster.url());
    site.all_is_written(&database, 24);
    // Of a commit whose answer was lost nobody knows; its text is sent all the same, once.
    settled(&database, &twilio);
    let times = taken(&twilio);
    assert!(times.values().all(|times| *times == 1), "sent twice: {times:?}");
    let promised = "SELECT message_id FROM message WHERE call_id IN \
                    (SELECT call_id FROM call WHERE end_reason = 'deflected') ORDER BY 1";
    let promised = database.texts(promised);
    assert_eq!(promised.len(), deflected);
    assert!(promised.iter().all(|id| times.contains_key(id)), "said, and not sent: {times:?}");
    let known = database.texts("SELECT message_id FROM message");
    assert!(times.keys().all(|id| known.contains(id)), "sent, and not known: {times:?}");
    for (url, sid) in callbacks(&twilio).iter().chain(&callbacks(&twilio)) {
        assert!(delivered(&place, url, sid).starts_with("HTTP/1.1 204"));
    }
    let (all, receipts) = (i64::try_from(times.len()).unwrap(), "SELECT COUNT(*) FROM receipt");
    assert_eq!(database.number(receipts), all, "each counts once");
    let arrived = "SELECT COUNT(*) FROM message WHERE state = 'delivered'";
    assert_eq!(database.number(arrived), all);
    eventually("the store is seen again", || {
        (site.engine.metric(&place, "carom_store_up") as i64 == 1).then_some(())
    });
    site.calls(&["1"]);
    assert_eq!(site.ends()[0], "deflected");
}

#[test]
fn x_08_postgresql_that_falls_silent_is_down_and_up_again_when_it_speaks() {
    let place = Place::new();
    let cluster = Cluster::start(&place);
    let config = format!("{CONFIG}\n[store]\nurl = \"{}\"\n", cluster.url());
    let site = Site::new(&place, &config);
    site.calls(&["1"]);
    assert_eq!(site.ends(), ["deflected"]);
    cluster.freeze();
    site.calls(&["1", "0", ""]);
    let up = |is: i64| {
        eventually_within(Duration::from_secs(30), "the store's state is seen", || {
            (site.engine.metric(&place, "carom_store_up") as i64 == is).then_some(())
        });
    };
    up(0);
    site.calls(&["1"]);
    assert!(site.engine.time_line().contains("store-down"), "{}", site.engine.time_line());
    assert_eq!(site.persons(), 4);
    cluster.thaw();
    up(1);
    site.all_is_written(&Database::at(cluster.url()), 5);
    site.calls(&["1"]);
    assert_eq!(site.ends()[0], "deflected");
}

#[test]
fn receipts_told_while_postgresql_restarts_are_asked_for_again_and_each_counts_once() {
    let place = Place::new();
    let cluster = Cluster::start(&place);
    let twilio = Twilio::start(&place);
    let store = format!("\n[store]\nurl = \"{}\"\n", cluster.url());
    let site = Site::new(&place, &(twilio.engine_config(&place) + &store));
    site.calls(&["1"; 6]);
    let told = callbacks(&twilio);
    assert_eq!(told.len(), 6);
    // As a provider that insists does: each receipt twice, again and again until it is taken.
    let refused = AtomicUsize::new(0);
    thread::scope(|scope| {
        for (url, sid) in told.iter().chain(&told) {
            let (place, refused) = (&place, &refused);
            scope.spawn(move || {
                eventually_within(Duration::from_secs(40), "the receipt is taken", || {
                    let answer = delivered(place, url, sid);
                    let taken = answer.starts_with("HTTP/1.1 204");
                    assert!(taken || answer.starts_with("HTTP/1.1 503"), "{answer}");
                    refused.fetch_add(usize::from(!taken), Ordering::Relaxed);
                    // Taken, and told once more: it may have been committed by a server that fell.
                    (taken && refused.load(Ordering::Relaxed) > 0).then_some(())
                });
            });
        }
        cluster.down();
        go_on_for(1_000);
        cluster.up();
    });
    let database = Database::at(cluster.url());
    let delivered = "SELECT COUNT(*) FROM message WHERE state = 'delivered'";
    eventually("all are delivered", || (database.number(delivered) == 6).then_some(()));
    assert_eq!(database.number("SELECT COUNT(*) FROM receipt"), 6, "each counts once");
}

/// Address and id that the provider's receipts of each text have.
fn callbacks(twilio: &Twilio) -> Vec<(String, String)> {
    let of = |text: &serde_json::Value| {
        let url = text["status_callback"].as_str().unwrap();
        (url.to_owned(), text["sid"].as_str().unwrap().to_owned())
    };
    twilio.taken().iter().map(of).collect()
}

/// Tells that a text has arrived; returns the engine's answer.
fn delivered(place: &Place, url: &str, sid: &str) -> String {
    let form = [("MessageSid", sid), ("MessageStatus", "delivered")];
    let owned = form.map(|(name, value)| (name.to_owned(), value.to_owned()));
    post(place, url.split_once(":8080").unwrap().1, &form, &signature(TOKEN, url, &owned))
}

/// Waits until what each text's row says is so: sent once, or not (decisions §4).
fn settled(database: &Database, twilio: &Twilio) {
    eventually_within(Duration::from_secs(45), "all texts are settled", || {
        let times = taken(twilio);
        let is_so = |row: &String| {
            let (id, state) = row.split_once(' ').unwrap();
            let times = times.get(id).copied().unwrap_or_default();
            match state {
                "accepted" | "sent" | "delivered" => times == 1,
                // It was about to be written; the provider's list proves later that it was not.
                "ambiguous" | "failed" => times == 0,
                _ => false,
            }
        };
        let rows = database.texts("SELECT message_id || ' ' || state FROM message");
        rows.iter().all(is_so).then_some(())
    });
}

const ENDED: &str = "SELECT COUNT(*) FROM call WHERE end_reason IN ('deflected', 'forwarded')";

/// An engine and a PBX that answers and soon hangs up.
struct Site<'a> {
    place: &'a Place,
    engine: Engine,
    pbx: Run,
}

impl<'a> Site<'a> {
    fn new(place: &'a Place, config: &str) -> Self {
        let hasty = "no_input = \"agents\"\ntries = 1\ntimeout_ms = 5000";
        let flow = FLOW.replace("no_input = \"agents\"", hasty).replace("welcome.wav", "beep.wav");
        place.beep();
        let engine = Engine::start_with(BIN, place, config, &format!("{flow}{BRIEF}"));
        let pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(50).listen(place);
        Self { place, engine, pbx }
    }

    /// Calls, one after the other and side by side, each with its key or none; every caller is
    /// answered, and hung up on.
    fn calls(&self, keys: &[&str]) {
        let before = self.engine.calls().len();
        let uri = format!("sip:100@{}", self.place.engine());
        thread::scope(|scope| {
            for (n, key) in keys.iter().enumerate() {
                let from = format!("+447700900{:03}", (before + n) % 1_000);
                let press = match *key {
                    "1" => "1@1200ms".to_owned(),
                    "" => "9@20s".to_owned(),
                    key => format!("{key}@400ms"),
                };
                let uri = &uri;
                scope.spawn(move || {
                    let answer = call(BIN, self.place, uri, &["--from", &from, "--press", &press]);
                    assert!(answer.status.success(), "{from} {press}: {answer:?}");
                });
                go_on_for(300);
            }
        });
        self.engine.idle();
    }

    /// How the calls ended, the newest first.
    fn ends(&self) -> Vec<String> {
        let told = self.engine.cli(&["calls", "--json", "--limit", "100"]);
        let calls: Vec<serde_json::Value> = serde_json::from_str(&told.out).unwrap();
        calls.iter().map(|call| call["end"].as_str().unwrap().to_owned()).collect()
    }

    /// How often a person was rung.
    fn persons(&self) -> usize {
        let messages = self.pbx.messages();
        let invites = messages.lines().filter(|line| line.starts_with("INVITE sip:"));
        invites.count()
    }

    fn all_is_written(&self, database: &Database, calls: i64) {
        eventually_within(Duration::from_secs(30), "all is written", || {
            (database.number(ENDED) == calls).then_some(())
        });
        let rows = &self.engine.status()["rows"];
        assert_eq!(rows["lost"], 0, "{rows}");
        assert!(!self.engine.log().contains("row refused"), "{}", self.engine.log());
    }
}
