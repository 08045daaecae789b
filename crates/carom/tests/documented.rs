//! What `carom check` says of the documented configuration, and of the full service line.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use carom_blackbox::{Place, certify};
use ivr_runtime::diagnose::Code;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const MINIMAL: &str = include_str!("../../ivr-runtime/tests/fixtures/minimal.toml");
/// The documented configuration, as printed.
const EXAMPLE: &str = include_str!("fixtures/carom.toml");
const FULL_AS_PRINTED: &str = include_str!("fixtures/full.toml");
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

/// Requirements §6.3: no errors, W03 for the static link of the minimal flow, no other warning. What
/// the program has to say beyond is advice.
#[test]
fn lp_04_the_documented_files_load_as_printed_with_the_warnings_stated_and_no_others() {
    let place = Place::new();
    fs::create_dir(place.folder().join("prompts")).unwrap();
    let unpriced = |sender: &str| {
        format!(
            "note A01 `spend_per_day` counts nothing for texts by `{sender}`: it has no `price`, and \
             its provider tells none in time"
        )
    };
    let never = |field: &str| {
        format!(
            "note A02 `order_status` of level L1 never gets `{field}`: a system told it of the caller"
        )
    };
    let of_both = [unpriced("uk_sms"), unpriced("wa")];
    let staffing = "warning W03 whether somebody is there at the link `chat` is yours to see to";
    let of_full = [never("order_ref"), never("customer_id"), never("order_ref")];
    for (flow, told, counted) in [
        (FULL_AS_PRINTED, &of_full[..], "0 errors, 0 warnings, 5 notes"),
        (MINIMAL, &[staffing.to_owned()], "0 errors, 1 warning, 2 notes"),
    ] {
        let config = files(&place, EXAMPLE, flow);
        let mut expected: Vec<String> = of_both.iter().chain(told).cloned().collect();
        expected.sort();
        for strict in [&[][..], &["--strict"]] {
            let found = with_secrets(&config, &[&["check", "--format", "json"], strict].concat());
            assert!(found.status.success(), "{found:?}");
            let lines = String::from_utf8(found.stdout).unwrap();
            let mut found: Vec<String> = lines
                .lines()
                .map(|line| {
                    let finding: serde_json::Value = serde_json::from_str(line).unwrap();
                    let word = |key: &str| finding[key].as_str().unwrap().to_owned();
                    format!("{} {} {}", word("severity"), word("code"), word("message"))
                })
                .collect();
            found.sort();
            assert_eq!(found, expected, "{strict:?}");
        }
        let (out, _) = checks(&place, EXAMPLE, flow);
        assert!(out.contains(counted), "{out}");
        assert!(out.contains("note[A01]: `spend_per_day` counts nothing"), "{out}");
    }
    let config = files(&place, EXAMPLE, FULL_AS_PRINTED);
    let told = with_secrets(&config, &["simulate", "--random", "2000", "--seed", "4"]);
    assert!(told.status.success(), "{told:?}");
    let sarif = with_secrets(&config, &["check", "--format", "sarif"]);
    let log: serde_json::Value = serde_json::from_slice(&sarif.stdout).unwrap();
    let run = &log["runs"][0];
    let levels = run["results"].as_array().unwrap().iter().map(|result| &result["level"]);
    assert_eq!(levels.collect::<Vec<_>>(), ["note"; 5]);
    assert_eq!(run["tool"]["driver"]["rules"][0]["defaultConfiguration"]["level"], "note");
}

/// E10, W15 and A01 are about the senders of flows, too.
#[test]
fn e10_the_senders_that_a_flow_brings_serve_its_countries_and_cost_what_texts_cost() {
    let place = Place::new();
    let config = fs::read_to_string("tests/fixtures/plain.toml").unwrap();
    let twilio = "[provider.twilio]\nkind = \"twilio\"\naccount = \"AC1\"\nsecret = \"env:HOME\"\n\
                  [sender.main]\nprovider = \"twilio\"\nfrom = \"+447700900123\"\nregions = [\"GB\"]\n\
                  price = 0.04\n";
    let own = "[sender.own]\nprovider = \"twilio\"\nfrom = \"+33612345678\"\nregions = [\"FR\"]\n";
    let cap = "spend_per_day = { amount = 9, currency = \"GBP\" }\n";
    let told = |limits: &str, own: &str| {
        let config = place.write("carom.toml", &format!("{config}\n{twilio}[limits]\n{limits}"));
        let flow = place.write("flows/own.toml", &format!("{MINIMAL}\n{own}"));
        let (snapshot, report) = carom::config::check(Some(&config), &[flow]);
        let found = report.findings.iter().filter(|finding| finding.code != Code::W03);
        let told = found.map(|found| {
            let file = Path::new(&found.file).file_name().unwrap().to_str().unwrap();
            format!("{} {file} {}", found.code, found.message)
        });
        (snapshot.is_some(), told.collect::<Vec<_>>())
    };
    let both = "countries = [\"GB\", \"FR\"]\n";
    let unserved = "E10 carom.toml `countries`: no sender serves FR".to_owned();
    assert_eq!(told(&format!("{both}{cap}"), ""), (false, vec![unserved]));
    let unbounded = "W15 carom.toml nothing bounds what the texts of a day may cost".to_owned();
    assert_eq!(told(both, own), (true, vec![unbounded]));
    let (is_served, found) = told(&format!("{both}{cap}"), own);
    assert!(is_served && found.len() == 1, "{found:?}");
    assert!(
        found[0].starts_with("A01 own.toml `spend_per_day` counts nothing for texts by `own`"),
        "{found:?}"
    );
    assert_eq!(told(&format!("{both}{cap}"), &format!("{own}price = 0.05\n")), (true, Vec::new()));
    // One that can't be read is told of, and not what is missed for it.
    let (is_served, found) =
        told(&format!("{both}{cap}"), &own.replace("from = \"+33612345678\"\n", ""));
    assert_eq!(
        (is_served, found),
        (false, vec!["E00 own.toml `[sender.own]` has no `from`".to_owned()])
    );
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
    let config = files(place, text, flow);
    let told = with_secrets(&config, &["check", "--proof"]);
    let out = String::from_utf8(told.stdout).unwrap();
    let err = String::from_utf8(told.stderr).unwrap();
    assert!(told.status.success(), "{out}{err}");
    (out, err)
}

/// The files of a configuration, and what they name.
fn files(place: &Place, text: &str, flow: &str) -> PathBuf {
    let config = place.write("carom.toml", text);
    place.write("flows/full.toml", flow);
    place.write("secrets/liveperson-oauth1.toml", OAUTH1);
    certify(place);
    config
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
