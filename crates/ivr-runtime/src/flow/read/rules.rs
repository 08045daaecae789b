//! `[rule.X]`: one fact each.

use super::Reader;
use super::fields::{FIELD_HELP, is_field, not_a_field};
use crate::{
    diagnose::{Code, Table, Text},
    flow::model::{Bound, Fact, FieldTest, InLast, Rule},
    hours::{is_zone, minute_of_day},
};

const HOUR_MS: i64 = 3_600_000;

/// Facts that are available; a rule has exactly one.
const FACTS: [&str; 22] = [
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
    "customer_type",
    "known",
    "field",
    "attestation",
    "time_of_day",
    "caller_prefix",
    "header",
    "target_up",
    "every",
    "wait_over_seconds",
    "agents_available",
    "any_of",
];
const NOT: &str = "not";

/// Keys beside a fact: what is asked of a field or a header.
const TESTS: [&str; 3] = ["equals", "at_most", "at_least"];

const ATTESTATIONS: [(&str, ()); 5] =
    [("A", ()), ("B", ()), ("C", ()), ("failed", ()), ("none", ())];

const CALL_IS: [(&str, ()); 4] =
    [("psap-callback", ()), ("priority", ()), ("relay-or-text-phone", ()), ("withheld", ())];

/// Reads `[rule.X]`.
pub(super) fn rule(name: Text, table: &Table<'_>, reader: &Reader<'_>) -> Rule {
    // A fact keeps an unreadable rule in its place; the flow is not served.
    let nothing = Fact::AnyOf(Vec::new());
    let mut facts: Vec<&str> = Vec::new();
    for key in FACTS.into_iter().chain([NOT]) {
        if table.has(key) {
            facts.push(key);
        }
        table.value(key);
    }
    let fact = match facts.as_slice() {
        [] => {
            let help = format!("add one of: {}, {NOT}", FACTS.join(", "));
            table.notes().note(Code::E00, table.span(), "the rule tests nothing", help);
            None
        }
        [one] => fact(table, one, reader),
        [_, second, ..] => {
            let help = "make two rules, and list both where they are used";
            table.note(Code::E00, second, "a rule tests one fact only", help);
            None
        }
    };
    let of_source = ["wait_over_seconds", "agents_available"].iter().any(|key| table.has(key));
    table.value("source");
    if table.has("source") && !of_source {
        let help = "it goes with `wait_over_seconds` or `agents_available`";
        table.note(Code::E00, "source", "`source` asks nothing of this fact", help);
    }
    let tested = ["field", "header"].iter().any(|key| table.has(key));
    for key in TESTS {
        table.value(key);
        if table.has(key) && !tested {
            table.note(
                Code::E00,
                key,
                format!("`{key}` asks nothing of this fact"),
                "it goes with `field`",
            );
        }
    }
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
        "customer_type" => {
            let equals = FieldTest::Equals(values("customer_type")?);
            Fact::Field { field: "customer_type".to_owned(), test: equals }
        }
        "known" => Fact::Known(field_name(table, "known")?),
        "field" => {
            let (field, test) = (field_name(table, "field"), field_test(table));
            Fact::Field { field: field?, test: test? }
        }
        "attestation" => {
            for text in list("attestation")? {
                table.choose("attestation", &text, &ATTESTATIONS, &[]);
            }
            Fact::Attestation(values("attestation")?)
        }
        "time_of_day" => time_of_day(table)?,
        "caller_prefix" => {
            for text in list("caller_prefix")? {
                let digits = text.value.strip_prefix('+').unwrap_or("");
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    let message = format!("`{}` begins no number", text.value);
                    table.notes().note(Code::E08, text.span, message, "write it as `+4477`");
                }
            }
            Fact::CallerPrefix(values("caller_prefix")?)
        }
        "header" => {
            let name = table.text("header")?;
            let token = |b: u8| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b);
            if name.value.is_empty() || !name.value.bytes().all(token) {
                let message = format!("`{}` is no name of a header", name.value);
                table.notes().note(Code::E00, name.span, message, "such as `X-Customer`");
            }
            let equals = table.has("equals").then(|| values("equals")).flatten();
            for key in ["at_most", "at_least"] {
                if table.has(key) {
                    table.value(key);
                    table.note(Code::E00, key, "a header is compared by `equals`", "");
                }
            }
            Fact::Header { name: name.value, equals }
        }
        "target_up" => Fact::TargetUp(reader.target_to(&table.text("target_up")?)?),
        "every" => {
            let every = table.table("every", "`every`")?;
            every.require("days", Code::E00);
            let days = every.number("days", 1..=90);
            every.finish();
            Fact::NotOfferedFor(i64::from(days?) * 24 * HOUR_MS)
        }
        "wait_over_seconds" => {
            let seconds = table.number("wait_over_seconds", 0..=86_400);
            Fact::WaitOver { source: source(table, reader)?, seconds: seconds? }
        }
        "agents_available" => {
            let agents = table.table("agents_available", "`agents_available`")?;
            let bound = bound(&agents, "agents_available", "`{ at_most = 0 }`");
            agents.finish();
            Fact::AgentsAvailable { source: source(table, reader)?, bound: bound? }
        }
        "any_of" => Fact::AnyOf(reader.rules_to(&list("any_of")?)),
        "not" => Fact::Not(reader.rule_to(&table.text("not")?)?),
        _ => return None,
    })
}

/// A field by its name.
fn field_name<'a>(table: &Table<'a>, key: &'a str) -> Option<String> {
    let name = table.text(key)?;
    if !is_field(&name.value) {
        table.notes().note(Code::E00, name.span, not_a_field(&name.value), FIELD_HELP);
        return None;
    }
    Some(name.value)
}

/// `equals`, `at_most` or `at_least`.
fn field_test(table: &Table<'_>) -> Option<FieldTest> {
    let given: Vec<&str> = TESTS.into_iter().filter(|key| table.has(key)).collect();
    match given.as_slice() {
        ["equals"] => {
            let values: Vec<String> = table.texts_owned("equals");
            if values.is_empty() {
                table.note(Code::E00, "equals", "`equals` is empty", "");
            }
            Some(FieldTest::Equals(values))
        }
        ["at_most"] => Some(FieldTest::AtMost(table.decimal("at_most")?)),
        ["at_least"] => Some(FieldTest::AtLeast(table.decimal("at_least")?)),
        [] => {
            let help = "add `equals = […]`, `at_most = …` or `at_least = …`; or test `known`";
            table.note(Code::E00, "field", "nothing is asked of the field", help);
            None
        }
        [_, second, ..] => {
            for key in TESTS {
                table.value(key);
            }
            table.note(Code::E00, second, "one test of a field at a time", "make two rules");
            None
        }
        [_] => None,
    }
}

/// `{ from = "22:00", to = "06:00", zone = "Europe/London" }`.
fn time_of_day(table: &Table<'_>) -> Option<Fact> {
    let day = table.table("time_of_day", "`time_of_day`")?;
    let minute = |key: &'static str| {
        let text = day.required_text(key)?;
        let minute = minute_of_day(&text.value);
        if minute.is_none() {
            let message = format!("`{}` is no time of day", text.value);
            day.notes().note(Code::E12, text.span, message, "write it as `08:30`");
        }
        minute
    };
    let (from, to) = (minute("from"), minute("to"));
    let zone = day.required_text("zone");
    if let Some(zone) = &zone
        && !is_zone(&zone.value)
    {
        let message = format!("`{}` is no time zone", zone.value);
        day.notes().note(Code::E12, zone.span.clone(), message, "such as `Europe/London`");
    }
    day.finish();
    let (from, to) = (from?, to?);
    if from == to {
        table.note(Code::E12, "time_of_day", "it begins when it ends", "leave the rule out");
    }
    Some(Fact::TimeOfDay { spans: vec![(from, to)], zone: zone?.value })
}

/// `{ hours or days, at_most or at_least }`.
fn in_last<'a>(table: &Table<'a>, key: &'a str) -> Option<InLast> {
    let window = table.table(key, format!("`{key}`"))?;
    let hours = window.number("hours", 1..=2_160).map(|n| i64::from(n) * HOUR_MS);
    let days = window.number("days", 1..=90).map(|n| i64::from(n) * 24 * HOUR_MS);
    let form = "`{ hours = 48, at_most = 0 }`";
    one_of(&window, key, "hours", "days", form);
    let bound = bound(&window, key, form);
    window.finish();
    Some(InLast { window_ms: hours.or(days)?, bound: bound? })
}

/// `at_most` or `at_least`. The call machine remembers so many earlier calls of a caller.
fn bound(table: &Table<'_>, of: &str, form: &str) -> Option<Bound> {
    let at_most = table.number("at_most", 0..=99).map(Bound::AtMost);
    let at_least = table.number("at_least", 1..=99).map(Bound::AtLeast);
    one_of(table, of, "at_most", "at_least", form);
    at_most.or(at_least)
}

/// Exactly one of two keys.
fn one_of(table: &Table<'_>, of: &str, one: &str, other: &str, form: &str) {
    match (table.has(one), table.has(other)) {
        (false, false) => {
            let message = format!("`{of}` has no `{one}` and no `{other}`");
            table.notes().note(Code::E00, table.span(), message, format!("write it as {form}"));
        }
        (true, true) => {
            let message = format!("`{one}` and `{other}` exclude each other");
            table.note(Code::E00, other, message, "leave one out");
        }
        (true, false) | (false, true) => {}
    }
}

/// The source named, else the only one there is.
fn source(table: &Table<'_>, reader: &Reader<'_>) -> Option<String> {
    let known = &reader.shared.sources;
    match table.text("source") {
        Some(name) if known.contains(&name.value) => Some(name.value),
        Some(name) => {
            reader.unknown("source", &name, known.iter().map(String::as_str));
            None
        }
        None => {
            if let [only] = known.as_slice() {
                return Some(only.clone());
            }
            let (message, help) = if known.is_empty() {
                ("there is no source".to_owned(), "add a `[source.X]` to carom.toml".to_owned())
            } else {
                let help = format!("add `source = …`; there are: {}", known.join(", "));
                ("there are several sources, and the rule names none".to_owned(), help)
            };
            table.notes().note(Code::E01, table.span(), message, help);
            None
        }
    }
}
