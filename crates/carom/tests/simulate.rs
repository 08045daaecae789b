//! `carom simulate`: a flow played with typed keys, and by random callers.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const MINIMAL: &str = "crates/ivr-runtime/tests/fixtures/minimal.toml";

#[test]
fn a_flow_is_played_with_typed_keys() {
    for (name, keys) in [
        ("a_text_is_accepted", "1\n"),
        ("a_person_is_asked_for", "0\n"),
        ("nothing_is_pressed", "\n\n\n"),
        ("a_question_is_answered_in_spanish", "2\n2\n1\n9\n8\n1\nh\n"),
        ("a_key_that_is_none_and_one_that_leads_nowhere", "x\n7\nh\n"),
    ] {
        let told = play(&["simulate"], keys);
        assert!(told.status.success(), "{told:?}");
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name, String::from_utf8(told.stdout).unwrap());
        });
    }
}

#[test]
fn ten_thousand_random_callers_of_each_shipped_flow_reach_an_end_or_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let demo = folder.path().join("demo.toml");
    let text = include_str!("../src/demo/flow.toml").replace("{pbx}", "127.0.0.1:5080");
    std::fs::write(&demo, text).unwrap();
    let demo = demo.to_str().unwrap();
    let long = std::env::var("CAROM_LONG").is_ok_and(|long| long == "1");
    let callers = if long { 1_000_000 } else { 10_000 };
    let random = ["simulate", "--random", &callers.to_string(), "--seed", "20261125"];
    for args in [&["-c", "config/carom.toml"][..], &[], &[MINIMAL], &[demo]] {
        let told = play(&[&random, args].concat(), "");
        let text = String::from_utf8(told.stdout).unwrap();
        assert!(told.status.success(), "{args:?}: {text}");
        assert!(
            text.starts_with(&format!("{callers} callers, seed 20261125\n")),
            "{args:?}: {text}"
        );
        assert!(!text.contains("LOST"), "{args:?}: {text}");
        let ends = counts(&text).into_iter().filter(|(what, _)| is_an_end(what));
        assert_eq!(ends.map(|(_, n)| n).sum::<u64>(), callers, "{args:?}: {text}");
        for end in ["deflected", "forwarded", "apology", "caller_hangup"] {
            assert!(counts(&text).iter().any(|(what, n)| what == end && *n > 0), "{end}: {text}");
        }
    }
}

#[test]
fn parts_fail_as_often_as_they_are_told_to() {
    let of = |faults: &[&str]| {
        let faults = faults.iter().flat_map(|fault| ["--fail", *fault]);
        let args: Vec<&str> = ["simulate", "--random", "2000"].into_iter().chain(faults).collect();
        let told = play(&[&args[..], &["-c", "config/carom.toml"]].concat(), "");
        let text = String::from_utf8(told.stdout).unwrap();
        assert!(told.status.success(), "{text}{}", String::from_utf8_lossy(&told.stderr));
        let count =
            |what: &str| counts(&text).iter().find(|(of, _)| of == what).map_or(0, |(_, n)| *n);
        (count("deflected"), count("apology"))
    };
    let (well, apologies) = of(&["all=0"]);
    assert!(well > 100, "{well}");
    assert_eq!(apologies, 0, "nothing fails");
    let (half, _) = of(&["all=0", "provider=0.5"]);
    let (none, _) = of(&["all=0", "provider=1"]);
    assert!(none < half && half < well, "{none} {half} {well}");
    let (_, apologies) = of(&["all=0", "target=1"]);
    assert!(apologies > 100, "no target takes a call: {apologies}");
    for (fault, why) in [
        ("provder=0.1", "there is no part `provder`: prompt, provider,"),
        ("provider", "write it as PART=CHANCE"),
        ("provider=1.5", "a chance is from 0 to 1"),
        ("provider=0.001", "in steps of 0.01"),
    ] {
        let told = play(&["simulate", "--random", "1", "--fail", fault], "");
        let text = String::from_utf8(told.stderr).unwrap();
        assert!(!told.status.success() && text.contains(why), "{fault}: {text}");
    }
}

/// A configuration with two flows.
fn two_flows() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::create_dir(folder.path().join("flows")).unwrap();
    std::fs::copy(root.join("config/carom.toml"), folder.path().join("carom.toml")).unwrap();
    let flow = std::fs::read_to_string(root.join("config/flows/main.toml")).unwrap();
    std::fs::write(folder.path().join("flows/main.toml"), &flow).unwrap();
    let other = std::fs::read_to_string(root.join(MINIMAL)).unwrap();
    std::fs::write(folder.path().join("flows/other.toml"), &other).unwrap();
    folder
}

#[test]
fn without_a_file_random_callers_are_sent_through_every_flow() {
    let folder = two_flows();
    let config = folder.path().join("carom.toml");
    let config = config.to_str().unwrap();
    let told = play(&["simulate", "-c", config, "--random", "200"], "");
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success(), "{text}");
    for name in ["Sample line", "Main line"] {
        assert!(text.contains(&format!("flow {name}\n200 callers, seed 1\n")), "{text}");
    }
}

#[test]
fn without_a_file_one_says_which_flow_is_played() {
    let folder = two_flows();
    let config = folder.path().join("carom.toml");
    let config = config.to_str().unwrap();
    for (typed, played) in [("2\nh\n", "Main line"), ("9\nmain\nSample line\nh\n", "Sample line")] {
        let told = play(&["simulate", "-c", config], typed);
        let text = String::from_utf8(told.stdout).unwrap();
        assert!(text.contains("1  Sample line") && text.contains("2  Main line"), "{text}");
        assert!(text.contains(&format!("flow {played}; type keys")), "{text}");
    }
    let told = play(&["simulate", "-c", config], "");
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    assert!(String::from_utf8_lossy(&told.stderr).contains("no flow was chosen"), "{told:?}");
}

#[test]
fn the_same_seed_gives_the_same_callers_and_another_others() {
    let run = |seed| play(&["simulate", "--random", "500", "--seed", seed], "").stdout;
    assert_eq!(run("7"), run("7"));
    assert_ne!(run("7")[25..], run("8")[25..]);
}

#[test]
fn a_caller_whom_no_text_can_reach_is_played_as_such() {
    for from in ["+442079460123", "020 7946 0123", "anonymous"] {
        let told = play(&["simulate", "--from", from], "h\n");
        let text = String::from_utf8(told.stdout).unwrap();
        assert!(told.status.success() && text.contains("suppressed ("), "{from}: {text}");
    }
    let told = play(&["simulate", "--from", "07700 900123"], "h\n");
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success() && !text.contains("suppressed ("), "{text}");
    let told = play(&["simulate", "--from", "abc"], "");
    assert_eq!(told.status.code(), Some(64), "{told:?}");
}

#[test]
fn a_run_without_callers_proves_nothing_and_is_refused() {
    let told = play(&["simulate", "--random", "0"], "");
    assert_eq!(told.status.code(), Some(64), "{told:?}");
}

#[test]
fn a_flow_that_traps_its_callers_is_not_played() {
    for flow in ["E02_no_end", "E03_no_person", "E05_loop"] {
        let file = format!("crates/ivr-runtime/tests/bad/{flow}.toml");
        for args in [&["simulate", &file][..], &["simulate", &file, "--random", "10"]] {
            let told = play(args, "1\n");
            assert_eq!(told.status.code(), Some(1), "{told:?}");
            let text = String::from_utf8_lossy(&told.stderr).into_owned();
            assert!(text.contains(&format!("error[{}]", &flow[..3])), "{flow}: {text}");
        }
    }
}

/// Runs it at the top of the repository with keys typed.
fn play(args: &[&str], keys: &str) -> Output {
    let mut child = Command::new(BIN)
        .args(args)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end before it has read them all.
    let _ = child.stdin.take().unwrap().write_all(keys.as_bytes());
    child.wait_with_output().unwrap()
}

/// `  123  deflected` of each line.
fn counts(text: &str) -> Vec<(String, u64)> {
    let lines = text.lines().filter_map(|line| line.trim().split_once("  "));
    lines.filter_map(|(n, what)| Some((what.to_owned(), n.parse().ok()?))).collect()
}

fn is_an_end(what: &str) -> bool {
    !what.starts_with("offers")
        && what != "in the control group"
        && !what.contains(" steps entered")
        && !what.contains(" exits taken")
}
