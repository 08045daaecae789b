//! Opening hours judged by other implementations: `tests/hours/make.py` says by which, and made
//! what is read here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use jiff::civil::{Date, date};

use super::{change::first_change, *};

/// As the fixture counts, to both sides of a change of the clock.
const MINUTES: i64 = 26 * 60;

#[test]
fn kh_07_each_minute_round_each_change_of_the_clock_is_as_zoneinfo_says_in_twelve_zones() {
    let (mut zones, mut changes) = (BTreeSet::new(), BTreeSet::new());
    for case in read("clock.txt").lines().map(ClockCase::read) {
        let mut closes_or_opens = BTreeSet::new();
        for minute in -MINUTES..=MINUTES {
            let open = case.is_open(minute);
            let at_ms = case.change_ms + minute * 60_000;
            assert_eq!(case.found(at_ms), Some(open), "{} {minute}", case.line);
            if minute > -MINUTES && open != case.is_open(minute - 1) {
                assert_eq!(case.found(at_ms - 1), Some(!open), "{} {minute}", case.line);
                closes_or_opens.insert(minute);
            }
        }
        for minute in (-MINUTES..MINUTES).step_by(127) {
            let expected = closes_or_opens.range(minute + 1..).next();
            let now_ms = case.change_ms + minute * 60_000;
            let found = case.next_change(now_ms).map(|at_ms| (at_ms - case.change_ms) / 60_000);
            match expected {
                Some(_) => assert_eq!(found.as_ref(), expected, "{} {minute}", case.line),
                None => assert!(found.is_none_or(|found| found > MINUTES), "{}", case.line),
            }
        }
        changes.insert((case.name.clone(), case.change_ms));
        zones.insert(case.name);
    }
    assert_eq!((zones.len(), changes.len()), (12, 148), "the fixture is whole");
}

#[test]
fn kh_07_the_days_of_a_calendar_are_those_that_another_reader_of_calendars_finds_in_twelve_zones() {
    let text = read("calendar.ics");
    let (first, last) = (date(2024, 1, 1), date(2027, 12, 31));
    let mut zones: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in read("calendar.txt").lines() {
        let mut words = line.split(' ');
        let (uid, zone) = (words.next().unwrap(), words.next().unwrap());
        let expected: BTreeSet<Date> = words.flat_map(stretch).collect();
        let days = parse_holidays(&only(&text, uid), &zone_of(zone)).unwrap();
        let days: BTreeSet<Date> = days.range(first..=last).map(|(day, _)| *day).collect();
        assert_eq!(days, expected, "{line}\n{}", only(&text, uid));
        zones.entry(zone.to_owned()).or_default().insert(uid.to_owned());
    }
    assert_eq!(zones.len(), 12, "{:?}", zones.keys());
    // Days without a time are the same everywhere, and are judged in one zone.
    let timed = &zones["Pacific/Apia"];
    assert!(timed.len() > 60 && timed.contains("night-shift"), "{}", timed.len());
    assert!(zones.values().all(|events| timed.is_subset(events)), "{zones:?}");
    assert!(zones["Europe/London"].len() > 200, "{}", zones["Europe/London"].len());
    let whole = parse_holidays(&text, &zone_of("Europe/London")).unwrap();
    assert_eq!(
        &*whole[&date(2025, 1, 1)],
        "New Year’s Day, which has a rather long name that needs two lines of the file"
    );
}

/// A line of `clock.txt`: zone, change, spans, and the stretches of minutes that are open.
struct ClockCase {
    line: String,
    name: String,
    zone: TimeZone,
    change_ms: i64,
    week: Week,
    open: Vec<(i64, i64)>,
}

impl ClockCase {
    fn read(line: &str) -> Self {
        let [place, spans, open] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let (name, change) = place.split_once(' ').unwrap();
        let change: Timestamp = change.replace('Z', ":00Z").parse().unwrap();
        let (spans, holiday) = match spans.strip_prefix("holiday ") {
            Some(day) => ("00:00-24:00", Some((day.parse().unwrap(), "".into()))),
            None => (spans, None),
        };
        let spans = parse_spans(spans).unwrap();
        let week = Week {
            zone: name.into(),
            days: std::array::from_fn(|_| spans.clone()),
            holidays: Arc::new(holiday.into_iter().collect()),
        };
        let open = open.split_whitespace().map(|stretch| {
            let (from, to) = stretch.split_once("..").unwrap();
            (from.parse().unwrap(), to.parse().unwrap())
        });
        Self {
            line: line.into(),
            name: name.into(),
            zone: zone_of(name),
            change_ms: change.as_millisecond(),
            week,
            open: open.collect(),
        }
    }

    fn is_open(&self, minute: i64) -> bool {
        self.open.iter().any(|(from, to)| (*from..*to).contains(&minute))
    }

    fn next_change(&self, now_ms: i64) -> Option<i64> {
        let turns = |until_ms| self.week.turns(&self.zone, now_ms, until_ms).unwrap();
        first_change(
            now_ms,
            |until_ms| turns(until_ms).into_iter().collect(),
            |at_ms| self.found(at_ms),
        )
    }

    fn found(&self, at_ms: i64) -> Option<bool> {
        self.week.state_in(&self.zone, at_ms).map(|state| state.open)
    }
}

fn stretch(text: &str) -> Vec<Date> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (Date, Date) = (first.parse().unwrap(), last.parse().unwrap());
    std::iter::successors(Some(first), |day| day.tomorrow().ok())
        .take_while(|day| *day <= last)
        .collect()
}

/// The calendar with the events of one `UID` only.
fn only(text: &str, uid: &str) -> String {
    let (head, events) = text.split_once("BEGIN:VEVENT").unwrap();
    let of_uid = events.split("BEGIN:VEVENT").filter(|event| {
        event.lines().any(|line| line.strip_prefix("UID:").is_some_and(|of| of == uid))
    });
    let of_uid: String = of_uid
        .map(|event| "BEGIN:VEVENT".to_owned() + event.trim_end_matches("END:VCALENDAR\r\n"))
        .collect();
    format!("{head}{of_uid}END:VCALENDAR\r\n")
}

/// As the fixture knows it, whatever the tz database of this machine does.
fn zone_of(name: &str) -> TimeZone {
    let tzif = fs::read(folder().join("zones").join(name)).unwrap();
    TimeZone::tzif(name, &tzif).unwrap()
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/hours")
}
