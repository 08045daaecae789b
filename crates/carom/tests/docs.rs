//! The documents say what the program does: every key, every code, every command, the examples.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use carom::config::check;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const FLOW_LANGUAGE: &str = include_str!("../../../docs/flow-language.md");
const CONFIGURATION: &str = include_str!("../../../docs/configuration.md");
const README: &str = include_str!("../../../README.md");
const CODES: &str = include_str!("../../ivr-runtime/src/diagnose/code.rs");
/// Kinds of providers.
const PROVIDERS: [&str; 10] = [
    "sandbox",
    "twilio",
    "telnyx",
    "whatsapp-cloud",
    "bandwidth",
    "vonage",
    "smpp",
    "http",
    "liveperson",
    "khoros",
];
/// Near to no key, so that the check lists those that it knows.
const NO_KEY: &str = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqq = 1";

#[test]
fn every_key_of_a_flow_that_the_check_knows_is_in_the_docs_and_no_other() {
    let documented = keys(FLOW_LANGUAGE);
    let every_step = &documented["every step"];
    for (of, text) in [
        ("[flow]", format!("[flow]\ndefault = true\n{NO_KEY}\n")),
        ("say", step("say", "")),
        ("menu", step("menu", "")),
        ("answer", step("answer", "")),
        ("offer", step("offer", "")),
        ("decide", step("decide", "")),
        ("set", step("set", "")),
        ("text", step("text", "")),
        ("opt-out", step("opt-out", "")),
        ("collect", step("collect", "")),
        ("lookup", step("lookup", "")),
        ("action", step("action", "")),
        ("wait", step("wait", "")),
        ("agent", step("agent", "")),
        ("voicemail", step("voicemail", "")),
        ("callback", step("callback", "")),
        ("sub", step("sub", "")),
        ("[target.X]", table("target.x", "hours = \"h\"")),
        ("[link.X]", table("link.x", "")),
        ("[rule.X] (one fact, or any_of/not)", table("rule.x", "")),
        ("[hours.X]", table("hours.x", "")),
        ("[after_call.X]", table("after_call.x", "")),
    ] {
        let mut known = known_to_flows(&text);
        if text.contains("do = ") {
            assert!(every_step.is_subset(&known), "{of}: {known:?}");
            known = known.difference(every_step).cloned().collect();
        }
        assert_eq!(known, documented[of], "{of}: the check's (left) and the document's");
    }
}

#[test]
fn every_key_of_the_configuration_that_the_check_knows_is_in_the_docs_and_no_other() {
    let documented = keys(CONFIGURATION);
    let provider = |kind| known_to_config(&table("provider.x", &format!("kind = \"{kind}\"")));
    let source = |kind: &&str| known_to_config(&table("source.x", &format!("kind = \"{kind}\"")));
    let sources: BTreeSet<String> =
        ["http", "options", "ami", "esl"].iter().flat_map(source).collect();
    let providers: BTreeSet<String> = PROVIDERS.iter().flat_map(provider).collect();
    for (of, known) in [
        ("[[listener]]", known_to_config(&format!("[[listener]]\n{NO_KEY}\n"))),
        ("[[trunk]]", known_to_config(&format!("[[trunk]]\n{NO_KEY}\n"))),
        ("[sender.X]", known_to_config(&table("sender.x", ""))),
        ("[media]", known_to_config(&table("media", ""))),
        ("[fallback]", known_to_config(&table("fallback", ""))),
        ("[business.X]", known_to_config(&table("business.x", ""))),
        ("[provider.X]", providers),
        ("[source.X]", sources),
        ("[system.X]", known_to_config(&table("system.x", ""))),
        ("[store]", known_to_config(&table("store", ""))),
        ("[http]", known_to_config(&table("http", ""))),
        ("[control]", known_to_config(&table("control", ""))),
        ("[limits]", known_to_config(&table("limits", ""))),
        ("[privacy]", known_to_config(&table("privacy", ""))),
    ] {
        assert_eq!(known, documented[of], "{of}: the check's (left) and the document's");
    }
    let top = known_to_config(&format!("{NO_KEY}\n"));
    let tables = documented.keys().filter_map(|of| {
        let name = of.trim_matches(['[', ']']).trim_end_matches(".X");
        of.starts_with('[').then(|| name.to_owned())
    });
    // Those of the flow language that may stand here too.
    let shared = ["target", "hours"].map(str::to_owned);
    let top_level: BTreeSet<String> =
        documented["carom.toml, top level"].iter().cloned().chain(tables).chain(shared).collect();
    assert_eq!(top, top_level, "the check's (left) and the document's");
}

#[test]
fn what_the_docs_call_not_yet_is_refused_by_that_name() {
    let rows = [(FLOW_LANGUAGE, true), (CONFIGURATION, false)]
        .into_iter()
        .flat_map(|(document, in_flow)| rows(document).into_iter().map(move |row| (row, in_flow)));
    let mut seen = 0;
    // "`refer`, `redirect` not yet": values of a key that is there.
    for (row, in_flow) in rows.filter(|(row, _)| row.now.starts_with('`')) {
        let values = row.now.strip_suffix(" not yet").unwrap_or_else(|| panic!("{}", row.now));
        for value in values.split('`').skip(1).step_by(2) {
            let (head, key) = (row.of.replace('X', "x"), &row.keys[0]);
            let text = format!("{head}\n{key} = \"{value}\"\n");
            let told = if in_flow { flow_report(&text) } else { config_report(&text) };
            let refused = format!("error[N01]: `{key} = \"{value}\"` is not available yet");
            assert!(told.contains(&refused), "{text}{told}");
            seen += 1;
        }
    }
    assert!(seen > 0, "the docs call no value so");
}

#[test]
fn each_key_is_refused_as_not_available_yet_if_the_docs_say_so_and_only_then() {
    let flow = rows(FLOW_LANGUAGE).into_iter().filter_map(|row| {
        let head = match row.of.as_str() {
            "[flow]" => "[flow]\ndefault = true\n".to_owned(),
            of if of.starts_with("[rule") => "[rule.x]\n".to_owned(),
            of @ ("[target.X]" | "[link.X]" | "[after_call.X]") => of.replace('X', "x") + "\n",
            of @ ("say" | "menu" | "answer" | "offer" | "decide" | "set" | "text" | "opt-out"
            | "collect" | "lookup" | "action" | "wait" | "agent" | "voicemail"
            | "callback" | "sub") => {
                format!("[step.x]\ndo = \"{of}\"\n")
            }
            _ => return None,
        };
        Some((row, head, true))
    });
    let config = rows(CONFIGURATION).into_iter().filter_map(|row| {
        // What a provider takes depends on its kind.
        let known = row.of.starts_with('[') && !row.of.starts_with("[provider");
        let known = known && !row.of.starts_with("[source");
        let head = row.of.replace('X', "x") + "\n";
        known.then_some((row, head, false))
    });
    let mut seen = 0;
    for (row, head, in_flow) in flow.chain(config) {
        for key in row.keys.iter().filter(|key| !["do", "default"].contains(&key.as_str())) {
            let text = format!("{head}{key} = true\n");
            let report = if in_flow { flow_report(&text) } else { config_report(&text) };
            let refused = report.split("error[N01]: ").skip(1).any(|told| {
                let told = told.lines().next().unwrap();
                told.starts_with(&format!("`{key}`")) && told.ends_with(" is not available yet")
            });
            let says_so = row.now == "not yet";
            assert_eq!(refused, says_so, "{} `{key}`, now: {}\n{report}", row.of, row.now);
            seen += 1;
        }
    }
    assert!(seen > 150, "{seen} keys only");
}

#[test]
fn every_code_of_the_check_is_explained() {
    let codes: BTreeSet<&str> = CODES
        .lines()
        .filter_map(|line| line.trim().strip_suffix(','))
        .filter(|code| code.len() == 3 && code.starts_with(['A', 'E', 'N', 'W']))
        .collect();
    assert!(codes.len() >= 20, "{codes:?}");
    let explained = FLOW_LANGUAGE.lines().filter_map(|line| {
        let code = line.strip_prefix("| ")?.get(..3)?;
        code.starts_with(['A', 'E', 'N', 'W']).then_some(code)
    });
    assert_eq!(explained.collect::<BTreeSet<_>>(), codes);
}

#[test]
fn the_examples_of_the_docs_load_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("carom.toml");
    let flow = folder.path().join("flows/main.toml");
    fs::create_dir(folder.path().join("flows")).unwrap();
    fs::write(&config, example(CONFIGURATION)).unwrap();
    fs::write(&flow, example(FLOW_LANGUAGE)).unwrap();
    let told = Command::new(BIN)
        .args(["check", "-c"])
        .arg(&config)
        .envs([("TWILIO_ACCOUNT_SID", "AC1"), ("TWILIO_AUTH_TOKEN", "x")])
        .output()
        .unwrap();
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(text.starts_with("0 errors, 0 warnings; 1 flow (Main line), "), "{text}");
}

#[test]
fn every_command_is_in_the_readme_and_every_command_of_the_readme_works() {
    let help = |args: &[&str]| Command::new(BIN).args(args).arg("--help").output().unwrap();
    let text = String::from_utf8(help(&[]).stdout).unwrap();
    let (_, commands) = text.split_once("Commands:\n").unwrap();
    let commands: BTreeSet<&str> = commands
        .lines()
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().next().unwrap())
        .filter(|command| *command != "help")
        .collect();
    let named: BTreeSet<&str> = README
        .lines()
        .filter_map(|line| line.strip_prefix("| `carom "))
        .map(|rest| rest.split([' ', '`']).next().unwrap())
        .collect();
    assert_eq!(commands, named, "the program's (left) and the README's");
    for command in commands {
        assert!(help(&[command]).status.success(), "{command}");
    }
}

/// A row of a table of keys.
struct Row {
    of: String,
    keys: Vec<String>,
    now: String,
}

/// The rows, the first column filled in where it is empty, marks left out.
fn rows(document: &str) -> Vec<Row> {
    let table = document.lines().skip_while(|line| !line.starts_with("| of | key |")).skip(2);
    let mut of = String::new();
    let mut rows = Vec::new();
    for line in table.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        // All of the flow language is built.
        assert!((4..=5).contains(&cells.len()), "{line}");
        if !cells[0].is_empty() {
            of = cells[0].replace(['*', '`'], "");
        }
        // `mon` … `sun` stands for what lies between.
        let key = cells[1].replace("`mon` … `sun`", "`mon` `tue` `wed` `thu` `fri` `sat` `sun`");
        let keys = key.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        rows.push(Row {
            of: of.clone(),
            keys,
            now: cells.get(4).copied().unwrap_or_default().to_owned(),
        });
    }
    rows
}

/// The keys that the documents name, by table: of `carom.toml`, or of flows; with or without those
/// that are not available yet.
pub fn documented_keys(of_config: bool, not_yet: bool) -> BTreeMap<String, BTreeSet<String>> {
    let document = if of_config { CONFIGURATION } else { FLOW_LANGUAGE };
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows(document) {
        let of = keys.entry(row.of).or_default();
        of.extend(row.keys.into_iter().filter(|_| not_yet || row.now != "not yet"));
    }
    keys
}

fn keys(document: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows(document) {
        let of = keys.entry(row.of.clone()).or_default();
        for key in row.keys {
            assert!(of.insert(key.clone()), "{}: `{key}` stands there twice", row.of);
        }
    }
    keys
}

fn example(document: &str) -> &str {
    document.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0
}

fn step(kind: &str, rest: &str) -> String {
    table("step.x", &format!("do = \"{kind}\"\n{rest}"))
}

fn table(name: &str, rest: &str) -> String {
    format!("[{name}]\n{rest}\n{NO_KEY}\n")
}

fn known_to_flows(text: &str) -> BTreeSet<String> {
    known(&flow_report(text))
}

fn known_to_config(text: &str) -> BTreeSet<String> {
    known(&config_report(text))
}

/// The keys of "known here: …" in what is said of the key that is none.
fn known(report: &str) -> BTreeSet<String> {
    let (_, after) = report.split_once("does not know the key `qqq").unwrap_or_else(|| {
        panic!("{report}");
    });
    let (_, after) = after.split_once("known here: ").unwrap();
    let list = after.lines().next().unwrap();
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn flow_report(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flow.toml");
    let head = if text.contains("[flow]") { "" } else { "[flow]\ndefault = true\n" };
    fs::write(&file, format!("version = 1\n{head}{text}")).unwrap();
    check(Some(Path::new("tests/fixtures/plain.toml")), &[file]).1.to_string()
}

fn config_report(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("carom.toml");
    fs::write(&file, text).unwrap();
    check(Some(&file), &[]).1.to_string()
}
