//! Reloading a running node: new calls take the new files, running ones keep theirs, and broken
//! files change nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use carom_blackbox::{
    CONFIG, Database, Ear, Engine, FLOW, KEYS, Place, Scenario, eventually, go_on_for,
    twilio::Twilio,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn a_running_call_keeps_its_flow_and_the_next_one_takes_the_new() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let phone = Ear::at(place.carrier());
    let old = Scenario::new("carrier-waits", place.carrier()).ear(&phone).call(&place);
    let engine_rtp = phone.meets();
    // Key 1 forwards now, and key 2 hangs up.
    engine.rewrite(&place, "flows/main.toml", |flow| {
        flow.replace("1 = \"hangup\"", "2 = \"hangup\"")
    });
    let told = engine.cli(&["reload"]);
    assert!(told.status.success() && told.out.contains("serving 1 flow"), "{told:?}");

    let other = Ear::at(place.ip(5));
    let new = Scenario::new("carrier-waits", place.ip(5)).ear(&other).call(&place);
    let engine_rtp_of_new = other.meets();
    phone.presses(engine_rtp, 1);
    old.succeeds();
    other.presses(engine_rtp_of_new, 2);
    new.succeeds();
    engine.idle();
}

#[test]
fn a_running_call_keeps_its_senders_and_the_next_one_takes_the_new() {
    let place = Place::new();
    let twilio = Twilio::start(&place);
    let engine = Engine::start_with(BIN, &place, &twilio.engine_config(&place), FLOW);
    let call = |at, caller| {
        let phone = Ear::at(at);
        let scenario = Scenario::new("carrier-waits", at).key("caller", caller).ear(&phone);
        let call = scenario.call(&place);
        let engine_rtp = phone.meets();
        (phone, call, engine_rtp)
    };
    let (phone, old, engine_rtp) = call(place.carrier(), "+447700900171");
    // The sender goes by another name and number now, and its old provider is gone.
    engine.rewrite(&place, "carom.toml", |config| {
        let config = config.replace("provider.twilio", "provider.other");
        let config = config.replace("provider = \"twilio\"", "provider = \"other\"");
        config.replace("sender.uk", "sender.gb").replace("+447700900999", "+447700900998")
    });
    let told = engine.cli(&["reload"]);
    assert!(told.status.success(), "{told:?}");
    let (other, new, engine_rtp_of_new) = call(place.ip(5), "+447700900172");
    // A key in the first second of a prompt sends no text.
    go_on_for(1_100);
    phone.presses(engine_rtp, 1);
    other.presses(engine_rtp_of_new, 1);
    for (caller, from) in [("+447700900171", "+447700900999"), ("+447700900172", "+447700900998")] {
        let posted = eventually("the text", || {
            twilio.posted_to(caller).first().map(|form| form["From"].clone())
        });
        assert_eq!(posted, from, "{caller}");
    }
    old.succeeds();
    new.succeeds();
    let ends: Vec<_> = engine.calls().iter().map(|call| call["end"].to_string()).collect();
    assert_eq!(ends, ["\"deflected\""; 2]);
    engine.idle();
}

#[test]
fn a_broken_file_is_refused_with_the_reason_and_the_old_one_serves_on() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    engine.rewrite(&place, "flows/main.toml", |flow| flow.replace("welcome.wav", "welcom.wav"));
    let told = engine.cli(&["reload"]);
    assert!(!told.status.success(), "{told:?}");
    for part in ["nothing was changed", "E07", "main.toml:", "welcom"] {
        assert!(told.err.contains(part), "{part}: {told:?}");
    }
    assert!(engine.metric(&place, "carom_reloads_total{outcome=\"refused\"}") > 0.0);

    // The node is reached even where carom.toml itself cannot be read any more.
    engine.rewrite(&place, "carom.toml", |config| config.replace("[media]", "[media"));
    let told = engine.cli(&["reload"]);
    assert!(!told.status.success() && told.err.contains("carom.toml:"), "{told:?}");
    assert!(engine.cli(&["status"]).status.success());
    engine.signal("HUP");
    eventually("the refusal in the log", || {
        engine.log().contains("the old configuration serves on").then_some(())
    });

    let phone = Ear::at(place.carrier());
    let carrier = Scenario::new("carrier-waits", place.carrier()).ear(&phone).call(&place);
    phone.presses(phone.meets(), 1);
    carrier.succeeds();
    engine.idle();
}

#[test]
fn sighup_reloads_and_a_trunk_that_is_gone_gets_no_answer() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    let carrier = format!("{}/31", place.carrier());
    let other = format!("{}/32", place.ip(20));
    engine.rewrite(&place, "carom.toml", |config| config.replace(&carrier, &other));
    engine.signal("HUP");
    eventually("the reload in the log", || engine.log().contains("serving 1 flow").then_some(()));

    let gone = carom_blackbox::Wire::at(&place, place.carrier());
    let new = carom_blackbox::Wire::at(&place, place.ip(20));
    let options = carom_blackbox::Ask::new(&place, "OPTIONS");
    gone.send(&options.text(place.carrier()));
    let reply = new.ask(&carom_blackbox::Ask::new(&place, "OPTIONS"));
    assert!(reply.starts_with("SIP/2.0 200"), "{reply}");
    assert!(gone.is_silent());
}

/// Twenty reloads under forty calls; with `CAROM_LONG=1` a hundred under five hundred.
#[test]
fn reloads_disturb_no_call_and_each_keeps_the_revision_it_began_with() {
    let long = std::env::var("CAROM_LONG").is_ok_and(|long| long == "1");
    let (calls, reloads, beeps) = if long { (500, 100, 128) } else { (40, 20, 32) };
    let place = Place::new();
    place.beep();
    let beep = vec!["\"beep.wav\""; beeps].join(", ");
    // What a call leaves in its row says by which text it was played.
    let flow = KEYS.split("[step.").next().unwrap().to_owned();
    let flow = flow.replace("start          = \"welcome\"", "start = \"hello\"")
        + &format!("[step.hello]\ndo = \"say\"\nplay = [{beep}]\nthen = \"mark\"\n")
        + "[step.mark]\ndo = \"set\"\nintent = \"rev-0\"\nthen = \"hangup\"\n";
    let config = format!("{CONFIG}\n[limits]\ncalls = 1000\nnew_calls_per_second = 200\n");
    let engine = Engine::start_with(BIN, &place, &config, &flow);
    let phone = Ear::at(place.ip(5));
    let one = Scenario::new("carrier-waits", place.ip(5)).ear(&phone).call(&place);
    let sink = Ear::at(place.carrier());
    let many = Scenario::new("carrier-waits", place.carrier()).ear(&sink);
    let many = many.call_many(&place, calls, calls / 16 + 2);
    let is_over = Arc::new(AtomicBool::new(false));
    let listens = {
        let over = Arc::clone(&is_over);
        thread::spawn(move || {
            let mut heard = Vec::new();
            while !over.load(Relaxed) {
                heard.extend(phone.heard());
                go_on_for(20);
            }
            heard
        })
    };
    for n in 1..=reloads {
        engine.rewrite(&place, "flows/main.toml", |flow| {
            flow.replace(&format!("rev-{}\"", n - 1), &format!("rev-{n}\""))
        });
        let told = engine.cli(&["reload"]);
        assert!(told.status.success(), "{told:?}");
    }
    one.succeeds();
    many.succeeds();
    is_over.store(true, Relaxed);
    let heard = listens.join().unwrap();
    engine.idle();
    let database = Database::of(&place);
    let ended = "SELECT COUNT(*) FROM call WHERE end_reason IS NOT NULL";
    eventually("all are written", || {
        (database.number(ended) == i64::from(calls) + 1).then_some(())
    });
    // One text for each revision, whatever was served when the call ended.
    let revisions = database.number("SELECT COUNT(DISTINCT flow_rev) FROM call");
    let pairs = "SELECT COUNT(*) FROM (SELECT DISTINCT flow_rev, intent FROM call) pairs";
    assert_eq!(database.number(pairs), revisions);
    assert!(revisions > 1, "{revisions} revisions took calls");
    let played = "SELECT COUNT(*) FROM step WHERE step = 'hello' AND exit = 'next'";
    assert_eq!(database.number(played), i64::from(calls) + 1, "each prompt was played to its end");
    // No packet of a call is missing, and no sample between two of them.
    let samples = 2_000 * beeps;
    assert!(heard.len() >= samples / 160, "{} packets of {samples} samples", heard.len());
    for pair in heard.windows(2) {
        assert_eq!(pair[1].seq, pair[0].seq.wrapping_add(1));
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160));
    }
}
