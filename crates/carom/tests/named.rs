//! Flows by their names, and `-c` wherever it stands.

use std::process::{Command, Output};

use carom_blackbox::Place;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const SAMPLE: &str = include_str!("../../../config/flows/main.toml");
const CONFIG: &str = include_str!("../../../config/carom.toml");
const MINIMAL: &str = include_str!("../../ivr-runtime/tests/fixtures/minimal.toml");

#[test]
fn a_flow_is_named_by_its_file_by_its_name_or_by_its_file_s_name() {
    let place = Place::new();
    let config = place.write("carom.toml", CONFIG);
    place.write("flows/sample.toml", SAMPLE);
    let second = place.write("flows/second.toml", MINIMAL);
    let config = config.to_str().unwrap();
    for command in [&["graph"][..], &["simulate", "--random", "20"], &["check"]] {
        let told = |flow: &str| carom(&[command, &["-c", config, flow]].concat());
        let by_path = told(second.to_str().unwrap());
        assert!(by_path.status.success(), "{by_path:?}");
        for name in ["Main line", "second"] {
            assert_eq!(told(name).stdout, by_path.stdout, "{command:?} {name}");
        }
        let other = told("Sample line");
        assert!(other.status.success() && other.stdout != by_path.stdout, "{other:?}");
    }
    for command in [&["graph"][..], &["simulate"], &["check"], &["replay", "0190"]] {
        let told = carom(&[command, &["-c", config, "Sampel line"]].concat());
        let text = String::from_utf8(told.stderr).unwrap();
        assert_eq!(told.status.code(), Some(1), "{text}");
        assert!(
            text.contains(
                "there is no flow and no file `Sampel line`, did you mean `Sample line`?"
            ),
            "{text}"
        );
        for known in
            ["`Sample line` (", "flows/sample.toml)", "`Main line` (", "flows/second.toml)"]
        {
            assert!(text.contains(known), "{known}: {text}");
        }
    }
    // Of the program's own configuration, too.
    let told = carom(&["graph", "Sample line"]);
    assert!(told.status.success(), "{told:?}");
    let told = carom(&["graph", "Main line"]);
    let text = String::from_utf8(told.stderr).unwrap();
    assert!(text.contains("the flows are `Sample line`"), "{text}");
}

#[test]
fn a_configuration_is_named_before_the_command_or_after_it() {
    let place = Place::new();
    let config = place.write("carom.toml", CONFIG);
    place.write("flows/second.toml", MINIMAL);
    let config = config.to_str().unwrap();
    let (equal, short) = (format!("--config={config}"), format!("-c{config}"));
    let after = carom(&["check", "-c", config]);
    assert!(after.status.success(), "{after:?}");
    for before in [&["-c", config][..], &["--config", config], &[&equal], &[&short]] {
        let told = carom(&[before, &["check"]].concat());
        assert_eq!((told.status, told.stdout), (after.status, after.stdout.clone()), "{before:?}");
        let told = carom(&[before, &["prompts", "list", "--language", "en-GB"]].concat());
        assert!(told.status.success(), "{told:?}");
    }
    let told = carom(&["--help"]);
    assert!(String::from_utf8_lossy(&told.stdout).contains("before the command or after it"));
    // Where a command takes none, it is not ignored.
    let told = carom(&["-c", config, "schema", "flow"]);
    assert_eq!(told.status.code(), Some(64), "{told:?}");
}

#[test]
fn a_flow_that_is_judged_by_the_built_in_configuration_is_told_so_in_one_line() {
    let place = Place::new();
    let flow = place.write("flow.toml", MINIMAL);
    let line = "judged by the built-in configuration: `-c FILE` names another\n";
    let told = carom(&["check", flow.to_str().unwrap()]);
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(text.ends_with(line) && text.matches(line).count() == 1, "{text}");
    let told = carom(&["check", "--format", "json", flow.to_str().unwrap()]);
    assert_eq!(String::from_utf8_lossy(&told.stderr), line, "programs read the other");
    let config = place.write("carom.toml", CONFIG);
    let args = ["check", "-c", config.to_str().unwrap(), flow.to_str().unwrap()];
    for args in [&args[..], &["check"]] {
        let told = carom(args);
        assert!(!String::from_utf8_lossy(&told.stdout).contains("judged by"), "{told:?}");
    }
}

fn carom(args: &[&str]) -> Output {
    Command::new(BIN).args(args).output().unwrap()
}
