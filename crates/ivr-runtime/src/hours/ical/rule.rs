//! Recurrence rules (RFC 5545 §3.3.10), as far as days recur: nothing within a day, no weeks and
//! days of the year.

use jiff::{
    ToSpan,
    civil::{Date, Weekday},
};

/// What an `RRULE` says, but for its `UNTIL`, which is a moment like those of the event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    every: Every,
    interval: i32,
    pub count: Option<usize>,
    months: Vec<i8>,
    /// From 1; negative: from the end of the month.
    month_days: Vec<i8>,
    /// With an ordinal in its month or year; negative: from the end.
    week_days: Vec<(Option<i16>, Weekday)>,
    /// Which of the days of one period, from 1; negative: from the end.
    positions: Vec<i16>,
    week_start: Weekday,
    /// As written.
    pub until: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Every {
    Day,
    Week,
    Month,
    Year,
}

/// Why a text is no rule of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleFault {
    /// `NAME=VALUE` of it.
    #[error("`{0}` in the RRULE is not understood")]
    Part(String),
    /// There is no `FREQ`.
    #[error("the RRULE has no FREQ")]
    Frequency,
    /// Known to the standard, but nothing that recurs by days needs it.
    #[error("`{0}` in the RRULE can't be used; write the dates as RDATE, or a rule by days")]
    Beyond(String),
}

impl Rule {
    pub fn parse(text: &str) -> Result<Self, RuleFault> {
        let mut every = None;
        let mut rule = Self {
            every: Every::Day,
            interval: 1,
            count: None,
            months: Vec::new(),
            month_days: Vec::new(),
            week_days: Vec::new(),
            positions: Vec::new(),
            week_start: Weekday::Monday,
            until: None,
        };
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let fault = || RuleFault::Part(part.to_owned());
            let (name, value) = part.split_once('=').ok_or_else(fault)?;
            match name.to_ascii_uppercase().as_str() {
                "FREQ" => every = Some(frequency(value, part)?),
                "INTERVAL" => rule.interval = positive(value).ok_or_else(fault)?,
                "COUNT" => rule.count = Some(positive(value).ok_or_else(fault)?),
                "UNTIL" => rule.until = Some(value.to_owned()),
                "BYMONTH" => rule.months = numbers(value, 1, 12).ok_or_else(fault)?,
                "BYMONTHDAY" => rule.month_days = numbers(value, -31, 31).ok_or_else(fault)?,
                "BYSETPOS" => rule.positions = numbers(value, -366, 366).ok_or_else(fault)?,
                "BYDAY" => rule.week_days = week_days(value).ok_or_else(fault)?,
                "WKST" => rule.week_start = week_day(value).ok_or_else(fault)?,
                "BYSECOND" | "BYMINUTE" | "BYHOUR" | "BYYEARDAY" | "BYWEEKNO" => {
                    return Err(RuleFault::Beyond(part.to_owned()));
                }
                _ => return Err(fault()),
            }
        }
        rule.every = every.ok_or(RuleFault::Frequency)?;
        rule.check()?;
        Ok(rule)
    }

    /// What the standard does not define.
    fn check(&self) -> Result<(), RuleFault> {
        let short = matches!(self.every, Every::Day | Every::Week);
        if short && self.week_days.iter().any(|(ordinal, _)| ordinal.is_some()) {
            return Err(RuleFault::Part("BYDAY".into()));
        }
        if self.every == Every::Week && !self.month_days.is_empty() {
            return Err(RuleFault::Part("BYMONTHDAY".into()));
        }
        Ok(())
    }

    /// The days of an event that begins on `first`, in order, from then to `last`.
    ///
    /// `first` is one of them whether it fits the rule or not, and counts (§3.8.5.3).
    pub fn days(&self, first: Date, last: Date) -> impl Iterator<Item = Date> {
        let rule = self.completed(first);
        let periods = rule.clone().periods(first).take_while(move |(begin, _)| *begin <= last);
        let later = periods.flat_map(move |period| rule.days_of(period));
        let later = later.filter(move |day| first < *day && *day <= last);
        std::iter::once(first).chain(later).take(self.count.unwrap_or(usize::MAX))
    }

    /// With what the event's first day says where the rule says nothing.
    fn completed(&self, first: Date) -> Self {
        let mut rule = self.clone();
        let days = !self.month_days.is_empty() || !self.week_days.is_empty();
        match self.every {
            Every::Year | Every::Month if !days => {
                rule.month_days = vec![first.day()];
                if self.every == Every::Year && self.months.is_empty() {
                    rule.months = vec![first.month()];
                }
            }
            Every::Week if !days => rule.week_days = vec![(None, first.weekday())],
            Every::Day | Every::Week | Every::Month | Every::Year => {}
        }
        rule
    }

    /// First and last days of the periods that it looks at, from that of `first` on.
    fn periods(self, first: Date) -> impl Iterator<Item = (Date, Date)> {
        let begin = match self.every {
            Every::Day => Some(first),
            Every::Week => {
                let since = first.weekday().since(self.week_start);
                first.checked_sub(i64::from(since).days()).ok()
            }
            Every::Month => Some(first.first_of_month()),
            Every::Year => Some(first.first_of_year()),
        };
        let step = match self.every {
            Every::Day => self.interval.days(),
            Every::Week => self.interval.weeks(),
            Every::Month => self.interval.months(),
            Every::Year => self.interval.years(),
        };
        let begins = std::iter::successors(begin, move |begin| begin.checked_add(step).ok());
        begins.map(move |begin| {
            let end = match self.every {
                Every::Day => begin,
                Every::Week => begin.saturating_add(6.days()),
                Every::Month => begin.last_of_month(),
                Every::Year => begin.last_of_year(),
            };
            (begin, end)
        })
    }

    fn days_of(&self, (begin, end): (Date, Date)) -> Vec<Date> {
        let all = std::iter::successors(Some(begin), |day| day.tomorrow().ok());
        let all = all.take_while(|day| *day <= end);
        let days: Vec<Date> = all.filter(|day| self.fits(*day)).collect();
        if self.positions.is_empty() {
            return days;
        }
        let of = |(at, _): &(usize, &Date)| {
            let from_end = days.len() - at;
            self.positions.iter().any(|position| {
                let wanted = usize::from(position.unsigned_abs());
                wanted == if *position > 0 { at + 1 } else { from_end }
            })
        };
        days.iter().enumerate().filter(of).map(|(_, day)| *day).collect()
    }

    fn fits(&self, day: Date) -> bool {
        let in_month = self.months.is_empty() || self.months.contains(&day.month());
        in_month && self.fits_month_day(day) && self.fits_week_day(day)
    }

    fn fits_month_day(&self, day: Date) -> bool {
        let from_end = day.day() - day.days_in_month() - 1;
        self.month_days.is_empty()
            || self.month_days.iter().any(|wanted| *wanted == day.day() || *wanted == from_end)
    }

    fn fits_week_day(&self, day: Date) -> bool {
        // Ordinals count in the month, or, of a yearly rule without months, in the year.
        let (at, len) = if self.every == Every::Year && self.months.is_empty() {
            (day.day_of_year(), day.days_in_year())
        } else {
            (i16::from(day.day()), i16::from(day.days_in_month()))
        };
        let (from_begin, from_end) = ((at - 1) / 7 + 1, -((len - at) / 7 + 1));
        let fits = |(ordinal, week_day): &(Option<i16>, Weekday)| {
            *week_day == day.weekday()
                && ordinal.is_none_or(|ordinal| ordinal == from_begin || ordinal == from_end)
        };
        self.week_days.is_empty() || self.week_days.iter().any(fits)
    }
}

fn frequency(value: &str, part: &str) -> Result<Every, RuleFault> {
    match value.to_ascii_uppercase().as_str() {
        "DAILY" => Ok(Every::Day),
        "WEEKLY" => Ok(Every::Week),
        "MONTHLY" => Ok(Every::Month),
        "YEARLY" => Ok(Every::Year),
        "SECONDLY" | "MINUTELY" | "HOURLY" => Err(RuleFault::Beyond(part.to_owned())),
        _ => Err(RuleFault::Part(part.to_owned())),
    }
}

/// 1 to 9,999.
fn positive<T: TryFrom<u16>>(text: &str) -> Option<T> {
    let number = text.parse::<u16>().ok().filter(|number| (1..=9_999).contains(number))?;
    T::try_from(number).ok()
}

/// Numbers by comma, none of them 0.
fn numbers<T: TryFrom<i16>>(text: &str, least: i16, most: i16) -> Option<Vec<T>> {
    let number = |text: &str| {
        let number = text.trim().parse::<i16>().ok()?;
        let fits = number != 0 && (least..=most).contains(&number);
        T::try_from(number).ok().filter(|_| fits)
    };
    text.split(',').map(number).collect()
}

fn week_days(text: &str) -> Option<Vec<(Option<i16>, Weekday)>> {
    let read = |text: &str| {
        let text = text.trim();
        let (ordinal, day) = text.split_at_checked(text.len().checked_sub(2)?)?;
        if ordinal.is_empty() {
            return Some((None, week_day(day)?));
        }
        let [ordinal] = numbers(ordinal, -53, 53)?[..] else { return None };
        Some((Some(ordinal), week_day(day)?))
    };
    text.split(',').map(read).collect()
}

fn week_day(text: &str) -> Option<Weekday> {
    Some(match text.to_ascii_uppercase().as_str() {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn kh_07_days_recur_as_the_examples_of_the_standard_say() {
        // RFC 5545 §3.8.5.3, the rules that are about days.
        for (rule, first, expected) in [
            ("FREQ=DAILY;COUNT=3", (1997, 9, 2), "1997-09-02 1997-09-03 1997-09-04"),
            ("FREQ=DAILY;INTERVAL=10;COUNT=3", (1997, 9, 2), "1997-09-02 1997-09-12 1997-09-22"),
            (
                "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,TH;COUNT=4",
                (1997, 9, 2),
                "1997-09-02 1997-09-04 1997-09-16 1997-09-18",
            ),
            (
                "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
                (1997, 8, 5),
                "1997-08-05 1997-08-10 1997-08-19 1997-08-24",
            ),
            (
                "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
                (1997, 8, 5),
                "1997-08-05 1997-08-17 1997-08-19 1997-08-31",
            ),
            ("FREQ=MONTHLY;COUNT=3;BYDAY=1FR", (1997, 9, 5), "1997-09-05 1997-10-03 1997-11-07"),
            ("FREQ=MONTHLY;COUNT=3;BYDAY=-2MO", (1997, 9, 22), "1997-09-22 1997-10-20 1997-11-17"),
            (
                "FREQ=MONTHLY;BYMONTHDAY=-3;COUNT=3",
                (1997, 9, 28),
                "1997-09-28 1997-10-29 1997-11-28",
            ),
            (
                "FREQ=YEARLY;COUNT=4;BYMONTH=6,7",
                (1997, 6, 10),
                "1997-06-10 1997-07-10 1998-06-10 1998-07-10",
            ),
            ("FREQ=YEARLY;BYDAY=20MO;COUNT=3", (1997, 5, 19), "1997-05-19 1998-05-18 1999-05-17"),
            (
                "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=3",
                (1998, 2, 13),
                "1998-02-13 1998-03-13 1998-11-13",
            ),
            (
                "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8;COUNT=3",
                (1996, 11, 5),
                "1996-11-05 2000-11-07 2004-11-02",
            ),
            (
                "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
                (1997, 9, 4),
                "1997-09-04 1997-10-07 1997-11-06",
            ),
            (
                "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2;COUNT=3",
                (1997, 9, 29),
                "1997-09-29 1997-10-30 1997-11-27",
            ),
            // What is not there is left out: "invalid dates are ignored".
            (
                "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
                (2007, 1, 15),
                "2007-01-15 2007-01-30 2007-02-15 2007-03-15 2007-03-30",
            ),
            ("FREQ=YEARLY;COUNT=2", (2024, 2, 29), "2024-02-29 2028-02-29"),
        ] {
            let (year, month, day) = first;
            let rule_read = Rule::parse(rule).unwrap();
            let days = rule_read.days(date(year, month, day), date(2099, 12, 31));
            let days: Vec<String> = days.map(|day| day.to_string()).collect();
            assert_eq!(days.join(" "), expected, "{rule}");
        }
    }

    #[test]
    fn kh_07_what_is_no_rule_by_days_is_refused_by_its_part() {
        for (rule, why) in [
            ("", "no FREQ"),
            ("COUNT=3", "no FREQ"),
            ("FREQ=HOURLY", "`FREQ=HOURLY` in the RRULE can't be used"),
            ("FREQ=YEARLY;BYWEEKNO=20", "`BYWEEKNO=20` in the RRULE can't be used"),
            ("FREQ=SOMETIMES", "`FREQ=SOMETIMES` in the RRULE is not understood"),
            ("FREQ=DAILY;INTERVAL=0", "`INTERVAL=0` in"),
            ("FREQ=DAILY;COUNT=-1", "`COUNT=-1` in"),
            ("FREQ=YEARLY;BYMONTH=13", "`BYMONTH=13` in"),
            ("FREQ=YEARLY;BYMONTHDAY=0", "`BYMONTHDAY=0` in"),
            ("FREQ=MONTHLY;BYDAY=1XX", "`BYDAY=1XX` in"),
            ("FREQ=MONTHLY;BYDAY=é", "`BYDAY=é` in"),
            ("FREQ=WEEKLY;BYDAY=1MO", "`BYDAY` in"),
            ("FREQ=WEEKLY;BYMONTHDAY=1", "`BYMONTHDAY` in"),
            ("FREQ=DAILY;X-NAME=1", "`X-NAME=1` in"),
            ("FREQ", "`FREQ` in"),
        ] {
            let fault = Rule::parse(rule).unwrap_err().to_string();
            assert!(fault.contains(why), "{rule}: {fault}");
        }
    }
}
