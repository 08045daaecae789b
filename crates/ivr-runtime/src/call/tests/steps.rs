use super::*;
use crate::{
    flow::model::{Bound, Does, Fact, InLast, Menu, PromptItem, Spoken},
    speech,
};

#[test]
fn kh_09_the_first_call_within_48_hours_is_told_from_a_later_one() {
    let first_call = |history: Option<History>| {
        let window = InLast { window_ms: 48 * 3_600_000, bound: Bound::AtMost(0) };
        let draft = Draft::new(&["sort", "first", "later"], &["agents"])
            .rule("first_call_48h", Fact::CallsInLast(window))
            .step("sort", |draft| Does::Decide {
                case: vec![(draft.rule_id("first_call_48h"), draft.go("first"))],
                otherwise: draft.go("later"),
            })
            .step("first", |draft| Does::Say { play: sound("first"), then: draft.go("agents") })
            .step("later", |draft| Does::Say { play: sound("later"), then: draft.go("agents") });
        let phone = Phone::call_with(draft, Facts { history, ..facts() }, Obedient::default());
        (phone.heard()[0].to_owned(), phone.notes()[0].to_owned())
    };
    let called = |hours_ago: i64| {
        let calls_ms = vec![facts().start_ms - hours_ago * 3_600_000];
        Some(History { calls_ms, ..History::default() })
    };
    let came = |heard: &str, note: &str| (heard.to_owned(), note.to_owned());
    assert_eq!(first_call(Some(History::default())), came("first", "first_call_48h"));
    assert_eq!(first_call(called(47)), came("later", "otherwise"));
    assert_eq!(first_call(called(49)), came("first", "first_call_48h"));
    // the database can't say; unknown is skipped, and on record.
    assert_eq!(first_call(None), came("later", "otherwise unknown:first_call_48h"));
}

#[test]
fn decide_takes_the_first_case_that_is_true() {
    let draft = Draft::new(&["sort", "a", "b"], &["agents"])
        .rule("no", Fact::Flag("no".into()))
        .rule("yes", Fact::Flag("yes".into()))
        .rule("also", Fact::CanReceiveText(true))
        .step("sort", |draft| Does::Decide {
            case: ["no", "yes", "also"]
                .map(|rule| (draft.rule_id(rule), draft.go(if rule == "yes" { "a" } else { "b" })))
                .into(),
            otherwise: draft.go("b"),
        })
        .step("a", |draft| Does::Say { play: sound("a"), then: draft.go("agents") });
    let facts = Facts { flags: Some(vec!["yes".into()]), ..facts() };
    let phone = Phone::call_with(draft, facts, Obedient::default());
    assert_eq!((phone.heard(), phone.notes()), (vec!["a"], vec!["yes"]));
}

#[test]
fn kh_18_set_puts_intent_language_consent_and_flag_on_record() {
    let mut draft = Draft::new(&["set", "sort", "hello"], &["agents"])
        .rule("marked", Fact::Flag("marked".into()))
        .step("set", |draft| Does::Set {
            intent: Some("orders".into()),
            language: Some("es-ES".into()),
            consent: Some("follow_up".into()),
            flag: Some("marked".into()),
            then: draft.go("sort"),
        })
        .step("sort", |draft| Does::Decide {
            case: vec![(draft.rule_id("marked"), draft.go("hello"))],
            otherwise: draft.go("agents"),
        });
    draft.flow.languages.push("es-ES".into());
    let phone = Phone::call(draft);
    let records: Vec<_> = phone.0.records().collect();
    let has = |record: Record| assert!(records.contains(&&record), "{record:?}");
    has(Record::Intent { intent: "orders".into() });
    has(Record::Language { language: "es-ES".into() });
    has(Record::Flag { name: "marked".into() });
    let (name, at_ms) = ("follow_up".into(), facts().start_ms);
    let (step, prompt) = ("set".into(), String::new());
    has(Record::Consent { name, step, prompt, pressed: None, at_ms });
    assert!(phone.has(&Output::Play {
        id: 1,
        language: "es-ES".into(),
        prompts: vec!["goodbye".into()],
        barge_in: false,
    }));
}

/// An answer with one key to go on.
fn answering(needs: &[&str]) -> Draft {
    Draft::new(&["status", "menu"], &["agents", "pbx"])
        .step("status", |draft| Does::Answer {
            menu: draft.menu("status", &[('1', "menu")], "hangup"),
            needs: needs.iter().map(|need| (*need).to_owned()).collect(),
            if_missing: None,
        })
        .step("menu", |draft| Does::Menu(draft.menu("menu", &[('9', "status")], "hangup")))
}

#[test]
fn ex_21_an_answer_heard_to_its_end_counts_if_the_caller_hangs_up_or_says_no() {
    let done = Some((EndReason::AnsweredInIvr, Handled::NoHuman));

    let mut phone = Phone::call(answering(&[]));
    phone.wait(4).hang_up();
    assert_eq!((phone.end(), phone.counted()), (done, true), "hung up after it");

    let mut phone = Phone::call(answering(&[]));
    phone.wait(60);
    assert_eq!((phone.end(), phone.counted()), (done, true), "said nothing more");

    let mut phone = Phone::call(answering(&[]));
    phone.wait(4).press('1').hang_up();
    assert_eq!((phone.end(), phone.counted()), (done, true), "asked for the menu, then left");

    let mut phone = Phone::call(answering(&[]));
    phone.wait(2).hang_up();
    let hung_up = Some((EndReason::CallerHangup, Handled::NoHuman));
    assert_eq!((phone.end(), phone.counted()), (hung_up, false), "not heard to its end");

    let mut phone = Phone::call(answering(&[]));
    phone.wait(4).press('0').wait(5).hang_up();
    let forwarded = Some((EndReason::Forwarded, Handled::Unknown));
    assert_eq!((phone.end(), phone.counted()), (forwarded, false), "went on to a person");

    let mut phone = Phone::call(answering(&[]));
    phone.wait(4).press('0').wait(1).hang_up();
    assert_eq!((phone.end(), phone.counted()), (hung_up, false), "gave up waiting for one");
}

#[test]
fn an_answer_without_its_fields_is_not_given() {
    let phone = Phone::call(answering(&["order_state"]));
    assert!(!phone.has(&Output::Answer));
    assert_eq!((phone.notes(), phone.forwards()), (vec!["unknown:order_state"], vec!["agents"]));
    let mut known = facts();
    known.fields.insert("order_state".into(), "sent".into());
    let phone = Phone::call_with(answering(&["order_state"]), known, Obedient::default());
    assert_eq!(phone.heard(), ["status"]);
}

#[test]
fn an_answer_whose_value_has_no_words_is_not_given() {
    let draft = || {
        Draft::new(&["status", "menu"], &["agents", "pbx"]).step("status", |draft| Does::Answer {
            menu: Menu {
                play: vec![PromptItem::Say {
                    way: speech::Way::Money,
                    value: Spoken::Field("balance".into()),
                }],
                ..draft.menu("status", &[], "hangup")
            },
            needs: vec!["balance".into()],
            if_missing: None,
        })
    };
    let with = |balance: &str| {
        let mut known = facts();
        known.fields.insert("balance".into(), balance.into());
        Phone::call_with(draft(), known, Obedient::default())
    };
    let phone = with("12.50");
    assert_eq!((phone.notes(), phone.forwards()), (vec!["no_words:balance"], vec!["agents"]));
    let phone = with("12.50 GBP");
    assert!(phone.has(&Output::Answer) && phone.forwards().is_empty());
}

#[test]
fn a_group_of_prompts_is_skipped_whole_when_a_field_is_not_known() {
    let draft = || {
        Draft::new(&["hello"], &["agents"]).step("hello", |draft| Does::Say {
            play: vec![
                PromptItem::Group {
                    play: [sound("wait-time"), sound("minutes")].concat(),
                    needs: vec!["wait_minutes".into()],
                },
                PromptItem::Sound("hello".into()),
            ],
            then: draft.go("agents"),
        })
    };
    assert_eq!(Phone::call(draft()).heard(), ["hello"]);
    let mut known = facts();
    known.fields.insert("wait_minutes".into(), "7".into());
    let phone = Phone::call_with(draft(), known, Obedient::default());
    assert_eq!(phone.heard(), ["wait-time", "minutes", "hello"]);
}

#[test]
fn a_say_with_nothing_to_play_goes_on() {
    let draft = Draft::new(&["hello"], &["agents"])
        .step("hello", |draft| Does::Say { play: Vec::new(), then: draft.go("agents") });
    assert_eq!(Phone::call(draft).forwards(), ["agents"]);
}

fn opting_out() -> Draft {
    Draft::new(&["optout", "done", "no", "failed"], &["agents"])
        .step("optout", |draft| Does::OptOut {
            play: sound("confirm"),
            confirm: key('1'),
            topic: "offers".into(),
            then: draft.go("done"),
            no_input: draft.go("no"),
            if_fails: Some(draft.go("failed")),
        })
        .step("done", |draft| Does::Say { play: sound("done"), then: draft.go("agents") })
        .step("no", |draft| Does::Say { play: sound("no"), then: draft.go("agents") })
        .step("failed", |draft| Does::Say { play: sound("failed"), then: draft.go("agents") })
}

#[test]
fn an_opt_out_is_recorded_before_it_is_confirmed() {
    let record = Output::RecordOptOut { topic: "offers".into() };
    let mut phone = Phone::call(opting_out());
    phone.press('1').wait(1);
    assert!(phone.has(&record));
    assert_eq!(phone.heard(), ["confirm", "done"]);
    assert!(phone.0.call.facts().wants_no_texts());

    let mut phone = Phone::call(opting_out());
    phone.press('2');
    assert_eq!((phone.heard(), phone.has(&record)), (vec!["confirm", "no"], false));
    let mut phone = Phone::call(opting_out());
    phone.wait(11);
    assert_eq!((phone.heard(), phone.has(&record)), (vec!["confirm", "no"], false));
}

#[test]
fn an_opt_out_that_is_recorded_counts_as_answered_unless_a_person_is_asked_for_then() {
    let done = Some((EndReason::AnsweredInIvr, Handled::NoHuman));
    let opting_out = || {
        opting_out()
            .step("done", |draft| Does::Say { play: sound("done"), then: draft.go("hangup") })
    };
    let mut phone = Phone::call(opting_out());
    phone.press('1').wait(5);
    assert_eq!((phone.end(), phone.counted()), (done, true), "the flow hung up");

    let mut phone = Phone::call(opting_out());
    phone.press('1').wait(1).hang_up();
    assert_eq!((phone.end(), phone.counted()), (done, true), "the caller hung up");

    let mut phone = Phone::call(opting_out());
    phone.wait(2).hang_up();
    let hung_up = Some((EndReason::CallerHangup, Handled::NoHuman));
    assert_eq!((phone.end(), phone.counted()), (hung_up, false), "not confirmed");

    let to_agents = |draft: &Draft| Does::Say { play: sound("done"), then: draft.go("agents") };
    let mut phone = Phone::call(opting_out().step("done", to_agents));
    phone.press('1').wait(9).hang_up();
    let forwarded = Some((EndReason::Forwarded, Handled::Unknown));
    assert_eq!((phone.end(), phone.counted()), (forwarded, false), "went on to a person");
}

#[test]
fn an_opt_out_that_is_not_recorded_is_not_confirmed() {
    for (opt_out, seconds) in [(Some(false), 1), (None, 4)] {
        let world = Obedient { opt_out, ..Obedient::default() };
        let mut phone = Phone::call_with(opting_out(), facts(), world);
        phone.press('1').wait(seconds);
        assert_eq!(phone.heard(), ["confirm", "failed"]);
    }
}

#[test]
fn keys_typed_ahead_confirm_no_opt_out() {
    let draft = Draft::new(&["hello", "optout"], &["agents"])
        .step("hello", |draft| Does::Say { play: sound("hello"), then: draft.go("optout") })
        .step("optout", |draft| Does::OptOut {
            play: sound("confirm"),
            confirm: key('1'),
            topic: String::new(),
            then: draft.go("agents"),
            no_input: draft.go("agents"),
            if_fails: None,
        });
    let mut phone = Phone::call(draft);
    phone.press('1').wait(3);
    assert_eq!(phone.heard(), ["hello", "confirm"]);
    assert!(!phone.has(&Output::RecordOptOut { topic: String::new() }));
}

#[test]
fn an_own_exit_to_hang_up_needs_the_word_of_the_flow() {
    let ends = |fallback: bool| {
        let mut draft = opting_out().step("optout", |draft| Does::OptOut {
            play: sound("confirm"),
            confirm: key('1'),
            topic: String::new(),
            then: draft.go("done"),
            no_input: draft.go("no"),
            if_fails: Some(draft.go("hangup")),
        });
        draft.flow.steps[0].fallback = fallback;
        let world = Obedient { opt_out: Some(false), ..Obedient::default() };
        let mut phone = Phone::call_with(draft, facts(), world);
        phone.press('1').wait(1);
        (phone.forwards().len(), phone.has(&Output::HangUp))
    };
    assert_eq!(ends(false), (0, true));
    assert_eq!(ends(true), (1, false));
}
