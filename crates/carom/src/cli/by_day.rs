//! `carom report channels`: the calls of each day, and in columns of their own what other channels
//! counted (EX-07).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use deflect_actions::store::{Cell, Report};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;
/// A day begins somewhere so much earlier, and ends elsewhere so much later, than in UTC, ms.
const ZONES_MS: i64 = DAY_MS;
/// What is counted of calls, in the order it is shown.
const CALLS: [&str; 3] = ["calls", "human", "deflected"];

/// A day.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Day {
    /// Of [`CALLS`].
    calls: BTreeMap<String, i64>,
    /// Under who counted and what.
    others: BTreeMap<(String, String), i64>,
}

/// Parameters of the query for the days of so many milliseconds before `now_ms`: the first and the
/// last as they are called in UTC, and when calls of theirs may have begun.
pub(super) fn range(now_ms: i64, days_ms: i64) -> Vec<Cell> {
    let day = |at_ms| {
        let at = Timestamp::from_millisecond(at_ms).unwrap_or_default();
        Cell::Text(at.to_zoned(TimeZone::UTC).date().to_string())
    };
    let from_ms = now_ms - days_ms;
    // Somewhere it is tomorrow already.
    let (first, last) = (day(from_ms), day(now_ms + ZONES_MS));
    vec![
        first,
        last,
        Cell::Number(from_ms - DAY_MS - ZONES_MS),
        Cell::Number(now_ms + DAY_MS + ZONES_MS),
    ]
}

/// What the query found, by day.
pub(super) fn days(report: &Report) -> BTreeMap<String, Day> {
    let mut days: BTreeMap<String, Day> = BTreeMap::new();
    for row in &report.rows {
        let [Cell::Text(date), Cell::Text(source), Cell::Text(kind), Cell::Number(n)] = &row[..]
        else {
            continue;
        };
        let day = days.entry(date.clone()).or_default();
        if source.is_empty() {
            day.calls.insert(kind.clone(), *n);
        } else {
            day.others.insert((source.clone(), kind.clone()), *n);
        }
    }
    days
}

/// `calls`, `human`, `deflected`, and under `other_channels` who counted what.
pub(super) fn json(days: &BTreeMap<String, Day>) -> Value {
    let day = |(date, day): (&String, &Day)| {
        let mut others: BTreeMap<&str, BTreeMap<&str, i64>> = BTreeMap::new();
        for ((source, kind), n) in &day.others {
            others.entry(source).or_default().insert(kind, *n);
        }
        let mut told = json!({ "date": date, "other_channels": others });
        for name in CALLS {
            told[name] = day.calls.get(name).copied().unwrap_or(0).into();
        }
        told
    };
    days.iter().map(day).collect()
}

/// A line for each day; `-` where a channel told nothing of it.
pub(super) fn table(days: &BTreeMap<String, Day>) -> String {
    if days.is_empty() {
        return "nobody\n".to_owned();
    }
    let columns: BTreeSet<_> = days.values().flat_map(|day| day.others.keys()).collect();
    let mut text = String::new();
    for (date, day) in days {
        text.push_str(date);
        for name in CALLS {
            let _ = write!(text, "  {name} {}", day.calls.get(name).unwrap_or(&0));
        }
        for column in &columns {
            let n = day.others.get(*column).map_or_else(|| "-".to_owned(), i64::to_string);
            let _ = write!(text, "  {}/{} {n}", column.0, column.1);
        }
        text.push('\n');
    }
    text
}
