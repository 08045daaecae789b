//! How many SMS a text is (3GPP TS 23.038, 23.040 §9.2.3.24.1).

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation as _;

use crate::gsm7;

/// How a text goes over the air.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Septets of the default alphabet.
    Gsm7,
    /// Octets of ISO 8859-1: what some message centres take in place of the default alphabet.
    Latin1,
    /// 16-bit units.
    Ucs2,
}

/// What a text is written in where all its characters are in it; others make it UCS-2.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Alphabet {
    /// The GSM default alphabet.
    #[default]
    Gsm7,
    /// ISO 8859-1, one octet a character.
    Latin1,
}

impl Encoding {
    /// The word of the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gsm7 => "gsm7",
            Self::Latin1 => "latin1",
            Self::Ucs2 => "ucs2",
        }
    }
}

/// What a text costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segments {
    /// How it goes over the air.
    pub encoding: Encoding,
    /// Messages on the bill; an empty text is one.
    pub count: usize,
    /// Septets, octets or 16-bit units.
    pub units: usize,
    /// The first character that the alphabet lacks, which made it UCS-2.
    pub offending: Option<char>,
}

/// Messages on the bill that one text may be; longer ones are not sent.
pub const MAX_SEGMENTS: u8 = 2;

/// Counts the segments of `text`, with the 8-bit concatenation header (153 septets or 67 units a
/// part). Neither an escape pair nor what is read as one character, such as a flag, is split over
/// two parts: so Twilio counts.
#[must_use]
pub fn segments(text: &str) -> Segments {
    segments_in(text, Alphabet::Gsm7)
}

/// As [`segments`], of a text that is written in `alphabet` where it can be; of Latin-1, 140 octets
/// alone and 134 a part.
#[must_use]
pub fn segments_in(text: &str, alphabet: Alphabet) -> Segments {
    let offending = text.chars().find(|&c| alphabet.width(c).is_none());
    let (encoding, alone, part) = match (offending, alphabet) {
        (None, Alphabet::Gsm7) => (Encoding::Gsm7, 160, 153),
        (None, Alphabet::Latin1) => (Encoding::Latin1, 140, 134),
        (Some(_), _) => (Encoding::Ucs2, 70, 67),
    };
    let widths: Vec<usize> = match encoding {
        Encoding::Gsm7 | Encoding::Latin1 => {
            text.chars().map(|c| alphabet.width(c).unwrap_or(1)).collect()
        }
        Encoding::Ucs2 => text.graphemes(true).map(|it| it.encode_utf16().count()).collect(),
    };
    let units = widths.iter().sum();
    let count = if units <= alone { 1 } else { parts(widths.into_iter(), part) };
    Segments { encoding, count, units, offending }
}

impl Alphabet {
    /// Septets or octets of a character; `None`: it is not in the alphabet.
    fn width(self, c: char) -> Option<usize> {
        match self {
            Self::Gsm7 => gsm7::septets(c),
            Self::Latin1 => u8::try_from(c).ok().map(|_| 1),
        }
    }
}

fn parts(widths: impl Iterator<Item = usize>, room: usize) -> usize {
    let (mut parts, mut used) = (1, 0);
    for width in widths {
        if used + width > room {
            parts += 1;
            used = 0;
        }
        used += width;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_texts_have_the_segments_an_independent_calculator_counts() {
        for (text, encoding, count) in [
            ("€".repeat(80), Encoding::Gsm7, 1),
            ("€".repeat(81), Encoding::Gsm7, 2),
            ("é".repeat(160), Encoding::Gsm7, 1),
            ("é".repeat(161), Encoding::Gsm7, 2),
            ("Ç".repeat(160), Encoding::Gsm7, 1),
            ("ç".to_owned(), Encoding::Ucs2, 1),
            (format!("{}ç", "a".repeat(70)), Encoding::Ucs2, 2),
            ("😀".repeat(35), Encoding::Ucs2, 1),
            ("😀".repeat(36), Encoding::Ucs2, 2),
            // A flag is of four units: 66 and one that does not fit, where pairs would.
            (format!("ç{}{}", "a".repeat(64), "🇬🇧a"), Encoding::Ucs2, 1),
            (format!("ç{}{}{}", "a".repeat(64), "🇬🇧", "a".repeat(64)), Encoding::Ucs2, 3),
            ("a".repeat(306), Encoding::Gsm7, 2),
            ("a".repeat(307), Encoding::Gsm7, 3),
            (String::new(), Encoding::Gsm7, 1),
        ] {
            let counted = segments(&text);
            assert_eq!((counted.encoding, counted.count), (encoding, count), "{text:.20}");
        }
    }

    #[test]
    fn a_text_in_latin_1_is_counted_by_octets() {
        for (text, encoding, count) in [
            ("ç".repeat(140), Encoding::Latin1, 1),
            ("a".repeat(141), Encoding::Latin1, 2),
            ("a".repeat(268), Encoding::Latin1, 2),
            ("a".repeat(269), Encoding::Latin1, 3),
            // In GSM-7, and not there.
            ("€".repeat(70), Encoding::Ucs2, 1),
            ("€".repeat(71), Encoding::Ucs2, 2),
        ] {
            let counted = segments_in(&text, Alphabet::Latin1);
            assert_eq!((counted.encoding, counted.count), (encoding, count), "{text:.20}");
        }
    }

    #[test]
    fn a_pair_is_never_split_over_two_parts() {
        // 152 + the two septets of € do not fit into 153.
        assert_eq!(segments(&format!("{}€{}", "a".repeat(152), "a".repeat(151))).count, 2);
        assert_eq!(segments(&format!("{}€{}", "a".repeat(152), "a".repeat(152))).count, 3);
    }

    #[test]
    fn the_offending_character_is_named() {
        assert_eq!(segments("elija aquí").offending, Some('í'));
        assert_eq!(segments("plain").offending, None);
    }
}
