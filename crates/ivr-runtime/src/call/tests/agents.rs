//! Voice bots: the caller goes to one and comes back, whatever becomes of it.

use std::collections::BTreeMap;

use super::*;
use crate::{
    flow::model::{Agent, Fact, FieldTest, FieldType, SaveHeader},
    sim::AgentIs,
};

fn assisted() -> Draft {
    let save =
        |field: &str, is| SaveHeader { field: field.into(), header: format!("X-{field}"), is };
    let flow =
        Draft::new(&["greet", "bot", "sort", "served", "busy", "sorry"], &["agents", "bot_sip"])
            .rule(
                "placed",
                Fact::Field {
                    field: "outcome".into(),
                    test: FieldTest::Equals(vec!["order placed".into()]),
                },
            )
            .step("greet", |draft| Does::Say { play: sound("greet"), then: draft.go("bot") })
            .step("bot", |draft| {
                let Go::Target(target) = draft.go("bot_sip") else { panic!("no target") };
                Does::Agent(Agent {
                    target,
                    max_minutes: 2,
                    headers: BTreeMap::from([
                        ("X-Language".into(), "{language}".into()),
                        ("X-Order".into(), "{order_ref}".into()),
                    ]),
                    save: vec![save("outcome", FieldType::Text), save("amount", FieldType::Number)],
                    then: draft.go("sort"),
                    if_busy: Some(draft.go("busy")),
                    if_no_answer: None,
                    if_timeout: None,
                    if_fails: Some(draft.go("sorry")),
                })
            })
            .step("sort", |draft| Does::Decide {
                case: vec![(draft.rule_id("placed"), draft.go("served"))],
                otherwise: draft.go("agents"),
            })
            .step("served", |draft| Does::Say { play: sound("served"), then: draft.go("hangup") })
            .step("busy", |draft| Does::Say { play: sound("busy"), then: draft.go("agents") })
            .step("sorry", |draft| Does::Say { play: sound("sorry"), then: draft.go("agents") });
    let mut flow = flow;
    flow.flow.fallback = None;
    flow
}

fn bot(agent: AgentIs) -> Obedient {
    Obedient { agents: BTreeMap::from([("bot".into(), agent)]), ..Obedient::default() }
}

fn says(values: &[(&str, &str)]) -> Obedient {
    let values = values.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    bot(AgentIs::HandsBack(values.collect()))
}

fn call(world: Obedient) -> Phone {
    Phone::call_with(assisted(), facts(), world)
}

#[test]
fn a_bot_hands_back_the_caller_and_what_it_learned() {
    let mut phone = call(says(&[("outcome", "order placed"), ("amount", "12.50")]));
    phone.wait(4);
    let asked = phone.0.outputs().iter().find_map(|output| match output {
        Output::CallAgent(request) => Some(request.clone()),
        _ => None,
    });
    let asked = asked.expect("the bot is called");
    let known = BTreeMap::from([("X-Language".to_owned(), Hidden("en-GB".into()))]);
    assert_eq!(asked.headers, known, "a header with an unknown field is left out");
    phone.wait(2);
    assert!(phone.0.call.is_with_agent());
    assert_eq!(phone.end(), None);
    phone.wait(30);
    assert_eq!(phone.heard(), ["greet", "served"]);
    assert_eq!(phone.0.call.facts().field("amount"), Some("12.50"));
    assert!(phone.notes().contains(&"talked:30s"), "{:?}", phone.notes());
    phone.wait(3);
    // A bot is no person, and whether it answered is not known: nothing counts as deflected.
    assert_eq!(phone.end(), Some((EndReason::AnsweredInIvr, Handled::NoHuman)));
    assert!(!phone.0.records().any(|record| matches!(record, Record::Outcome { .. })));
    assert!(!phone.0.records().any(|record| matches!(record, Record::ForwardStarted { .. })));
}

#[test]
fn what_is_not_of_its_type_stays_unknown() {
    let mut phone = call(says(&[("outcome", "two\nlines"), ("amount", "much"), ("other", "x")]));
    phone.wait(40);
    for field in ["outcome", "amount", "other"] {
        assert_eq!(phone.0.call.facts().field(field), None, "{field}");
    }
    assert_eq!(phone.forwards(), ["agents"]);
}

#[test]
fn each_message_of_a_bot_may_tell_another_value_and_of_an_earlier_talk_none_is_left() {
    let mut known = facts();
    known.fields.insert("outcome".into(), "order placed".into());
    let mut phone = Phone::call_with(assisted(), known, bot(AgentIs::Stays));
    phone.wait(6);
    let field = |phone: &Phone, name: &str| phone.0.call.facts().field(name).map(str::to_owned);
    assert_eq!(field(&phone, "outcome"), None);
    for (name, value) in [("amount", "3"), ("outcome", "transferred")] {
        phone.0.input(Input::AgentSaid(BTreeMap::from([(name.to_owned(), value.to_owned())])));
    }
    assert_eq!(field(&phone, "amount").as_deref(), Some("3"));
    assert_eq!(field(&phone, "outcome").as_deref(), Some("transferred"));
}

#[test]
fn a_bot_that_is_not_reached_takes_the_way_out() {
    use TargetOutcome::{Busy, Ended, Failed, NoAnswer};
    let own = |world: Obedient| {
        let mut phone = call(world);
        phone.wait(12);
        (phone.heard().join(" "), phone.notes().join(" "), phone.forwards().join(" "))
    };
    for (outcome, heard, note) in [
        (Busy { status: 486 }, "greet busy", "busy:486"),
        (NoAnswer { status: Some(480) }, "greet sorry", "no-answer:480"),
        (Failed { status: Some(503) }, "greet sorry", "failed:503"),
        (Ended { by_caller: false }, "greet sorry", "failed"),
    ] {
        let (said, notes, forwards) = own(target_says(&[("bot_sip", outcome)]));
        assert_eq!((said.as_str(), notes.as_str()), (heard, note), "{outcome:?}");
        assert_eq!(forwards, "agents", "{outcome:?}");
    }
    // Nothing is ever heard of it: 3 s, 45 s and the grace.
    let mut world = Obedient::default();
    world.targets.insert("bot_sip".into(), None);
    let mut phone = call(world);
    phone.wait(3 + 52);
    assert!(!phone.has(&Output::StopForward));
    phone.wait(2);
    assert!(phone.has(&Output::StopForward));
    assert_eq!(phone.heard(), ["greet", "sorry"]);
}

#[test]
fn a_bot_that_breaks_off_or_never_ends_is_left() {
    let mut phone = call(bot(AgentIs::BreaksOff));
    phone.wait(40);
    assert_eq!(phone.notes().first(), Some(&"broken_off"));
    assert_eq!(phone.forwards(), ["agents"]);

    let mut phone = call(bot(AgentIs::Stays));
    phone.wait(3 + 2 + 119);
    assert!(phone.0.call.is_with_agent());
    phone.wait(2);
    assert_eq!(phone.notes(), ["talked:120s"]);
    assert_eq!(phone.path()[1], "bot timeout");
    assert!(phone.has(&Output::StopForward));
    assert_eq!(phone.heard(), ["greet", "sorry"]);
}

#[test]
fn the_target_says_where_a_step_without_exits_goes() {
    let draft = assisted()
        .target("bot_sip", |draft, target| target.if_busy = Some(draft.go("sorry")))
        .step("bot", |draft| {
            let Does::Agent(agent) = draft.flow.steps[1].does.clone() else { panic!("no bot") };
            Does::Agent(Agent { if_busy: None, if_fails: None, ..agent })
        });
    let busy = target_says(&[("bot_sip", TargetOutcome::Busy { status: 486 })]);
    let mut phone = Phone::call_with(draft, facts(), busy);
    phone.wait(6);
    assert_eq!(phone.heard(), ["greet", "sorry"]);
}

#[test]
fn a_caller_who_hangs_up_on_the_bot_was_not_served() {
    let mut phone = call(bot(AgentIs::Stays));
    phone.wait(20).hang_up();
    assert!(phone.has(&Output::StopForward));
    assert_eq!(phone.path(), ["greet next", "bot hangup"]);
    assert_eq!(phone.end(), Some((EndReason::CallerHangup, Handled::NoHuman)));
}

#[test]
fn a_drain_takes_the_caller_from_the_bot_to_a_person() {
    let mut phone = call(bot(AgentIs::Stays));
    phone.wait(20);
    phone.0.input(Input::OperatorBridge);
    assert!(phone.has(&Output::StopForward));
    assert_eq!(phone.forwards(), ["agents"]);
}

#[test]
fn the_time_of_the_flow_ends_a_bot_too() {
    let mut draft = assisted();
    draft.flow.max_minutes = 1;
    let mut phone = Phone::call_with(draft, facts(), bot(AgentIs::Stays));
    phone.wait(61);
    assert!(phone.has(&Output::StopForward));
    assert_eq!(phone.forwards(), ["agents"]);
}

#[test]
fn the_bot_s_keys_are_its_own_and_no_operator_s() {
    let mut phone = call(bot(AgentIs::Stays));
    phone.wait(10).press_now('0').press_now('9').press_now('9').press_now('9');
    assert!(phone.0.call.is_with_agent());
}
