//! What protects people and money: a pump of calls gets no more texts than the limits allow, and what
//! outlives a node, answers to texts and senders that rest.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use carom_blackbox::{
    Database, Engine, FLOW, Place, Scenario, call, eventually,
    twilio::{Does, TOKEN, Twilio, post},
};
use deflect_actions::provider::twilio::signature;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const LIMITS: &str = "\n[limits]\ntexts_per_prefix = { per_hour = 1000, prefix_digits = 7 }\n";

#[test]
fn answers_to_texts_are_five_an_hour_over_restarts_and_the_sixth_is_told_the_operator() {
    for postgres in [false, true] {
        let place = Place::new();
        let twilio = Twilio::start(&place);
        let config = twilio.engine_config(&place);
        let config =
            config.replace("provider = \"twilio\"", "provider = \"twilio\"\nauto_reply = false");
        let database = if postgres { Database::postgres() } else { Database::of(&place) };
        let store = format!("\n[store]\nurl = \"{}\"\n", database.url());
        let mut engine = Engine::start_with(BIN, &place, &(config + &store), FLOW);
        let asks = |id: &str, from: &str| {
            let path = "/webhooks/twilio/twilio/inbound";
            let form =
                [("MessageSid", id), ("From", from), ("To", "+447700900999"), ("Body", "HELP")];
            let owned: Vec<_> =
                form.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let url = format!("http://{}:8080{path}", place.engine());
            let answer = post(&place, path, &form, &signature(TOKEN, &url, &owned));
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            answer.contains("<Message>")
        };
        let answered = |ids: std::ops::Range<u32>| {
            ids.filter(|n| asks(&format!("SM{n}"), "+447700900456")).count()
        };
        assert_eq!(answered(0..3), 3);
        engine.kill();
        engine.restart();
        assert_eq!(answered(3..8), 2, "five an hour, whatever is started again");
        assert!(asks("SM9", "+447700900457"), "others get theirs");
        let hits = "SELECT rule || ' ' || scope FROM limit_hit";
        eventually("each is on record", || {
            (database.texts(hits) == ["answers_per_hour caller"; 3]).then_some(())
        });
        let metric = "carom_limit_hits_total{rule=\"answers_per_hour\"}";
        assert!((engine.metric(&place, metric) - 3.0).abs() < 0.1);
        assert!(engine.log().contains("a text is not answered"));
        let keys = "SELECT COUNT(*) FROM protection WHERE scope_key LIKE '%447700900%'";
        assert_eq!(database.number(keys), 0, "nobody's number is in it");
        database.execute("UPDATE protection SET until_ms = 0");
        assert_eq!(answered(10..12), 2, "in the next hour again");
    }
}

/// Phones of the pump that call at once.
const PHONES: usize = 8;

/// Requirements §7.1: each call from another number of one range, each presses the key that is paid
/// for. Twenty-four calls; with `CAROM_LONG=1` the thousand that it names.
#[test]
fn ex_28_a_pump_of_calls_gets_the_texts_of_the_limit_and_every_caller_beyond_it_a_person() {
    let long = std::env::var("CAROM_LONG").is_ok_and(|long| long == "1");
    let (calls, limit) = if long { (1_000, 60) } else { (24, 6) };
    let place = Place::new();
    let twilio = Twilio::start(&place);
    let limits = format!(
        "\n[limits]\ntexts_per_prefix = {{ per_hour = {limit}, prefix_digits = 7 }}\n\
         texts_per_line = {{ per_minute = 1000 }}\n"
    );
    let engine = Engine::start_with(BIN, &place, &(twilio.engine_config(&place) + &limits), FLOW);
    let pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(50).listen(&place);
    let (next, uri) = (AtomicU32::new(0), format!("sip:100@{}", place.engine()));
    thread::scope(|scope| {
        for _ in 0..PHONES {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= calls {
                        return;
                    }
                    let number = format!("+44740{:07}", 2_000_000 + n);
                    let told = call(BIN, &place, &uri, &["--from", &number, "--press", "1@1200ms"]);
                    // Whether by our goodbye or by the person's.
                    assert!(told.status.success(), "{number}: {told:?}");
                }
            });
        }
    });
    engine.idle();
    let database = Database::of(&place);
    let count = |sql: &str| u32::try_from(database.number(sql)).unwrap();
    eventually("all calls are written", || {
        (count("SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL") == calls).then_some(())
    });
    assert_eq!(u32::try_from(twilio.posted().len()).unwrap(), limit, "what the pump is paid for");
    assert_eq!(count("SELECT COUNT(*) FROM call WHERE end_reason = 'deflected'"), limit);
    let to_person =
        "SELECT COUNT(*) FROM call WHERE end_reason = 'forwarded' AND handled = 'human'";
    assert_eq!(count(to_person), calls - limit, "nobody is turned away");
    let rung = pbx.messages().matches("INVITE sip:agents@").count();
    assert!(rung >= usize::try_from(calls - limit).unwrap(), "{rung}");
    let hits = "SELECT COUNT(DISTINCT call_id) FROM limit_hit WHERE rule = 'texts_per_prefix' \
                AND scope = 'prefix' AND scope_key = '+4474020'";
    assert_eq!(count(hits), calls - limit, "each is on record");
    let metric = "carom_limit_hits_total{rule=\"texts_per_prefix\"}";
    assert!((engine.metric(&place, metric) - f64::from(calls - limit)).abs() < 0.1);
}

#[test]
fn ex_28_a_sender_that_is_paused_for_spam_stays_so_over_a_restart() {
    let place = Place::new();
    let twilio = Twilio::start(&place);
    let config = twilio.engine_config(&place) + LIMITS;
    let mut engine = Engine::start_with(BIN, &place, &config, FLOW);
    for n in 0..21 {
        let number = format!("+44740{:07}", 1_000_000 + n);
        if n >= 16 {
            twilio.does(&number, Does::Refuse(400, 30_007, None));
        }
        let _ = engine.cli(&["text", &number, "Example: hello", "--yes"]);
    }
    let resting = |engine: &Engine| engine.status()["resting_senders"].clone();
    let before = resting(&engine);
    assert_eq!((&before[0]["sender"], &before[0]["why"]), (&"uk".into(), &"blocked".into()));
    engine.kill();
    engine.restart();
    let after = eventually("it is known again", || {
        Some(resting(&engine)).filter(|resting| resting[0].is_object())
    });
    assert_eq!(after, before, "as long as it was");
    let posted = twilio.posted().len();
    let told = engine.cli(&["text", "+447401000099", "Example: hello", "--yes"]);
    assert!(!told.status.success() && told.err.contains("blocked"), "{told:?}");
    assert_eq!(twilio.posted().len(), posted);
}
