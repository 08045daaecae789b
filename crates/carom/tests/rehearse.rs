//! `carom test`: flows played against what is expected of them.

use std::process::{Command, Output};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const CONFIG: [&str; 3] = ["test", "-c", "config/carom.toml"];

#[test]
fn the_shipped_flow_keeps_its_own_tests_and_says_what_they_leave_out() {
    let told = carom(&CONFIG);
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success(), "{text}");
    assert!(text.contains("8 tests, 0 failed\nSample line: 11 of 12 steps"), "{text}");
    assert!(text.contains("  not seen: english by next\n"), "{text}");
}

#[test]
fn the_full_service_line_keeps_its_tests_with_secrets_that_are_good_for_nothing() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let mut tries = Command::new("config/full/try");
    let told = tries.arg("test").env("CAROM", BIN).current_dir(root).output().unwrap();
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success(), "{text}{}", String::from_utf8_lossy(&told.stderr));
    assert!(text.contains("22 tests, 0 failed\nRetail service line: 32 of 33 steps"), "{text}");
}

#[test]
fn a_test_that_fails_says_what_was_expected_and_what_came() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.flowtest.toml");
    let junit = folder.path().join("results.xml");
    let test = r#"
[[test]]
name = "a <caller> takes the text"
at   = "2026-11-25T10:00[Europe/London]"
text = "failed"
do   = ["1"]
[test.expect]
path    = ["arrive next", "offer 1", "text_me next"]
prompts = ["sent"]
texts   = ["another link"]
targets = []
offers  = ["offer declined"]
end     = "deflected"
handled = "no_human"
[[test]]
name = "it is not over"
at   = "2026-11-25T10:00[Europe/London]"
do   = ["2"]
expect = { end = "forwarded" }
[[test]]
name = "there is no such key"
do   = ["x"]
expect = {}
[[test]]
name = "there is no such flow"
flow = "Sampel line"
expect = {}
[[test]]
name = "there is no such day"
at   = "2026-02-30T10:00[Europe/London]"
expect = {}
"#;
    std::fs::write(&file, test).unwrap();
    let args = [file.to_str().unwrap(), "--junit", junit.to_str().unwrap()];
    let told = carom(&[&CONFIG[..], &args].concat());
    assert_eq!(told.status.code(), Some(1));
    let text = String::from_utf8(told.stdout).unwrap();
    let text = text.replace(folder.path().to_str().unwrap(), "[folder]");
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("tests_that_fail", text.split("Sample line:").next().unwrap());
    });
    let xml = std::fs::read_to_string(junit).unwrap();
    assert!(xml.contains("tests=\"5\" failures=\"5\""), "{xml}");
    assert!(xml.contains("<testcase name=\"a &lt;caller&gt; takes the text\""), "{xml}");
    let opened = xml.matches("<testcase").count();
    assert_eq!(opened, xml.matches("</testcase>").count(), "{xml}");
}

#[test]
fn every_case_and_every_exit_is_counted_whether_a_test_took_it_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("results.xml");
    let flow = r#"
version = 1
[flow]
name    = "Cases"
default = true
start   = "sort"
human   = "agents"
[target.agents]
sip            = "sip:agents@pbx.example.net"
answered_means = "human"
[rule.outage]
flag = "outage"
[rule.strike]
flag = "strike"
[step.sort]
do        = "decide"
case      = [{ if = "outage", go = "agents" }, { if = "strike", go = "agents" }]
otherwise = "ask"
[step.ask]
do       = "collect"
save     = "account"
play     = "welcome.wav"
min      = 2
then     = "stop"
no_input = "agents"
[step.stop]
do       = "opt-out"
play     = "welcome.wav"
then     = "agents"
"#;
    let test = r#"
[[test]]
name   = "by a case, and by none"
flags  = ["strike"]
expect = { path = ["sort next"] }
[[test]]
name   = "digits, and a key that confirms nothing"
do     = ["12#", "5"]
expect = { path = ["sort next", "ask next", "stop 5"] }
"#;
    let config = write_config(folder.path(), flow, test);
    let args = ["test", "-c", &config, "--junit", junit.to_str().unwrap()];
    let told = carom(&args);
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success(), "{text}{}", String::from_utf8_lossy(&told.stderr));
    let missing = [
        "  not seen: ask by error, timeout, wrong\n",
        "  not seen: sort by if outage\n",
        "  not seen: stop by 1, error, timeout\n",
    ];
    let all = format!("Cases: 3 of 3 steps, 4 of 11 exits\n{}", missing.concat());
    assert!(text.ends_with(&all), "{text}");
    let xml = std::fs::read_to_string(junit).unwrap();
    assert!(xml.contains("<testsuite name=\"coverage of Cases\" tests=\"0\""), "{xml}");
    assert!(xml.contains("<property name=\"exits\" value=\"4 of 11\"/>"), "{xml}");
    assert!(xml.contains("sort by if outage\nstop by 1, error, timeout</system-out>"), "{xml}");
}

#[test]
fn outcomes_come_in_turn_by_step_and_by_sender() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("turns.flowtest.toml");
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let read = |name: &str| std::fs::read_to_string(format!("{root}/{name}")).unwrap();
    let flow = r#"
version = 1
[flow]
name    = "Turns"
default = true
start   = "ask"
human   = "desk"
[target.desk]
sip            = "sip:desk@pbx.example.net"
answered_means = "human"
[target.agents]
sip            = "sip:agents@pbx.example.net"
answered_means = "human"
if_busy        = "ask"
[link.chat]
url      = "https://help.example.com/chat"
staffing = "self-service"
intents  = ["any"]
[step.ask]
do       = "menu"
play     = "welcome.wav"
press    = { 1 = "first", 2 = "agents" }
no_input = "agents"
[step.first]
do       = "text"
via      = ["chatty", "plain"]
link     = "chat"
message  = "Example: your link {link}"
then     = "hangup"
if_fails = "again"
[step.again]
do       = "menu"
play     = "welcome.wav"
press    = { 1 = "second", 2 = "agents" }
no_input = "agents"
[step.second]
do       = "text"
via      = ["chatty", "plain", "sandbox"]
link     = "chat"
message  = "Example: another link {link}"
then     = "hangup"
if_fails = "agents"
"#;
    let config = read("config/carom.toml").replace(
        "[sender.",
        "[sender.chatty]\nprovider = \"sandbox\"\nfrom = \"+447700900998\"\nregions = [\"GB\"]\n\
         [sender.plain]\nprovider = \"sandbox\"\nfrom = \"+447700900997\"\nregions = [\"GB\"]\n[sender.",
    );
    std::fs::create_dir(folder.path().join("flows")).unwrap();
    std::fs::write(folder.path().join("flows/turns.toml"), flow).unwrap();
    std::fs::write(folder.path().join("carom.toml"), config).unwrap();
    let test = r#"
[[test]]
name    = "WhatsApp fails, the SMS goes"
senders = { chatty = "failed" }
do      = ["1"]
expect  = { path = ["ask 1", "first next"], texts = ["your link"], end = "deflected" }
[[test]]
name    = "both fail, and a third takes it"
senders = { chatty = "failed", plain = "failed" }
do      = ["1", "1"]
expect  = { path = ["ask 1", "first error", "again 1", "second next"], end = "deflected" }
[[test]]
name    = "one step's text fails, the other's does not"
text    = { first = "failed" }
do      = ["1", "1"]
expect  = { path = ["ask 1", "first error", "again 1", "second next"], end = "deflected" }
[[test]]
name    = "busy, then answers"
targets = { agents = ["busy", "person"] }
do      = ["2", "2"]
expect  = { path = ["ask 2", "ask 2"], targets = ["agents", "agents"], end = "forwarded", handled = "human" }
[[test]]
name    = "of all steps in turn"
text    = ["failed", "accepted"]
do      = ["1", "1"]
expect  = { path = ["ask 1", "first error", "again 1", "second next"], end = "deflected" }
[[test]]
name    = "no such sender"
senders = { pigeon = "failed" }
expect  = {}
"#;
    std::fs::write(&file, test).unwrap();
    let config = folder.path().join("carom.toml");
    let told = carom(&["test", "-c", config.to_str().unwrap(), file.to_str().unwrap()]);
    let text = String::from_utf8(told.stdout).unwrap();
    let err = String::from_utf8(told.stderr).unwrap();
    assert!(text.contains("6 tests, 1 failed"), "{text}{err}");
    assert!(text.contains("there is no sender `pigeon`"), "{text}{err}");
}

#[test]
fn a_file_that_is_no_file_of_tests_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.flowtest.toml");
    for (text, why) in [
        ("[[test]]\nname = \"a\"\nexpct = {}\n", "line 3, column 1"),
        ("[[test]]\nname = \"a\"\ntext = \"maybe\"\nexpect = {}\n", "unknown variant `maybe`"),
        ("[[test]]\nname = \"a\"\ntext = []\nexpect = {}\n", "a list of outcomes is empty"),
        ("[[test]]\nname = \"a\"\n", "missing field `expect`"),
        ("", "there is no `[[test]]` in it"),
    ] {
        std::fs::write(&file, text).unwrap();
        let told = carom(&[&CONFIG[..], &[file.to_str().unwrap()]].concat());
        let err = String::from_utf8(told.stderr).unwrap();
        assert_eq!(told.status.code(), Some(1), "{text}");
        assert!(err.contains("bad.flowtest.toml") && err.contains(why), "{text}: {err}");
    }
    let empty = tempfile::tempdir().unwrap();
    let told = carom(&[&CONFIG[..], &[empty.path().to_str().unwrap()]].concat());
    assert!(String::from_utf8(told.stderr).unwrap().contains("there is no *.flowtest.toml in"));
}

/// A folder with the sample configuration, one flow and its tests; returns its `carom.toml`.
fn write_config(folder: &std::path::Path, flow: &str, tests: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    std::fs::create_dir_all(folder.join("flows")).unwrap();
    let config = folder.join("carom.toml");
    std::fs::copy(format!("{root}/config/carom.toml"), &config).unwrap();
    std::fs::write(folder.join("flows/flow.toml"), flow).unwrap();
    std::fs::write(folder.join("flows/flow.flowtest.toml"), tests).unwrap();
    config.to_str().unwrap().to_owned()
}

fn carom(args: &[&str]) -> Output {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    Command::new(BIN).args(args).current_dir(root).output().unwrap()
}

#[test]
fn ic_06_a_test_of_a_flow_expects_what_follows_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let flow = folder.path().join("flows");
    std::fs::create_dir(&flow).unwrap();
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/carom.toml");
    std::fs::copy(config, folder.path().join("carom.toml")).unwrap();
    std::fs::write(flow.join("main.toml"), FOLLOWING).unwrap();
    let file = flow.join("main.flowtest.toml");
    let run = |wanted: &str| {
        let test = format!(
            "[[test]]\nname = \"yes\"\nat = \"2026-11-25T21:00[Europe/London]\"\n\
             do = [\"5\", \"silence\"]\n[test.expect]\ntexts = []\nfollow_ups = {wanted}\n"
        );
        std::fs::write(&file, test).unwrap();
        let config = folder.path().join("carom.toml");
        carom(&["test", "-c", config.to_str().unwrap()])
    };
    let told = run("[\"one tap away\"]");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stdout));
    let told = String::from_utf8(run("[]").stdout).unwrap();
    assert!(told.contains("follow_ups: expected [], came [Example: one tap away"), "{told}");
}

const FOLLOWING: &str = r#"
version = 1
[flow]
name    = "Test line"
default = true
start   = "welcome"
human   = "agents"
[target.agents]
sip = "sip:agents@192.0.2.7"
[link.orders]
url      = "https://shop.example.com/orders"
staffing = "self-service"
[step.welcome]
do       = "menu"
play     = "sent.wav"
press    = { 5 = "yes", 0 = "agents" }
no_input = "agents"
[step.yes]
do      = "set"
consent = "follow_up"
then    = "goodbye"
[step.goodbye]
do   = "say"
play = "goodbye.wav"
then = "hangup"
[after_call.nudge]
needs_consent = "follow_up"
link          = "orders"
message       = "Example: one tap away {link} Reply STOP to opt out."
"#;
