//! `[hours.X]`.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{civil::Date, tz::TimeZone};
use toml::{Spanned, de::DeValue};

use crate::{
    diagnose::{Code, Notes, Span, Table, Takes, Text, nearest},
    hours::{
        HolidayProblem, Holidays, Hours, NamedWeek, Schedule, Week, is_zone, parse_holidays,
        parse_spans,
    },
};

/// Content of a file by the name that is written.
type ReadFile<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Opening hours whose names are not looked up yet.
#[derive(Debug, Clone, PartialEq)]
pub struct HoursDraft {
    /// `X`.
    pub name: Text,
    /// When it is open.
    pub schedule: ScheduleDraft,
}

/// When it is open.
#[derive(Debug, Clone, PartialEq)]
pub enum ScheduleDraft {
    /// The same for every called number.
    Week(Week),
    /// Called number and the name of its hours.
    ByCalledNumber(Vec<(Text, Text)>),
    /// It can't be told, and why is noted. The name is there all the same, so that nobody is told
    /// that it is not.
    Unknown,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Reads `[hours.X]`. `file` gives the content of a holiday file by the name written there.
pub fn hours(name: Text, table: Table<'_>, file: ReadFile<'_>) -> HoursDraft {
    let by_number = by_called_number(&table);
    let zone = zone(&table, by_number.is_some());
    let days = week(&table);
    let holidays = holidays(&table, zone.as_deref(), file).map(Arc::new);
    if by_number.is_some() {
        let own = DAYS.iter().copied().chain(["zone", "mon-fri", "holidays"]);
        for key in own.filter(|key| table.has(key)) {
            let help = "give the number hours of its own, and write it there";
            table.note(Code::E12, key, format!("`{key}` beside `by_called_number`"), help);
        }
    }
    table.finish();
    let schedule = match by_number {
        Some(numbers) => ScheduleDraft::ByCalledNumber(numbers),
        None => match (zone, days, holidays) {
            (Some(zone), Some(days), Some(holidays)) => {
                ScheduleDraft::Week(Week { zone, days, holidays })
            }
            _ => ScheduleDraft::Unknown,
        },
    };
    HoursDraft { name, schedule }
}

/// Looks up the names in `by_called_number`, among `drafts` and the `shared` ones.
pub fn resolve_hours(drafts: Vec<HoursDraft>, shared: &[Hours], notes: &Notes) -> Vec<Hours> {
    let mut weeks: BTreeMap<String, Week> = BTreeMap::new();
    for hours in shared {
        if let Schedule::Week(week) = &hours.schedule {
            weeks.insert(hours.name.clone(), week.clone());
        }
    }
    for draft in &drafts {
        if let ScheduleDraft::Week(week) = &draft.schedule {
            weeks.insert(draft.name.value.clone(), week.clone());
        }
    }
    let unknown: Vec<String> = drafts
        .iter()
        .filter(|draft| draft.schedule == ScheduleDraft::Unknown)
        .map(|draft| draft.name.value.clone())
        .collect();
    let resolve = |draft: HoursDraft| {
        let schedule = match draft.schedule {
            ScheduleDraft::Week(week) => Schedule::Week(week),
            ScheduleDraft::ByCalledNumber(numbers) => {
                let known =
                    numbers.into_iter().filter(|(_, hours)| !unknown.contains(&hours.value));
                let found = known.filter_map(|(number, hours)| {
                    Some((number.value, look_up(&weeks, &hours, notes)?))
                });
                Schedule::ByCalledNumber(found.collect())
            }
            ScheduleDraft::Unknown => Schedule::ByCalledNumber(BTreeMap::new()),
        };
        Hours { name: draft.name.value, schedule }
    };
    drafts.into_iter().map(resolve).collect()
}

fn look_up(weeks: &BTreeMap<String, Week>, name: &Text, notes: &Notes) -> Option<NamedWeek> {
    let week = weeks.get(&name.value);
    if week.is_none() {
        let help = nearest(&name.value, weeks.keys().map(String::as_str))
            .map_or_else(String::new, |near| format!("did you mean `{near}`?"));
        let message = format!("there are no `[hours.{}]` with a zone", name.value);
        notes.note(Code::E01, name.span.clone(), message, help);
    }
    Some(NamedWeek { hours: name.value.clone(), week: week?.clone() })
}

fn by_called_number(table: &Table<'_>) -> Option<Vec<(Text, Text)>> {
    let numbers = table.table("by_called_number", "`by_called_number`")?;
    let entries = numbers.keys().into_iter().filter_map(|number| {
        let key = Text { value: number.to_owned(), span: numbers.key_place(number) };
        Some((key, numbers.text(number)?))
    });
    let entries: Vec<(Text, Text)> = entries.collect();
    if numbers.keys().is_empty() {
        let help =
            "write `{ \"+442079460018\" = \"london\" }`: a number, and the name of its hours";
        table.note(Code::E12, "by_called_number", "`by_called_number` is empty", help);
    }
    Some(entries)
}

fn zone(table: &Table<'_>, optional: bool) -> Option<String> {
    if !optional {
        table.require("zone", Code::E12);
    }
    let zone = table.text("zone")?;
    if is_zone(&zone.value) {
        return Some(zone.value);
    }
    let known = jiff::tz::db().available().map(|name| name.as_str().to_owned());
    let known: Vec<String> = known.collect();
    let help = nearest(&zone.value, known.iter().map(String::as_str)).map_or_else(
        || "write an IANA zone, such as `Europe/London`".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    table.note(Code::E12, "zone", format!("there is no time zone `{}`", zone.value), help);
    None
}

/// A day of its own wins over `mon-fri`.
fn week(table: &Table<'_>) -> Option<[Vec<crate::hours::Span>; 7]> {
    let working = day(table, "mon-fri");
    let mut days: [Vec<crate::hours::Span>; 7] = Default::default();
    let mut complete = !matches!(working, Some(None));
    for (at, name) in DAYS.into_iter().enumerate() {
        match day(table, name) {
            Some(Some(spans)) => days[at] = spans,
            Some(None) => complete = false,
            None if at < 5 => days[at] = working.clone().flatten().unwrap_or_default(),
            None => {}
        }
    }
    complete.then_some(days)
}

/// `None`: not written; `Some(None)`: not readable.
fn day<'a>(table: &Table<'a>, key: &'a str) -> Option<Option<Vec<crate::hours::Span>>> {
    table.takes(key, Takes::Form("spans"));
    let value = table.value(key)?;
    // An empty text is a closed day.
    let Some(text) = value.get_ref().as_str() else {
        table.wrong_type(key, value, "a text such as `\"08:00-20:00\"`");
        return Some(None);
    };
    match parse_spans(text) {
        Ok(spans) => Some(Some(spans)),
        Err(why) => {
            table.note(Code::E12, key, format!("`{key}`: {why}"), "");
            Some(None)
        }
    }
}

/// `zone` as written, if it is one: the times of a calendar are told by it.
fn holidays(table: &Table<'_>, zone: Option<&str>, file: ReadFile<'_>) -> Option<Holidays> {
    table.takes("holidays", Takes::Form("holidays"));
    let Some(value) = table.value("holidays") else { return Some(Holidays::new()) };
    let zone = zone.and_then(|zone| TimeZone::get(zone).ok()).unwrap_or(TimeZone::UTC);
    let reader = HolidayReader { zone, file, notes: table.notes() };
    match value.get_ref() {
        DeValue::String(name) => reader.file(name, value.span()),
        DeValue::Array(list) => {
            let each: Vec<_> = list.iter().map(|item| reader.item(item)).collect();
            let each: Vec<Holidays> = each.into_iter().collect::<Option<_>>()?;
            let mut holidays = Holidays::new();
            for (day, name) in each.into_iter().flatten() {
                let known = holidays.entry(day).or_default();
                if known.is_empty() {
                    *known = name;
                }
            }
            Some(holidays)
        }
        _ => {
            table.wrong_type("holidays", value, "a list of dates and files, or the name of a file");
            None
        }
    }
}

struct HolidayReader<'a> {
    zone: TimeZone,
    file: ReadFile<'a>,
    notes: &'a Notes,
}

impl HolidayReader<'_> {
    /// A date, with quotes or, as TOML has dates, without; or the name of a file.
    fn item(&self, item: &Spanned<DeValue<'_>>) -> Option<Holidays> {
        let text = match item.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(date) => date.to_string(),
            _ => String::new(),
        };
        if let Ok(date) = text.parse::<Date>() {
            return Some(Holidays::from([(date, "".into())]));
        }
        // Dates have no letters, and names of files have.
        if text.contains(|c: char| c.is_alphabetic()) {
            return self.file(&text, item.span());
        }
        let help = "write it as `\"2026-12-25\"`";
        self.notes.note(Code::E12, item.span(), "this is no date", help);
        None
    }

    fn file(&self, name: &str, span: Span) -> Option<Holidays> {
        let Some(text) = (self.file)(name) else {
            let message = format!("the holiday file `{name}` can't be read");
            self.notes.note(Code::E12, span, message, "its name is relative to this file");
            return None;
        };
        parse_holidays(&text, &self.zone)
            .map_err(|problem| {
                let help = match problem {
                    HolidayProblem::Date(..) => "write one date a line, as `2026-12-25`",
                    HolidayProblem::Calendar(_) => "mend the calendar, or list its days",
                };
                let message = format!("the holiday file `{name}`, {problem}");
                self.notes.note(Code::E12, span, message, help);
            })
            .ok()
    }
}
