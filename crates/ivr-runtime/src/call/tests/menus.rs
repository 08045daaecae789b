use super::*;
use crate::flow::model::{Does, Menu};

/// A menu whose keys lead to people only, changed by the test.
fn menu(change: impl FnOnce(&mut Menu)) -> Draft {
    Draft::new(&["menu", "second"], &["agents", "pbx"])
        .step("menu", |draft| {
            let press = [('1', "second"), ('2', "pbx")];
            let mut menu = draft.menu("first", &press, "agents");
            menu.wrong = draft.go("pbx");
            change(&mut menu);
            Does::Menu(menu)
        })
        .step("second", |draft| Does::Menu(draft.menu("second", &[('1', "pbx")], "hangup")))
}

#[test]
fn kh_15_the_tree_is_walked_by_keys() {
    let mut phone = Phone::call(menu(|_| {}));
    phone.press('1').press('1');
    assert_eq!(phone.heard(), ["first", "second"]);
    assert_eq!(phone.path(), ["menu 1", "second 1"]);
    assert_eq!(phone.forwards(), ["pbx"]);
}

#[test]
fn a_key_stops_the_prompt_at_its_onset_and_counts_at_its_end() {
    let mut phone = Phone::call(menu(|_| {}));
    phone.wait_ms(500);
    phone.0.input(Input::KeyDown(key('1')));
    assert!(phone.has(&Output::StopPlay));
    phone.wait_ms(200);
    assert_eq!(phone.heard(), ["first"], "nothing is decided yet");
    phone.0.input(Input::Key(key('1')));
    assert_eq!(phone.heard(), ["first", "second"]);
}

#[test]
fn a_key_without_an_onset_stops_and_counts_at_once() {
    let mut phone = Phone::call(menu(|_| {}));
    phone.wait_ms(500);
    phone.0.input(Input::Key(key('1')));
    assert!(phone.has(&Output::StopPlay));
    assert_eq!(phone.heard(), ["first", "second"]);
}

#[test]
fn an_onset_whose_end_never_comes_leaves_the_caller_the_full_timeout() {
    let mut phone = Phone::call(menu(|menu| menu.tries = 1));
    phone.wait_ms(500);
    phone.0.input(Input::KeyDown(key('1')));
    phone.wait_ms(7_999);
    assert!(phone.forwards().is_empty());
    phone.wait_ms(1);
    assert_eq!(phone.forwards(), ["agents"]);
}

#[test]
fn without_barge_in_the_key_waits_for_the_end_of_the_prompt() {
    let mut phone = Phone::call(menu(|menu| menu.barge_in = false));
    phone.press('1');
    assert!(!phone.has(&Output::StopPlay));
    assert_eq!(phone.heard(), ["first"]);
    phone.wait(2);
    assert_eq!(phone.heard(), ["first", "second"]);
}

#[test]
fn keys_typed_ahead_are_kept_or_flushed_as_the_step_says() {
    for (flush, heard) in [(false, vec!["first"]), (true, vec!["first", "second"])] {
        let draft = menu(|_| {}).step("second", |draft| {
            let menu = draft.menu("second", &[('1', "pbx")], "hangup");
            Does::Menu(Menu { flush, ..menu })
        });
        // Both keys while the first prompt plays without barge-in.
        let draft = draft.step("menu", |draft| {
            let menu = draft.menu("first", &[('1', "second")], "agents");
            Does::Menu(Menu { barge_in: false, ..menu })
        });
        let mut phone = Phone::call(draft);
        phone.press('1').press_now('1').wait(3);
        assert_eq!(phone.heard(), heard, "flush {flush}");
    }
}

#[test]
fn keys_pressed_during_a_say_wait_for_the_menu() {
    let draft = Draft::new(&["hello", "menu"], &["agents", "pbx"])
        .step("hello", |draft| Does::Say { play: sound("hello"), then: draft.go("menu") })
        .step("menu", |draft| Does::Menu(draft.menu("first", &[('2', "pbx")], "agents")));
    let mut phone = Phone::call(draft);
    phone.press('2');
    assert_eq!(phone.heard(), ["hello"], "a say can't be interrupted");
    phone.wait(3);
    assert_eq!(phone.heard(), ["hello"], "the key answered the menu unheard");
    assert_eq!(phone.forwards(), ["pbx"]);
}

#[test]
fn silence_is_counted_from_the_end_of_the_prompt_and_the_prompt_repeated() {
    let mut phone = Phone::call(menu(|menu| menu.tries = 2));
    phone.wait_ms(3_000 + 7_999);
    assert_eq!(phone.heard(), ["first"]);
    phone.wait_ms(1);
    assert_eq!(phone.heard(), ["first", "first"]);
    phone.wait(11);
    assert_eq!(phone.path(), ["menu timeout"]);
    assert_eq!(phone.forwards(), ["agents"]);
}

#[test]
fn wrong_keys_are_counted_as_tries_and_leave_by_wrong() {
    let mut phone = Phone::call(menu(|menu| menu.tries = 2));
    phone.press('7').press('8');
    assert_eq!(phone.heard(), ["first", "first"]);
    assert_eq!(phone.path(), ["menu wrong"]);
    assert_eq!(phone.forwards(), ["pbx"]);
}

#[test]
fn the_repeat_key_plays_again_without_counting_a_try() {
    let mut phone = Phone::call(menu(|menu| menu.tries = 1));
    for _ in 0..5 {
        phone.press('*');
    }
    assert_eq!(phone.heard(), ["first"; 6]);
    phone.press('2');
    assert_eq!(phone.forwards(), ["pbx"]);
}

#[test]
fn an_operator_key_leads_to_the_person_listed_or_not() {
    let mut phone = Phone::call(menu(|_| {}));
    phone.press('0');
    assert_eq!(phone.path(), ["menu 0"]);
    assert_eq!(phone.forwards(), ["agents"]);
}

#[test]
fn a_listed_key_wins_over_operator_and_repeat() {
    let draft = menu(|_| {}).step("menu", |draft| {
        Does::Menu(draft.menu("first", &[('0', "pbx"), ('*', "second")], "agents"))
    });
    let mut phone = Phone::call(draft);
    phone.press('*');
    assert_eq!(phone.heard(), ["first", "second"]);
}

#[test]
fn dp_11_every_key_wrong_key_and_silence_of_a_menu_is_on_record() {
    let exits = [('1', "menu 1"), ('2', "menu 2"), ('0', "menu 0"), ('7', "menu wrong")];
    for (label, exit) in exits {
        let mut phone = Phone::call(menu(|menu| menu.tries = 1));
        phone.press(label);
        assert_eq!(phone.path()[0], exit);
    }
    let mut phone = Phone::call(menu(|menu| menu.tries = 1));
    phone.wait(20);
    assert_eq!(phone.path(), ["menu timeout"]);
}

#[test]
fn dp_12_a_hang_up_names_its_step_and_the_time_heard() {
    let mut phone = Phone::call(menu(|_| {}));
    phone.press('1').wait_ms(2_500).hang_up();
    assert_eq!(phone.path(), ["menu 1", "second hangup"]);
    let times: Vec<_> = phone
        .0
        .records()
        .filter_map(|record| match record {
            Record::StepEntered { seq: 2, at_ms, .. } | Record::StepLeft { seq: 2, at_ms, .. } => {
                Some(at_ms)
            }
            _ => None,
        })
        .collect();
    assert_eq!(times[1] - times[0], 2_500);
    assert_eq!(phone.end(), Some((EndReason::CallerHangup, Handled::NoHuman)));
}

#[test]
fn the_first_key_of_a_step_is_on_record() {
    let mut phone = Phone::call(menu(|_| {}));
    phone.press('7').press('1');
    let first_key = phone.0.records().find_map(|record| match record {
        Record::StepLeft { seq: 1, first_key_ms, tries, .. } => Some((*first_key_ms, *tries)),
        _ => None,
    });
    assert_eq!(first_key, Some((Some(facts().start_ms + 1_600), 2)));
}

#[test]
fn a_key_that_asks_for_a_text_in_the_first_second_repeats_the_prompt() {
    let mut phone = Phone::call(minimal());
    phone.wait_ms(200).press_now('1');
    assert_eq!(phone.heard(), ["welcome", "welcome"]);
    phone.wait_ms(900).press_now('1');
    assert_eq!(phone.heard().len(), 3, "the second begins with the prompt");
    phone.wait_ms(1_000).press_now('1');
    assert_eq!(phone.texts().len(), 1, "nothing was refused");
}

#[test]
fn the_guard_holds_for_the_onset_not_for_the_end_of_the_key() {
    let mut phone = Phone::call(minimal());
    phone.wait_ms(900);
    phone.0.input(Input::KeyDown(key('1')));
    phone.wait_ms(300);
    phone.0.input(Input::Key(key('1')));
    assert_eq!(phone.heard(), ["welcome", "welcome"]);
}

#[test]
fn the_guard_concerns_no_other_key() {
    let mut phone = Phone::call(minimal());
    phone.wait_ms(100).press_now('0');
    assert_eq!(phone.forwards(), ["agents"]);
}

#[test]
fn a_prompt_that_cannot_be_played_is_a_way_out() {
    let world = Obedient { missing_prompts: vec!["first".into()], ..Obedient::default() };
    let mut phone = Phone::call_with(menu(|_| {}), facts(), world);
    phone.wait(1);
    assert_eq!(phone.path(), ["menu error"]);
    assert_eq!((phone.notes(), phone.forwards()), (vec!["prompt_failed"], vec!["agents"]));
}

#[test]
fn a_play_nothing_is_heard_of_ends_at_a_deadline() {
    let mut phone = Phone::call(menu(|_| {}));
    phone.0.input(Input::PlayDone { id: 99, completed: true });
    let world = Obedient { missing_prompts: Vec::new(), ..Obedient::default() };
    let mut deaf = Phone::call_with(menu(|_| {}), facts(), world);
    // Take the report away: the machine is told of no end.
    let mut call = deaf.0.call.clone();
    call.handle_timeout(Duration::from_secs(60));
    assert_eq!(call.poll_output(), None, "prompts may last a minute");
    call.handle_timeout(Duration::from_secs(62));
    let forwarded = std::iter::from_fn(|| call.poll_output())
        .any(|output| matches!(output, Output::Forward { .. }));
    assert!(forwarded);
    deaf.hang_up();
}
