//! Callbacks: the number confirmed, and only what is booked is promised.

use super::*;
use crate::flow::model::{Callback, ConfirmNumber};

fn booking(change: impl FnOnce(&mut Callback)) -> Draft {
    Draft::new(&["callback", "bye", "box"], &["agents"])
        .step("callback", |draft| {
            let mut callback = Callback {
                play: sound("callback"),
                per_hour: Some(30),
                confirm_number: ConfirmNumber::Always,
                target: None,
                tries: 3,
                deliver: None,
                then: draft.go("bye"),
                no_input: Some(draft.go("box")),
                if_fails: Some(draft.go("box")),
            };
            change(&mut callback);
            Does::Callback(callback)
        })
        .step("bye", |draft| Does::Say { play: sound("bye"), then: draft.go("hangup") })
        .step("box", |draft| Does::Say { play: sound("box"), then: draft.go("agents") })
}

fn british() -> Facts {
    Facts { country: "GB".into(), ..facts() }
}

fn booked(phone: &Phone) -> Vec<&CallbackRequest> {
    let outputs = phone.0.outputs().iter();
    outputs
        .filter_map(|output| match output {
            Output::BookCallback(request) => Some(request),
            _ => None,
        })
        .collect()
}

fn world(callback: Option<CallbackOutcome>) -> Obedient {
    Obedient { callback, ..Obedient::default() }
}

const BOOKED: Option<(EndReason, Handled)> = Some((EndReason::CallbackBooked, Handled::NoHuman));

#[test]
fn ex_09_a_booked_callback_is_no_deflection() {
    let mut phone = Phone::call_with(booking(|_| {}), british(), Obedient::default());
    phone.press('1');
    assert!(phone.heard().contains(&"callback-right"), "{:?}", phone.heard());
    phone.press('1').wait(1);
    let request = booked(&phone)[0];
    assert_eq!((request.booking, request.per_hour, request.tries), (2, Some(30), 3));
    assert_eq!(request.from_ms, None, "no time was told: the sooner the better");
    assert!(phone.heard().contains(&"callback-booked"));
    phone.wait(60);
    assert_eq!(phone.end(), BOOKED);
}

/// Requirements §7.2: else a caller could have anybody rung.
#[test]
fn ex_09_the_number_that_the_call_came_from_is_read_back_and_no_other_can_be_typed() {
    let mut phone = Phone::call_with(booking(|_| {}), british(), Obedient::default());
    phone.press('1').press('2');
    for digit in "07700900124#1".chars() {
        phone.press_now(digit);
    }
    phone.wait(1);
    assert!(booked(&phone).is_empty(), "2 is a no: {:?}", phone.heard());
    assert!(phone.heard().ends_with(&["callback-right", "box"]), "{:?}", phone.heard());
    // Neither the state nor a field keeps it longer than needed.
    assert_eq!(phone.0.call.facts().field("callback_number"), None);
    // No key, or one that means nothing there: asked again, three times in all.
    let mut phone = Phone::call_with(booking(|_| {}), british(), Obedient::default());
    phone.press('1').press('7').wait(150);
    let asked = phone.heard().into_iter().filter(|name| *name == "callback-right").count();
    assert_eq!((asked, booked(&phone).len()), (3, 0));
    assert!(phone.heard().ends_with(&["box"]), "{:?}", phone.heard());
}

/// Who has had the callbacks of the hour or the day hears of none.
#[test]
fn ex_09_who_is_called_back_no_more_is_not_offered_it_and_goes_on_by_if_fails() {
    for why in ["limited", "country"] {
        let refused = CallbackOutcome::NotCallable { why: why.into() };
        let world = Obedient { slot: Some(refused), ..Obedient::default() };
        let mut phone = Phone::call_with(booking(|_| {}), british(), world);
        phone.wait_ms(20);
        assert!(!phone.has(&Output::Answer), "{why}");
        phone.wait(1);
        assert_eq!(phone.heard(), ["box"], "{why}");
        assert!(phone.notes().contains(&why), "{:?}", phone.notes());
    }
}

#[test]
fn where_no_number_is_known_or_believed_a_callback_is_not_spoken_of() {
    let withheld = Facts { caller: None, withheld: true, ..british() };
    let forged = Facts { attestation: Some("failed".into()), ..british() };
    for facts in [withheld, forged] {
        let mut phone = Phone::call_with(booking(|_| {}), facts, Obedient::default());
        phone.wait(1);
        assert_eq!(phone.heard(), ["box"]);
        assert!(booked(&phone).is_empty());
    }
}

#[test]
fn a_number_that_may_not_be_called_leads_where_the_step_says() {
    let refused = CallbackOutcome::NotCallable { why: "country".into() };
    let mut phone = Phone::call_with(booking(|_| {}), british(), world(Some(refused)));
    phone.press('1').press('1').wait(1);
    assert_eq!(booked(&phone).len(), 1);
    assert!(phone.heard().ends_with(&["box"]), "{:?}", phone.heard());
}

/// A caller who books, is offered another callback that comes to nothing, and gets a person.
#[test]
fn ex_09_of_two_bookings_each_is_taken_back_for_itself() {
    let draft = || {
        booking(|callback| callback.confirm_number = ConfirmNumber::Never).step("bye", |draft| {
            match booking(|_| {}).flow.steps.remove(0).does {
                Does::Callback(mut second) => {
                    second.confirm_number = ConfirmNumber::Never;
                    (second.then, second.if_fails) = (draft.go("box"), Some(draft.go("box")));
                    Does::Callback(second)
                }
                _ => unreachable!("it is a callback"),
            }
        })
    };
    let canceled = |phone: &Phone| {
        let outputs = phone.0.outputs().iter();
        let of = |output: &Output| match output {
            Output::CancelCallback { booking } => Some(*booking),
            _ => None,
        };
        outputs.filter_map(of).collect::<Vec<_>>()
    };
    let first = CallbackOutcome::Booked { day: None, time: Some("15:30".into()) };
    let is_told = |phone: &mut Phone| {
        phone.0.input(Input::Callback(Report::new(2, first.clone())));
        while phone.heard().iter().filter(|name| **name == "callback").count() < 2 {
            phone.wait(1);
        }
    };
    // The second is full: who is with a person then is not rung by the first.
    let person = target_says(&[("agents", TargetOutcome::Answered { human: true })]);
    let nobody_books = Obedient { callback: None, ..person };
    let mut phone = Phone::call_with(draft(), british(), nobody_books);
    phone.press('1').wait(1);
    is_told(&mut phone);
    phone.press('1').wait(1);
    phone.0.input(Input::Callback(Report::new(4, CallbackOutcome::Full)));
    assert!(canceled(&phone).is_empty(), "nobody is there yet: {:?}", phone.heard());
    while phone.forwards().is_empty() {
        phone.wait(1);
    }
    phone.wait(3);
    assert_eq!(canceled(&phone), [2], "{:?} {:?}", phone.heard(), phone.forwards());
    // Nothing is heard of the second: that one is taken back, and the first is made.
    let mut phone = Phone::call_with(draft(), british(), world(None));
    phone.press('1').wait(1);
    is_told(&mut phone);
    phone.press('1').wait(7);
    assert_eq!(canceled(&phone), [4]);
}

#[test]
fn ex_09_who_said_yes_and_hangs_up_while_it_is_booked_is_called_back_and_the_record_says_so() {
    let said_yes = |outcome: Option<CallbackOutcome>| {
        let draft = booking(|callback| callback.confirm_number = ConfirmNumber::Never);
        let mut phone = Phone::call_with(draft, british(), world(outcome));
        phone.press('1').hang_up();
        assert_eq!((booked(&phone).len(), phone.end()), (1, None), "it is being booked");
        phone
    };
    let mut phone = said_yes(Some(CallbackOutcome::Booked { day: None, time: None }));
    phone.wait(1);
    assert_eq!(phone.end(), BOOKED);
    assert_eq!(phone.path(), ["callback hangup"]);
    assert!(!phone.has(&Output::CancelCallback { booking: 2 }));
    // Nobody says that it is booked, or it is not: the record says so, and nobody is rung.
    for (outcome, seconds) in [(None, 6), (Some(CallbackOutcome::Full), 1)] {
        let mut phone = said_yes(outcome.clone());
        phone.wait(seconds);
        assert_eq!(phone.end(), Some((EndReason::CallerHangup, Handled::NoHuman)), "{outcome:?}");
        let canceled = phone.has(&Output::CancelCallback { booking: 2 });
        assert_eq!(canceled, outcome.is_none(), "{outcome:?}");
    }
}

#[test]
fn dp_06_the_day_and_the_time_that_are_booked_are_spoken() {
    for (day, time, spoken) in [
        (None, "15:30", "3 30 afternoon"),
        (Some("2026-01-05"), "09:05", "weekday-1 the ord-5 month-1 9 oh 5 morning"),
    ] {
        let mut draft = booking(|_| {});
        draft.flow.languages = vec!["en-GB".into()];
        let outcome =
            CallbackOutcome::Booked { day: day.map(str::to_owned), time: Some(time.into()) };
        let mut phone = Phone::call_with(draft, british(), world(Some(outcome)));
        phone.press('1').press('1').wait(1);
        let heard = phone.heard();
        let booked = heard.iter().position(|name| *name == "callback-booked").unwrap();
        let spoken: Vec<_> = spoken.split(' ').map(|fragment| format!("f-{fragment}")).collect();
        assert_eq!(heard[booked + 1..], spoken, "{day:?} {time}");
    }
}

#[test]
fn dp_06_where_all_is_full_or_nobody_knows_the_option_is_not_spoken_and_no_call_answered_for_it() {
    for (slot, seconds) in [
        (Some(CallbackOutcome::Full), 1),
        (Some(CallbackOutcome::Failed { why: "store".into() }), 1),
        (None, 2),
    ] {
        let world = Obedient { slot: slot.clone(), ..Obedient::default() };
        let mut phone = Phone::call_with(booking(|_| {}), british(), world);
        phone.wait_ms(20);
        assert!(!phone.has(&Output::Answer), "{slot:?}");
        phone.wait(seconds);
        assert_eq!(phone.heard(), ["box"], "{slot:?}");
        assert!(booked(&phone).is_empty());
    }
}

#[test]
fn dp_06_where_the_first_times_are_full_the_next_is_offered_and_taken_by_key_or_left() {
    let next = |time: &str| {
        let next = Some((Some("2026-01-05".to_owned()), time.to_owned()));
        CallbackOutcome::Free(FreeSlot { from_ms: 6_000, until_ms: 9_000, next })
    };
    let offered = |time: &str| Obedient { slot: Some(next(time)), ..Obedient::default() };
    let told = "callback-next f-weekday-1 f-the f-ord-5 f-month-1 f-9 f-oh f-5 f-morning callback";
    let mut draft = booking(|_| {});
    draft.flow.languages = vec!["en-GB".into()];
    let mut taken = Phone::call_with(draft, british(), offered("09:05"));
    taken.wait(45);
    let heard = taken.heard().join(" ");
    assert!(heard.starts_with(told), "{heard}");
    assert!(heard.ends_with(" box"), "left by silence: {heard}");

    // By key; and what somebody else has meanwhile is not booked later without being offered.
    let mut draft = booking(|callback| callback.confirm_number = ConfirmNumber::Never);
    draft.flow.languages = vec!["en-GB".into()];
    let world = Obedient { callback: Some(next("10:05")), ..offered("09:05") };
    let mut phone = Phone::call_with(draft, british(), world);
    phone.wait(2).press('1').wait(60);
    assert_eq!(booked(&phone).len(), 1);
    assert_eq!(
        (booked(&phone)[0].from_ms, booked(&phone)[0].before_ms),
        (Some(6_000), Some(9_000))
    );
    let times = phone.heard().into_iter().filter(|name| *name == "callback-next").count();
    assert_eq!(times, 2, "{:?}", phone.heard());
    assert!(!phone.heard().contains(&"callback-booked"), "{:?}", phone.heard());
}

#[test]
fn dp_06_full_hours_and_failures_lead_where_the_step_says() {
    for (outcome, seconds) in [
        (Some(CallbackOutcome::Full), 1),
        (Some(CallbackOutcome::Failed { why: "store".into() }), 1),
        (None, 6),
    ] {
        let mut phone = Phone::call_with(booking(|_| {}), british(), world(outcome.clone()));
        phone.press('1').press('1').wait(seconds);
        assert!(phone.heard().ends_with(&["box"]), "{outcome:?}: {:?}", phone.heard());
        assert!(!phone.heard().contains(&"callback-booked"), "{outcome:?}");
        // Nobody said that it is booked: it must not be.
        let canceled = phone.has(&Output::CancelCallback { booking: 2 });
        assert_eq!(canceled, outcome.is_none(), "{outcome:?}");
    }
}

#[test]
fn no_key_and_another_key_are_a_no_and_the_operator_key_leads_to_a_person() {
    let mut phone = Phone::call_with(booking(|_| {}), british(), Obedient::default());
    phone.wait(12);
    assert_eq!(phone.heard(), ["callback", "box"]);
    let mut phone = Phone::call_with(booking(|_| {}), british(), Obedient::default());
    phone.press('5').wait(1);
    assert_eq!(phone.heard(), ["callback", "box"]);
    let mut phone = Phone::call_with(booking(|_| {}), british(), Obedient::default());
    phone.press('0').wait(1);
    assert_eq!(phone.forwards(), ["agents"]);
}

#[test]
fn a_number_is_confirmed_only_where_the_step_wants_it() {
    for (confirm, caller, asked) in [
        (ConfirmNumber::Never, "+442079460018", false),
        (ConfirmNumber::IfNotMobile, "+447700900123", false),
        (ConfirmNumber::IfNotMobile, "+442079460018", true),
        (ConfirmNumber::Always, "+447700900123", true),
    ] {
        let textable = Some(caller.starts_with("+447"));
        let caller = Some(caller.into());
        let facts = Facts { caller, can_receive_text: textable, ..british() };
        let draft = booking(|callback| callback.confirm_number = confirm);
        let mut phone = Phone::call_with(draft, facts, Obedient::default());
        phone.press('1').wait(1);
        assert_eq!(booked(&phone).is_empty(), asked, "{confirm:?} {textable:?}");
    }
}

/// Whoever asked the store before has given up; the next step asks anew.
#[test]
fn dp_06_what_the_store_says_of_a_callback_before_is_not_heard_as_of_this_one() {
    let draft =
        booking(|_| {}).step("box", |draft| match booking(|_| {}).flow.steps.remove(0).does {
            Does::Callback(mut second) => {
                (second.no_input, second.if_fails) = (Some(draft.go("bye")), Some(draft.go("bye")));
                Does::Callback(second)
            }
            _ => unreachable!("it is a callback"),
        });
    let world = Obedient { slot: None, ..Obedient::default() };
    let mut phone = Phone::call_with(draft, british(), world);
    phone.wait_ms(1_600);
    assert_eq!(phone.path(), ["callback error", "box …"]);
    let free = FreeSlot { from_ms: 0, until_ms: i64::MAX, next: None };
    phone.0.input(Input::Callback(Report::new(1, CallbackOutcome::Free(free))));
    phone.wait_ms(100);
    assert!(phone.heard().is_empty(), "{:?}", phone.heard());
    phone.0.input(Input::Callback(Report::new(2, CallbackOutcome::Full)));
    phone.wait(1);
    assert_eq!(phone.heard(), ["bye"]);
    assert!(phone.notes().contains(&"full"), "{:?}", phone.notes());
}
