//! Moments, as an operator writes them.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
    tz::{AmbiguousOffset, TimeZone},
};

use super::minute_of_day;

/// Why a text is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MomentProblem {
    /// None of the three forms.
    #[error("`{0}` is no time; write `15:00`, `2026-12-24 15:00`, `2h` or `90m`")]
    Form(String),
    /// It names a time of day, and nobody knows where.
    #[error("`{0}` needs a time zone; write how long from now, such as `2h` or `90m`")]
    NoZone(String),
}

/// Reads a moment, ms UTC: `15:00` is the next time after `after_ms` that a clock in `zone` shows
/// it, `2026-12-24 15:00` is told by the same clock, `2h`, `90m` and `1h30m` count from `after_ms`.
///
/// A time that a change of the clock skips is later by as much; of one that it repeats, the first
/// that is still to come.
pub fn parse_moment(text: &str, zone: Option<&str>, after_ms: i64) -> Result<i64, MomentProblem> {
    let text = text.trim();
    let form = || MomentProblem::Form(text.to_owned());
    if let Some(length_ms) = length_ms(text) {
        return Ok(after_ms.saturating_add(length_ms));
    }
    let (date, time) = match text.split_once([' ', 'T']) {
        Some((date, time)) => (Some(date.parse::<Date>().map_err(|_| form())?), time.trim()),
        None => (None, text),
    };
    let minute = minute_of_day(time).ok_or_else(form)?;
    let zone = zone.and_then(|zone| TimeZone::get(zone).ok());
    let zone = zone.ok_or_else(|| MomentProblem::NoZone(text.to_owned()))?;
    let after = Timestamp::from_millisecond(after_ms).map_err(|_| form())?;
    let today = zone.to_datetime(after).date();
    let days = match date {
        Some(date) => [Some(date), None],
        None => [Some(today), today.tomorrow().ok()],
    };
    let moments = || days.iter().flatten().flat_map(|day| moments(*day, minute, &zone));
    let next = moments().find(|at| *at > after_ms);
    // A day that was named may be over: the caller is told so, not given another.
    next.or_else(|| moments().last().filter(|_| date.is_some())).ok_or_else(form)
}

/// `2h`, `90m`, `1h30m`.
fn length_ms(text: &str) -> Option<i64> {
    let number = |text: &str| {
        let digits = (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i64>().ok().filter(|_| digits)
    };
    let (hours, rest) = match text.split_once('h') {
        Some((hours, rest)) => (number(hours)?, rest),
        None => (0, text),
    };
    let minutes = match rest.strip_suffix('m') {
        Some(minutes) => number(minutes)?,
        None if rest.is_empty() && !text.is_empty() => 0,
        None => return None,
    };
    let length = SignedDuration::from_mins(hours * 60 + minutes);
    i64::try_from(length.as_millis()).ok()
}

/// When the clock shows it on that day, in order.
fn moments(day: Date, minute: u16, zone: &TimeZone) -> Vec<i64> {
    let Some(local) = on(day, minute) else { return Vec::new() };
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let both = match ambiguous.offset() {
        AmbiguousOffset::Fold { .. } => vec![ambiguous.earlier(), ambiguous.later()],
        _ => vec![ambiguous.compatible()],
    };
    both.into_iter().flatten().map(Timestamp::as_millisecond).collect()
}

/// `24:00` is the next midnight.
pub(super) fn on(day: Date, minute: u16) -> Option<DateTime> {
    if minute == 1_440 {
        return Some(day.tomorrow().ok()?.to_datetime(Time::midnight()));
    }
    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    Some(day.to_datetime(Time::new(hour, minute, 0, 0).ok()?))
}
