//! Callbacks from the caller's key to the conversation: booked, dialled, tried again, canceled.

use std::net::{Ipv4Addr, SocketAddr};

use carom_blackbox::{
    Ask, CONFIG, Database, Ear, Engine, PCMA, Place, Scenario, Wire, call, eventually, header,
    media_of, respond, sound,
    web::{Crm, Says},
};
use rtp_media::codec::Law;

use crate::softphone::spoken;

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const FLOW: &str = r#"
version = 1

[flow]
name    = "Back"
default = true
start   = "callback"
human   = "agents"

[target.agents]
sip            = "sip:desk@{pbx}:5060"
answered_means = "human"
ring_seconds   = 5
ping_seconds   = 0

[step.callback]
do       = "callback"
play     = "beep.wav"
capacity = { per_hour = 2 }
then     = "hangup"
if_fails = "agents"
"#;

const TRUNK: &str = r#"trusted    = true
outbound      = true
address       = "sip:{carrier}:5060"
callback_from = "+442079460018""#;

#[test]
fn a_caller_is_called_back_when_a_person_is_there() {
    let place = Place::new();
    let engine = start(&place);
    book(&place, "+447700900801");
    assert_eq!(engine.calls()[0]["end"], "callback_booked");
    let database = Database::of(&place);
    assert_eq!(database.texts("SELECT state FROM callback"), ["booked"]);
    // Neither the row nor the log shows whom.
    assert!(!database.texts("SELECT number_enc FROM callback")[0].contains("7700900801"));
    assert!(!engine.log().contains("7700900801"));

    let (agent, caller) = (Ear::at(place.pbx()), Ear::at(place.carrier()));
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&agent).listen_once(&place);
    let carrier = Scenario::new("pbx-hangs-up", place.carrier()).ear(&caller).pause_ms(4_000);
    let carrier = carrier.listen_once(&place);
    database.execute("UPDATE callback SET due_ms = 0");
    agent.meets();
    // The agent hears whom it is about before the caller is rung.
    assert!(!carrier.messages().contains("INVITE"), "{}", carrier.messages());
    carrier.saw("\nACK ");
    let to_agent: SocketAddr = media_of(&place, &pbx.messages());
    let to_caller = media_of(&place, &carrier.messages());
    agent.is_heard_by(to_agent, PCMA, 0x5c, &caller);
    caller.is_heard_by(to_caller, PCMA, 0x2a, &agent);
    let rung = carrier.succeeds();
    assert!(rung.contains("INVITE sip:+447700900801@"), "{rung}");
    assert!(rung.contains("From: <sip:+442079460018@"), "our own number is shown: {rung}");
    let desk = pbx.succeeds();
    assert!(desk.contains("INVITE sip:desk@"), "{desk}");
    assert!(desk.contains("From: <sip:+447700900801@"), "the agent sees who it is: {desk}");
    engine.idle();
    eventually("done", || (database.texts("SELECT state FROM callback") == ["done"]).then_some(()));
    let ends = "SELECT origin || ' ' || end_reason || ' ' || handled FROM call \
                WHERE ended_ms IS NOT NULL ORDER BY started_ms";
    let ends = eventually("written", || Some(database.texts(ends)).filter(|ends| ends.len() == 2));
    assert_eq!(ends, ["trunk callback_booked no_human", "callback forwarded human"]);
    // EX-09: neither is a deflection.
    assert_eq!(database.number("SELECT COUNT(*) FROM v_deflected"), 0);
}

#[test]
fn who_does_not_answer_is_tried_again_later_and_one_that_is_canceled_is_not() {
    let place = Place::new();
    let engine = start(&place);
    book(&place, "+447700900802");
    let database = Database::of(&place);
    let agent = Ear::at(place.pbx());
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&agent).listen_once(&place);
    let carrier = Scenario::new("pbx-rejects", place.carrier()).key("status", "486 Busy Here");
    let carrier = carrier.listen(&place);
    database.execute("UPDATE callback SET due_ms = 0");
    pbx.succeeds();
    carrier.saw("\nACK ");
    engine.idle();
    eventually("booked again", || {
        let again = "SELECT COUNT(*) FROM callback WHERE state = 'booked' AND tries = 1 \
                     AND due_ms > created_ms + 240000";
        (database.number(again) == 1).then_some(())
    });
    let listed: serde_json::Value =
        serde_json::from_str(&engine.cli(&["callbacks", "--json"]).out).unwrap();
    assert_eq!((&listed[0]["state"], &listed[0]["tries"]), (&"booked".into(), &1.into()));
    let id = listed[0]["callback_id"].as_str().unwrap();
    assert!(engine.cli(&["callbacks", "cancel", id]).status.success());
    assert!(engine.cli(&["callbacks"]).out.contains("canceled"));
    assert!(!engine.cli(&["callbacks", "cancel", id]).status.success());
}

#[test]
fn a_killed_node_leaves_a_callback_that_is_made_once_it_is_back() {
    let place = Place::new();
    let mut engine = start(&place);
    book(&place, "+447700900803");
    let database = Database::of(&place);
    let agent = Ear::at(place.pbx());
    let pbx = Scenario::new("pbx-rings", place.pbx()).listen(&place);
    database.execute("UPDATE callback SET due_ms = 0");
    pbx.saw("INVITE sip:desk@");
    engine.kill();
    drop(pbx);
    assert_eq!(database.texts("SELECT state FROM callback"), ["calling"]);
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&agent).listen_once(&place);
    let caller = Ear::at(place.carrier());
    let carrier = Scenario::new("pbx-hangs-up", place.carrier()).ear(&caller).pause_ms(500);
    let carrier = carrier.listen_once(&place);
    engine.restart();
    let rung = carrier.succeeds();
    assert_eq!(rung.matches("\nINVITE sip:+447700900803@").count(), 1, "{rung}");
    pbx.succeeds();
    engine.idle();
    eventually("done", || (database.texts("SELECT state FROM callback") == ["done"]).then_some(()));
    assert_eq!(database.number("SELECT tries FROM callback"), 2);
}

#[test]
fn another_system_is_told_whom_to_call_until_it_takes_it_and_nobody_is_dialled() {
    let place = Place::new();
    let crm = Crm::start(Says::Status(503));
    std::fs::write(place.folder().join("hook"), "hook secret").unwrap();
    let way = format!(
        "deliver = \"webhook\"\nurl = \"{}/calls\"\nsecret = \"file:hook\"\nthen",
        crm.url()
    );
    // No trunk carries callbacks here: none is needed.
    place.beep();
    let mut engine = Engine::start_with(BIN, &place, CONFIG, &FLOW.replacen("then", &way, 1));
    book(&place, "+447700900804");
    let database = Database::of(&place);
    database.execute("UPDATE callback SET due_ms = 0");
    eventually("it is told", || (!crm.asked().is_empty()).then_some(()));
    eventually("it is to be told again", || {
        let again = "SELECT COUNT(*) FROM callback WHERE state = 'booked' AND tries = 1";
        (database.number(again) == 1).then_some(())
    });
    crm.says(Says::Status(204));
    engine.restart();
    eventually("done", || (database.texts("SELECT state FROM callback") == ["done"]).then_some(()));
    let asked = crm.asked();
    let (first, last) = (&asked[0], asked.last().unwrap());
    assert_eq!((last.method.as_str(), last.path.as_str()), ("POST", "/calls"));
    assert_eq!(first.header("webhook-id"), last.header("webhook-id"), "the same each time");
    assert!(last.header("webhook-signature").starts_with("v1,"), "{last:?}");
    let told: serde_json::Value = serde_json::from_str(&last.body).unwrap();
    assert_eq!(told["type"], "callback.due");
    assert_eq!(told["number"], "+447700900804");
    assert_eq!(told["id"], last.header("webhook-id"));
    let call = database.texts("SELECT call_id FROM callback").remove(0);
    assert_eq!(told["call_id"], call.as_str());
    assert!(told["context_url"].as_str().unwrap().ends_with(&format!("/v1/context/{call}")));
    // The number went there and nowhere else.
    assert!(!engine.log().contains("7700900804"));
    // EX-09: work was moved, not removed.
    let ended = "SELECT end_reason FROM call WHERE ended_ms IS NOT NULL";
    assert_eq!(database.texts(ended), ["callback_booked"]);
    assert_eq!(database.number("SELECT COUNT(*) FROM v_deflected"), 0);
}

#[test]
fn ic_04_who_is_with_a_person_after_all_is_not_rung_as_well() {
    let place = Place::new();
    let flow = FLOW.replacen("then     = \"hangup\"", "then     = \"agents\"", 1);
    place.beep();
    let engine =
        Engine::start_with(BIN, &place, &CONFIG.replace("trusted    = true", TRUNK), &flow);
    let agent = Ear::at(place.pbx());
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&agent).listen_once(&place);
    let uri = format!("sip:100@{}", place.engine());
    let keys = ["--press", "1@1s", "--press", "1@3s", "--hang-up-after", "12s"];
    let rung = call(BIN, &place, &uri, &[&["--from", "+447700900805"], &keys[..]].concat());
    assert!(rung.out.contains("\"status\":200"), "{rung:?}");
    pbx.succeeds();
    engine.idle();
    assert_eq!(engine.calls()[0]["end"], "forwarded");
    let database = Database::of(&place);
    eventually("taken back", || {
        (database.texts("SELECT state FROM callback") == ["canceled"]).then_some(())
    });
}

#[test]
fn dp_06_where_the_first_hour_is_full_the_next_is_booked_and_where_all_are_nothing_is_spoken() {
    let place = Place::new();
    place.beep();
    let flow = FLOW.replace("per_hour = 2", "per_hour = 1");
    let engine =
        Engine::start_with(BIN, &place, &CONFIG.replace("trusted    = true", TRUNK), &flow);
    book(&place, "+447700900811");
    book(&place, "+447700900812");
    let database = Database::of(&place);
    let due = "SELECT COUNT(DISTINCT due_ms / 3600000) FROM callback WHERE state = 'booked'";
    assert_eq!(database.number(due), 2, "an hour each");
    // Every hour of a day is taken.
    for hour in 0..26 {
        database.execute(&format!(
            "INSERT INTO callback (callback_id, call_id, target, due_ms, state, created_ms, step, \
             max_tries, flow) SELECT 'full-{hour}', call_id, target, due_ms + {hour} * 3600000, \
             'done', 0, step, 1, flow FROM callback WHERE state = 'booked' ORDER BY due_ms LIMIT 1"
        ));
    }
    let pbx = Scenario::new("pbx-rejects", place.pbx()).key("status", "486 Busy Here");
    let pbx = pbx.listen_once(&place);
    let uri = format!("sip:100@{}", place.engine());
    let rung = call(BIN, &place, &uri, &["--from", "+447700900813"]);
    assert!(rung.out.contains("\"status\":486"), "nobody answered for it: {rung:?}");
    pbx.succeeds();
    engine.idle();
    let line = engine.time_line();
    assert!(line.contains("left by error, full"), "{line}");
}

#[test]
fn ex_09_a_number_is_called_back_so_often_and_its_caller_then_hears_of_none_and_gets_a_person() {
    let place = Place::new();
    place.beep();
    let config = CONFIG.replace("trusted    = true", TRUNK)
        + "\n[limits]\ncallbacks_per_caller = { per_hour = 1 }\n";
    let engine = Engine::start_with(BIN, &place, &config, FLOW);
    book(&place, "+447700900821");
    // It is not offered what it would not get: the call is not even answered for it.
    let pbx = Scenario::new("pbx-rejects", place.pbx()).key("status", "486 Busy Here");
    let pbx = pbx.listen_once(&place);
    let uri = format!("sip:100@{}", place.engine());
    let rung = call(BIN, &place, &uri, &["--from", "+447700900821"]);
    assert!(rung.out.contains("\"status\":486"), "{rung:?}");
    pbx.succeeds();
    engine.idle();
    let line = engine.time_line();
    assert!(line.contains("left by error, limited"), "{line}");
    let database = Database::of(&place);
    assert_eq!(database.number("SELECT COUNT(*) FROM callback"), 1);
    let hits = "SELECT COUNT(*) FROM limit_hit WHERE rule = 'callbacks_per_caller'";
    eventually("the limit is recorded", || (database.number(hits) == 1).then_some(()));
}

#[test]
fn who_was_reached_is_not_rung_again_because_the_store_did_not_take_it() {
    let place = Place::new();
    let engine = start(&place);
    book(&place, "+447700900822");
    let database = Database::of(&place);
    database.execute(
        "CREATE TRIGGER no BEFORE UPDATE ON callback WHEN OLD.state = 'calling' AND \
         (NEW.state = 'done' OR (NEW.state = 'calling' AND NEW.lease_until_ms > 0)) \
         BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    let (agent, caller) = (Ear::at(place.pbx()), Ear::at(place.carrier()));
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&agent).listen(&place);
    let carrier = Scenario::new("pbx-hangs-up", place.carrier()).ear(&caller).pause_ms(500);
    let carrier = carrier.listen(&place);
    database.execute("UPDATE callback SET due_ms = 0");
    carrier.saw("\nACK ");
    engine.idle();
    assert_eq!(database.texts("SELECT state FROM callback"), ["calling"]);
    // As when the lease has lapsed, and another node has it back: it is anybody's, this node's too.
    database
        .execute("UPDATE callback SET state = 'booked', claimed_by = NULL, lease_until_ms = NULL");
    eventually("done", || (database.texts("SELECT state FROM callback") == ["done"]).then_some(()));
    engine.idle();
    assert_eq!(database.number("SELECT tries FROM callback"), 1);
    for rung in [pbx.messages(), carrier.messages()] {
        assert_eq!(rung.matches("\nINVITE sip:").count(), 1, "{rung}");
    }
}

#[test]
fn a_callback_that_rings_when_the_clock_jumps_past_its_lease_is_not_made_twice() {
    let place = Place::new();
    let engine = start(&place);
    book(&place, "+447700900828");
    let database = Database::of(&place);
    let pbx = Scenario::new("pbx-rings", place.pbx()).listen(&place);
    database.execute("UPDATE callback SET due_ms = 0");
    pbx.saw("SIP/2.0 180");
    // As after a step of the clock, or when the machine was suspended.
    database.execute("UPDATE callback SET lease_until_ms = 0");
    let again = "SELECT COUNT(*) FROM callback WHERE state = 'booked' AND due_ms > created_ms";
    eventually("nobody came", || (database.number(again) == 1).then_some(()));
    assert_eq!(database.number("SELECT tries FROM callback"), 1);
    let rung = pbx.messages();
    assert_eq!(rung.matches("\nINVITE sip:").count(), 1, "{rung}");
    engine.idle();
}

#[test]
fn a_callback_that_rings_when_the_node_stops_is_given_up_at_once_and_was_no_try() {
    let place = Place::new();
    place.beep();
    let flow =
        FLOW.replace("ping_seconds", "next_sip = [\"sip:desk@{carrier}:5060\"]\nping_seconds");
    let config = CONFIG.replace("trusted    = true", TRUNK);
    let mut engine = Engine::start_with(BIN, &place, &config, &flow);
    book(&place, "+447700900829");
    let database = Database::of(&place);
    let pbx = Scenario::new("pbx-rings", place.pbx()).listen_once(&place);
    let next = Wire::at(&place, place.carrier());
    database.execute("UPDATE callback SET due_ms = 0");
    pbx.saw("SIP/2.0 180");
    for part in ["no new calls", "bridging the calls"] {
        engine.signal("TERM");
        eventually(part, || engine.log().contains(part).then_some(()));
    }
    assert!(engine.runs());
    engine.signal("TERM");
    pbx.saw("CANCEL sip:");
    assert!(engine.ended().success(), "{}", engine.log());
    assert!(next.is_silent());
    let kept = "SELECT state || ' ' || tries FROM callback";
    assert_eq!(database.texts(kept), ["booked 0"]);
    let ended = "SELECT COUNT(*) FROM call WHERE origin = 'callback' AND end_reason = 'no_route'";
    assert_eq!(database.number(ended), 1);
}

#[test]
fn a_person_who_is_told_of_before_the_desk_answers_is_there_when_it_does() {
    let place = Place::new();
    place.beep();
    let flow = FLOW.replace("\"human\"", "\"queue\"\nhuman_signal = \"header:X-Agent-Took\"");
    let config = CONFIG.replace("trusted    = true", TRUNK);
    let engine = Engine::start_with(BIN, &place, &config, &flow);
    book(&place, "+447700900830");
    let desk = Wire::at(&place, place.pbx());
    let carrier = Scenario::new("pbx-rejects", place.carrier()).key("status", "486 Busy Here");
    let carrier = carrier.listen_once(&place);
    let database = Database::of(&place);
    database.execute("UPDATE callback SET due_ms = 0");
    let invite = desk.receive_until("INVITE");
    desk.send(&respond(&invite, "180 Ringing"));
    desk.send(&early_info(place.pbx(), &invite, "X-Agent-Took: 7"));
    let _ = desk.receive_until("SIP/2.0 200");
    assert!(!engine.time_line().contains("a person answered"), "nobody answered anything yet");
    desk.send(&respond(&invite, "200 OK"));
    let _ = desk.receive_until("ACK");
    carrier.saw("ACK sip:");
    let bye = desk.receive_until("BYE");
    desk.send(&respond(&bye, "200 OK"));
    carrier.succeeds();
    engine.idle();
}

#[test]
fn for_want_of_media_ports_a_callback_is_put_off_and_that_is_no_try() {
    // For the call that is there, two pairs; and one for the first leg.
    for ports in ["20000-20003", "20000-20005"] {
        let place = Place::new();
        place.beep();
        let config = CONFIG.replace("trusted    = true", TRUNK).replace("20000-29999", ports);
        let engine = Engine::start_with(BIN, &place, &config, FLOW);
        book(&place, "+447700900823");
        engine.idle();
        let database = Database::of(&place);
        let wire = Wire::at(&place, place.carrier());
        let ask = Ask::new(&place, "INVITE").line("From: <sip:+447700900824@127.0.0.1>;tag=1");
        let ask = ask.offer(place.carrier());
        let answer = wire.ask(&ask);
        let to = header(&answer, "To");
        wire.send(&ask.within("ACK", "1 ACK", to).text(place.carrier()));
        database.execute("UPDATE callback SET due_ms = 0");
        let off = "SELECT COUNT(*) FROM callback WHERE state = 'booked' AND tries = 0 \
                   AND due_ms > created_ms";
        eventually("it is put off", || (database.number(off) == 1).then_some(()));
        let bye = wire.ask(&ask.within("BYE", "2 BYE", to));
        assert!(bye.starts_with("SIP/2.0 200"), "{ports}: {bye}");
        engine.idle();
    }
}

#[test]
fn an_agent_whose_media_come_from_another_address_is_heard_by_the_caller() {
    let place = Place::new();
    let engine = start(&place);
    book(&place, "+447700900825");
    let (agent, caller) = (Ear::at(place.pbx()), Ear::at(place.carrier()));
    // As behind a NAT: the SDP names another port than the one that speaks.
    let named = Ear::at(place.pbx());
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&named).listen_once(&place);
    let carrier = Scenario::new("pbx-hangs-up", place.carrier()).ear(&caller).pause_ms(4_000);
    let carrier = carrier.listen_once(&place);
    Database::of(&place).execute("UPDATE callback SET due_ms = 0");
    carrier.saw("\nACK ");
    let to_agent: SocketAddr = media_of(&place, &pbx.messages());
    agent.is_heard_by(to_agent, PCMA, 0x5c, &caller);
    carrier.succeeds();
    pbx.succeeds();
    engine.idle();
}

#[test]
fn who_is_rung_first_hears_of_the_callback_and_nothing_of_emergency_calls() {
    let place = Place::new();
    place.beep();
    let flow = FLOW.replace("default = true", "default = true\nemergency_notice = true");
    let config = CONFIG.replace("trusted    = true", TRUNK);
    let engine = Engine::start_with(BIN, &place, &config, &flow);
    let uri = format!("sip:100@{}", place.engine());
    // The caller hears the notice first; the keys that are pressed into it count for nothing.
    let keys: Vec<_> = (2..10).map(|second| format!("1@{}s", second * 2)).collect();
    let mut args = vec!["--from", "+447700900827"];
    args.extend(keys.iter().flat_map(|key| ["--press", key]));
    assert!(call(BIN, &place, &uri, &args).out.contains("\"status\":200"));
    let agent = Ear::at(place.pbx());
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&agent).listen_once(&place);
    let carrier = Scenario::new("pbx-hangs-up", place.carrier()).pause_ms(200);
    let carrier = carrier.listen_once(&place);
    Database::of(&place).execute("UPDATE callback SET due_ms = 0");
    let mut heard = Vec::new();
    eventually("the caller is rung", || {
        let audio = agent.heard().into_iter().filter(|packet| packet.pt == PCMA);
        heard.extend(audio.flat_map(|packet| packet.payload).map(|byte| Law::Pcma.decode(byte)));
        carrier.messages().contains("\nINVITE ").then_some(())
    });
    let likeness = |name: &str| {
        let prompt = spoken("en-GB", name);
        sound::likeness(&heard, sound::loudest_fifth(&prompt))
    };
    assert!(likeness("callback-agent") > 0.9);
    assert!(likeness("emergency-notice") < 0.9, "{}", likeness("emergency-notice"));
    carrier.succeeds();
    pbx.succeeds();
    engine.idle();
}

/// An INFO with this header line, of the dialog that a 180 by [`respond`] to `invite` has made.
pub fn early_info(here: Ipv4Addr, invite: &str, line: &str) -> String {
    let contact = header(invite, "Contact").split(['<', '>']).nth(1).unwrap();
    format!(
        "INFO {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {here}:5060;branch=z9hG4bK-early\r\n\
         Max-Forwards: 70\r\nFrom: {};tag=by-hand\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 1 INFO\r\n\
         {line}\r\nContent-Length: 0\r\n\r\n",
        header(invite, "To"),
        header(invite, "From"),
        header(invite, "Call-ID"),
    )
}

fn start(place: &Place) -> Engine {
    place.beep();
    Engine::start_with(BIN, place, &CONFIG.replace("trusted    = true", TRUNK), FLOW)
}

/// A caller who asks to be called back, and confirms the number.
fn book(place: &Place, from: &str) {
    let uri = format!("sip:100@{}", place.engine());
    let args = ["--from", from, "--press", "1@1s", "--press", "1@3s"];
    let answer = call(BIN, place, &uri, &args);
    assert!(answer.out.contains("\"status\":200"), "{answer:?}");
}
