//! German of Germany.

use jiff::civil::Date;

use super::grammar::{Form, Grammar, Line, List, Noun, hundreds, thousands, unsigned};

const ONES: [&str; 20] = [
    "null",
    "eins",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
    "dreizehn",
    "vierzehn",
    "fünfzehn",
    "sechzehn",
    "siebzehn",
    "achtzehn",
    "neunzehn",
];
const TENS: [&str; 10] = [
    "", "", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig",
];
const MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];
const WEEKDAYS: [&str; 7] =
    ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"];

pub(super) struct German;

/// One is "eins", "ein" or "eine"; "einundzwanzig" never changes.
fn below_hundred(n: u32, form: Form, line: &mut Line) {
    match (n, form) {
        (1, Form::Masculine) => line.add("1m"),
        (1, Form::Feminine) => line.add("1f"),
        _ => line.add(n),
    }
}

fn below_thousand(n: u32, form: Form, line: &mut Line) {
    let (hundred, rest) = hundreds(n);
    if hundred > 0 {
        line.add(hundred * 100);
    }
    if rest > 0 || hundred == 0 {
        below_hundred(rest, form, line);
    }
}

/// "neunzehnhundertneunundneunzig", but "zweitausendsechsundzwanzig".
fn year(year: u32, line: &mut Line) {
    let (century, rest) = hundreds(year);
    if century % 10 == 0 {
        return German.cardinal(year, Form::Counting, line);
    }
    line.add(century);
    line.add("hundred");
    if rest > 0 {
        line.add(rest);
    }
}

impl Grammar for German {
    fn small(&self, n: u32) -> String {
        match (n / 10, n % 10) {
            (0 | 1, _) => ONES[n as usize].to_owned(),
            (tens, 0) => TENS[tens as usize].to_owned(),
            (tens, 1) => format!("einund{}", TENS[tens as usize]),
            (tens, ones) => format!("{}und{}", ONES[ones as usize], TENS[tens as usize]),
        }
    }

    fn ordinal(&self, n: u32) -> String {
        match n {
            1 => "erste".to_owned(),
            3 => "dritte".to_owned(),
            7 => "siebte".to_owned(),
            8 => "achte".to_owned(),
            0..20 => format!("{}te", self.small(n)),
            _ => format!("{}ste", self.small(n)),
        }
    }

    fn cardinal(&self, n: u32, form: Form, line: &mut Line) {
        let (millions, thousands, rest) = thousands(n);
        if millions > 0 {
            below_thousand(millions, Form::Feminine, line);
            line.add(if millions == 1 { "million" } else { "millions" });
        }
        if thousands > 0 {
            below_thousand(thousands, Form::Masculine, line);
            line.add("thousand");
        }
        if rest > 0 || n == 0 {
            below_thousand(rest, form, line);
        }
    }

    fn form(&self, noun: Noun) -> Form {
        match noun {
            Noun::Money(_) | Noun::Coin(_) => Form::Masculine,
            Noun::Minute | Noun::Hour => Form::Feminine,
        }
    }

    fn date(&self, date: Date, weekday: bool, line: &mut Line) {
        if weekday {
            line.add(format_args!("weekday-{}", date.weekday().to_monday_one_offset()));
        }
        line.add("the");
        line.add(format_args!("ord-{}", date.day()));
        line.add(format_args!("month-{}", date.month()));
        if !weekday {
            year(unsigned(date.year()), line);
        }
    }

    fn time(&self, hour: u32, minute: u32, line: &mut Line) {
        below_hundred(hour, Form::Masculine, line);
        line.add("clock");
        if minute > 0 {
            line.add(minute);
        }
    }

    fn fragments(&self, list: &mut List) {
        list.all(&[("1m", "ein"), ("1f", "eine"), ("100", "einhundert")]);
        for n in 2..10 {
            list.add(n * 100, format!("{}hundert", self.small(n)));
        }
        list.all(&[
            ("hundred", "hundert"),
            ("thousand", "tausend"),
            ("million", "Million"),
            ("millions", "Millionen"),
            ("minus", "minus"),
            ("plus", "plus"),
            ("point", "Komma"),
            ("and", "und"),
            ("the", "der"),
            ("clock", "Uhr"),
            ("gbp-one", "Pfund"),
            ("gbp-many", "Pfund"),
            ("gbp-cent-one", "Penny"),
            ("gbp-cent-many", "Pence"),
            ("eur-one", "Euro"),
            ("eur-many", "Euro"),
            ("eur-cent-one", "Cent"),
            ("eur-cent-many", "Cent"),
            ("usd-one", "Dollar"),
            ("usd-many", "Dollar"),
            ("usd-cent-one", "Cent"),
            ("usd-cent-many", "Cent"),
            ("minute-one", "Minute"),
            ("minute-many", "Minuten"),
            ("hour-one", "Stunde"),
            ("hour-many", "Stunden"),
        ]);
        list.numbered("weekday", &WEEKDAYS);
        list.numbered("month", &MONTHS);
    }
}
