//! What a caller types in secret is nowhere to be found, whatever is logged, however the keys come.

use std::collections::BTreeMap;

use carom_blackbox::{
    Database, Place, call, eventually, get,
    web::{Crm, Says},
};

use crate::{
    asks::{FLOW, Site},
    privacy::{is_nowhere, look, look_into_files},
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
/// A card number whose last digit is its check digit.
const CARD: &str = "4992739871643818";

#[test]
fn ex_24_secrets_typed_as_rfc_4733_events_are_in_no_file_log_page_or_answer_of_a_command() {
    search("rfc4733", FLOW, IsWiped::Yes);
}

#[test]
fn ex_24_secrets_typed_by_sip_info_are_in_no_file_log_page_or_answer_of_a_command() {
    search("info", FLOW, IsWiped::Yes);
}

/// One system is to be asked by the address alone.
#[test]
fn ex_24_secrets_that_stand_in_the_address_that_is_asked_are_in_no_log() {
    let by_address = FLOW.replace(
        "/balance\"\nbody        = { account = \"{account}\" }",
        "/balance?account={account}\"",
    );
    search("rfc4733", &by_address, IsWiped::No);
}

/// Whether nothing is left in the engine's memory either.
#[derive(PartialEq)]
enum IsWiped {
    Yes,
    /// What stands in an address is copied by others.
    No,
}

/// Calls, types the number with keys sent by `keys_by`, and looks everywhere, during the call and after.
fn search(keys_by: &str, flow: &str, wiped: IsWiped) {
    let place = Place::new();
    let crm = Crm::start(Says::Json("{\"account\":{\"balance\":12.5}}".into()));
    // Longer than what stands by chance in some random id.
    let flow = flow.replace("min      = 5\nmax      = 5", "min      = 16\nmax      = 16");
    let targets = ["agents", "premium", "partners"];
    let mut site = Site::tracing(&place, &crm, &flow, &targets);
    let keys: Vec<String> =
        CARD.chars().zip(0..).map(|(key, n)| format!("{key}@{}ms", 700 + 250 * n)).collect();
    let keys = keys.iter().flat_map(|key| ["--press", key.as_str()]);
    let args: Vec<&str> = ["--from", "+447700900607", "--keys-by", keys_by]
        .into_iter()
        .chain(keys)
        .chain(["--press", "1@7s"])
        .collect();
    let uri = format!("sip:100@{}", place.engine());
    let mut seen = Vec::new();
    std::thread::scope(|scope| {
        let ringing = scope.spawn(|| call(BIN, &place, &uri, &args));
        eventually("it is looked up", || (crm.asked().len() == 2).then_some(()));
        look(&site.engine, &mut seen);
        let id = site.engine.calls()[0]["call"].as_str().unwrap().to_owned();
        seen.push(("context while it runs".into(), get(&place, &format!("/v1/context/{id}"))));
        assert!(ringing.join().unwrap().status.success());
    });
    site.engine.idle();
    let balance = &crm.asked()[1];
    let in_body = balance.body == format!("{{\"account\":\"{CARD}\"}}");
    assert!(in_body || balance.form["account"] == CARD, "it was typed: {balance:?}");
    assert!(crm.asked()[2].body.contains(CARD), "and used");
    if wiped == IsWiped::Yes {
        // As it is sent, and as keys.
        let keys: Vec<u8> = CARD.bytes().map(|digit| digit - b'0').collect();
        let asked = format!("{}/balance", crm.url());
        assert!(site.engine.remembers(asked.as_bytes()) > 0, "its memory can be read");
        for secret in [CARD.as_bytes(), &CARD.as_bytes()[..8], &keys, &keys[..8]] {
            eventually(&format!("{secret:?} is forgotten"), || {
                (site.engine.remembers(secret) == 0).then_some(())
            });
        }
    }
    let database = Database::of(&place);
    eventually("it is written", || {
        (database.number("SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL") == 1).then_some(())
    });
    look(&site.engine, &mut seen);
    let id = site.engine.calls()[0]["call"].as_str().unwrap().to_owned();
    let replayed = site.engine.cli(&["replay", &id]);
    seen.push(("replay".into(), replayed.out + &replayed.err));
    for page in ["/metrics", "/readyz", &format!("/v1/context/{id}")] {
        let told = get(&place, page);
        assert!(told.starts_with("HTTP/1.1 200"), "{page}: {told}");
        seen.push((page.to_owned(), told));
    }
    seen.push(("SIP to the PBX".into(), site.pbx.messages()));
    seen.push(("log".into(), site.engine.log()));
    site.engine.kill();
    look_into_files(&place, &mut seen);
    for file in ["carom.db", "carom.db-wal"] {
        assert!(seen.iter().any(|(name, _)| name.ends_with(file)), "{file}");
    }
    let rows =
        |(name, text): &(String, String)| name.contains("carom.db") && text.contains("judge");
    assert!(seen.iter().any(rows), "the call is in the database");
    assert!(site.engine.log().contains("\"TRACE\""), "all is logged");
    // Whole, and each half of it.
    for secret in [CARD, &CARD[..8], &CARD[8..]] {
        is_nowhere(secret, &seen);
    }
    // Nor a key at a time, each told so many times.
    for (name, text) in &seen {
        for column in columns(text) {
            let found = (1..=10).find(|&times| column.contains(&each(&CARD[..8], times)));
            assert_eq!(found, None, "key by key in {name}: {column}");
        }
    }
}

/// Single digits of lines that are else the same, one below the other.
fn columns(text: &str) -> Vec<String> {
    let mut columns: BTreeMap<(String, usize), String> = BTreeMap::new();
    for line in text.lines() {
        let runs = line.split(|it: char| !it.is_ascii_digit()).filter(|run| !run.is_empty());
        let shape = line.split(|it: char| it.is_ascii_digit()).filter(|part| !part.is_empty());
        let shape = shape.collect::<Vec<_>>().join("#");
        for (n, run) in runs.enumerate().filter(|(_, run)| run.len() == 1) {
            columns.entry((shape.clone(), n)).or_default().push_str(run);
        }
    }
    columns.into_values().collect()
}

/// Each digit so many times.
fn each(digits: &str, times: usize) -> String {
    digits.chars().flat_map(|digit| std::iter::repeat_n(digit, times)).collect()
}

#[test]
fn what_is_told_a_key_at_a_time_is_found() {
    let log: String =
        "4992".chars().map(|key| format!("at 12:00:0{key} key {key}\nelse\n").repeat(2)).collect();
    assert!(columns(&log).contains(&each("4992", 2)), "{:?}", columns(&log));
}
