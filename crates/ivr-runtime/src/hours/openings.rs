//! When a callback can be made: the hours of the clock in which its target is open.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::{Hours, OneOff};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Nobody is called back at once.
const LEAD_MS: i64 = MINUTE_MS;
/// A target that is closed for longer has no next opening.
const DAYS: i64 = 14;

/// A time in which it is open, within one hour of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// Its first moment, ms UTC.
    pub from_ms: i64,
    /// Its end, ms UTC.
    pub until_ms: i64,
}

/// The openings from `now_ms` to the end of the next opening day; what is always open, or tells no
/// hours for the number, is open for a day.
pub fn openings(
    hours: Option<&Hours>,
    now_ms: i64,
    called: &str,
    one_offs: &[OneOff],
) -> Vec<Opening> {
    // No calendar reaches further.
    let now_ms = now_ms.clamp(0, 253_402_300_799_999 - DAYS * 24 * HOUR_MS);
    let from = (now_ms + LEAD_MS).div_euclid(MINUTE_MS) * MINUTE_MS + MINUTE_MS;
    let is_open = |at_ms| hours.and_then(|hours| hours.is_open(at_ms, called, one_offs));
    if is_open(from).is_none() {
        return split((from..from + 24 * HOUR_MS).step_by(MINUTE_MS as usize));
    }
    let zone = zone(hours, called);
    let date = |at_ms| local(&zone, at_ms).map(DateTime::date);
    let today = date(now_ms);
    let mut next_day = None;
    let minutes = (from..from + DAYS * 24 * HOUR_MS).step_by(MINUTE_MS as usize);
    let open = minutes.filter(|at_ms| is_open(*at_ms) == Some(true)).take_while(|at_ms| {
        let day = date(*at_ms);
        day == today || day == *next_day.get_or_insert(day)
    });
    split(open)
}

/// The day, where it is not today, and the time of a moment, as a caller is told them.
pub fn told(
    hours: Option<&Hours>,
    called: &str,
    now_ms: i64,
    at_ms: i64,
) -> (Option<String>, Option<String>) {
    if hours.is_none() {
        return (None, None);
    }
    let zone = zone(hours, called);
    let (Some(now), Some(at)) = (local(&zone, now_ms), local(&zone, at_ms)) else {
        return (None, None);
    };
    let day = (now.date() != at.date()).then(|| at.date().to_string());
    (day, Some(format!("{:02}:{:02}", at.hour(), at.minute())))
}

fn zone(hours: Option<&Hours>, called: &str) -> TimeZone {
    let zone = hours.and_then(|hours| hours.calendar(called)).map(|(_, week)| week.zone.as_str());
    zone.and_then(|zone| TimeZone::get(zone).ok()).unwrap_or(TimeZone::UTC)
}

fn local(zone: &TimeZone, at_ms: i64) -> Option<DateTime> {
    Timestamp::from_millisecond(at_ms).ok().map(|at| zone.to_datetime(at))
}

/// Minutes that are open, put together up to the next full hour.
fn split(minutes: impl Iterator<Item = i64>) -> Vec<Opening> {
    let mut openings: Vec<Opening> = Vec::new();
    for at_ms in minutes {
        match openings.last_mut() {
            Some(last) if last.until_ms == at_ms && at_ms.rem_euclid(HOUR_MS) != 0 => {
                last.until_ms += MINUTE_MS;
            }
            _ => openings.push(Opening { from_ms: at_ms, until_ms: at_ms + MINUTE_MS }),
        }
    }
    openings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hours::{Schedule, Week, parse_spans};

    #[test]
    fn the_rest_of_today_and_the_next_opening_day_are_open() {
        let hours = office();
        // A Friday, 16:40 in London.
        let now = ms("2026-11-27T16:40:00Z");
        let found = openings(Some(&hours), now, "100", &[]);
        let first = found.first().unwrap();
        assert_eq!((first.from_ms - now, first.until_ms), (120_000, ms("2026-11-27T17:00:00Z")));
        let rest: Vec<_> = found[1..].iter().map(|one| one.from_ms).collect();
        let monday: Vec<_> =
            (9..17).map(|hour| ms(&format!("2026-11-30T{hour:02}:00:00Z"))).collect();
        assert_eq!(rest, monday);
        assert_eq!(
            told(Some(&hours), "100", now, monday[0]),
            (Some("2026-11-30".into()), Some("09:00".into()))
        );
        assert_eq!(told(Some(&hours), "100", now, now + 60_000).0, None);
        // On a Saturday there is Monday only.
        let saturday = openings(Some(&hours), ms("2026-11-28T10:00:00Z"), "100", &[]);
        assert_eq!(saturday.iter().map(|one| one.from_ms).collect::<Vec<_>>(), monday);
    }

    #[test]
    fn what_is_always_open_is_open_for_a_day() {
        let found = openings(None, ms("2026-11-27T16:40:00Z"), "100", &[]);
        assert_eq!(found.iter().map(|one| one.until_ms - one.from_ms).sum::<i64>(), 24 * HOUR_MS);
        assert!(found.iter().all(|one| one.until_ms - one.from_ms <= HOUR_MS));
        assert_eq!(told(None, "100", 0, 1), (None, None));
    }

    fn office() -> Hours {
        let day = parse_spans("09:00-17:00").unwrap();
        let mut days: [_; 7] = std::array::from_fn(|_| day.clone());
        days[5].clear();
        days[6].clear();
        let week = Week { zone: "Europe/London".into(), days, holidays: Default::default() };
        Hours { name: "office".into(), schedule: Schedule::Week(week) }
    }

    fn ms(at: &str) -> i64 {
        at.parse::<Timestamp>().unwrap().as_millisecond()
    }
}
