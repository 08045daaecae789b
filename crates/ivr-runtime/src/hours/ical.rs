//! Calendar files (iCalendar, RFC 5545): the days of their events.
//!
//! What is not needed for days is left alone. What would change the days and is not understood is
//! refused by its line: a holiday that is missed sends callers to nobody.

mod event;
mod lines;
mod moment;
mod rule;

pub use rule::RuleFault;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::{
    civil::{Date, date},
    tz::TimeZone,
};

use self::{
    event::Event,
    lines::Line,
    moment::{Moment, Zones},
};
use super::Holidays;

/// Days that are told: none before, none after. So much, and not some years from today, for three
/// reasons: what a file means does not hang on the day it was read, a node that runs for years
/// never comes to an end of it, and a daily rule is 36,524 days, which is 1 MB.
const FIRST: Date = date(2000, 1, 1);
const LAST: Date = date(2099, 12, 31);

/// Why a text is no calendar that days can be told by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not a line of the standard.
    #[error("this is no line of a calendar")]
    Line,
    /// Components are not closed in order, or none is open.
    #[error("`{0}` without its counterpart")]
    Nesting(String),
    /// No `BEGIN:VCALENDAR`.
    #[error("there is no `BEGIN:VCALENDAR`")]
    NoCalendar,
    /// An event does not say when it begins.
    #[error("the event that begins here has no DTSTART")]
    NoStart,
    /// No day and no time.
    #[error("`{value}` of {property} is no date")]
    Moment {
        /// E.g. `DTSTART`.
        property: String,
        /// Of it.
        value: String,
    },
    /// A `TZID` that is no zone of the tz database.
    #[error("there is no time zone `{0}`")]
    Zone(String),
    /// Before the beginning, or a day where that is a time.
    #[error("DTEND does not fit DTSTART")]
    End,
    /// No duration.
    #[error("`{0}` is no DURATION of such an event")]
    Duration(String),
    /// The recurrence rule.
    #[error(transparent)]
    Rule(#[from] RuleFault),
    /// Known to the standard, but nothing that closes for days needs it.
    #[error("`{0}` can't be used")]
    Beyond(String),
}

/// A fault and the line it was found at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct IcalError {
    /// From 1.
    pub line: usize,
    /// What.
    pub fault: Fault,
}

/// The days of `zone` on which an event of the calendar is, with what it is called.
pub(super) fn holidays(text: &str, zone: &TimeZone) -> Result<Holidays, IcalError> {
    let lines = lines::lines(text).map_err(|line| IcalError { line, fault: Fault::Line })?;
    let events = events(&lines, zone).map_err(|(line, fault)| IcalError { line, fault })?;
    let mut elsewhere: HashMap<&str, Vec<&Moment>> = HashMap::new();
    for event in &events {
        elsewhere.entry(&event.uid).or_default().extend(&event.stands_for);
    }
    let mut holidays = Holidays::new();
    for event in events.iter().filter(|event| !event.is_cancelled) {
        let elsewhere = match event.stands_for {
            None => elsewhere.get(event.uid.as_str()).map_or(&[][..], Vec::as_slice),
            Some(_) => &[],
        };
        let name: Arc<str> = event.summary.as_str().into();
        for (first, last) in event.stretches(zone, LAST, elsewhere) {
            let days = std::iter::successors(Some(first.max(FIRST)), |day| day.tomorrow().ok());
            for day in days.take_while(|day| *day <= last.min(LAST)) {
                holidays.entry(day).or_insert_with(|| Arc::clone(&name));
            }
        }
    }
    Ok(holidays)
}

/// The events right below a calendar; what is inside of them (alarms) is none of theirs.
fn events(lines: &[Line], zone: &TimeZone) -> Result<Vec<Event>, (usize, Fault)> {
    let zones = Zones { own: zone.clone(), named: zone_names(lines) };
    let mut open: Vec<(&Line, String)> = Vec::new();
    let mut properties: Vec<Line> = Vec::new();
    let mut events = Vec::new();
    for line in lines {
        let nesting = || (line.number, Fault::Nesting(format!("{}:{}", line.name, line.value)));
        let name = line.value.to_ascii_uppercase();
        let in_event = open.len() == 2 && open.last().is_some_and(|(_, name)| name == "VEVENT");
        match line.name.as_str() {
            "BEGIN" if open.is_empty() && name != "VCALENDAR" => {
                return Err((line.number, Fault::NoCalendar));
            }
            "BEGIN" => open.push((line, name)),
            "END" => {
                let (begin, begun) = open.pop().ok_or_else(nesting)?;
                if begun != name {
                    return Err(nesting());
                }
                if in_event {
                    events.push(Event::read(&properties, begin.number, &zones)?);
                    properties.clear();
                }
            }
            "CALSCALE" if name != "GREGORIAN" => {
                return Err((line.number, Fault::Beyond(format!("CALSCALE:{}", line.value))));
            }
            _ if open.is_empty() => return Err((line.number, Fault::NoCalendar)),
            _ if in_event => properties.push(line.clone()),
            _ => {}
        }
    }
    match open.pop() {
        Some((line, name)) => Err((line.number, Fault::Nesting(format!("BEGIN:{name}")))),
        None if lines.is_empty() => Err((1, Fault::NoCalendar)),
        None => Ok(events),
    }
}

/// What the file's own zones are called in the tz database.
fn zone_names(lines: &[Line]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    let mut id = None;
    for line in lines {
        match line.name.as_str() {
            "TZID" => id = Some(&line.value),
            "X-LIC-LOCATION" => {
                names.extend(id.map(|id| (id.clone(), line.value.clone())));
            }
            "BEGIN" if line.value.eq_ignore_ascii_case("VTIMEZONE") => id = None,
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests;
