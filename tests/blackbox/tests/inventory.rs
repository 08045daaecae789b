//! No scenario lies about unused: each is named by a test.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{fs, path::Path};

#[test]
fn every_scenario_is_run_by_a_test() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = |folder: &Path| {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let tests = files(&here.join("../../crates/carom/tests"));
    let sources = tests.iter().filter(|path| path.extension().is_some_and(|e| e == "rs"));
    let text: String = sources.map(|path| fs::read_to_string(path).unwrap()).collect();
    for scenario in files(&here.join("scenarios")) {
        let name = scenario.file_stem().unwrap().to_str().unwrap();
        assert!(text.contains(&format!("\"{name}\"")), "no test runs {name}");
    }
}
