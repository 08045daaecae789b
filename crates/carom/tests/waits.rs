//! In line: the PBX's own queue and ours, the one offer in it, and the person who ends it.

use std::thread;

use carom_blackbox::{
    CONFIG, Database, Ear, Engine, PCMA, Place, Scenario, Wire, call, eventually, get, respond,
    web::{self, SAFARI},
};
use serde_json::json;

use super::callbacks::early_info;

const BIN: &str = env!("CARGO_BIN_EXE_carom");

pub const FLOW: &str = r#"
version = 1

[flow]
name    = "Line"
default = true
start   = "line"
human   = "agents"

[target.agents]
sip            = "sip:queue@{pbx}:5060"
answered_means = "queue"
human_signal   = "reinvite"
ping_seconds   = 0

[link.chat]
url      = "https://help.example.com/chat"
staffing = "self-service"
intents  = ["any"]

[step.line]
do                  = "wait"
target              = "agents"
music               = "beep.wav"
retry_every_seconds = 5
offer               = "queue_offer"
offer_after_seconds = 5

[step.queue_offer]
do             = "offer"
stage          = "in-queue"
link           = "chat"
play           = "welcome.wav"
press          = { 1 = "queue_text", 2 = "line" }
accept         = ["1"]
no_input       = "line"
if_not_offered = "line"

[step.queue_text]
do       = "text"
link     = "chat"
message  = "Example: {link}"
then     = "hangup"
if_fails = "line"
"#;

#[test]
fn ic_04_in_the_pbx_s_queue_the_offer_plays_once_the_place_is_kept_and_a_person_ends_it() {
    let place = Place::new();
    let (queue, desk) = (Ear::at(place.pbx()), Ear::at(place.pbx()));
    let engine = start(&place);
    let port = desk.addr().port().to_string();
    let pbx = Scenario::new("pbx-moves", place.pbx()).ear(&queue).key("new_port", &port);
    let pbx = pbx.pause_ms(9_000).listen_once(&place);
    let press = ["--press", "2@7s", "--hang-up-after", "11s"];
    thread::scope(|scope| {
        scope.spawn(|| ring(&place, "+447700900701", &press));
        // While the caller hears the offer, the queue's leg lives on: our packets never pause.
        let to_queue = queue.meets();
        for _ in 0..4 {
            queue.speaks(to_queue, PCMA, 0x2a, 50);
            queue.listens(20);
        }
        desk.meets();
    });
    engine.idle();
    let line = engine.time_line();
    for told in [
        "line (wait)",
        "agents answered",
        "queue_offer (offer)",
        "queue_offer at in-queue: pending",
        "declined",
        "a person answered",
        "forwarded, human",
    ] {
        assert!(line.contains(told), "{told}: {line}");
    }
    let messages = pbx.succeeds();
    assert_eq!(messages.matches("\nINVITE sip:queue@").count(), 1, "one place in line: {messages}");
    assert_eq!(messages.matches("\nBYE sip:").count(), 1, "{messages}");
}

#[test]
fn ic_04_the_queue_is_left_only_when_the_text_was_accepted() {
    let place = Place::new();
    let queue = Ear::at(place.pbx());
    let engine = start(&place);
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&queue).listen_once(&place);
    ring(&place, "+447700900702", &["--press", "1@7s"]);
    engine.idle();
    assert_eq!(engine.calls()[0]["end"], "deflected");
    let line = engine.time_line();
    assert!(line.contains("left by next, accepted:sandbox"), "{line}");
    let messages = pbx.succeeds();
    assert_eq!(messages.matches("\nBYE sip:").count(), 1, "{messages}");
    let stage = "SELECT stage || ' ' || response FROM offer";
    let offers = eventually("written", || {
        Some(Database::of(&place).texts(stage)).filter(|offers| !offers.is_empty())
    });
    assert_eq!(offers, ["in-queue accepted"]);
}

#[test]
fn ic_05_who_leaves_the_line_after_opening_the_link_is_told_from_who_leaves_without() {
    let place = Place::new();
    let queue = Ear::at(place.pbx());
    place.beep();
    let flow = FLOW
        .replace("then     = \"hangup\"", "then = \"line\"\nkeep_waiting = true")
        .replace("staffing =", "tracked = true\nstaffing =");
    let config = format!("{CONFIG}public_url = \"http://{{engine}}:8080\"\n");
    let engine = Engine::start_with(BIN, &place, &config, &flow);
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&queue).listen(&place);
    let press = ["--press", "1@7s", "--hang-up-after", "22s"];
    let database = Database::of(&place);
    let opened = "SELECT COUNT(*) FROM link WHERE first_human_ms IS NOT NULL";
    thread::scope(|scope| {
        scope.spawn(|| ring(&place, "+447700900704", &press));
        scope.spawn(|| ring(&place, "+447700900705", &press));
        let path = eventually("texted", || {
            let inbox = get(&place, "/sandbox");
            let own = inbox.split_once("+447700900704")?.1;
            Some(format!("/l/{}", own.split_once("/l/")?.1.get(..22)?))
        });
        opens(&place, &path);
        eventually("opened", || (database.number(opened) == 1).then_some(()));
        let ended = "SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL";
        assert_eq!(database.number(ended), 0, "both are in line still");
    });
    engine.idle();
    let ends = "SELECT end_reason || ' ' || handled FROM call WHERE ended_ms IS NOT NULL";
    let ends = eventually("written", || Some(database.texts(ends)).filter(|ends| ends.len() == 2));
    assert_eq!(ends, ["deflected no_human"; 2]);
    assert_eq!(pbx.messages().matches("\nINVITE sip:queue@").count(), 2, "each kept its place");
    let report = |args: &[&str]| {
        let told = engine.cli(&[&["report"], args].concat());
        assert!(told.status.success(), "{args:?}: {told:?}");
        told.out
    };
    let told: serde_json::Value = serde_json::from_str(&report(&["waited", "--json"])).unwrap();
    let one = |how: &str| json!({ "how": how, "calls": 1 });
    assert_eq!(told, json!([one("left after opening"), one("left unopened")]));
    assert!(report(&["waited"]).contains("left after opening  calls 1"));
    // The others judge what is older than their window.
    for what in ["engaged", "destinations"] {
        assert_eq!(report(&[what]), "nothing of these days is old enough to judge\n");
    }
}

#[test]
fn ic_04_a_queue_that_holds_and_resumes_is_no_person_and_the_offer_still_stands() {
    let place = Place::new();
    let queue = Ear::at(place.pbx());
    let engine = start(&place);
    let pbx = Scenario::new("pbx-holds", place.pbx()).ear(&queue).pause_ms(1_500);
    let pbx = pbx.listen_once(&place);
    ring(&place, "+447700900706", &["--press", "2@8s", "--hang-up-after", "11s"]);
    engine.idle();
    let messages = pbx.succeeds();
    assert!(messages.contains("CSeq: 3 ACK"), "held and resumed: {messages}");
    let line = engine.time_line();
    assert!(line.contains("queue_offer at in-queue: pending"), "{line}");
    assert!(!line.contains("a person answered"), "{line}");
    assert!(line.contains("forwarded, no_human"), "{line}");
}

#[test]
fn a_header_of_the_target_s_update_or_info_tells_of_a_person_and_moved_media_does_not() {
    for (scenario, method, is_person) in
        [("pbx-signals", "UPDATE", true), ("pbx-signals", "INFO", true), ("pbx-updates", "", false)]
    {
        let place = Place::new();
        place.beep();
        let (queue, desk) = (Ear::at(place.pbx()), Ear::at(place.pbx()));
        let flow = FLOW.replace("\"reinvite\"", "\"header:X-Agent-Took\"");
        let engine = Engine::start_with(BIN, &place, CONFIG, &flow);
        let pbx = Scenario::new(scenario, place.pbx()).ear(&queue).key("method", method);
        let pbx = pbx.key("new_port", &desk.addr().port().to_string());
        let pbx = pbx.pause_ms(1_000).listen_once(&place);
        ring(&place, "+447700900707", &["--hang-up-after", "3s"]);
        engine.idle();
        pbx.succeeds();
        let line = engine.time_line();
        assert_eq!(line.contains("a person answered"), is_person, "{method}: {line}");
    }
}

#[test]
fn a_person_whom_an_info_before_the_answer_tells_of_hears_no_offer_and_is_known() {
    let place = Place::new();
    place.beep();
    let flow = FLOW.replace("\"reinvite\"", "\"header:X-Agent-Took\"");
    let engine = Engine::start_with(BIN, &place, CONFIG, &flow);
    let pbx = Wire::at(&place, place.pbx());
    thread::scope(|scope| {
        scope.spawn(|| ring(&place, "+447700900708", &["--hang-up-after", "7s"]));
        let invite = pbx.receive_until("INVITE");
        pbx.send(&respond(&invite, "180 Ringing"));
        pbx.send(&early_info(place.pbx(), &invite, "X-Agent-Took: 7"));
        let _ = pbx.receive_until("SIP/2.0 200");
        pbx.send(&respond(&invite, "200 OK"));
        let bye = pbx.receive_until("BYE");
        pbx.send(&respond(&bye, "200 OK"));
    });
    engine.idle();
    let line = engine.time_line();
    assert!(line.contains("forwarded, human") && !line.contains("queue_offer"), "{line}");
}

#[test]
fn while_the_pbx_is_busy_it_is_tried_again_under_music() {
    let place = Place::new();
    let engine = start(&place);
    let pbx = Scenario::new("pbx-rejects", place.pbx()).key("status", "486 Busy Here");
    let pbx = pbx.listen(&place);
    let heard = place.folder().join("heard.wav");
    let press = ["--press", "2@8s", "--hang-up-after", "14s"];
    let record = ["--record", heard.to_str().unwrap()];
    ring(&place, "+447700900703", &[&press[..], &record].concat());
    engine.idle();
    assert_eq!(engine.calls()[0]["end"], "caller_hangup");
    let tried = pbx.messages().matches("\nINVITE sip:queue@").count();
    assert!((2..=4).contains(&tried), "{tried}");
    // Music from the first second on, and again after the offer.
    let sound = carom_blackbox::sound::read(&heard).unwrap();
    let loud = |from: usize, to: usize| {
        sound[from * 8_000..to * 8_000].iter().any(|sample| sample.unsigned_abs() > 1_000)
    };
    assert!(loud(0, 2) && loud(2, 4) && loud(10, 13), "silence in line");
}

fn start(place: &Place) -> Engine {
    place.beep();
    Engine::start_with(BIN, place, CONFIG, FLOW)
}

/// A caller, from the ring to the end.
fn ring(place: &Place, from: &str, args: &[&str]) {
    let uri = format!("sip:100@{}", place.engine());
    let answer = call(BIN, place, &uri, &[&["--from", from], args].concat());
    assert!(answer.out.contains("\"status\":200"), "{answer:?}");
}

/// A person opens a page.
fn opens(place: &Place, path: &str) {
    let page = web::ask(place, "POST", path, &format!("{SAFARI}{}", web::FORM), "to=0");
    assert!(page.starts_with("HTTP/1.1 303"), "{page}");
}
