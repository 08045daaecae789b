//! `VEVENT`: on which days it is.

use jiff::{
    SignedDuration, Span, Timestamp, ToSpan,
    civil::{Date, Time},
    tz::TimeZone,
};

use super::{
    Fault,
    lines::Line,
    moment::{Moment, Zones},
    rule::Rule,
};

/// An event as written.
#[derive(Debug)]
pub(super) struct Event {
    pub uid: String,
    pub summary: String,
    pub is_cancelled: bool,
    /// Which instance of the other event of its `uid` it stands for.
    pub stands_for: Option<Moment>,
    start: Moment,
    length: Length,
    rules: Vec<Repeat>,
    more: Vec<Moment>,
    except: Vec<Moment>,
}

#[derive(Debug)]
struct Repeat {
    rule: Rule,
    until: Option<Moment>,
}

#[derive(Debug, Clone, Copy)]
enum Length {
    /// Whole days, at least one.
    Days(i32),
    /// By a `DTEND` in another zone: the same for each instance (§3.8.5.3).
    Exact(SignedDuration),
    /// By `DURATION`, whose days may have 23 or 25 hours.
    Nominal(Span),
    /// By a `DTEND` in the same zone: so long by the clock there, though that is changed between.
    ByClock(Span),
}

/// A fault and the number of its line.
type At<T> = Result<T, (usize, Fault)>;

impl Event {
    /// Reads the lines between `BEGIN:VEVENT`, whose number is `begin`, and `END:VEVENT`.
    pub fn read(lines: &[Line], begin: usize, zones: &Zones) -> At<Self> {
        let of = |name: &str| lines.iter().find(|line| line.name == name);
        let text = |name: &str| of(name).map_or("", |line| line.value.as_str());
        let start = moment(of("DTSTART").ok_or((begin, Fault::NoStart))?, zones)?;
        let stands_for = of("RECURRENCE-ID").map(|line| match line.param("RANGE") {
            Some(range) => Err((line.number, Fault::Beyond(format!("RANGE={range}")))),
            None => moment(line, zones),
        });
        if let Some(line) = of("EXRULE") {
            return Err((line.number, Fault::Beyond("EXRULE".into())));
        }
        let rules = lines.iter().filter(|line| line.name == "RRULE");
        Ok(Self {
            uid: text("UID").to_owned(),
            summary: unescape(text("SUMMARY")),
            is_cancelled: text("STATUS").eq_ignore_ascii_case("CANCELLED"),
            stands_for: stands_for.transpose()?,
            length: length(&start, of("DTEND"), of("DURATION"), zones)?,
            rules: rules.map(|line| repeat(line, zones)).collect::<At<_>>()?,
            more: moments(lines, "RDATE", zones)?,
            except: moments(lines, "EXDATE", zones)?,
            start,
        })
    }

    /// The days of `zone` up to `last` that it is on, first and last of each stretch in order;
    /// instances that other events stand for are left out.
    pub fn stretches(
        &self,
        zone: &TimeZone,
        last: Date,
        elsewhere: &[&Moment],
    ) -> Vec<(Date, Date)> {
        let left_out = |instance: &Moment| {
            let mut others = self.except.iter().chain(elsewhere.iter().copied());
            others.any(|other| other.means(instance))
        };
        let instances = self.instances(last).filter(|instance| !left_out(instance));
        let mut days: Vec<_> =
            instances.filter_map(|instance| self.days_of(&instance, zone)).collect();
        days.sort_unstable();
        let mut stretches: Vec<(Date, Date)> = Vec::new();
        for (first, end) in days {
            match stretches.last_mut() {
                Some((_, before)) if first <= *before => *before = end.max(*before),
                _ => stretches.push((first, end)),
            }
        }
        stretches
    }

    fn instances(&self, last: Date) -> impl Iterator<Item = Moment> {
        let rule = self.rules.iter().flat_map(move |repeat| {
            let days = repeat.rule.days(self.start.date, last).map(|day| self.start.on(day));
            days.take_while(|at| repeat.until.as_ref().is_none_or(|until| !at.is_after(until)))
        });
        let once = self.rules.is_empty().then(|| self.start.clone());
        rule.chain(once).chain(self.more.iter().cloned())
    }

    /// First and last day of an instance.
    fn days_of(&self, at: &Moment, zone: &TimeZone) -> Option<(Date, Date)> {
        let Some(begin) = at.at() else {
            let Length::Days(days) = self.length else { return None };
            return Some((at.date, at.date.saturating_add((days - 1).days())));
        };
        let end = match self.length {
            Length::Exact(length) => begin.checked_add(length).ok()?,
            Length::Nominal(length) => after(begin, length, at)?,
            Length::ByClock(length) => at.later_by_clock(length)?,
            // One of RDATE has a time, and the event has none.
            Length::Days(_) => begin,
        };
        // Its end does not belong to it.
        let within = end.checked_sub(SignedDuration::from_nanos(1)).ok()?.max(begin);
        Some((zone.to_datetime(begin).date(), zone.to_datetime(within).date()))
    }
}

fn after(begin: Timestamp, length: Span, at: &Moment) -> Option<Timestamp> {
    let (_, zone) = at.time.as_ref()?;
    Some(begin.to_zoned(zone.clone()).checked_add(length).ok()?.timestamp())
}

fn moment(line: &Line, zones: &Zones) -> At<Moment> {
    Moment::parse(line, &line.value, zones).map_err(|fault| (line.number, fault))
}

/// All values of all lines of this name.
fn moments(lines: &[Line], name: &str, zones: &Zones) -> At<Vec<Moment>> {
    let of_name = lines.iter().filter(|line| line.name == name);
    let values = of_name.flat_map(|line| line.value.split(',').map(move |value| (line, value)));
    let read = |(line, value): (&Line, &str)| match line.param("VALUE") {
        Some(kind) if kind.eq_ignore_ascii_case("PERIOD") => {
            Err((line.number, Fault::Beyond(format!("{name};VALUE=PERIOD"))))
        }
        _ => Moment::parse(line, value.trim(), zones).map_err(|fault| (line.number, fault)),
    };
    values.map(read).collect()
}

fn repeat(line: &Line, zones: &Zones) -> At<Repeat> {
    let rule = Rule::parse(&line.value).map_err(|fault| (line.number, fault.into()))?;
    let until = rule.until.as_deref().map(|until| Moment::parse(line, until, zones));
    Ok(Repeat { until: until.transpose().map_err(|fault| (line.number, fault))?, rule })
}

fn length(
    start: &Moment,
    end: Option<&Line>,
    duration: Option<&Line>,
    zones: &Zones,
) -> At<Length> {
    if let Some(line) = end {
        let end = moment(line, zones)?;
        let length = match (start.at(), end.at()) {
            // The end is the day after the last one, but some write the last one (§3.6.1), or a
            // time on it: the calendars that come with Thunderbird.
            (None, _) => {
                let within = end.time.as_ref().is_some_and(|(time, _)| *time > Time::midnight());
                let days = (end.date - start.date).get_days() + i32::from(within);
                (days >= 0).then_some(Length::Days(days.max(1)))
            }
            // In one zone it ends at the same time of day each time, as calendars show it, though a night
            // between is an hour shorter or longer.
            (Some(from), Some(to)) => (to >= from).then(|| {
                let exact = || Length::Exact(to.duration_since(from));
                start.until(&end).map_or_else(exact, Length::ByClock)
            }),
            (Some(_), None) => None,
        };
        return length.ok_or((line.number, Fault::End));
    }
    let Some(line) = duration else {
        return Ok(start
            .time
            .as_ref()
            .map_or(Length::Days(1), |_| Length::Exact(SignedDuration::ZERO)));
    };
    let fault = || (line.number, Fault::Duration(line.value.clone()));
    let span: Span = line.value.parse().map_err(|_| fault())?;
    if span.is_negative() {
        return Err(fault());
    }
    if start.time.is_some() {
        return Ok(Length::Nominal(span));
    }
    // Of a day only days and weeks make sense (§3.8.2.5).
    let end = start.date.checked_add(span).map_err(|_| fault())?;
    Ok(Length::Days((end - start.date).get_days().max(1)))
}

/// One line of text (§3.3.11).
fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next() {
                Some('n' | 'N') | None => ' ',
                Some(escaped) => escaped,
            },
            c if c.is_control() => ' ',
            c => c,
        });
    }
    plain
}
