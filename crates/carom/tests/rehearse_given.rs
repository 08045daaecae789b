//! `carom test`: what is given of a call, and names that are not there.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const FLOW: &str = r#"
version = 1
[flow]
name            = "Given"
default         = true
start           = "sort"
human           = "desk"
holdout_percent = 10
[target.desk]
sip            = "sip:desk@pbx.example.net"
answered_means = "human"
[target.queue]
sip = "sip:queue@pbx.example.net"
[target.spare]
sip = "sip:spare@pbx.example.net"
[source.line]
kind   = "options"
target = "spare"
[hours.desk]
zone    = "Europe/London"
mon-fri = "08:00-18:00"
[link.chat]
url       = "https://help.example.com/chat"
check_url = "https://help.example.com/health"
staffing  = "self-service"
intents   = ["any"]
[rule.closed]
outside_hours = "desk"
[rule.visitor]
field    = "site_visits"
at_least = 2
[rule.queue_up]
target_up = "queue"
[rule.nobody]
agents_available = { at_most = 0 }
source           = "line"
[rule.trouble]
flag = "trouble"
[step.sort]
do        = "decide"
case      = [
  { if = "closed", go = "sorry" },
  { if = "visitor", go = "stop" },
  { if = "queue_up", go = "queue" },
  { if = "nobody", go = "spare" },
  { if = "trouble", go = "spare" },
]
otherwise = "ask"
[step.ask]
do             = "offer"
share          = 50
link           = "chat"
play           = "sample-offer.wav"
press          = { 1 = "text_me", 2 = "desk" }
accept         = ["1"]
no_input       = "desk"
if_not_offered = "desk"
[step.text_me]
do      = "text"
link    = "chat"
message = "Example: your link {link}"
then    = "hangup"
[step.stop]
do       = "opt-out"
play     = "welcome.wav"
then     = "desk"
if_fails = "spare"
[step.sorry]
do       = "say"
play     = "goodbye.wav"
then     = "hangup"
"#;

/// Asks for digits; WHAT tells which.
const ASKED: &str = r#"
version = 1
[flow]
name      = "Asked"
default   = true
languages = ["en-GB"]
start     = "asked"
human     = "desk"
[target.desk]
sip            = "sip:desk@pbx.example.net"
answered_means = "human"
[target.spare]
sip = "sip:spare@pbx.example.net"
[rule.expected]
field  = "typed_in"
equals = ["2024-02-29"]
[step.asked]
do       = "collect"
save     = "typed_in"
play     = "sample-offer.wav"
tries    = 2
WHAT
then     = "known"
no_input = "desk"
wrong    = "spare"
[step.known]
do        = "decide"
case      = [{ if = "expected", go = "desk" }]
otherwise = "spare"
"#;

#[test]
fn what_is_known_of_a_call_is_given_and_what_fails_fails() {
    let given = r#"
[[test]]
name      = "a target answers our OPTIONS"
at        = "2026-11-25T10:00[Europe/London]"
target_up = { queue = true }
expect    = { targets = ["queue"], offers = [] }
[[test]]
name      = "one does not, of which nothing more is said"
at        = "2026-11-25T10:00[Europe/London]"
target_up = { queue = false }
expect    = { path = ["sort next", "ask"], targets = [] }
[[test]]
name      = "a source that asks a target by OPTIONS tells that nobody is there"
at        = "2026-11-25T10:00[Europe/London]"
target_up = { spare = false }
expect    = { targets = ["spare"] }
[[test]]
name        = "a caller was on the pages a moment ago"
at          = "2026-11-25T10:00[Europe/London]"
site_visits = 2
do          = ["5"]
expect      = { path = ["sort next", "stop 5"], targets = ["desk"] }
[[test]]
name        = "an opt-out that can't be recorded"
at          = "2026-11-25T10:00[Europe/London]"
site_visits = 9
opt_out     = "failed"
do          = ["1"]
expect      = { path = ["sort next", "stop error"], targets = ["spare"] }
[[test]]
name   = "closed for once"
at     = "2026-11-25T10:00[Europe/London]"
hours  = { desk = "closed" }
expect = { path = ["sort next", "sorry next"] }
[[test]]
name   = "open for once, on a Sunday"
at     = "2026-11-29T10:00[Europe/London]"
hours  = { desk = "open" }
expect = { path = ["sort next", "ask"] }
[[test]]
name            = "a prompt that can't be played leads to a person"
at              = "2026-11-29T10:00[Europe/London]"
missing_prompts = ["goodbye.wav"]
expect          = { path = ["sort next", "sorry error"], targets = ["desk"] }
[[test]]
name   = "a page whose checks fail is not offered"
at     = "2026-11-25T10:00[Europe/London]"
links  = { chat = "failing" }
expect = { offers = ["ask suppressed:destination_down"] }
[[test]]
name   = "the control group hears no offer"
at     = "2026-11-25T10:00[Europe/London]"
arm    = "holdout"
expect = { offers = ["ask suppressed:holdout"] }
[[test]]
name   = "nor do those outside the share"
at     = "2026-11-25T10:00[Europe/London]"
share  = "outside"
expect = { offers = ["ask suppressed:share"] }
[[test]]
name   = "the others do"
at     = "2026-11-25T10:00[Europe/London]"
arm    = "on"
share  = "inside"
do     = ["1"]
expect = { offers = ["ask accepted"], end = "deflected" }
[[test]]
name   = "a flag is set"
at     = "2026-11-25T10:00[Europe/London]"
flags  = ["trouble"]
expect = { targets = ["spare"] }
"#;
    let folder = tempfile::tempdir().unwrap();
    let told = tested(folder.path(), FLOW, given, &[]);
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(text.contains("13 tests, 0 failed"), "{text}{}", String::from_utf8_lossy(&told.stderr));
    // By the flow's name, and by its file.
    for named in ["Given", "flow", "flows/flow.toml", "flows/flow.flowtest.toml", "flows"] {
        let told = carom(folder.path(), &["test", "-c", "carom.toml", named]);
        assert_eq!(String::from_utf8(told.stdout).unwrap(), text, "{named}");
    }
}

#[test]
fn a_name_that_is_not_there_is_told_with_file_line_and_key() {
    let folder = tempfile::tempdir().unwrap();
    for (line, told) in [
        (
            "target_up = { queu = true }",
            "`target_up`: there is no target `queu`: did you mean `queue`?",
        ),
        (
            "targets = { dsk = \"busy\" }",
            "`targets`: there is no target `dsk`: did you mean `desk`?",
        ),
        (
            "hours = { dexk = \"open\" }",
            "`hours`: there is no opening hours `dexk`: did you mean `desk`?",
        ),
        ("links = { caht = \"failing\" }", "`links`: there is no link `caht`"),
        ("links = { chat = \"down\" }", "`links`: nobody asks the destination of `[link.chat]`"),
        ("sources = { lien = { wait_seconds = 1 } }", "`sources`: there is no source `lien`"),
        (
            "text = { text_mee = \"failed\" }",
            "`text`: there is no `text` step `text_mee`: did you mean `text_me`?",
        ),
        (
            "answers = { ask = { a = \"b\" } }",
            "`answers`: there is no `lookup` or `action` step `ask`",
        ),
        ("agents = { ask = \"stays\" }", "`agents`: there is no `agent` step `ask`"),
        ("senders = { pigeon = \"failed\" }", "`senders`: there is no sender `pigeon`"),
        (
            "flags = [\"trubble\"]",
            "`flags`: there is no rule that asks for the flag `trubble`: did you mean `trouble`?",
        ),
        (
            "headers = { X-Vip = \"1\" }",
            "`headers`: there is no rule that asks for the header `x-vip`",
        ),
        (
            "call_is = [\"prority\"]",
            "`call_is`: there is no kind of call `prority`: did you mean `priority`?",
        ),
        ("attestation = \"D\"", "`attestation`: there is no attestation `D`"),
        (
            "missing_prompts = [\"goodby\"]",
            "`missing_prompts`: there is no prompt `goodby`: did you mean `goodbye`?",
        ),
        ("flow = \"Givn\"", "`flow`: there is no flow `Givn`: did you mean `Given`?"),
        ("caller = \"12\"", "`caller`: `12`:"),
        ("at = \"yesterday\"", "`at`: `yesterday` is no moment"),
        ("do = [\"1\", \"scream\"]", "`do`: `scream`: the caller presses keys"),
        (
            "history_unknown = true\nsite_visits = 1",
            "`site_visits`: nothing is known of this caller",
        ),
    ] {
        let test = format!("[[test]]\nname = \"a\"\n{line}\nexpect = {{}}\n");
        let out = tested(folder.path(), FLOW, &test, &[]);
        let text = String::from_utf8(out.stdout).unwrap();
        let at = 2 + line.matches('\n').count() + 1;
        let place = format!("flow.flowtest.toml:{at}: {told}");
        assert!(out.status.code() == Some(1) && text.contains(&place), "{place}: {text}");
    }
    let whole = FLOW.replace("holdout_percent = 10", "holdout_percent = 0");
    let test = "[[test]]\nname = \"a\"\narm = \"holdout\"\nexpect = {}\n";
    let text = String::from_utf8(tested(folder.path(), &whole, test, &[]).stdout).unwrap();
    assert!(text.contains("flowtest.toml:3: `arm`: the flow has no control group"), "{text}");
    // A key that is none.
    for key in ["target_upp = {}", "site_visit = 1", "arms = \"on\"", "hour = {}", "arm = \"off\""]
    {
        let test = format!("[[test]]\nname = \"a\"\n{key}\nexpect = {{}}\n");
        let text = String::from_utf8(tested(folder.path(), FLOW, &test, &[]).stderr).unwrap();
        let word = key.split(' ').next().unwrap();
        assert!(
            text.contains("flow.flowtest.toml") && text.contains("line 3") && text.contains(word),
            "{text}"
        );
    }
}

/// What is refused tells which keys there are.
#[test]
fn every_key_of_a_flow_test_is_in_the_docs_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let test = "[[test]]\nname = \"a\"\nnothing = 1\nexpect = {}\n";
    let told = String::from_utf8(tested(folder.path(), FLOW, test, &[]).stderr).unwrap();
    let (_, known) = told.split_once("expected one of ").unwrap();
    let words = |text: &str| -> BTreeSet<String> {
        text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let docs = include_str!("../../../docs/flow-language.md");
    let (_, table) =
        docs.split_once("| key of `[[test]]` | takes | left out |\n|---|---|---|\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let documented: BTreeSet<String> =
        rows.flat_map(|row| words(row.split('|').nth(1).unwrap())).collect();
    assert_eq!(documented, words(known));
}

#[test]
fn numbers_that_are_typed_are_read_in_the_country_that_was_called() {
    let folder = tempfile::tempdir().unwrap();
    let flow = r#"
version = 1
[flow]
name    = "Lines"
numbers = ["+442079460018", "+33142685300"]
start   = "phone"
human   = "desk"
[target.desk]
sip            = "sip:desk@pbx.example.net"
answered_means = "human"
[step.phone]
do       = "collect"
save     = "mobile"
check    = "mobile"
play     = "sample-offer.wav"
min      = 10
max      = 11
then     = "desk"
wrong    = "hangup"
tries    = 1
no_input = "desk"
"#;
    let tests = r#"
[[test]]
name   = "a French number at the French line"
called = "+33142685300"
do     = ["0612345678#"]
[test.expect]
path    = ["phone next"]
targets = ["desk"]
[[test]]
name   = "a British number at the British line"
called = "+442079460018"
do     = ["07400110001#"]
[test.expect]
path    = ["phone next"]
targets = ["desk"]
"#;
    let told = tested(folder.path(), flow, tests, &[]);
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(text.contains("2 tests, 0 failed"), "{text}{}", String::from_utf8_lossy(&told.stderr));
}

#[test]
fn a_date_is_typed_as_the_language_has_it_read_back_and_kept_if_there_is_such_a_day() {
    let british = ASKED.replace("WHAT", "check    = \"date\"\nconfirm  = true");
    let american = british.replace("en-GB", "en-US");
    let told = |flow: &str, tests: &str| {
        let folder = tempfile::tempdir().unwrap();
        let told = tested(folder.path(), flow, tests, &[]);
        let errors = String::from_utf8_lossy(&told.stderr).into_owned();
        String::from_utf8(told.stdout).unwrap() + &errors
    };
    let tests = r#"
[[test]]
name = "a leap day, read back and right"
do   = ["29022024", "1"]
[test.expect]
path    = ["asked next", "known next"]
prompts = ["sample-offer", "f-the", "f-ord-29", "f-month-2", "f-20", "f-24", "right-or-again"]
targets = ["desk"]
[[test]]
name = "there is no 31 February: asked once more"
do   = ["31022024", "29022024", "1"]
[test.expect]
path    = ["asked next", "known next"]
prompts = ["sample-offer", "sample-offer", "f-ord-29", "right-or-again"]
targets = ["desk"]
[[test]]
name = "nor the second time, and nobody can say the year 198"
do   = ["31022024", "01010198"]
[test.expect]
path    = ["asked wrong"]
targets = ["spare"]
[[test]]
name = "the month comes second"
do   = ["02292024", "02292024"]
expect = { path = ["asked wrong"], targets = ["spare"] }
[[test]]
name = "too few digits are no date"
do   = ["290224#", "290224#"]
expect = { path = ["asked wrong"] }
[[test]]
name = "what is read back is another day than was meant"
do   = ["28022024", "2", "29022024", "1"]
[test.expect]
path    = ["asked next", "known next"]
prompts = ["f-ord-28", "right-or-again", "sample-offer", "f-ord-29", "right-or-again"]
targets = ["desk"]
[[test]]
name   = "twice told that it is not right"
do     = ["28022024", "2", "27022024", "2"]
expect = { path = ["asked wrong"], targets = ["spare"] }
[[test]]
name   = "another day is another value"
do     = ["28022024", "1"]
expect = { path = ["asked next", "known next"], targets = ["spare"] }
"#;
    let text = told(&british, tests);
    assert!(text.contains("8 tests, 0 failed"), "{text}");
    let tests = r#"
[[test]]
name = "Americans say the month first"
do   = ["02292024", "1"]
[test.expect]
path    = ["asked next", "known next"]
prompts = ["f-month-2", "f-ord-29", "f-20", "f-24", "right-or-again"]
targets = ["desk"]
[[test]]
name   = "and have no 29th month, nor 31 February"
do     = ["29022024", "02312024"]
expect = { path = ["asked wrong"], targets = ["spare"] }
"#;
    let text = told(&american, tests);
    assert!(text.contains("2 tests, 0 failed"), "{text}");
    // What was wrong is not read back.
    let heard = "[[test]]\nname = \"a\"\ndo = [\"31022024\", \"01010198\"]\n\
                 expect = { prompts = [\"right-or-again\"] }\n";
    let text = told(&british, heard);
    assert!(text.contains("`right-or-again` was not heard"), "{text}");
}

#[test]
fn digits_are_taken_that_match_a_pattern_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let flow = ASKED.replace("WHAT", "pattern  = \"17|4[0-9]{3}\"\nconfirm  = true\nmax = 6");
    let flow = flow.replace("2024-02-29", "4123");
    let tests = r#"
[[test]]
name = "the long form, read back digit by digit"
do   = ["4123#", "1"]
[test.expect]
path    = ["asked next", "known next"]
prompts = ["sample-offer", "f-4", "f-1", "f-2", "f-3", "right-or-again"]
targets = ["desk"]
[[test]]
name   = "the short one"
do     = ["17#", "1"]
expect = { path = ["asked next", "known next"], targets = ["spare"] }
[[test]]
name   = "more before or behind it does not match"
do     = ["54123#", "179#"]
expect = { path = ["asked wrong"], targets = ["spare"] }
[[test]]
name   = "nor does less, but the second try may"
do     = ["412#", "4123#", "1"]
expect = { path = ["asked next", "known next"], targets = ["desk"] }
"#;
    let told = tested(folder.path(), &flow, tests, &[]);
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(text.contains("4 tests, 0 failed"), "{text}{}", String::from_utf8_lossy(&told.stderr));
    // What is no pattern is told where it stands.
    let told = tested(folder.path(), &flow.replace("{3}", "{3"), tests, &[]);
    let text = String::from_utf8(told.stderr).unwrap();
    assert!(text.contains("flow.toml:22") && text.contains("is no pattern"), "{text}");
}

#[test]
fn the_tests_of_a_flow_that_has_none_are_missed_by_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let told = |args: &[&str]| {
        let args = [&["test", "-c", "carom.toml"], args].concat();
        let told = carom(folder.path(), &args);
        assert_eq!(told.status.code(), Some(1), "{told:?}");
        String::from_utf8(told.stderr).unwrap()
    };
    write(folder.path(), FLOW, "");
    fs::remove_file(folder.path().join("flows/flow.flowtest.toml")).unwrap();
    assert!(told(&["Given"]).contains("flow.toml has no tests: there is no "));
    assert!(told(&["Givn"]).contains("did you mean `Given`?"));
    let text = told(&["flows/other.flowtest.toml"]);
    assert!(text.contains("the tests flows/other.flowtest.toml can't be read"), "{text}");
}

fn write(folder: &Path, flow: &str, tests: &str) {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/carom.toml");
    fs::create_dir_all(folder.join("flows")).unwrap();
    fs::copy(config, folder.join("carom.toml")).unwrap();
    fs::write(folder.join("flows/flow.toml"), flow).unwrap();
    fs::write(folder.join("flows/flow.flowtest.toml"), tests).unwrap();
}

fn tested(folder: &Path, flow: &str, tests: &str, args: &[&str]) -> Output {
    write(folder, flow, tests);
    carom(folder, &[&["test", "-c", "carom.toml"], args].concat())
}

fn carom(folder: &Path, args: &[&str]) -> Output {
    Command::new(BIN).args(args).current_dir(folder).output().unwrap()
}
