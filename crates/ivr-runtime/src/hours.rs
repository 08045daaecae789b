//! Opening hours: a week in a time zone, with holidays, or one such week per called number.

mod spans;

pub(crate) use spans::minute_of_day;
pub use spans::{SpanProblem, parse_spans};

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// `[hours.X]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hours {
    /// `X`.
    pub name: String,
    /// When it is open.
    pub schedule: Schedule,
}

/// When it is open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Schedule {
    /// The same for every called number.
    Week(Week),
    /// Each called number has its own, E.164 or an extension's digits.
    ByCalledNumber(BTreeMap<String, Week>),
}

/// A week in its zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Week {
    /// IANA name, e.g. `Europe/London`.
    pub zone: String,
    /// Monday to Sunday: the spans in which it is open, none of them overlapping.
    pub days: [Vec<Span>; 7],
    /// Local dates on which it is closed all day.
    pub holidays: BTreeSet<Date>,
}

/// Minutes of local time since midnight; `from` belongs to it, `to` does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// 0 to 1,439.
    pub from_minute: u16,
    /// 1 to 1,440.
    pub to_minute: u16,
}

impl Hours {
    /// Whether it is open at `now_ms` (UTC) for this called number; `None` where it has no
    /// hours for the number, or the zone is not known.
    pub fn is_open(&self, now_ms: i64, called: &str) -> Option<bool> {
        match &self.schedule {
            Schedule::Week(week) => week.is_open(now_ms),
            Schedule::ByCalledNumber(weeks) => weeks.get(called)?.is_open(now_ms),
        }
    }
}

impl Week {
    /// Whether it is open at `now_ms` (UTC); `None` where the zone is not known.
    ///
    /// Local time is what a clock on the wall there shows, so an hour that a change to winter
    /// time repeats counts twice, and one that a change to summer time skips never comes.
    pub fn is_open(&self, now_ms: i64) -> Option<bool> {
        let zone = TimeZone::get(&self.zone).ok()?;
        let local = zone.to_datetime(Timestamp::from_millisecond(now_ms).ok()?);
        if self.holidays.contains(&local.date()) {
            return Some(false);
        }
        let minute =
            u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).ok()?;
        let day = usize::try_from(local.weekday().to_monday_zero_offset()).ok()?;
        let spans = self.days.get(day)?;
        Some(spans.iter().any(|span| (span.from_minute..span.to_minute).contains(&minute)))
    }
}

/// Minutes since midnight on a wall clock in `zone` at `now_ms` (UTC); `None`: no such zone.
pub fn minute_now(zone: &str, now_ms: i64) -> Option<u16> {
    let zone = TimeZone::get(zone).ok()?;
    let local = zone.to_datetime(Timestamp::from_millisecond(now_ms).ok()?);
    u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).ok()
}

/// Whether an IANA zone of this name is known.
pub fn is_zone(name: &str) -> bool {
    TimeZone::get(name).is_ok()
}

/// Reads dates, one a line; empty lines and what follows `#` are skipped.
///
/// The error is the 1-based number of the first line that is no date.
pub fn parse_holidays(text: &str) -> Result<BTreeSet<Date>, usize> {
    let mut dates = BTreeSet::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let date = line.split('#').next().unwrap_or("").trim();
        if !date.is_empty() {
            dates.insert(date.parse().map_err(|_| number)?);
        }
    }
    Ok(dates)
}

#[cfg(test)]
mod tests;
