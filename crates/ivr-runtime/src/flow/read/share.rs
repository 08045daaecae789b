//! `share`: a percentage, or one from each day on.

use jiff::{civil::Date, tz::TimeZone};
use toml::de::DeValue;

use crate::{
    diagnose::{Code, Table},
    flow::model::Share,
};

const HELP: &str = "write `{ \"2026-12-01\" = 10, \"2026-12-15\" = 50 }`";

/// Reads `share`; left out: everybody.
pub(super) fn share(table: &Table<'_>) -> Share {
    let is_table = table
        .value("share")
        .is_some_and(|value| matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_)));
    if !is_table {
        // At most 100, so it fits.
        return Share::from(table.number("share", 0..=100).unwrap_or(100) as u8);
    }
    let mut days = Vec::new();
    // A list would leave open on which days its steps begin.
    let Some(by_day) = table.table("share", "`share`") else { return Share(days) };
    for day in by_day.keys() {
        let date = day.parse::<Date>().ok().and_then(|day| day.to_zoned(TimeZone::UTC).ok());
        let percent = by_day.number(day, 0..=100);
        match date {
            Some(date) => {
                let from_ms = date.timestamp().as_millisecond();
                days.push((from_ms, percent.unwrap_or(0) as u8));
            }
            None => {
                let message = format!("`{day}` is no date");
                table.notes().note(Code::E00, by_day.key_place(day), message, HELP);
            }
        }
    }
    if by_day.keys().is_empty() {
        table.note(Code::E00, "share", "`share` holds no day", HELP);
    }
    days.sort_unstable();
    Share(days)
}
