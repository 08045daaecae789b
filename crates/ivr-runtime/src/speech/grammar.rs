//! What the languages have in common: digits, decimals, money, phone numbers, durations.

use super::{PAUSE, value::Currency, value::Value};
use jiff::civil::Date;

/// Fragments in the order spoken.
#[derive(Debug, Default)]
pub(super) struct Line(Vec<String>);

impl Line {
    /// The fragment `f-NAME`.
    pub fn add(&mut self, name: impl std::fmt::Display) {
        self.0.push(format!("f-{name}"));
    }

    pub fn into_names(self) -> Vec<String> {
        self.0
    }
}

/// Fragments in the making: names and texts.
#[derive(Debug, Default)]
pub(super) struct List(Vec<(String, String)>);

impl List {
    /// The fragment `f-NAME`.
    pub fn add(&mut self, name: impl std::fmt::Display, text: impl Into<String>) {
        self.0.push((format!("f-{name}"), text.into()));
    }

    pub fn all(&mut self, pairs: &[(&str, &str)]) {
        pairs.iter().for_each(|(name, text)| self.add(name, *text));
    }

    /// `f-PREFIX-1` and so on.
    pub fn numbered<T: AsRef<str>>(&mut self, prefix: &str, texts: &[T]) {
        for (n, text) in (1..).zip(texts) {
            self.add(format_args!("{prefix}-{n}"), text.as_ref());
        }
    }

    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }
}

/// The form of a number that ends in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// On its own: "uno", "eins", "un".
    Counting,
    /// Before a masculine or neuter noun: "un", "ein", "un".
    Masculine,
    /// Before a feminine noun: "una", "eine", "une".
    Feminine,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noun {
    Money(Currency),
    /// Pence, cents.
    Coin(Currency),
    Minute,
    Hour,
}

impl Noun {
    /// The start of its fragments' names.
    fn name(self) -> String {
        match self {
            Self::Money(currency) => currency.code().to_owned(),
            Self::Coin(currency) => format!("{}-cent", currency.code()),
            Self::Minute => "minute".to_owned(),
            Self::Hour => "hour".to_owned(),
        }
    }
}

pub(super) trait Grammar {
    /// The words of 0 to 99, as they are counted.
    fn small(&self, n: u32) -> String;

    /// The words of 1st to 99th, of those that [`Grammar::nth`] does not put together.
    fn ordinal(&self, n: u32) -> String;

    /// Speaks 1st to 99th.
    fn nth(&self, n: u32, line: &mut Line) {
        line.add(format_args!("ord-{n}"));
    }

    /// Speaks 0 to 999,999,999.
    fn cardinal(&self, n: u32, form: Form, line: &mut Line);

    /// A day of the year 1900 to 2199; without weekday it comes with its year.
    fn date(&self, date: Date, weekday: bool, line: &mut Line);

    fn time(&self, hour: u32, minute: u32, line: &mut Line);

    /// All fragments but those of [`common`].
    fn fragments(&self, list: &mut List);

    /// The form of "one" before a noun.
    fn form(&self, _noun: Noun) -> Form {
        Form::Counting
    }

    fn is_singular(&self, n: u32) -> bool {
        n == 1
    }

    /// Joins pounds and pence.
    fn money_joint(&self) -> &'static str {
        "and"
    }

    /// "un millón de euros": whole millions stand before a form of the noun of its own.
    fn has_form_after_millions(&self) -> bool {
        false
    }

    /// One to 23 hours.
    fn hours(&self, n: u32, line: &mut Line) {
        self.counted(n, Noun::Hour, line);
    }

    /// Digits of a number of the own country that belong together.
    fn phone_group(&self, group: &str, line: &mut Line) {
        digits(group, line);
    }

    fn counted(&self, n: u32, noun: Noun, line: &mut Line) {
        self.cardinal(n, self.form(noun), line);
        let whole_millions = n > 0 && n.is_multiple_of(1_000_000);
        let form = match self.is_singular(n) {
            _ if whole_millions && self.has_form_after_millions() => "of",
            true => "one",
            false => "many",
        };
        line.add(format_args!("{}-{form}", noun.name()));
    }

    fn say(&self, value: &Value, line: &mut Line) {
        match value {
            Value::Number { negative, whole, decimals } => {
                minus(*negative && (*whole > 0 || decimals.contains(|c| c != '0')), line);
                self.cardinal(*whole, Form::Counting, line);
                if !decimals.is_empty() {
                    line.add("point");
                    digits(decimals, line);
                }
            }
            Value::Digits(text) => digits(text, line),
            Value::Ordinal(n) => self.nth(*n, line),
            Value::Money { negative, units, cents, currency } => {
                minus(*negative && (*units, *cents) != (0, 0), line);
                if *units > 0 || *cents == 0 {
                    self.counted(*units, Noun::Money(*currency), line);
                }
                if *units > 0 && *cents > 0 {
                    line.add(self.money_joint());
                }
                if *cents > 0 {
                    self.counted(*cents, Noun::Coin(*currency), line);
                }
            }
            Value::Date(date) => self.date(*date, false, line),
            Value::Day(date) => self.date(*date, true, line),
            Value::Time { hour, minute } => self.time(*hour, *minute, line),
            Value::Phone(groups) => {
                let abroad = groups.first().is_some_and(|group| group.starts_with('+'));
                for (at, group) in groups.iter().enumerate() {
                    if at > 0 {
                        line.0.push(PAUSE.to_owned());
                    }
                    match abroad {
                        true => digits(group, line),
                        false => self.phone_group(group, line),
                    }
                }
            }
            Value::Minutes(n) => {
                let (hours, minutes) = (n / 60, n % 60);
                if hours > 0 {
                    self.hours(hours, line);
                }
                if hours > 0 && minutes > 0 {
                    line.add("and");
                }
                if hours == 0 || minutes > 0 {
                    self.counted(minutes, Noun::Minute, line);
                }
            }
        }
    }
}

/// The fragments that every language has.
pub(super) fn common(grammar: &dyn Grammar) -> List {
    let mut list = List::default();
    (0..100).for_each(|n| list.add(n, grammar.small(n)));
    for n in 1..100 {
        let mut line = Line::default();
        grammar.nth(n, &mut line);
        if line.0.len() == 1 {
            list.add(format_args!("ord-{n}"), grammar.ordinal(n));
        }
    }
    list.add("pause", ",");
    list
}

/// One by one; a `+` is said.
pub(super) fn digits(text: &str, line: &mut Line) {
    for c in text.chars() {
        match c {
            '+' => line.add("plus"),
            digit => line.add(digit),
        }
    }
}

/// The number of 100s and what is left of `n`.
pub(super) fn hundreds(n: u32) -> (u32, u32) {
    (n / 100, n % 100)
}

/// Millions, thousands and what is left of `n`, each below 1,000.
pub(super) fn thousands(n: u32) -> (u32, u32, u32) {
    (n / 1_000_000, n / 1_000 % 1_000, n % 1_000)
}

fn minus(negative: bool, line: &mut Line) {
    if negative {
        line.add("minus");
    }
}

/// A year or a number from its date, as it is counted.
pub(super) fn unsigned(n: impl Into<i32>) -> u32 {
    n.into().unsigned_abs()
}
