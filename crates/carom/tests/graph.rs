//! `carom graph`: flows drawn, with what the store has of them.

use std::process::{Command, Output};

use carom_blackbox::{CONFIG, Engine, Place, call, eventually};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const MINIMAL: &str = include_str!("../../ivr-runtime/tests/fixtures/minimal.toml");

#[test]
fn visits_and_hang_ups_of_the_store_are_laid_over_the_flow() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, MINIMAL);
    let uri = format!("sip:+442079460019@{}", place.engine());
    for keys in [&["--press", "1@1500ms"][..], &["--hang-up-after", "2s"]] {
        let heard = call(BIN, &place, &uri, keys);
        assert!(heard.out.contains("answered"), "{heard:?}");
    }
    eventually("the rows are written", || {
        let drawn = engine.cli(&["graph", "--with-store"]);
        let both =
            ["welcome<br/>menu<br/>2 visits, 1 hang-ups (50 %)", "text<br/>1 visits, 0 hang-ups"];
        both.iter().all(|line| drawn.out.contains(line)).then_some(())
    });
    let drawn = engine.cli(&["graph", "--with-store", "--format", "svg"]);
    assert!(drawn.out.contains("2 visits, 1 hang-ups (50 %)</text>"), "{drawn:?}");
}

#[test]
fn a_flow_is_drawn_in_each_form_and_a_store_that_is_not_there_is_told() {
    for (format, begins) in [("mermaid", "---\ntitle"), ("dot", "digraph"), ("svg", "<svg ")] {
        let drawn = carom(&["graph", "--format", format]);
        let text = String::from_utf8(drawn.stdout).unwrap();
        assert!(drawn.status.success() && text.starts_with(begins), "{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("carom.toml");
    let text = include_str!("fixtures/plain.toml");
    std::fs::write(&config, text).unwrap();
    let flow = folder.path().join("flow.toml");
    std::fs::write(&flow, MINIMAL).unwrap();
    let args = ["graph", "--with-store", "-c", config.to_str().unwrap(), flow.to_str().unwrap()];
    let told = carom(&args);
    let text = String::from_utf8(told.stderr).unwrap();
    assert_eq!(told.status.code(), Some(1), "{text}");
    assert!(text.contains("there is no database"), "{text}");
    assert!(!folder.path().join("var").exists(), "nothing is made");
}

fn carom(args: &[&str]) -> Output {
    Command::new(BIN).args(args).output().unwrap()
}
