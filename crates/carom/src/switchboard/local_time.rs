//! The date and time of a call as its line has them, for the reports.
//!
//! The line's zone is that of the called number's country. Where a country has several it is one
//! that hours name, those first by which the flow's targets and rules are open, else the one that most
//! of its people live by.

use deflect_actions::store::LocalTime;
use ivr_runtime::{
    flow::model::{Fact, Flow},
    hours::{Hours, Schedule, zones_of},
};
use jiff::{Timestamp, tz::TimeZone};

/// Hours of a flow, those first that it uses: by which its person is there, its other targets, its rules.
pub fn hours_of(flow: &Flow) -> Vec<&Hours> {
    let target = |id: usize| flow.targets.get(id).and_then(|target| target.hours);
    let human = target(usize::from(flow.human.0)).into_iter();
    let targets = flow.targets.iter().filter_map(|target| target.hours);
    let rules = flow.rules.iter().filter_map(|rule| match rule.fact {
        Fact::OutsideHours(hours) => Some(hours),
        _ => None,
    });
    let used = human.chain(targets).chain(rules).map(|id| usize::from(id.0));
    let mut all: Vec<usize> = used.chain(0..flow.hours.len()).collect();
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|id| seen.insert(*id));
    all.into_iter().filter_map(|id| flow.hours.get(id)).collect()
}

/// The moment `at_ms` on the line `called`, a number of `country`; `hours` are its flow's, in the order
/// in which they count.
pub fn local_time(at_ms: i64, hours: &[&Hours], called: &str, country: &str) -> LocalTime {
    let zone = TimeZone::get(zone_of(hours, called, country)).unwrap_or(TimeZone::UTC);
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone);
    LocalTime {
        date: at.date().to_string(),
        dow: i16::from(at.weekday().to_monday_one_offset()),
        hour: i16::from(at.hour()),
        quarter: i16::from(at.hour()) * 4 + i16::from(at.minute()) / 15,
    }
}

/// The day of `at_ms`, where it is not that of `now_ms`, and its time, in the line's zone.
pub fn day_and_time(
    now_ms: i64,
    at_ms: i64,
    hours: &[&Hours],
    called: &str,
    country: &str,
) -> (Option<String>, String) {
    let zone = TimeZone::get(zone_of(hours, called, country)).unwrap_or(TimeZone::UTC);
    let local = |ms| {
        let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        zone.to_datetime(at)
    };
    let (now, at) = (local(now_ms), local(at_ms));
    let day = (now.date() != at.date()).then(|| at.date().to_string());
    (day, format!("{:02}:{:02}", at.hour(), at.minute()))
}

fn zone_of<'a>(hours: &[&'a Hours], called: &str, country: &str) -> &'a str {
    let of_number = hours.iter().find_map(|hours| match &hours.schedule {
        Schedule::ByCalledNumber(weeks) => weeks.get(called),
        Schedule::Week(_) => None,
    });
    if let Some(named) = of_number {
        return &named.week.zone;
    }
    let of_hours = || {
        hours.iter().filter_map(|hours| match &hours.schedule {
            Schedule::Week(week) => Some(week.zone.as_str()),
            Schedule::ByCalledNumber(_) => None,
        })
    };
    let mut of_country = zones_of(country);
    let named = of_hours().find(|zone| of_country.clone().any(|own| own == *zone));
    named.or_else(|| of_country.next()).or_else(|| of_hours().next()).unwrap_or("UTC")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ivr_runtime::hours::{Hours, NamedWeek, Week};

    use super::*;

    #[test]
    fn the_line_s_zone_is_that_of_its_country_and_of_several_the_one_the_hours_name() {
        let la = || week("America/Los_Angeles");
        let named = || NamedWeek { hours: "utc".into(), week: in_zone("UTC") };
        let by_number =
            || Schedule::ByCalledNumber(BTreeMap::from([("+14155550100".into(), named())]));
        for (called, country, hours, zone) in [
            ("+442079460018", "GB", vec![], "Europe/London"),
            ("+442079460018", "GB", vec![la()], "Europe/London"),
            ("+12125550100", "US", vec![], "America/New_York"),
            ("+14155550100", "US", vec![week("Europe/London"), la()], "America/Los_Angeles"),
            ("+14155550100", "US", vec![la(), by_number()], "UTC"),
            ("+14155550101", "US", vec![by_number()], "America/New_York"),
            ("+80012345678", "001", vec![la()], "America/Los_Angeles"),
            ("+80012345678", "001", vec![], "UTC"),
        ] {
            let hours: Vec<_> = hours
                .into_iter()
                .map(|schedule| Hours { name: "office".into(), schedule })
                .collect();
            let hours: Vec<_> = hours.iter().collect();
            assert_eq!(zone_of(&hours, called, country), zone, "{called} {hours:?}");
        }
    }

    fn week(zone: &str) -> Schedule {
        Schedule::Week(in_zone(zone))
    }

    fn in_zone(zone: &str) -> Week {
        Week { zone: zone.into(), days: Default::default(), holidays: Default::default() }
    }
}
