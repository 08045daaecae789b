//! A step that hands the caller to a voice bot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Go, Target, TargetId};
use crate::call::targets::Failure;

/// Bytes of a value that are looked at; a longer one is none.
const VALUE_LEN: usize = 100;

/// `do = "agent"`: a voice bot that is reached over SIP, and hands the caller back by its BYE.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Where the bot is.
    pub target: TargetId,
    /// So long it may talk, minutes.
    pub max_minutes: u32,
    /// Headers of its INVITE beside the target's: name → template with `{fields}`.
    pub headers: BTreeMap<String, String>,
    /// What is read out of the headers that it sends.
    pub save: Vec<SaveHeader>,
    /// It has handed the caller back.
    pub then: Go,
    /// 486, 600; `None`: as `if_fails`.
    pub if_busy: Option<Go>,
    /// It rang for too long; `None`: as `if_fails`.
    pub if_no_answer: Option<Go>,
    /// `max_minutes` are over; `None`: as `if_fails`.
    pub if_timeout: Option<Go>,
    /// Anything else; `None`: as the target says, else the way out.
    pub if_fails: Option<Go>,
}

/// A header of the bot that becomes a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaveHeader {
    /// The field it goes into.
    pub field: String,
    /// Its name, in any case (RFC 3261 §7.3.1).
    pub header: String,
    /// What the value must be.
    pub is: FieldType,
}

/// What a value must be to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldType {
    /// One line of text.
    #[default]
    Text,
    /// A decimal number.
    Number,
    /// Digits alone.
    Digits,
    /// A day that exists, `YYYY-MM-DD`.
    Date,
    /// `true`, `yes` or `1`, kept as `true`; `false`, `no` or `0`, kept as `false`.
    Flag,
}

impl Agent {
    /// Where a bot that was not reached leads; the target says what the step does not.
    pub(crate) fn exit(&self, failure: Failure, target: &Target) -> Option<Go> {
        let special = match failure {
            Failure::Busy { .. } => self.if_busy,
            Failure::NoAnswer { .. } => self.if_no_answer,
            Failure::Failed { .. } | Failure::Closed => None,
        };
        special.or(self.if_fails).or_else(|| failure.own_exit(target))
    }
}

impl FieldType {
    /// The value as it is kept; `None`: it is none of this type.
    #[must_use]
    pub fn read(self, value: &str) -> Option<String> {
        let value = value.trim();
        if value.is_empty() || value.len() > VALUE_LEN || value.chars().any(char::is_control) {
            return None;
        }
        let fits = match self {
            Self::Text => true,
            Self::Number => {
                let plain = |b: u8| b.is_ascii_digit() || b"+-.".contains(&b);
                value.bytes().all(plain) && value.parse::<f64>().is_ok()
            }
            Self::Digits => value.bytes().all(|b| b.is_ascii_digit()),
            Self::Date => value.len() == 10 && value.parse::<jiff::civil::Date>().is_ok(),
            Self::Flag => {
                return match value.to_ascii_lowercase().as_str() {
                    "true" | "yes" | "1" => Some("true".to_owned()),
                    "false" | "no" | "0" => Some("false".to_owned()),
                    _ => None,
                };
            }
        };
        fits.then(|| value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_where_it_is_of_its_type() {
        for (is, value, kept) in [
            (FieldType::Text, " order placed ", Some("order placed")),
            (FieldType::Text, "two\nlines", None),
            (FieldType::Text, "", None),
            (FieldType::Number, "-12.50", Some("-12.50")),
            (FieldType::Number, "12,50", None),
            (FieldType::Number, "inf", None),
            (FieldType::Number, "1e9", None),
            (FieldType::Digits, "0042", Some("0042")),
            (FieldType::Digits, "-1", None),
            (FieldType::Date, "2028-02-29", Some("2028-02-29")),
            (FieldType::Date, "2026-02-29", None),
            (FieldType::Date, "20260228", None),
            (FieldType::Flag, "Yes", Some("true")),
            (FieldType::Flag, "0", Some("false")),
            (FieldType::Flag, "perhaps", None),
        ] {
            assert_eq!(is.read(value).as_deref(), kept, "{is:?} {value:?}");
        }
        assert_eq!(FieldType::Text.read(&"x".repeat(101)), None);
    }
}
