//! The sixteen keys.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A DTMF key (ITU-T Q.23). Its number is the event code of RFC 4733 §3.2: 0–9, 10 is `*`,
/// 11 is `#`, 12–15 are A–D. Serialised as its character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "char", try_from = "char")]
pub struct Digit(u8);

/// Keys in the order of their event codes.
const CHARS: [char; 16] =
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

impl Digit {
    /// All keys, in the order of their event codes.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        (0..16u8).map(Self)
    }

    /// The key of an RFC 4733 event code; `None` above 15 (flash, tones, …).
    pub const fn from_event(code: u8) -> Option<Self> {
        if code < 16 { Some(Self(code)) } else { None }
    }

    /// The RFC 4733 event code, 0–15.
    pub const fn event(self) -> u8 {
        self.0
    }

    /// `0`–`9`, `*`, `#`, `A`–`D`.
    pub const fn as_char(self) -> char {
        CHARS[self.0 as usize]
    }

    /// The key at a row (697 … 941 Hz) and a column (1,209 … 1,633 Hz), each 0–3.
    pub(crate) const fn at(row: usize, column: usize) -> Self {
        const KEYPAD: [[u8; 4]; 4] = [[1, 2, 3, 12], [4, 5, 6, 13], [7, 8, 9, 14], [10, 0, 11, 15]];
        Self(KEYPAD[row][column])
    }
}

/// A character that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotADigit(
    /// What was found instead.
    pub char,
);

impl fmt::Display for NotADigit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a DTMF key (0-9, *, #, A-D)", self.0)
    }
}

impl std::error::Error for NotADigit {}

impl TryFrom<char> for Digit {
    type Error = NotADigit;

    /// Letters may be lower case.
    fn try_from(c: char) -> Result<Self, NotADigit> {
        let upper = c.to_ascii_uppercase();
        let code = CHARS.iter().position(|&k| k == upper).ok_or(NotADigit(c))?;
        Ok(Self(code as u8))
    }
}

impl From<Digit> for char {
    fn from(digit: Digit) -> char {
        digit.as_char()
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_survives_its_character_and_its_event_code() {
        for digit in Digit::all() {
            assert_eq!(Digit::try_from(digit.as_char()), Ok(digit));
            assert_eq!(Digit::from_event(digit.event()), Some(digit));
        }
        let all: String = Digit::all().map(Digit::as_char).collect();
        assert_eq!(all, "0123456789*#ABCD");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert_eq!(Digit::try_from('E'), Err(NotADigit('E')));
        assert_eq!(Digit::try_from('d').map(Digit::as_char), Ok('D'));
        assert_eq!(Digit::from_event(16), None);
    }

    #[test]
    fn keypad_has_the_layout_of_q23() {
        let rows: Vec<String> =
            (0..4).map(|r| (0..4).map(|c| Digit::at(r, c).as_char()).collect()).collect();
        assert_eq!(rows, ["123A", "456B", "789C", "*0#D"]);
    }
}
