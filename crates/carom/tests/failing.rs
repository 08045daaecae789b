//! With the database failing, calls still go to people.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
};

use carom_blackbox::{CONFIG, Ear, Engine, FLOW, KEYS, Place, Scenario, eventually};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn x_08_with_a_database_that_refuses_calls_go_to_the_human_target() {
    let place = Place::new();
    without_database_at(place.nobody(), &place);
}

#[test]
fn x_08_with_a_database_that_says_nothing_calls_go_to_the_human_target() {
    let place = Place::new();
    let taken_and_never_served = TcpListener::bind((place.ip(21), 5432)).unwrap();
    without_database_at(place.ip(21), &place);
    drop(taken_and_never_served);
}

#[test]
fn x_08_a_database_file_that_cannot_be_opened_is_used_once_it_can() {
    let place = Place::new();
    let file = place.folder().join("var/carom.db");
    fs::create_dir_all(&file).unwrap();
    let engine = Engine::start_with(BIN, &place, CONFIG, KEYS);
    one_call_reaches_a_person(&place);
    assert!(engine.time_line().contains("store-down"), "{}", engine.time_line());

    fs::remove_dir(&file).unwrap();
    eventually("the store is seen again", || {
        (engine.metric(&place, "carom_store_up") as i64 == 1).then_some(())
    });
    let phone = Ear::at(place.carrier());
    let carrier = Scenario::new("carrier-waits", place.carrier()).ear(&phone).call(&place);
    phone.presses(phone.meets(), 1);
    carrier.succeeds();
    engine.idle();
    assert!(engine.time_line().contains("welcome"), "the flow is played again");
}

#[test]
fn x_08_where_the_disk_is_full_no_text_is_promised_and_the_caller_is_put_through() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, FLOW);
    let phone = Ear::at(place.carrier());
    let pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(50).listen_once(&place);
    let carrier = Scenario::new("carrier-waits", place.carrier()).ear(&phone).call(&place);
    let engine_rtp = phone.meets();
    engine.fill_disk();
    // A key that accepts a text counts after the first second.
    phone.listens(60);
    phone.presses(engine_rtp, 1);
    carrier.succeeds();
    let messages = pbx.succeeds();
    assert!(messages.contains("INVITE sip:agents@"), "{messages}");
    engine.idle();
    assert!(engine.time_line().contains("text_me"), "{}", engine.time_line());
    assert_eq!(engine.calls()[0]["end"], "forwarded");
    assert_eq!(engine.cli(&["messages"]).out, "", "no text");
}

fn without_database_at(host: Ipv4Addr, place: &Place) {
    let store = format!("[store]\nurl = \"postgres://carom@{host}:5432/carom\"\n");
    let engine = Engine::start_with(BIN, place, &format!("{CONFIG}\n{store}"), KEYS);
    one_call_reaches_a_person(place);
    assert!(engine.time_line().contains("store-down"), "{}", engine.time_line());
    assert_eq!(engine.status()["store_up"], false);
    assert_eq!(engine.metric(place, "carom_store_up") as i64, 0);
    engine.idle();
}

fn one_call_reaches_a_person(place: &Place) {
    let pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(50).listen_once(place);
    Scenario::new("carrier-waits", place.carrier()).call(place).succeeds();
    let messages = pbx.succeeds();
    assert!(messages.contains("INVITE sip:agents@"), "{messages}");
}
