//! Requirements §7.6: emergencies that this line can do nothing about.

use super::*;
use crate::flow::model::{Check, Collect, Does};

#[test]
fn a_line_may_say_first_what_to_do_in_an_emergency() {
    for (country, number) in [("GB", ["f-9", "f-9", "f-9"]), ("FR", ["f-1", "f-1", "f-2"])] {
        let mut draft = minimal();
        draft.flow.emergency_notice = true;
        let mut phone = Phone::call_with(draft, of(country), Obedient::default());
        phone.wait(13);
        let heard = phone.heard();
        assert_eq!(heard[0], "emergency-notice");
        let said: Vec<&str> = heard.iter().copied().filter(|n| number.contains(n)).collect();
        assert_eq!(said, number);
        assert_eq!(heard.last(), Some(&"welcome"));
        assert!(heard.iter().filter(|name| **name == "emergency-notice").count() == 1);
        phone.press('1').wait(20);
        assert_eq!(phone.end(), Some((EndReason::Deflected, Handled::NoHuman)));
    }
}

#[test]
fn a_caller_who_hangs_up_at_the_notice_has_hung_up() {
    let mut draft = minimal();
    draft.flow.emergency_notice = true;
    let mut phone = Phone::call_with(draft, of("GB"), Obedient::default());
    phone.wait(1).hang_up();
    assert_eq!(phone.end(), Some((EndReason::CallerHangup, Handled::NoHuman)));
}

#[test]
fn an_emergency_number_typed_in_a_menu_is_answered_by_where_to_dial_it_and_a_person() {
    for typed in ["999", "112"] {
        let mut phone = Phone::call_with(three_menus(), of("GB"), Obedient::default());
        phone.wait(1);
        for key in typed.chars() {
            phone.wait_ms(250).press_now(key);
        }
        phone.wait(30);
        let heard = phone.heard();
        let at = heard.iter().position(|name| *name == "emergency-typed").expect("it is said");
        assert_eq!(heard.last(), Some(&"emergency-stay"));
        assert_eq!(heard.len(), at + 2 + typed.len(), "its digits: {heard:?}");
        assert_eq!(phone.forwards(), ["agents"], "{typed}");
        assert!(phone.notes().contains(&"emergency_number"));
    }
}

#[test]
fn keys_pressed_one_after_the_other_are_no_number() {
    let mut phone = Phone::call_with(three_menus(), of("GB"), Obedient::default());
    for key in ['9', '9', '9'] {
        phone.wait(3).press_now(key);
    }
    phone.wait(1);
    assert!(!phone.heard().contains(&"emergency-typed"), "{:?}", phone.heard());
    // Another country's number is none here.
    let mut abroad = Phone::call_with(three_menus(), of("US"), Obedient::default());
    for key in ['9', '9', '9'] {
        abroad.wait_ms(250).press_now(key);
    }
    abroad.wait(5);
    assert!(!abroad.heard().contains(&"emergency-typed"));
}

#[test]
fn an_emergency_number_typed_into_a_field_is_one_and_as_part_of_a_number_is_none() {
    for (typed, warned) in [("999#", true), ("9991#", false)] {
        let draft = Draft::new(&["order", "goodbye"], &["agents"]).step("order", |draft| {
            Does::Collect(Collect {
                save: "order".into(),
                play: sound("type-it"),
                play_again: Vec::new(),
                min: 3,
                max: 12,
                end_key: Some(key('#')),
                timeout_ms: 8_000,
                gap_ms: 4_000,
                tries: 3,
                check: Check::Digits,
                confirm: None,
                secret: true,
                operator: false,
                then: draft.go("goodbye"),
                no_input: draft.go("agents"),
                wrong: draft.go("agents"),
            })
        });
        let mut phone = Phone::call_with(draft, of("GB"), Obedient::default());
        for key in typed.chars() {
            phone.wait_ms(300).press_now(key);
        }
        phone.wait(30);
        assert_eq!(phone.heard().contains(&"emergency-typed"), warned, "{typed}");
        assert_eq!(phone.forwards().contains(&"agents"), warned, "{typed}");
    }
}

/// Menus that lead into one another by 1, 2 and 9.
fn three_menus() -> Draft {
    let steps = ["a", "b", "c", "d"];
    let mut draft = Draft::new(&steps, &["agents"]);
    for (at, name) in steps.into_iter().enumerate() {
        let next = steps[(at + 1) % steps.len()];
        draft = draft.step(name, |draft| {
            Does::Menu(draft.menu(name, &[('1', next), ('2', next), ('9', next)], "agents"))
        });
    }
    draft
}

fn of(country: &str) -> Facts {
    Facts { country: country.into(), ..facts() }
}
