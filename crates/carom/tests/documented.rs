//! What `carom check` says of the documented configuration, and of the full service line.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use carom_blackbox::{Place, certify};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const MINIMAL: &str = include_str!("../../ivr-runtime/tests/fixtures/minimal.toml");
/// The documented configuration, as printed.
const EXAMPLE: &str = include_str!("fixtures/carom.toml");
pub const FULL_CONFIG: &str = include_str!("../../../config/full/carom.toml");
pub const FULL: &str = include_str!("../../../config/full/flows/full.toml");
const OAUTH1: &str =
    "consumer_key = \"a\"\nconsumer_secret = \"b\"\ntoken = \"c\"\ntoken_secret = \"d\"\n";

#[test]
fn the_documented_configuration_tells_of_each_secret_and_file_that_is_missing() {
    let place = Place::new();
    let config = place.write("carom.toml", EXAMPLE);
    fs::create_dir(place.folder().join("prompts")).unwrap();
    place.write("flows/minimal.toml", MINIMAL);
    place.write("secrets/liveperson-oauth1.toml", OAUTH1);
    let told = Command::new(BIN)
        .args(["check", "--format", "json", "-c"])
        .arg(&config)
        .envs([("TWILIO_ACCOUNT_SID", "AC1"), ("TWILIO_AUTH_TOKEN", "x")])
        .envs([("CAROM_CONSOLE_TOKEN", "x"), ("CAROM_IVR_TOKEN", "y")])
        .env("CAROM_HOOK_SECRET", "z")
        .output()
        .unwrap();
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    let lines = String::from_utf8(told.stdout).unwrap();
    let findings = lines.lines().map(|line| {
        let finding: serde_json::Value = serde_json::from_str(line).unwrap();
        let folder = place.folder().to_string_lossy();
        let word = |key: &str| finding[key].as_str().unwrap().replace(&*folder, "[folder]");
        format!("{} line {}: {}", word("code"), finding["line"], word("message"))
    });
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("documented", findings.collect::<Vec<_>>().join("\n"));
    });
}

#[test]
fn e11_the_documented_configuration_loads_as_printed_and_names_whose_texts_are_not_priced() {
    let place = Place::new();
    fs::create_dir(place.folder().join("prompts")).unwrap();
    let (out, err) = checks(&place, EXAMPLE, FULL);
    assert!(out.contains("0 errors, 2 warnings"), "{out}{err}");
    for sender in ["uk_sms", "wa"] {
        let word = format!("warning[W15]: `spend_per_day` counts nothing for texts by `{sender}`");
        assert!(out.contains(&word) || err.contains(&word), "{out}{err}");
    }
}

/// What `config/full` has else than the documented configuration.
#[test]
fn the_full_service_line_is_that_of_the_documented_configuration() {
    let lines = |text: &'static str| {
        let lines = text.lines().map(|line| line.split('#').next().unwrap().trim());
        lines.filter(|line| !line.is_empty()).collect::<Vec<_>>()
    };
    let mut documented = lines(EXAMPLE);
    documented.retain(|line| !line.starts_with("prompts "));
    let mut full = lines(FULL_CONFIG);
    full.retain(|line| !line.starts_with("price "));
    assert_eq!(full, documented);
}

#[test]
fn the_full_service_line_loads_without_a_word_and_traps_nobody() {
    let place = Place::new();
    let config = place.write("carom.toml", FULL_CONFIG);
    let long = std::env::var("CAROM_LONG").is_ok_and(|long| long == "1");
    let callers = if long { 1_000_000 } else { 10_000 };
    let (out, err) = loads_without_a_word(&place, FULL_CONFIG, FULL);
    assert!(out.contains("no caller is trapped"), "{out}{err}");
    let told =
        with_secrets(&config, &["simulate", "--random", &callers.to_string(), "--seed", "1"]);
    let out = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success(), "{out}");
    assert!(out.contains(&format!("{callers} callers, seed 1\n")), "{out}");
}

/// Checks a configuration with a full flow, and proves it; nothing is told of it.
pub fn loads_without_a_word(place: &Place, text: &str, flow: &str) -> (String, String) {
    let (out, err) = checks(place, text, flow);
    for word in ["error[", "warning[", "E0", "E1", "W0", "W1"] {
        assert!(!out.contains(word) && !err.contains(word), "{word}: {out}{err}");
    }
    (out, err)
}

fn checks(place: &Place, text: &str, flow: &str) -> (String, String) {
    let config = place.write("carom.toml", text);
    place.write("flows/full.toml", flow);
    place.write("secrets/liveperson-oauth1.toml", OAUTH1);
    certify(place);
    let told = with_secrets(&config, &["check", "--proof"]);
    let out = String::from_utf8(told.stdout).unwrap();
    let err = String::from_utf8(told.stderr).unwrap();
    assert!(told.status.success(), "{out}{err}");
    (out, err)
}

/// Runs a command with the variables that the configuration names.
fn with_secrets(config: &Path, args: &[&str]) -> Output {
    // The public key of RFC 8032 §7.1, test 1.
    let key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let names = EXAMPLE.split("\"env:").skip(1).filter_map(|rest| rest.split('"').next());
    let mut command = Command::new(BIN);
    command.args(args).arg("-c").arg(config);
    command.envs(names.map(|name| (name, "x"))).env("TELNYX_PUBLIC_KEY", key);
    command.output().unwrap()
}
