//! `collect`, `lookup` and `action`, from files as an operator writes them.

use std::collections::BTreeMap;

use super::*;
use crate::flow::{AnyPrompt, Shared, load};

const HEAD: &str = r#"
version = 1
[flow]
name    = "Test"
numbers = ["+442079460019"]
start   = "first"
human   = "agents"
[target.agents]
sip = "sip:queue@pbx.example.net"
answered_means = "human"
[target.other]
sip = "sip:other@pbx.example.net"
answered_means = "human"
"#;

pub(super) fn phone(flow: &str, world: Obedient) -> Phone {
    phone_with(flow, Facts { country: "GB".into(), ..facts() }, world)
}

pub(super) fn phone_with(flow: &str, facts: Facts, world: Obedient) -> Phone {
    let checked = load(&format!("{HEAD}{flow}"), "flow.toml", &Shared::default(), &AnyPrompt);
    let flow = checked.flow.unwrap_or_else(|| panic!("{:#?}", checked.findings));
    let call = Call::new(Duration::ZERO, Arc::new(flow), facts);
    let mut phone = Phone(Stage::new(call, world, Duration::ZERO));
    phone.wait_ms(0);
    phone
}

fn answers(step: &str, values: &[(&str, &str)]) -> Obedient {
    let values = values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let fetched = BTreeMap::from([(step.to_owned(), FetchOutcome::Values(values))]);
    Obedient { fetched, ..Obedient::default() }
}

impl Phone {
    fn type_in(&mut self, digits: &str) -> &mut Self {
        for digit in digits.chars() {
            self.wait_ms(300).press_now(digit);
        }
        self
    }

    fn asked(&self) -> Vec<&FetchRequest> {
        let asked = self.0.outputs().iter().filter_map(|output| match output {
            Output::Fetch(request) => Some(request),
            _ => None,
        });
        asked.collect()
    }

    fn plays(&self) -> usize {
        self.0.outputs().iter().filter(|o| matches!(o, Output::Play { .. })).count()
    }
}

const PIN: &str = r##"
[step.first]
do       = "collect"
save     = "account"
play     = "type-it.wav"
min      = 4
max      = 6
then     = "who"
no_input = "agents"
wrong    = "other"
[step.who]
do       = "lookup"
url      = "https://crm.example.net/{account}?from={caller_number}"
save     = { kind = "/customer/kind" }
then     = "sort"
if_fails = "other"
[rule.premium]
field  = "kind"
equals = ["gold", "silver"]
[step.sort]
do        = "decide"
case      = [{ if = "premium", go = "agents" }]
otherwise = "other"
"##;

#[test]
fn ex_24_digits_go_into_a_field_that_a_lookup_and_a_rule_take_from() {
    for (kind, target) in [("gold", "agents"), ("tin", "other")] {
        let mut phone = phone(PIN, answers("who", &[("kind", kind)]));
        phone.wait_ms(500).type_in("1234#").wait(3);
        assert_eq!(phone.path(), ["first next", "who next", "sort next"]);
        assert_eq!(phone.forwards(), [target]);
        let request = phone.asked()[0];
        assert_eq!(request.url.0, "https://crm.example.net/1234?from=%2B447700900001");
        // No record shows what was typed, nor where it went.
        assert!(!format!("{:?}", phone.0.outputs()).contains("1234"));
    }
}

#[test]
fn a_collect_step_ends_by_count_by_its_end_key_and_by_a_pause() {
    for (digits, seconds) in [("123456", 0), ("1234#", 0), ("1234", 5)] {
        let mut phone = phone(PIN, answers("who", &[]));
        phone.wait(4).type_in(digits).wait(seconds);
        assert_eq!(phone.path()[0], "first next", "{digits}");
    }
}

#[test]
fn a_collect_step_asks_again_after_silence_and_wrong_digits_and_then_goes_on() {
    let mut silent = phone(PIN, Obedient::default());
    silent.wait(40);
    assert_eq!((silent.plays(), silent.path()[0].as_str()), (3, "first timeout"));
    assert_eq!(silent.forwards(), ["agents"]);

    let mut wrong = phone(PIN, Obedient::default());
    wrong.type_in("12#").type_in("1#").wait(1).type_in("9#").wait(1);
    assert_eq!((wrong.plays(), wrong.path()[0].as_str()), (3, "first wrong"));
    assert_eq!(wrong.forwards(), ["other"]);

    // `*` begins anew, without counting.
    let mut anew = phone(PIN, answers("who", &[]));
    anew.type_in("99*").type_in("1234#").wait(1);
    assert_eq!(anew.path()[0], "first next");
    assert!(anew.asked()[0].url.0.contains("/1234?"), "{:?}", anew.asked()[0].url.0);
}

#[test]
fn digits_typed_ahead_are_taken_without_the_prompt() {
    let flow = PIN.replace("[step.first]", "[step.second]").replace(
        "other\"\n[step.who]",
        "other\"\n[step.first]\ndo = \"say\"\nplay = \"hello.wav\"\nthen = \"second\"\n[step.who]",
    );
    let mut phone = phone(&flow, answers("who", &[]));
    phone.type_in("1234#").wait(4);
    assert_eq!(phone.heard(), ["hello"], "and not the question");
    assert_eq!(phone.path()[..2], ["first next", "second next"]);
}

#[test]
fn kh_11_ex_10_a_lookup_before_the_first_sound_runs_unanswered_and_its_answer_decides() {
    let flow = PIN.replace("[step.first]", "[step.unused]").replace("[step.who]", "[step.first]");
    let flow = flow.replace("{account}", "x").split("[step.unused]").collect::<String>();
    let at = flow.find("[step.first]").unwrap_or(0);
    let mut phone = phone(&flow[at..], answers("first", &[("kind", "silver")]));
    phone.wait_ms(200);
    assert!(!phone.has(&Output::Answer));
    phone.wait_ms(200);
    assert_eq!(phone.forwards(), ["agents"]);
    assert!(!phone.has(&Output::Answer), "the PBX's own answer passes");
}

const SLOW: &str = r#"
[step.first]
do   = "say"
play = "hello.wav"
then = "who"
[step.who]
do         = "lookup"
url        = "https://crm.example.net/{called}"
timeout_ms = 3000
save       = ["kind"]
then       = "agents"
if_fails   = "other"
"#;

#[test]
fn ex_10_a_lookup_that_never_answers_is_given_up_and_the_caller_hears_one_moment() {
    let mut phone = phone(SLOW, Obedient::default());
    phone.0.world.fetched.clear();
    let mut world = Obedient::default();
    world.fetched.insert("who".into(), FetchOutcome::Failed { why: "down".into() });
    phone.wait(4);
    assert_eq!(phone.notes(), ["unreachable"]);
    assert_eq!(phone.forwards(), ["other"]);

    struct Dead(Obedient);
    impl crate::sim::World for Dead {
        fn react(
            &mut self,
            now: Duration,
            call: &Call,
            output: &Output,
            plan: &mut crate::sim::Plan,
        ) {
            if !matches!(output, Output::Fetch(_)) {
                self.0.react(now, call, output, plan);
            }
        }
    }
    let checked = load(&format!("{HEAD}{SLOW}"), "flow.toml", &Shared::default(), &AnyPrompt);
    let call = Call::new(Duration::ZERO, Arc::new(checked.flow.unwrap()), facts());
    let mut stage = Stage::new(call, Dead(world), Duration::ZERO);
    stage.pass(Duration::from_secs(20));
    let heard: Vec<_> = stage
        .outputs()
        .iter()
        .filter_map(|output| match output {
            Output::Play { prompts, .. } => Some(prompts[0].as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(heard, ["hello", "one-moment"]);
    let left = stage.records().find_map(|record| match record {
        Record::StepLeft { note: Some(note), at_ms, .. } => Some((note.clone(), *at_ms)),
        _ => None,
    });
    // 3 s of prompt; then the answer is due in 3.5 s, and "one moment" is said to its end.
    assert_eq!(left, Some(("timeout".to_owned(), facts().start_ms + 6_700)));
}

#[test]
fn a_lookup_that_starts_early_is_asked_once_and_costs_no_time_at_its_step() {
    let early = SLOW.replace("then       = \"agents\"", "then = \"agents\"\nstart_early = true");
    let mut phone = phone(&early, answers("who", &[("kind", "gold")]));
    assert_eq!(phone.asked().len(), 1, "asked when the call arrives");
    phone.wait_ms(3_001);
    assert_eq!(phone.path(), ["first next", "who next"]);
    assert_eq!((phone.asked().len(), phone.forwards()), (1, vec!["agents"]));
}

#[test]
fn a_lookup_of_what_was_typed_starts_early_too_while_the_prompt_after_it_plays() {
    let flow = r##"
[step.first]
do       = "collect"
save     = "account"
play     = "type-it.wav"
min      = 4
then     = "thanks"
no_input = "agents"
[step.thanks]
do   = "say"
play = "thanks.wav"
then = "who"
[step.who]
do          = "lookup"
url         = "https://crm.example.net/{account}"
save        = ["kind", "area"]
start_early = true
then        = "here"
[step.here]
do   = "say"
play = "here.wav"
then = "where"
[step.where]
do          = "lookup"
url         = "https://crm.example.net/areas/{area}"
save        = ["state"]
start_early = true
then        = "agents"
"##;
    let values = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        FetchOutcome::Values(pairs.collect())
    };
    let fetched = BTreeMap::from([
        ("who".to_owned(), values(&[("kind", "gold"), ("area", "n7")])),
        ("where".to_owned(), values(&[("state", "well")])),
    ]);
    let mut phone = phone(flow, Obedient { fetched, ..Obedient::default() });
    assert!(phone.asked().is_empty(), "nothing is known yet");
    phone.wait(4).type_in("1234#");
    let addresses = |phone: &Phone| -> Vec<String> {
        phone.asked().iter().map(|request| request.url.0.clone()).collect()
    };
    assert_eq!(addresses(&phone), ["https://crm.example.net/1234"]);
    assert_eq!(phone.path(), ["first next", "thanks …"]);
    // What was looked up is asked about under the next prompt, and no step costs any time.
    phone.wait_ms(3_001);
    assert_eq!(phone.path()[1..], ["thanks next", "who next", "here …"]);
    assert_eq!(addresses(&phone)[1..], ["https://crm.example.net/areas/n7"]);
    phone.wait_ms(3_001);
    assert_eq!(phone.path()[3..], ["here next", "where next"]);
    assert_eq!((phone.asked().len(), phone.forwards()), (2, vec!["agents"]));
}

#[test]
fn what_a_system_says_is_kept_where_it_is_of_its_type_and_else_unknown() {
    let flow = r#"
[step.first]
do   = "lookup"
url  = "https://crm.example.net/x"
save = { open = { pointer = "/open", type = "flag" }, due = { pointer = "/due", type = "date" }, visits = { pointer = "/visits", type = "number" }, note = "/note" }
then = "second"
[step.second]
do   = "action"
url  = "https://crm.example.net/y"
save = { due = { pointer = "/due", type = "date" } }
then = "third"
[step.third]
do   = "lookup"
url  = "https://crm.example.net/z"
save = ["note"]
then = "end"
[step.end]
do   = "say"
play = "end.wav"
then = "agents"
"#;
    let said = |due: &str| {
        let pairs = [("open", "Yes"), ("due", due), ("visits", "many"), ("note", "a\nb")];
        FetchOutcome::Values(pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into())
    };
    let fetched = BTreeMap::from([
        ("first".to_owned(), said("2026-02-28")),
        ("second".to_owned(), said("31 February")),
        ("third".to_owned(), FetchOutcome::Values(BTreeMap::new())),
    ]);
    let mut phone = phone(flow, Obedient { fetched, ..Obedient::default() });
    phone.wait_ms(400);
    let known = |phone: &Phone, field: &str| phone.0.call.facts().field(field).map(str::to_owned);
    assert_eq!(known(&phone, "open").as_deref(), Some("true"));
    assert_eq!(known(&phone, "due").as_deref(), Some("2026-02-28"));
    assert_eq!(known(&phone, "visits"), None);
    assert_eq!(known(&phone, "note").as_deref(), Some("a\nb"), "no type: whatever it is");
    phone.wait_ms(400);
    assert_eq!(known(&phone, "due"), None, "what the second says is no day");
    phone.wait_ms(400);
    assert_eq!(known(&phone, "note"), None, "the third says nothing of it");
    assert_eq!(known(&phone, "open").as_deref(), Some("true"), "it was not asked");
}

const REFUND: &str = r#"
[step.first]
do       = "action"
url      = "https://crm.example.net/refund"
body     = { order = "7", number = "{caller_number}" }
confirm  = "confirm-refund.wav"
save     = ["reference"]
then     = "agents"
no_input = "done"
if_fails = "other"
[step.done]
do   = "say"
play = "goodbye.wav"
then = "hangup"
"#;

#[test]
fn ex_11_an_action_is_done_once_and_only_after_the_caller_said_yes() {
    let mut yes = phone(REFUND, answers("first", &[("reference", "R1")]));
    yes.press('1').press_now('1').wait(2);
    assert_eq!(yes.forwards(), ["agents"]);
    let [request] = yes.asked()[..] else { panic!("{:?}", yes.asked()) };
    let key = request.idempotency_key.clone().unwrap();
    assert!(key.starts_with("018f:first:") && !key.contains("447700"), "{key}");
    assert_eq!(request.body["number"].0, "+447700900001");

    let mut no = phone(REFUND, Obedient::default());
    no.press('2').wait(9);
    assert_eq!((no.asked().len(), no.path()), (0, vec!["first 2".into(), "done next".into()]));

    let mut silent = phone(REFUND, Obedient::default());
    silent.wait(30);
    assert_eq!((silent.asked().len(), silent.path()[0].as_str()), (0, "first timeout"));

    let mut down = phone(REFUND, Obedient::default());
    down.press('1').wait(9);
    assert_eq!((down.asked().len(), down.forwards()), (1, vec!["other"]));

    let mut person = phone(REFUND, Obedient::default());
    person.press('0').wait(1);
    assert_eq!((person.asked().len(), person.forwards()), (0, vec!["agents"]));
}

#[test]
fn ex_11_the_same_deed_of_a_call_has_the_same_key_and_another_one_another() {
    let again = REFUND.replace("if_fails = \"other\"", "if_fails = \"first\"");
    let again = again.replace(
        "number = \"{caller_number}\"",
        "number = \"{caller_number}\", ref = \"{called}\"",
    );
    let key = |flow: &str| {
        let mut phone = phone(flow, Obedient::default());
        phone.press('1').wait(3);
        let asked = phone.asked();
        asked.iter().map(|request| request.idempotency_key.clone().unwrap()).collect::<Vec<_>>()
    };
    let refund = REFUND.replace("if_fails = \"other\"", "if_fails = \"menu\"")
        + "[step.menu]\ndo = \"menu\"\nplay = \"x.wav\"\npress = { 1 = \"first\" }\nno_input = \"agents\"\n";
    let mut twice = phone(&refund, Obedient::default());
    twice.press('1').wait(2).press('1').wait(2).press('1').wait(3);
    let keys: Vec<_> = twice.asked().iter().map(|r| r.idempotency_key.clone()).collect();
    assert_eq!((keys.len(), keys[0].clone()), (2, keys[1].clone()), "tried again, and the same");
    assert_ne!(key(&again.replace("if_fails = \"first\"", "if_fails = \"other\"")), key(REFUND));
}

#[test]
fn the_end_key_after_the_last_digit_spoils_nothing() {
    let more = "[step.again]\ndo = \"collect\"\nsave = \"pin\"\nplay = \"pin.wav\"\nmin = 2\nmax = 2\n\
                tries = 1\nthen = \"other\"\nno_input = \"agents\"\n";
    let flow = PIN.replace("then     = \"who\"", "then = \"again\"");
    let flow = flow.split("[step.who]").next().unwrap().to_owned() + more;
    // Pressed in time it belongs to the digits before; then it is a key like any other.
    for (pause_ms, exit) in [(300, "again next"), (5_000, "again next")] {
        let mut phone = phone(&flow, Obedient::default());
        phone
            .wait(1)
            .type_in("123456")
            .wait_ms(pause_ms)
            .press_now('#')
            .wait(1)
            .type_in("42")
            .wait(1);
        assert_eq!(phone.path()[1], exit, "{pause_ms}");
        assert_eq!(phone.heard(), ["type-it", "pin"], "the question is heard: {pause_ms}");
    }
    // Typed ahead in one go, with its end key.
    let ahead = flow.replace("[step.first]", "[step.second]").replace(
        "[step.again]",
        "[step.first]\ndo = \"say\"\nplay = \"hello.wav\"\nthen = \"second\"\n[step.again]",
    );
    let mut phone = phone(&ahead, Obedient::default());
    phone.type_in("123456#42").wait(5);
    assert_eq!(phone.path(), ["first next", "second next", "again next"]);
}

#[test]
fn ex_24_digits_are_read_back_and_taken_only_when_they_are_right() {
    let flow = PIN.replace("min      = 4", "min = 4\nconfirm = true");
    let right = |phone: &mut Phone, key: char| {
        phone.type_in("1234#").wait(1).press_now(key).wait(1);
    };
    let mut yes = phone(&flow, answers("who", &[("kind", "gold")]));
    right(&mut yes, '1');
    assert_eq!(yes.heard(), ["type-it", "f-1", "f-2", "f-3", "f-4", "right-or-again"]);
    assert_eq!((yes.path()[0].as_str(), yes.asked().len()), ("first next", 1));

    let mut again = phone(&flow, answers("who", &[]));
    right(&mut again, '2');
    assert_eq!(again.heard().last(), Some(&"type-it"), "asked again");
    assert_eq!(again.0.call.facts().field("account"), None);
    right(&mut again, '1');
    assert_eq!(again.path()[0], "first next");

    // Silence: read back once more, then a try is gone.
    let mut silent = phone(&flow, answers("who", &[]));
    silent.type_in("1234#").wait(26); // 15 s of reading, 8 s for the answer
    assert_eq!(silent.heard().iter().filter(|name| **name == "right-or-again").count(), 2);
    silent.wait(22);
    assert_eq!(silent.heard().last(), Some(&"type-it"));

    let mut person = phone(&flow, answers("who", &[]));
    right(&mut person, '0');
    assert_eq!(person.forwards(), ["agents"]);
}

#[test]
fn a_secret_goes_into_a_request_and_nowhere_else() {
    let flow = PIN.replace("save     = \"account\"", "save = \"account\"\nsecret = true");
    let mut phone = phone(&flow, answers("who", &[("kind", "gold")]));
    phone.type_in("86427#").wait(2);
    assert!(phone.asked()[0].url.0.contains("/86427?"));
    assert_eq!(phone.0.call.facts().field("account"), None);
    let shown = format!("{:?} {:?}", phone.0.call.facts(), phone.0.outputs());
    assert!(!shown.contains("86427"), "{shown}");
}

#[test]
fn a_call_has_room_for_so_many_fields() {
    let mut facts = Facts::default();
    for n in 0..100 {
        facts.learn(&format!("f{n}"), &"x".repeat(100), n % 2 == 0);
    }
    assert_eq!(facts.fields.len() + facts.secrets.len(), 32);
    facts.learn("f0", "new", false);
    assert_eq!((facts.field("f0"), facts.secrets.get("f0")), (Some("new"), None));
    facts.learn("f0", &"x".repeat(101), false);
    assert_eq!(facts.field("f0"), None, "what is too long is not known");
}
