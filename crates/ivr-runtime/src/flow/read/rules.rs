//! `[rule.X]`: one fact each.

use super::Reader;
use crate::{
    diagnose::{Code, Table, Text},
    flow::model::{Bound, Fact, InLast, Rule},
};

/// Facts that are available; a rule has exactly one.
const FACTS: [&str; 12] = [
    "called_number",
    "outside_hours",
    "calls_in_last",
    "deflected_in_last",
    "flag",
    "can_receive_text",
    "failed_promise",
    "intent",
    "language",
    "call_is",
    "any_of",
    "not",
];

/// Facts that are known, and refused.
const NOT_YET: [&str; 8] = [
    "customer_type",
    "known",
    "field",
    "equals",
    "source",
    "wait_over_seconds",
    "agents_available",
    "attestation",
];

const CALL_IS: [(&str, ()); 4] =
    [("psap-callback", ()), ("priority", ()), ("relay-or-text-phone", ()), ("withheld", ())];

/// Reads `[rule.X]`.
pub(super) fn rule(name: Text, table: &Table<'_>, reader: &Reader<'_>) -> Rule {
    // A fact keeps an unreadable rule in its place; the flow is not served.
    let nothing = Fact::AnyOf(Vec::new());
    let mut facts: Vec<&str> = Vec::new();
    for key in FACTS.into_iter().chain(NOT_YET) {
        if table.has(key) {
            facts.push(key);
        }
        table.value(key);
    }
    let refused = NOT_YET.iter().any(|key| table.has(key));
    for key in NOT_YET {
        table.not_yet(key);
    }
    let fact = match facts.as_slice() {
        [] => {
            let help = format!("add one of: {}", FACTS.join(", "));
            table.notes().note(Code::E00, table.span(), "the rule tests nothing", help);
            None
        }
        [one] if !refused => fact(table, one, reader),
        _ if refused => None,
        [_, second, ..] => {
            let help = "make two rules, and list both where they are used";
            table.note(Code::E00, second, "a rule tests one fact only", help);
            None
        }
        [_] => None,
    };
    table.unknown_keys();
    Rule { name: name.value, fact: fact.unwrap_or(nothing) }
}

fn fact<'a>(table: &Table<'a>, key: &str, reader: &Reader<'_>) -> Option<Fact> {
    let list = |key: &'a str| -> Option<Vec<Text>> {
        let texts = table.texts(key)?;
        if texts.is_empty() {
            table.note(Code::E00, key, format!("`{key}` is empty"), "");
        }
        Some(texts)
    };
    let values = |key| list(key).map(|texts| texts.into_iter().map(|text| text.value).collect());
    Some(match key {
        "called_number" => Fact::CalledNumber(values("called_number")?),
        "outside_hours" => Fact::OutsideHours(reader.hours_to(&table.text("outside_hours")?)?),
        "calls_in_last" => Fact::CallsInLast(in_last(table, "calls_in_last")?),
        "deflected_in_last" => Fact::DeflectedInLast(in_last(table, "deflected_in_last")?),
        "flag" => Fact::Flag(table.text("flag")?.value),
        "can_receive_text" => Fact::CanReceiveText(table.flag("can_receive_text")?),
        "failed_promise" => Fact::FailedPromise(table.flag("failed_promise")?),
        "intent" => Fact::Intent(values("intent")?),
        "language" => Fact::Language(values("language")?),
        "call_is" => {
            for text in list("call_is")? {
                table.choose("call_is", &text, &CALL_IS, &[]);
            }
            Fact::CallIs(values("call_is")?)
        }
        "any_of" => Fact::AnyOf(reader.rules_to(&list("any_of")?)),
        "not" => Fact::Not(reader.rule_to(&table.text("not")?)?),
        _ => return None,
    })
}

/// `{ hours or days, at_most or at_least }`.
fn in_last<'a>(table: &Table<'a>, key: &'a str) -> Option<InLast> {
    const HOUR_MS: i64 = 3_600_000;
    let window = table.table(key, format!("`{key}`"))?;
    let hours = window.number("hours", 1..=2_160).map(|n| i64::from(n) * HOUR_MS);
    let days = window.number("days", 1..=90).map(|n| i64::from(n) * 24 * HOUR_MS);
    // The call machine remembers so many earlier calls of a caller.
    let at_most = window.number("at_most", 0..=99).map(Bound::AtMost);
    let at_least = window.number("at_least", 1..=99).map(Bound::AtLeast);
    for (one, other) in [("hours", "days"), ("at_most", "at_least")] {
        match (window.has(one), window.has(other)) {
            (false, false) => {
                let message = format!("`{key}` has no `{one}` and no `{other}`");
                let help = "write it as `{ hours = 48, at_most = 0 }`";
                window.notes().note(Code::E00, window.span(), message, help);
            }
            (true, true) => {
                let message = format!("`{one}` and `{other}` exclude each other");
                window.note(Code::E00, other, message, "leave one out");
            }
            (true, false) | (false, true) => {}
        }
    }
    window.finish();
    Some(InLast { window_ms: hours.or(days)?, bound: at_most.or(at_least)? })
}
