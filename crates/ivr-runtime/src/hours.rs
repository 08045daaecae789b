//! Opening hours: a week in a time zone, with holidays, or one such week per called number; and
//! what an operator closes or opens for once.

mod change;
mod holidays;
mod ical;
mod moment;
mod one_off;
mod openings;
mod quiet;
mod spans;
mod zones;

pub use holidays::{HolidayProblem, Holidays, parse_holidays};
pub use ical::{Fault, IcalError, RuleFault};
pub use moment::{MomentProblem, parse_moment};
pub use one_off::OneOff;
pub use openings::{Opening, openings, told};
pub use quiet::{QuietHours, Waking};
pub(crate) use spans::minute_of_day;
pub use spans::{SpanProblem, parse_spans};
pub use zones::zones_of;

use std::{collections::BTreeMap, sync::Arc};

use jiff::{Timestamp, tz::TimeZone};
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
    ByCalledNumber(BTreeMap<String, NamedWeek>),
}

/// The week of other hours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NamedWeek {
    /// `X` of those `[hours.X]`.
    pub hours: String,
    /// What they say.
    pub week: Week,
}

/// A week in its zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Week {
    /// IANA name, e.g. `Europe/London`.
    pub zone: String,
    /// Monday to Sunday: the spans in which it is open, none of them overlapping.
    pub days: [Vec<Span>; 7],
    /// Local dates on which it is closed all day; the flows and numbers of a week share them.
    pub holidays: Arc<Holidays>,
}

/// Open or closed, and by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State<'a> {
    /// Open, or closed.
    pub open: bool,
    /// What makes it so.
    pub by: By<'a>,
}

/// What opens or closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By<'a> {
    /// The spans of the day.
    Week,
    /// A holiday, and what it is called.
    Holiday(&'a str),
    /// The operator.
    OneOff(&'a OneOff),
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
    pub fn is_open(&self, now_ms: i64, called: &str, one_offs: &[OneOff]) -> Option<bool> {
        self.state(now_ms, called, one_offs).map(|state| state.open)
    }

    /// The same, and by what. Of several one-offs that hold, the last counts. One of these hours
    /// holds for every number, one of those that they lead to for its numbers.
    pub fn state<'a>(
        &'a self,
        now_ms: i64,
        called: &str,
        one_offs: &'a [OneOff],
    ) -> Option<State<'a>> {
        let calendar = self.calendar(called);
        let is_ours = |one_off: &&OneOff| {
            one_off.hours == self.name || calendar.is_some_and(|(name, _)| one_off.hours == name)
        };
        let mut ours = one_offs.iter().rev().filter(is_ours);
        match ours.find(|one_off| one_off.holds(now_ms)) {
            Some(one_off) => Some(State { open: one_off.open, by: By::OneOff(one_off) }),
            None => calendar?.1.state(now_ms),
        }
    }

    /// The week that counts for a called number, and the name of its hours.
    pub fn calendar(&self, called: &str) -> Option<(&str, &Week)> {
        match &self.schedule {
            Schedule::Week(week) => Some((&self.name, week)),
            Schedule::ByCalledNumber(weeks) => {
                weeks.get(called).map(|named| (named.hours.as_str(), &named.week))
            }
        }
    }
}

impl Week {
    /// Open or closed at `now_ms` (UTC); `None` where the zone is not known.
    ///
    /// Local time is what a clock on the wall there shows, so an hour that a change to winter
    /// time repeats counts twice, and one that a change to summer time skips never comes.
    pub fn state(&self, now_ms: i64) -> Option<State<'_>> {
        self.state_in(&TimeZone::get(&self.zone).ok()?, now_ms)
    }

    fn state_in(&self, zone: &TimeZone, now_ms: i64) -> Option<State<'_>> {
        let local = zone.to_datetime(Timestamp::from_millisecond(now_ms).ok()?);
        if let Some(name) = self.holidays.get(&local.date()) {
            return Some(State { open: false, by: By::Holiday(name) });
        }
        let minute =
            u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).ok()?;
        let day = usize::try_from(local.weekday().to_monday_zero_offset()).ok()?;
        let spans = self.days.get(day)?;
        let open = spans.iter().any(|span| (span.from_minute..span.to_minute).contains(&minute));
        Some(State { open, by: By::Week })
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

#[cfg(test)]
mod judged;
#[cfg(test)]
mod tests;
