//! `share`: a percentage, one from each day on, or one after the other.

use jiff::{civil::Date, tz::TimeZone};
use toml::de::DeValue;

use crate::{
    diagnose::{Code, Table},
    flow::model::Share,
};

const HELP: &str = "write `{ \"2026-12-01\" = 10, \"2026-12-15\" = 50 }`";
const DAY_MS: i64 = 86_400_000;
/// Days of each step of a list, where it does not say.
const STEP_DAYS: u32 = 7;

/// Reads `share`, `share_from` and `share_step_days`; left out: everybody.
pub(super) fn share(table: &Table<'_>) -> Share {
    match table.value("share").map(|value| value.get_ref()) {
        Some(DeValue::Table(_)) => by_day(table),
        Some(DeValue::Array(_)) => step_by_step(table),
        _ => {
            for key in ["share_from", "share_step_days"] {
                if table.value(key).is_some() {
                    let help = "write `share = [10, 25, 50]`, or leave it out";
                    let message = format!("`{key}` goes with a list of percentages");
                    table.note(Code::E00, key, message, help);
                }
            }
            // At most 100, so it fits.
            Share::from(table.number("share", 0..=100).unwrap_or(100) as u8)
        }
    }
}

/// `{ DATE = percent }`.
fn by_day(table: &Table<'_>) -> Share {
    let mut days = Vec::new();
    let Some(by_day) = table.table("share", "`share`") else { return Share(days) };
    for day in by_day.keys() {
        let percent = by_day.number(day, 0..=100);
        match midnight_ms(day) {
            Some(from_ms) => days.push((from_ms, percent.unwrap_or(0) as u8)),
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

/// `[percent, …]`: the first from `share_from` on, each for `share_step_days`, the last for good.
fn step_by_step(table: &Table<'_>) -> Share {
    let percents = table.numbers("share", &(0..=100)).unwrap_or_default();
    let step_days = table.number("share_step_days", 1..=90).unwrap_or(STEP_DAYS);
    // A file tells every node and every rehearsal the same; the day it was first served does not.
    let Some(day) = table.required_text("share_from") else { return Share(Vec::new()) };
    let Some(from_ms) = midnight_ms(&day.value) else {
        let message = format!("`{}` is no date", day.value);
        table.notes().note(Code::E00, day.span, message, "write it as `2026-12-01`");
        return Share(Vec::new());
    };
    let begins = (0..).map(|step: i64| from_ms + step * i64::from(step_days) * DAY_MS);
    Share(begins.zip(percents).map(|(from_ms, percent)| (from_ms, percent as u8)).collect())
}

/// Midnight UTC with which a day begins, ms.
fn midnight_ms(day: &str) -> Option<i64> {
    let midnight = day.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(midnight.timestamp().as_millisecond())
}
