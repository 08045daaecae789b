//! Leaving the line, for a callback or because nobody comes: the place in the queue is kept until something
//! else has the caller.

use super::{waits::FLOW, *};
use crate::flow::{AnyPrompt, Shared, load};

/// The offer in line has a key that leads to a callback, which keeps the place in the queue.
fn leaving_for_a_callback() -> String {
    let steps = r#"
[step.callback]
do       = "callback"
play     = "callback.wav"
then     = "hangup"
no_input = "line"
if_fails = "line"
[step.late]
do   = "say"
play = "late.wav"
then = "other"
"#;
    FLOW.split("[step.callback]")
        .next()
        .unwrap_or_default()
        .replace("then                = \"callback\"", "then                = \"late\"")
        .replace("2 = \"line\"", "2 = \"line\", 3 = \"callback\"")
        + steps
}

fn in_line_for_a_callback(world: Obedient) -> Phone {
    let shared = Shared { calls_back: true, ..Shared::default() };
    let checked = load(&leaving_for_a_callback(), "flow.toml", &shared, &AnyPrompt);
    let flow = checked.flow.unwrap_or_else(|| panic!("{:#?}", checked.findings));
    let facts = Facts { country: "GB".into(), ..facts() };
    let call = Call::new(Duration::ZERO, Arc::new(flow), facts);
    let mut phone = Phone(Stage::new(call, world, Duration::ZERO));
    phone.wait(6).press('3');
    assert!(!phone.has(&Output::StopForward), "the place is kept while it is only spoken of");
    phone.press('1').press_now('1');
    phone
}

#[test]
fn ic_04_who_leaves_the_line_for_a_callback_gives_the_place_up_once_it_is_booked() {
    let mut phone = in_line_for_a_callback(Obedient::default());
    assert!(!phone.has(&Output::StopForward), "it is not yet booked");
    phone.wait_ms(100);
    assert!(phone.has(&Output::StopForward), "{:?}", phone.line());
    // A person who would have answered now rings nobody, and nothing is taken back.
    phone.0.input(Input::Target(TargetOutcome::HumanAnswered));
    phone.wait(30);
    assert!(!phone.0.call.is_bridged());
    assert_eq!(phone.end(), Some((EndReason::CallbackBooked, Handled::NoHuman)));
    assert!(!phone.has(&Output::CancelCallback { booking: 2 }));
}

#[test]
fn ic_04_a_person_who_answers_before_the_callback_is_booked_takes_its_place() {
    for lost in [false, true] {
        let mut phone = in_line_for_a_callback(Obedient { callback: None, ..Obedient::default() });
        let answer = if lost { TargetOutcome::SignalLost } else { TargetOutcome::HumanAnswered };
        phone.0.input(Input::Target(answer));
        // What is heard of the booking comes too late.
        let booked = CallbackOutcome::Booked { day: None, time: Some("15:30".into()) };
        phone.0.input(Input::Callback(Report::new(2, booked)));
        phone.wait(10);
        assert!(
            phone.has(&Output::CancelCallback { booking: 2 }),
            "the caller would be rung as well"
        );
        assert!(phone.0.call.is_bridged() && !phone.has(&Output::StopForward));
        phone.hang_up();
        let handled = if lost { Handled::Unknown } else { Handled::Human };
        assert_eq!(phone.end(), Some((EndReason::Forwarded, handled)));
    }
}

#[test]
fn ic_04_a_callback_that_was_booked_before_is_made_though_the_signal_is_lost() {
    let mut phone = in_line_for_a_callback(Obedient { callback: None, ..Obedient::default() });
    let mut state = serde_json::to_value(phone.0.call.state()).expect("JSON");
    state["progress"]["callbacks_due"].as_array_mut().expect("a list").insert(0, 9.into());
    let state = serde_json::from_value(state).expect("a state");
    let flow = Arc::clone(phone.0.call.flow());
    phone.0.call = Call::resume(flow, state).expect("resumed");
    phone.0.input(Input::Target(TargetOutcome::SignalLost));
    assert!(phone.has(&Output::CancelCallback { booking: 2 }), "of this one nobody is told");
    assert!(!phone.has(&Output::CancelCallback { booking: 9 }));
}

#[test]
fn ic_04_the_place_is_kept_where_no_callback_can_be_booked() {
    let full = Obedient { callback: Some(CallbackOutcome::Full), ..Obedient::default() };
    let mut phone = in_line_for_a_callback(full);
    phone.wait(1);
    assert!(!phone.has(&Output::StopForward));
    assert_eq!(phone.line().last(), Some(&"queue"), "{:?}", phone.line());
}

/// The queue takes the caller, and no person comes.
fn in_the_queue_for_long(flow: &str) -> Phone {
    let shared = Shared { calls_back: true, ..Shared::default() };
    let checked = load(flow, "flow.toml", &shared, &AnyPrompt);
    let flow = checked.flow.unwrap_or_else(|| panic!("{:#?}", checked.findings));
    // Nothing is offered in line, so that the time is all that ends it.
    let facts = Facts { country: "GB".into(), can_receive_text: Some(false), ..facts() };
    let call = Call::new(Duration::ZERO, Arc::new(flow), facts);
    let targets = [("agents".into(), None)].into();
    let world = Obedient { targets, ..Obedient::default() };
    let mut phone = Phone(Stage::new(call, world, Duration::ZERO));
    phone.wait(1);
    phone.0.input(Input::Target(TargetOutcome::Answered { human: false }));
    phone
}

#[test]
fn ic_04_who_gives_up_for_the_person_waited_for_stays_where_they_are_in_the_queue() {
    let flow = FLOW.split("[step.callback]").next().unwrap_or_default();
    let flow = flow.replace("then                = \"callback\"\n", "");
    let mut phone = in_the_queue_for_long(&flow);
    phone.wait(118);
    assert_eq!(phone.line(), ["music", "call", "queue"]);
    phone.wait(2);
    assert_eq!(phone.line()[3..], ["off", "queue"], "neither dropped nor called again");
    assert_eq!(phone.path(), ["line timeout"]);
    phone.0.input(Input::Target(TargetOutcome::HumanAnswered));
    phone.wait(1).hang_up();
    assert_eq!(phone.end(), Some((EndReason::Forwarded, Handled::Human)));
    assert_eq!(phone.forwards(), ["agents"]);
}

#[test]
fn ic_04_who_gives_up_for_a_callback_keeps_the_place_until_it_is_booked() {
    let flow = leaving_for_a_callback()
        .replace("then                = \"late\"", "then                = \"callback\"")
        .replace("if_fails = \"line\"\n[step.late]", "if_fails = \"late\"\n[step.late]");
    let mut phone = in_the_queue_for_long(&flow);
    phone.wait(121);
    assert_eq!(phone.line()[3..], ["off", "prompt"], "it is offered");
    // No: back into the queue, for as long again.
    phone.press('2').wait(100);
    assert_eq!(phone.line()[5..], ["queue"]);
    phone.wait(22);
    assert_eq!(phone.line()[6..], ["off", "prompt"], "{:?}", phone.path());
    phone.press('1').press_now('1');
    assert!(!phone.has(&Output::StopForward), "it is not yet booked");
    phone.wait_ms(100);
    assert!(phone.has(&Output::StopForward), "{:?}", phone.line());
    phone.wait(30);
    assert_eq!(phone.end(), Some((EndReason::CallbackBooked, Handled::NoHuman)));
}

#[test]
fn ic_04_a_person_who_comes_after_the_caller_gave_up_is_heard_all_the_same() {
    let mut phone = in_the_queue_for_long(FLOW);
    phone.wait(120);
    assert_eq!(phone.line()[3..], ["off", "prompt"]);
    phone.0.input(Input::Target(TargetOutcome::HumanAnswered));
    assert_eq!(phone.line().last(), Some(&"queue"));
    assert!(phone.0.call.is_bridged() && !phone.has(&Output::StopForward));
    // Another target takes no such place along.
    let mut phone = in_the_queue_for_long(FLOW);
    phone.wait(120).wait(5);
    assert_eq!(phone.line()[3..], ["off", "prompt", "drop", "forward"]);
}

/// In the queue, and told to hang up and dial 112: the text that key 1 asks for says nothing.
fn told_where_to_dial(flow: &str) -> Phone {
    let checked = load(flow, "flow.toml", &Shared::default(), &AnyPrompt);
    let flow = checked.flow.unwrap_or_else(|| panic!("{:#?}", checked.findings));
    let facts = Facts { country: "GB".into(), ..facts() };
    let call = Call::new(Duration::ZERO, Arc::new(flow), facts);
    // What becomes of the queue is told below.
    let targets = [("agents".into(), None)].into();
    let world = Obedient { targets, text: None, ..Obedient::default() };
    let mut phone = Phone(Stage::new(call, world, Duration::ZERO));
    phone.wait(1);
    phone.0.input(Input::Target(TargetOutcome::Answered { human: false }));
    phone.wait(5).press('1').press_now('1').press_now('2');
    assert!(phone.heard().contains(&"emergency-typed"), "{:?}", phone.heard());
    assert!(!phone.has(&Output::StopForward), "the place is kept");
    phone
}

#[test]
fn ic_04_a_queue_that_drops_the_caller_while_they_are_told_to_dial_112_is_called_again() {
    let mut phone = told_where_to_dial(FLOW);
    phone.0.input(Input::Target(TargetOutcome::Ended { by_caller: false }));
    phone.wait(20);
    assert_eq!(phone.line().last(), Some(&"forward"), "{:?}", phone.line());
    phone.0.input(Input::Target(TargetOutcome::Answered { human: true }));
    assert!(phone.0.call.is_bridged());
}

#[test]
fn ic_04_a_person_who_answers_while_the_caller_is_told_to_dial_112_is_heard() {
    let mut phone = told_where_to_dial(FLOW);
    phone.wait(1);
    phone.0.input(Input::Target(TargetOutcome::HumanAnswered));
    assert_eq!(phone.line().last(), Some(&"queue"), "{:?}", phone.line());
    let so_far = phone.line();
    phone.wait(3_600);
    assert_eq!(phone.line(), so_far, "nothing ends it");
    phone.hang_up();
    assert_eq!(phone.end(), Some((EndReason::Forwarded, Handled::Human)));
}

#[test]
fn ic_04_who_hangs_up_while_the_callback_is_booked_has_given_up_the_place_and_is_called_back() {
    let mut phone = in_line_for_a_callback(Obedient::default());
    phone.hang_up();
    assert!(phone.has(&Output::StopForward), "{:?}", phone.line());
    assert_eq!(phone.end(), None, "it is not yet booked");
    phone.wait_ms(100);
    assert_eq!(phone.end(), Some((EndReason::CallbackBooked, Handled::NoHuman)));
}
