//! Days and times of an event, each in the zone that it was written in.

use std::collections::BTreeMap;

use jiff::{
    Span, Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

use super::{Fault, lines::Line};

/// A day, or a time in a zone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moment {
    pub date: Date,
    /// `None`: the whole day, whatever the zone.
    pub time: Option<(Time, TimeZone)>,
}

/// How times without an offset are read.
pub(super) struct Zones {
    /// Of the opening hours: that of times without any zone (§3.3.5).
    pub own: TimeZone,
    /// Names of IANA zones by the file's own names for them (`X-LIC-LOCATION`).
    pub named: BTreeMap<String, String>,
}

impl Zones {
    /// The zone of a `TZID`; files write IANA names as they are or after a path of their own.
    fn find(&self, id: &str) -> Option<TimeZone> {
        let known = |name: &str| TimeZone::get(name).ok();
        let tails = id.match_indices('/').filter_map(|(at, _)| id.get(at + 1..));
        let mut names = std::iter::once(id).chain(tails);
        names.find_map(known).or_else(|| known(self.named.get(id)?))
    }
}

impl Moment {
    /// Reads one value of a line such as `DTSTART` or one of several of `EXDATE`.
    pub fn parse(line: &Line, value: &str, zones: &Zones) -> Result<Self, Fault> {
        let fault = || Fault::Moment { property: line.name.clone(), value: value.to_owned() };
        if is_digits(value, 8) {
            return Ok(Self { date: value.parse().map_err(|_| fault())?, time: None });
        }
        let (local, zone) = match value.strip_suffix(['Z', 'z']) {
            Some(local) => (local, TimeZone::UTC),
            None => match line.param("TZID") {
                Some(id) => {
                    let unknown = || Fault::Zone(id.to_owned());
                    (value, zones.find(id).ok_or_else(unknown)?)
                }
                None => (value, zones.own.clone()),
            },
        };
        let (date, time) = local.split_once(['T', 't']).ok_or_else(fault)?;
        if !is_digits(date, 8) || !is_digits(time, 6) {
            return Err(fault());
        }
        let local: DateTime = local.parse().map_err(|_| fault())?;
        Ok(Self { date: local.date(), time: Some((local.time(), zone)) })
    }

    /// The same time on another day.
    pub fn on(&self, date: Date) -> Self {
        Self { date, time: self.time.clone() }
    }

    /// When it is; `None`: a whole day. Times that a change of the clock skips are later by as
    /// much, and of those that it repeats the first counts (§3.3.5).
    pub fn at(&self) -> Option<Timestamp> {
        let (time, zone) = self.time.as_ref()?;
        let local = self.date.to_datetime(*time);
        zone.to_ambiguous_timestamp(local).compatible().ok()
    }

    /// How long after it `end` is by the clock of their zone; `None`: they have not the same one.
    pub fn until(&self, end: &Self) -> Option<Span> {
        let ((time, zone), (end_time, end_zone)) = (self.time.as_ref()?, end.time.as_ref()?);
        let span = self.date.to_datetime(*time).until(end.date.to_datetime(*end_time)).ok()?;
        (zone == end_zone && !span.is_negative()).then_some(span)
    }

    /// The instant so much later by the clock of its zone; `None`: it is a day, or there is none.
    pub fn later_by_clock(&self, length: Span) -> Option<Timestamp> {
        let (time, zone) = self.time.as_ref()?;
        let local = self.date.to_datetime(*time).checked_add(length).ok()?;
        zone.to_ambiguous_timestamp(local).compatible().ok()
    }

    /// Whether both mean the same instance of an event: a day means all of its times.
    pub fn means(&self, other: &Self) -> bool {
        match (self.at(), other.at()) {
            (Some(at), Some(other)) => at == other,
            (Some(_) | None, Some(_) | None) => self.date == other.date,
        }
    }

    /// Whether it lies after the end of a recurrence, which belongs to it.
    pub fn is_after(&self, until: &Self) -> bool {
        match (self.at(), until.at()) {
            (Some(at), Some(until)) => at > until,
            (Some(_) | None, Some(_) | None) => self.date > until.date,
        }
    }
}

fn is_digits(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit())
}
