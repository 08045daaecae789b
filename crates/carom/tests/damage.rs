//! Files that somebody's hand or editor damaged: they load or are told what is wrong, always.

use std::path::{Path, PathBuf};

use carom::config::check;
use ivr_runtime::sim::Rng;

const SEED: u64 = 20_261_125;
const CONFIG: &str = include_str!("../../../config/carom.toml");
const FLOW: &str = include_str!("../../../config/flows/main.toml");
const EXAMPLE: &str = include_str!("fixtures/carom.toml");
const MINIMAL: &str = include_str!("../../ivr-runtime/tests/fixtures/minimal.toml");
const FULL: &str = include_str!("../../../config/full/flows/full.toml");

#[test]
fn damaged_configurations_load_or_are_told_what_is_wrong() {
    let (folder, file) = folder();
    std::fs::write(folder.path().join("flows/main.toml"), FLOW).unwrap();
    rounds(&[CONFIG, EXAMPLE], |text| {
        std::fs::write(&file, text).unwrap();
        judge(Some(&file), &[]);
    });
}

#[test]
fn damaged_flows_load_or_are_told_what_is_wrong() {
    let (folder, config) = folder();
    std::fs::write(&config, CONFIG).unwrap();
    let flow = folder.path().join("flow.toml");
    rounds(&[FLOW, MINIMAL, FULL], |text| {
        std::fs::write(&flow, text).unwrap();
        judge(Some(&config), std::slice::from_ref(&flow));
    });
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("flows")).unwrap();
    let file = folder.path().join("carom.toml");
    (folder, file)
}

/// A configuration that is not served has an error, and every finding can be shown.
fn judge(config: Option<&Path>, flows: &[PathBuf]) {
    let (snapshot, report) = check(config, flows);
    assert_eq!(snapshot.is_none(), report.has_errors(), "{report}");
    let text = report.to_string();
    for finding in &report.findings {
        let level = if finding.code.to_string().starts_with('W') { "warning" } else { "error" };
        assert!(text.contains(&format!("{level}[{}]: ", finding.code)), "{text}");
        assert!(!finding.message.is_empty(), "{text}");
    }
}

fn rounds(files: &[&str], try_it: impl Fn(&str)) {
    let rounds =
        if std::env::var("CAROM_LONG").is_ok_and(|long| long == "1") { 5_000 } else { 400 };
    for file in files {
        for round in 0..rounds {
            let seed = SEED ^ round;
            let text = damaged(file, &mut Rng::new(seed));
            // Told only where the test fails.
            println!("seed {seed}:\n{text}");
            try_it(&text);
        }
    }
}

/// A few lines left out, doubled, swapped, cut or mistyped.
fn damaged(text: &str, rng: &mut Rng) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..rng.within(1..6) {
        let at = rng.within(0..lines.len() as u64) as usize;
        let other = rng.within(0..lines.len() as u64) as usize;
        match rng.within(0..6) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(other, lines[at].clone()),
            2 => lines.swap(at, other),
            3 => lines[at] = cut(&lines[at], rng),
            4 => lines[at] = mistyped(&lines[at], rng),
            _ => lines[at] = value_of_another(&lines[at], &lines[other]),
        }
        if lines.is_empty() {
            break;
        }
    }
    lines.join("\n")
}

fn cut(line: &str, rng: &mut Rng) -> String {
    let chars: Vec<char> = line.chars().collect();
    chars[..rng.within(0..chars.len() as u64 + 1) as usize].iter().collect()
}

fn mistyped(line: &str, rng: &mut Rng) -> String {
    let mut chars: Vec<char> = line.chars().collect();
    let typed = rng.pick('"', &['[', ']', '=', '.', '#', '0', '-', 'e', 'é', '\u{0}', '{', ',']);
    let at = rng.within(0..chars.len() as u64 + 1) as usize;
    if at < chars.len() && rng.percent(50) {
        chars[at] = typed;
    } else {
        chars.insert(at, typed);
    }
    chars.into_iter().collect()
}

fn value_of_another(line: &str, other: &str) -> String {
    match (line.split_once('='), other.split_once('=')) {
        (Some((key, _)), Some((_, value))) => format!("{key}={value}"),
        _ => line.to_owned(),
    }
}
