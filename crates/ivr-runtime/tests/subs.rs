//! Sub-flows: steps of another file under names of their own, with findings in that file.

mod common;

use std::collections::BTreeMap;

use common::{Sounds, shipped_shared};
use ivr_runtime::{
    diagnose::Severity,
    flow::{
        Checked, Shared, load,
        model::{Does, Go},
    },
};

const FLOW: &str = r#"
version = 1
[flow]
name    = "Bank"
numbers = ["+442079460027"]
start   = "welcome"
human   = "agents"
[target.agents]
sip            = "sip:queue@192.0.2.7"
answered_means = "human"
[step.welcome]
do       = "menu"
play     = "welcome.wav"
press    = { 1 = "verify", 2 = "again" }
no_input = "agents"
[step.verify]
do   = "sub"
file = "pin.toml"
with = { digits = 4, prompt = "your-pin", field = "pin" }
on   = { ok = "goodbye", failed = "agents" }
[step.again]
do   = "sub"
file = "pin.toml"
with = { digits = 6, prompt = "your-code", field = "code" }
on   = { ok = "verify", failed = "agents" }
[step.goodbye]
do   = "say"
play = "goodbye.wav"
then = "hangup"
"#;

const PIN: &str = r#"# Asks for digits and says whether they were given.
[sub]
start  = "ask"
params = ["digits", "prompt", "field"]
exits  = ["ok", "failed"]

[step.ask]
do       = "collect"
save     = "{field}"
play     = "{prompt}.wav"
min      = "{digits}"
max      = "{digits}"
tries    = 2
then     = "thanks"
no_input = "exit:failed"

[step.thanks]
do   = "say"
play = "thanks.wav"
then = "exit:ok"
"#;

fn check(flow: &str, files: &[(&str, &str)]) -> Checked {
    let sub_files: BTreeMap<String, String> =
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let shared = Shared { sub_files, ..shipped_shared() };
    load(flow, "flows/bank.toml", &shared, &Sounds)
}

fn told(checked: &Checked) -> Vec<String> {
    let errors = checked.findings.iter().filter(|f| f.severity == Severity::Error);
    errors.map(|f| format!("{}:{} {} {}", f.file, f.line, f.code, f.message)).collect()
}

#[test]
fn the_steps_of_a_sub_flow_stand_in_its_place_under_names_of_their_own() {
    let checked = check(FLOW, &[("pin.toml", PIN)]);
    assert_eq!(told(&checked), Vec::<String>::new());
    let flow = checked.flow.unwrap();
    let names: Vec<&str> = flow.steps.iter().map(|step| step.name.as_str()).collect();
    for name in ["verify", "verify.ask", "verify.thanks", "again.ask", "again.thanks"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let step = |name: &str| flow.steps.iter().find(|step| step.name == name).unwrap();
    let name = |go: Go| match go {
        Go::Step(id) => flow.steps[usize::from(id.0)].name.as_str(),
        Go::Target(id) => flow.targets[usize::from(id.0)].name.as_str(),
        Go::HangUp => "hangup",
    };
    let Does::Decide { otherwise, .. } = &step("verify").does else { panic!() };
    assert_eq!(name(*otherwise), "verify.ask");
    for (of, digits, field, ok) in [("verify", 4, "pin", "goodbye"), ("again", 6, "code", "verify")]
    {
        let Does::Collect(collect) = &step(&format!("{of}.ask")).does else { panic!() };
        assert_eq!((collect.min, collect.max, collect.save.as_str()), (digits, digits, field));
        assert_eq!(name(collect.then), format!("{of}.thanks"));
        assert_eq!(name(collect.no_input), "agents");
        let Does::Say { then, .. } = &step(&format!("{of}.thanks")).does else { panic!() };
        assert_eq!(name(*then), ok);
    }
    // Another text of the sub-flow is another revision of the flow.
    let other = check(FLOW, &[("pin.toml", &PIN.replace("tries    = 2", "tries    = 3"))]);
    assert_ne!(other.flow.unwrap().rev, flow.rev);
}

#[test]
fn what_is_wrong_in_a_sub_flow_is_told_in_its_own_file_and_line_and_once() {
    let broken = PIN.replace("then     = \"thanks\"", "then     = \"thank\"");
    let checked = check(FLOW, &[("pin.toml", &broken)]);
    let told = told(&checked);
    assert!(told[0].starts_with("pin.toml:14 E01 there is no step or target `thank`"), "{told:?}");
    assert_eq!(told.iter().filter(|one| one.contains("`thank`")).count(), 1, "{told:?}");
    assert!(checked.findings.iter().all(|finding| finding.fix.is_none()));
    assert!(checked.flow.is_none());
}

#[test]
fn what_does_not_fit_together_is_told_at_the_step_that_calls() {
    for (flow, sub, wanted) in [
        (
            FLOW.replace("digits = 4, ", ""),
            PIN.to_owned(),
            "the parameter `digits` of the sub-flow is missing",
        ),
        (
            FLOW.replace("digits = 4", "digits = 4, digit = 1"),
            PIN.to_owned(),
            "the sub-flow has no parameter `digit`",
        ),
        (
            FLOW.replace("ok = \"goodbye\", ", ""),
            PIN.to_owned(),
            "the exit `ok` of the sub-flow is missing",
        ),
        (
            FLOW.replace("\"pin.toml\"", "\"pim.toml\""),
            PIN.to_owned(),
            "there is no sub-flow file `pim.toml`",
        ),
        (
            FLOW.to_owned(),
            PIN.replace("exit:ok", "exit:okay"),
            "nothing says where the exit `okay` leads",
        ),
        (
            FLOW.to_owned(),
            PIN.replace("start  = \"ask\"", "start  = \"as\""),
            "there is no step `as` in this file",
        ),
        (FLOW.to_owned(), PIN.replace("[sub]", "[step]"), "`pin.toml` is no sub-flow"),
    ] {
        let told = told(&check(&flow, &[("pin.toml", &sub)]));
        assert!(told.iter().any(|one| one.contains(wanted)), "{wanted}: {told:?}");
    }
}

#[test]
fn a_sub_flow_may_stand_in_another_and_never_in_itself() {
    let outer = r#"
[sub]
start = "inner"
exits = ["done"]
[step.inner]
do   = "sub"
file = "pin.toml"
with = { digits = 4, prompt = "your-pin", field = "pin" }
on   = { ok = "exit:done", failed = "agents" }
"#;
    let flow = FLOW.replacen(
        "file = \"pin.toml\"\nwith = { digits = 4, prompt = \"your-pin\", field = \"pin\" }\non   = { ok = \"goodbye\", failed = \"agents\" }",
        "file = \"outer.toml\"\non   = { done = \"goodbye\" }",
        1,
    );
    let checked = check(&flow, &[("outer.toml", outer), ("pin.toml", PIN)]);
    assert_eq!(told(&checked), Vec::<String>::new());
    let flow_served = checked.flow.unwrap();
    assert!(flow_served.steps.iter().any(|step| step.name == "verify.inner.thanks"));

    let round = outer.replace("pin.toml", "outer.toml").replace(
        "with = { digits = 4, prompt = \"your-pin\", field = \"pin\" }\non   = { ok = \"exit:done\", failed = \"agents\" }",
        "on   = { done = \"exit:done\" }",
    );
    let told = told(&check(&flow, &[("outer.toml", &round), ("pin.toml", PIN)]));
    assert!(told.iter().any(|one| one.starts_with("outer.toml:7 E05")), "{told:?}");
}
