//! IC-06: what follows a call, and for whom.

use super::*;
use crate::{
    flow::model::{AfterCall, Does, Fact, LinkId},
    hours::QuietHours,
};

/// 2026-01-01 00:00 UTC, when the calls of these tests arrive; quiet hours in London.
const ARRIVAL_MS: i64 = 1_767_225_600_000;
const HOUR_MS: i64 = 3_600_000;

#[test]
fn ic_06_a_yes_in_the_call_brings_one_text_later_and_not_at_night() {
    let mut phone = Phone::call(asking());
    phone.press('1').wait(5).press('5').wait(20);
    assert_eq!(phone.end(), Some((EndReason::Deflected, Handled::NoHuman)));
    let follow_ups = follow_ups(&phone);
    let [(text, due_ms, until_ms)] = follow_ups.as_slice() else { panic!("{follow_ups:?}") };
    assert_eq!((text.step.as_str(), text.purpose.as_str()), ("after_call.nudge", "follow_up"));
    assert_eq!((text.message.as_str(), text.links[0].name.as_str()), ("Next time: {link}", "chat"));
    let yes = (text.pressed, text.asked_in.as_str(), text.prompt.as_str());
    assert_eq!(yes, (Some(key('5')), "bye", "sent-stay"), "the yes it rests on");
    assert_eq!((*due_ms, *until_ms), (ARRIVAL_MS + 9 * HOUR_MS, ARRIVAL_MS + 13 * HOUR_MS));
    assert!(phone.texts().len() == 1, "the requested one went at once");
}

#[test]
fn ic_06_by_day_it_comes_after_its_delay() {
    let noon = Facts { start_ms: ARRIVAL_MS + 12 * HOUR_MS, ..facts() };
    let mut phone = Phone::call_with(asking(), noon, Obedient::default());
    phone.press('1').wait(5).press('5').wait(20);
    let ended = phone.0.records().find_map(|record| match record {
        Record::End { at_ms, .. } => Some(*at_ms),
        _ => None,
    });
    let due: Vec<i64> = follow_ups(&phone).iter().map(|(_, due_ms, _)| *due_ms).collect();
    assert_eq!(due, [ended.expect("it is over") + HOUR_MS / 2]);
}

#[test]
fn ex_15_the_question_how_it_went_waits_for_longer_than_a_link_can_be_opened() {
    let mut draft = asking();
    let after = &mut draft.flow.after_call[0];
    (after.asks_rating, after.links, after.delay_minutes) = (true, Vec::new(), 120);
    // It is one question, whoever else would ask it too.
    let again = AfterCall { name: "again".into(), ..after.clone() };
    draft.flow.after_call.push(again);
    draft.flow.links[0].expires_hours = 48;
    let noon = Facts { start_ms: ARRIVAL_MS + 12 * HOUR_MS, ..facts() };
    let mut phone = Phone::call_with(draft, noon, Obedient::default());
    phone.press('1').wait(5).press('5').wait(20);
    let follow_ups = follow_ups(&phone);
    let [(text, due_ms, until_ms)] = follow_ups.as_slice() else { panic!("{follow_ups:?}") };
    assert_eq!((text.purpose.as_str(), text.links.len()), (TextRequest::RATING, 0));
    assert!(*due_ms >= ARRIVAL_MS + (12 + 48 + 2) * HOUR_MS, "{due_ms}");
    assert!(due_ms < until_ms);
    let told = phone
        .0
        .records()
        .any(|record| matches!(record, Record::FollowUp { due_ms: None, why_not: None, .. }));
    assert!(told, "when is not known");
    let why: Vec<_> = phone.0.records().filter_map(why_not).collect();
    assert_eq!(why, ["asked_already"]);
}

#[test]
fn ic_06_a_caller_who_hangs_up_after_the_yes_gets_it_too() {
    let mut phone = Phone::call(asking());
    phone.press('1').wait(5).press('5').wait_ms(500).hang_up();
    assert_eq!(follow_ups(&phone).len(), 1);
}

#[test]
fn ic_06_follow_up_needs_a_yes() {
    // No key, another key, and a flow that sets the consent by itself.
    let mut silent = Phone::call(asking());
    silent.press('1').wait(120);
    let mut other = Phone::call(asking());
    other.press('1').wait(5).press('0').wait(5).hang_up();
    let mut unasked = Phone::call(
        asking()
            .step("welcome", |draft| Does::Say { play: sound("welcome"), then: draft.go("yes") }),
    );
    unasked.wait(60);
    for phone in [silent, other, unasked] {
        assert!(phone.end().is_some());
        assert!(follow_ups(&phone).is_empty(), "{:?}", phone.path());
    }
}

#[test]
fn ic_06_what_speaks_against_a_follow_up_is_on_record() {
    let with = |change: &dyn Fn(&mut AfterCall)| {
        let mut draft = asking().rule("never", Fact::Flag("never".into()));
        change(&mut draft.flow.after_call[0]);
        draft
    };
    let never = asking().rule("never", Fact::Flag("never".into())).rule_id("never");
    let withheld = Facts { withheld: true, ..facts() };
    let doubted = Facts { to_confirm: true, ..facts() };
    let abroad = Facts { caller: Some("+88216123456".into()), ..facts() };
    let opted_out = Facts { opted_out: true, ..facts() };
    let cases = [
        (with(&|after| after.when_intent = vec!["orders".into()]), facts(), "intent"),
        (with(&|after| after.only_if.push(never)), facts(), "only_if:never"),
        (with(&|after| after.links = vec![LinkId(1)]), facts(), "link_missing"),
        (asking(), withheld, "withheld"),
        (asking(), doubted, "number_not_confirmed"),
        (asking(), abroad, "no_hour"),
        (asking(), opted_out, "opted_out"),
    ];
    for (draft, facts, expected) in cases {
        let mut phone = Phone::call_with(draft, facts, Obedient::default());
        phone.press('5').wait(30);
        let why: Vec<_> = phone.0.records().filter_map(why_not).collect();
        assert_eq!(why, [expected]);
        assert!(follow_ups(&phone).is_empty(), "{expected}");
    }
}

fn why_not(record: &Record) -> Option<&str> {
    match record {
        Record::FollowUp { why_not, .. } => why_not.as_deref(),
        _ => None,
    }
}

fn follow_ups(phone: &Phone) -> Vec<(TextRequest, i64, i64)> {
    let outputs = phone.0.outputs().iter().filter_map(|output| match output {
        Output::FollowUp { text, due_ms, until_ms } => Some((text.clone(), *due_ms, *until_ms)),
        _ => None,
    });
    outputs.collect()
}

/// 1 sends a text and then asks; 5 says yes to a later one, before or after.
fn asking() -> Draft {
    let mut draft = Draft::new(&["welcome", "text_me", "bye", "yes", "goodbye"], &["agents"])
        .step("welcome", |draft| {
            Does::Menu(draft.menu("welcome", &[('1', "text_me"), ('5', "yes")], "agents"))
        })
        .step("text_me", |draft| Does::Text(draft.text("bye")))
        .step("bye", |draft| Does::Menu(draft.menu("sent-stay", &[('5', "yes")], "hangup")))
        .step("yes", |draft| Does::Set {
            intent: None,
            language: None,
            consent: Some("follow_up".into()),
            flag: None,
            then: draft.go("goodbye"),
        });
    draft.flow.after_call.push(AfterCall {
        name: "nudge".into(),
        when_intent: Vec::new(),
        needs_consent: "follow_up".into(),
        only_if: Vec::new(),
        never_if: Vec::new(),
        asks_rating: false,
        delay_minutes: 30,
        quiet_hours: QuietHours::default(),
        via: Vec::new(),
        links: vec![LinkId(0)],
        message: [(String::new(), "Next time: {link}".to_owned())].into(),
        max_segments: 2,
    });
    draft
}
