//! The shipped configuration, and the files that a node makes.

use std::{
    collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command,
};

use carom_blackbox::{Engine, Place, call};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const CONFIG: &str = include_str!("../../../config/carom.toml");
const FLOW: &str = include_str!("../../../config/flows/main.toml");

#[test]
fn the_shipped_configuration_serves_and_its_files_are_where_it_says_and_private() {
    let place = Place::new();
    let config = CONFIG
        .replace("\"127.0.0.0/8\"", "\"{carrier}/31\"")
        .replace("127.0.0.1", "{engine}")
        .replace("../var/", "elsewhere/")
        // Open at any time, so that the test is.
        .replace("mon-fri  = \"08:00-20:00\"", "mon-fri = \"00:00-24:00\"\nsun = \"00:00-24:00\"")
        .replace("sat      = \"09:00-17:00\"", "sat = \"00:00-24:00\"")
        .replace("holidays = ", "# holidays = ");
    let flow = FLOW.replace("127.0.0.1", "{pbx}");
    let engine = Engine::start_with(BIN, &place, &config, &flow);
    let uri = format!("sip:100@{}", place.engine());
    let heard =
        call(BIN, &place, &uri, &["--press", "2@2s", "--press", "1@3s", "--hang-up-after", "4s"]);
    assert_eq!(heard.status.code(), Some(3), "{heard:?}");
    let calls = engine.cli(&["calls"]);
    assert!(calls.out.contains("  hours"), "{calls:?}");

    let own = ["carom.toml", "elsewhere", "flows", "log"].map(str::to_owned);
    assert_eq!(names(place.folder()), BTreeSet::from(own));
    let elsewhere = place.folder().join("elsewhere");
    assert!(names(&elsewhere).contains("carom.db"));
    let keys = ["example-number.key", "example-opt-out.key", "store.key"];
    for file in keys.map(|key| format!("keys/{key}")).iter().map(String::as_str).chain([
        "control.sock",
        "carom.db",
        "carom.db-wal",
    ]) {
        let mode = fs::metadata(elsewhere.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}: {mode:o}");
    }
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    entries.map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn a_folder_stands_for_the_configuration_or_the_flows_in_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = root.join("config");
    let told = |args: &[&str]| {
        let told = Command::new(BIN).args(args).current_dir(&root).output().unwrap();
        (told.status.code(), String::from_utf8(told.stdout).unwrap())
    };
    let by_file = told(&["check", "-c", "config/carom.toml"]);
    assert_eq!(by_file.0, Some(0), "{by_file:?}");
    assert_eq!(told(&["check", "config"]), by_file);
    assert_eq!(told(&["check", "-c", "config"]), by_file);
    assert_eq!(told(&["check", "-c", "config", "config/flows"]), by_file);
    assert_eq!(told(&["test", "-c", folder.to_str().unwrap()]).0, Some(0));
    // Nothing is in it.
    let empty = tempfile::tempdir().unwrap();
    let nothing = told(&["check", empty.path().to_str().unwrap()]);
    assert_eq!(nothing.0, Some(1), "{nothing:?}");
    assert!(nothing.1.contains(empty.path().to_str().unwrap()), "{nothing:?}");
}
