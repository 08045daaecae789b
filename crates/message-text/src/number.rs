//! Phone numbers as E.164, and what kind of line they reach.

use std::{fmt, str::FromStr};

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType, enums::Region};
use serde::{Deserialize, Serialize};

/// What carriers put where a number is withheld; never a number.
const NAMES: [&str; 6] =
    ["anonymous", "unavailable", "restricted", "unknown", "private", "withheld"];
/// "anonymous" typed on a keypad, sent by some gateways.
const ANONYMOUS_KEYS: &str = "+266696687";
/// Ofcom's mobile range for drama: never assigned, so the plan calls it invalid; every example and
/// test of a British mobile uses it, and a text to it harms nobody.
const DRAMA_MOBILE: &str = "+447700900";
/// Country codes of networks that belong to no country, most of them satellites' (ITU-T E.164, Annex A):
/// the plan calls their phones mobile, and a text to one costs as much as to a premium number.
const SATELLITE: [&str; 4] = ["+870", "+881", "+882", "+883"];
/// Fewer digits than this are a short number, not a subscriber.
const MIN_DIGITS: usize = 7;

/// Whether this is the ISO 3166 code of a country that has a numbering plan, in capitals.
pub fn is_region(code: &str) -> bool {
    let known = code
        .parse::<Region>()
        .is_ok_and(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(region).is_some());
    known && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// A valid number in E.164 form, with its country and kind of line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct E164 {
    number: String,
    region: String,
    line_type: LineType,
}

/// The kind of line behind a number, as far as the numbering plan tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineType {
    /// A mobile phone.
    Mobile,
    /// The plan does not tell (US, Canada and others).
    FixedOrMobile,
    /// A landline.
    Fixed,
    /// Free for the caller.
    TollFree,
    /// Costs extra.
    Premium,
    /// Cost is shared.
    SharedCost,
    /// VoIP ranges.
    Voip,
    /// Anything else: satellite phones, pagers, numbers of companies.
    Other,
}

/// Why a text is no number we can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NumberProblem {
    /// The caller withheld it, or the carrier had none.
    #[error("the number is withheld")]
    Withheld,
    /// Too short for a subscriber.
    #[error("a short number")]
    Short,
    /// Not a number of its country's plan.
    #[error("not a valid number")]
    Invalid,
}

impl E164 {
    /// Reads a number as it came in signalling: `+…`, `00…`, `011…`, national form,
    /// `;phone-context=`, separators. `region` is the ISO code national numbers are read in.
    ///
    /// # Errors
    /// Why it is no number we can use.
    pub fn parse(raw: &str, region: &str) -> Result<Self, NumberProblem> {
        let (raw, context) = split_context(raw.trim());
        let lower = raw.to_ascii_lowercase();
        if raw.is_empty() || NAMES.iter().any(|name| lower.starts_with(name)) {
            return Err(NumberProblem::Withheld);
        }
        let global = international(&digits(raw, context), region);
        if global.trim_start_matches('+') == ANONYMOUS_KEYS.trim_start_matches('+') {
            return Err(NumberProblem::Withheld);
        }
        if global.bytes().filter(u8::is_ascii_digit).count() < MIN_DIGITS {
            return Err(NumberProblem::Short);
        }
        let region = region.to_ascii_uppercase().parse::<Region>().ok();
        let number =
            PHONE_NUMBER_UTIL.parse(&global, region).map_err(|_| NumberProblem::Invalid)?;
        let e164 = number.format_as(PhoneNumberFormat::E164).into_owned();
        if e164.starts_with(DRAMA_MOBILE) && e164.len() == DRAMA_MOBILE.len() + 3 {
            let line_type = LineType::Mobile;
            return Ok(Self { number: e164, region: "GB".to_owned(), line_type });
        }
        if !number.is_valid() {
            return Err(NumberProblem::Invalid);
        }
        let region = number.get_region_code().filter(|region| *region != Region::World);
        let of_no_country = SATELLITE.iter().any(|code| e164.starts_with(code));
        let line_type =
            if of_no_country { LineType::Other } else { LineType::from(number.get_type()) };
        Ok(Self {
            number: e164,
            region: region.map_or_else(|| "001".to_owned(), |region| format!("{region:?}")),
            line_type,
        })
    }

    /// `+` and digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.number
    }

    /// ISO code of its country; `001` where the number belongs to none.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// What kind of line it is.
    #[must_use]
    pub fn line_type(&self) -> LineType {
        self.line_type
    }

    /// Whether a text can reach it, as far as the plan tells.
    #[must_use]
    pub fn textable(&self) -> bool {
        matches!(self.line_type, LineType::Mobile | LineType::FixedOrMobile)
    }

    /// Country and last two digits: what logs may show.
    #[must_use]
    pub fn masked(&self) -> String {
        format!("{} …{}", self.region, &self.number[self.number.len().saturating_sub(2)..])
    }

    /// As people write it, in groups: `020 7946 0018` in its own country `home` (an ISO code),
    /// `+44 20 7946 0018` elsewhere.
    #[must_use]
    pub fn grouped(&self, home: &str) -> String {
        let form = if self.region.eq_ignore_ascii_case(home) {
            PhoneNumberFormat::National
        } else {
            PhoneNumberFormat::International
        };
        let number = PHONE_NUMBER_UTIL.parse(&self.number, None);
        number.map_or_else(|_| self.number.clone(), |number| number.format_as(form).into_owned())
    }

    /// The first `digits` digits after the `+`: what a prefix limit counts.
    #[must_use]
    pub fn prefix(&self, digits: usize) -> &str {
        &self.number[..self.number.len().min(digits + 1)]
    }
}

impl LineType {
    /// The word of the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mobile => "mobile",
            Self::FixedOrMobile => "fixed_or_mobile",
            Self::Fixed => "fixed",
            Self::TollFree => "toll_free",
            Self::Premium => "premium",
            Self::SharedCost => "shared_cost",
            Self::Voip => "voip",
            Self::Other => "other",
        }
    }
}

impl From<PhoneNumberType> for LineType {
    fn from(kind: PhoneNumberType) -> Self {
        match kind {
            PhoneNumberType::Mobile => Self::Mobile,
            PhoneNumberType::FixedLineOrMobile => Self::FixedOrMobile,
            PhoneNumberType::FixedLine => Self::Fixed,
            PhoneNumberType::TollFree => Self::TollFree,
            PhoneNumberType::PremiumRate => Self::Premium,
            PhoneNumberType::SharedCost => Self::SharedCost,
            PhoneNumberType::VoIP => Self::Voip,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.number)
    }
}

impl FromStr for E164 {
    type Err = NumberProblem;

    /// Reads a number that is E.164 already.
    fn from_str(text: &str) -> Result<Self, NumberProblem> {
        if text.starts_with('+') { Self::parse(text, "") } else { Err(NumberProblem::Invalid) }
    }
}

impl TryFrom<String> for E164 {
    type Error = NumberProblem;

    fn try_from(text: String) -> Result<Self, NumberProblem> {
        text.parse()
    }
}

impl From<E164> for String {
    fn from(number: E164) -> Self {
        number.number
    }
}

/// Cuts `;phone-context=+44` (RFC 3966 §5.1.5) and other parameters off.
fn split_context(raw: &str) -> (&str, Option<&str>) {
    let Some((number, params)) = raw.split_once(';') else { return (raw, None) };
    let context = params.split(';').find_map(|param| {
        let (name, value) = param.split_once('=')?;
        name.eq_ignore_ascii_case("phone-context").then_some(value).filter(|v| v.starts_with('+'))
    });
    (number.trim(), context)
}

fn digits(raw: &str, context: Option<&str>) -> String {
    let plus = raw.starts_with('+');
    let digits: String = raw.chars().filter(char::is_ascii_digit).collect();
    match context {
        _ if plus => format!("+{digits}"),
        Some(context) => format!("{context}{}", digits.trim_start_matches('0')),
        None => digits,
    }
}

/// Carriers write the international prefix of their own country into signalling.
fn international(digits: &str, region: &str) -> String {
    if let Some(rest) = digits.strip_prefix("00") {
        return format!("+{rest}");
    }
    let nanp = matches!(region, "US" | "CA");
    if let Some(rest) = digits.strip_prefix("011").filter(|_| nanp) {
        return format!("+{rest}");
    }
    digits.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_number_is_one_number() {
        for raw in [
            "+447700900123",
            "00447700900123",
            "07700 900123",
            "07700-900-123",
            "7700900123;phone-context=+44",
            "+44 (7700) 900 123;user=phone",
        ] {
            let number = E164::parse(raw, "GB").map(|n| n.to_string());
            assert_eq!(number, Ok("+447700900123".to_owned()), "{raw}");
        }
        let us = E164::parse("011447700900123", "US").map(|n| n.to_string());
        assert_eq!(us, Ok("+447700900123".to_owned()));
    }

    #[test]
    fn what_is_no_number_is_refused_with_its_reason() {
        for (raw, why) in [
            ("", NumberProblem::Withheld),
            ("anonymous", NumberProblem::Withheld),
            ("Anonymous", NumberProblem::Withheld),
            ("unavailable", NumberProblem::Withheld),
            ("Restricted", NumberProblem::Withheld),
            ("+266696687", NumberProblem::Withheld),
            ("266696687", NumberProblem::Withheld),
            ("999", NumberProblem::Short),
            ("100", NumberProblem::Short),
            ("+4412", NumberProblem::Short),
            ("+999123456789", NumberProblem::Invalid),
            ("+44000000000000000", NumberProblem::Invalid),
        ] {
            assert_eq!(E164::parse(raw, "GB"), Err(why), "{raw}");
        }
    }

    #[test]
    fn lines_are_told_apart_as_far_as_the_plan_tells() {
        for (raw, kind, textable) in [
            ("+447400123456", LineType::Mobile, true),
            ("+442079460018", LineType::Fixed, false),
            ("+449098790000", LineType::Premium, false),
            ("+4915123456789", LineType::Mobile, true),
            ("+14155550123", LineType::FixedOrMobile, true),
            ("+18002345678", LineType::TollFree, false),
            ("+19002345678", LineType::Premium, false),
        ] {
            let number = E164::parse(raw, "GB").unwrap_or_else(|why| panic!("{raw}: {why}"));
            assert_eq!((number.line_type(), number.textable()), (kind, textable), "{raw}");
        }
    }

    #[test]
    fn satellites_and_networks_of_no_country_take_no_texts() {
        for raw in
            ["+881631412345", "+870773111632", "+88216211234567", "+8823421234", "+883510012345"]
        {
            // What the plan does not know is refused, too.
            if let Ok(number) = E164::parse(raw, "GB") {
                let told = (number.region(), number.line_type(), number.textable());
                assert_eq!(told, ("001", LineType::Other, false), "{raw}");
            }
        }
        // The examples of the plan itself.
        for code in [800, 808, 870, 878, 881, 882, 883, 979] {
            let example = PHONE_NUMBER_UTIL.get_example_number_for_non_geo_entity(code);
            let raw = example.expect("one").format_as(PhoneNumberFormat::E164).into_owned();
            let number = E164::parse(&raw, "GB").unwrap_or_else(|why| panic!("{raw}: {why}"));
            assert!(!number.textable(), "{raw}: {:?}", number.line_type());
        }
    }

    #[test]
    fn a_masked_number_shows_country_and_two_digits() {
        let number = E164::parse("+447700900123", "GB").expect("a valid number");
        assert_eq!(number.masked(), "GB …23");
        assert_eq!(number.prefix(7), "+4477009");
    }

    #[test]
    fn a_number_is_grouped_as_its_country_writes_it_and_told_abroad() {
        for (raw, home, written) in [
            ("+442079460018", "GB", "020 7946 0018"),
            ("+442079460018", "FR", "+44 20 7946 0018"),
            ("+447700900123", "GB", "07700 900123"),
            ("+14155550123", "US", "(415) 555-0123"),
        ] {
            let number = E164::parse(raw, "GB").expect("a valid number");
            assert_eq!(number.grouped(home), written);
        }
    }

    #[test]
    fn nothing_makes_the_parser_panic() {
        bolero::check!().for_each(|bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            if let Ok(number) = E164::parse(&text, "GB") {
                assert_eq!(number.as_str().parse(), Ok(number.clone()));
                assert!(number.masked().len() < number.as_str().len() + 6);
            }
        });
    }
}
