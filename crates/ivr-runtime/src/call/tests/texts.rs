use super::*;
use crate::flow::model::{ConfirmNumber, Does, Link, LinkId, Text};

#[test]
fn kh_03_an_accepted_text_is_confirmed_and_then_the_call_is_ended() {
    let mut phone = Phone::call(minimal());
    phone.press('1').wait(20);
    assert_eq!(phone.heard(), ["welcome", "one-moment", "sent"]);
    assert_eq!(phone.end(), Some((EndReason::Deflected, Handled::NoHuman)));
    let order: Vec<_> =
        phone.0.outputs().iter().filter(|o| !matches!(o, Output::Record(_))).collect();
    assert!(matches!(order.last(), Some(Output::HangUp)), "{order:?}");
    assert!(phone.forwards().is_empty());
}

#[test]
fn lp_03_ex_23_a_key_sends_the_link_with_the_consent_it_rests_on() {
    let mut phone = Phone::call(minimal());
    phone.press('1').wait(20);
    let texts = phone.texts();
    let [text] = texts.as_slice() else { panic!("{texts:?}") };
    assert_eq!((text.step.as_str(), text.pressed), ("text_me", Some(key('1'))));
    assert_eq!((text.asked_in.as_str(), text.prompt.as_str()), ("welcome", "welcome"));
    assert_eq!(text.links[0].url, "https://help.example.com/chat");
    assert_eq!(
        (text.message.as_str(), text.via.as_slice()),
        ("Example: {link}", &["sandbox".to_owned()][..])
    );
    let offers = phone.offers();
    assert_eq!(offers, [("menu".into(), OfferResponse::Accepted, Some(key('1')), None)]);
    assert_eq!(text.offer, 1, "the text names its offer row");
}

#[test]
fn x_03_after_a_failed_text_the_caller_is_told_and_gets_a_person() {
    let failures = [
        (TextOutcome::Failed { class: "ProviderDown".into() }, "not-sent", "failed:ProviderDown"),
        (TextOutcome::Ambiguous, "may-still-arrive", "ambiguous"),
        (
            TextOutcome::Limited { rule: "texts_per_caller".into() },
            "not-sent",
            "limited:texts_per_caller",
        ),
        (
            TextOutcome::NotTextable { reason: "landline".into() },
            "not-sent",
            "not_textable:landline",
        ),
        (TextOutcome::OptedOut, "you-opted-out", "opted_out"),
    ];
    for (outcome, told, note) in failures {
        let mut phone = Phone::call_with(minimal(), facts(), saying(outcome));
        phone.press('1').wait(20);
        assert_eq!(phone.heard(), ["welcome", "one-moment", told]);
        assert_eq!(phone.forwards(), ["agents"], "{told}");
        assert_eq!(phone.notes(), [note]);
        assert_eq!(phone.path(), ["welcome 1", "text_me error"]);
    }
}

#[test]
fn each_failure_of_a_text_takes_its_own_exit() {
    let own_exits = |draft: &Draft| {
        let mut text = draft.text("hangup");
        text.if_ambiguous = Some(draft.go("pbx"));
        text.if_limited = Some(draft.go("pbx"));
        text.if_opted_out = Some(draft.go("pbx"));
        text.if_fails = Some(draft.go("agents"));
        Does::Text(text)
    };
    for (outcome, target) in [
        (TextOutcome::Ambiguous, "pbx"),
        (TextOutcome::Limited { rule: "x".into() }, "pbx"),
        (TextOutcome::OptedOut, "pbx"),
        (TextOutcome::Failed { class: "Auth".into() }, "agents"),
    ] {
        let draft = minimal().step("text_me", own_exits);
        let mut phone = Phone::call_with(draft, facts(), saying(outcome.clone()));
        phone.press('1').wait(20);
        assert_eq!(phone.forwards(), [target], "{outcome:?}");
    }
}

#[test]
fn a_service_that_never_answers_is_ambiguous_after_its_budget() {
    let world = Obedient { text: None, ..Obedient::default() };
    let mut phone = Phone::call_with(minimal(), facts(), world);
    phone.press('1').wait(8);
    assert_eq!(phone.heard(), ["welcome", "one-moment"], "within the budget nothing is said");
    phone.wait(6);
    assert_eq!(phone.heard(), ["welcome", "one-moment", "may-still-arrive"]);
    assert_eq!(phone.forwards(), ["agents"]);
}

#[test]
fn queued_is_sent_only_where_the_flow_says_so() {
    let mut phone = Phone::call_with(minimal(), facts(), saying(TextOutcome::Queued));
    phone.press('1').wait(20);
    assert_eq!(phone.heard(), ["welcome", "one-moment", "may-still-arrive"]);
    assert_eq!(phone.notes(), ["queued"]);

    let draft = minimal().step("text_me", |draft| {
        let mut text = draft.text("hangup");
        text.sent_when_queued = true;
        Does::Text(text)
    });
    let mut phone = Phone::call_with(draft, facts(), saying(TextOutcome::Queued));
    phone.press('1').wait(20);
    assert_eq!(phone.heard(), ["welcome", "one-moment", "sent"]);
}

#[test]
fn x_03_a_text_that_is_queued_is_told_at_once_for_nothing_more_is_heard_of_it() {
    let mut phone = Phone::call_with(minimal(), facts(), saying(TextOutcome::Queued));
    phone.press('1').wait(4);
    assert_eq!(
        phone.heard(),
        ["welcome", "one-moment", "may-still-arrive"],
        "no wait for a report"
    );
    phone.wait(3);
    assert_eq!(phone.forwards(), ["agents"]);
}

#[test]
fn a_duplicate_is_said_to_be_sent() {
    let mut phone = Phone::call_with(minimal(), facts(), saying(TextOutcome::Duplicate));
    phone.press('1').wait(20);
    assert_eq!(phone.heard(), ["welcome", "one-moment", "sent"]);
    assert_eq!(phone.notes(), ["duplicate"]);
}

#[test]
fn sent_is_said_only_when_one_moment_is_over() {
    let mut phone = Phone::call(minimal());
    phone.press('1').wait_ms(1_200);
    assert_eq!(phone.heard(), ["welcome", "one-moment"], "accepted, and the prompt goes on");
    phone.wait_ms(2_000);
    assert_eq!(phone.heard(), ["welcome", "one-moment", "sent"]);
}

#[test]
fn ex_16_prompts_can_be_left_to_the_flow_but_not_the_truth() {
    let draft = minimal().step("text_me", |draft| {
        let mut text = draft.text("hangup");
        (text.wait_prompt, text.sent_prompt, text.failed_prompt) = (None, None, None);
        Does::Text(text)
    });
    let mut phone = Phone::call(draft);
    phone.press('1').wait(20);
    assert_eq!(phone.heard(), ["welcome"]);
    assert_eq!(phone.end(), Some((EndReason::Deflected, Handled::NoHuman)));
}

#[test]
fn ex_29_no_text_goes_out_that_nobody_asked_for_by_key() {
    // The menu's silence leads to the text.
    let draft = minimal()
        .step("welcome", |draft| Does::Menu(draft.menu("welcome", &[('1', "text_me")], "text_me")));
    let mut phone = Phone::call(draft);
    phone.wait(60);
    assert!(phone.texts().is_empty());
    assert_eq!(phone.notes(), ["not_asked_for"]);
    assert_eq!(phone.forwards(), ["agents"]);
}

#[test]
fn x_01_x_02_a_number_no_text_reaches_gets_a_person() {
    let no_number = Facts { caller: None, can_receive_text: None, ..facts() };
    let withheld = Facts { withheld: true, ..facts() };
    let landline = Facts { can_receive_text: Some(false), ..facts() };
    for (facts, note) in
        [(no_number, "withheld"), (withheld, "withheld"), (landline, "not_textable")]
    {
        let mut phone = Phone::call_with(minimal(), facts, Obedient::default());
        phone.press('1').wait(20);
        assert!(phone.texts().is_empty());
        assert_eq!(phone.heard(), ["welcome", "not-sent"]);
        assert_eq!((phone.forwards(), phone.notes()), (vec!["agents"], vec![note]));
    }
}

#[test]
fn x_05_an_opted_out_caller_gets_no_text_and_hears_why() {
    let history = History { opted_out: true, ..History::default() };
    let opted_out = Facts { history: Some(history), ..facts() };
    let mut phone = Phone::call_with(minimal(), opted_out.clone(), Obedient::default());
    phone.press('1').wait(20);
    assert!(phone.texts().is_empty());
    assert_eq!(phone.heard(), ["welcome", "you-opted-out"]);
    assert_eq!(phone.forwards(), ["agents"]);

    // A step of the flow that says it replaces the built-in.
    let draft = Draft::new(&["welcome", "text_me", "told"], &["agents"])
        .step("welcome", |draft| Does::Menu(draft.menu("welcome", &[('1', "text_me")], "agents")))
        .step("told", |draft| Does::Say { play: sound("flow-says-why"), then: draft.go("agents") })
        .step("text_me", |draft| {
            let mut text = draft.text("hangup");
            text.if_opted_out = Some(draft.go("told"));
            Does::Text(text)
        });
    let mut phone = Phone::call_with(draft, opted_out, Obedient::default());
    phone.press('1').wait(20);
    assert_eq!(phone.heard(), ["welcome", "flow-says-why"]);
}

/// Nobody on a list that can't be read would be found: so nobody is offered what would not go.
#[test]
fn x_05_while_the_opt_out_list_is_lost_nothing_is_offered_nor_asked_for_and_a_person_answers() {
    let lost = Facts { no_texts: true, ..facts() };
    let mut phone = Phone::call_with(offering(|_, _| {}), lost.clone(), Obedient::default());
    phone.wait(20);
    let (stage, response, _, why) = phone.offers()[0].clone();
    assert_eq!((stage.as_str(), response), ("use-case", OfferResponse::Suppressed));
    assert_eq!(why.as_deref(), Some("opt_out_list"));
    assert_eq!(phone.heard(), ["menu", "menu"], "it is not spoken");
    phone.press('0');
    assert_eq!(phone.forwards(), ["agents"]);
    // A key that leads to a text at once: no number is asked for.
    let withheld = Facts { withheld: true, ..lost };
    for facts in [Facts { no_texts: true, ..facts() }, withheld] {
        let mut phone = Phone::call_with(minimal(), facts, Obedient::default());
        phone.press('1').wait(20);
        assert!(phone.texts().is_empty());
        assert_eq!(phone.heard(), ["welcome", "not-sent"]);
        assert_eq!((phone.forwards(), phone.notes()), (vec!["agents"], vec!["opt_out_list"]));
    }
}

#[test]
fn a_number_that_must_be_confirmed_is_not_texted_unasked() {
    let draft = minimal().step("text_me", |draft| {
        Does::Text(crate::flow::model::Text {
            confirm_number: ConfirmNumber::Always,
            ..draft.text("hangup")
        })
    });
    let mut phone = Phone::call(draft);
    phone.press('1').wait(20);
    assert!(phone.texts().is_empty());
    assert_eq!(phone.notes(), ["number_not_confirmed"]);
}

#[test]
fn ex_03_a_link_whose_field_is_not_known_is_replaced_or_not_sent() {
    let with_order = |if_missing| {
        let mut draft = minimal();
        draft.flow.links.push(Link { name: "community".into(), ..draft.flow.links[0].clone() });
        draft.flow.links[0].url = "https://shop.example.com/{order}".into();
        draft.flow.links[0].if_missing = if_missing;
        draft
    };
    let link = |draft, facts| {
        let mut phone = Phone::call_with(draft, facts, Obedient::default());
        phone.press('1').wait(20);
        phone.texts().first().map(|text| (text.links[0].name.clone(), text.links[0].url.clone()))
    };
    let mut known = facts();
    known.fields.insert("order".into(), "A 7".into());
    let sent = |name: &str, url: &str| Some((name.to_owned(), url.to_owned()));
    assert_eq!(link(with_order(None), known), sent("chat", "https://shop.example.com/A%207"));
    assert_eq!(
        link(with_order(Some(LinkId(1))), facts()),
        sent("community", "https://help.example.com/chat")
    );
    assert_eq!(link(with_order(None), facts()), None);
}

#[test]
fn the_text_is_in_the_language_of_the_call() {
    let mut draft = Draft::new(&["spanish", "welcome", "text_me"], &["agents"])
        .step("spanish", |draft| Does::Set {
            intent: None,
            language: Some("es-ES".into()),
            consent: None,
            flag: None,
            then: draft.go("welcome"),
        })
        .step("welcome", |draft| Does::Menu(draft.menu("welcome", &[('1', "text_me")], "agents")))
        .step("text_me", |draft| {
            let mut text = draft.text("hangup");
            text.message = [("en-GB", "Here: {link}"), ("es-ES", "Aqui: {link}")]
                .map(|(language, text)| (language.to_owned(), text.to_owned()))
                .into();
            Does::Text(text)
        });
    draft.flow.languages.push("es-ES".into());
    let mut phone = Phone::call(draft);
    phone.press('1').wait(20);
    assert_eq!(phone.texts()[0].message, "Aqui: {link}");
    let spoken = phone.0.outputs().iter().all(|output| match output {
        Output::Play { language, .. } => language == "es-ES",
        _ => true,
    });
    assert!(spoken);
}

#[test]
fn a_caller_who_hangs_up_before_the_outcome_is_no_deflection_yet() {
    let mut phone = Phone::call(minimal());
    phone.press('1').wait_ms(500).hang_up();
    assert_eq!(phone.end(), Some((EndReason::CallerHangup, Handled::NoHuman)));
    let mut phone = Phone::call(minimal());
    phone.press('1').wait(4).hang_up();
    assert_eq!(phone.end(), Some((EndReason::Deflected, Handled::NoHuman)));
}

/// Nothing was heard of the first text in time; the caller asks for another.
#[test]
fn x_03_what_becomes_of_a_text_before_decides_nothing_of_this_one() {
    let draft = Draft::new(&["main", "first", "more", "second"], &["agents"])
        .step("main", |draft| Does::Menu(draft.menu("main", &[('1', "first")], "agents")))
        .step("first", |draft| {
            Does::Text(Text { if_ambiguous: Some(draft.go("more")), ..draft.text("more") })
        })
        .step("more", |draft| Does::Menu(draft.menu("more", &[('1', "second")], "agents")))
        .step("second", |draft| Does::Text(draft.text("hangup")));
    let mut phone =
        Phone::call_with(draft, facts(), Obedient { text: None, ..Obedient::default() });
    phone.press('1').wait(15);
    assert_eq!(phone.heard().last(), Some(&"more"), "{:?}", phone.path());
    phone.press('1').wait(4);
    let numbers: Vec<u32> = phone.texts().iter().map(|text| text.offer).collect();
    assert_eq!(numbers, [1, 2]);
    let accepted = TextOutcome::Accepted { sender: "sandbox".into() };
    phone.0.input(Input::Text(Report::new(1, accepted)));
    phone.wait(1);
    assert!(!phone.heard().contains(&"sent"), "{:?}", phone.heard());
    let failed = TextOutcome::Failed { class: "ProviderDown".into() };
    phone.0.input(Input::Text(Report::new(2, failed)));
    phone.wait(1);
    assert_eq!(phone.heard().last(), Some(&"not-sent"), "{:?}", phone.heard());
}
