//! callers whose own number takes no text are asked for one that does.

use super::*;
use crate::{
    flow::{
        model::{AskNumber, ConfirmNumber, Does},
        numbers,
    },
    step::number::FIELD,
};

const MOBILE: &str = "07700900123";

#[test]
fn x_01_a_caller_without_a_number_types_one_and_it_is_read_back() {
    let mut phone = Phone::call_with(asking(ConfirmNumber::IfNotMobile), anonymous(), world());
    phone.press('1');
    type_in(&mut phone, MOBILE);
    assert!(phone.texts().is_empty(), "not before it was read back");
    let heard = phone.heard();
    assert_eq!(heard[..2], ["welcome", "type-mobile"]);
    assert!(heard[2].starts_with("f-") && heard.last() == Some(&"right-or-again"), "{heard:?}");
    phone.press('1').wait(20);
    let texts = phone.texts();
    let to: Vec<_> = texts.iter().map(|text| text.to.as_ref().map(|to| to.0.as_str())).collect();
    assert_eq!(to, [Some("+447700900123")]);
    assert_eq!((texts[0].pressed, texts[0].asked_in.as_str()), (Some(key('1')), "welcome"));
    assert_eq!(phone.end(), Some((EndReason::Deflected, Handled::NoHuman)));
    assert_eq!(phone.0.call.facts().field(FIELD), None, "and is no field of the call");
}

#[test]
fn x_02_a_caller_from_a_landline_is_asked_too_and_told_why() {
    let landline = Facts { can_receive_text: Some(false), ..facts() };
    let mut phone = Phone::call_with(asking(ConfirmNumber::IfNotMobile), landline, world());
    phone.press('1').wait(4);
    assert_eq!(phone.heard()[1..], ["no-text-there", "type-mobile"]);
    assert!(phone.0.call.awaits_key() && phone.0.call.collects(), "its digits are no choice");
}

#[test]
fn x_02_a_number_that_the_provider_refuses_is_asked_for_again_while_the_caller_listens() {
    let refused = TextOutcome::NotTextable { reason: "landline".into() };
    let world = Obedient { text: Some(refused), ..Obedient::default() };
    let mut phone = Phone::call_with(asking(ConfirmNumber::IfNotMobile), british(), world);
    phone.press('1').wait(5);
    for _ in 0..3 {
        type_in(&mut phone, MOBILE);
        phone.press('1').wait(5);
    }
    phone.wait(20);
    assert_eq!(phone.texts().len(), 4, "the own number, and three that were typed");
    assert_eq!(phone.heard().iter().filter(|name| **name == "no-text-there").count(), 3);
    assert_eq!(phone.heard().last(), Some(&"not-sent"), "enough");
    assert_eq!(phone.forwards(), ["agents"]);
    let offers = phone.offers();
    assert_eq!(offers.len(), 1, "it stays one offer: {offers:?}");
}

#[test]
fn x_02_a_number_that_has_the_text_already_may_be_followed_by_another() {
    let mut phone = Phone::call_with(repeating("hangup"), british(), duplicate());
    phone.press('1').wait(7);
    assert_eq!(phone.heard()[1..], ["one-moment", "sent", "another-mobile"]);
    phone.press('1').wait(4);
    assert_eq!(phone.heard().last(), Some(&"type-mobile"));
    type_in(&mut phone, MOBILE);
    assert_eq!(phone.texts().len(), 1, "not before it was read back");
    phone.press('1').wait(20);
    let texts = phone.texts();
    let to: Vec<_> = texts.iter().map(|text| text.to.as_ref().map(|to| to.0.as_str())).collect();
    assert_eq!(to, [None, Some("+447700900123")]);
    assert_eq!(phone.offers().len(), 1, "it stays one offer");
    assert_eq!(phone.end(), Some((EndReason::Deflected, Handled::NoHuman)));
}

#[test]
fn x_02_what_follows_a_second_copy_goes_to_the_caller_again() {
    let mut draft = Draft::new(&["welcome", "text_me", "more"], &["agents"])
        .step("welcome", |draft| Does::Menu(draft.menu("welcome", &[('1', "text_me")], "agents")))
        .step("text_me", |draft| Does::Text(draft.text("more")))
        .step("more", |draft| Does::Menu(draft.menu("more", &[('1', "text_me")], "agents")));
    ask(&mut draft, ConfirmNumber::IfNotMobile, true);
    let mut phone = Phone::call_with(draft, british(), duplicate());
    phone.press('1').wait(7).press('1').wait(4);
    type_in(&mut phone, MOBILE);
    phone.press('1').wait(30);
    assert_eq!(phone.heard().last(), Some(&"more"));
    phone.press('1').wait(7);
    let texts = phone.texts();
    let to: Vec<_> = texts.iter().map(|text| text.to.as_ref().map(|to| to.0.as_str())).collect();
    assert_eq!(to, [None, Some("+447700900123"), None]);
}

#[test]
fn x_02_who_wants_no_other_number_goes_on_as_after_any_text_that_was_sent() {
    let mut silent = Phone::call_with(repeating("hangup"), british(), duplicate());
    silent.press('1').wait(40);
    assert_eq!(silent.notes(), ["duplicate"]);
    assert_eq!(silent.end(), Some((EndReason::Deflected, Handled::NoHuman)));
    let mut gone = Phone::call_with(repeating("hangup"), british(), duplicate());
    gone.press('1').wait(7).hang_up();
    assert_eq!(gone.end(), Some((EndReason::Deflected, Handled::NoHuman)), "it was sent");
    // A key of the menu that follows, typed ahead.
    let mut ahead = Phone::call_with(repeating("more"), british(), duplicate());
    ahead.press('1').wait(7).press('2').wait(3);
    assert_eq!(ahead.path()[1..], ["text_me next", "more 2"]);
    let mut operator = Phone::call_with(repeating("hangup"), british(), duplicate());
    operator.press('1').wait(7).press('0').wait(3);
    assert_eq!(operator.forwards(), ["agents"]);
}

#[test]
fn x_02_no_more_numbers_are_taken_than_three_and_none_where_the_step_asks_for_none() {
    let mut phone = Phone::call_with(repeating("hangup"), british(), duplicate());
    phone.press('1').wait(7);
    for _ in 0..3 {
        phone.press('1').wait(4);
        type_in(&mut phone, MOBILE);
        phone.press('1').wait(7);
    }
    phone.wait(20);
    assert_eq!(phone.texts().len(), 4);
    assert_eq!(phone.heard().iter().filter(|name| **name == "another-mobile").count(), 3);
    assert_eq!(phone.end(), Some((EndReason::Deflected, Handled::NoHuman)));
    let mut never = Phone::call_with(asking(ConfirmNumber::Never), british(), duplicate());
    never.press('1').wait(20);
    assert_eq!(never.heard()[1..], ["one-moment", "sent"]);
}

#[test]
fn x_01_two_asks_again_and_after_three_tries_there_is_a_person() {
    let draft = || asking(ConfirmNumber::IfNotMobile);
    let mut wrong = Phone::call_with(draft(), anonymous(), world());
    wrong.press('1');
    type_in(&mut wrong, MOBILE);
    wrong.press('2').wait(1);
    // A landline is no mobile number, and a short one none at all.
    type_in(&mut wrong, "02079460018");
    type_in(&mut wrong, "123");
    wrong.wait(5);
    let mut silent = Phone::call_with(draft(), anonymous(), world());
    silent.press('1').wait(60);
    for phone in [wrong, silent] {
        assert!(phone.texts().is_empty());
        assert_eq!(phone.heard().iter().filter(|name| **name == "type-mobile").count(), 3);
        assert_eq!((phone.forwards(), phone.notes()), (vec!["agents"], vec!["no_number"]));
    }
}

#[test]
fn x_01_an_operator_key_alone_leads_to_a_person_and_as_a_digit_does_not() {
    let mut phone = Phone::call_with(asking(ConfirmNumber::IfNotMobile), anonymous(), world());
    phone.press('1');
    type_in(&mut phone, "0");
    phone.wait(3);
    assert_eq!(phone.path(), ["welcome 1", "text_me 0"]);
    assert_eq!(phone.forwards(), ["agents"]);
    let mut read_back = Phone::call_with(asking(ConfirmNumber::IfNotMobile), anonymous(), world());
    read_back.press('1');
    type_in(&mut read_back, MOBILE);
    read_back.press('0').wait(3);
    assert_eq!(read_back.forwards(), ["agents"]);
    assert!(read_back.texts().is_empty());
}

#[test]
fn confirm_number_always_reads_the_callers_own_number_back() {
    let mut right = Phone::call_with(asking(ConfirmNumber::Always), british(), world());
    right.press('1').wait(1);
    let heard = right.heard();
    assert_eq!(heard[1], "text-goes-to");
    assert_eq!(heard.last(), Some(&"right-or-other"));
    right.press('1').wait(10);
    assert!(right.texts().len() == 1 && right.texts()[0].to.is_none());

    let mut other = Phone::call_with(asking(ConfirmNumber::Always), british(), world());
    other.press('1').press('2').wait(1);
    type_in(&mut other, MOBILE);
    other.press('1').wait(10);
    assert_eq!(other.texts()[0].to.as_ref().map(|to| to.0.as_str()), Some("+447700900123"));

    let mut silent = Phone::call_with(asking(ConfirmNumber::Always), british(), world());
    silent.press('1').wait(200);
    assert_eq!(silent.heard().iter().filter(|name| **name == "text-goes-to").count(), 2);
    assert_eq!(silent.notes(), ["number_not_confirmed"]);
    assert!(silent.texts().is_empty() && silent.forwards() == ["agents"]);
}

#[test]
fn a_number_that_its_trunk_wants_confirmed_is_read_back_whatever_the_step_says() {
    let doubted = || Facts { to_confirm: true, ..british() };
    let mut right = Phone::call_with(asking(ConfirmNumber::IfNotMobile), doubted(), world());
    right.press('1').wait(1);
    assert_eq!(right.heard().last(), Some(&"right-or-other"));
    assert!(right.texts().is_empty());
    right.press('1').wait(10);
    assert!(right.texts().len() == 1 && right.texts()[0].to.is_none());
    // Where nobody can be asked there is no text.
    let mut never = Phone::call_with(asking(ConfirmNumber::Never), doubted(), world());
    never.press('1').wait(10);
    assert!(never.texts().is_empty() && never.forwards() == ["agents"]);
    assert_eq!(never.notes(), ["number_not_confirmed"]);
}

#[test]
fn an_offer_whose_text_may_not_ask_is_not_made_where_the_number_is_to_be_confirmed() {
    for (confirm, to_confirm, why) in [
        (ConfirmNumber::Never, true, &["number_not_confirmed"][..]),
        (ConfirmNumber::Never, false, &[]),
        (ConfirmNumber::IfNotMobile, true, &[]),
    ] {
        let mut draft = offering(|_, _| {});
        ask(&mut draft, confirm, true);
        let caller = Facts { to_confirm, ..british() };
        let mut phone = Phone::call_with(draft, caller, world());
        phone.wait(1);
        assert_eq!(phone.suppressed(), why);
        assert_eq!(phone.heard().contains(&"offer-text"), why.is_empty(), "{confirm:?}");
    }
}

#[test]
fn x_01_an_offer_is_made_to_such_a_caller_where_its_text_says_that_it_asks() {
    for (written, made) in [(true, true), (false, false)] {
        let mut draft = offering(|_, _| {});
        ask(&mut draft, ConfirmNumber::IfNotMobile, written);
        let mut phone = Phone::call_with(draft, anonymous(), world());
        phone.wait(1);
        assert_eq!(phone.heard().contains(&"offer-text"), made, "{written}");
        let why: &[&str] = if made { &[] } else { &["withheld"] };
        assert_eq!(phone.suppressed(), why);
    }
}

#[test]
fn a_number_that_was_typed_serves_the_rest_of_the_call() {
    let mut draft = Draft::new(&["welcome", "text_me", "more", "text_more"], &["agents"])
        .step("welcome", |draft| Does::Menu(draft.menu("welcome", &[('1', "text_me")], "agents")))
        .step("text_me", |draft| Does::Text(draft.text("more")))
        .step("more", |draft| Does::Menu(draft.menu("more", &[('2', "text_more")], "agents")))
        .step("text_more", |draft| Does::Text(draft.text("hangup")));
    ask(&mut draft, ConfirmNumber::IfNotMobile, false);
    let mut phone = Phone::call_with(draft, anonymous(), world());
    phone.press('1');
    type_in(&mut phone, MOBILE);
    phone.press('1').wait(6).press('2').wait(10);
    let texts = phone.texts();
    assert_eq!(texts.len(), 2);
    assert!(texts.iter().all(|text| text.to == texts[0].to && text.to.is_some()));
    assert_eq!(phone.heard().iter().filter(|name| **name == "type-mobile").count(), 1);
}

#[test]
fn a_call_can_be_saved_while_a_number_is_typed_and_shows_it_nowhere() {
    let mut phone = Phone::call_with(asking(ConfirmNumber::IfNotMobile), anonymous(), world());
    phone.press('1');
    type_in(&mut phone, MOBILE);
    let saved = serde_json::to_string(phone.0.call.state()).expect("JSON");
    let state = serde_json::from_str(&saved).expect("the same");
    let call = Call::resume(std::sync::Arc::clone(phone.0.call.flow()), state).expect("resumed");
    assert_eq!(call.state(), phone.0.call.state());
    phone.press('1').wait(10);
    let shown = format!("{:?}", phone.texts());
    assert!(!shown.contains("7700900123"), "{shown}");
}

fn type_in(phone: &mut Phone, digits: &str) {
    for digit in digits.chars().chain(['#']) {
        phone.wait_ms(300).press_now(digit);
    }
}

fn asking(confirm: ConfirmNumber) -> Draft {
    let mut draft = minimal();
    ask(&mut draft, confirm, true);
    draft
}

fn ask(draft: &mut Draft, confirm: ConfirmNumber, written: bool) {
    for step in &mut draft.flow.steps {
        if let Does::Text(text) = &mut step.does {
            text.confirm_number = confirm;
            text.ask = Some(AskNumber { written, ..numbers::prompts() });
        }
    }
}

/// The text leads on to `then`: the end, or a menu.
fn repeating(then: &str) -> Draft {
    let mut draft = Draft::new(&["welcome", "text_me", "more"], &["agents"])
        .step("welcome", |draft| Does::Menu(draft.menu("welcome", &[('1', "text_me")], "agents")))
        .step("text_me", |draft| Does::Text(draft.text(then)))
        .step("more", |draft| Does::Menu(draft.menu("more", &[('2', "agents")], "agents")));
    ask(&mut draft, ConfirmNumber::IfNotMobile, true);
    draft
}

fn duplicate() -> Obedient {
    Obedient { text: Some(TextOutcome::Duplicate), ..world() }
}

fn british() -> Facts {
    Facts { country: "GB".into(), ..facts() }
}

fn anonymous() -> Facts {
    Facts { caller: None, withheld: true, can_receive_text: Some(false), ..british() }
}

fn world() -> Obedient {
    Obedient::default()
}
