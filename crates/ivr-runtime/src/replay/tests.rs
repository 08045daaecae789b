use super::*;
use crate::{
    call::{CallbackOutcome, Report},
    flow::{
        AnyPrompt, Shared, load,
        model::{Fact, FieldTest},
    },
    sim::{Faults, draft::*, record_one, tests::everything},
};

const SEED: u64 = 20_261_129;

fn recorded(flow: &Arc<Flow>, seed: u64, faults: Faults) -> (Recorded, Option<EndReason>) {
    let (facts, told, outputs) = record_one(flow, seed, faults);
    let (mut visits, mut end, mut target) = (Vec::new(), None, None);
    for output in outputs {
        match output {
            Output::Record(Record::End { reason, .. }) => end = Some(reason),
            Output::Record(Record::ForwardStarted { target: called, .. }) => target = Some(called),
            Output::Record(record) => note(&mut visits, &record),
            _ => {}
        }
    }
    let facts = Veil::of(flow).facts(&facts);
    // As it is stored, and read back.
    let entries = std::iter::once(Entry::Arrived { arrived: Box::new(facts) })
        .chain(told.iter().map(|(_, input)| Entry::Told(input.clone())));
    let stored: Vec<String> = entries.map(|entry| serde_json::to_string(&entry).unwrap()).collect();
    let mut read = stored.iter().map(|row| serde_json::from_str(row).unwrap());
    let Some(Entry::Arrived { arrived }) = read.next() else { panic!("{stored:?}") };
    let inputs = told.iter().zip(read).map(|((at, _), entry)| match entry {
        Entry::Told(input) => (*at, input),
        Entry::Arrived { .. } => panic!("{stored:?}"),
    });
    (Recorded { facts: *arrived, inputs: inputs.collect(), visits, target }, end)
}

#[test]
fn a_call_that_is_replayed_through_its_flow_goes_the_way_it_went() {
    let flow = everything().done();
    for faults in [Faults::NONE, Faults::SOME, Faults::ALL] {
        for n in 0..1_000 {
            let (call, end) = recorded(&flow, SEED + n, faults);
            // The digits of a number that was typed for a callback are not kept: others
            // may be refused.
            if call.visits.iter().any(|visit| visit.step == "call_me") {
                continue;
            }
            let again = replay(&flow, &call);
            assert_eq!(again.differs_at, None, "seed {}: {:?} {:?}", SEED + n, call, again);
            assert_eq!(again.end, end, "seed {}", SEED + n);
        }
    }
}

#[test]
fn a_call_that_is_replayed_through_another_flow_says_where_it_differs_and_comes_to_an_end() {
    let flow = everything().done();
    let other = everything().step("main", |draft| {
        crate::flow::model::Does::Menu(draft.menu(
            "main",
            &[('1', "bye"), ('2', "status")],
            "agents",
        ))
    });
    let other = other.done();
    let (mut differ, mut same) = (0, 0);
    for n in 0..500 {
        let (call, end) = recorded(&flow, SEED + n, Faults::NONE);
        let again = replay(&other, &call);
        // Some callers talk to a person and never hang up.
        assert!(again.end.is_some() || end.is_none(), "seed {}: {again:?}", SEED + n);
        match again.differs_at {
            None => same += 1,
            Some(at) => {
                differ += 1;
                let before = |visits: &[Visit]| {
                    visits[..at].iter().map(|v| v.step.clone()).collect::<Vec<_>>()
                };
                assert_eq!(before(&call.visits), before(&again.visits), "seed {}", SEED + n);
            }
        }
    }
    assert!(differ > 50 && same > 50, "{differ} differ, {same} do not");
}

#[test]
fn a_call_that_goes_its_way_and_hears_or_gets_something_else_is_told_so() {
    let flow = minimal().done();
    let words = |message: &str| {
        minimal().step("text_me", |draft| {
            let mut text = draft.text("hangup");
            text.message = [(String::new(), message.to_owned())].into();
            crate::flow::model::Does::Text(text)
        })
    };
    let prompt = minimal().step("welcome", |draft| {
        let keys = [('1', "text_me"), ('0', "agents")];
        crate::flow::model::Does::Menu(draft.menu("welcome-2", &keys, "agents"))
    });
    let prompt = prompt.done();
    let of = |other: &Arc<Flow>, call: &Recorded| {
        let (was, is) = (replay(&flow, call), replay(other, call));
        assert_eq!((was.differs_at, is.differs_at), (None, None), "{call:?}");
        differences(&was, &is).into_iter().map(|one| (one.at, one.what)).collect::<Vec<_>>()
    };
    let (mut sent, mut heard) = (0, 0);
    for n in 0..300 {
        let (call, _) = recorded(&flow, SEED + n, Faults::NONE);
        if call.visits.is_empty() {
            continue;
        }
        // Keys typed ahead are heard nothing for.
        let had = replay(&flow, &call).had;
        let hears = had.get(1).is_some_and(|had| !had.prompts.is_empty());
        let texts = had.get(2).is_some_and(|had| !had.texts.is_empty());
        heard += usize::from(hears);
        sent += usize::from(texts);
        let told = |is: bool, what| if is { vec![what] } else { Vec::new() };
        assert_eq!(of(&flow, &call), []);
        assert_eq!(of(&words("Example: {link}").done(), &call), []);
        assert_eq!(
            of(&words("Example, here: {link}").done(), &call),
            told(texts, (2, What::Texts))
        );
        assert_eq!(of(&prompt, &call), told(hears, (1, What::Prompts)));
    }
    assert!(sent > 50 && heard > 200, "{sent} {heard}");
}

/// Rows of an older program hold the outcome alone.
#[test]
fn a_call_that_was_recorded_without_the_numbers_of_its_texts_and_callbacks_is_replayed_too() {
    let bare = |input: &Input| -> Input {
        let mut row = serde_json::to_value(input).unwrap();
        for kind in ["Text", "Callback"] {
            row.get_mut(kind).into_iter().for_each(|told| *told = told["outcome"].take());
        }
        serde_json::from_value(row).unwrap()
    };
    let booked = CallbackOutcome::Booked { day: None, time: Some("09:10".into()) };
    let told = bare(&Input::Callback(Report::new(7, booked.clone())));
    assert_eq!(told, Input::Callback(Report { of: None, outcome: booked }));
    let (flow, mut texts) = (minimal().done(), 0);
    for n in 0..200 {
        let (mut call, end) = recorded(&flow, SEED + n, Faults::NONE);
        for (_, input) in &mut call.inputs {
            *input = bare(input);
            texts += usize::from(matches!(input, Input::Text(Report { of: None, .. })));
        }
        let again = replay(&flow, &call);
        assert_eq!((again.differs_at, again.end), (None, end), "seed {}: {call:?}", SEED + n);
    }
    assert!(texts > 50, "{texts}");
}

const ASKING: &str = r#"
version = 1
[flow]
name    = "Test"
numbers = ["+442079460019"]
start   = "START"
human   = "agents"
holdout_percent = 1
[target.agents]
sip            = "sip:queue@pbx.example.net"
answered_means = "human"
[link.chat]
kind    = "http"
url     = "https://help.example.com/free"
intents = ["any"]
[step.offer]
do             = "offer"
link           = "chat"
play           = "offer.wav"
press          = { 1 = "text_me", 2 = "tier" }
accept         = ["1"]
no_input       = "tier"
if_not_offered = "tier"
[step.text_me]
do       = "text"
link     = "chat"
message  = "Example: {link}"
then     = "hangup"
confirm_number = "never"
[step.tier]
do       = "lookup"
url      = "https://crm.example.net/{caller_key}"
save     = ["tier"]
then     = "agents"
if_fails = "balance"
[step.balance]
do       = "lookup"
url      = "https://crm.example.net/balance/{caller_key}"
save     = ["balance"]
then     = "bye"
[step.bye]
do   = "say"
play = "bye.wav"
then = "agents"
"#;

/// `hello`: a step comes before the offer.
fn asking(hello: bool) -> Arc<Flow> {
    let text = match hello {
        true => ASKING.replace("START", "hello") + "[step.hello]\ndo = \"set\"\nthen = \"offer\"\n",
        false => ASKING.replace("START", "offer"),
    };
    let public_url = Some("https://c.example.com".to_owned());
    let shared = Shared { public_url, ..Shared::default() };
    let checked = load(&text, "flow.toml", &shared, &AnyPrompt);
    Arc::new(checked.flow.unwrap_or_else(|| panic!("{:#?}", checked.findings)))
}

#[test]
fn what_destinations_and_systems_answered_is_answered_again_to_the_same_question() {
    let answer = |id, said: &[(&str, &str)]| {
        let said = said.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Input::Fetched { id, outcome: FetchOutcome::Values(said.collect()) }
    };
    let failed = Input::Fetched { id: 2, outcome: FetchOutcome::Failed { why: "down".into() } };
    let facts = Facts {
        caller: Some("+447700900001".into()),
        can_receive_text: Some(true),
        flags: Some(Vec::new()),
        history: Some(Default::default()),
        fields: [("caller_key".to_owned(), "key".to_owned())].into(),
        ..Facts::default()
    };
    let ms = Duration::from_millis;
    // The first question was answered after the second, and both after the third.
    let inputs = vec![
        (ms(100), answer(3, &[("balance", "12")])),
        (ms(200), failed),
        (ms(300), answer(1, &[("available", "false")])),
    ];
    let recorded = Recorded { facts, inputs, visits: Vec::new(), target: None };
    // It parts from the record at once.
    let again = replay(&asking(true), &recorded);
    let way: Vec<_> = again
        .visits
        .iter()
        .map(|visit| format!("{} {}", visit.step, visit.exit.as_deref().unwrap_or("…")))
        .collect();
    assert_eq!(way, ["hello next", "offer next", "tier error", "balance next", "bye next"]);
}

#[test]
fn lp_01_a_call_whose_destination_was_asked_goes_the_way_it_went() {
    let (flow, mut offered) = (asking(false), 0);
    for (n, faults) in (0..300).flat_map(|n| [(n, Faults::NONE), (n, Faults::SOME)]) {
        let (call, end) = recorded(&flow, SEED + n, faults);
        let made = |visit: &Visit| visit.step == "offer" && visit.exit.as_deref() != Some("next");
        offered += usize::from(call.visits.iter().any(made));
        let again = replay(&flow, &call);
        assert_eq!(again.differs_at, None, "seed {}: {call:?} {again:?}", SEED + n);
        assert_eq!(again.end, end, "seed {}", SEED + n);
    }
    assert!(offered > 20, "{offered}");
}

#[test]
fn what_is_kept_of_a_value_decides_as_the_value_did_and_is_another() {
    let field = |name: &str, test| Fact::Field { field: name.to_owned(), test };
    let flow = Draft::new(&["bye"], &["agents"])
        .rule("premium", field("customer_type", FieldTest::Equals(vec!["premium".into()])))
        .rule("rich", field("balance", FieldTest::AtLeast(1000.0)))
        .rule("poor", field("balance", FieldTest::AtMost(-0.5)))
        .rule("north", Fact::CallerPrefix(vec!["+44161".into()]))
        .done();
    let veil = Veil::of(&flow);
    let value = |name: &str, value: &str| {
        let values = [(name.to_owned(), value.to_owned())].into();
        let told = Input::Fetched { id: 1, outcome: FetchOutcome::Values(values) };
        match veil.input(&told, false) {
            Some(Input::Fetched { outcome: FetchOutcome::Values(kept), .. }) => kept[name].clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(value("customer_type", "premium"), "premium");
    assert_eq!(value("customer_type", "basic"), "xxxxx");
    assert_eq!(value("name", "Ann 7"), "xxx 1");
    for (real, rich, poor) in
        [("2412.75", true, false), ("12.5", false, false), ("-88", false, true)]
    {
        let kept: f64 = value("balance", real).parse().unwrap();
        assert_eq!((kept >= 1000.0, kept <= -0.5), (rich, poor), "{real} became {kept}");
        assert_ne!(kept.to_string(), real);
    }
    // What a destination says of itself tells nothing of the caller, and is judged again.
    assert_eq!(value("url", "https://there.example/4711"), "https://xxxxx.xxxxxxx/1111");
    assert_eq!(value("valid", "600"), "600");
    let facts =
        |number: &str| veil.facts(&Facts { caller: Some(number.into()), ..Facts::default() });
    assert_eq!(facts("+441612345678").caller.as_deref(), Some("+441610000000"));
    assert_eq!(facts("+447700900456").caller.as_deref(), Some("+440000000000"));
}

#[test]
fn digits_of_a_field_are_kept_as_zeros_and_what_ends_them_as_it_is() {
    let flow = Draft::new(&["bye"], &["agents"]).done();
    let veil = Veil::of(&flow);
    assert_eq!(veil.input(&Input::Key(key('7')), true), Some(Input::Key(key('0'))));
    assert_eq!(veil.input(&Input::Key(key('#')), true), Some(Input::Key(key('#'))));
    assert_eq!(veil.input(&Input::KeyDown(key('7')), true), None);
    assert_eq!(veil.input(&Input::Key(key('7')), false), Some(Input::Key(key('7'))));
}
