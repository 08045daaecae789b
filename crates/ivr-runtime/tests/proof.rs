//! The proof that a flow traps nobody, as it is printed, and what it finds in flows that do.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;
mod full;

use std::collections::BTreeSet;

use common::{Sounds, shipped_shared};
use ivr_runtime::{
    flow::{
        PromptFacts, PromptIndex, Shared, load,
        model::{Does, Flow, Go, StepId},
    },
    proof::{Proof, Reach, prove},
};

const MINIMAL: &str = include_str!("fixtures/minimal.toml");
const SHIPPED: &str = include_str!("../../../config/flows/main.toml");

#[test]
fn the_proof_of_the_minimal_flow_is_a_table() {
    insta::assert_snapshot!(proof(MINIMAL, &Shared::default()).to_string());
}

#[test]
fn the_proof_of_the_shipped_flow_is_a_table() {
    insta::assert_snapshot!(proof(SHIPPED, &shipped_shared()).to_string());
}

#[test]
fn the_proof_of_the_full_flow_is_a_table() {
    insta::assert_snapshot!(proof(full::FLOW, &full::shared()).to_string());
}

#[test]
fn the_check_with_its_proof_of_the_full_flow_takes_200_ms_at_most() {
    let shared = full::shared();
    let took = || {
        let begun = now();
        let checked = load(full::FLOW, "full.toml", &shared, &Sounds);
        assert!(checked.findings.is_empty(), "{:#?}", checked.findings);
        begun.elapsed()
    };
    let fastest = (0..5).map(|_| took()).min().unwrap();
    println!("{fastest:?}");
    assert!(fastest.as_millis() <= 200, "{fastest:?}");
}

/// A call that no key can help: the proof itself says so, whatever the other checks say.
#[test]
fn a_trap_is_told_with_the_way_into_it() {
    let mut flow = flow(MINIMAL, &Shared::default());
    // The operator key and every other lead to a text, which may be sent.
    let text_me = Go::Step(StepId(1));
    let Does::Menu(menu) = &mut flow.steps[0].does else { panic!("{flow:?}") };
    menu.press.values_mut().for_each(|to| *to = text_me);
    (menu.no_input, menu.wrong) = (Go::HangUp, Go::HangUp);
    let proof = prove(&flow, &Sounds).unwrap();
    assert_eq!(proof.rows[0].reach, Some(Reach::Nobody));
    insta::assert_snapshot!(proof.to_string());
}

#[test]
fn going_round_is_told_with_the_way_round() {
    let mut flow = flow(MINIMAL, &Shared::default());
    // Whoever is busy sends callers back to where they came from.
    flow.steps[1].does = Does::Say { play: Vec::new(), then: Go::Target(flow.human) };
    flow.targets[0].if_busy = Some(Go::Step(StepId(1)));
    let proof = prove(&flow, &Sounds).unwrap();
    let paths: Vec<&str> = proof.traps.iter().map(|trap| trap.path.as_str()).collect();
    assert_eq!(
        paths,
        ["welcome, prompt fails → agents, busy → text_me, said → agents, busy → text_me"]
    );
}

/// A sound called `sound-7` lasts seven seconds, any other one.
struct Seconds;

impl PromptIndex for Seconds {
    fn in_folder(&self, _: &str, _: &str) -> Option<BTreeSet<String>> {
        None
    }

    fn has(&self, _: &str, name: &str) -> Option<PromptFacts> {
        let seconds = name.strip_prefix("sound-").map_or(1, |n| n.parse().unwrap());
        Some(PromptFacts { len_ms: seconds * 1_000, rate: 8_000, channels: 1 })
    }
}

#[test]
fn the_longest_time_counts_the_prompts_of_each_try() {
    let waited = |step: &str, again: &str| {
        let step = format!("play = \"sound-5\"\nno_input = \"agents\"\n{step}\n{again}");
        let flow = seconds(&step, HUMAN);
        prove(&flow, &Seconds).unwrap().rows[0].silent_ms
    };
    // Three tries of eight seconds each.
    let (menu, collect) = (
        "do = \"menu\"\npress = { 1 = \"agents\" }",
        "do = \"collect\"\nsave = \"order\"\nthen = \"agents\"",
    );
    for (again, prompts) in [
        ("", 5 + 5 + 5),
        ("play_again = [\"sound-2\"]", 5 + 2 + 2),
        ("play_again = [\"sound-2\", [\"sound-9\", \"sound-20\"]]", 5 + 2 + 29),
    ] {
        for step in [menu, collect] {
            assert_eq!(waited(step, again), (3 * 8 + prompts) * 1_000, "{step} {again}");
        }
    }
}

/// Reached by a key only: no failure was there before.
#[test]
fn ex_27_who_waited_in_vain_and_is_hung_up_on_is_trapped() {
    let traps = |line: &str, hangs_up: bool| {
        let ask = "do = \"menu\"\nplay = \"a\"\npress = { 1 = \"line\" }\nno_input = \"agents\"";
        let line = format!("{QUEUE}[step.line]\ndo = \"wait\"\ntarget = \"agents\"\n{line}");
        let mut flow = seconds(ask, &line);
        let Does::Wait(wait) = &mut flow.steps[1].does else { panic!("{flow:?}") };
        wait.then = hangs_up.then_some(Go::HangUp);
        let traps = prove(&flow, &Seconds).unwrap().traps.into_iter();
        traps.map(|trap| trap.path).collect::<Vec<_>>()
    };
    assert_eq!(traps("", true), ["ask, key 1 → line, nobody in time → hangup"]);
    assert!(traps("", false).is_empty());
    assert!(traps("fallback = false", true).is_empty());
}

#[test]
fn ex_27_a_line_that_fails_or_is_closed_leads_to_somebody_else() {
    let proof = |target: &str, rest: &str| {
        let line = format!("do = \"wait\"\ntarget = \"{target}\"");
        let flow = seconds(&line, &format!("{QUEUE}{rest}"));
        prove(&flow, &Seconds).unwrap()
    };
    // Nobody else is there.
    let alone = proof("agents", "");
    assert_eq!(alone.rows[0].reach, Some(Reach::Apology), "{alone}");
    let closed = proof(
        "others",
        "[hours.office]\nzone = \"Europe/London\"\nmon-fri = \"08:00-18:00\"\n\
         [target.others]\nsip = \"sip:others@192.0.2.7\"\nhuman_signal = \"reinvite\"\n\
         hours = \"office\"\nwhen_closed = \"late\"\n\
         [step.late]\ndo = \"say\"\nplay = \"a\"\nthen = \"agents\"\n",
    );
    assert_eq!(closed.rows[1].reach, Some(Reach::Person), "{closed}");
}

#[test]
fn ex_27_who_says_nothing_to_a_voicemail_may_be_listened_to_for_as_long_as_anybody() {
    let ask = "do = \"voicemail\"\nplay = \"sound-5\"\nmax_seconds = 20\nthen = \"bye\"";
    let bye = "[step.bye]\ndo = \"say\"\nplay = \"sound-4\"\nthen = \"hangup\"";
    let proof = prove(&seconds(ask, &format!("{HUMAN}{bye}")), &Seconds).unwrap();
    // The prompt, the tone, the longest message, two seconds more, ten to keep it, and goodbye.
    let longest = (5 + 1 + 20 + 2 + 10 + 4) * 1_000;
    assert_eq!(proof.rows[0].silent_ms, longest, "{proof}");
    assert_eq!(proof.rows[0].best_ms, Some(longest), "{proof}");
}

#[test]
fn ex_27_the_notice_of_emergencies_counts_for_what_is_heard_first() {
    let rows = |notice: bool| {
        let ask = "do = \"set\"\nintent = \"any\"\nthen = \"main\"";
        let main = "[step.main]\ndo = \"menu\"\nplay = \"sound-5\"\npress = { 1 = \"more\" }\n\
                    tries = 1\nno_input = \"agents\"\n";
        let more =
            main.replace("[step.main]", "[step.more]").replace("1 = \"more\"", "1 = \"main\"");
        let mut flow = seconds(ask, &format!("{HUMAN}{main}{more}"));
        flow.emergency_notice = notice;
        let rows = prove(&flow, &Seconds).unwrap().rows.into_iter();
        rows.map(|row| (row.best_ms, row.silent_ms)).collect::<Vec<_>>()
    };
    // Five seconds, and one for the operator's key or eight of silence.
    let without = (Some(6_000), 13_000);
    assert_eq!(rows(false), [without; 3]);
    // A sound of a second, and ten at most for a number.
    let with = (Some(17_000), 24_000);
    assert_eq!(rows(true), [with, with, without]);
}

const HUMAN: &str = "answered_means = \"human\"\n";
const QUEUE: &str = "human_signal = \"reinvite\"\n";

/// A flow that begins with the step `ask`; `target` says more of the human target, and what comes
/// after it.
fn seconds(ask: &str, target: &str) -> Flow {
    let text = format!(
        "version = 1\n[flow]\nname = \"Test\"\nnumbers = [\"+442079460018\"]\n\
         start = \"ask\"\nhuman = \"agents\"\n[step.ask]\n{ask}\n\
         [target.agents]\nsip = \"sip:queue@192.0.2.7\"\n{target}\n"
    );
    let checked = load(&text, "flow.toml", &Shared::default(), &Seconds);
    checked.flow.unwrap_or_else(|| panic!("{:#?}\n{text}", checked.findings))
}

#[expect(clippy::disallowed_methods, reason = "a test of how long something takes")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

fn proof(text: &str, shared: &Shared) -> Proof {
    let flow = flow(text, shared);
    let proof = prove(&flow, &Sounds).unwrap();
    assert_eq!(prove(&flow, &Sounds).unwrap(), proof, "the same each time");
    proof
}

fn flow(text: &str, shared: &Shared) -> Flow {
    let checked = load(text, "flow.toml", shared, &Sounds);
    checked.flow.unwrap_or_else(|| panic!("{:#?}", checked.findings))
}
