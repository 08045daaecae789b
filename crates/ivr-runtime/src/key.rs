//! Keys of a telephone.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// A key of a telephone; `A` to `D` are those of RFC 4733 §3.2 that few telephones have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "char", into = "char")]
pub struct Key(u8);

/// In this order keys are sorted.
const LABELS: [char; 16] =
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// No key carries this label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a key (0 to 9, *, #, A to D)")]
pub struct NoSuchKey(String);

impl Zeroize for Key {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl Key {
    /// `0`.
    pub const ZERO: Self = Self(0);
    /// `*`.
    pub const STAR: Self = Self(10);
    /// `#`.
    pub const HASH: Self = Self(11);

    /// All keys, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..16).map(Self)
    }

    /// 0 to 9.
    pub fn is_digit(self) -> bool {
        self.0 < 10
    }

    /// What is printed on it.
    pub fn label(self) -> char {
        LABELS[usize::from(self.0)]
    }
}

impl TryFrom<char> for Key {
    type Error = NoSuchKey;

    fn try_from(label: char) -> Result<Self, NoSuchKey> {
        let at = LABELS.iter().position(|known| *known == label.to_ascii_uppercase());
        // LABELS has 16 entries, so its places fit.
        at.map(|at| Self(at as u8)).ok_or_else(|| NoSuchKey(label.to_string()))
    }
}

impl FromStr for Key {
    type Err = NoSuchKey;

    fn from_str(text: &str) -> Result<Self, NoSuchKey> {
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(label), None) => Self::try_from(label).map_err(|_| NoSuchKey(text.to_owned())),
            _ => Err(NoSuchKey(text.to_owned())),
        }
    }
}

impl From<Key> for char {
    fn from(key: Key) -> Self {
        key.label()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.label())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_label_leads_back_to_its_key() {
        for key in Key::all() {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        for wrong in ["", "10", "E", "é", " 1"] {
            assert!(wrong.parse::<Key>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_can_name_an_entry_of_a_map_in_json() {
        let map: BTreeMap<Key, u8> = Key::all().zip(0..).collect();
        let text = serde_json::to_string(&map).unwrap();
        assert!(text.contains("\"#\":11"), "{text}");
        assert_eq!(serde_json::from_str::<BTreeMap<Key, u8>>(&text).unwrap(), map);
    }
}
