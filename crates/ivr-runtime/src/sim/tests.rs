use super::{draft::*, *};
use crate::flow::model::{
    Agent, Callback, ConfirmNumber, Does, Fact, FieldType, Go, HumanSignal, Menu, SaveHeader,
    Voicemail,
};

/// One flow with every kind of step and target.
pub(crate) fn everything() -> Draft {
    let steps = [
        "sort", "ask", "main", "status", "menu", "text_me", "stay", "optout", "spanish", "busy",
        "call_me", "message", "bot", "bye",
    ];
    let mut draft = Draft::new(&steps, &["agents", "pbx", "old_ivr", "bot_sip"])
        .rule("outage", Fact::Flag("outage".into()))
        .rule("textable", Fact::CanReceiveText(true))
        .rule("not_textable", Fact::Not(crate::flow::model::RuleId(1)))
        .target("agents", |draft, target| {
            target.human_signal = HumanSignal::Reinvite;
            let Go::Step(link) = draft.go("text_me") else { unreachable!() };
            target.send_link = Some(link);
            target.if_busy = Some(draft.go("busy"));
        })
        .target("old_ivr", |draft, target| {
            target.if_fails = Some(draft.go("agents"));
            target.addresses.push("sip:second@pbx.example.net".into());
        })
        .step("sort", |draft| Does::Decide {
            case: vec![(draft.rule_id("outage"), draft.go("status"))],
            otherwise: draft.go("ask"),
        });
    draft.flow.holdout_percent = 10;
    draft.flow.languages.push("es-ES".into());
    draft
        .step("ask", |draft| {
            let mut offer = draft.offer("text_me", "main");
            offer.only_if.push(draft.rule_id("textable"));
            offer.never_if.push(draft.rule_id("not_textable"));
            offer.share = 80.into();
            Does::Offer(offer)
        })
        .step("main", |draft| {
            let press = [
                ('1', "text_me"),
                ('2', "status"),
                ('3', "old_ivr"),
                ('6', "call_me"),
                ('7', "message"),
                ('8', "optout"),
                ('9', "spanish"),
                ('5', "bot"),
            ];
            Does::Menu(draft.menu("main", &press, "agents"))
        })
        .step("menu", |draft| {
            let menu = draft.menu("more", &[('1', "main")], "bye");
            Does::Menu(Menu { barge_in: false, flush: true, intent: Some("more".into()), ..menu })
        })
        .step("status", |draft| Does::Answer {
            menu: draft.menu("outage", &[('1', "menu")], "bye"),
            needs: Vec::new(),
            if_missing: None,
        })
        .step("text_me", |draft| Does::Text(draft.text("stay")))
        .step("stay", |draft| Does::Menu(draft.menu("stay", &[('5', "main")], "hangup")))
        .step("optout", |draft| Does::OptOut {
            play: sound("confirm"),
            confirm: key('1'),
            topic: String::new(),
            then: draft.go("main"),
            no_input: draft.go("main"),
            if_fails: None,
        })
        .step("spanish", |draft| Does::Set {
            intent: None,
            language: Some("es-ES".into()),
            consent: Some("follow_up".into()),
            flag: Some("spanish".into()),
            then: draft.go("main"),
        })
        .step("busy", |draft| {
            Does::Menu(draft.menu("busy", &[('1', "text_me"), ('9', "agents")], "pbx"))
        })
        .step("call_me", |draft| {
            Does::Callback(Callback {
                play: sound("callback"),
                per_hour: None,
                confirm_number: ConfirmNumber::IfNotMobile,
                target: None,
                tries: 3,
                deliver: None,
                then: draft.go("bye"),
                no_input: Some(draft.go("message")),
                if_fails: Some(draft.go("message")),
            })
        })
        .step("message", |draft| {
            Does::Voicemail(Voicemail {
                play: sound("leave"),
                max_seconds: 60,
                then: draft.go("bye"),
                if_fails: Some(draft.go("pbx")),
            })
        })
        .step("bot", |draft| {
            let Go::Target(target) = draft.go("bot_sip") else { unreachable!() };
            let save = |field: &str, is| SaveHeader {
                field: field.into(),
                header: "X-Outcome".into(),
                is,
            };
            Does::Agent(Agent {
                target,
                max_minutes: 3,
                headers: [("X-Intent".into(), "{intent}".into())].into(),
                save: vec![save("outcome", FieldType::Text), save("paid", FieldType::Flag)],
                then: draft.go("stay"),
                if_busy: Some(draft.go("busy")),
                if_no_answer: None,
                if_timeout: Some(draft.go("main")),
                if_fails: Some(draft.go("agents")),
            })
        })
        .step("bye", |_| Does::Say { play: sound("goodbye"), then: Go::HangUp })
}

#[test]
fn every_random_caller_reaches_an_end_or_a_person() {
    for (name, faults) in [("none", Faults::NONE), ("some", Faults::SOME), ("all", Faults::ALL)] {
        for (flow, draft) in [("minimal", minimal()), ("everything", everything())] {
            let tally = run_random(&draft.done(), 10_000, 20_261_124, faults);
            assert!(tally.is_ok(), "{flow}, faults {name}: {tally}");
            assert_eq!(tally.calls, 10_000, "{flow}, faults {name}: {tally}");
        }
    }
}

#[test]
fn random_callers_take_every_exit_that_the_steps_have_and_no_other() {
    for (name, draft) in [("minimal", minimal()), ("everything", everything())] {
        let flow = draft.done();
        let tally = run_random(&flow, 6_000, 20_261_124, Faults::SOME);
        let known = flow
            .steps
            .iter()
            .flat_map(|step| exits(&flow, step).into_iter().map(|exit| (step.name.clone(), exit)));
        let known: BTreeSet<_> = known.collect();
        let unknown: Vec<_> = tally.exits.keys().filter(|exit| !known.contains(exit)).collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
        assert_eq!(tally.not_taken().collect::<Vec<_>>(), [("", ""); 0], "{name}: {tally}");
    }
}

#[test]
fn the_same_seed_gives_the_same_tally_and_another_one_another() {
    let flow = everything().done();
    let run = |seed| run_random(&flow, 300, seed, Faults::SOME);
    assert_eq!(run(7), run(7));
    assert_ne!(run(7).ends, run(8).ends);
}

#[test]
fn a_flow_that_says_sent_too_early_is_found() {
    let draft = minimal()
        .step("welcome", |draft| Does::Say { play: sound("sent"), then: draft.go("agents") });
    let tally = run_random(&draft.done(), 20, 1, Faults::NONE);
    assert!(!tally.is_ok());
    assert!(tally.to_string().contains("seed"), "{tally}");
}

#[test]
fn typed_keys_walk_through_a_flow() {
    let mut player = Player::new(minimal().done(), facts(), Obedient::default());
    let first = player.listen();
    assert!(first.contains(&Heard::Answered), "{first:?}");
    assert!(first.contains(&prompts("welcome")), "{first:?}");
    let then = player.key(key('1'));
    let heard: Vec<_> =
        then.iter().filter(|heard| matches!(heard, Heard::Prompts { .. })).collect();
    assert_eq!(heard, [&prompts("one-moment"), &prompts("sent")]);
    assert!(then.iter().any(|heard| matches!(heard, Heard::Text(_))));
    assert!(player.call().is_over());
}

#[test]
fn silence_moves_a_player_on() {
    let mut player = Player::new(minimal().done(), facts(), Obedient::default());
    player.listen();
    assert!(player.silence().contains(&prompts("welcome")), "the second try");
    player.silence();
    assert!(player.silence().contains(&Heard::Forward { target: "agents".into() }));
    assert!(player.call().is_bridged());
    player.hang_up();
    assert!(player.call().is_over());
}

fn prompts(name: &str) -> Heard {
    Heard::Prompts { language: "en-GB".into(), prompts: vec![name.into()] }
}

fn facts() -> crate::call::Facts {
    crate::call::Facts {
        caller: Some("+447700900001".into()),
        can_receive_text: Some(true),
        ..Default::default()
    }
}
