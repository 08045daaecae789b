//! When hours change next.

use std::collections::BTreeSet;

use jiff::{
    Timestamp,
    civil::Date,
    tz::{AmbiguousOffset, TimeZone},
};

use super::{Hours, OneOff, Week, moment::on};

const DAY_MS: i64 = 86_400_000;

/// A change is looked for so many days ahead: mostly it is near.
const DAYS_AHEAD: [i64; 3] = [8, 60, 400];

impl Hours {
    /// The first moment after `now_ms` at which it opens or closes, ms UTC; `None`: not within 400
    /// days, or it can't be told. Costs some 20 µs, or 1 ms where nothing changes.
    pub fn next_change(&self, now_ms: i64, called: &str, one_offs: &[OneOff]) -> Option<i64> {
        let calendar = self.calendar(called);
        let week = calendar.and_then(|(_, week)| Some((week, TimeZone::get(&week.zone).ok()?)));
        first_change(
            now_ms,
            |until_ms| {
                let week =
                    week.as_ref().and_then(|(week, zone)| week.turns(zone, now_ms, until_ms));
                let ends = one_offs.iter().flat_map(|one_off| [one_off.from_ms, one_off.until_ms]);
                week.into_iter().flatten().chain(ends).collect()
            },
            |at_ms| self.is_open(at_ms, called, one_offs),
        )
    }
}

/// The first moment after `now_ms` that is not as now; `turns` are those up to a moment, and maybe
/// more, at which that may be so.
pub(super) fn first_change(
    now_ms: i64,
    turns: impl Fn(i64) -> BTreeSet<i64>,
    open: impl Fn(i64) -> Option<bool>,
) -> Option<i64> {
    let now_open = open(now_ms);
    DAYS_AHEAD.into_iter().find_map(|days| {
        let until_ms = now_ms.saturating_add(days * DAY_MS);
        let turns = turns(until_ms);
        let mut later = turns.range(now_ms.saturating_add(1)..=until_ms).copied();
        later.find(|at_ms| open(*at_ms) != now_open)
    })
}

impl Week {
    /// All moments from `now_ms` to `until_ms` at which it may open or close, and some around
    /// them: midnights, ends of spans, and changes of the clock.
    pub(super) fn turns(&self, zone: &TimeZone, now_ms: i64, until_ms: i64) -> Option<Vec<i64>> {
        let now = Timestamp::from_millisecond(now_ms).ok()?;
        let until = Timestamp::from_millisecond(until_ms).ok()?;
        // A change of the clock may bring yesterday back.
        let first = zone.to_datetime(now).date().yesterday().ok()?;
        let last = zone.to_datetime(until).date().tomorrow().ok()?;
        let days = std::iter::successors(Some(first), |day| day.tomorrow().ok());
        let days = days.take_while(|day| *day <= last);
        let mut turns: Vec<i64> = days.flat_map(|day| self.turns_of(day, zone)).collect();
        let changes = zone.following(now).map(|change| change.timestamp());
        turns.extend(changes.take_while(|at| *at <= until).map(Timestamp::as_millisecond));
        Some(turns)
    }

    fn turns_of(&self, day: Date, zone: &TimeZone) -> Vec<i64> {
        let at = usize::try_from(day.weekday().to_monday_zero_offset()).unwrap_or_default();
        let spans = self.days[at].iter().flat_map(|span| [span.from_minute, span.to_minute]);
        let local = spans.chain([0]).filter_map(|minute| on(day, minute));
        let moments = local.flat_map(|local| {
            let at = zone.to_ambiguous_timestamp(local);
            match at.offset() {
                AmbiguousOffset::Unambiguous { .. } => [at.compatible().ok(), None],
                // What is skipped turns with the clock.
                AmbiguousOffset::Gap { .. } => [None, None],
                AmbiguousOffset::Fold { .. } => [at.earlier().ok(), at.later().ok()],
            }
        });
        moments.flatten().map(Timestamp::as_millisecond).collect()
    }
}
