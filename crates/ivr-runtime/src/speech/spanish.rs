//! Spanish of Spain.

use jiff::civil::Date;

use super::{
    grammar::{Form, Grammar, Line, List, Noun, hundreds, thousands, unsigned},
    value::Currency,
};

const ONES: [&str; 30] = [
    "cero",
    "uno",
    "dos",
    "tres",
    "cuatro",
    "cinco",
    "seis",
    "siete",
    "ocho",
    "nueve",
    "diez",
    "once",
    "doce",
    "trece",
    "catorce",
    "quince",
    "dieciséis",
    "diecisiete",
    "dieciocho",
    "diecinueve",
    "veinte",
    "veintiuno",
    "veintidós",
    "veintitrés",
    "veinticuatro",
    "veinticinco",
    "veintiséis",
    "veintisiete",
    "veintiocho",
    "veintinueve",
];
const TENS: [&str; 10] =
    ["", "", "", "treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa"];
const HUNDREDS: [&str; 8] = [
    "doscientos",
    "trescientos",
    "cuatrocientos",
    "quinientos",
    "seiscientos",
    "setecientos",
    "ochocientos",
    "novecientos",
];
const ORDINALS: [&str; 20] = [
    "",
    "primero",
    "segundo",
    "tercero",
    "cuarto",
    "quinto",
    "sexto",
    "séptimo",
    "octavo",
    "noveno",
    "décimo",
    "undécimo",
    "duodécimo",
    "decimotercero",
    "decimocuarto",
    "decimoquinto",
    "decimosexto",
    "decimoséptimo",
    "decimoctavo",
    "decimonoveno",
];
const ORDINAL_TENS: [&str; 10] = [
    "",
    "",
    "vigésimo",
    "trigésimo",
    "cuadragésimo",
    "quincuagésimo",
    "sexagésimo",
    "septuagésimo",
    "octogésimo",
    "nonagésimo",
];
const MONTHS: [&str; 12] = [
    "de enero",
    "de febrero",
    "de marzo",
    "de abril",
    "de mayo",
    "de junio",
    "de julio",
    "de agosto",
    "de septiembre",
    "de octubre",
    "de noviembre",
    "de diciembre",
];
const WEEKDAYS: [&str; 7] =
    ["el lunes", "el martes", "el miércoles", "el jueves", "el viernes", "el sábado", "el domingo"];
const CLOCK: [&str; 12] = [
    "la una",
    "las dos",
    "las tres",
    "las cuatro",
    "las cinco",
    "las seis",
    "las siete",
    "las ocho",
    "las nueve",
    "las diez",
    "las once",
    "las doce",
];

pub(super) struct Spanish;

/// "uno" is shortened before a noun and has its gender; so do "veintiuno" and "treinta y uno".
fn has_forms(n: u32) -> bool {
    n % 10 == 1 && n != 11
}

/// "doscientas mil libras": the hundreds have the gender of the noun even before "mil".
fn below_thousand(n: u32, form: Form, hundreds_form: Form, line: &mut Line) {
    let (hundred, rest) = hundreds(n);
    match (hundred, rest) {
        (0, _) => {}
        (1, 0) => line.add(100),
        (1, _) => line.add("ciento"),
        (_, _) if hundreds_form == Form::Feminine => line.add(format_args!("{hundred}00f")),
        (_, _) => line.add(hundred * 100),
    }
    match form {
        _ if rest == 0 && hundred > 0 => {}
        Form::Masculine if has_forms(rest) => line.add(format_args!("{rest}m")),
        Form::Feminine if has_forms(rest) => line.add(format_args!("{rest}f")),
        _ => line.add(rest),
    }
}

impl Grammar for Spanish {
    fn small(&self, n: u32) -> String {
        match (n / 10, n % 10) {
            (0..3, _) => ONES[n as usize].to_owned(),
            (tens, 0) => TENS[tens as usize].to_owned(),
            (tens, ones) => format!("{} y {}", TENS[tens as usize], ONES[ones as usize]),
        }
    }

    fn ordinal(&self, n: u32) -> String {
        match n {
            0..20 => ORDINALS[n as usize].to_owned(),
            _ => ORDINAL_TENS[n as usize / 10].to_owned(),
        }
    }

    /// "vigésimo primero": two words, and two fragments.
    fn nth(&self, n: u32, line: &mut Line) {
        let (tens, ones) = (n / 10 * 10, n % 10);
        if n < 20 || ones == 0 {
            return line.add(format_args!("ord-{n}"));
        }
        line.add(format_args!("ord-{tens}"));
        line.add(format_args!("ord-{ones}"));
    }

    fn cardinal(&self, n: u32, form: Form, line: &mut Line) {
        let (millions, thousands, rest) = thousands(n);
        if millions > 0 {
            below_thousand(millions, Form::Masculine, Form::Masculine, line);
            line.add(if millions == 1 { "million" } else { "millions" });
        }
        if thousands > 1 {
            below_thousand(thousands, Form::Masculine, form, line);
        }
        if thousands > 0 {
            line.add("thousand");
        }
        if rest > 0 || n == 0 {
            below_thousand(rest, form, form, line);
        }
    }

    fn form(&self, noun: Noun) -> Form {
        match noun {
            Noun::Money(Currency::Gbp) | Noun::Hour => Form::Feminine,
            Noun::Money(Currency::Eur | Currency::Usd) | Noun::Coin(_) | Noun::Minute => {
                Form::Masculine
            }
        }
    }

    fn money_joint(&self) -> &'static str {
        "with"
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
        line.add(date.day());
        line.add(format_args!("month-{}", date.month()));
        if !weekday {
            line.add("of");
            self.cardinal(unsigned(date.year()), Form::Counting, line);
        }
    }

    fn time(&self, hour: u32, minute: u32, line: &mut Line) {
        line.add(format_args!("clock-{}", (hour + 11) % 12 + 1));
        match minute {
            0 => {}
            15 => line.add("quarter"),
            30 => line.add("half"),
            _ => {
                line.add("and");
                line.add(minute);
            }
        }
        line.add(match hour {
            1..6 => "small-hours",
            6..12 => "morning",
            12 => "noon",
            13..21 => "afternoon",
            _ => "night",
        });
    }

    fn fragments(&self, list: &mut List) {
        for n in (1..100).filter(|n| has_forms(*n)) {
            let stem = self.small(n);
            let stem = stem.trim_end_matches("uno");
            let masculine = if n == 21 { "veintiún".to_owned() } else { format!("{stem}un") };
            list.add(format_args!("{n}m"), masculine);
            list.add(format_args!("{n}f"), format!("{stem}una"));
        }
        list.all(&[("100", "cien"), ("ciento", "ciento")]);
        for (n, text) in (2..).zip(HUNDREDS) {
            list.add(n * 100, text);
            list.add(format_args!("{n}00f"), format!("{}as", text.trim_end_matches("os")));
        }
        list.all(&[
            ("thousand", "mil"),
            ("million", "millón"),
            ("millions", "millones"),
            ("minus", "menos"),
            ("plus", "más"),
            ("point", "coma"),
            ("and", "y"),
            ("with", "con"),
            ("the", "el"),
            ("of", "de"),
            ("gbp-one", "libra"),
            ("gbp-many", "libras"),
            ("gbp-of", "de libras"),
            ("gbp-cent-one", "penique"),
            ("gbp-cent-many", "peniques"),
            ("eur-one", "euro"),
            ("eur-many", "euros"),
            ("eur-of", "de euros"),
            ("eur-cent-one", "céntimo"),
            ("eur-cent-many", "céntimos"),
            ("usd-one", "dólar"),
            ("usd-many", "dólares"),
            ("usd-of", "de dólares"),
            ("usd-cent-one", "centavo"),
            ("usd-cent-many", "centavos"),
            ("minute-one", "minuto"),
            ("minute-many", "minutos"),
            ("hour-one", "hora"),
            ("hour-many", "horas"),
            ("quarter", "y cuarto"),
            ("half", "y media"),
            ("small-hours", "de la madrugada"),
            ("morning", "de la mañana"),
            ("noon", "del mediodía"),
            ("afternoon", "de la tarde"),
            ("night", "de la noche"),
        ]);
        list.numbered("weekday", &WEEKDAYS);
        list.numbered("month", &MONTHS);
        list.numbered("clock", &CLOCK);
    }
}
