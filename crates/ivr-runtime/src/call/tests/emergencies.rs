//! Requirements §7.6: emergencies that this line can do nothing about.

use super::*;
use crate::flow::model::{Check, Collect, Does, Fact};

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
    for (typed, min, warned) in
        [("999#", 3, true), ("999#", 8, true), ("9991#", 3, false), ("9991#", 8, false)]
    {
        let draft = Draft::new(&["order", "goodbye"], &["agents"])
            .step("order", |draft| Does::Collect(Collect { min, ..order(draft) }));
        let mut phone = Phone::call_with(draft, of("GB"), Obedient::default());
        for key in typed.chars() {
            phone.wait_ms(300).press_now(key);
        }
        phone.wait(30);
        assert_eq!(phone.heard().contains(&"emergency-typed"), warned, "{typed} {min}");
        assert!(!warned || phone.forwards().contains(&"agents"), "{typed} {min}");
    }
}

/// Of three sounds, of three seconds each, before the field.
fn said_before_a_field() -> Draft {
    Draft::new(&["hello", "order", "goodbye"], &["agents"])
        .step("hello", |draft| Does::Say {
            play: ["a", "b", "c"].into_iter().flat_map(sound).collect(),
            then: draft.go("order"),
        })
        .step("order", |draft| Does::Collect(order(draft)))
}

#[test]
fn a_field_s_digits_that_are_typed_ahead_and_begin_like_an_emergency_number_are_the_field_s() {
    // While it is said, and on both sides of its end.
    for pause_ms in [100, 700, 900] {
        let mut phone = Phone::call_with(said_before_a_field(), of("GB"), Obedient::default());
        for key in "112045678#".chars() {
            phone.wait_ms(pause_ms).press_now(key);
        }
        phone.wait(20);
        assert!(!phone.heard().contains(&"emergency-typed"), "{pause_ms}: {:?}", phone.heard());
        assert_eq!(phone.heard().last(), Some(&"goodbye"), "{pause_ms}: {:?}", phone.path());
    }
}

#[test]
fn an_emergency_number_alone_is_one_where_a_field_comes_next() {
    // Long before the field is asked for, right before it, and with what ends a number.
    for (seconds, typed, at_ms) in [(1, "112", 2_000), (8, "112", 6_500), (7, "112#", 2_000)] {
        let mut phone = Phone::call_with(said_before_a_field(), of("GB"), Obedient::default());
        phone.wait(seconds);
        for key in typed.chars() {
            phone.wait_ms(150).press_now(key);
        }
        assert!(!phone.heard().contains(&"emergency-typed"), "more may follow: {typed}");
        phone.wait_ms(at_ms);
        assert!(phone.heard().contains(&"emergency-typed"), "{typed}: {:?}", phone.heard());
        phone.wait(20);
        assert_eq!(phone.forwards(), ["agents"], "{typed}");
    }
    // Where a menu comes after all.
    let menu_or_field = Draft::new(&["hello", "sort", "main", "order", "goodbye"], &["agents"])
        .rule("outage", Fact::Flag("outage".into()))
        .step("hello", |draft| Does::Say {
            play: ["a", "b", "c"].into_iter().flat_map(sound).collect(),
            then: draft.go("sort"),
        })
        .step("sort", |draft| Does::Decide {
            case: vec![(draft.rule_id("outage"), draft.go("main"))],
            otherwise: draft.go("order"),
        })
        .step("main", |draft| Does::Menu(draft.menu("main", &[('1', "order")], "agents")))
        .step("order", |draft| Does::Collect(order(draft)));
    let facts = Facts { flags: Some(vec!["outage".into()]), ..of("GB") };
    let mut phone = Phone::call_with(menu_or_field, facts, Obedient::default());
    phone.wait(8);
    for key in "112".chars() {
        phone.wait_ms(150).press_now(key);
    }
    phone.wait(1);
    assert!(phone.heard().contains(&"emergency-typed"), "{:?}", phone.heard());
    assert!(!phone.heard().contains(&"main"), "{:?}", phone.heard());
}

#[test]
fn digits_that_go_on_are_no_number_however_they_end() {
    for typed in ["2112", "22222112", "2222222222112"] {
        let mut phone = Phone::call_with(three_menus(), of("GB"), Obedient::default());
        for key in typed.chars() {
            phone.wait_ms(250).press_now(key);
        }
        phone.wait(1);
        assert!(!phone.heard().contains(&"emergency-typed"), "{typed}: {:?}", phone.heard());
        // After a pause they begin anew.
        phone.wait(2);
        for key in "112".chars() {
            phone.wait_ms(250).press_now(key);
        }
        assert!(phone.heard().contains(&"emergency-typed"), "{typed}: {:?}", phone.heard());
    }
}

/// Asks for digits, and goes on to `goodbye`.
fn order(draft: &Draft) -> Collect {
    Collect {
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
