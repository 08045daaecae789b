//! British and American English.

use jiff::civil::Date;

use super::grammar::{Form, Grammar, Line, List, digits, hundreds, thousands, unsigned};

const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const ORDINALS: [&str; 20] = [
    "",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

pub(super) struct English {
    pub american: bool,
}

impl English {
    fn below_thousand(&self, n: u32, line: &mut Line) {
        let (hundred, rest) = hundreds(n);
        if hundred > 0 {
            line.add(hundred * 100);
            self.and_before(rest, line);
        }
        if rest > 0 || hundred == 0 {
            line.add(rest);
        }
    }

    /// "one hundred and five", where Americans say "one hundred five".
    fn and_before(&self, rest: u32, line: &mut Line) {
        if rest > 0 && !self.american {
            line.add("and");
        }
    }

    /// "twenty twenty-six", "nineteen oh five", "two thousand and nine".
    fn year(&self, year: u32, line: &mut Line) {
        let (century, rest) = hundreds(year);
        match (century % 10, rest) {
            (0, 0..10) => self.cardinal(year, Form::Counting, line),
            (_, 0) => {
                line.add(century);
                line.add("hundred");
            }
            (_, 1..10) => {
                line.add(century);
                line.add("oh");
                line.add(rest);
            }
            _ => {
                line.add(century);
                line.add(rest);
            }
        }
    }
}

impl Grammar for English {
    fn small(&self, n: u32) -> String {
        match (n / 10, n % 10) {
            (0 | 1, _) => ONES[n as usize].to_owned(),
            (tens, 0) => TENS[tens as usize].to_owned(),
            (tens, ones) => format!("{}-{}", TENS[tens as usize], ONES[ones as usize]),
        }
    }

    fn ordinal(&self, n: u32) -> String {
        match (n / 10, n % 10) {
            (0 | 1, _) => ORDINALS[n as usize].to_owned(),
            (tens, 0) => format!("{}ieth", TENS[tens as usize].trim_end_matches('y')),
            (tens, ones) => format!("{}-{}", TENS[tens as usize], ORDINALS[ones as usize]),
        }
    }

    fn cardinal(&self, n: u32, _form: Form, line: &mut Line) {
        let (millions, thousands, rest) = thousands(n);
        for (count, name) in [(millions, "million"), (thousands, "thousand")] {
            if count > 0 {
                self.below_thousand(count, line);
                line.add(name);
            }
        }
        if n >= 1_000 && rest < 100 {
            self.and_before(rest, line);
        }
        if rest > 0 || n == 0 {
            self.below_thousand(rest, line);
        }
    }

    fn date(&self, date: Date, weekday: bool, line: &mut Line) {
        if weekday {
            line.add(format_args!("weekday-{}", date.weekday().to_monday_one_offset()));
        }
        if self.american {
            line.add(format_args!("month-{}", date.month()));
            line.add(format_args!("ord-{}", date.day()));
        } else {
            line.add("the");
            line.add(format_args!("ord-{}", date.day()));
            line.add(format_args!("month-{}", date.month()));
        }
        if !weekday {
            self.year(unsigned(date.year()), line);
        }
    }

    fn time(&self, hour: u32, minute: u32, line: &mut Line) {
        match (hour, minute) {
            (0, 0) => return line.add("midnight"),
            (12, 0) => return line.add("midday"),
            _ => line.add((hour + 11) % 12 + 1),
        }
        match minute {
            0 if self.american => {}
            0 => line.add("oclock"),
            1..10 => {
                line.add("oh");
                line.add(minute);
            }
            _ => line.add(minute),
        }
        line.add(match (self.american, hour) {
            (true, 0..12) => "am",
            (true, _) => "pm",
            (false, 0..12) => "morning",
            (false, 12..18) => "afternoon",
            (false, _) => "evening",
        });
    }

    fn phone_group(&self, group: &str, line: &mut Line) {
        for c in group.chars() {
            match c {
                '0' => line.add("oh"),
                _ => digits(c.encode_utf8(&mut [0; 4]), line),
            }
        }
    }

    fn fragments(&self, list: &mut List) {
        for n in 1..10 {
            list.add(n * 100, format!("{} hundred", self.small(n)));
        }
        list.all(&[
            ("hundred", "hundred"),
            ("thousand", "thousand"),
            ("million", "million"),
            ("minus", "minus"),
            ("plus", "plus"),
            ("point", "point"),
            ("and", "and"),
            ("oh", "oh"),
            ("gbp-one", "pound"),
            ("gbp-many", "pounds"),
            ("gbp-cent-one", "penny"),
            ("gbp-cent-many", "pence"),
            ("eur-one", "euro"),
            ("eur-many", "euros"),
            ("eur-cent-one", "cent"),
            ("eur-cent-many", "cents"),
            ("usd-one", "dollar"),
            ("usd-many", "dollars"),
            ("usd-cent-one", "cent"),
            ("usd-cent-many", "cents"),
            ("minute-one", "minute"),
            ("minute-many", "minutes"),
            ("hour-one", "hour"),
            ("hour-many", "hours"),
            ("midnight", "midnight"),
        ]);
        list.numbered("weekday", &WEEKDAYS);
        if self.american {
            list.numbered("month", &MONTHS);
            list.all(&[("midday", "noon"), ("am", "a.m."), ("pm", "p.m.")]);
        } else {
            list.numbered("month", &MONTHS.map(|month| format!("of {month}")));
            list.all(&[
                ("the", "the"),
                ("midday", "midday"),
                ("oclock", "o'clock"),
                ("morning", "in the morning"),
                ("afternoon", "in the afternoon"),
                ("evening", "in the evening"),
            ]);
        }
    }
}
