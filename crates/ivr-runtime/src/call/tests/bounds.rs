use super::*;
use crate::flow::model::{Bound, Fact, InLast};
use crate::flow::model::{Does, HumanSignal};

/// A caller can go round here for ever.
fn round() -> Draft {
    Draft::new(&["a", "b"], &["agents", "pbx"])
        .step("a", |draft| Does::Menu(draft.menu("a", &[('1', "b")], "agents")))
        .step("b", |draft| Does::Menu(draft.menu("b", &[('1', "a")], "agents")))
}

fn bypassed(phone: &Phone) -> Vec<&str> {
    let why = phone.0.records().filter_map(|record| match record {
        Record::Bypassed { why } => Some(why.as_str()),
        _ => None,
    });
    why.collect()
}

#[test]
fn ex_27_after_max_minutes_the_caller_gets_a_person() {
    let mut draft = round();
    draft.flow.max_minutes = 1;
    let mut phone = Phone::call(draft);
    for _ in 0..10 {
        phone.wait(4).press('*');
    }
    assert!(phone.forwards().is_empty(), "56 s");
    phone.wait(4);
    assert_eq!((phone.forwards(), bypassed(&phone)), (vec!["agents"], vec!["max_minutes"]));
    assert_eq!(phone.path(), ["a timeout"]);
}

#[test]
fn max_minutes_ends_with_a_person_and_spares_a_bridge() {
    let mut draft = round();
    draft.flow.max_minutes = 1;
    let mut phone = Phone::call(draft);
    phone.press('0').wait(600);
    assert!(phone.end().is_none());
    assert_eq!((phone.forwards().len(), bypassed(&phone).len()), (1, 0));
}

/// A call to `waits_in`, which says by a re-INVITE when a person is there.
fn queueing(waits_in: &str, targets: &[&str]) -> Draft {
    let mut draft = Draft::new(&["hello"], targets)
        .step("hello", |draft| Does::Say { play: sound("hello"), then: draft.go(waits_in) })
        .target(waits_in, |_, target| target.human_signal = HumanSignal::Reinvite);
    draft.flow.max_minutes = 1;
    draft
}

/// The caller is in the queue after 4 s.
fn queued(draft: Draft, waits_in: &str) -> Phone {
    let in_queue = TargetOutcome::Answered { human: false };
    let mut phone = Phone::call_with(draft, facts(), Obedient::default());
    // The world would send a person after 20 s.
    phone.0.world.targets.insert(waits_in.into(), None);
    phone.wait(4);
    phone.0.input(Input::Target(in_queue));
    phone
}

#[test]
fn max_minutes_count_in_a_queue_until_a_person_is_there() {
    let mut phone = queued(queueing("queue", &["agents", "pbx", "queue"]), "queue");
    phone.wait(50);
    assert_eq!(phone.forwards(), ["queue"], "54 s");
    phone.wait(10);
    assert!(phone.has(&Output::StopForward));
    assert_eq!(
        (phone.forwards(), bypassed(&phone)),
        (vec!["queue", "agents"], vec!["max_minutes"])
    );
    phone.wait(600);
    assert_eq!(phone.forwards(), ["queue", "agents"], "there the caller stays");

    let mut phone = queued(queueing("queue", &["agents", "pbx", "queue"]), "queue");
    phone.wait(50);
    phone.0.input(Input::Target(TargetOutcome::HumanAnswered));
    phone.wait(600);
    assert_eq!((phone.forwards(), phone.0.call.poll_timeout()), (vec!["queue"], None));
}

#[test]
fn who_waited_max_minutes_for_the_human_target_goes_to_the_fallback_if_there_is_one() {
    let mut phone = queued(queueing("agents", &["agents", "pbx"]), "agents");
    phone.wait(60);
    assert_eq!((phone.forwards(), bypassed(&phone)), (vec!["agents", "pbx"], vec!["max_minutes"]));
    let mut phone = queued(queueing("agents", &["agents"]), "agents");
    phone.wait(600);
    assert_eq!(phone.forwards(), ["agents"], "a place in line is better than nobody");
    assert_eq!(phone.end(), None);
}

#[test]
fn a_queue_left_after_max_minutes_is_not_rung_again() {
    let draft = queueing("queue", &["agents", "pbx", "queue"])
        .target("agents", |draft, target| target.if_busy = Some(draft.go("queue")));
    let mut phone = queued(draft, "queue");
    let busy = TargetOutcome::Busy { status: 486 };
    phone.0.world.targets.insert("agents".into(), Some(busy));
    phone.wait(70);
    assert_eq!(phone.forwards(), ["queue", "agents", "pbx"]);
}

#[test]
fn after_max_steps_the_caller_gets_a_person() {
    let mut draft = round();
    draft.flow.max_steps = 5;
    let mut phone = Phone::call(draft);
    for _ in 0..5 {
        phone.press('1');
    }
    assert_eq!((phone.forwards(), bypassed(&phone)), (vec!["agents"], vec!["max_steps"]));
}

#[test]
fn a_person_who_cannot_be_had_in_overtime_ends_in_the_fallback() {
    let mut draft = round().target("agents", |draft, target| {
        target.if_busy = Some(draft.go("a"));
    });
    draft.flow.max_minutes = 1;
    let busy = TargetOutcome::Busy { status: 486 };
    let mut phone = Phone::call_with(draft, facts(), target_says(&[("agents", busy)]));
    for _ in 0..250 {
        phone.wait(1).press('*');
    }
    assert_eq!(phone.forwards(), ["agents", "pbx"]);
    assert_eq!(bypassed(&phone), ["max_minutes", "max_minutes"]);
}

#[test]
fn a_draining_node_bridges_the_call_from_wherever_it_is() {
    // In a menu.
    let mut phone = Phone::call(round());
    phone.wait(1);
    phone.0.input(Input::OperatorBridge);
    assert!(phone.has(&Output::StopPlay));
    assert_eq!((phone.forwards(), bypassed(&phone)), (vec!["agents"], vec!["drain"]));

    // While a text is on its way.
    let mut phone = Phone::call(minimal());
    phone.press('1');
    phone.0.input(Input::OperatorBridge);
    assert_eq!(phone.forwards(), ["agents"]);

    // While another target rings.
    let draft = Draft::new(&["sort"], &["agents", "pbx"])
        .step("sort", |draft| Does::Decide { case: Vec::new(), otherwise: draft.go("pbx") });
    let mut phone = Phone::call(draft);
    phone.0.input(Input::OperatorBridge);
    assert!(phone.has(&Output::StopForward));
    assert_eq!(phone.forwards(), ["pbx", "agents"]);

    // While our 200 is on its way.
    let mut call = Call::new(Duration::ZERO, round().done(), facts());
    call.handle_input(Duration::ZERO, Input::OperatorBridge);
    call.handle_input(Duration::ZERO, Input::Answered);
    let outputs: Vec<_> = std::iter::from_fn(|| call.poll_output()).collect();
    assert!(outputs.iter().any(|output| matches!(output, Output::Forward { .. })), "{outputs:?}");
    assert!(!outputs.iter().any(|output| matches!(output, Output::Play { .. })), "{outputs:?}");
}

#[test]
fn an_answer_that_is_never_acknowledged_ends_the_call() {
    for failed in [true, false] {
        let mut call = Call::new(Duration::ZERO, minimal().done(), facts());
        if failed {
            call.handle_input(Duration::from_secs(32), Input::AnswerFailed);
        } else {
            call.handle_timeout(Duration::from_secs(35));
        }
        let outputs: Vec<_> = std::iter::from_fn(|| call.poll_output()).collect();
        let ended = outputs.iter().any(|output| {
            matches!(output, Output::Record(Record::End { reason: EndReason::Error, .. }))
        });
        assert!(ended && call.is_over(), "{outputs:?}");
    }
}

#[test]
fn a_caller_who_hangs_up_at_any_moment_ends_the_call_once() {
    for ms in (0..30_000).step_by(250) {
        let mut phone = Phone::call(minimal());
        phone
            .wait_ms(ms.min(5_000))
            .press('1')
            .wait_ms(ms.saturating_sub(5_000))
            .hang_up()
            .hang_up();
        phone.wait(600);
        let ends = phone.0.records().filter(|record| matches!(record, Record::End { .. }));
        assert_eq!(ends.count(), 1, "after {ms} ms");
        assert_eq!(phone.0.call.poll_timeout(), None);
    }
}

#[test]
fn early_and_late_timeouts_are_harmless() {
    let mut phone = Phone::call(minimal());
    let before = phone.0.call.state().clone();
    phone.0.call.handle_timeout(Duration::ZERO);
    assert_eq!(*phone.0.call.state(), before);
    phone.0.call.handle_timeout(Duration::from_secs(86_400));
    assert!(phone.0.call.poll_output().is_some());
}

#[test]
fn a_saved_call_is_resumed_only_with_its_own_flow() {
    let phone = Phone::call(minimal());
    let saved = serde_json::to_string(phone.0.call.state()).unwrap();
    let state: CallState = serde_json::from_str(&saved).unwrap();
    let resumed = Call::resume(minimal().done(), state.clone()).unwrap();
    assert_eq!(resumed.state(), phone.0.call.state());
    let mut other = minimal();
    other.flow.rev = "newer".into();
    let refused = Call::resume(other.done(), state).unwrap_err();
    assert_eq!((refused.saved.as_str(), refused.given.as_str()), ("rev", "newer"));
}

#[test]
fn a_long_history_is_bounded() {
    let calls_ms: Vec<_> = (0..100_000).collect();
    let history = History { deflected_ms: calls_ms.clone(), calls_ms, ..History::default() };
    let of = |bound| Fact::CallsInLast(InLast { window_ms: 1, bound });
    let flow = minimal().rule("two", of(Bound::AtLeast(2))).rule("three", of(Bound::AtMost(3)));
    let call = Call::new(Duration::ZERO, flow.done(), Facts { history: Some(history), ..facts() });
    let kept = call.facts().history.clone().unwrap_or_default();
    assert_eq!(kept.calls_ms, [99_999, 99_998, 99_997, 99_996], "as many as the rules count");
    assert_eq!(kept.deflected_ms, [99_999], "offers ask for the last one");
    let saved = serde_json::to_vec(call.state()).unwrap().len();
    assert!(saved <= 4_096, "{saved} bytes");
}
