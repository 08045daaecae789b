//! An opt-out list remembers its key.

use std::{fs, process::Command};

use carom_blackbox::{Database, Engine, Place};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn x_05_with_another_key_of_the_opt_out_list_nobody_is_texted_until_it_is_settled() {
    let place = Place::new();
    let mut engine = Engine::start(BIN, &place);
    assert!(engine.cli(&["opt-outs", "add", "+447700900123"]).status.success());
    let keys = fs::read_dir(place.folder().join("var/keys")).unwrap();
    let mut keys = keys.map(|entry| entry.unwrap().path());
    let key = keys.find(|path| path.to_string_lossy().contains("opt-out")).unwrap();
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
