//! Random callers through flows as files spell them.

mod full;

use std::{collections::BTreeSet, sync::Arc};

use ivr_runtime::{
    call::{EndReason, Facts, TextOutcome},
    flow::{AnyPrompt, Shared, load, model::Flow},
    hours::{Hours, Schedule, Week, parse_spans},
    sim::{Faults, Heard, Obedient, Player, exits, run_random},
};

const MINIMAL: &str = include_str!("fixtures/minimal.toml");
const SHIPPED: &str = include_str!("../../../config/flows/main.toml");
const SEED: u64 = 20_261_124;

/// Ten thousand; with `CAROM_LONG=1` a million.
fn callers() -> u64 {
    if std::env::var("CAROM_LONG").is_ok_and(|long| long == "1") { 1_000_000 } else { 10_000 }
}

#[test]
fn ten_thousand_random_callers_of_the_minimal_flow_reach_an_end_or_a_person() {
    for (name, faults) in [("none", Faults::NONE), ("some", Faults::SOME), ("all", Faults::ALL)] {
        let tally = run_random(&minimal(), callers(), SEED, faults);
        assert!(tally.is_ok() && tally.calls == callers(), "faults {name}: {tally}");
        assert!(tally.state_bytes <= 4_096, "{} bytes", tally.state_bytes);
    }
}

#[test]
fn ten_thousand_random_callers_of_the_shipped_flow_reach_an_end_or_a_person() {
    for (name, faults) in [("none", Faults::NONE), ("some", Faults::SOME), ("all", Faults::ALL)] {
        let tally = run_random(&shipped(), callers(), SEED, faults);
        assert!(tally.is_ok() && tally.calls == callers(), "faults {name}: {tally}");
        assert!(tally.state_bytes <= 4_096, "{} bytes", tally.state_bytes);
    }
}

#[test]
fn ten_thousand_random_callers_of_the_full_flow_reach_an_end_or_a_person() {
    let checked = load(full::FLOW, "full.toml", &full::shared(), &AnyPrompt);
    let flow = Arc::new(checked.flow.expect("full.toml loads"));
    let known = all_exits(&flow);
    for (name, faults) in [("none", Faults::NONE), ("some", Faults::SOME), ("all", Faults::ALL)] {
        let tally = run_random(&flow, callers(), SEED, faults);
        println!("faults {name}: {tally}");
        assert!(tally.is_ok() && tally.calls == callers(), "faults {name}: {tally}");
        assert!(tally.state_bytes <= 4_096, "{} bytes", tally.state_bytes);
        let unknown: Vec<_> = tally.exits.keys().filter(|exit| !known.contains(exit)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        if name == "some" {
            // It has callbacks and messages too, and random callers come to them.
            for end in [EndReason::CallbackBooked, EndReason::Voicemail, EndReason::Deflected] {
                assert!(tally.ends.contains_key(&end), "{end:?}: {tally}");
            }
        }
    }
}

/// Each thousand callers of a seed of their own, until all steps were entered.
#[test]
fn random_callers_of_the_full_flow_come_to_every_step() {
    let checked = load(full::FLOW, "full.toml", &full::shared(), &AnyPrompt);
    let flow = Arc::new(checked.flow.expect("full.toml loads"));
    let mut missing: BTreeSet<String> = flow.steps.iter().map(|step| step.name.clone()).collect();
    for seed in SEED..SEED + 60 {
        let tally = run_random(&flow, 1_000, seed, Faults::SOME);
        assert!(tally.is_ok(), "seed {seed}: {tally}");
        missing.retain(|step| tally.steps[step] == 0);
        if missing.is_empty() {
            return;
        }
    }
    panic!("from seed {SEED} on nobody came to {missing:?}");
}

#[test]
fn on_a_day_without_faults_minimal_callers_are_deflected_or_put_through() {
    let tally = run_random(&minimal(), 2_000, SEED, Faults::NONE);
    let ends: Vec<_> = tally.ends.keys().copied().collect();
    assert_eq!(
        ends,
        [EndReason::Deflected, EndReason::Forwarded, EndReason::EmergencyBypass],
        "{tally}"
    );
}

#[test]
fn kh_03_x_03_the_minimal_flow_says_sent_or_not_sent_and_only_what_is_so() {
    let failed = TextOutcome::Failed { class: "ProviderDown".into() };
    let accepted = TextOutcome::Accepted { sender: "sandbox".into() };
    for (outcome, told, forwarded) in [(accepted, "sent", false), (failed, "not-sent", true)] {
        let facts = Facts {
            caller: Some("+447700900001".into()),
            can_receive_text: Some(true),
            ..Facts::default()
        };
        let world = Obedient { text: Some(outcome), ..Default::default() };
        let mut player = Player::new(minimal(), facts, world);
        player.listen();
        let heard = player.key("1".parse().expect("a key"));
        let says = |name: &str| {
            heard.iter().any(
                |heard| matches!(heard, Heard::Prompts { prompts, .. } if prompts == &[name.to_owned()]),
            )
        };
        assert!(says("one-moment") && says(told), "{heard:?}");
        let agents = Heard::Forward { target: "agents".into() };
        assert_eq!(heard.contains(&agents), forwarded, "{heard:?}");
    }
}

fn all_exits(flow: &Flow) -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    for step in &flow.steps {
        all.extend(exits(flow, step).into_iter().map(|exit| (step.name.clone(), exit)));
    }
    all
}

fn minimal() -> Arc<Flow> {
    let checked = load(MINIMAL, "minimal.toml", &Shared::default(), &AnyPrompt);
    Arc::new(checked.flow.expect("minimal.toml loads"))
}

/// `config/flows/main.toml` with what it takes from `carom.toml`: office hours and a fallback.
fn shipped() -> Arc<Flow> {
    let day = parse_spans("08:00-20:00").expect("spans");
    let mut days: [_; 7] = std::array::from_fn(|_| day.clone());
    days[6].clear();
    let week = Week { zone: "Europe/London".into(), days, holidays: Default::default() };
    let hours = vec![Hours { name: "office".into(), schedule: Schedule::Week(week) }];
    let shared = Shared {
        hours,
        fallback: Some("pbx".into()),
        public_url: Some("https://c.example.com".into()),
        ..Shared::default()
    };
    let text = format!("{SHIPPED}\n[target.pbx]\nsip = \"sip:main@127.0.0.1:5080\"\n");
    let checked = load(&text, "main.toml", &shared, &AnyPrompt);
    Arc::new(checked.flow.unwrap_or_else(|| panic!("main.toml: {:?}", checked.findings)))
}
