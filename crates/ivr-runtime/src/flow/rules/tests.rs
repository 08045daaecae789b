//! Truth tables, generated: nothing here repeats the code they judge.

use super::*;
use crate::{
    call::{History, Told},
    flow::{AnyPrompt, Shared, load},
};

use Truth::{False, True, Unknown};

const HOUR_MS: i64 = 3_600_000;
const NOW_MS: i64 = 1_790_000_000_000;

/// Kleene's tables (K3) as numbers: true 1, unknown ½, false 0; `or` is the larger, `not` is
/// what is missing to 1. Here in halves.
fn halves(truth: Truth) -> u8 {
    match truth {
        True => 2,
        Unknown => 1,
        False => 0,
    }
}

#[test]
fn kh_12_not_and_any_of_follow_kleene_for_every_combination() {
    for a in [True, False, Unknown] {
        assert_eq!(halves(a.negate()), 2 - halves(a), "not {a:?}");
        for b in [True, False, Unknown] {
            assert_eq!(halves(a.or(b)), halves(a).max(halves(b)), "{a:?} or {b:?}");
        }
    }
}

#[test]
fn kh_12_a_rule_of_up_to_four_parts_has_the_value_kleene_gives_it() {
    for count in 0..=4_usize {
        for combination in 0..3_usize.pow(count as u32) {
            let parts: Vec<Truth> = (0..count)
                .map(|at| [True, False, Unknown][combination / 3_usize.pow(at as u32) % 3])
                .collect();
            let (flow, facts) = flow_of(&parts);
            let largest = parts.iter().map(|part| halves(*part)).max().unwrap_or(0);
            let id = |at: usize| RuleId(at as u16);
            let any = evaluate(&flow, &facts, NOW_MS, id(count));
            assert_eq!(halves(any), largest, "any of {parts:?}");
            let not_any = evaluate(&flow, &facts, NOW_MS, id(count + 1));
            assert_eq!(halves(not_any), 2 - largest, "not any of {parts:?}");
        }
    }
}

#[test]
fn kh_09_first_call_within_48_hours() {
    let flow = flow_with("first", "calls_in_last = { hours = 48, at_most = 0 }");
    let first = |calls_ms: &[i64]| {
        let history = History { calls_ms: calls_ms.to_vec(), ..History::default() };
        let facts = Facts { history: Some(history), ..Facts::default() };
        evaluate(&flow, &facts, NOW_MS, RuleId(0))
    };
    let window_ms = 48 * HOUR_MS;
    assert_eq!(first(&[]), True);
    assert_eq!(first(&[NOW_MS - window_ms - 1]), True, "a millisecond too long ago");
    assert_eq!(first(&[NOW_MS - window_ms]), False, "48 hours ago to the millisecond");
    assert_eq!(first(&[NOW_MS - 1]), False);
    assert_eq!(first(&[NOW_MS - window_ms - 1, NOW_MS - HOUR_MS]), False);
    assert_eq!(evaluate(&flow, &Facts::default(), NOW_MS, RuleId(0)), Unknown, "no history");
}

#[test]
fn bounds_count_what_lies_in_the_window() {
    for at_least in 1..=4_u32 {
        let text = format!("deflected_in_last = {{ days = 7, at_least = {at_least} }}");
        let flow = flow_with("again", &text);
        for count in 0..=5_u32 {
            let moments = (0..count).map(|n| NOW_MS - i64::from(n) * 24 * HOUR_MS);
            let old = [NOW_MS - 8 * 24 * HOUR_MS];
            let history =
                History { deflected_ms: moments.chain(old).collect(), ..History::default() };
            let facts = Facts { history: Some(history), ..Facts::default() };
            let expected = Truth::from(count >= at_least);
            assert_eq!(evaluate(&flow, &facts, NOW_MS, RuleId(0)), expected, "{count}/{at_least}");
        }
    }
}

#[test]
fn kh_12_each_fact_is_true_false_or_unknown_by_what_is_known() {
    let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
    let known = Facts {
        called: "+442079460018".into(),
        can_receive_text: Some(true),
        flags: Some(list(&["outage"])),
        caller: Some("+447700900123".into()),
        history: Some(History {
            failed_promise: true,
            offered_ms: Some(NOW_MS - 8 * 24 * HOUR_MS),
            ..History::default()
        }),
        intent: Some("billing".into()),
        call_is: list(&["priority"]),
        attestation: Some("A".into()),
        fields: [("customer_type", "premium"), ("balance", "12.50")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        headers: [("x-partner".to_owned(), "acme".to_owned())].into(),
        targets_up: [("agents".to_owned(), true)].into(),
        ..Facts::default()
    };
    let other = Facts {
        called: "+442079460019".into(),
        can_receive_text: Some(false),
        flags: Some(Vec::new()),
        caller: Some("+33612345678".into()),
        history: Some(History { offered_ms: Some(NOW_MS - 24 * HOUR_MS), ..History::default() }),
        attestation: Some("failed".into()),
        fields: [("customer_type", "trial"), ("balance", "-3")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        headers: [("x-partner".to_owned(), "other".to_owned())].into(),
        targets_up: [("agents".to_owned(), false)].into(),
        intent: Some("orders".into()),
        language: "es-ES".into(),
        ..Facts::default()
    };
    let nothing = Facts::default();
    let withheld = Facts { withheld: true, ..known.clone() };
    for (text, of_known, of_other, of_nothing, of_withheld) in [
        ("called_number = [\"+442079460018\"]", True, False, False, True),
        ("can_receive_text = true", True, False, Unknown, Unknown),
        ("can_receive_text = false", False, True, Unknown, Unknown),
        ("flag = \"outage\"", True, False, Unknown, True),
        ("failed_promise = true", True, False, Unknown, True),
        ("intent = [\"billing\"]", True, False, Unknown, True),
        ("language = [\"en-GB\"]", True, False, True, True),
        ("call_is = [\"priority\"]", True, False, False, True),
        ("known = \"customer_type\"", True, True, False, True),
        ("customer_type = [\"gold\", \"premium\"]", True, False, Unknown, True),
        ("field = \"balance\"\nequals = [\"12.50\"]", True, False, Unknown, True),
        ("field = \"balance\"\nat_least = 0", True, False, Unknown, True),
        ("field = \"balance\"\nat_most = -2.5", False, True, Unknown, False),
        ("field = \"customer_type\"\nat_least = 0", Unknown, Unknown, Unknown, Unknown),
        ("attestation = [\"A\", \"B\"]", True, False, Unknown, True),
        ("caller_prefix = [\"+4477\", \"+1\"]", True, False, Unknown, Unknown),
        ("header = \"X-Partner\"", True, True, False, True),
        ("header = \"X-Partner\"\nequals = [\"acme\"]", True, False, False, True),
        ("target_up = \"agents\"", True, False, Unknown, True),
        ("every = { days = 7 }", True, False, Unknown, True),
        ("call_is = [\"withheld\"]", False, False, False, True),
    ] {
        let flow = flow_with("fact", text);
        let of = |facts| evaluate(&flow, facts, NOW_MS, RuleId(0));
        assert_eq!(of(&known), of_known, "{text}: known");
        assert_eq!(of(&other), of_other, "{text}: other");
        assert_eq!(of(&nothing), of_nothing, "{text}: nothing");
        assert_eq!(of(&withheld), of_withheld, "{text}: withheld");
    }
}

#[test]
fn kh_12_what_a_source_tells_counts_while_it_is_fresh_then_its_default_and_nothing_is_guessed() {
    let rules = [
        ("wait_over_seconds = 60", (|told| told > 60) as fn(u32) -> bool),
        ("agents_available = { at_most = 60 }", |told| told <= 60),
        ("agents_available = { at_least = 60 }", |told| told >= 60),
    ];
    let values = [None, Some(0), Some(59), Some(60), Some(61)];
    for (rule, holds) in rules {
        let flow = flow_with("queue", &format!("source = \"queue\"\n{rule}"));
        let of = |facts: &Facts| evaluate(&flow, facts, NOW_MS, RuleId(0));
        assert_eq!(of(&Facts::default()), Unknown, "{rule}: it told nothing at all");
        for (value, later) in values.into_iter().flat_map(|v| values.map(|later| (v, later))) {
            for (until_ms, counts) in [(NOW_MS, value), (NOW_MS - 1, later)] {
                let told = Told {
                    wait_seconds: value,
                    agents_available: value,
                    until_ms,
                    later_wait_seconds: later,
                    later_agents_available: later,
                    ..Told::default()
                };
                let other = Told { until_ms: i64::MAX, wait_seconds: Some(9), ..Told::default() };
                let sources = [("queue".to_owned(), told), ("other".to_owned(), other)].into();
                let facts = Facts { sources, ..Facts::default() };
                let expected = counts.map_or(Unknown, |told| Truth::from(holds(told)));
                assert_eq!(of(&facts), expected, "{rule}: {value:?}, then {later:?}");
            }
        }
    }
}

#[test]
fn the_time_of_day_is_that_of_its_zone_and_may_go_over_midnight() {
    // 1,790,000,000 s: 14:13:20 UTC, 15:13 in London, 23:13 in Tokyo.
    for (from, to, zone, truth) in [
        ("15:13", "15:14", "Europe/London", True),
        ("14:13", "14:14", "Europe/London", False),
        ("14:13", "14:14", "UTC", True),
        ("14:00", "14:13", "UTC", False),
        ("22:00", "06:00", "Asia/Tokyo", True),
        ("23:30", "23:14", "Asia/Tokyo", True),
        ("23:30", "23:13", "Asia/Tokyo", False),
    ] {
        let text =
            format!("time_of_day = {{ from = \"{from}\", to = \"{to}\", zone = \"{zone}\" }}");
        let flow = flow_with("early", &text);
        assert_eq!(evaluate(&flow, &Facts::default(), NOW_MS, RuleId(0)), truth, "{text}");
    }
}

#[test]
fn a_flag_set_in_the_call_holds_though_the_store_is_down() {
    let flow = flow_with("outage", "flag = \"outage\"");
    let facts = Facts { set_flags: vec!["outage".into()], ..Facts::default() };
    assert_eq!(evaluate(&flow, &facts, NOW_MS, RuleId(0)), True);
}

#[test]
fn a_rule_that_leads_back_to_itself_is_unknown() {
    let mut flow = flow_with("a", "flag = \"x\"");
    flow.rules[0].fact = Fact::Not(RuleId(0));
    assert_eq!(evaluate(&flow, &Facts::default(), NOW_MS, RuleId(0)), Unknown);
    assert_eq!(evaluate(&flow, &Facts::default(), NOW_MS, RuleId(9)), Unknown, "no such rule");
}

#[test]
fn many_rules_that_name_each_other_twice_are_evaluated_at_once() {
    let mut flow = flow_with("a", "flag = \"x\"");
    for at in 0..40 {
        let fact = Fact::AnyOf(vec![RuleId(at), RuleId(at)]);
        flow.rules.push(crate::flow::model::Rule { name: at.to_string(), fact });
    }
    // Deeper than rules may be, so unknown; what counts is that it ends.
    assert_eq!(evaluate(&flow, &Facts::default(), NOW_MS, RuleId(40)), Unknown);
}

/// Rules with these values, then any_of all of them, then not that one; and the facts.
fn flow_of(parts: &[Truth]) -> (Flow, Facts) {
    let mut flow = flow_with("spare", "flag = \"spare\"");
    flow.rules.clear();
    let rule = |name: &str, fact| crate::flow::model::Rule { name: name.to_owned(), fact };
    for part in parts {
        // Without history nobody knows; of the flags everything is known.
        let fact = match part {
            True => Fact::Flag("set".into()),
            False => Fact::Flag("unset".into()),
            Unknown => Fact::FailedPromise(true),
        };
        flow.rules.push(rule("part", fact));
    }
    let all = (0..parts.len()).map(|at| RuleId(at as u16)).collect();
    flow.rules.push(rule("any", Fact::AnyOf(all)));
    flow.rules.push(rule("not", Fact::Not(RuleId(parts.len() as u16))));
    let facts = Facts { flags: Some(vec!["set".into()]), ..Facts::default() };
    (flow, facts)
}

fn flow_with(name: &str, rule: &str) -> Flow {
    let text = format!(
        r#"
version = 1
[flow]
name = "test"
numbers = ["+442079460018"]
languages = ["en-GB", "es-ES"]
start = "start"
human = "agents"
[target.agents]
sip = "sip:agents@pbx.example.net"
[rule.{name}]
{rule}
[step.start]
do = "lookup"
url = "https://crm.example.net"
save = ["customer_type", "balance"]
then = "sort"
[step.sort]
do = "decide"
case = [{{ if = "{name}", go = "agents" }}]
otherwise = "agents"
"#
    );
    let shared = Shared { sources: vec!["queue".into()], ..Shared::default() };
    let checked = load(&text, "test.toml", &shared, &AnyPrompt);
    checked.flow.unwrap_or_else(|| panic!("{:#?}", checked.findings))
}
