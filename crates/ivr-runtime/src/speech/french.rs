//! French of France.

use jiff::civil::Date;

use super::{
    grammar::{Form, Grammar, Line, List, Noun, digits, hundreds, thousands, unsigned},
    value::Currency,
};

const ONES: [&str; 20] = [
    "zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze",
    "douze", "treize", "quatorze", "quinze", "seize", "dix-sept", "dix-huit", "dix-neuf",
];
const TENS: [&str; 10] = [
    "",
    "",
    "vingt",
    "trente",
    "quarante",
    "cinquante",
    "soixante",
    "soixante",
    "quatre-vingt",
    "quatre-vingt",
];
const MONTHS: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];
const WEEKDAYS: [&str; 7] =
    ["le lundi", "le mardi", "le mercredi", "le jeudi", "le vendredi", "le samedi", "le dimanche"];

pub(super) struct French;

/// "un" has a feminine, alone and at the end of "vingt et un"; "onze" has none.
fn has_feminine(n: u32) -> bool {
    n % 10 == 1 && !matches!(n, 11 | 71 | 91)
}

fn feminine(n: u32, form: Form, line: &mut Line) {
    match form {
        Form::Feminine if has_feminine(n) => line.add(format_args!("{n}f")),
        _ => line.add(n),
    }
}

fn below_thousand(n: u32, form: Form, line: &mut Line) {
    let (hundred, rest) = hundreds(n);
    if hundred > 0 {
        line.add(hundred * 100);
    }
    if rest > 0 || hundred == 0 {
        feminine(rest, form, line);
    }
}

impl Grammar for French {
    fn small(&self, n: u32) -> String {
        let tens = TENS[(n / 10) as usize];
        // Seventy and ninety count on to nineteen.
        let ones = if matches!(n / 10, 7 | 9) { n % 20 } else { n % 10 };
        match (n, ones) {
            (0..20, _) => ONES[n as usize].to_owned(),
            (80, _) => "quatre-vingts".to_owned(),
            (_, 0) => tens.to_owned(),
            (20..72, 1 | 11) => format!("{tens} et {}", ONES[ones as usize]),
            _ => format!("{tens}-{}", ONES[ones as usize]),
        }
    }

    fn ordinal(&self, n: u32) -> String {
        if n == 1 {
            return "premier".to_owned();
        }
        let cardinal = self.small(n);
        let stem = match n % 10 {
            _ if n == 80 => "quatre-vingt".to_owned(),
            5 if !cardinal.ends_with("quinze") => format!("{cardinal}u"),
            9 => format!("{}v", cardinal.trim_end_matches('f')),
            _ => cardinal.trim_end_matches('e').to_owned(),
        };
        format!("{stem}ième")
    }

    fn cardinal(&self, n: u32, form: Form, line: &mut Line) {
        let (millions, thousands, rest) = thousands(n);
        if millions > 0 {
            below_thousand(millions, Form::Masculine, line);
            line.add(if millions == 1 { "million" } else { "millions" });
        }
        if thousands > 1 {
            below_thousand(thousands, Form::Masculine, line);
        }
        if thousands > 0 {
            line.add("thousand");
        }
        if rest > 0 || n == 0 {
            below_thousand(rest, form, line);
        }
    }

    fn form(&self, noun: Noun) -> Form {
        match noun {
            Noun::Money(Currency::Gbp) | Noun::Minute | Noun::Hour => Form::Feminine,
            Noun::Money(Currency::Eur | Currency::Usd) | Noun::Coin(_) => Form::Masculine,
        }
    }

    fn is_singular(&self, n: u32) -> bool {
        n < 2
    }

    fn has_form_after_millions(&self) -> bool {
        true
    }

    fn date(&self, date: Date, weekday: bool, line: &mut Line) {
        if weekday {
            line.add(format_args!("weekday-{}", date.weekday().to_monday_one_offset()));
        } else {
            line.add("the");
        }
        match date.day() {
            1 => line.add("ord-1"),
            day => line.add(day),
        }
        line.add(format_args!("month-{}", date.month()));
        if !weekday {
            self.cardinal(unsigned(date.year()), Form::Counting, line);
        }
    }

    fn time(&self, hour: u32, minute: u32, line: &mut Line) {
        match (hour, minute) {
            (0, 0) => line.add("midnight"),
            (12, 0) => line.add("midday"),
            _ => line.add(format_args!("clock-{hour}")),
        }
        if minute > 0 {
            feminine(minute, Form::Feminine, line);
        }
    }

    /// Whole, because of the liaison: "deux heures".
    fn hours(&self, n: u32, line: &mut Line) {
        line.add(format_args!("clock-{n}"));
    }

    /// Two digits are one number: "zéro un, vingt-trois".
    fn phone_group(&self, group: &str, line: &mut Line) {
        match group.as_bytes() {
            [b'1'..=b'9', b'0'..=b'9'] => line.add(group),
            _ => digits(group, line),
        }
    }

    fn fragments(&self, list: &mut List) {
        for n in (1..100).filter(|n| has_feminine(*n)) {
            list.add(format_args!("{n}f"), format!("{}e", self.small(n)));
        }
        list.add(100, "cent");
        for n in 2..10 {
            list.add(n * 100, format!("{} cents", self.small(n)));
        }
        for n in 0..24 {
            let number = if has_feminine(n) { self.small(n) + "e" } else { self.small(n) };
            let hours = if n < 2 { "heure" } else { "heures" };
            list.add(format_args!("clock-{n}"), format!("{number} {hours}"));
        }
        list.all(&[
            ("thousand", "mille"),
            ("million", "million"),
            ("millions", "millions"),
            ("minus", "moins"),
            ("plus", "plus"),
            ("point", "virgule"),
            ("and", "et"),
            ("the", "le"),
            ("gbp-one", "livre sterling"),
            ("gbp-many", "livres sterling"),
            ("gbp-of", "de livres sterling"),
            ("gbp-cent-one", "penny"),
            ("gbp-cent-many", "pence"),
            ("eur-one", "euro"),
            ("eur-many", "euros"),
            ("eur-of", "d'euros"),
            ("eur-cent-one", "centime"),
            ("eur-cent-many", "centimes"),
            ("usd-one", "dollar"),
            ("usd-many", "dollars"),
            ("usd-of", "de dollars"),
            // "cent" would be heard as "hundred".
            ("usd-cent-one", "centime"),
            ("usd-cent-many", "centimes"),
            ("minute-one", "minute"),
            ("minute-many", "minutes"),
            ("midnight", "minuit"),
            ("midday", "midi"),
        ]);
        list.numbered("weekday", &WEEKDAYS);
        list.numbered("month", &MONTHS);
    }
}
