//! The schemas for editors, judged by the Python package jsonschema, which tests/judges/install
//! installs: what is shipped passes, what is of a wrong type or has an unknown key does not.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use carom::{
    config::check,
    schema::{Kind, schema},
};
use carom_blackbox::judges::{self, Judges};
use serde_json::{Value, json};

use crate::docs::documented_keys;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const KINDS: [(&str, Kind, &str); 3] = [
    ("flow", Kind::Flow, include_str!("../../../config/schema/flow.json")),
    ("sub-flow", Kind::SubFlow, include_str!("../../../config/schema/sub-flow.json")),
    ("config", Kind::Config, include_str!("../../../config/schema/config.json")),
];

#[test]
fn the_committed_schemas_are_those_of_the_program() {
    for (name, _, committed) in KINDS {
        let told = Command::new(BIN).args(["schema", name]).output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        assert!(told == committed, "carom schema {name} > config/schema/{name}.json");
    }
}

#[test]
fn every_file_of_the_repository_passes_its_schema() {
    let root = root();
    let mut cases = Vec::new();
    for folder in ["config", "config/flows", "config/full", "config/full/flows"] {
        cases.extend(toml_files(&root.join(folder)).into_iter().map(kind_of));
    }
    let fixtures = root.join("crates/ivr-runtime/tests/fixtures");
    cases.extend(toml_files(&fixtures).into_iter().map(kind_of));
    cases.push(("config", root.join("crates/carom/tests/fixtures/plain.toml")));
    cases.push(("config", root.join("crates/carom/src/config/builtin.toml")));
    // Those of the documents.
    let folder = tempfile::tempdir().unwrap();
    for (kind, document) in [("flow", "flow-language"), ("config", "configuration")] {
        let text = fs::read_to_string(root.join(format!("docs/{document}.md"))).unwrap();
        let example = text.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0;
        let file = folder.path().join(format!("{document}.toml"));
        fs::write(&file, example).unwrap();
        cases.push((kind, file));
    }
    let sub = "[sub]\nstart = \"ask\"\nparams = [\"tries\"]\nexits = [\"done\"]\n[step.ask]\n\
               do = \"menu\"\nplay = \"main.wav\"\npress = { 1 = \"exit:done\" }\n\
               tries = \"{tries}\"\nno_input = \"exit:done\"\n";
    let file = folder.path().join("sub.toml");
    fs::write(&file, sub).unwrap();
    cases.push(("sub-flow", file));
    assert!(cases.len() >= 12, "{cases:?}");
    let told = judged(&cases);
    for ((_, file), errors) in cases.iter().zip(told) {
        assert_eq!(errors, [] as [String; 0], "{}", file.display());
    }
}

#[test]
fn wrong_types_and_unknown_keys_are_refused_as_the_check_refuses_them() {
    let root = root();
    let mut cases = Vec::new();
    for folder in ["crates/ivr-runtime/tests/bad", "crates/carom/tests/bad"] {
        for file in toml_files(&root.join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            // What is no TOML has no keys.
            let Ok(_) = text.parse::<toml::Table>() else { continue };
            let (kind, file) = kind_of(file);
            let report = match kind {
                "config" => check(Some(&file), &[]).1,
                _ => {
                    check(Some(Path::new("tests/fixtures/plain.toml")), std::slice::from_ref(&file))
                        .1
                }
            };
            let refused = |message: &str| {
                let wrong = ["is a text", "is a whole number", "is a table", "is a list"];
                let wrong =
                    wrong.iter().any(|wrong| message.contains(&format!("` {wrong}; it takes")));
                wrong
                    || message.contains("does not know the key")
                    || message.contains("does not take `")
            };
            let refused = report.findings.iter().any(|finding| {
                finding.file == file.display().to_string() && refused(&finding.message)
            });
            cases.extend(refused.then_some((kind, file)));
        }
    }
    assert!(cases.len() >= 15, "{cases:?}");
    let told = judged(&cases);
    for ((_, file), errors) in cases.iter().zip(told) {
        assert!(!errors.is_empty(), "{} passes", file.display());
    }
}

#[test]
fn every_key_of_the_documents_is_in_the_schema_and_no_other() {
    let flow = schema(Kind::Flow);
    let config = schema(Kind::Config);
    let keys = |schema: &Value, of: &str| -> BTreeSet<String> {
        let definitions = schema["definitions"].as_object().unwrap();
        let prefix = format!("{of}_");
        let of = definitions.iter().filter(|(name, _)| *name == of || name.starts_with(&prefix));
        of.flat_map(|(_, table)| table["properties"].as_object().unwrap().keys().cloned()).collect()
    };
    let mut seen = 0;
    // One that is not available yet may have a value that is taken, `false`.
    let mut compare = |schema: &Value,
                       of: &str,
                       there: BTreeSet<String>,
                       all: &BTreeSet<String>| {
        let keys = keys(schema, of);
        let (lacks, invents): (Vec<_>, Vec<_>) =
            (there.difference(&keys).collect(), keys.difference(all).collect());
        assert!(lacks.is_empty() && invents.is_empty(), "{of} lacks {lacks:?}, has {invents:?}");
        seen += there.len();
    };
    let (in_flows, all_in_flows) = (documented_keys(false, false), documented_keys(false, true));
    let every_step = &in_flows["every step"];
    for (of, keys) in &in_flows {
        match of.split(['.', ']', ' ']).next().unwrap().trim_start_matches('[') {
            table @ ("flow" | "link" | "rule" | "target" | "hours" | "after_call") => {
                compare(&flow, table, keys.clone(), &all_in_flows[of]);
            }
            "every" => {}
            kind => {
                let all = &all_in_flows[of] | every_step;
                compare(&flow, &format!("step_{kind}"), keys | every_step, &all);
            }
        }
    }
    let all = documented_keys(true, true);
    for (of, keys) in documented_keys(true, false) {
        let table = of.trim_matches(['[', ']']).trim_end_matches(".X");
        if of.starts_with('[') {
            compare(&config, table, keys, &all[&of]);
        }
    }
    assert!(seen > 250, "{seen} keys only");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "toml"))
        .filter(|file| !file.to_string_lossy().ends_with(".flowtest.toml"))
        .collect();
    files.sort();
    files
}

fn kind_of(file: PathBuf) -> (&'static str, PathBuf) {
    let text = fs::read_to_string(&file).unwrap();
    let begins = |with: &str| text.lines().any(|line| line.starts_with(with));
    let is_bad_flow = || file.to_string_lossy().contains("ivr-runtime/tests/bad");
    let kind = if begins("[sub]") {
        "sub-flow"
    } else if begins("[flow]") || begins("[step.") || is_bad_flow() {
        "flow"
    } else {
        "config"
    };
    (kind, file)
}

/// What jsonschema finds in each file.
fn judged(cases: &[(&str, PathBuf)]) -> Vec<Vec<String>> {
    let schemas: serde_json::Map<_, _> =
        KINDS.iter().map(|(name, kind, _)| ((*name).to_owned(), schema(*kind))).collect();
    let asked = json!({ "schemas": schemas, "cases": cases });
    let judge = Judges::below(env!("CARGO_TARGET_TMPDIR")).python("schema.py");
    serde_json::from_value(judges::asked(judge, &asked)).unwrap()
}
