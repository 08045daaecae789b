//! The GSM 03.38 default alphabet: which characters it has and how many septets they take.

/// Characters of one septet, besides the ASCII ones.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡\
ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Characters that need the escape septet before them.
const EXTENDED: &str = "\u{c}^{}\\[~]|€";

/// The septets of [`EXTENDED`], after the escape.
const EXTENDED_CODES: [u8; 10] = [0x0a, 0x14, 0x28, 0x29, 0x2f, 0x3c, 0x3d, 0x3e, 0x40, 0x65];
/// The escape; it stands in the alphabet's place 27, where [`BASIC`] has nothing.
const ESCAPE: u8 = 0x1b;

/// The septets of a text, one an octet (3GPP TS 23.038 §6.2.1, unpacked); `None` where the
/// alphabet lacks a character.
#[must_use]
pub fn encode(text: &str) -> Option<Vec<u8>> {
    let mut septets = Vec::with_capacity(text.len());
    for c in text.chars() {
        if let Some(place) = BASIC.chars().position(|basic| basic == c) {
            let place = u8::try_from(place).ok()?;
            septets.push(if place < ESCAPE { place } else { place + 1 });
        } else {
            let place = EXTENDED.chars().position(|extended| extended == c)?;
            septets.extend([ESCAPE, EXTENDED_CODES[place]]);
        }
    }
    Some(septets)
}

/// The text of septets, one an octet. What has no meaning becomes a space, as phones do.
#[must_use]
pub fn decode(septets: &[u8]) -> String {
    let (mut text, mut escaped) = (String::with_capacity(septets.len()), false);
    for &septet in septets {
        if escaped {
            let place = EXTENDED_CODES.iter().position(|code| *code == septet);
            text.push(place.and_then(|place| EXTENDED.chars().nth(place)).unwrap_or(' '));
            escaped = false;
        } else if septet == ESCAPE {
            escaped = true;
        } else {
            let place = usize::from(if septet < ESCAPE { septet } else { septet - 1 });
            text.push(BASIC.chars().nth(place).unwrap_or(' '));
        }
    }
    text
}

/// Septets of `c`: 1, 2, or `None` where the alphabet lacks it.
#[must_use]
pub fn septets(c: char) -> Option<usize> {
    if BASIC.contains(c) {
        Some(1)
    } else if EXTENDED.contains(c) {
        Some(2)
    } else {
        None
    }
}

/// Writes a text with the characters of the alphabet where an equal one exists: curly quotes,
/// dashes, non-breaking spaces, ellipses, and accents that the alphabet lacks.
#[must_use]
pub fn transliterate(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{2018}' | '\u{2019}' | '\u{201b}' | '`' | '´' => "'".into(),
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '«' | '»' => "\"".into(),
            '\u{2010}'..='\u{2015}' | '\u{2212}' => "-".into(),
            '\u{2026}' => "...".into(),
            '\u{a0}' | '\u{202f}' | '\u{2009}' | '\t' => " ".into(),
            'á' | 'â' | 'ã' => "a".into(),
            'Á' | 'À' | 'Â' | 'Ã' => "A".into(),
            'ą' | 'ă' | 'ā' => "a".into(),
            'Ą' | 'Ă' | 'Ā' => "A".into(),
            'ç' | 'ć' | 'č' => "c".into(),
            'Ć' | 'Č' => "C".into(),
            'ď' | 'đ' | 'ð' => "d".into(),
            'Ď' | 'Đ' | 'Ð' => "D".into(),
            'ê' | 'ë' | 'ę' | 'ě' | 'ė' | 'ē' => "e".into(),
            'È' | 'Ê' | 'Ë' | 'Ę' | 'Ě' | 'Ė' | 'Ē' => "E".into(),
            'ğ' | 'ģ' => "g".into(),
            'Ğ' | 'Ģ' => "G".into(),
            'í' | 'î' | 'ï' | 'ı' | 'ī' | 'į' => "i".into(),
            'Í' | 'Ì' | 'Î' | 'Ï' | 'İ' | 'Ī' | 'Į' => "I".into(),
            'ķ' => "k".into(),
            'Ķ' => "K".into(),
            'ł' | 'ľ' | 'ĺ' | 'ļ' => "l".into(),
            'Ł' | 'Ľ' | 'Ĺ' | 'Ļ' => "L".into(),
            'ń' | 'ň' | 'ņ' => "n".into(),
            'Ń' | 'Ň' | 'Ņ' => "N".into(),
            'ó' | 'ô' | 'õ' | 'ő' => "o".into(),
            'Ó' | 'Ò' | 'Ô' | 'Õ' | 'Ő' => "O".into(),
            'œ' => "oe".into(),
            'Œ' => "OE".into(),
            'ř' | 'ŕ' => "r".into(),
            'Ř' | 'Ŕ' => "R".into(),
            'ś' | 'š' | 'ş' | 'ș' => "s".into(),
            'Ś' | 'Š' | 'Ş' | 'Ș' => "S".into(),
            'ť' | 'ţ' | 'ț' => "t".into(),
            'Ť' | 'Ţ' | 'Ț' => "T".into(),
            'þ' => "th".into(),
            'Þ' => "Th".into(),
            'ú' | 'û' | 'ű' | 'ů' | 'ū' | 'ų' => "u".into(),
            'Ú' | 'Ù' | 'Û' | 'Ű' | 'Ů' | 'Ū' | 'Ų' => "U".into(),
            'ý' | 'ÿ' => "y".into(),
            'Ý' | 'Ÿ' => "Y".into(),
            'ź' | 'ż' | 'ž' => "z".into(),
            'Ź' | 'Ż' | 'Ž' => "Z".into(),
            other => other.to_string(),
        })
        .collect()
}

/// Writes a value that is put into a text of the alphabet so that it stays one: transliterated,
/// and `?` for each character that has no equal there.
#[must_use]
pub fn fit(value: &str) -> String {
    let fits = |c: char| if septets(c).is_some() { c } else { '?' };
    transliterate(value).chars().map(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_has_128_basic_and_10_extended_characters() {
        assert_eq!(BASIC.chars().count(), 127, "the escape is the 128th");
        assert_eq!(EXTENDED.chars().count(), 10);
        assert_eq!((septets('Ç'), septets('ç')), (Some(1), None));
        assert_eq!((septets('€'), septets('`')), (Some(2), None));
    }

    #[test]
    fn every_character_has_its_septets_and_comes_back() {
        let all: String = BASIC.chars().chain(EXTENDED.chars()).collect();
        let septets = encode(&all).unwrap();
        assert_eq!(decode(&septets), all);
        assert_eq!(septets.len(), all.chars().filter_map(super::septets).sum());
        // Of the table of TS 23.038.
        for (text, expected) in [
            ("@", &[0x00][..]),
            ("Δ", &[0x10]),
            ("Æ", &[0x1c]),
            ("A", &[0x41]),
            ("a", &[0x61]),
            ("à", &[0x7f]),
            ("€", &[0x1b, 0x65]),
        ] {
            assert_eq!(encode(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(encode("ç"), None);
        assert_eq!(decode(&[0x1b]), "");
    }

    #[test]
    fn typographic_characters_become_plain_ones() {
        assert_eq!(transliterate("“It’s here”\u{a0}– now…"), "\"It's here\" - now...");
    }

    #[test]
    fn whatever_a_name_is_written_with_it_fits_a_text_of_the_alphabet() {
        for (name, written) in [
            ("François O’Hara", "Francois O'Hara"),
            ("Łukasz Dvořák", "Lukasz Dvorak"),
            ("Müller & Ñandú", "Müller & Ñandu"),
            ("Иван", "????"),
        ] {
            assert_eq!(fit(name), written);
            assert!(encode(&fit(name)).is_some());
        }
    }
}
