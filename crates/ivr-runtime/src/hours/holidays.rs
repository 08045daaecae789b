//! Holidays, as files list them.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{civil::Date, tz::TimeZone};

use super::ical::{self, IcalError};

/// Local dates, and what they are called; empty: nothing in particular.
pub type Holidays = BTreeMap<Date, Arc<str>>;

/// Why a file lists no holidays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HolidayProblem {
    /// Number and text of a line that is no date.
    #[error("line {0}: `{1}` is no date")]
    Date(usize, String),
    /// In a calendar.
    #[error(transparent)]
    Calendar(#[from] IcalError),
}

/// Reads a calendar (iCalendar), or dates, one a line; empty lines and what follows `#` are
/// skipped. Times of a calendar count for the days of `zone` that they lie on.
pub fn parse_holidays(text: &str, zone: &TimeZone) -> Result<Holidays, HolidayProblem> {
    if is_calendar(text) {
        return Ok(ical::holidays(text, zone)?);
    }
    let mut dates = Holidays::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let (date, name) = line.split_once('#').unwrap_or((line, ""));
        let (date, name) = (date.trim(), name.trim());
        if !date.is_empty() {
            let no_date = |_| HolidayProblem::Date(number, date.to_owned());
            dates.insert(date.parse().map_err(no_date)?, name.into());
        }
    }
    Ok(dates)
}

fn is_calendar(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let begin = "BEGIN:VCALENDAR";
    text.get(..begin.len()).is_some_and(|head| head.eq_ignore_ascii_case(begin))
}
