//! OPTIONS to targets: who does not answer them is passed over, until it does.

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use carom_blackbox::{
    Ask, CONFIG, Engine, FORWARD, Place, Wire, eventually_within, get, header, respond,
    web::{Crm, Says},
};

use crate::{rules, sources::sorting};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
/// A request that nobody answers is given up after 32 s (RFC 3261 §17.1.2.2).
const GIVEN_UP: Duration = Duration::from_secs(45);

#[test]
fn an_address_that_says_503_is_passed_over_until_it_says_200_again() {
    let place = Place::new();
    let (first, second) = (Peer::at(&place, 2, "480"), Peer::at(&place, 20, "486"));
    let next = format!("next_sip = [\"sip:agents@{}:5060\"]", place.ip(20));
    let engine = pinging(&place, place.nobody(), &next);
    let wire = Wire::at(&place, place.carrier());
    let call = || wire.ask(&Ask::new(&place, "INVITE").offer(place.carrier()));

    seen(&place, place.pbx(), 1);
    assert!(call().starts_with("SIP/2.0 480"), "the first address is there and is asked");
    first.says("503 Full");
    seen(&place, place.pbx(), 0);
    assert!(call().starts_with("SIP/2.0 486"), "the next one takes it");
    assert_eq!((first.invites(), second.invites()), (1, 1));
    first.says("200 OK");
    seen(&place, place.pbx(), 1);
    assert!(call().starts_with("SIP/2.0 480"), "it is asked again");

    // With all of them down they are asked all the same.
    seen(&place, place.nobody(), 0);
    first.says("503 Full");
    second.says("503 Full");
    seen(&place, place.pbx(), 0);
    seen(&place, place.ip(20), 0);
    assert!(call().starts_with("SIP/2.0 480"));
    engine.idle();
}

#[test]
fn a_target_that_says_nothing_any_more_is_passed_over_for_the_fallback_without_waiting() {
    let place = Place::new();
    let (mute, fallback) = (Peer::at(&place, 2, "480"), Peer::at(&place, 20, "486"));
    let engine = pinging(&place, place.ip(20), "next_sip = []\nno_reply_ms = 60000");
    let wire = Wire::at(&place, place.carrier());
    let call = || wire.ask(&Ask::new(&place, "INVITE").offer(place.carrier()));

    seen(&place, place.pbx(), 1);
    mute.says("");
    seen(&place, place.pbx(), 0);
    assert!(call().starts_with("SIP/2.0 486"), "the fallback takes it");
    assert_eq!((mute.invites(), fallback.invites()), (0, 1));
    let line = engine.time_line();
    assert!(line.contains("agents: answers no OPTIONS, passed over"), "{line}");
    mute.says("200 OK");
    seen(&place, place.pbx(), 1);
    assert!(call().starts_with("SIP/2.0 486"), "its 480 leads to the fallback");
    assert_eq!((mute.invites(), fallback.invites()), (1, 2));
    engine.idle();
}

#[test]
fn a_target_that_never_answered_options_may_be_one_that_ignores_them_and_is_called() {
    let place = Place::new();
    let (mute, fallback) = (Peer::at(&place, 2, "486"), Peer::at(&place, 20, "480"));
    mute.says("");
    let engine = pinging(&place, place.ip(20), "next_sip = []");
    let wire = Wire::at(&place, place.carrier());
    seen(&place, place.pbx(), 0);
    let reply = wire.ask(&Ask::new(&place, "INVITE").offer(place.carrier()));
    assert!(reply.starts_with("SIP/2.0 480"), "{reply}");
    assert_eq!((mute.invites(), fallback.invites()), (1, 1), "the fallback comes after it");
    engine.idle();
}

#[test]
fn kh_08_a_source_of_kind_options_knows_that_nobody_is_there_while_its_target_says_503() {
    let place = Place::new();
    let desk = Peer::at(&place, 20, "486");
    let crm = Crm::start(Says::Reset);
    let site = sorting(&place, &crm, &watching(place.ip(20)));
    for (says, up, rung) in
        [("200 OK", 1, "agents"), ("503 Full", 0, "nobody"), ("200 OK", 1, "agents")]
    {
        desk.says(says);
        seen(&place, place.ip(20), up);
        assert_eq!(site.rings("+447700900613", &[]), rung, "{says}");
    }
    assert_eq!(desk.invites(), 0);
    drop(site);

    // One that never said anything may ignore OPTIONS: nothing is known of it.
    let place = Place::new();
    let site = sorting(&place, &crm, &watching(place.nobody()));
    seen(&place, place.nobody(), 0);
    assert_eq!(site.rings("+447700900614", &[]), "agents");
}

#[test]
fn kh_08_a_rule_knows_whether_a_target_is_up_and_of_one_that_never_spoke_nothing() {
    let place = Place::new();
    let desk = Peer::at(&place, 20, "486");
    let site = rules::Site::new(&place, &[("up", &asking_whether(place.ip(20)), TARGETS)]);
    for (says, up, rung) in
        [("200 OK", 1, "open"), ("503 Full", 0, "closed"), ("200 OK", 1, "open")]
    {
        desk.says(says);
        seen(&place, place.ip(20), up);
        assert_eq!(site.rings("+447700900615"), rung, "{says}");
    }
    assert_eq!(desk.invites(), 0, "it is asked by OPTIONS only");
    drop(site);

    // It may ignore OPTIONS: it is neither up nor down.
    let place = Place::new();
    let site = rules::Site::new(&place, &[("up", &asking_whether(place.nobody()), TARGETS)]);
    seen(&place, place.nobody(), 0);
    assert_eq!(site.rings("+447700900616"), "again");
}

/// Where a call goes while the desk is up, down, or nobody knows.
const TARGETS: &str = "open closed again";

fn asking_whether(ip: Ipv4Addr) -> String {
    format!(
        r#"
version = 1

[flow]
name    = "Up"
default = true
start   = "sort"
human   = "again"

[target.desk]
sip            = "sip:desk@{ip}:5060"
answered_means = "human"
ping_seconds   = 1

[rule.up]
target_up = "desk"
[rule.down]
not = "up"

[step.sort]
do        = "decide"
case      = [{{ if = "up", go = "open" }}, {{ if = "down", go = "closed" }}]
otherwise = "again"
"#
    )
}

/// A source that watches who is at `ip`.
fn watching(ip: Ipv4Addr) -> String {
    format!(
        "\n[target.desk]\nsip = \"sip:desk@{ip}:5060\"\nping_seconds = 1\n\
         [source.queue]\nkind = \"options\"\ntarget = \"desk\"\n"
    )
}

/// An engine that asks its targets every second; `more` replaces the first one's `next_sip`.
fn pinging(place: &Place, fallback: Ipv4Addr, more: &str) -> Engine {
    let often = |text: &str| text.replace("ping_seconds   = 0", "ping_seconds = 1");
    let flow = FORWARD.replace("no_reply_ms    = 700\n", "");
    let flow = often(&flow).replace("next_sip       = []", more);
    let config = often(CONFIG).replace("{pbx}", &fallback.to_string());
    Engine::start_with(BIN, place, &config, &flow)
}

/// Waits until the engine takes who is at `ip` to be there (1) or not (0).
fn seen(place: &Place, ip: Ipv4Addr, up: u8) {
    let gauge = format!("@{ip}:5060\"}} {up}\n");
    eventually_within(GIVEN_UP, &gauge, || get(place, "/metrics").contains(&gauge).then_some(()));
}

/// A PBX by hand: OPTIONS are answered as told, an INVITE with a status that names it.
struct Peer {
    says: Arc<Mutex<String>>,
    invites: Arc<Mutex<BTreeSet<String>>>,
}

impl Peer {
    fn at(place: &Place, host: u8, status: &'static str) -> Self {
        let wire = Wire::at(place, place.ip(host));
        let says = Arc::new(Mutex::new("200 OK".to_owned()));
        let invites = Arc::new(Mutex::new(BTreeSet::new()));
        let (told, seen) = (Arc::clone(&says), Arc::clone(&invites));
        // Ends with the test's process.
        thread::spawn(move || {
            loop {
                let Some(request) = wire.try_receive() else { continue };
                let answer = match request.split(' ').next().unwrap() {
                    "OPTIONS" => told.lock().unwrap().clone(),
                    "INVITE" => {
                        seen.lock().unwrap().insert(header(&request, "Call-ID").to_owned());
                        format!("{status} No")
                    }
                    _ => continue,
                };
                if !answer.is_empty() {
                    wire.send(&respond(&request, &answer));
                }
            }
        });
        Self { says, invites }
    }

    /// From now on that is its answer to OPTIONS; empty: none.
    fn says(&self, answer: &str) {
        answer.clone_into(&mut self.says.lock().unwrap());
    }

    /// Calls that came to it.
    fn invites(&self) -> usize {
        self.invites.lock().unwrap().len()
    }
}
