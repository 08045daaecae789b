use std::collections::BTreeMap;

use super::*;
use crate::{
    flow::model::{AnsweredMeans, Does, HoursId, HumanSignal, Target},
    hours::{Hours, Schedule, Week},
};

const BUSY: TargetOutcome = TargetOutcome::Busy { status: 486 };
const NO_ANSWER: TargetOutcome = TargetOutcome::NoAnswer { status: None };
const FAILED: TargetOutcome = TargetOutcome::Failed { status: Some(503) };
const DEAD: TargetOutcome = TargetOutcome::Failed { status: None };

/// A call that goes straight to the human target.
fn straight() -> Draft {
    Draft::new(&["sort"], &["agents", "pbx", "other"])
        .step("sort", |draft| Does::Decide { case: Vec::new(), otherwise: draft.go("agents") })
}

/// The same after a prompt, so that the call is answered.
fn answered() -> Draft {
    straight().step("sort", |draft| Does::Say { play: sound("hello"), then: draft.go("agents") })
}

#[test]
fn targets_before_the_first_sound_ring_unanswered() {
    let mut phone = Phone::call(straight());
    phone.wait(1);
    assert!(!phone.has(&Output::Answer));
    assert_eq!(phone.forwards(), ["agents"]);
    phone.wait(2);
    let answered = phone.0.records().any(|record| matches!(record, Record::Answered { .. }));
    assert!(answered, "with the target's 200");
    assert!(!phone.has(&Output::Answer), "which the switchboard passes on");
}

#[test]
fn the_way_out_goes_own_exit_human_fallback_apology() {
    let other = |draft: &Draft, target: &mut Target| target.if_fails = Some(draft.go("other"));
    let rung = |draft, outcomes: &[(&str, TargetOutcome)]| {
        let mut phone = Phone::call_with(draft, facts(), target_says(outcomes));
        phone.wait(30);
        phone.forwards().join(" ")
    };
    let to_other = |draft: &Draft| Does::Say { play: sound("hello"), then: draft.go("other") };
    assert_eq!(rung(answered(), &[("agents", BUSY)]), "agents pbx");
    let draft = answered().target("agents", other);
    assert_eq!(rung(draft, &[("agents", BUSY)]), "agents other");
    let draft = answered().target("agents", other);
    assert_eq!(rung(draft, &[("agents", BUSY), ("other", FAILED)]), "agents other pbx");
    let draft = answered().step("sort", to_other);
    let all = [("other", FAILED), ("agents", NO_ANSWER), ("pbx", FAILED)];
    assert_eq!(rung(draft, &all), "other agents pbx");
}

#[test]
fn a_call_that_goes_on_without_us_ends_as_forwarded_and_nobody_knows_how_long_who_talks() {
    let handed_over = |draft, answered| {
        let outcome = TargetOutcome::HandedOver { answered };
        let mut phone = Phone::call_with(draft, facts(), target_says(&[("agents", outcome)]));
        phone.wait(30);
        phone
    };
    let referred = handed_over(answered(), true);
    assert_eq!(referred.end(), Some((EndReason::Forwarded, Handled::Unknown)));
    assert!(referred.has(&Output::HangUp), "the carrier gets the BYE of its REFER");
    let is_answered = |record: &Record| matches!(record, Record::ForwardAnswered { .. });
    assert!(referred.0.records().any(is_answered));

    let person = |_: &Draft, target: &mut Target| target.answered_means = AnsweredMeans::Human;
    let referred = handed_over(answered().target("agents", person), true);
    assert_eq!(referred.end(), Some((EndReason::Forwarded, Handled::Human)));

    let redirected = handed_over(straight().target("agents", person), false);
    assert_eq!(redirected.end(), Some((EndReason::Forwarded, Handled::Unknown)));
    assert!(!redirected.has(&Output::HangUp), "its 302 was the last word");
    assert!(
        !redirected
            .0
            .records()
            .any(|record| { is_answered(record) || matches!(record, Record::Answered { .. }) })
    );
}

#[test]
fn each_failure_of_a_target_takes_its_own_exit_or_if_fails() {
    let draft = || {
        Draft::new(&["sort", "busy", "unanswered", "failed"], &["agents", "pbx"])
            .step("sort", |draft| Does::Say { play: sound("hello"), then: draft.go("agents") })
            .step("busy", |_| say("busy"))
            .step("unanswered", |_| say("unanswered"))
            .step("failed", |_| say("failed"))
    };
    let all = |draft: &Draft, target: &mut Target| {
        target.if_busy = Some(draft.go("busy"));
        target.if_no_answer = Some(draft.go("unanswered"));
        target.if_fails = Some(draft.go("failed"));
    };
    let fails = |draft: &Draft, target: &mut Target| target.if_fails = Some(draft.go("failed"));
    for (outcome, with_all) in [(BUSY, "busy"), (NO_ANSWER, "unanswered"), (DEAD, "failed")] {
        for (draft, heard) in
            [(draft().target("agents", all), with_all), (draft().target("agents", fails), "failed")]
        {
            let mut phone = Phone::call_with(draft, facts(), target_says(&[("agents", outcome)]));
            phone.wait(10);
            assert_eq!(phone.heard(), ["hello", heard], "{outcome:?}");
        }
    }
}

#[test]
fn nobody_left_means_an_apology_and_bye() {
    let world = target_says(&[("agents", DEAD), ("pbx", DEAD)]);
    for draft in [straight(), answered()] {
        let mut phone = Phone::call_with(draft, facts(), world.clone());
        phone.wait(30);
        assert_eq!(phone.heard().last(), Some(&"apology"));
        assert!(phone.has(&Output::HangUp));
        assert_eq!(phone.end(), Some((EndReason::Apology, Handled::NoHuman)));
    }
}

#[test]
fn an_apology_that_cannot_be_played_still_ends_the_call() {
    let mut world = target_says(&[("agents", DEAD), ("pbx", DEAD)]);
    world.missing_prompts.push("apology".into());
    let mut phone = Phone::call_with(answered(), facts(), world);
    phone.wait(30);
    assert_eq!(phone.end(), Some((EndReason::Apology, Handled::NoHuman)));
}

#[test]
fn the_final_code_of_the_pbx_passes_back_to_an_unanswered_call() {
    let world = target_says(&[("agents", BUSY), ("pbx", FAILED)]);
    let mut phone = Phone::call_with(straight(), facts(), world);
    phone.wait(30);
    assert!(phone.has(&Output::Reject { status: 503 }));
    assert!(!phone.has(&Output::Answer));
    assert_eq!(phone.end(), Some((EndReason::NoRoute, Handled::NoHuman)));
}

#[test]
fn a_target_that_never_reports_is_given_up() {
    let mut world = target_says(&[]);
    world.targets.insert("agents".into(), None);
    let mut phone = Phone::call_with(answered(), facts(), world);
    phone.wait(120);
    assert!(phone.has(&Output::StopForward));
    assert_eq!(phone.forwards(), ["agents", "pbx"]);
}

#[test]
fn targets_that_name_each_other_are_not_rung_for_ever() {
    let draft = answered()
        .target("agents", |draft, target| target.if_fails = Some(draft.go("other")))
        .target("other", |draft, target| target.if_fails = Some(draft.go("agents")));
    let world = target_says(&[("agents", FAILED), ("other", FAILED), ("pbx", FAILED)]);
    let mut phone = Phone::call_with(draft, facts(), world);
    phone.wait(120);
    assert_eq!(phone.forwards(), ["agents", "other", "pbx"]);
    assert_eq!(phone.end(), Some((EndReason::Apology, Handled::NoHuman)));
}

#[test]
fn a_caller_who_chooses_anew_rings_the_target_anew() {
    let draft = Draft::new(&["sort", "busy"], &["agents", "pbx"])
        .step("sort", |draft| Does::Say { play: sound("hello"), then: draft.go("agents") })
        .step("busy", |draft| Does::Menu(draft.menu("busy", &[('1', "agents")], "pbx")))
        .target("agents", |draft, target| target.if_busy = Some(draft.go("busy")));
    let mut phone = Phone::call_with(draft, facts(), target_says(&[("agents", BUSY)]));
    phone.wait(6).press('1').wait(3).press('1').wait(3);
    assert_eq!(phone.forwards(), ["agents"; 3]);
}

#[test]
fn who_answered_is_human_no_human_or_unknown() {
    use AnsweredMeans::{Human, Queue};
    let bridge = TargetOutcome::Ended { by_caller: true };
    let cases = [
        (Human, HumanSignal::Answer, 5, Handled::Human),
        (Queue, HumanSignal::Answer, 5, Handled::Human),
        (Queue, HumanSignal::None, 60, Handled::Unknown),
        (Queue, HumanSignal::Reinvite, 5, Handled::NoHuman),
        (Queue, HumanSignal::Reinvite, 60, Handled::Human),
        (Queue, HumanSignal::Header("X-Agent".into()), 60, Handled::Human),
    ];
    for (means, signal, seconds, handled) in cases {
        let draft = straight().target("agents", |_, target| {
            target.answered_means = means;
            target.human_signal = signal.clone();
        });
        let mut phone = Phone::call(draft);
        phone.wait(seconds);
        phone.0.input(Input::Target(bridge));
        assert_eq!(phone.end(), Some((EndReason::Forwarded, handled)), "{means:?} {signal:?}");
        let humans = phone.0.records().filter(|r| matches!(r, Record::HumanAnswered { .. }));
        assert_eq!(humans.count(), usize::from(handled == Handled::Human));
    }
}

#[test]
fn a_target_that_fails_leaves_no_doubt_about_who_answered() {
    let world = target_says(&[("agents", BUSY), ("pbx", BUSY)]);
    let mut phone = Phone::call_with(answered(), facts(), world);
    phone.wait(30);
    assert_eq!(phone.end(), Some((EndReason::Apology, Handled::NoHuman)));
}

#[test]
fn a_bridge_ends_forwarded_whoever_hangs_up() {
    let mut phone = Phone::call(straight());
    phone.wait(5).hang_up();
    assert_eq!(phone.end(), Some((EndReason::Forwarded, Handled::Unknown)));
    assert!(!phone.has(&Output::HangUp), "the caller is gone already");
    let mut phone = Phone::call(straight());
    phone.wait(5);
    phone.0.input(Input::Target(TargetOutcome::Ended { by_caller: false }));
    assert!(phone.has(&Output::HangUp));
    assert_eq!(phone.end(), Some((EndReason::Forwarded, Handled::Unknown)));
}

#[test]
fn a_caller_who_hangs_up_while_it_rings_calls_the_target_off() {
    let mut phone = Phone::call(straight());
    phone.wait(1).hang_up();
    assert!(phone.has(&Output::StopForward));
    assert_eq!(phone.end(), Some((EndReason::CallerHangup, Handled::NoHuman)));
}

#[test]
fn a_bridge_has_no_deadline_and_is_deaf_to_keys() {
    let mut phone = Phone::call(straight());
    phone.wait(5);
    assert_eq!(phone.0.call.poll_timeout(), None);
    let before = phone.0.outputs().len();
    phone.press('1').press('0');
    phone.0.input(Input::OperatorBridge);
    assert_eq!(phone.0.outputs().len(), before);
}

#[test]
fn kh_07_outside_its_hours_a_target_leads_to_when_closed() {
    let closed_route = |outcomes: &[(&str, TargetOutcome)]| {
        let mut draft = Draft::new(&["sort", "closed"], &["agents", "pbx"])
            .step("sort", |draft| Does::Decide { case: Vec::new(), otherwise: draft.go("agents") })
            .step("closed", |draft| Does::Menu(draft.menu("closed", &[('1', "pbx")], "hangup")))
            .target("agents", |draft, target| {
                target.hours = Some(HoursId(0));
                target.when_closed = Some(draft.go("closed"));
            });
        draft.flow.hours.push(never_open());
        Phone::call_with(draft, facts(), target_says(outcomes))
    };
    let phone = closed_route(&[]);
    assert!(phone.forwards().is_empty());
    assert_eq!(phone.heard(), ["closed"]);
    // On that route a failure falls back to `[fallback]`, not to the closed target again.
    let mut phone = closed_route(&[]);
    let missing = Obedient { missing_prompts: vec!["closed".into()], ..Obedient::default() };
    phone.0.world = missing;
    phone.0.input(Input::PlayFailed { id: 1 });
    assert_eq!(phone.forwards(), ["pbx"]);
}

#[test]
fn hours_that_cannot_be_told_count_as_open() {
    let mut draft = straight().target("agents", |draft, target| {
        target.hours = Some(HoursId(0));
        target.when_closed = Some(draft.go("other"));
    });
    let schedule = Schedule::ByCalledNumber(BTreeMap::new());
    draft.flow.hours.push(Hours { name: "line".into(), schedule });
    assert_eq!(Phone::call(draft).forwards(), ["agents"]);
}

#[test]
fn x_07_a_protected_call_reaches_a_person_without_any_offer_or_hours() {
    for (call_is, reason) in [
        ("psap-callback", EndReason::EmergencyBypass),
        ("priority", EndReason::EmergencyBypass),
        ("relay-or-text-phone", EndReason::Forwarded),
        (Facts::TEST_CALL, EndReason::TestCall),
    ] {
        let mut draft = offering(|_, _| {}).target("agents", |draft, target| {
            target.hours = Some(HoursId(0));
            target.when_closed = Some(draft.go("menu"));
            target.if_busy = Some(draft.go("menu"));
        });
        draft.flow.hours.push(never_open());
        let again = Draft { flow: draft.flow.clone() };
        let facts = Facts { call_is: vec![call_is.into()], ..facts() };
        let mut phone = Phone::call_with(draft, facts.clone(), Obedient::default());
        phone.wait(5).hang_up();
        assert_eq!((phone.forwards(), phone.offers().len()), (vec!["agents"], 0));
        assert_eq!(phone.end(), Some((reason, Handled::Human)));
        assert!(phone.path().is_empty());
        // Busy: not into the flow, but to the fallback.
        let mut phone = Phone::call_with(again, facts, target_says(&[("agents", BUSY)]));
        phone.wait(5);
        assert_eq!(phone.forwards(), ["agents", "pbx"]);
    }
}

#[test]
fn x_08_without_a_database_or_near_the_limits_the_call_is_forwarded() {
    for (bypass, why) in [
        (Bypass::StoreDown, "store-down"),
        (Bypass::Overload, "overload"),
        (Bypass::Draining, "draining"),
    ] {
        let facts = Facts { bypass: Some(bypass), history: None, flags: None, ..facts() };
        let phone = Phone::call_with(offering(|_, _| {}), facts, Obedient::default());
        assert_eq!((phone.forwards(), phone.offers().len()), (vec!["agents"], 0));
        assert!(phone.0.records().any(|r| *r == Record::Bypassed { why: why.into() }));
    }
}

fn say(name: &str) -> Does {
    Does::Say { play: sound(name), then: crate::flow::model::Go::HangUp }
}

fn never_open() -> Hours {
    let week = Week { zone: "UTC".into(), days: Default::default(), holidays: Default::default() };
    Hours { name: "never".into(), schedule: Schedule::Week(week) }
}
