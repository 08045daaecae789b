//! The fragments that a way of speaking may need: what it says over all that it can be given.

use std::{collections::BTreeSet, sync::OnceLock};

use jiff::civil::Date;

use super::{
    Language, Way,
    grammar::{Grammar, Line},
    value::{Currency, Value},
};

const WAYS: usize = Way::Minutes as usize + 1;

/// Found once: a node checks hundreds of flows at a reload.
static FOUND: [[OnceLock<BTreeSet<String>>; WAYS]; Language::ALL.len()] =
    [const { [const { OnceLock::new() }; WAYS] }; Language::ALL.len()];

/// Returns the names of all fragments that a value spoken this way may need, in order.
pub fn needed(language: Language, way: Way) -> &'static BTreeSet<String> {
    FOUND[language as usize][way as usize].get_or_init(|| {
        let mut line = Line::default();
        add(language.grammar(), way, &mut line);
        line.into_names().into_iter().collect()
    })
}

fn add(grammar: &dyn Grammar, way: Way, line: &mut Line) {
    match way {
        Way::Plain => {
            let seen = [Way::Number, Way::Digits, Way::Money, Way::Date, Way::Time, Way::Phone];
            seen.into_iter().for_each(|way| add(grammar, way, line));
        }
        Way::Number => numbers().for_each(|whole| {
            let decimals = "0123456789".to_owned();
            grammar.say(&Value::Number { negative: true, whole, decimals }, line);
        }),
        Way::Digits => grammar.say(&Value::Digits("+0123456789".to_owned()), line),
        Way::Ordinal => (1..100).for_each(|n| grammar.say(&Value::Ordinal(n), line)),
        Way::Money => {
            for currency in Currency::ALL {
                for (at, units) in (0..).zip(numbers()) {
                    let cents = at % 100;
                    grammar.say(&Value::Money { negative: true, units, cents, currency }, line);
                }
            }
        }
        Way::Date => days().for_each(|day| grammar.say(&Value::Date(day), line)),
        Way::Day => days().for_each(|day| grammar.say(&Value::Day(day), line)),
        Way::Time => {
            for minute in 0..24 * 60 {
                let (hour, minute) = (minute / 60, minute % 60);
                grammar.say(&Value::Time { hour, minute }, line);
            }
        }
        Way::Phone => {
            let home = (0..100).map(|n| format!("{n:02}")).collect();
            grammar.say(&Value::Phone(home), line);
            grammar.say(&Value::Phone(vec!["+0123456789".to_owned()]), line);
        }
        Way::Minutes => (0..24 * 60).for_each(|n| grammar.say(&Value::Minutes(n), line)),
    }
}

/// Every number below a thousand, on its own, as thousands and as millions.
fn numbers() -> impl Iterator<Item = u32> {
    (0..1_000).flat_map(|n| [n, n * 1_000, n * 1_000_000])
}

/// All days of a leap year, and one of each year that a date may lie in.
fn days() -> impl Iterator<Item = Date> {
    let days = (1..=12).flat_map(|month| (1..=31).map(move |day| (2_024, month, day)));
    let years = (1_900..2_200).map(|year| (year, 1, 1));
    days.chain(years).filter_map(|(year, month, day)| Date::new(year, month, day).ok())
}
