//! Hours in which nobody is sent what they do not wait for, by the clocks of the country that a
//! number belongs to.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::zones_of;

/// From one look at the clocks to the next.
const STEP_MS: i64 = 5 * 60_000;
/// So far ahead a moment is looked for.
const AHEAD_MS: i64 = 48 * 3_600_000;

/// A span of every day, by the clocks of a zone or of the country a number belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// Minute of the day with which they begin.
    pub from_minute: u16,
    /// Minute of the day with which they end; before `from_minute`: on the next day. The same:
    /// there are none.
    pub to_minute: u16,
    /// IANA name; `None`: the zones of the number's country.
    pub zone: Option<String>,
}

impl Default for QuietHours {
    /// 20:00–09:00 where the caller is.
    fn default() -> Self {
        Self { from_minute: 20 * 60, to_minute: 9 * 60, zone: None }
    }
}

/// A stretch of time in which it is quiet nowhere, ms UTC; `until_ms` does not belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waking {
    /// Its first moment, or the one asked for where that lies in it.
    pub from_ms: i64,
    /// Its end, or the moment after which nobody asked.
    pub until_ms: i64,
}

impl QuietHours {
    /// The first stretch that is not quiet from `at_ms` on, looked at for no longer than `most`.
    ///
    /// A number tells its country at best: where that has several zones, it must be quiet in none
    /// of them (requirements §4.6). `None`: the country's zones are not known, or in two days
    /// there is no moment that fits them all.
    pub fn waking(&self, at_ms: i64, country: &str, most: Duration) -> Option<Waking> {
        let zones = match &self.zone {
            Some(zone) => vec![TimeZone::get(zone).ok()?],
            None => {
                let zones = zones_of(country).map(TimeZone::get).collect::<Result<Vec<_>, _>>();
                zones.ok().filter(|zones| !zones.is_empty())?
            }
        };
        let rest = (-at_ms).rem_euclid(STEP_MS);
        let looks = std::iter::once(at_ms)
            .chain((0..).map(|n| at_ms + rest + n * STEP_MS))
            .take_while(|look| *look <= at_ms + AHEAD_MS);
        let from_ms = looks.into_iter().find(|look| !self.is_quiet(&zones, *look))?;
        let last = from_ms + i64::try_from(most.as_millis()).unwrap_or(i64::MAX / 4);
        let mut until_ms = from_ms + 1 + (-from_ms - 1).rem_euclid(STEP_MS);
        while until_ms < last && !self.is_quiet(&zones, until_ms) {
            until_ms += STEP_MS;
        }
        Some(Waking { from_ms, until_ms: until_ms.min(last) })
    }

    /// Somewhere in `zones`.
    fn is_quiet(&self, zones: &[TimeZone], at_ms: i64) -> bool {
        let Ok(at) = Timestamp::from_millisecond(at_ms) else { return true };
        let (from, to) = (i32::from(self.from_minute), i32::from(self.to_minute));
        zones.iter().any(|zone| {
            let local = zone.to_datetime(at);
            let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
            if from <= to { (from..to).contains(&minute) } else { minute >= from || minute < to }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR_HOURS: Duration = Duration::from_secs(4 * 3_600);

    fn ms(moment: &str) -> i64 {
        moment.parse::<Timestamp>().expect("a moment").as_millisecond()
    }

    fn waking(at: &str, country: &str) -> (String, String) {
        let waking = QuietHours::default().waking(ms(at), country, FOUR_HOURS).expect("a time");
        let text = |ms| Timestamp::from_millisecond(ms).expect("a moment").to_string();
        (text(waking.from_ms), text(waking.until_ms))
    }

    #[test]
    fn nobody_is_sent_anything_between_eight_in_the_evening_and_nine_in_the_morning() {
        let said = |from: &str, until: &str| (from.to_owned(), until.to_owned());
        for (at, country, expected) in [
            ("2026-11-25T10:31:07Z", "GB", said("2026-11-25T10:31:07Z", "2026-11-25T14:31:07Z")),
            ("2026-11-25T18:31:07Z", "GB", said("2026-11-25T18:31:07Z", "2026-11-25T20:00:00Z")),
            ("2026-11-25T20:00:00Z", "GB", said("2026-11-26T09:00:00Z", "2026-11-26T13:00:00Z")),
            ("2026-07-01T20:00:00Z", "GB", said("2026-07-02T08:00:00Z", "2026-07-02T12:00:00Z")),
            // The clocks of Berlin go forward in the night of 29 March 2026.
            ("2026-03-28T21:00:00Z", "DE", said("2026-03-29T07:00:00Z", "2026-03-29T11:00:00Z")),
            // Nine in the Aleutians until eight in New York.
            ("2026-11-25T12:00:00Z", "US", said("2026-11-25T19:00:00Z", "2026-11-25T23:00:00Z")),
            ("2026-11-26T00:30:00Z", "US", said("2026-11-26T00:30:00Z", "2026-11-26T01:00:00Z")),
            // Nine in Kaliningrad until eight in Kamchatka.
            ("2026-11-25T12:00:00Z", "RU", said("2026-11-26T07:00:00Z", "2026-11-26T08:00:00Z")),
        ] {
            assert_eq!(waking(at, country), expected, "{at} {country}");
        }
    }

    #[test]
    fn where_nothing_fits_nothing_is_sent() {
        let long = QuietHours { from_minute: 12 * 60, to_minute: 11 * 60, zone: None };
        assert_eq!(long.waking(ms("2026-11-25T10:00:00Z"), "US", FOUR_HOURS), None);
        assert_eq!(QuietHours::default().waking(0, "XX", FOUR_HOURS), None);
        assert_eq!(QuietHours::default().waking(0, "001", FOUR_HOURS), None);
    }
}
