//! `play_again`: which try plays what.

use super::{asks::phone, *};

const MENU: &str = r#"
[step.first]
do         = "menu"
play       = "long.wav"
play_again = ["shorter.wav", ["sorry.wav", { play = ["by-order.wav"], needs = ["intent"] }, "shorter.wav"]]
tries      = 4
press      = { 1 = "other" }
no_input   = "agents"
"#;

const COLLECT: &str = r##"
[step.first]
do         = "collect"
save       = "account"
play       = "type-it.wav"
play_again = ["four-digits.wav", ["sorry.wav", "four-digits.wav"]]
min        = 4
max        = 4
confirm    = true
then       = "other"
no_input   = "agents"
"##;

const ANSWER: &str = r#"
[step.first]
do         = "answer"
play       = "hours-are.wav"
play_again = ["repeat-or-goodbye.wav"]
tries      = 2
press      = { 1 = "bye" }
no_input   = "bye"
[step.bye]
do       = "say"
fallback = false
play     = "goodbye.wav"
then     = "hangup"
"#;

#[test]
fn each_try_of_a_menu_plays_its_own_prompts_and_the_later_ones_the_last() {
    let mut phone = phone(MENU, Obedient::default());
    phone.wait(60);
    let heard = ["long", "shorter", "sorry", "shorter", "sorry", "shorter"];
    assert_eq!(phone.heard(), heard);
    assert_eq!(phone.path(), ["first timeout"]);
    assert_eq!(phone.forwards(), ["agents"]);
}

#[test]
fn a_wrong_key_goes_on_to_the_next_prompts_as_silence_does() {
    let mut phone = phone(MENU, Obedient::default());
    phone.press('7').press('8');
    assert_eq!(phone.heard(), ["long", "shorter", "sorry", "shorter"]);
    phone.press('1');
    assert_eq!(phone.forwards(), ["other"]);
}

#[test]
fn the_repeat_key_plays_what_was_played_last() {
    let mut phone = phone(MENU, Obedient::default());
    phone.press('*').press('7').press('*').press('*');
    assert_eq!(phone.heard(), ["long", "long", "shorter", "shorter", "shorter"]);
    phone.press('8');
    assert_eq!(phone.heard()[5..], ["sorry", "shorter"], "and counted no try");
}

#[test]
fn each_try_of_a_collect_step_plays_its_own_prompts() {
    let mut phone = phone(COLLECT, Obedient::default());
    // Silence, then too few digits, with `*` between.
    phone.wait(11).press('*').press('*').press('1').wait(5);
    let again = ["four-digits", "four-digits", "four-digits"];
    let heard = [&["type-it"], &again[..], &["sorry", "four-digits"]].concat();
    assert_eq!(phone.heard(), heard);
    phone.wait(20);
    assert_eq!(phone.heard(), heard, "three tries");
    assert_eq!(phone.forwards(), ["agents"]);
}

#[test]
fn a_value_that_is_not_right_is_asked_for_by_the_prompts_of_the_next_try() {
    let mut phone = phone(COLLECT, Obedient::default());
    for digit in ['1', '2', '3', '4', '2'] {
        phone.press(digit);
    }
    assert_eq!(phone.heard().last(), Some(&"four-digits"));
}

#[test]
fn what_a_caller_agreed_to_is_the_prompt_that_was_heard() {
    let draft = offering(|_, offer| {
        offer.menu.tries = 2;
        offer.menu.play_again = vec![sound("offer-again")];
    });
    let mut phone = Phone::call(draft);
    phone.press('7').press('1').wait(3);
    assert_eq!(phone.heard()[..2], ["offer-text", "offer-again"]);
    assert_eq!(phone.texts()[0].prompt, "offer-again");
}

#[test]
fn an_answer_is_given_by_play_alone() {
    for (interrupted, given) in [(false, true), (true, false)] {
        let mut phone = phone(ANSWER, Obedient::default());
        if interrupted {
            phone.press('7');
        }
        phone.wait(40);
        assert_eq!(phone.heard(), ["hours-are", "repeat-or-goodbye", "goodbye"]);
        let answered = |record: &Record| matches!(record, Record::Outcome { kind, .. } if kind == "answered_in_ivr");
        assert_eq!(phone.0.records().any(answered), given, "interrupted {interrupted}");
    }
}
