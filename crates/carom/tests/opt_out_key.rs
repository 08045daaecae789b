//! An opt-out list remembers its key.

use std::{fs, path::PathBuf, process::Command};

use carom_blackbox::{Database, Engine, Place, Scenario, eventually};
use serde_json::json;

use super::{api::Site, eligibility::OFFERS};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn x_05_with_another_key_of_the_opt_out_list_nobody_is_texted_until_it_is_settled() {
    let place = Place::new();
    let mut engine = Engine::start(BIN, &place);
    assert!(engine.cli(&["opt-outs", "add", "+447700900123"]).status.success());
    let key = key_of_the_list(&place);
    let right = fs::read(&key).unwrap();
    let check = || {
        let config = place.folder().join("carom.toml");
        let told = Command::new(BIN).args(["check", "-c"]).arg(config).output().unwrap();
        (told.status.success(), String::from_utf8(told.stdout).unwrap())
    };
    let text = |engine: &Engine| {
        let told = engine.cli(&["text", "+447400110001", "Example: only a test", "--yes"]);
        (told.status.success(), told.out + &told.err)
    };
    assert!(check().0, "{}", check().1);
    assert!(
        !engine.cli(&["opt-outs", "accept-key"]).status.success(),
        "there is nothing to accept"
    );
    // Replaced by hand.
    engine.kill();
    fs::write(&key, "quite another").unwrap();
    let (well, told) = check();
    assert!(!well && told.contains("E18") && told.contains("[business.example]"), "{told}");
    // It stands at the key, or at the table that has none.
    let written = fs::read_to_string(place.folder().join("carom.toml")).unwrap();
    let (before, rest) = written.split_once("[business.example]").unwrap();
    let up_to = rest.split("\n[").next().unwrap().split_once("\nbrand").unwrap().0;
    let line = before.matches('\n').count() + up_to.matches('\n').count() + 2;
    assert!(told.contains(&format!("carom.toml:{line}:")), "line {line}: {told}");
    engine.restart();
    assert!(engine.log().contains("was written with another `opt_out_key`"), "{}", engine.log());
    let (sent, told) = text(&engine);
    assert!(!sent && told.contains("opt_out_list"), "{told}");
    // What would be hashed with it would never be found.
    let added = engine.cli(&["opt-outs", "add", "+447700900124"]);
    assert!(!added.status.success() && added.err.contains("accept-key"), "{added:?}");
    // Restored.
    engine.kill();
    fs::write(&key, &right).unwrap();
    assert!(check().0);
    engine.restart();
    let (sent, told) = text(&engine);
    assert!(sent, "{told}");
    // Lost, which somebody says.
    engine.kill();
    fs::write(&key, "quite another").unwrap();
    engine.restart();
    let told = engine.cli(&["opt-outs", "accept-key"]);
    assert!(told.status.success() && told.out.contains("example"), "{told:?}");
    assert!(check().0);
    let audited = "SELECT COUNT(*) FROM audit WHERE what = 'opt-out key accepted'";
    assert_eq!(Database::of(&place).number(audited), 1);
    engine.kill();
    engine.restart();
    let (sent, told) = text(&engine);
    assert!(sent, "{told}");
}

/// What could not go is not offered: the caller hears nothing of it, and a person answers.
#[test]
fn x_05_while_the_opt_out_list_is_lost_nobody_is_offered_a_text_and_a_person_answers() {
    let flow = OFFERS.replace("only_if  = [\"long_wait\"]\n", "");
    let mut site = Site::with(&flow);
    assert!(site.engine.cli(&["opt-outs", "add", "+447700900123"]).status.success());
    site.engine.kill();
    fs::write(key_of_the_list(&site.place), "quite another").unwrap();
    site.engine.restart();
    let pbx = Scenario::new("pbx-hangs-up", site.place.pbx()).pause_ms(50).listen_once(&site.place);
    Scenario::new("carrier-waits", site.place.carrier()).call(&site.place).succeeds();
    assert!(pbx.succeeds().contains("INVITE sip:agents@"));
    site.engine.idle();
    let asked = json!({"number": "+447700900461", "called": "+442079460018", "intent": "orders"});
    let (status, told) = site.asks("deflect", "POST", "/v1/eligibility", &asked.to_string());
    assert_eq!((status, &told["eligible"]), (200, &json!(false)), "{told}");
    assert_eq!(told["reason"], "opt_out_list");
    let database = Database::of(&site.place);
    let offers = "SELECT response || ' ' || reason FROM offer ORDER BY offer_id";
    let both = ["suppressed opt_out_list", "suppressed opt_out_list"];
    eventually("both are recorded", || (database.texts(offers) == both).then_some(()));
    // The list says what it can find.
    let told = site.engine.cli(&["opt-outs", "accept-key"]);
    assert!(told.status.success(), "{told:?}");
    assert!(site.engine.cli(&["opt-outs", "add", "+447700900124"]).status.success());
    let told = site.engine.cli(&["opt-outs"]);
    let lines: Vec<&str> = told.out.lines().collect();
    assert_eq!(lines.len(), 2, "{told:?}");
    assert!(lines[0].contains("24") && !lines[0].contains("lost"), "{told:?}");
    assert!(lines[1].contains("23") && lines[1].ends_with("under a key that is lost: not found"));
}

fn key_of_the_list(place: &Place) -> PathBuf {
    let keys = fs::read_dir(place.folder().join("var/keys")).unwrap();
    let mut keys = keys.map(|entry| entry.unwrap().path());
    keys.find(|path| path.to_string_lossy().contains("opt-out")).unwrap()
}
