use super::*;
use crate::flow::{
    model::{Does, Fact, FieldTest, RuleId},
    rules::Truth,
};

#[test]
fn kh_06_an_offer_is_made_where_it_sits_and_with_the_intent() {
    let draft = || {
        Draft::new(&["main", "billing", "ask", "text_me"], &["agents"])
            .step("main", |draft| Does::Menu(draft.menu("main", &[('2', "billing")], "agents")))
            .step("billing", |draft| {
                let mut menu = draft.menu("billing", &[('1', "ask")], "agents");
                menu.intent = Some("billing".into());
                Does::Menu(menu)
            })
            .step("text_me", |draft| Does::Text(draft.text("hangup")))
            .step("ask", |draft| Does::Offer(draft.offer("text_me", "agents")))
    };
    let mut phone = Phone::call(draft());
    phone.press('0');
    assert!(phone.offers().is_empty(), "billing was never entered");
    let mut phone = Phone::call(draft());
    phone.press('2').press('1').press('1').wait(20);
    let offers = phone.offers();
    assert_eq!(offers, [("use-case".into(), OfferResponse::Accepted, Some(key('1')), None)]);
    assert!(phone.0.records().any(
        |record| matches!(record, Record::Offer { intent: Some(intent), .. } if intent == "billing")
    ));
    // KH-18: the intent itself is on record once.
    let intents = phone.0.records().filter(|record| matches!(record, Record::Intent { .. }));
    assert_eq!(intents.count(), 1);
    assert_eq!(phone.texts()[0].offer, 1, "no second offer row for the text");
    assert_eq!(phone.texts()[0].asked_in, "ask");
}

#[test]
fn ic_02_who_accepts_before_the_queue_never_enters_it() {
    let mut phone = Phone::call(offering(|_, _| {}));
    phone.press('1').wait(20);
    assert!(phone.forwards().is_empty());
    assert_eq!(phone.end(), Some((EndReason::Deflected, Handled::NoHuman)));
}

#[test]
fn every_answer_to_an_offer_is_on_record() {
    let answer = |act: &dyn Fn(&mut Phone)| {
        let mut phone = Phone::call(offering(|_, _| {}));
        act(&mut phone);
        let offers = phone.offers();
        (offers[0].1, offers[0].2)
    };
    assert_eq!(
        answer(&|p| {
            p.press('1');
        }),
        (OfferResponse::Accepted, Some(key('1')))
    );
    assert_eq!(
        answer(&|p| {
            p.press('2');
        }),
        (OfferResponse::Declined, Some(key('2')))
    );
    assert_eq!(
        answer(&|p| {
            p.press('0');
        }),
        (OfferResponse::Declined, Some(key('0')))
    );
    assert_eq!(
        answer(&|p| {
            p.press('7');
        }),
        (OfferResponse::Declined, None)
    );
    assert_eq!(
        answer(&|p| {
            p.wait(20);
        }),
        (OfferResponse::Timeout, None)
    );
    assert_eq!(
        answer(&|p| {
            p.hang_up();
        }),
        (OfferResponse::Hangup, None)
    );
    assert_eq!(
        answer(&|p| {
            p.wait(1);
        }),
        (OfferResponse::Pending, None)
    );
    let drained = answer(&|p| p.0.input(Input::OperatorBridge));
    assert_eq!(drained, (OfferResponse::Timeout, None));
}

#[test]
fn lp_04_a_static_link_is_offered_without_any_check() {
    let phone = Phone::call(offering(|_, _| {}));
    let asked = phone.0.outputs().iter().find(|output| !matches!(output, Output::Record(_)));
    assert_eq!(asked, Some(&Output::Answer));
    assert_eq!(phone.heard(), ["offer-text"]);
}

#[test]
fn a_suppressed_offer_is_skipped_without_a_sound_and_with_its_reason() {
    let day_ms = 86_400_000;
    let ago = |days: i64| Some(facts().start_ms - days * day_ms);
    let declined = |days| History { declined_ms: ago(days), ..History::default() };
    let deflected =
        |days| History { deflected_ms: ago(days).into_iter().collect(), ..History::default() };
    let with = |history| Facts { history: Some(history), ..facts() };
    let cases = [
        (Facts { withheld: true, ..facts() }, vec!["withheld"]),
        (Facts { caller: None, ..facts() }, vec!["withheld"]),
        (Facts { can_receive_text: Some(false), ..facts() }, vec!["not_textable"]),
        (with(declined(6)), vec!["declined_before"]),
        (with(declined(8)), vec![]),
        (with(deflected(6)), vec!["returning"]),
        (with(deflected(8)), vec![]),
        (Facts { history: None, can_receive_text: None, ..facts() }, vec![]),
    ];
    for (facts, reasons) in cases {
        let phone = Phone::call_with(offering(|_, _| {}), facts.clone(), Obedient::default());
        assert_eq!(phone.suppressed(), reasons, "{facts:?}");
        let heard = if reasons.is_empty() { "offer-text" } else { "menu" };
        assert_eq!(phone.heard(), [heard]);
    }
}

#[test]
fn ic_09_ex_04_who_was_deflected_and_returns_hears_no_offer() {
    let history =
        History { deflected_ms: vec![facts().start_ms - 3_600_000], ..History::default() };
    let facts = Facts { history: Some(history), ..facts() };
    let phone = Phone::call_with(offering(|_, _| {}), facts, Obedient::default());
    assert_eq!(phone.suppressed(), ["returning"]);
}

#[test]
fn x_04_a_caller_whose_last_text_failed_gets_a_person_instead_of_an_offer() {
    let history = History { failed_promise: true, ..History::default() };
    let facts = Facts { history: Some(history), ..facts() };
    let phone = Phone::call_with(offering(|_, _| {}), facts, Obedient::default());
    assert_eq!(phone.suppressed(), ["failed_promise"]);
    assert!(phone.heard().is_empty());
    assert_eq!(phone.forwards(), ["agents"]);
}

#[test]
fn ex_01_an_offer_that_needs_an_intent_is_not_made_before_there_is_one() {
    let draft = || offering(|_, offer| offer.needs_intent = true);
    let phone = Phone::call(draft());
    assert_eq!((phone.suppressed(), phone.heard()), (vec!["no_intent".into()], vec!["menu"]));
    let known = Facts { intent: Some("billing".into()), ..facts() };
    let phone = Phone::call_with(draft(), known, Obedient::default());
    assert_eq!((phone.suppressed(), phone.heard()), (vec![], vec!["offer-text"]));
}

/// Two offers in a row to a caller who declined so many days ago.
fn asked_twice(ask_again_days: u32, declined_days_ago: i64) -> Phone {
    let mut draft = Draft::new(&["first", "second", "text_me"], &["agents"])
        .step("first", |draft| Does::Offer(draft.offer("text_me", "second")))
        .step("second", |draft| Does::Offer(draft.offer("text_me", "agents")))
        .step("text_me", |draft| Does::Text(draft.text("hangup")));
    draft.flow.ask_again_days = ask_again_days;
    let declined_ms = Some(facts().start_ms - declined_days_ago * 86_400_000);
    let history = Some(History { declined_ms, ..History::default() });
    let mut phone = Phone::call_with(draft, Facts { history, ..facts() }, Obedient::default());
    phone.press('2').press('2');
    phone
}

#[test]
fn ic_16_who_declined_lately_hears_one_offer_a_call_and_none_where_the_business_says_so() {
    for (ask_again_days, declined_days_ago, heard) in [
        (0, 6, &["offer-text"][..]),
        (0, 8, &["offer-text", "offer-text"]),
        (3, 2, &[]),
        (3, 5, &["offer-text"]),
        (7, 6, &[]),
        (7, 8, &["offer-text", "offer-text"]),
        (30, 20, &[]),
    ] {
        let phone = asked_twice(ask_again_days, declined_days_ago);
        assert_eq!(phone.heard(), heard, "{ask_again_days} {declined_days_ago}");
        let reasons = vec!["declined_before".to_owned(); 2 - heard.len()];
        assert_eq!(phone.suppressed(), reasons, "{ask_again_days} {declined_days_ago}");
        assert_eq!(phone.forwards(), ["agents"], "and comes to a person all the same");
    }
}

/// Silence declines nothing (IC-01: who chooses the phone is asked no more): deeper in the tree another
/// offer is made. But who declined within seven days hears one a call, silent or not.
#[test]
fn ic_16_after_silence_a_second_offer_is_made_but_to_who_declined_lately() {
    for (declined_days_ago, heard, suppressed) in [
        (None, &["offer-text", "offer-text"][..], &[][..]),
        (Some(8), &["offer-text", "offer-text"], &[]),
        (Some(6), &["offer-text"], &["declined_before"]),
    ] {
        let mut draft = Draft::new(&["first", "second", "text_me"], &["agents"])
            .step("first", |draft| Does::Offer(draft.offer("text_me", "second")))
            .step("second", |draft| Does::Offer(draft.offer("text_me", "agents")))
            .step("text_me", |draft| Does::Text(draft.text("hangup")));
        draft.flow.ask_again_days = 0;
        let declined_ms = declined_days_ago.map(|days: i64| facts().start_ms - days * 86_400_000);
        let history = Some(History { declined_ms, ..History::default() });
        let mut phone = Phone::call_with(draft, Facts { history, ..facts() }, Obedient::default());
        phone.wait(60);
        assert_eq!(phone.heard(), heard, "{declined_days_ago:?}");
        assert_eq!(phone.suppressed(), suppressed, "{declined_days_ago:?}");
        let spoken: Vec<_> = phone.offers().into_iter().take(heard.len()).collect();
        let silent = |offer: &(_, OfferResponse, Option<Key>, _)| {
            (offer.1, offer.2) == (OfferResponse::Timeout, None)
        };
        assert!(spoken.iter().all(silent), "not declined, and so no reason against the next call");
        assert_eq!(phone.forwards(), ["agents"]);
    }
}

#[test]
fn ex_19_an_intent_of_the_never_list_is_never_offered_anything() {
    let draft = || {
        Draft::new(&["dispute", "ask", "text_me"], &["agents"])
            .rule("complex", Fact::Intent(vec!["billing_dispute".into()]))
            .step("dispute", |draft| Does::Set {
                intent: Some("billing_dispute".into()),
                language: None,
                consent: None,
                flag: None,
                then: draft.go("ask"),
            })
            .step("ask", |draft| {
                let mut offer = draft.offer("text_me", "agents");
                offer.never_if.push(draft.rule_id("complex"));
                Does::Offer(offer)
            })
    };
    let phone = Phone::call(draft());
    assert_eq!(phone.suppressed(), ["never_if:complex"]);
    assert!(phone.heard().is_empty(), "not even answered: the person is called at once");
    assert!(!phone.has(&Output::Answer));
    assert_eq!(phone.forwards(), ["agents"]);
    // Unknown always satisfies `never_if`.
    let draft = draft()
        .step("dispute", |draft| Does::Decide { case: Vec::new(), otherwise: draft.go("ask") });
    assert_eq!(Phone::call(draft).suppressed(), ["unknown:complex"]);
}

#[test]
fn kh_12_rules_combine_as_the_truth_table_says() {
    let truths = [Truth::True, Truth::False, Truth::Unknown];
    // Three facts that hold, do not hold, or of which nothing is known.
    for n in 0..27 {
        let (a, b, c) = (truths[n % 3], truths[n / 3 % 3], truths[n / 9]);
        let fact = |truth| match truth {
            Truth::True => Fact::Flag("set".into()),
            Truth::False => Fact::Flag("not-set".into()),
            Truth::Unknown => Fact::Intent(vec!["any".into()]),
        };
        let draft = Draft::new(&["ask", "text_me", "menu"], &["agents"])
            .rule("a", fact(a))
            .rule("b", fact(b))
            .rule("c", fact(c))
            .rule("a_or_b", Fact::AnyOf(vec![RuleId(0), RuleId(1)]))
            .rule("not_c", Fact::Not(RuleId(2)))
            .step("ask", |draft| {
                let mut offer = draft.offer("text_me", "menu");
                offer.only_if = vec![draft.rule_id("a_or_b"), draft.rule_id("not_c")];
                offer.never_if = vec![draft.rule_id("c")];
                Does::Offer(offer)
            });
        let facts = Facts { flags: Some(vec!["set".into()]), ..facts() };
        let phone = Phone::call_with(draft, facts, Obedient::default());
        let a_or_b = a == Truth::True || b == Truth::True;
        let offered = a_or_b && c == Truth::False;
        assert_eq!(phone.suppressed().is_empty(), offered, "{a:?} {b:?} {c:?}");
        let unknown = !a_or_b && (a == Truth::Unknown || b == Truth::Unknown);
        let expected = match (a_or_b, c) {
            (true, Truth::False) => vec![],
            (true, Truth::True) => vec!["only_if:not_c"],
            (true, Truth::Unknown) => vec!["unknown:not_c"],
            (false, _) if unknown => vec!["unknown:a_or_b"],
            (false, _) => vec!["only_if:a_or_b"],
        };
        assert_eq!(phone.suppressed(), expected, "{a:?} {b:?} {c:?}");
    }
}

#[test]
fn an_accepting_key_typed_ahead_or_too_soon_repeats_the_offer() {
    let mut phone = Phone::call(offering(|_, _| {}));
    phone.wait_ms(300).press_now('1');
    assert_eq!(phone.heard(), ["offer-text", "offer-text"]);
    assert_eq!(phone.offers().len(), 1);
    phone.press('1').wait(20);
    assert_eq!(phone.end(), Some((EndReason::Deflected, Handled::NoHuman)));
}

#[test]
fn keys_after_an_accepted_offer_only_choose_how() {
    let draft = Draft::new(&["ask", "channel", "text_me"], &["agents"])
        .step("text_me", |draft| Does::Text(draft.text("hangup")))
        .step("channel", |draft| {
            Does::Menu(draft.menu("which-channel", &[('1', "text_me")], "text_me"))
        })
        .step("ask", |draft| Does::Offer(draft.offer("channel", "agents")));
    // By a key within the first second, and by silence: the yes was given at the offer.
    for by_key in [true, false] {
        let mut phone = Phone::call(draft_again(&draft));
        phone.press('1').wait_ms(100);
        if by_key {
            phone.press_now('1')
        } else {
            phone.wait(60)
        };
        let texts = phone.texts();
        assert_eq!((texts.len(), phone.offers().len()), (1, 1), "by key: {by_key}");
        assert_eq!((texts[0].asked_in.as_str(), texts[0].prompt.as_str()), ("ask", "offer-text"));
    }
}

#[test]
fn an_offer_whose_prompt_is_missing_was_not_made() {
    let world = Obedient { missing_prompts: vec!["offer-text".into()], ..Obedient::default() };
    let phone = Phone::call_with(offering(|_, _| {}), facts(), world);
    assert_eq!(phone.suppressed(), ["prompt_failed"]);
    assert_eq!(phone.heard(), ["offer-text", "menu"]);
}

#[test]
fn a_link_that_lacks_a_field_is_not_offered() {
    let mut draft = offering(|_, _| {});
    draft.flow.links[0].url = "https://shop.example.com/{order}".into();
    assert_eq!(Phone::call(draft).suppressed(), ["link_missing"]);
}

fn draft_again(draft: &Draft) -> Draft {
    Draft { flow: draft.flow.clone() }
}

#[test]
fn x_04_who_comes_from_a_busy_person_to_an_offer_is_not_sent_back_to_them() {
    let draft = Draft::new(&["ask", "text_me"], &["agents", "night"])
        .step("ask", |draft| Does::Offer(draft.offer("text_me", "night")))
        .step("text_me", |draft| Does::Text(draft.text("night")))
        .target("agents", |draft, target| target.if_busy = Some(draft.go("ask")));
    let history = History { failed_promise: true, ..History::default() };
    let facts = Facts { history: Some(history), ..facts() };
    let busy = target_says(&[("agents", TargetOutcome::Busy { status: 486 })]);
    let mut phone = Phone::call_with(draft, facts, busy);
    phone.wait(60);
    assert_eq!(phone.forwards(), ["agents", "night"]);
}

#[test]
fn kh_04_an_offer_made_in_mid_call_is_the_same_and_its_record_names_the_stage() {
    let draft = Draft::new(&["menu", "more", "ask", "text_me"], &["agents"])
        .step("menu", |draft| Does::Menu(draft.menu("menu", &[('1', "more")], "agents")))
        .step("more", |draft| Does::Menu(draft.menu("more", &[('2', "ask")], "agents")))
        .step("ask", |draft| Does::Offer(draft.offer("text_me", "agents")))
        .step("text_me", |draft| Does::Text(draft.text("hangup")));
    let mut phone = Phone::call(draft);
    phone.press('1').press('2').press('1').wait(20);
    let accepted = ("use-case".into(), OfferResponse::Accepted, Some(key('1')), None);
    assert_eq!(phone.offers(), [accepted]);
    assert_eq!(phone.end(), Some((EndReason::Deflected, Handled::NoHuman)));
}

#[test]
fn ex_17_who_just_failed_on_the_website_is_not_sent_there_again() {
    let fact = Fact::Field { field: "site_visits".into(), test: FieldTest::AtLeast(3.0) };
    for (seen, why) in [
        (Some("3"), vec!["never_if:failed_there"]),
        (Some("2"), vec![]),
        (None, vec!["unknown:failed_there"]),
    ] {
        let mut draft = offering(|_, _| {}).rule("failed_there", fact.clone());
        let rule = draft.rule_id("failed_there");
        for step in &mut draft.flow.steps {
            if let Does::Offer(offer) = &mut step.does {
                offer.never_if.push(rule);
            }
        }
        let mut facts = facts();
        facts.fields.extend(seen.map(|n| ("site_visits".to_owned(), n.to_owned())));
        let phone = Phone::call_with(draft, facts, Obedient::default());
        assert_eq!(phone.suppressed(), why, "{seen:?}");
    }
}
