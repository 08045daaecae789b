//! Speaks values by fragments: recorded pieces that are played one after the other.
//!
//! A fragment is an ordinary prompt whose name begins with `f-`, so that an operator may replace
//! each by a recording. [`fragments`] lists those of a language with what is said in them; it is
//! the one source for whoever makes them and for the linter.

mod english;
mod french;
mod german;
mod grammar;
mod needed;
mod spanish;
mod value;

use serde::{Deserialize, Serialize};

use english::English;
use french::French;
use german::German;
use grammar::{Grammar, Line};
use spanish::Spanish;
use value::Value;

pub use needed::needed;
pub(crate) use value::YEARS;

/// The fragment that is silence, between the groups of a phone number.
pub const PAUSE: &str = "f-pause";

/// Longer values are not spoken: nobody could follow.
const MAX_BYTES: usize = 64;

/// A language that values are spoken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// British English.
    EnGb,
    /// American English.
    EnUs,
    /// Spanish of Spain.
    EsEs,
    /// French of France.
    FrFr,
    /// German of Germany.
    DeDe,
}

/// How a value is spoken: `say:{field}`, or `say:WAY:{field}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// By what the value looks like.
    Plain,
    /// "one hundred and five".
    Number,
    /// "one zero five", one by one.
    Digits,
    /// "twenty-first".
    Ordinal,
    /// "twelve pounds and fifty pence".
    Money,
    /// Day, month and year.
    Date,
    /// Weekday, day and month.
    Day,
    /// A time of day.
    Time,
    /// A phone number, in the groups of its country.
    Phone,
    /// A duration given in minutes.
    Minutes,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::EnGb, Self::EnUs, Self::EsEs, Self::FrFr, Self::DeDe];

    /// The language that a flow calls `tag`.
    pub fn parse(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// What flows call it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::EnGb => "en-GB",
            Self::EnUs => "en-US",
            Self::EsEs => "es-ES",
            Self::FrFr => "fr-FR",
            Self::DeDe => "de-DE",
        }
    }

    /// Whose phone numbers are spoken without their country code.
    fn home(self) -> &'static str {
        &self.tag()[3..]
    }

    fn grammar(self) -> &'static dyn Grammar {
        match self {
            Self::EnGb => &English { american: false },
            Self::EnUs => &English { american: true },
            Self::EsEs => &Spanish,
            Self::FrFr => &French,
            Self::DeDe => &German,
        }
    }
}

impl Way {
    /// Those that have a name.
    pub const NAMED: [(&str, Self); 9] = [
        ("number", Self::Number),
        ("digits", Self::Digits),
        ("ordinal", Self::Ordinal),
        ("money", Self::Money),
        ("date", Self::Date),
        ("day", Self::Day),
        ("time", Self::Time),
        ("phone", Self::Phone),
        ("minutes", Self::Minutes),
    ];

    /// The way of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|(named, _)| *named == name).map(|(_, way)| way)
    }

    /// Its name; empty for [`Way::Plain`].
    pub fn name(self) -> &'static str {
        Self::NAMED.into_iter().find(|(_, way)| *way == self).map_or("", |(name, _)| name)
    }
}

/// Returns the fragments that speak `value`, in order; `None` where it can't be spoken this way.
pub fn say(language: Language, way: Way, value: &str) -> Option<Vec<String>> {
    let value = value.trim();
    if value.len() > MAX_BYTES {
        return None;
    }
    let value = Value::parse(way, value, language.home())?;
    let mut line = Line::default();
    language.grammar().say(&value, &mut line);
    Some(line.into_names())
}

/// Returns all fragments of a language: names, and what is said in each.
pub fn fragments(language: Language) -> Vec<(String, String)> {
    let mut list = grammar::common(language.grammar());
    language.grammar().fragments(&mut list);
    list.into_pairs()
}
