//! What a field holds: numbers, money, dates, times and phone numbers as flows and sources write
//! them.

use jiff::civil::Date;
use message_text::E164;

use super::Way;

/// More is read digit by digit, or not at all.
const MAX_WHOLE: u32 = 999_999_999;
const MAX_DECIMALS: usize = 6;
const MAX_DIGITS: usize = 40;
/// Durations are less than a day.
const MINUTES: std::ops::RangeInclusive<u32> = 0..=1_439;
const ORDINALS: std::ops::RangeInclusive<u32> = 1..=99;
/// Years that a date can be said of.
pub(crate) const YEARS: std::ops::RangeInclusive<i16> = 1_900..=2_199;

/// A value that can be spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Number {
        negative: bool,
        whole: u32,
        decimals: String,
    },
    /// Digits, with a `+` before them or not.
    Digits(String),
    Ordinal(u32),
    Money {
        negative: bool,
        units: u32,
        cents: u32,
        currency: Currency,
    },
    Date(Date),
    Day(Date),
    Time {
        hour: u32,
        minute: u32,
    },
    /// Groups of digits, the first with a `+` where it is a country code.
    Phone(Vec<String>),
    Minutes(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Currency {
    Gbp,
    Eur,
    Usd,
}

impl Currency {
    pub const ALL: [Self; 3] = [Self::Gbp, Self::Eur, Self::Usd];

    /// The part of a fragment's name: the ISO 4217 code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Gbp => "gbp",
            Self::Eur => "eur",
            Self::Usd => "usd",
        }
    }
}

impl Value {
    pub fn parse(way: Way, text: &str, home: &str) -> Option<Self> {
        match way {
            Way::Plain => plain(text, home),
            Way::Number => number(text),
            Way::Digits => digits(text),
            Way::Ordinal => whole(text, ORDINALS).map(Self::Ordinal),
            Way::Money => money(text),
            Way::Date => date(text).map(Self::Date),
            Way::Day => date(text).map(Self::Day),
            Way::Time => time(text),
            Way::Phone => phone(text, home),
            Way::Minutes => whole(text, MINUTES).map(Self::Minutes),
        }
    }
}

/// Digits that begin with a 0, or are too many for a number, are a code: read one by one.
fn plain(text: &str, home: &str) -> Option<Value> {
    let all_digits = is_digits(text);
    if text.starts_with('+') {
        return phone(text, home);
    }
    if all_digits && (text.len() > 1 && text.starts_with('0') || text.len() > 9) {
        return digits(text);
    }
    date(text)
        .map(Value::Date)
        .or_else(|| time(text))
        .or_else(|| money(text))
        .or_else(|| number(text))
}

fn number(text: &str) -> Option<Value> {
    let (negative, text) = sign(text);
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let cut_short = text.ends_with('.') || decimals.len() > MAX_DECIMALS;
    if cut_short || !(decimals.is_empty() || is_digits(decimals)) {
        return None;
    }
    let whole = self::whole(whole, 0..=MAX_WHOLE)?;
    Some(Value::Number { negative, whole, decimals: decimals.to_owned() })
}

fn digits(text: &str) -> Option<Value> {
    let separators = |c: char| matches!(c, ' ' | '-' | '.' | '/' | '(' | ')');
    let kept: String = text.chars().filter(|c| !separators(*c)).collect();
    let bare = kept.strip_prefix('+').unwrap_or(&kept);
    (is_digits(bare) && bare.len() <= MAX_DIGITS).then_some(Value::Digits(kept))
}

/// `12.50 GBP`, `GBP 12.50` or `-3 EUR`.
fn money(text: &str) -> Option<Value> {
    let (one, other) = text.split_once(' ')?;
    let currency = |code: &str| {
        Currency::ALL.into_iter().find(|currency| currency.code().eq_ignore_ascii_case(code))
    };
    let (currency, amount) = match (currency(one), currency(other)) {
        (Some(currency), None) => (currency, other),
        (None, Some(currency)) => (currency, one),
        _ => return None,
    };
    let Value::Number { negative, whole: units, decimals } = number(amount)? else { return None };
    let cents = match decimals.len() {
        0 => 0,
        1 => decimals.parse::<u32>().ok()? * 10,
        2 => decimals.parse().ok()?,
        _ => return None,
    };
    Some(Value::Money { negative, units, cents, currency })
}

/// `2026-11-25`.
fn date(text: &str) -> Option<Date> {
    let shape = text.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let date = (shape && text.len() == 10).then(|| text.parse::<Date>().ok())??;
    YEARS.contains(&date.year()).then_some(date)
}

/// `14:05` or `9:05`.
fn time(text: &str) -> Option<Value> {
    let (hour, minute) = text.split_once(':')?;
    let lengths = (1..=2).contains(&hour.len()) && minute.len() == 2;
    let (hour, minute) = (whole(hour, 0..=23)?, whole(minute, 0..=59)?);
    lengths.then_some(Value::Time { hour, minute })
}

/// As its country groups it, with the country code only where that is not `home`. What no plan
/// knows is read as it stands.
fn phone(text: &str, home: &str) -> Option<Value> {
    let Value::Digits(kept) = digits(text)? else { return None };
    let long = (3..=15).contains(&kept.trim_start_matches('+').len());
    if !long {
        return None;
    }
    let written = E164::parse(&kept, home).map_or(kept, |number| number.grouped(home));
    let mut groups: Vec<String> = Vec::new();
    for group in written.split(|c: char| !c.is_ascii_digit() && c != '+') {
        groups.extend(short_groups(group));
    }
    Some(Value::Phone(groups))
}

/// Groups that can be heard at once: longer ones fall into threes and twos.
fn short_groups(group: &str) -> Vec<String> {
    let (plus, mut rest) = group.strip_prefix('+').map_or(("", group), |rest| ("+", rest));
    let mut groups = Vec::new();
    while rest.len() > 5 || (rest.len() == 5 && !groups.is_empty()) {
        let (piece, after) = rest.split_at(3);
        groups.push(piece.to_owned());
        rest = after;
    }
    match rest.len() {
        0 => {}
        4 if !groups.is_empty() => groups.extend([&rest[..2], &rest[2..]].map(str::to_owned)),
        _ => groups.push(rest.to_owned()),
    }
    if let Some(first) = groups.first_mut() {
        first.insert_str(0, plus);
    }
    groups
}

fn whole(text: &str, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
    let number = is_digits(text).then(|| text.parse::<u32>().ok())??;
    range.contains(&number).then_some(number)
}

fn sign(text: &str) -> (bool, &str) {
    text.strip_prefix('-').map_or((false, text), |rest| (true, rest))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
