//! The GSM 03.38 default alphabet: which characters it has and how many septets they take.

/// Characters of one septet, besides the ASCII ones.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡\
ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Characters that need the escape septet before them.
const EXTENDED: &str = "\u{c}^{}\\[~]|€";

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
            'ç' => "c".into(),
            'ê' | 'ë' => "e".into(),
            'È' | 'Ê' | 'Ë' => "E".into(),
            'í' | 'î' | 'ï' => "i".into(),
            'Í' | 'Ì' | 'Î' | 'Ï' => "I".into(),
            'ó' | 'ô' | 'õ' => "o".into(),
            'Ó' | 'Ò' | 'Ô' | 'Õ' => "O".into(),
            'ú' | 'û' => "u".into(),
            'Ú' | 'Ù' | 'Û' => "U".into(),
            other => other.to_string(),
        })
        .collect()
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
    fn typographic_characters_become_plain_ones() {
        assert_eq!(transliterate("“It’s here”\u{a0}– now…"), "\"It's here\" - now...");
    }
}
