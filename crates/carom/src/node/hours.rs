//! Opening hours for the operator: what they are now, and what is closed or opened for once.

use deflect_actions::store::{self, HoursChange, LONGEST_ONE_OFF};
use ivr_runtime::{
    diagnose::nearest,
    hours::{By, Hours, OneOff, Schedule, parse_moment},
};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{
    clock::wall_ms,
    desk::{Desk, data},
    run::refresh_marks,
};
use crate::{
    config::Snapshot,
    control::{HoursOrder, Reply},
    switchboard::one_off,
};

/// Bytes of a reason.
const LONGEST_REASON: usize = 200;

/// One line of `carom hours list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoursView {
    /// `X` of `[hours.X]`.
    pub hours: String,
    /// The flow that they belong to; `None`: all.
    pub flow: Option<String>,
    /// The called number, where each has its own.
    pub number: Option<String>,
    /// The hours that count for it, where those are others.
    pub leads_to: Option<String>,
    /// `None`: no calendar of these is served.
    pub zone: Option<String>,
    /// Open, or closed.
    pub open: Option<bool>,
    /// What makes it so: `week`, `holiday`, `operator`.
    pub by: Option<String>,
    /// What the holiday is called, or what the operator said.
    pub because: String,
    /// When it closes or opens next, ms UTC; `None`: not within 400 days.
    pub until_ms: Option<i64>,
    /// What is closed or opened for once, now or later, oldest first.
    pub one_offs: Vec<OneOffView>,
}

/// A one-off closure or opening.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneOffView {
    /// Open, or closed.
    pub open: bool,
    /// First moment, ms UTC.
    pub from_ms: i64,
    /// End, ms UTC.
    pub until_ms: i64,
    /// What for; may be empty.
    pub because: String,
    /// Who said so.
    pub by_whom: String,
    /// And when, ms UTC.
    pub at_ms: i64,
}

impl Desk {
    /// All hours that are served, and changes to others.
    pub(super) fn hours(&self) -> Reply {
        let Some(marks) = self.services.marks() else {
            return Reply::Error("the store does not tell what is closed or open for once".into());
        };
        data(&views(&self.snapshot.load(), &marks.one_offs, wall_ms()))
    }

    /// Closes or opens hours for once.
    pub(super) async fn change_hours(&self, order: HoursOrder, who: &str) -> Reply {
        let snapshot = self.snapshot.load_full();
        let known = match served(&snapshot, &order.hours) {
            Ok(known) => known,
            Err(why) => return Reply::Error(why),
        };
        let zone = common_zone(&known);
        let change = match change(&order, zone, wall_ms()) {
            Ok(change) => change,
            Err(why) => return Reply::Error(why),
        };
        let store = &self.services.store;
        let changed = store.change_hours(&order.hours, &change, who).await;
        refresh_marks(store, &self.services.marks).await;
        match changed {
            Ok(()) => Reply::Done(told(&order.hours, &change, zone, wall_ms())),
            Err(error) => Reply::Error(format!("not recorded: {error}")),
        }
    }

    /// Takes back what was closed or opened for once.
    pub(super) async fn clear_hours(&self, hours: &str, who: &str) -> Reply {
        let store = &self.services.store;
        refresh_marks(store, &self.services.marks).await;
        let Some(marks) = self.services.marks() else {
            return Reply::Error("not recorded: the store does not answer".into());
        };
        let of_hours = marks.one_offs.iter().filter(|one_off| one_off.hours == hours).count();
        // What the configuration does not name any more can be taken back all the same.
        if of_hours == 0 {
            return match served(&self.snapshot.load(), hours) {
                Ok(_) => Reply::Done(format!("hours {hours}: nothing was closed or opened")),
                Err(why) => Reply::Error(why),
            };
        }
        let cleared = store.clear_hours(hours, who).await;
        refresh_marks(store, &self.services.marks).await;
        match cleared {
            Ok(()) => Reply::Done(format!(
                "hours {hours}: as the configuration says ({of_hours} taken back)"
            )),
            Err(error) => Reply::Error(format!("not recorded: {error}")),
        }
    }
}

/// All hours with their flow, where they belong to one.
fn all(snapshot: &Snapshot) -> Vec<(Option<&str>, &Hours)> {
    let shared = &snapshot.config.hours;
    let own = snapshot.flows.iter().flat_map(|flow| {
        let own =
            flow.hours.iter().filter(|own| !shared.iter().any(|hours| hours.name == own.name));
        own.map(|hours| (Some(flow.name.as_str()), hours))
    });
    shared.iter().map(|hours| (None, hours)).chain(own).collect()
}

/// The hours of this name: several flows may have some.
fn served<'a>(snapshot: &'a Snapshot, name: &str) -> Result<Vec<&'a Hours>, String> {
    let all = all(snapshot);
    let of_name: Vec<_> =
        all.iter().map(|(_, hours)| *hours).filter(|hours| hours.name == name).collect();
    if !of_name.is_empty() {
        return Ok(of_name);
    }
    let near = nearest(name, all.iter().map(|(_, hours)| hours.name.as_str()))
        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    Err(format!("there are no hours `{name}`{near}"))
}

/// The zone of times of day; `None` where they have several.
fn common_zone<'a>(of_name: &[&'a Hours]) -> Option<&'a str> {
    let zones = of_name.iter().flat_map(|hours| match &hours.schedule {
        Schedule::Week(week) => vec![week.zone.as_str()],
        Schedule::ByCalledNumber(weeks) => {
            weeks.values().map(|named| named.week.zone.as_str()).collect()
        }
    });
    let mut zones: Vec<&str> = zones.collect();
    zones.sort_unstable();
    zones.dedup();
    match zones[..] {
        [zone] => Some(zone),
        _ => None,
    }
}

fn change(order: &HoursOrder, zone: Option<&str>, now_ms: i64) -> Result<HoursChange, String> {
    let because = order.because.trim();
    if because.len() > LONGEST_REASON || because.contains(char::is_control) {
        return Err(format!("a reason is one line of at most {LONGEST_REASON} bytes"));
    }
    let moment = |text: &str, after_ms| {
        parse_moment(text, zone, after_ms).map_err(|problem| problem.to_string())
    };
    let from_ms = match &order.from {
        Some(from) => moment(from, now_ms)?,
        None => now_ms,
    };
    let until_ms = moment(&order.until, from_ms.max(now_ms))?;
    if until_ms <= now_ms {
        return Err(format!("`{}` is over", order.until));
    }
    if until_ms <= from_ms {
        return Err(format!(
            "`{}` is not after `{}`",
            order.until,
            order.from.as_deref().unwrap_or("now")
        ));
    }
    if until_ms - now_ms > i64::try_from(LONGEST_ONE_OFF.as_millis()).unwrap_or(i64::MAX) {
        return Err(format!(
            "`{}` is more than a year away; write what is that far off into the configuration",
            order.until
        ));
    }
    Ok(HoursChange { open: order.open, from_ms, until_ms, because: because.to_owned() })
}

fn told(hours: &str, change: &HoursChange, zone: Option<&str>, now_ms: i64) -> String {
    let word = if change.open { "open" } else { "closed" };
    let from = if change.from_ms > now_ms {
        format!(" from {}", clock(change.from_ms, zone))
    } else {
        String::new()
    };
    let until = clock(change.until_ms, zone);
    let zone = zone.unwrap_or("UTC");
    let because = match change.because.as_str() {
        "" => String::new(),
        because => format!(": {because}"),
    };
    format!("hours {hours}: {word}{from} until {until} ({zone}){because}")
}

/// As a clock in the zone shows it; without one, in UTC.
pub fn clock(at_ms: i64, zone: Option<&str>) -> String {
    let zone = zone.and_then(|zone| TimeZone::get(zone).ok()).unwrap_or(TimeZone::UTC);
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(zone).strftime("%F %H:%M").to_string()
}

fn views(snapshot: &Snapshot, stored: &[store::OneOff], now_ms: i64) -> Vec<HoursView> {
    let one_offs: Vec<OneOff> = stored.iter().map(one_off).collect();
    let all = all(snapshot);
    let mut views = Vec::new();
    for (flow, hours) in &all {
        let numbers: Vec<Option<&str>> = match &hours.schedule {
            Schedule::Week(_) => vec![None],
            Schedule::ByCalledNumber(weeks) => weeks.keys().map(|number| Some(&**number)).collect(),
        };
        for number in numbers {
            let mut view = view(hours, number, &one_offs, now_ms);
            view.flow = flow.map(str::to_owned);
            view.one_offs = of_hours(stored, &hours.name);
            views.push(view);
        }
    }
    let mut gone: Vec<&str> = stored.iter().map(|one_off| one_off.hours.as_str()).collect();
    gone.retain(|name| !all.iter().any(|(_, hours)| hours.name == *name));
    gone.sort_unstable();
    gone.dedup();
    views.extend(
        gone.into_iter()
            .map(|name| HoursView { one_offs: of_hours(stored, name), ..nothing_of(name) }),
    );
    views
}

fn view(hours: &Hours, number: Option<&str>, one_offs: &[OneOff], now_ms: i64) -> HoursView {
    let called = number.unwrap_or_default();
    let state = hours.state(now_ms, called, one_offs);
    let calendar = hours.calendar(called);
    let (by, because) = match state.map(|state| state.by) {
        Some(By::Week) => (Some("week"), ""),
        Some(By::Holiday(name)) => (Some("holiday"), name),
        Some(By::OneOff(one_off)) => (Some("operator"), one_off.because.as_str()),
        None => (None, ""),
    };
    HoursView {
        number: number.map(str::to_owned),
        leads_to: calendar.map(|(name, _)| name.to_owned()).filter(|name| *name != hours.name),
        zone: calendar.map(|(_, week)| week.zone.clone()),
        open: state.map(|state| state.open),
        by: by.map(str::to_owned),
        because: because.to_owned(),
        until_ms: hours.next_change(now_ms, called, one_offs),
        ..nothing_of(&hours.name)
    }
}

fn nothing_of(hours: &str) -> HoursView {
    HoursView {
        hours: hours.to_owned(),
        flow: None,
        number: None,
        leads_to: None,
        zone: None,
        open: None,
        by: None,
        because: String::new(),
        until_ms: None,
        one_offs: Vec::new(),
    }
}

fn of_hours(stored: &[store::OneOff], hours: &str) -> Vec<OneOffView> {
    let of_hours = stored.iter().filter(|one_off| one_off.hours == hours);
    let view = |one_off: &store::OneOff| OneOffView {
        open: one_off.change.open,
        from_ms: one_off.change.from_ms,
        until_ms: one_off.change.until_ms,
        because: one_off.change.because.clone(),
        by_whom: one_off.by_whom.clone(),
        at_ms: one_off.at_ms,
    };
    of_hours.map(view).collect()
}
