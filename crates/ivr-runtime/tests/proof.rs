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
        let text = format!(
            "version = 1\n[flow]\nname = \"Test\"\nnumbers = [\"+442079460018\"]\n\
             start = \"ask\"\nhuman = \"agents\"\n[target.agents]\n\
             sip = \"sip:queue@192.0.2.7\"\nanswered_means = \"human\"\n\
             [step.ask]\nplay = \"sound-5\"\nno_input = \"agents\"\n{step}\n{again}\n"
        );
        let checked = load(&text, "flow.toml", &Shared::default(), &Seconds);
        let flow = checked.flow.unwrap_or_else(|| panic!("{:#?}", checked.findings));
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
